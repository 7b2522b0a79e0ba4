//! The daemon: builds every part once, hands each what it uses, and lives until told
//! to stop.
//!
//! The journal is opened first and closed last; what can fail at start (identity,
//! authority, journal) fails before anything runs.

mod begun;
mod devices;
mod health;
mod route;
mod router;
pub mod status;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::journal::{Journal, JournalError, Opened, TimeSource};
use crate::seam::{self, JOBS_MAX};
use crate::supervise::{Pulse, Supervisor};
use crate::tunnel::ambient::Ambient;
use crate::tunnel::identity::Identity;
use crate::tunnel::session::Terms;
use crate::tunnel::state::TunnelState;
use crate::tunnel::target::Target;
use crate::tunnel::trust::Trust;
use crate::tunnel::{self, Tunnel};
use begun::Begun;
use devices::Shared;
use health::HealthReporter;
pub use health::{disk_free_bytes, resident_bytes};
use router::Router;
use status::{GatewayName, StatusServer};

/// How often the journal shows that it can answer, and how late it may be.
const PROBE_EVERY: Duration = Duration::from_secs(10);
const PROBE_LATE: Duration = Duration::from_secs(30);
/// For the last words into the journal.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// (Re)starts of devices waiting for the router.
const ATTACHES_MAX: usize = 16;
/// Status commands waiting; more stay in the journal.
const STATUS_MAX: usize = 8;

/// Where the cloud is and whom to believe: the configuration first, then what
/// enrolment stored.
pub fn cloud(config: &Config, identity: &Identity) -> anyhow::Result<(Target, Trust)> {
    let target = Target::parse(config.cloud.url.as_ref().unwrap_or(&identity.enrolled.url))?;
    let trust = match (&config.cloud.ca_file, &identity.enrolled.ca_pem) {
        (Some(path), _) => Trust::load(Some(path))?,
        (None, Some(pem)) => Trust::pinned(pem.as_bytes(), Path::new("(enrôlement)"))?,
        (None, None) => Trust::public()?,
    };
    Ok((target, trust))
}

/// Runs until a signal or a failure ends it. `reload` answers SIGHUP.
pub async fn run(config: Config, reload: impl FnMut()) -> anyhow::Result<()> {
    let identity = Identity::load(&config.state_dir)?;
    let (target, trust) = cloud(&config, &identity)?;
    let time = TimeSource::system()
        .context("le nom de ce démarrage est illisible (/proc/sys/kernel/random/boot_id)")?;
    let boot_id = time.boot_id();
    let (journal, opened) = open_journal(&config, time).await?;
    report_opening(&opened);
    let ambient = Ambient::system();
    let mut supervisor = Supervisor::new(ambient);
    let tunnel_pulse = Pulse::new(PROBE_LATE);
    supervisor.watch("tunnel", tunnel_pulse.clone());
    let (jobs, fresh) = mpsc::channel(JOBS_MAX);
    let (state, tunnel_state) = watch::channel(TunnelState::default());
    let cloud_offset_ms = Arc::new(AtomicI64::new(0));
    let gateway = GatewayName {
        id: identity.enrolled.gateway_id.to_string(),
        name: identity.enrolled.name.clone(),
        company: identity.enrolled.company.clone(),
        fingerprint: identity.fingerprint(),
    };
    tracing::info!(
        gateway = gateway.name,
        cloud = %target,
        clocks = config.clocks.len(),
        printers = config.printers.len(),
        "gateway starts"
    );
    let terms = Terms {
        log: journal.clone(),
        identity: Arc::new(identity),
        server_name: target.host.clone(),
        incarnation: opened.incarnation,
        boot_id,
        ambient,
        jobs,
        cloud_offset_ms: cloud_offset_ms.clone(),
        state,
        pulse: tunnel_pulse,
    };
    start_tunnel(&mut supervisor, Tunnel { target, trust, terms });
    let house = House { config, journal: journal.clone(), gateway, cloud_offset_ms, ambient };
    house.start(&mut supervisor, fresh, tunnel_state);
    let ended = supervisor.run(reload).await;
    match timeout(CLOSE_TIMEOUT, journal.close()).await {
        Ok(Ok(())) => tracing::info!("gateway stops"),
        Ok(Err(error)) => tracing::warn!(%error, "the journal did not close in good order"),
        Err(_) => tracing::warn!("the journal did not close in time"),
    }
    Ok(ended?)
}

async fn open_journal(config: &Config, time: TimeSource) -> anyhow::Result<(Journal, Opened)> {
    let (folder, settings) = (config.journal_dir(), config.journal.clone());
    // Reads the whole journal, which takes its time on a slow disk.
    let opened = tokio::task::spawn_blocking(move || Journal::open(&folder, settings, time));
    opened.await.context("le journal n'a pas pu être ouvert")?.map_err(|fault| say(&fault))
}

