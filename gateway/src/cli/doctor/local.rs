//! What can be seen without a network: folder, disk, identity, journal, the daemon.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

use super::Finding;
use crate::app::disk_free_bytes;
use crate::app::status::{self, Status};
use crate::cli::status::JOURNAL_REMEDY;
use crate::config::Config;
use crate::journal;
use crate::tunnel::identity::Identity;
use crate::tunnel::state::Phase;

const MIB: u64 = 1024 * 1024;
/// Below this the journal may fill the disk in a long time without a cloud.
const FREE_WANTED: u64 = 256 * MIB;
/// Below this it soon cannot write.
const FREE_NEEDED: u64 = 16 * MIB;

pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![folder(config), disk(config), identity(config)];
    findings.push(journal_state(config).await);
    findings.push(daemon(config).await);
    findings
}

fn folder(config: &Config) -> Finding {
    let check = "dossier";
    let shown = config.state_dir.display();
    match std::fs::metadata(&config.state_dir) {
        Ok(found) if !found.is_dir() => {
            Finding::fault(check, format!("{shown} n'est pas un dossier : changez state_dir"))
        }
        Ok(found) if found.mode() & 0o022 != 0 => Finding::fault(
            check,
            format!("{shown} est modifiable par d'autres : lancez « chmod 700 {shown} »"),
        ),
        Ok(_) => Finding::ok(check, format!("{shown}")),
        Err(error) => Finding::fault(
            check,
            format!("{shown} est inaccessible ({error}) : vérifiez state_dir et les droits"),
        ),
    }
}

fn disk(config: &Config) -> Finding {
    let check = "disque";
    match disk_free_bytes(&config.state_dir) {
        None => Finding::fault(check, "la place libre ne peut pas être lue"),
        Some(free) if free < FREE_NEEDED => Finding::fault(
            check,
            format!("{} Mio libres : libérez de la place, rien ne peut être noté", free / MIB),
        ),
        Some(free) if free < FREE_WANTED => Finding::warning(
            check,
            format!("{} Mio libres : prévoyez {} Mio", free / MIB, FREE_WANTED / MIB),
        ),
        Some(free) => Finding::ok(check, format!("{} Mio libres", free / MIB)),
    }
}

fn identity(config: &Config) -> Finding {
    match Identity::load_with(&config.state_dir, config.credential.as_deref()) {
        Ok(identity) => Finding::ok(
            "identité",
            format!("« {} », empreinte {}", identity.enrolled.name, identity.fingerprint()),
        ),
        Err(error) => Finding::fault("identité", error.to_string()),
    }
}

async fn journal_state(config: &Config) -> Finding {
    let (check, folder) = ("journal", config.journal_dir());
    if !folder.exists() {
        return Finding::ok(check, "pas encore commencé");
    }
    let inspected = tokio::task::spawn_blocking(move || journal::inspect(&folder)).await;
    match inspected {
        Ok(Ok(report)) if report.damages.is_empty() => {
            Finding::ok(check, "lisible d'un bout à l'autre")
        }
        Ok(Ok(_)) => Finding::fault(
            check,
            "une partie est abîmée : lancez « fournil-gateway journal verify » et vérifiez le \
             disque",
        ),
        Ok(Err(error)) => Finding::fault(check, error.to_string()),
        Err(error) => Finding::fault(check, error.to_string()),
    }
}

async fn daemon(config: &Config) -> Finding {
    let check = "service";
    match status::ask(&config.state_dir).await {
        Ok(Status { journal_error: Some(error), .. }) => Finding::fault(
            check,
            format!("en marche, mais le journal ne répond pas ({error}) : {JOURNAL_REMEDY}"),
        ),
        Ok(status) if status.tunnel.phase == Phase::Connected => Finding::ok(
            check,
            format!("en marche depuis {} min, tunnel ouvert", status.uptime_s / 60),
        ),
        Ok(status) => Finding::warning(
            check,
            format!(
                "en marche, tunnel fermé ({})",
                status.tunnel.last_fault.as_deref().unwrap_or("en cours d'ouverture")
            ),
        ),
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            Finding::warning(check, "arrêté : lancez « systemctl start fournil-gateway »")
        }
        Err(error) => Finding::fault(check, format!("ne répond pas ({error}) : redémarrez-le")),
    }
}
