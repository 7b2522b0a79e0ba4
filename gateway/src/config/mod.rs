//! The gateway's configuration: defaults, then the TOML file, then `FOURNIL_*` in the
//! environment, then flags. Each section belongs to its part; unknown keys are errors.
//!
//! Every fault that can be found is reported, one line each, not only the first.

mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::ClockConfig;
use crate::clock::push::PushConfig;
use crate::i18n::{Language, say};
use crate::journal::JournalConfig;
use crate::printer::PrinterConfig;
use crate::tunnel::identity::CREDENTIAL;
use crate::tunnel::target::Target;
use read::File;

/// Where the file is when nobody says otherwise.
pub const FILE_DEFAULT: &str = "/etc/fournil/gateway.toml";
const LANGUAGE_VARIABLE: &str = "FOURNIL_LANGUAGE";
const STATE_DIR_DEFAULT: &str = "/var/lib/fournil/gateway";

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it was read, or would have been.
    pub file: PathBuf,
    pub state_dir: PathBuf,
    /// What the gateway speaks to people; `None` leaves it to the command line.
    pub language: Option<Language>,
    /// The key as a credential of systemd, where the unit gives it so.
    pub credential: Option<PathBuf>,
    pub cloud: CloudConfig,
    pub identity: IdentityConfig,
    pub journal: JournalConfig,
    pub clocks: Vec<ClockConfig>,
    /// Clocks that call by themselves.
    pub push: Option<PushConfig>,
    pub printers: Vec<PrinterConfig>,
    pub log: LogConfig,
    /// The printers as they stand in the file, for showing.
    printers_written: Vec<toml::Table>,
}

/// `[cloud]`: what enrolment stored holds where a key is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloudConfig {
    /// `https://host[:port]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// PEM file of the only authority to be believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// PEM file of the certificate brought to a cloud that asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<PathBuf>,
    /// PEM file of its key, 0600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key: Option<PathBuf>,
}

/// `[identity]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// After how many days the key gives way to a new one; 0 for never.
    pub rotate_every_days: u32,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self { rotate_every_days: 90 }
    }
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or rules such as `info,fournil_gateway=debug`.
    pub level: String,
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// What comes from outside the file.
pub struct Sources<'a> {
    /// `--config`
    pub file: Option<PathBuf>,
    /// `--state-dir`
    pub state_dir: Option<PathBuf>,
    /// One variable of the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The names of all variables, to find those that nobody reads.
    pub env_names: Vec<String>,
}

/// What is wrong, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Faults {}

/// Reads everything and checks it.
pub fn load(sources: &Sources<'_>) -> Result<Config, Faults> {
    let mut faults = Vec::new();
    let (path, is_wanted) = file_path(sources);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_wanted => String::new(),
        Err(error) => return Err(Faults(vec![unreadable(&path, &error)])),
    };
    let mut config = parse(&path, &text, &mut faults);
    environment(&mut config, sources, &mut faults);
    check(&config, &mut faults);
    if faults.is_empty() { Ok(config) } else { Err(Faults(faults)) }
}

/// The language the configuration asks for, whatever else is wrong with it: faults are
/// told in it too.
pub fn language(sources: &Sources<'_>) -> Option<Language> {
    if let Some(language) = (sources.env)(LANGUAGE_VARIABLE).and_then(|given| read_language(&given))
    {
        return Some(language);
    }
    let text = std::fs::read_to_string(file_path(sources).0).ok()?;
    read_language(text.parse::<toml::Table>().ok()?.get("language")?.as_str()?)
}

fn read_language(given: &str) -> Option<Language> {
    clap::ValueEnum::from_str(given, true).ok()
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => say("config-missing", &[("path", &path)]),
        io::ErrorKind::IsADirectory => say("config-is-folder", &[("path", &path)]),
        io::ErrorKind::PermissionDenied => say("config-forbidden", &[("path", &path)]),
        io::ErrorKind::InvalidData => say("config-not-text", &[("path", &path)]),
        _ => say("config-unreadable", &[("path", &path), ("why", error)]),
    }
}

fn file_path(sources: &Sources<'_>) -> (PathBuf, bool) {
    let named = (sources.env)("FOURNIL_CONFIG").map(PathBuf::from);
    match sources.file.clone().or(named) {
        Some(path) => (path, true),
        None => (PathBuf::from(FILE_DEFAULT), false),
    }
}

fn parse(path: &Path, text: &str, faults: &mut Vec<String>) -> Config {
    let mut file = File::open(path, text, faults);
    let known = [
        "state_dir",
        "language",
        "cloud",
        "identity",
        "journal",
        "clock",
        "push",
        "printer",
        "log",
    ];
    file.refuse_others(&known, faults);
    let printers_written = file.tables("printer");
    let clocks: Vec<ClockConfig> = file.list("clock", faults);
    let mut push: Option<PushConfig> = file.section("push", faults);
    for caller in push.iter_mut().flat_map(|push| &mut push.clocks) {
        let is_it = |clock: &ClockConfig| clock.expected_serial.as_ref() == Some(&caller.serial);
        caller.is_read_too = clocks.iter().any(is_it);
    }
    Config {
        file: path.to_owned(),
        language: file.section("language", faults),
        state_dir: file.section("state_dir", faults).unwrap_or_else(|| STATE_DIR_DEFAULT.into()),
        credential: None,
        cloud: file.section("cloud", faults).unwrap_or_default(),
        identity: file.section("identity", faults).unwrap_or_default(),
        journal: file.section("journal", faults).unwrap_or_default(),
        clocks,
        push,
        printers: file.list("printer", faults),
        log: file.section("log", faults).unwrap_or_default(),
        printers_written,
    }
}

