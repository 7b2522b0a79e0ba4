//! `fournil-gateway doctor`: what is wrong, in plain words, one line each, and what to
//! do. It changes nothing and may run beside the daemon.

mod cloud;
mod devices;
mod local;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::{PlaceArgs, load, print};

/// Arguments of `fournil-gateway doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[arg(long)]
    json: bool,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// Works, and needs somebody.
    Warning,
    Fault,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// Machine word, such as `tls`.
    check: String,
    verdict: Verdict,
    /// What was found and, unless it is well, what to do.
    text: String,
}

impl Finding {
    fn new(check: &str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { check: check.to_owned(), verdict, text: text.into() }
    }

    fn ok(check: &str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, text)
    }

    fn warning(check: &str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warning, text)
    }

    fn fault(check: &str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fault, text)
    }
}

/// Looks at everything; exit status 1 when there is a fault.
pub async fn run(arguments: DoctorArgs, place: &PlaceArgs) -> anyhow::Result<()> {
    let findings = examine(place).await;
    if arguments.json {
        print::line(&serde_json::to_string_pretty(&findings)?);
    } else {
        for finding in &findings {
            let mark = match finding.verdict {
                Verdict::Ok => "  ok  ",
                Verdict::Warning => "alerte",
                Verdict::Fault => "DÉFAUT",
            };
            print::line(&format!("{mark}  {:<13} {}", finding.check, finding.text));
        }
    }
    match findings.iter().filter(|finding| finding.verdict == Verdict::Fault).count() {
        0 => Ok(()),
        1 => bail!("1 défaut à corriger (voir ci-dessus)"),
        faults => bail!("{faults} défauts à corriger (voir ci-dessus)"),
    }
}

async fn examine(place: &PlaceArgs) -> Vec<Finding> {
    let config = match load(place) {
        Ok(config) => config,
        Err(faults) => {
            return faults
                .0
                .into_iter()
                .map(|fault| Finding::fault("configuration", fault))
                .collect();
        }
    };
    let mut findings = vec![Finding::ok("configuration", "lue, sans faute")];
    findings.extend(local::examine(&config).await);
    findings.extend(cloud::examine(&config).await);
    findings.extend(devices::examine(&config).await);
    findings
}
