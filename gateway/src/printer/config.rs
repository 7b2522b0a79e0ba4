//! The printer's part of the configuration file.
//!
//! ```toml
//! [[printers]]
//! name = "caisse"
//! to = "usb:04b8:0202"    # or "tcp://192.168.1.50:9100", "serial:/dev/serial/by-id/…?baud=19200"
//! profile = "generic-80"
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::codepage::CodePage;
use super::escpos::DrawerPin;
use super::profile::{Profile, Tags};
use crate::i18n::say;

const BAUD_DEFAULT: u32 = 9_600;
const COLUMNS_MIN: u16 = 16;
const COLUMNS_MAX: u16 = 96;

/// One printer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrinterConfig {
    /// What commands and screens call it.
    pub name: String,
    pub to: Target,
    #[serde(default = "default_profile")]
    pub profile: String,
    /// Characters of font A on a line, where they differ from the profile's.
    pub columns: Option<u16>,
    /// Whether the printer returns tags, where that differs from the profile.
    pub tags: Option<Tags>,
    /// Whether the printer prints pictures (Arabic, drawn symbols), where that differs from
    /// the profile.
    pub raster: Option<bool>,
    /// 2 or 5.
    #[serde(default = "default_drawer_pin")]
    pub drawer_pin: u32,
    /// The printer's own number of a character table, such as `"1252" = 16`.
    #[serde(default)]
    pub code_page: BTreeMap<CodePage, u8>,
}

fn default_profile() -> String {
    "generic-80".to_owned()
}

fn default_drawer_pin() -> u32 {
    2
}

/// Why a printer's configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{}", say("printer-config-address", &[("address", .0)]))]
    Address(String),
    #[error(
        "{}",
        say(
            "printer-config-profile",
            &[("printer", .printer), ("profile", .profile), ("known", .known)]
        )
    )]
    Profile { printer: String, profile: String, known: String },
    #[error(
        "{}",
        say("printer-config-columns", &[("printer", .printer), ("columns", .columns)])
    )]
    Columns { printer: String, columns: u16 },
    #[error("{}", say("printer-config-drawer-pin", &[("printer", .printer), ("pin", .pin)]))]
    DrawerPin { printer: String, pin: u32 },
    #[error("{}", say("printer-config-name", &[]))]
    Name,
}

impl PrinterConfig {
    /// A configuration for one address, all else by the profile.
    #[must_use]
    pub fn at(name: &str, to: Target, profile: &str) -> Self {
        Self {
            name: name.to_owned(),
            to,
            profile: profile.to_owned(),
            columns: None,
            tags: None,
            raster: None,
            drawer_pin: default_drawer_pin(),
            code_page: BTreeMap::new(),
        }
    }

    /// Checks what the types cannot; to be called when the configuration is read.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.drawer()?;
        self.profile().map(|_| ())
    }

    /// The profile with this printer's corrections.
    pub fn profile(&self) -> Result<Profile, ConfigError> {
        if self.name.is_empty() {
            return Err(ConfigError::Name);
        }
        let mut profile = Profile::named(&self.profile).ok_or_else(|| ConfigError::Profile {
            printer: self.name.clone(),
            profile: self.profile.clone(),
            known: Profile::all().iter().map(|p| p.name).collect::<Vec<_>>().join(", "),
        })?;
        if let Some(columns) = self.columns {
            if !(COLUMNS_MIN..=COLUMNS_MAX).contains(&columns) {
                return Err(ConfigError::Columns { printer: self.name.clone(), columns });
            }
            profile.columns = columns;
        }
        if let Some(tags) = self.tags {
            profile.tags = tags;
        }
        profile.raster = self.raster.unwrap_or(profile.raster);
        profile.renumber(&self.code_page);
        Ok(profile)
    }

    /// The pin the drawer hangs on.
    pub fn drawer(&self) -> Result<DrawerPin, ConfigError> {
        drawer_pin(self.drawer_pin).ok_or_else(|| ConfigError::DrawerPin {
            printer: self.name.clone(),
            pin: self.drawer_pin,
        })
    }
}

/// The pin by its number on the connector.
#[must_use]
pub fn drawer_pin(number: u32) -> Option<DrawerPin> {
    match number {
        2 => Some(DrawerPin::Two),
        5 => Some(DrawerPin::Five),
        _ => None,
    }
}

/// Where a printer is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Target {
    /// `host:port`
    Tcp(String),
    Serial {
        path: String,
        baud: u32,
        flow: Flow,
    },
    Usb(UsbAddress),
    /// A simulated printer in this process.
    #[cfg(feature = "testing")]
    Memory(super::transport::memory::Plug),
}

/// A USB printer: `usb:VENDOR:PRODUCT[:SERIAL][@PORT]`, the numbers in hex. The serial number
/// tells two of a kind apart; where they have none, the port they are plugged into does
/// (`usb:0416:5011@1-2.3`). Never the bus's own count, which changes at each plug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbAddress {
    pub vendor: u16,
    pub product: u16,
    pub serial: Option<String>,
    /// Bus and ports from the root.
    pub port: Option<String>,
}

impl fmt::Display for UsbAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "usb:{:04x}:{:04x}", self.vendor, self.product)?;
        if let Some(serial) = &self.serial {
            write!(formatter, ":{serial}")?;
        }
        self.port.as_ref().map_or(Ok(()), |port| write!(formatter, "@{port}"))
    }
}

