//! `fournil-gateway status`: how the running daemon fares.

use std::io::ErrorKind;

use anyhow::{Context as _, bail};
use clap::Args;

use super::{PlaceArgs, load, print};
use crate::app::status::{self, DeviceStatus, Status};
use crate::i18n::say;
use crate::tunnel::state::{Phase, TunnelState};

/// Arguments of `fournil-gateway status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[arg(long)]
    json: bool,
}

/// Asks the daemon and shows its answer.
pub async fn run(arguments: StatusArgs, place: &PlaceArgs) -> anyhow::Result<()> {
    let config = load(place)?;
    let status = match status::ask(&config.state_dir).await {
        Ok(status) => status,
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            bail!(say("status-not-running", &[("folder", &config.state_dir.display())]));
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            bail!(say("status-forbidden", &[("folder", &config.state_dir.display())]));
        }
        Err(error) => return Err(error).context(say("status-no-answer", &[])),
    };
    if arguments.json {
        print::line(&serde_json::to_string_pretty(&status)?);
    } else {
        for line in lines(&status) {
            print::line(&line);
        }
    }
    Ok(())
}

fn lines(status: &Status) -> Vec<String> {
    let gateway = &status.gateway;
    let number = |key: &str| status.journal.get(key).and_then(serde_json::Value::as_u64);
    let journal = match &status.journal_error {
        Some(error) => say(
            "status-journal-error",
            &[("error", error), ("remedy", &say("status-journal-remedy", &[]))],
        ),
        None => say(
            "status-journal",
            &[
                ("waiting", &number("unacked_events").unwrap_or(0)),
                ("open", &number("commands_pending").unwrap_or(0)),
                ("kib", &(number("segment_bytes").unwrap_or(0) / 1024)),
            ],
        ),
    };
    let mut lines = vec![
        say(
            "status-gateway",
            &[
                ("name", &gateway.name),
                ("company", &gateway.company),
                ("fingerprint", &gateway.fingerprint),
            ],
        ),
        say(
            "status-program",
            &[
                ("software", &status.software),
                ("minutes", &(status.uptime_s / 60)),
                ("mib", &(status.resident_bytes / (1024 * 1024))),
            ],
        ),
        tunnel_line(&status.tunnel),
        journal,
    ];
    lines.extend(status.devices.iter().map(device_line));
    lines
}

fn tunnel_line(tunnel: &TunnelState) -> String {
    let server = &tunnel.server;
    match tunnel.phase {
        Phase::Connected => {
            let offset = format!("{:+}", tunnel.cloud_offset_ms.unwrap_or(0));
            let trip = tunnel.round_trip_ms.unwrap_or(0);
            let id =
                if tunnel.is_restricted { "status-tunnel-read-only" } else { "status-tunnel-open" };
            say(id, &[("server", server), ("trip", &trip), ("offset", &offset)])
        }
        Phase::Connecting => say("status-tunnel-opening", &[("server", server)]),
        Phase::Waiting => {
            let unknown = say("status-cause-unknown", &[]);
            let fault = tunnel.last_fault.as_ref().unwrap_or(&unknown);
            say("status-tunnel-closed", &[("fault", fault)])
        }
    }
}

fn device_line(device: &DeviceStatus) -> String {
    let kind = match device.kind.as_str() {
        "clock" => say("status-clock", &[]),
        "printer" => say("status-printer", &[]),
        other => other.to_owned(),
    };
    let mut line = format!("{kind:<11} {} : {} ({})", device.name, device.state, device.code);
    if !device.detail.is_empty() {
        line.push_str(" : ");
        line.push_str(&device.detail);
    }
    line
}