/// Why the daemon cannot go on without its journal, and what to do.
fn say(fault: &JournalError) -> anyhow::Error {
    let sentence = match fault {
        JournalError::Locked { folder } => format!(
            "une autre passerelle tourne déjà avec le dossier {} : arrêtez-la (systemctl stop \
             fournil-gateway) ou donnez à celle-ci un autre state_dir",
            folder.display()
        ),
        JournalError::Io { path, source, .. } if source.kind() == io::ErrorKind::StorageFull => {
            format!(
                "le disque est plein, le journal ne peut pas être écrit dans {} : libérez de la \
                 place (200 Mo conseillés), puis relancez",
                path.display()
            )
        }
        JournalError::Io { path, source, .. } => format!(
            "le journal n'est pas utilisable dans {} ({source}) : vérifiez le disque et les \
             droits du dossier, puis relancez",
            path.display()
        ),
        JournalError::Config(what) => format!("section [journal] de la configuration : {what}"),
        JournalError::Record(cause) => {
            format!("le journal ne peut pas démarrer ({cause}) : lancez « fournil-gateway doctor »")
        }
    };
    anyhow!(sentence)
}

fn report_opening(opened: &Opened) {
    if opened.torn_bytes_cut > 0 {
        tracing::info!(bytes = opened.torn_bytes_cut, "unfinished end of the journal cut");
    }
    for damage in &opened.quarantined {
        tracing::error!(damage, "part of the journal is damaged and was set aside");
    }
    tracing::info!(
        journal.incarnation = opened.incarnation,
        journal.commands_pending = opened.commands_pending,
        journal.is_new_epoch = opened.epoch_renewed,
        "journal open"
    );
}

fn start_tunnel(supervisor: &mut Supervisor, tunnel: Tunnel<Journal>) {
    let stop = supervisor.soft();
    supervisor.part("tunnel", move || {
        let (tunnel, stop) = (tunnel.clone(), stop.clone());
        async move {
            tunnel::run(tunnel, stop).await;
            Ok(())
        }
    });
}

/// What the parts inside the shop share.
struct House {
    config: Config,
    journal: Journal,
    gateway: GatewayName,
    cloud_offset_ms: Arc<AtomicI64>,
    ambient: Ambient,
}

impl House {
    fn start(
        self,
        supervisor: &mut Supervisor,
        fresh: mpsc::Receiver<seam::Job>,
        tunnel: watch::Receiver<TunnelState>,
    ) {
        let began = Instant::now();
        let stop = supervisor.soft();
        let (recorder, requests) = seam::recorder();
        let begun = Begun::default();
        let (served, between) = begun.stand_between(requests);
        let journal = self.journal.clone();
        // Both end when the last device is gone, which is after the soft stop.
        supervisor.essential("journal", async move {
            tokio::join!(between, journal.serve(served));
        });
        let (attach, attached) = mpsc::channel(ATTACHES_MAX);
        let (ask_status, asked) = mpsc::channel(STATUS_MAX);
        let shared = Shared { recorder, attach, cloud_offset_ms: self.cloud_offset_ms.clone() };
        let devices = devices::start(&self.config, supervisor, &shared);
        drop(shared);
        let seats = devices::seats(&self.config);
        let (journal, offset) = (self.journal.clone(), self.cloud_offset_ms.clone());
        let router = Router::new(journal, begun, seats, self.ambient, offset, ask_status);
        supervisor.essential("router", router.run(fresh, attached, stop.clone()));
        let health = HealthReporter {
            journal: self.journal.clone(),
            devices: devices.clone(),
            state_dir: self.config.state_dir.clone(),
            began,
        };
        supervisor.essential("health", health.run(asked, stop.clone()));
        let status = StatusServer {
            path: status::socket_path(&self.config.state_dir),
            journal: self.journal.clone(),
            gateway: self.gateway,
            tunnel,
            devices,
            began,
        };
        let token = stop.clone();
        supervisor.part("status", move || status.clone().run(token.clone()));
        let pulse = Pulse::new(PROBE_LATE);
        supervisor.watch("journal", pulse.clone());
        supervisor.essential("probe", probe(self.journal, pulse, stop));
    }
}

/// Shows the watchdog that the journal's writer answers.
async fn probe(journal: Journal, pulse: Pulse, stop: CancellationToken) {
    let mut every = interval(PROBE_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        match journal.stat().await {
            Ok(_) => pulse.promise(PROBE_LATE),
            Err(error) => tracing::error!(%error, "the journal does not answer"),
        }
    }
}
