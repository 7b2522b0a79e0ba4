//! Where the cloud is: what a person typed, taken apart and checked once.

use std::fmt;

use rustls::pki_types::ServerName;

use crate::i18n::say;

/// Port when the address names none.
const PORT_DEFAULT: u16 = 443;
/// The tunnel's door.
pub const TUNNEL_PATH: &str = "/gateway/v1";
/// The enrolment's door.
pub const ENROL_PATH: &str = "/gateway/enrol";
/// Where a change of key begins, and where it is proposed.
pub const CHALLENGE_PATH: &str = "/gateway/rotate/challenge";
pub const ROTATE_PATH: &str = "/gateway/rotate";

/// A cloud's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name or address without brackets: what TLS verifies and Hello signs.
    pub host: String,
    pub port: u16,
}

/// Why an address is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", say("tunnel-address", &[("address", .address), ("why", &say(.why, &[]))]))]
pub struct BadAddress {
    address: String,
    /// The id of its text.
    why: &'static str,
}

impl Target {
    /// Reads `https://host[:port]` or `wss://host[:port]`.
    pub fn parse(address: &str) -> Result<Self, BadAddress> {
        let bad = |why| BadAddress { address: address.to_owned(), why };
        let uri: hyper::Uri = address.trim().parse().map_err(|_| bad("tunnel-address-none"))?;
        match uri.scheme_str() {
            Some("https" | "wss") => {}
            Some("http" | "ws") => return Err(bad("tunnel-address-no-tls")),
            _ => return Err(bad("tunnel-address-scheme")),
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(bad("tunnel-address-path"));
        }
        let authority = uri.authority().ok_or_else(|| bad("tunnel-address-host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("tunnel-address-user"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
        if ServerName::try_from(host.clone()).is_err() {
            return Err(bad("tunnel-address-name"));
        }
        Ok(Self { host, port: uri.port_u16().unwrap_or(PORT_DEFAULT) })
    }

    /// Host and port as they stand in a URL or a `Host` header.
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == PORT_DEFAULT { host } else { format!("{host}:{}", self.port) }
    }
}

/// The form that is stored and shown.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemes_with_and_without_port_are_read() {
        for (typed, shown) in [
            ("https://cloud.example", "https://cloud.example"),
            ("wss://Cloud.Example:8443/", "https://cloud.example:8443"),
            ("https://127.0.0.1:9443", "https://127.0.0.1:9443"),
            ("https://[::1]:9443", "https://[::1]:9443"),
        ] {
            let target = Target::parse(typed).unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(Target::parse(&target.to_string()).unwrap(), target);
        }
    }

    #[test]
    fn what_is_not_an_address_says_why() {
        for (typed, word) in [
            ("http://cloud.example", "TLS"),
            ("cloud.example:8443", "https://"),
            ("https://cloud.example/erp", "suivre"),
            ("https://u:p@cloud.example", "mot de passe"),
            ("https://a b", "Internet"),
        ] {
            let message = Target::parse(typed).unwrap_err().to_string();
            assert!(message.contains(word), "{typed}: {message}");
            assert!(!message.contains('\n'));
        }
    }
}
