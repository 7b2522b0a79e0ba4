//! What the configuration says about clocks that call.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use chrono_tz::Tz;
use fournil_protocol::iclock::ask::is_serial;
use ipnet::IpNet;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::i18n::say;

/// Letters and digits of a key, as a clock's menu takes them.
const KEY_BYTES_MAX: usize = 64;

/// The `[push]` section. Without it nobody is heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushConfig {
    /// The box's own address in the shop's network and a port: `192.168.1.10:8081`.
    pub listen: SocketAddr,
    /// `[[push.clock]]`: who may call.
    #[serde(rename = "clock", default)]
    pub clocks: Vec<PushClock>,
}

/// A clock that may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushClock {
    /// The clock's name in the shop, unique among the devices.
    pub name: String,
    /// Its serial number, as its menu shows it.
    pub serial: String,
    /// IANA zone the clock hangs in.
    #[serde(default = "zone_default")]
    pub zone: Tz,
    /// The key it brings when it says hello, where its menu has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PushKey>,
    /// Addresses and networks it may call from; empty: any that reaches the box.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_from: Vec<AllowFrom>,
    /// A `[[clock]]` reads the same clock over its own port, and tells what it is.
    #[serde(skip)]
    pub is_read_too: bool,
}

/// A key, kept out of logs and printed configurations.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct PushKey(String);

impl PushKey {
    pub fn new(key: &str) -> PushKey {
        PushKey(key.to_owned())
    }

    /// Compares digests, which tells nothing by the time it takes.
    pub(super) fn is(&self, given: Option<&str>) -> bool {
        let hidden = |text: &str| digest(&SHA256, text.as_bytes());
        hidden(&self.0).as_ref() == hidden(given.unwrap_or_default()).as_ref()
    }

    fn is_fit(&self) -> bool {
        let Self(key) = self;
        (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

impl fmt::Debug for PushKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("\"***\"")
    }
}

impl Serialize for PushKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// Where a clock may call from: an address (`192.168.1.201`) or a network (`192.168.1.0/24`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AllowFrom(IpNet);

impl AllowFrom {
    pub fn holds(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for AllowFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<AllowFrom, String> {
        let text = text.trim();
        let net = text.parse::<IpNet>().ok().or_else(|| Some(text.parse::<IpAddr>().ok()?.into()));
        net.map(AllowFrom).ok_or_else(|| say("push-config-from", &[("from", &text)]))
    }
}

impl TryFrom<String> for AllowFrom {
    type Error = String;

    fn try_from(text: String) -> Result<AllowFrom, String> {
        text.parse()
    }
}

impl From<AllowFrom> for String {
    fn from(from: AllowFrom) -> String {
        from.0.to_string()
    }
}

/// What is wrong with the section.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushConfigError {
    #[error("{}", say("push-config-empty", &[]))]
    NoClock,
    #[error("{}", say("push-config-name", &[]))]
    NameMissing,
    #[error("{}", say("push-config-serial", &[("name", .0), ("serial", .1)]))]
    Serial(String, String),
    #[error("{}", say("push-config-serial-twice", &[("serial", .0)]))]
    SerialTwice(String),
    #[error("{}", say("push-config-key", &[("name", .0)]))]
    Key(String),
}

impl PushConfig {
    /// Whether the section can be used; called before the daemon starts.
    pub fn check(&self) -> Result<(), PushConfigError> {
        if self.clocks.is_empty() {
            return Err(PushConfigError::NoClock);
        }
        for (at, clock) in self.clocks.iter().enumerate() {
            let PushClock { name, serial, key, .. } = clock;
            if name.trim().is_empty() {
                return Err(PushConfigError::NameMissing);
            }
            if !is_serial(serial) {
                return Err(PushConfigError::Serial(name.clone(), serial.clone()));
            }
            if self.clocks.iter().take(at).any(|other| other.serial == *serial) {
                return Err(PushConfigError::SerialTwice(serial.clone()));
            }
            if key.as_ref().is_some_and(|key| !key.is_fit()) {
                return Err(PushConfigError::Key(name.clone()));
            }
        }
        Ok(())
    }
}

fn zone_default() -> Tz {
    Tz::Africa__Algiers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(clocks: &str) -> PushConfig {
        toml::from_str(&format!("listen = '127.0.0.1:8081'\n{clocks}")).unwrap()
    }

    #[test]
    fn a_clock_has_defaults_and_its_key_is_not_shown() {
        let push = section("[[clock]]\nname = 'a'\nserial = 'CJ7S202161'\nkey = 'opensesame'");
        assert!(push.check().is_ok());
        assert_eq!(push.clocks.first().unwrap().zone, Tz::Africa__Algiers);
        let shown = format!("{push:?} {}", toml::to_string(&push).unwrap());
        assert!(!shown.contains("opensesame"), "{shown}");
    }

    #[test]
    fn an_address_is_one_and_a_network_many() {
        let from: AllowFrom = "192.168.1.0/24".parse().unwrap();
        assert!(from.holds("192.168.1.77".parse().unwrap()));
        assert!(from.holds("::ffff:192.168.1.77".parse().unwrap()), "the same by another name");
        assert!(!from.holds("192.168.2.77".parse().unwrap()));
        let one: AllowFrom = "10.0.0.5".parse().unwrap();
        assert!(one.holds("10.0.0.5".parse().unwrap()) && !one.holds("10.0.0.6".parse().unwrap()));
        assert!("shop".parse::<AllowFrom>().unwrap_err().contains("shop"));
    }

    #[test]
    fn what_cannot_be_a_clock_is_refused() {
        let fault = |clocks: &str| section(clocks).check().unwrap_err();
        assert_eq!(fault(""), PushConfigError::NoClock);
        let short = "[[clock]]\nname = 'a'\nserial = 'A-1'";
        assert!(matches!(fault(short), PushConfigError::Serial(..)));
        let one = "[[clock]]\nname = 'a'\nserial = 'CJ7S202161'\n";
        assert!(matches!(fault(&one.repeat(2)), PushConfigError::SerialTwice(_)));
        assert!(matches!(fault(&format!("{one}key = 'a b'")), PushConfigError::Key(_)));
        assert!(toml::from_str::<PushConfig>("listen = '127.0.0.1'").is_err(), "a port is needed");
    }

    #[test]
    fn another_key_or_none_is_not_it() {
        let key = PushKey::new("k1");
        assert!(key.is(Some("k1")));
        assert!(!key.is(Some("k2")) && !key.is(None));
    }
}
