//! Where a request really came from: the socket's address, or what a proxy we were
//! told to trust says of it.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use hyper::HeaderMap;

use super::request::Peer;

/// The connection a request came by, put into its extensions by the accept loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Via {
    pub(super) ip: IpAddr,
    pub(super) tls: bool,
}

/// A block of addresses such as `10.0.0.0/8` or `127.0.0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no block of addresses.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not an address or a block such as 10.0.0.0/8")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let fault = || NetworkError(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| fault())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| fault())?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(bits_max);
        if bits > bits_max { Err(fault()) } else { Ok(Self { address, bits }) }
    }
}

impl Network {
    fn holds(self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                own.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                own.to_bits() & mask == ip.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// The proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies(pub Vec<Network>);

impl Proxies {
    /// True when an address is one of ours.
    #[must_use]
    pub fn trusts(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.holds(ip.to_canonical()))
    }

    /// The peer, and whether it reached us by TLS all the way.
    pub(super) fn peer(&self, via: Via, headers: &HeaderMap) -> (Peer, bool) {
        let ip = via.ip.to_canonical();
        if !self.trusts(ip) {
            return (Peer(ip), via.tls);
        }
        let client = self.client(ip, headers);
        let proto = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        (Peer(client), via.tls || proto == Some("https"))
    }
}

impl Proxies {
    /// The right-most address that is not one of our proxies: everything left of it was
    /// written by the client and may be a lie. What cannot be read ends the walk too, at
    /// the last proxy that is known: passing over it would reach the client's own words.
    fn client(&self, proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut known = proxy;
        for value in headers.get_all("x-forwarded-for").iter().rev() {
            let Ok(value) = value.to_str() else { return known };
            for part in value.rsplit(',') {
                let Some(ip) = forwarded(part.trim()) else { return known };
                known = ip.to_canonical();
                if !self.trusts(known) {
                    return known;
                }
            }
        }
        known
    }
}

/// An address as proxies write it: bare, `ip:port`, `[v6]` or `[v6]:port`.
fn forwarded(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port)
}

/// What counts as one caller: an IPv4 address, or the /64 an IPv6 host may roam in.
#[must_use]
pub fn caller(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & (u128::MAX << 64)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(forwarded: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().expect("a header"));
        headers.insert("x-forwarded-proto", "https".parse().expect("a header"));
        headers
    }

    fn via(ip: &str) -> Via {
        Via { ip: ip.parse().expect("an address"), tls: false }
    }

    #[test]
    fn a_stranger_cannot_forge_its_address() {
        let proxies = Proxies(vec!["127.0.0.1".parse().expect("a network")]);
        let (peer, secure) = proxies.peer(via("203.0.113.9"), &headers("10.1.1.1"));
        assert_eq!(peer.0.to_string(), "203.0.113.9");
        assert!(!secure);
    }

    #[test]
    fn behind_a_proxy_the_last_foreign_address_counts() {
        let proxies = Proxies(vec!["127.0.0.0/8".parse().expect("a network")]);
        let forged = headers("1.2.3.4, 203.0.113.9, 127.0.0.2");
        let (peer, secure) = proxies.peer(via("::ffff:127.0.0.1"), &forged);
        assert_eq!(peer.0.to_string(), "203.0.113.9");
        assert!(secure);
    }

    #[test]
    fn what_a_proxy_wrote_and_we_cannot_read_hides_the_clients_own_words() {
        let proxies = Proxies(vec!["127.0.0.0/8".parse().expect("a network")]);
        let peer = |forwarded: &str| proxies.peer(via("127.0.0.1"), &headers(forwarded)).0;
        for unreadable in ["1.2.3.4, unknown", "1.2.3.4,", "1.2.3.4, _hidden, 127.0.0.1"] {
            assert_eq!(peer(unreadable).0.to_string(), "127.0.0.1", "{unreadable}");
        }
        let mut bytes = headers("1.2.3.4");
        let odd = hyper::header::HeaderValue::from_bytes(b"203.0.113.9\xff").expect("a header");
        bytes.append("x-forwarded-for", odd);
        assert_eq!(proxies.peer(via("127.0.0.1"), &bytes).0.0.to_string(), "127.0.0.1");
    }

    #[test]
    fn an_address_may_come_with_its_port() {
        let proxies = Proxies(vec!["127.0.0.0/8".parse().expect("a network")]);
        for (written, meant) in [
            ("1.2.3.4, 203.0.113.9:40112", "203.0.113.9"),
            ("1.2.3.4, [2001:db8::7]:40112, 127.0.0.2:1", "2001:db8::7"),
            ("1.2.3.4, [2001:db8::7]", "2001:db8::7"),
            ("1.2.3.4, 2001:db8::7", "2001:db8::7"),
        ] {
            let (peer, _) = proxies.peer(via("127.0.0.1"), &headers(written));
            assert_eq!(peer.0.to_string(), meant, "{written}");
        }
    }

    #[test]
    fn blocks_are_read_and_checked() {
        let all: Network = "0.0.0.0/0".parse().expect("a network");
        assert!(all.holds("9.9.9.9".parse().expect("an address")));
        let net: Network = "10.0.0.0/8".parse().expect("a network");
        assert!(net.holds("10.200.0.1".parse().expect("an address")));
        assert!(!net.holds("11.0.0.1".parse().expect("an address")));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
        assert!("shop".parse::<Network>().is_err());
    }
}
