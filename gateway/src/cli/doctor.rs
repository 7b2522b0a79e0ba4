//! `fournil-gateway doctor`: what is wrong, in plain words, one line each, and what to
//! do. It changes nothing and may run beside the daemon, whose devices it leaves alone.
//!
//! The daemon is asked first. Then disk, way to the cloud and devices are looked at side
//! by side, each step with a time of its own, so that whatever hangs the whole is told
//! within [`WHOLE_TIMEOUT`].

mod account;
mod certificate;
mod clocks;
mod cloud;
mod codes;
mod disk;
mod finding;
mod journal;
mod network;
mod permissions;
mod printers;
mod reach;
mod service;

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use tokio::time::{Instant, timeout_at};

use super::{PlaceArgs, load, print};
use crate::config::Config;
use crate::i18n::{Language, Texts, say};
use crate::tunnel::identity::{Identity, IdentityError};
use codes::CHECKS;
use finding::Finding;

/// No answer takes longer.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(18);

/// Arguments of `fournil-gateway doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print JSON: `check`, `code` and `verdict` are machine words that do not change
    #[arg(long)]
    json: bool,
    /// Language of the texts [default: `language` of the configuration, then LANG, then fr]
    #[arg(long, value_enum)]
    pub(super) lang: Option<Language>,
}

/// Looks at everything; exit status 1 when there is a fault.
pub async fn run(arguments: DoctorArgs, place: &PlaceArgs) -> anyhow::Result<()> {
    let texts = Texts::of(crate::i18n::chosen());
    let findings = examine(place).await;
    if arguments.json {
        let told: Vec<_> = findings.iter().map(|finding| finding.told(texts)).collect();
        print::line(&serde_json::to_string_pretty(&told)?);
    } else {
        for finding in &findings {
            print::line(&finding.line(texts));
        }
    }
    let faults = findings.iter().filter(|finding| finding.is_fault()).count();
    if faults > 0 {
        bail!(say("doctor-faults", &[("faults", &faults)]));
    }
    Ok(())
}

async fn examine(place: &PlaceArgs) -> Vec<Finding> {
    let deadline = Instant::now() + WHOLE_TIMEOUT;
    let config = match load(place) {
        Ok(config) => config,
        Err(faults) => {
            let faults = faults.0.into_iter();
            let told =
                faults.map(|fault| Finding::new("configuration", "faulty").with("fault", fault));
            let others = CHECKS.iter().filter(|check| **check != "configuration");
            return told
                .chain(others.map(|check| Finding::skipped(check, "configuration")))
                .collect();
        }
    };
    let code = if config.file.exists() { "read" } else { "absent" };
    let read = Finding::new("configuration", code).with("file", config.file.display());
    let mut findings = vec![read];
    findings.extend(examine_with(&config, deadline).await);
    let place = |finding: &Finding| CHECKS.iter().position(|check| *check == finding.check);
    findings.sort_by_key(place);
    findings
}

async fn examine_with(config: &Config, deadline: Instant) -> Vec<Finding> {
    if permissions::is_closed(&config.state_dir) {
        return examine_from_outside(config, deadline).await;
    }
    let status = service::ask(config).await;
    let held = status.as_ref().ok();
    let identity = Identity::load_with(&config.state_dir, config.credential.as_deref());
    let ways = async {
        let (mut network, devices) = tokio::join!(
            network::examine(config, identity.as_ref().ok(), deadline),
            devices(config, held, deadline),
        );
        network.extend(devices);
        network
    };
    let (ways, disk, journal) = tokio::join!(
        ways,
        disk::examine(config, deadline),
        journal::examine(config, held, identity.as_ref().ok(), deadline),
    );
    let mut findings = permissions::examine(config, &status, &identity);
    findings.push(service::told(&status));
    findings.push(identity_finding(config, &identity));
    findings.extend([disk, journal]);
    for finding in ways {
        // A line that is not there, or for others, is told already.
        let is_told = |told: &Finding| told.check == "permissions" && told.is_about(&finding);
        let told = findings.iter().any(is_told);
        findings.push(if told { finding.into_skipped("permissions") } else { finding });
    }
    findings
}

/// What somebody sees who may not look into the state folder.
async fn examine_from_outside(config: &Config, deadline: Instant) -> Vec<Finding> {
    let (network, devices) =
        tokio::join!(network::examine(config, None, deadline), devices(config, None, deadline));
    let mut findings = vec![permissions::closed(&config.state_dir)];
    let inside = ["disk", "service", "journal", "identity"];
    findings.extend(inside.map(|check| Finding::skipped(check, "permissions")));
    findings.extend(network);
    findings.extend(devices);
    findings
}

async fn devices(
    config: &Config,
    held: Option<&crate::app::status::Status>,
    deadline: Instant,
) -> Vec<Finding> {
    let callers = config.push.iter().flat_map(|push| {
        push.clocks.iter().map(|clock| clocks::examine_caller(push.listen, clock, held))
    });
    if config.clocks.is_empty() && config.push.is_none() && config.printers.is_empty() {
        return vec![Finding::new("devices", "none").with("file", config.file.display())];
    }
    let clocks = config.clocks.iter().map(|clock| {
        let looked = timeout_at(deadline, clocks::examine(clock, held));
        async { looked.await.unwrap_or_else(|_| Finding::new("clock", "silent").of(&clock.name)) }
    });
    let printers = config.printers.iter().map(|printer| {
        let looked = timeout_at(deadline, printers::examine(printer, held));
        async {
            looked.await.unwrap_or_else(|_| Finding::new("printer", "silent").of(&printer.name))
        }
    });
    let (mut clocks, callers, printers) = tokio::join!(
        futures_util::future::join_all(clocks),
        futures_util::future::join_all(callers),
        futures_util::future::join_all(printers)
    );
    clocks.extend(callers);
    clocks.extend(printers);
    clocks
}

fn identity_finding(config: &Config, identity: &Result<Identity, IdentityError>) -> Finding {
    let identity = match identity {
        Ok(identity) => identity,
        Err(IdentityError::Missing) => return Finding::new("identity", "missing"),
        Err(IdentityError::NoKey { path }) => {
            return Finding::new("identity", "key-not-seen").with("path", path.display());
        }
        // The line on permissions tells which file and what to do.
        Err(IdentityError::Loose { .. } | IdentityError::Foreign { .. }) => {
            return Finding::skipped("identity", "permissions");
        }
        Err(IdentityError::Damaged { path, why }) => {
            return Finding::new("identity", "damaged")
                .with("path", path.display())
                .with("why", why);
        }
        Err(error) => return Finding::new("identity", "unreadable").with("why", error),
    };
    let enrolled = &identity.enrolled;
    let code = match &config.cloud.url {
        Some(url) if url.trim_end_matches('/') != enrolled.url => "other-address",
        _ => "whole",
    };
    Finding::new("identity", code)
        .with("name", &enrolled.name)
        .with("company", &enrolled.company)
        .with("url", &enrolled.url)
        .with("configured", config.cloud.url.as_deref().unwrap_or_default())
        .with("fingerprint", identity.fingerprint())
}

/// See [`finding::text_ids`].
#[cfg(test)]
pub(crate) fn text_ids() -> Vec<String> {
    finding::text_ids()
}
