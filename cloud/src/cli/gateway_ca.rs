//! `fournil-cloud gateway-ca`: a small authority for client certificates of gateways.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::{Fault, database, out, user};
use crate::config::Config;
use crate::db::Actor;
use crate::gateways::enrol;
use crate::i18n::{Catalogue, Message};
use crate::time::{DEFAULT_ZONE, TimeSource, french_minute};
use crate::web::{ClientAuthority, Fresh, Issued};

/// A year, and a month to renew it in.
const DAYS_DEFAULT: u16 = 395;

#[derive(Debug, Subcommand)]
pub(super) enum GatewayCa {
    /// Makes the authority; one that is there stays.
    #[command(after_help = "Example:\n  fournil-cloud gateway-ca init")]
    Init,
    /// Issues a certificate and its key to a gateway.
    #[command(after_help = "Example:\n  fournil-cloud gateway-ca issue --gateway Comptoir --out .")]
    Issue(Issue),
    /// Shows what was issued.
    #[command(after_help = "Example:\n  fournil-cloud gateway-ca list --json")]
    List {
        #[arg(long)]
        json: bool,
    },
    /// Revokes a certificate.
    #[command(after_help = "Example:\n  fournil-cloud gateway-ca revoke 4f0c…")]
    Revoke {
        /// Its serial number, as `list` shows it.
        serial: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Issue {
    /// Identifier or name of the gateway.
    #[arg(long)]
    gateway: String,
    /// The company's name; not needed while there is only one.
    #[arg(long)]
    company: Option<String>,
    /// How many days it is good.
    #[arg(long, default_value_t = DAYS_DEFAULT, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// Folder for the two files.
    #[arg(long, default_value = ".")]
    out: PathBuf,
}

pub(super) async fn run(config: &Config, command: GatewayCa) -> Result<(), Fault> {
    let authority = ClientAuthority::at(config.tunnel.client_ca_dir.clone());
    let now = TimeSource::system().now();
    if !matches!(command, GatewayCa::Init) && !authority.certificate_file().exists() {
        let folder = config.tunnel.client_ca_dir.display();
        return Err(Message::new("cli-no-gateway-ca").with("folder", folder).into());
    }
    match command {
        GatewayCa::Init => {
            authority.init(now)?;
            let file = authority.certificate_file();
            say(&Message::new("cli-gateway-ca-made").with("file", file.display()))
        }
        GatewayCa::Issue(asked) => issue(config, &authority, &asked, now).await,
        GatewayCa::List { json } => list(&authority, json),
        GatewayCa::Revoke { serial } => {
            let id = if authority.revoke(&serial, now)? {
                return say(&Message::new("cli-gateway-ca-revoked").with("serial", serial));
            } else {
                "cli-gateway-ca-unknown"
            };
            Err(Message::new(id).with("serial", serial).into())
        }
    }
}

async fn issue(
    config: &Config,
    authority: &ClientAuthority,
    asked: &Issue,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let holder = match Uuid::parse_str(&asked.gateway) {
        Ok(holder) => holder,
        Err(_) => find(config, asked).await?,
    };
    let (cert_file, key_file) = (
        asked.out.join(format!("gateway-{holder}.pem")),
        asked.out.join(format!("gateway-{holder}.key")),
    );
    let fresh = issue_to(authority, (holder, asked.days, now), &cert_file, &key_file)?;
    let told = Message::new("cli-gateway-ca-issued")
        .with("serial", fresh.issued.serial)
        .with("holder", holder)
        .with("until", french_minute(fresh.issued.until, DEFAULT_ZONE))
        .with("certificate", cert_file.display())
        .with("key", key_file.display());
    say(&told)
}

/// Issues into two files that are not there yet. What nobody can use is not left good.
fn issue_to(
    authority: &ClientAuthority,
    (holder, days, now): (Uuid, u16, DateTime<Utc>),
    cert_file: &Path,
    key_file: &Path,
) -> Result<Fresh, Fault> {
    for file in [key_file, cert_file] {
        if fs::symlink_metadata(file).is_ok() {
            return Err(unwritten(file, &io::ErrorKind::AlreadyExists.into()));
        }
    }
    let fresh = authority.issue(holder, days, now)?;
    if let Err(fault) = write_pair(&fresh, cert_file, key_file) {
        authority.revoke(&fresh.issued.serial, now)?;
        return Err(fault);
    }
    Ok(fresh)
}

/// Both files or neither.
fn write_pair(fresh: &Fresh, cert_file: &Path, key_file: &Path) -> Result<(), Fault> {
    write(key_file, &fresh.key, 0o600)?;
    write(cert_file, &fresh.certificate, 0o644).inspect_err(|_| {
        // Its certificate is revoked: nothing is lost with it.
        let _ = fs::remove_file(key_file);
    })
}

/// The gateway of that name.
async fn find(config: &Config, asked: &Issue) -> Result<Uuid, Fault> {
    let db = database::pool(config)?;
    let company = user::company(&db, asked.company.as_deref()).await?;
    let mut act = db.begin(&Actor::system(company, "fournil-cloud gateway-ca")).await?;
    let found = enrol::find_by_name(&mut act, &asked.gateway).await?;
    found.ok_or_else(|| {
        Message::new("cli-gateway-ca-which").with("name", asked.gateway.clone()).into()
    })
}

fn list(authority: &ClientAuthority, as_json: bool) -> Result<(), Fault> {
    let all = authority.list()?;
    if as_json {
        let lines: Vec<_> = all.iter().map(line).collect();
        return Ok(out::json(&json!({ "certificates": lines }))?);
    }
    if all.is_empty() {
        return say(&Message::new("cli-gateway-ca-none"));
    }
    for issued in all {
        let told = Message::new("cli-gateway-ca-line")
            .with("serial", issued.serial)
            .with("holder", issued.holder.map_or_else(|| "?".to_owned(), |id| id.to_string()))
            .with("until", french_minute(issued.until, DEFAULT_ZONE))
            .with("state", if issued.is_revoked { "revoked" } else { "good" });
        say(&told)?;
    }
    Ok(())
}

fn line(issued: &Issued) -> serde_json::Value {
    json!({
        "serial": issued.serial,
        "gateway_id": issued.holder,
        "until": issued.until.to_rfc3339_opts(SecondsFormat::Secs, true),
        "revoked": issued.is_revoked,
    })
}

/// A file that is there is somebody's: it is not written over.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Fault> {
    let written = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    written().map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &io::Error) -> Fault {
    let message = Message::new("cli-gateway-ca-out").with("file", path.display());
    message.with("cause", error).into()
}

fn say(message: &Message) -> Result<(), Fault> {
    let texts = Catalogue::load().map_err(anyhow::Error::new)?.in_language("fr");
    out::line(&texts.say(message));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_written_whole_is_not_left_good() {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = ClientAuthority::at(folder.path().join("ca"));
        let now = crate::time::instant(1_795_000_000_000);
        authority.init(now).expect("made");
        let (cert, key) = (folder.path().join("gateway.pem"), folder.path().join("gateway.key"));
        let issue = |cert: &Path| issue_to(&authority, (Uuid::from_u128(1), 10, now), cert, &key);
        issue(&folder.path().join("nowhere/gateway.pem")).expect_err("no such folder");
        let listed = || authority.list().expect("a list");
        assert!(listed().iter().all(|issued| issued.is_revoked), "{:?}", listed());
        assert!(!key.exists(), "a key without its certificate");
        let before = listed().len();
        issue(&cert).expect("issued");
        issue(&cert).expect_err("they are there");
        assert_eq!(listed().len(), before + 1);
    }
}
