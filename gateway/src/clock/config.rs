//! What the gateway's configuration says about one clock.

use std::fmt;
use std::time::Duration;

use chrono_tz::Tz;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::layout::AttendanceLayout;
use super::wire::PORT_DEFAULT;
use crate::i18n::say;

const POLL_INTERVAL_S: u32 = 60;
const DRIFT_WARN_S: u32 = 60;
/// 1024 addresses.
const SEARCH_PREFIX_MIN: u8 = 22;

/// A `[[clock]]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockConfig {
    /// The clock's name in the shop, unique among the devices.
    pub name: String,
    /// `host:port`; without port 4370 is meant.
    pub address: String,
    /// The clock's comm key (menu "COM key"); 0 when none is set.
    #[serde(default)]
    pub comm_key: CommKey,
    /// IANA zone the clock hangs in.
    #[serde(default = "zone_default")]
    pub zone: Tz,
    /// When given, a clock with another serial number is not read.
    #[serde(default)]
    pub expected_serial: Option<String>,
    /// Where to look for the clock by its serial number when nobody answers at its address, as
    /// a private network (`192.168.1.0/24`); without it nobody looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_subnet: Option<Ipv4Net>,
    /// Seconds between two readings of the log, 5 to 86,400.
    #[serde(default = "poll_interval_default")]
    pub poll_interval_s: u32,
    /// Keep a session open and take punches as they happen, besides reading the log.
    #[serde(default = "live_default")]
    pub live: bool,
    /// UDP for old clocks that know nothing else; it is slower and goes well in one's own
    /// network only.
    #[serde(default)]
    pub transport: Transport,
    /// Record layout (`40` to `64`, `16`, `8a`, `8b`), to settle what the log leaves open.
    #[serde(default)]
    pub layout: Option<String>,
    /// Lock the clock's keypad while its log is read, for firmware whose log shifts
    /// under a reading. The clock unlocks by itself after two minutes.
    #[serde(default)]
    pub lock_while_reading: bool,
    /// Difference between clock and gateway from which it is reported.
    #[serde(default = "drift_warn_default")]
    pub drift_warn_s: u32,
    /// Set the clock by itself when it is off by more than so many seconds, 30 to 86,400;
    /// 0: never by itself.
    #[serde(default)]
    pub set_time_beyond_s: u32,
    /// Whether the cloud may ask to empty the clock's log, once it has every record.
    #[serde(default)]
    pub allow_clear: bool,
}

/// How the clock is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    #[default]
    Tcp,
    Udp,
}

/// The clock's numeric key, kept out of logs and printed configurations.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct CommKey(u32);

impl CommKey {
    pub fn new(key: u32) -> CommKey {
        CommKey(key)
    }

    pub fn reveal(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for CommKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("\"***\"")
    }
}

impl Serialize for CommKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// What is wrong with a clock's section.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{}", say("clock-config-name", &[]))]
    NameMissing,
    #[error("{}", say("clock-config-address", &[("name", .0), ("address", .1)]))]
    Address(String, String),
    #[error("{}", say("clock-config-poll", &[("name", .0), ("seconds", .1)]))]
    PollInterval(String, u32),
    #[error("{}", say("clock-config-set-time", &[("name", .0), ("seconds", .1)]))]
    SetTime(String, u32),
    #[error("{}", say("clock-config-search", &[("name", .0)]))]
    Search(String),
    #[error("{}", say("clock-config-layout", &[("name", .0), ("why", .1)]))]
    Layout(String, super::layout::UnknownLayout),
}

/// A host and a port, as written, and the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub host: String,
    pub port: u16,
    pub transport: Transport,
}

impl Target {
    /// The same clock the other way.
    #[must_use]
    pub fn over(self, transport: Transport) -> Target {
        Target { transport, ..self }
    }

    /// Reads `host`, `host:port`, `[v6]` and `[v6]:port`; over TCP.
    pub fn parse(text: &str) -> Option<Target> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                rest.split_once(']').map(|(host, port)| (host, port.strip_prefix(':')))?
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = port.map_or(Some(PORT_DEFAULT), |port| port.parse().ok())?;
        let is_host = !host.is_empty() && !host.contains(['/', ' ']);
        let transport = Transport::Tcp;
        (is_host && port != 0).then(|| Target { host: host.to_owned(), port, transport })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

impl ClockConfig {
    /// A section with nothing but the two things that have no default.
    pub fn new(name: &str, address: &str) -> ClockConfig {
        ClockConfig {
            name: name.to_owned(),
            address: address.to_owned(),
            comm_key: CommKey::default(),
            zone: zone_default(),
            expected_serial: None,
            search_subnet: None,
            poll_interval_s: POLL_INTERVAL_S,
            live: true,
            transport: Transport::Tcp,
            layout: None,
            lock_while_reading: false,
            drift_warn_s: DRIFT_WARN_S,
            set_time_beyond_s: 0,
            allow_clear: false,
        }
    }