/// `FOURNIL_SECTION_KEY` over the file, flags over both. systemd's own variable for the
/// state folder stands below `FOURNIL_STATE_DIR` and above the built-in place.
fn environment(config: &mut Config, sources: &Sources<'_>, faults: &mut Vec<String>) {
    let env = sources.env;
    let is_default = config.state_dir == Path::new(STATE_DIR_DEFAULT);
    if let Some(folder) = env("STATE_DIRECTORY").filter(|_| is_default) {
        config.state_dir = folder.into();
    }
    if let Some(folder) = env("FOURNIL_STATE_DIR") {
        config.state_dir = folder.into();
    }
    if let Some(given) = env(LANGUAGE_VARIABLE) {
        match read_language(&given) {
            Some(language) => config.language = Some(language),
            None => faults.push(say("config-language", &[("given", &given)])),
        }
    }
    if let Some(folder) = &sources.state_dir {
        config.state_dir.clone_from(folder);
    }
    let credential = env("CREDENTIALS_DIRECTORY").map(|dir| Path::new(&dir).join(CREDENTIAL));
    config.credential = credential.filter(|path| path.exists());
    let optional = ["url", "ca_file", "client_cert", "client_key"];
    let mut known = read::override_section("CLOUD", &mut config.cloud, &optional, env, faults);
    known.extend(read::override_section("IDENTITY", &mut config.identity, &[], env, faults));
    known.extend(read::override_section("JOURNAL", &mut config.journal, &[], env, faults));
    known.extend(read::override_section("LOG", &mut config.log, &[], env, faults));
    let prefixes = ["FOURNIL_CLOUD_", "FOURNIL_IDENTITY_", "FOURNIL_JOURNAL_", "FOURNIL_LOG_"];
    for name in &sources.env_names {
        let prefix = prefixes.iter().find(|prefix| name.starts_with(**prefix));
        if let Some(prefix) = prefix.filter(|_| !known.contains(name)) {
            let known = known.iter().filter(|known| known.starts_with(prefix));
            let known: Vec<&str> = known.map(String::as_str).collect();
            faults.push(say(
                "config-variable-unknown",
                &[("name", name), ("known", &known.join(", "))],
            ));
        }
    }
}

fn check(config: &Config, faults: &mut Vec<String>) {
    if let Some(Err(error)) = config.cloud.url.as_deref().map(Target::parse) {
        faults.push(say("config-cloud-url", &[("why", &error)]));
    }
    if config.cloud.client_cert.is_some() != config.cloud.client_key.is_some() {
        faults.push(say("config-client-half", &[]));
    }
    if let Err(error) = config.journal.check() {
        faults.push(say("config-journal", &[("why", &error)]));
    }
    if config.log.level.parse::<tracing_subscriber::filter::Targets>().is_err() {
        faults.push(say("config-log-level", &[("level", &config.log.level)]));
    }
    let clocks = config.clocks.iter().map(|clock| clock.check().map_err(|e| e.to_string()));
    let printers = config.printers.iter().map(|printer| printer.check().map_err(|e| e.to_string()));
    let push = config.push.iter().map(|push| push.check().map_err(|e| e.to_string()));
    faults.extend(clocks.chain(push).chain(printers).filter_map(Result::err));
    let mut names = BTreeSet::new();
    for name in config.device_names() {
        if !names.insert(name) {
            faults.push(say("config-name-twice", &[("name", &name)]));
        }
    }
}

impl Config {
    fn device_names(&self) -> impl Iterator<Item = &str> {
        let clocks = self.clocks.iter().map(|clock| clock.name.as_str());
        let callers = self.push.iter().flat_map(|push| &push.clocks);
        let clocks = clocks.chain(callers.map(|clock| clock.name.as_str()));
        clocks.chain(self.printers.iter().map(|printer| printer.name.as_str()))
    }

    /// Where the journal lives.
    pub fn journal_dir(&self) -> PathBuf {
        self.state_dir.join("journal")
    }

    /// The configuration as it counts, as TOML, secrets hidden.
    pub fn show(&self) -> String {
        #[derive(Serialize)]
        struct Shown<'a> {
            state_dir: &'a Path,
            #[serde(skip_serializing_if = "Option::is_none")]
            language: Option<Language>,
            cloud: &'a CloudConfig,
            identity: &'a IdentityConfig,
            journal: &'a JournalConfig,
            log: &'a LogConfig,
            clock: &'a [ClockConfig],
            #[serde(skip_serializing_if = "Option::is_none")]
            push: Option<&'a PushConfig>,
            printer: Vec<toml::Table>,
        }
        let shown = Shown {
            state_dir: &self.state_dir,
            language: self.language,
            cloud: &self.cloud,
            identity: &self.identity,
            journal: &self.journal,
            log: &self.log,
            clock: &self.clocks,
            push: self.push.as_ref(),
            printer: self.printers_written.iter().map(read::without_secrets).collect(),
        };
        toml::to_string(&shown).unwrap_or_else(|error| format!("# {error}\n"))
    }
}