/// Reads what stands behind `usb:`.
fn usb_address(text: &str) -> Option<UsbAddress> {
    let is_port = |port: &&str| {
        port.contains('-') && port.chars().all(|sign| sign.is_ascii_digit() || "-.".contains(sign))
    };
    let (device, port) = match text.rsplit_once('@') {
        Some((device, port)) => (device, Some(port).filter(is_port).map(Some)?),
        None => (text, None),
    };
    let mut parts = device.splitn(3, ':');
    let number = |text: Option<&str>| {
        text.filter(|text| text.len() == 4).and_then(|text| u16::from_str_radix(text, 16).ok())
    };
    let (vendor, product) = (number(parts.next())?, number(parts.next())?);
    let serial = match parts.next() {
        Some("") => return None,
        serial => serial.map(str::to_owned),
    };
    Some(UsbAddress { vendor, product, serial, port: port.map(str::to_owned) })
}

/// How a serial printer says that its buffer is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    None,
    Software,
    Hardware,
}

impl Flow {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Software => "software",
            Self::Hardware => "hardware",
        }
    }
}

impl FromStr for Target {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let not_understood = || ConfigError::Address(text.to_owned());
        if let Some(usb) = text.strip_prefix("usb:") {
            return usb_address(usb).map(Self::Usb).ok_or_else(not_understood);
        }
        if let Some(address) = text.strip_prefix("tcp://") {
            let (host, port) = address.rsplit_once(':').ok_or_else(not_understood)?;
            let port: u16 = port.parse().map_err(|_| not_understood())?;
            return if host.is_empty() || port == 0 {
                Err(not_understood())
            } else {
                Ok(Self::Tcp(address.to_owned()))
            };
        }
        let serial = text.strip_prefix("serial:").ok_or_else(not_understood)?;
        serial_target(serial).ok_or_else(not_understood)
    }
}

fn serial_target(text: &str) -> Option<Target> {
    let (path, options) = text.split_once('?').unwrap_or((text, ""));
    let (mut baud, mut flow) = (BAUD_DEFAULT, Flow::None);
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=')? {
            ("baud", number) => baud = number.parse().ok().filter(|baud| *baud > 0)?,
            ("flow", "none") => flow = Flow::None,
            ("flow", "software") => flow = Flow::Software,
            ("flow", "hardware") => flow = Flow::Hardware,
            _ => return None,
        }
    }
    path.starts_with('/').then(|| Target::Serial { path: path.to_owned(), baud, flow })
}

impl TryFrom<String> for Target {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "tcp://{address}"),
            Self::Serial { path, baud, flow } => {
                write!(formatter, "serial:{path}?baud={baud}&flow={}", flow.word())
            }
            Self::Usb(address) => address.fmt(formatter),
            #[cfg(feature = "testing")]
            Self::Memory(_) => formatter.write_str("memory"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PrinterConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_configuration_is_read() {
        let config = read(
            "name = 'caisse'\nto = 'serial:/dev/ttyUSB0?baud=19200&flow=hardware'\n\
             profile = 'generic-58'\ncolumns = 30\ntags = 'probe'\ndrawer_pin = 5\n\
             [code_page]\n1252 = 71\n",
        )
        .unwrap();
        let profile = config.profile().unwrap();
        assert_eq!((profile.columns, profile.tags), (30, Tags::Probe));
        assert_eq!(profile.page_number(CodePage::Cp1252), 71);
        assert_eq!(config.drawer(), Ok(DrawerPin::Five));
        assert_eq!(config.to.to_string(), "serial:/dev/ttyUSB0?baud=19200&flow=hardware");
    }

    #[test]
    fn a_usb_printer_is_named_by_its_numbers_its_serial_number_or_its_port() {
        for text in
            ["usb:04b8:0202", "usb:04b8:0e28:J3KF:1", "usb:0416:5011@1-2.3", "usb:0416:5011:A@3-1"]
        {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        let Target::Usb(address) = "usb:04B8:0E28:SN@2-1.4".parse().unwrap() else { panic!() };
        assert_eq!((address.vendor, address.product), (0x04b8, 0x0e28));
        assert_eq!(
            (address.serial.as_deref(), address.port.as_deref()),
            (Some("SN"), Some("2-1.4"))
        );
    }

    #[test]
    fn mistakes_are_named_with_their_remedy() {
        let base = "name = 'caisse'\nto = 'tcp://10.0.0.5:9100'\n";
        assert!(read(&format!("{base}colums = 32")).unwrap_err().contains("colums"));
        for wrong in [
            "10.0.0.5",
            "tcp://10.0.0.5",
            "tcp://:9100",
            "serial:tty",
            "serial:/t?bad=1",
            "usb:",
            "usb:4b8:202",
            "usb:04b8",
            "usb:04b8:0202:",
            "usb:04b8:0202@",
            "usb:04b8:0202@001/004",
        ] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
        let unknown = read(&format!("{base}profile = 'epson'")).unwrap().check().unwrap_err();
        assert!(unknown.to_string().contains("generic-58"), "{unknown}");
        assert!(read(&format!("{base}columns = 2")).unwrap().check().is_err());
        assert!(read(&format!("{base}drawer_pin = 3")).unwrap().check().is_err());
    }
}
