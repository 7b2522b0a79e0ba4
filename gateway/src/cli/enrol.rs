//! `fournil-gateway enrol`: a one-time code against an identity.

use std::path::PathBuf;

use clap::Args;
use fournil_protocol::enrol::normalise_code;

use super::{PlaceArgs, load, print};
use crate::app::status;
use crate::i18n::say;
use crate::tunnel::enrol::{self, Enrolment};

/// Arguments of `fournil-gateway enrol`.
#[derive(Debug, Args)]
pub struct EnrolArgs {
    /// The cloud's address, with its port when it is not 443
    #[arg(long)]
    url: String,
    /// The code from the page Passerelles
    #[arg(long, value_parser = parse_code)]
    code: String,
    /// PEM file of the cloud's own authority; it is kept and nobody else is believed
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Replace the identity that is there
    #[arg(long)]
    force: bool,
    #[arg(long)]
    json: bool,
}

/// A code that cannot be one is wrong use, told before anything is asked of the cloud.
fn parse_code(text: &str) -> Result<String, String> {
    normalise_code(text).ok_or_else(|| say("enrol-not-a-code", &[]))
}

/// Enrols and says what to compare.
pub async fn run(arguments: EnrolArgs, place: &PlaceArgs) -> anyhow::Result<()> {
    let config = load(place)?;
    let enrolment = Enrolment {
        state_dir: config.state_dir.clone(),
        url: arguments.url,
        code: arguments.code,
        ca_file: arguments.ca.or(config.cloud.ca_file),
        force: arguments.force,
    };
    let enrolled = enrol::run(&enrolment).await?;
    if arguments.json {
        let shown = serde_json::json!({
            "gateway_id": enrolled.gateway_id.to_string(),
            "name": enrolled.name,
            "company": enrolled.company,
            "url": enrolled.url,
            "fingerprint": enrolled.fingerprint,
        });
        print::line(&shown.to_string());
        return Ok(());
    }
    print::line(&say(
        "enrol-done",
        &[("name", &enrolled.name), ("company", &enrolled.company), ("url", &enrolled.url)],
    ));
    print::line(&say("enrol-fingerprint", &[("fingerprint", &enrolled.fingerprint)]));
    print::line(&say("enrol-compare", &[]));
    print::line(&next_step(status::ask(&config.state_dir).await.is_ok()));
    Ok(())
}

/// What remains to be done, which depends on whether the service runs.
fn next_step(is_running: bool) -> String {
    if is_running { say("enrol-service-takes-it", &[]) } else { say("enrol-start-service", &[]) }
}