    /// Whether the section can be used; called before the daemon starts.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.name.trim().is_empty() {
            return Err(ConfigError::NameMissing);
        }
        self.target()?;
        self.forced_layout()?;
        if !(5..=86_400).contains(&self.poll_interval_s) {
            return Err(ConfigError::PollInterval(self.name.clone(), self.poll_interval_s));
        }
        let is_searchable = |net: &Ipv4Net| {
            let is_own = net.addr().is_private() || net.addr().is_loopback();
            is_own && net.prefix_len() >= SEARCH_PREFIX_MIN
        };
        if let Some(net) = &self.search_subnet
            && !(is_searchable(net)
                && self.expected_serial.is_some()
                && self.transport == Transport::Tcp)
        {
            return Err(ConfigError::Search(self.name.clone()));
        }
        if !matches!(self.set_time_beyond_s, 0 | 30..=86_400) {
            return Err(ConfigError::SetTime(self.name.clone(), self.set_time_beyond_s));
        }
        Ok(())
    }

    pub(super) fn target(&self) -> Result<Target, ConfigError> {
        Target::parse(&self.address)
            .map(|target| target.over(self.transport))
            .ok_or_else(|| ConfigError::Address(self.name.clone(), self.address.clone()))
    }

    pub(super) fn forced_layout(&self) -> Result<Option<AttendanceLayout>, ConfigError> {
        let layout = self.layout.as_deref().map(str::parse).transpose();
        layout.map_err(|error| ConfigError::Layout(self.name.clone(), error))
    }

    pub(super) fn poll_interval(&self) -> Duration {
        Duration::from_secs(self.poll_interval_s.into())
    }
}

fn zone_default() -> Tz {
    Tz::Africa__Algiers
}

fn poll_interval_default() -> u32 {
    POLL_INTERVAL_S
}

fn live_default() -> bool {
    true
}

fn drift_warn_default() -> u32 {
    DRIFT_WARN_S
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_port_means_4370() {
        let target = Target::parse("192.168.1.201").unwrap();
        assert_eq!(target.to_string(), "192.168.1.201:4370");
        assert_eq!(Target::parse("[fe80::1]:99").unwrap().to_string(), "[fe80::1]:99");
        for wrong in ["", ":4370", "host:", "host:0", "host:70000", "a:b:c", "http://x"] {
            assert_eq!(Target::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_comm_key_is_not_shown() {
        let mut config = ClockConfig::new("pointeuse", "10.0.0.9");
        config.comm_key = CommKey::new(123_456);
        let shown = format!("{config:?} {}", toml::to_string(&config).unwrap());
        assert!(!shown.contains("123456"), "{shown}");
    }

    #[test]
    fn an_unknown_key_is_an_error_and_defaults_are_filled_in() {
        let config: ClockConfig = toml::from_str("name='p'\naddress='10.0.0.9'").unwrap();
        assert_eq!((config.poll_interval_s, config.live), (60, true));
        assert_eq!(config.zone, Tz::Africa__Algiers);
        assert!(config.check().is_ok());
        assert!(toml::from_str::<ClockConfig>("name='p'\naddress='a'\nadress='b'").is_err());
    }

    #[test]
    fn a_search_needs_a_number_and_a_small_network_of_ones_own() {
        let read = |rest: &str| {
            let text = format!("name='p'\naddress='10.0.0.9'\n{rest}");
            toml::from_str::<ClockConfig>(&text).unwrap().check()
        };
        let serial = "expected_serial='S1'\n";
        assert!(read(&format!("{serial}search_subnet='192.168.1.0/24'")).is_ok());
        for wrong in [
            "search_subnet='192.168.1.0/24'".to_owned(),
            format!("{serial}search_subnet='10.0.0.0/8'"),
            format!("{serial}search_subnet='8.8.8.0/24'"),
            format!("{serial}search_subnet='192.168.1.0/24'\ntransport='udp'"),
        ] {
            assert!(matches!(read(&wrong), Err(ConfigError::Search(_))), "{wrong}");
        }
    }

    #[test]
    fn udp_goes_to_the_same_address() {
        let config: ClockConfig =
            toml::from_str("name='p'\naddress='10.0.0.9'\ntransport='udp'").unwrap();
        assert!(config.check().is_ok());
        let target = config.target().unwrap();
        assert_eq!((target.transport, target.port), (Transport::Udp, PORT_DEFAULT));
    }
}
