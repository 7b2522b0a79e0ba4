//! The program's configuration: a TOML file, over it `FOURNIL_*` variables, over those
//! flags. An unknown key is an error that names the key and its line.
//!
//! Every fault is a [`Message`] that says what to do; secrets never leave in
//! `--print-config` nor in a log.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::i18n::Message;
use crate::web::Network;

/// Where the file is looked for when none is named.
pub const DEFAULT_FILE: &str = "/etc/fournil/cloud.toml";
const HIDDEN: &str = "********";

/// The whole configuration, as the file has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub web: WebConfig,
    pub tls: TlsConfig,
    pub tunnel: TunnelConfig,
    pub database: DatabaseConfig,
    pub log: LogConfig,
}

/// Where the ERP is reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebConfig {
    /// TLS listeners.
    pub listen: Vec<SocketAddr>,
    /// Plain HTTP listeners, for behind a proxy of the same machine.
    pub listen_plain: Vec<SocketAddr>,
    /// Figures for Prometheus, without any check of who asks: keep it on loopback.
    pub listen_metrics: Option<SocketAddr>,
    /// The name people and gateways call this server by.
    pub public_name: String,
    /// `https://…`; made from the name and the first listener when empty.
    pub public_url: String,
    /// Addresses or blocks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    pub connections_max: usize,
    pub connections_per_address_max: usize,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([0, 0, 0, 0], 8443))],
            listen_plain: Vec::new(),
            listen_metrics: Some(SocketAddr::from(([127, 0, 0, 1], 9464))),
            public_name: "localhost".to_owned(),
            public_url: String::new(),
            trusted_proxies: Vec::new(),
            connections_max: 4096,
            connections_per_address_max: 256,
        }
    }
}

/// The server's certificate: made from a private authority, or given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// Where the private authority and the certificate made from it are kept.
    pub auto_dir: Option<PathBuf>,
    /// More names and addresses for that certificate.
    pub names: Vec<String>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// The authority that gateways must be given to believe `cert_file`, when it is not a
    /// public one.
    pub ca_file: Option<PathBuf>,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            auto_dir: Some(PathBuf::from("/var/lib/fournil/tls")),
            names: Vec::new(),
            cert_file: None,
            key_file: None,
            ca_file: None,
        }
    }
}

/// How gateways come in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TunnelConfig {
    /// Whether gateways bring certificates of our own authority, beside their signature.
    pub client_certificates: ClientCertificates,
    /// Folder of that authority, made by `fournil-cloud gateway-ca init`.
    pub client_ca_dir: PathBuf,
}

