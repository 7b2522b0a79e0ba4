//! Where a request really came from: the socket's address, or what a proxy we were
//! told to trust says of it.

use std::net::IpAddr;
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
        // The right-most address that is not one of our proxies: everything left of it
        // was written by the client and may be a lie.
        let mut forwarded = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|part| part.trim().parse::<IpAddr>().ok())
            .map(|ip| ip.to_canonical());
        let client = forwarded.rfind(|ip| !self.trusts(*ip)).unwrap_or(ip);
        let proto = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        (Peer(client), via.tls || proto == Some("https"))
    }
}

/// What counts as one caller: an IPv4 address, or the /64 an IPv6 host may roam in.
#[must_use]
pub(super) fn caller(ip: IpAddr) -> IpAddr {
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
