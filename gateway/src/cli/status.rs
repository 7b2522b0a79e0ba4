//! `fournil-gateway status`: how the running daemon fares.

use std::io::ErrorKind;

use anyhow::{Context as _, bail};
use clap::Args;

use super::{PlaceArgs, load, print};
use crate::app::status::{self, DeviceStatus, Status};
use crate::tunnel::state::{Phase, TunnelState};

/// What to do about a journal that does not answer.
pub(super) const JOURNAL_REMEDY: &str =
    "libérez de la place (df -h), vérifiez le disque (dmesg) ; il reprend de lui-même";

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
            bail!(
                "aucune passerelle ne tourne sur {} : lancez « systemctl start fournil-gateway »",
                config.state_dir.display()
            );
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            bail!(
                "{} n'est pas ouvert à cet utilisateur : relancez avec sudo",
                config.state_dir.display()
            );
        }
        Err(error) => return Err(error).context("la passerelle ne répond pas"),
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
    let mut lines = vec![
        format!(
            "passerelle  {} ({}), empreinte {}",
            gateway.name, gateway.company, gateway.fingerprint
        ),
        format!(
            "programme   version {}, en marche depuis {} min, {} Mio en mémoire",
            status.software,
            status.uptime_s / 60,
            status.resident_bytes / (1024 * 1024)
        ),
        tunnel_line(&status.tunnel),
        match &status.journal_error {
            Some(error) => format!("journal     EN PANNE : {error} ; {JOURNAL_REMEDY}"),
            None => format!(
                "journal     {} événement(s) à envoyer, {} commande(s) en cours, {} Kio",
                number("unacked_events").unwrap_or(0),
                number("commands_pending").unwrap_or(0),
                number("segment_bytes").unwrap_or(0) / 1024
            ),
        },
    ];
    lines.extend(status.devices.iter().map(device_line));
    lines
}

fn tunnel_line(tunnel: &TunnelState) -> String {
    let server = &tunnel.server;
    match tunnel.phase {
        Phase::Connected => {
            let offset = tunnel.cloud_offset_ms.unwrap_or(0);
            let trip = tunnel.round_trip_ms.unwrap_or(0);
            let restricted = if tunnel.is_restricted { ", en lecture seule" } else { "" };
            format!(
                "tunnel      ouvert vers {server} ({trip} ms, horloge {offset:+} ms){restricted}"
            )
        }
        Phase::Connecting => format!("tunnel      en cours d'ouverture vers {server}"),
        Phase::Waiting => format!(
            "tunnel      fermé : {}",
            tunnel.last_fault.as_deref().unwrap_or("cause inconnue")
        ),
    }
}

fn device_line(device: &DeviceStatus) -> String {
    let kind = match device.kind.as_str() {
        "clock" => "pointeuse",
        "printer" => "imprimante",
        other => other,
    };
    let mut line = format!("{kind:<11} {} : {} ({})", device.name, device.state, device.code);
    if !device.detail.is_empty() {
        line.push_str(" : ");
        line.push_str(&device.detail);
    }
    line
}