impl Default for TunnelConfig {
    fn default() -> Self {
        Self {
            client_certificates: ClientCertificates::Off,
            client_ca_dir: PathBuf::from("/var/lib/fournil/gateway-ca"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// Nobody is asked for one.
    Off,
    /// Checked where one is brought.
    Optional,
    /// No tunnel without one.
    Required,
}

#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://user:password@host:port/name`.
    pub url: String,
    pub connections_max: u32,
    pub acquire_timeout_ms: u32,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: "postgres:///fournil?host=/run/postgresql".to_owned(),
            connections_max: 16,
            acquire_timeout_ms: 5_000,
        }
    }
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DatabaseConfig")
            .field("url", &without_password(&self.url))
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `info`, `debug`, or a filter such as `fournil_cloud=debug,warn`.
    pub filter: String,
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info,sqlx=warn".to_owned(), format: LogFormat::Text }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// What flags and variables put over the file; clap reads both.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overrides {
    /// Configuration file [default: /etc/fournil/cloud.toml when it is there].
    #[arg(long, global = true, env = "FOURNIL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// PostgreSQL, such as postgres://fournil@localhost/fournil.
    #[arg(long, global = true, env = "FOURNIL_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// TLS listeners, separated by commas.
    #[arg(long, global = true, env = "FOURNIL_LISTEN", value_delimiter = ',')]
    pub listen: Option<Vec<SocketAddr>>,
    /// Plain listeners behind a proxy, separated by commas.
    #[arg(long, global = true, env = "FOURNIL_LISTEN_PLAIN", value_delimiter = ',')]
    pub listen_plain: Option<Vec<SocketAddr>>,
    /// Listener of /metrics.
    #[arg(long, global = true, env = "FOURNIL_LISTEN_METRICS")]
    pub listen_metrics: Option<SocketAddr>,
    /// Name this server is called by.
    #[arg(long, global = true, env = "FOURNIL_PUBLIC_NAME")]
    pub public_name: Option<String>,
    /// Address this server is reached at.
    #[arg(long, global = true, env = "FOURNIL_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Folder of the private authority.
    #[arg(long, global = true, env = "FOURNIL_TLS_AUTO_DIR")]
    pub tls_auto_dir: Option<PathBuf>,
    /// Certificate chain in PEM; needs --tls-key-file.
    #[arg(long, global = true, env = "FOURNIL_TLS_CERT_FILE")]
    pub tls_cert_file: Option<PathBuf>,
    /// Private key in PEM.
    #[arg(long, global = true, env = "FOURNIL_TLS_KEY_FILE")]
    pub tls_key_file: Option<PathBuf>,
    /// What is logged, such as info or debug.
    #[arg(long, global = true, env = "FOURNIL_LOG")]
    pub log: Option<String>,
    /// How it is logged.
    #[arg(long, global = true, env = "FOURNIL_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {}", .0.id)]
pub struct ConfigError(pub Message);

impl Config {
    /// The file, variables and flags together, checked.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        let mut config = match &overrides.config {
            Some(file) => Self::read(file)?,
            None => Self::read_if_there(Path::new(DEFAULT_FILE))?,
        };
        config.put_over(overrides.clone());
        config.check()?;
        Ok(config)
    }

    /// The file, or the defaults when there is none. Only what is certainly not there
    /// counts as none: a folder that may not be searched, or a link to nowhere, is a
    /// fault, for serving with defaults would look like serving with the file.
    fn read_if_there(file: &Path) -> Result<Self, ConfigError> {
        match std::fs::symlink_metadata(file) {
            Ok(_) => Self::read(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(unreadable(file, &error)),
        }
    }

    fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
        Self::parse(&text, &file.display().to_string())
    }

    /// Reads a file's text; `file` is for the message.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
            let unknown = error.message().strip_prefix("unknown field `");
            let message = match unknown.and_then(|rest| rest.split_once('`')) {
                Some((key, known)) => Message::new("config-unknown-key").with("key", key).with(
                    "known",
                    known
                        .trim_start_matches(", expected ")
                        .trim_start_matches("one of ")
                        .replace('`', ""),
                ),
                None => Message::new("config-malformed").with("cause", error.message().trim()),
            };
            ConfigError(message.with("file", file).with("line", line))
        })
    }

    fn put_over(&mut self, over: Overrides) {
        fn put<T>(target: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *target = value;
            }
        }
        put(&mut self.database.url, over.database_url);
        put(&mut self.web.listen, over.listen);
        put(&mut self.web.listen_plain, over.listen_plain);
        put(&mut self.web.public_name, over.public_name);
        put(&mut self.web.public_url, over.public_url);
        put(&mut self.log.filter, over.log);
        put(&mut self.log.format, over.log_format);
        put(&mut self.web.listen_metrics, over.listen_metrics.map(Some));
        put(&mut self.tls.auto_dir, over.tls_auto_dir.map(Some));
        put(&mut self.tls.cert_file, over.tls_cert_file.map(Some));
        put(&mut self.tls.key_file, over.tls_key_file.map(Some));
    }

    fn check(&mut self) -> Result<(), ConfigError> {
        if self.web.listen.is_empty() && self.web.listen_plain.is_empty() {
            return Err(ConfigError(Message::new("config-no-listener")));
        }
        if self.tls.cert_file.is_some() != self.tls.key_file.is_some() {
            return Err(ConfigError(Message::new("config-half-certificate")));
        }
        let is_certified = self.tls.cert_file.is_some() || self.tls.auto_dir.is_some();
        if !self.web.listen.is_empty() && !is_certified {
            return Err(ConfigError(Message::new("config-no-certificate")));
        }
        let asks = self.tunnel.client_certificates != ClientCertificates::Off;
        if asks && self.web.listen.is_empty() {
            return Err(ConfigError(Message::new("config-client-certificates-proxy")));
        }
        self.proxies()?;
        if self.web.public_url.is_empty() {
            let port = self.web.listen.first().map_or(443, SocketAddr::port);
            let name = &self.web.public_name;
            self.web.public_url = match port {
                443 => format!("https://{name}"),
                port => format!("https://{name}:{port}"),
            };
        }
        Ok(())
    }

    /// The trusted proxies, read.
    pub fn proxies(&self) -> Result<Vec<Network>, ConfigError> {
        let read = |text: &String| {
            let fault = Message::new("config-proxy").with("value", text);
            text.parse::<Network>().map_err(|_| ConfigError(fault))
        };
        self.web.trusted_proxies.iter().map(read).collect()
    }

    /// As a file would have it, with secrets hidden.
    pub fn shown(&self) -> Result<String, toml::ser::Error> {
        let mut shown = self.clone();
        shown.database.url = without_password(&shown.database.url);
        toml::to_string_pretty(&shown)
    }
}

fn unreadable(file: &Path, error: &io::Error) -> ConfigError {
    let message = match error.kind() {
        io::ErrorKind::IsADirectory => Message::new("config-is-folder"),
        _ => Message::new("config-unreadable").with("cause", error),
    };
    ConfigError(message.with("file", file.display()))
}

/// A URL with its password covered, in the user part and in the query.
fn without_password(url: &str) -> String {
    let mut shown = url.to_owned();
    if let Some((scheme, rest)) = url.split_once("://") {
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if let Some((user, host)) = authority.rsplit_once('@')
            && let Some((name, _)) = user.split_once(':')
        {
            shown = format!("{scheme}://{name}:{HIDDEN}@{host}{path}");
        }
    }
    let Some((before, query)) = shown.split_once('?') else { return shown };
    let cover = |pair: &str| match pair.split_once('=') {
        Some((name @ "password", _)) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    };
    let query: Vec<String> = query.split('&').map(cover).collect();
    format!("{before}?{}", query.join("&"))
}
