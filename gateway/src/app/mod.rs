//! The daemon: builds every part once, hands each what it uses, and lives until told
//! to stop.
//!
//! The journal is opened first and closed last; what can fail at start (identity,
//! authority, journal) fails before anything runs.

mod begun;
mod change;
mod devices;
mod diagnostics;
mod enrolment;
mod health;
mod house;
mod parking;
mod rotation;
mod route;
mod router;
pub mod status;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use fournil_protocol::command::Body;
use fournil_protocol::event::{Body as EventBody, Notice, Severity};
use fournil_protocol::{Versions, words};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use uuid::Uuid;

use crate::config::Config;
use crate::journal::{self, Journal, JournalError, Opened, TimeSource};
use crate::logs::RecentLog;
use crate::seam::{self, CloudOffset, JOBS_MAX, RecordError};
use crate::supervise::{Failure, Pulse, Supervisor};
use crate::tunnel::Tunnel;
use crate::tunnel::ambient::Ambient;
use crate::tunnel::identity::Identity;
use crate::tunnel::session::Terms;
use crate::tunnel::state::TunnelState;
use crate::tunnel::target::Target;
use crate::tunnel::trust::Trust;
use crate::tunnel::uploads::Uploads;
use change::Line;
pub use health::{disk_free_bytes, resident_bytes};
use house::House;
use rotation::{Rotation, Way};

/// For the last words into the journal. What was answered for is on disk without them.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How late the tunnel may be.
const TUNNEL_LATE: Duration = Duration::from_secs(30);

/// Where the cloud is and whom to believe: the configuration first, then what
/// enrolment stored.
pub fn cloud(config: &Config, identity: &Identity) -> anyhow::Result<(Target, Trust)> {
    let target = Target::parse(config.cloud.url.as_ref().unwrap_or(&identity.enrolled.url))?;
    let trust = match (&config.cloud.ca_file, &identity.enrolled.ca_pem) {
        (Some(path), _) => Trust::load(Some(path))?,
        (None, Some(pem)) => Trust::pinned(pem.as_bytes(), Path::new("(enrôlement)"))?,
        (None, None) => Trust::public()?,
    };
    let trust = match (&config.cloud.client_cert, &config.cloud.client_key) {
        (Some(cert), Some(key)) => trust.with_client(cert, key)?,
        _ => trust,
    };
    Ok((target, trust))
}

/// Runs until a signal or a failure ends it. `reread` answers SIGHUP with a configuration
/// that is good, or with none.
pub async fn run(
    config: Config,
    recent: RecentLog,
    mut reread: impl FnMut() -> Option<Config>,
) -> anyhow::Result<()> {
    let identity = Identity::load_with(&config.state_dir, config.credential.as_deref())?;
    let (target, trust) = cloud(&config, &identity)?;
    let time = TimeSource::system()
        .context("le nom de ce démarrage est illisible (/proc/sys/kernel/random/boot_id)")?;
    let boot_id = time.boot_id();
    let gateway_id = identity.enrolled.gateway_id;
    let (journal, opened) = take_up_journal(&config, time, gateway_id).await?;
    // Before the tunnel brings new ones.
    let stale = stale_drawers(&journal).await?;
    let ambient = Ambient::system();
    let mut supervisor = Supervisor::new(ambient);
    let tunnel_pulse = Pulse::new(TUNNEL_LATE);
    supervisor.watch("tunnel", tunnel_pulse.clone());
    let (jobs, fresh) = mpsc::channel(JOBS_MAX);
    let (state, tunnel_state) = watch::channel(TunnelState::default());
    let cloud_offset = CloudOffset::default();
    tracing::info!(
        gateway = identity.enrolled.name,
        cloud = %target,
        clocks = config.clocks.len(),
        printers = config.printers.len(),
        "gateway starts"
    );
    let (newest, identity) = watch::channel(Arc::new(identity));
    let place = (config.state_dir.clone(), config.credential.clone());
    let watching = enrolment::watch(place, newest.clone(), supervisor.soft());
    supervisor.until(watching, Failure::Reenrolled);
    let way = Way::of(&config, &target, &trust);
    let way = start_rotation(&mut supervisor, &config, way, (&tunnel_state, newest));
    let uploads = Uploads::default();
    let terms = Terms {
        log: journal.clone(),
        identity: identity.clone(),
        server_name: target.host.clone(),
        incarnation: opened.incarnation,
        boot_id,
        ambient,
        jobs,
        cloud_offset: cloud_offset.clone(),
        state,
        pulse: tunnel_pulse,
        versions: Versions::BUILT,
        uploads: uploads.clone(),
    };
    let line = Line::start(&mut supervisor, Tunnel { target, trust, terms });
    supervisor.tell(status::line(tunnel_state.clone()));
    let is_tail_doubtful = opened.torn_bytes_cut > 0 || !opened.quarantined.is_empty();
    let house = House {
        config,
        journal: journal.clone(),
        identity,
        cloud_offset,
        ambient,
        stale,
        is_tail_doubtful,
        uploads,
        recent,
    };
    let mut running = house.start(&mut supervisor, fresh, tunnel_state);
    (running.line, running.way) = (Some(line), Some(way));
    let ended = supervisor.run(move |supervisor| {
        if let Some(config) = reread() {
            running.change(supervisor, config);
        }
    });
    let ended = ended.await;
    close(&journal).await;
    Ok(ended?)
}

async fn close(journal: &Journal) {
    match timeout(CLOSE_TIMEOUT, journal.close()).await {
        Ok(Ok(())) => tracing::info!("gateway stops"),
        Ok(Err(error)) => tracing::warn!(%error, "the journal did not close in good order"),
        Err(_) => tracing::warn!("the journal did not close in time"),
    }
}

/// Opens the journal of this gateway and says what was found.
async fn take_up_journal(
    config: &Config,
    time: TimeSource,
    gateway_id: Uuid,
) -> anyhow::Result<(Journal, Opened)> {
    let (journal, opened, aside) = open_journal(config, time, gateway_id).await?;
    report_opening(&opened);
    if let Some(folder) = aside {
        report_set_aside(&journal, &folder).await;
    }
    Ok((journal, opened))
}

/// Opens the journal of this gateway; gives also where that of another one went.
async fn open_journal(
    config: &Config,
    time: TimeSource,
    gateway_id: Uuid,
) -> anyhow::Result<(Journal, Opened, Option<PathBuf>)> {
    let (folder, settings) = (config.journal_dir(), config.journal.clone());
    // Reads the whole journal, which takes its time on a slow disk.
    let opened = tokio::task::spawn_blocking(move || {
        let aside = journal::claim(&folder, gateway_id, crate::time::now())?;
        let (journal, opened) = Journal::open(&folder, settings, time)?;
        Ok((journal, opened, aside))
    });
    opened.await.context("le journal n'a pas pu être ouvert")?.map_err(|fault| say(&fault))
}

async fn report_set_aside(journal: &Journal, folder: &Path) {
    tracing::error!(
        folder = %folder.display(),
        "le journal appartenait à une autre passerelle : il est mis de côté, un nouveau commence. \
         Rien n'en est envoyé ; gardez ce dossier tant que des pointages ou des tickets peuvent y \
         manquer au cloud précédent"
    );
    let notice = Notice {
        severity: Severity::Alarm.into(),
        code: words::JOURNAL_QUARANTINED.to_owned(),
        detail: format!("the journal of another gateway was set aside in {}", folder.display()),
        device: String::new(),
    };
    if let Err(error) = journal.append(vec![EventBody::Notice(notice)]).await {
        tracing::warn!(%error, "the notice about it is not recorded");
    }
}

/// Drawers that were asked for before this start: they open behind nobody any more. One
/// whose attempt had begun is not among them: the printer's part says that it is in doubt.
async fn stale_drawers(journal: &Journal) -> Result<HashSet<Uuid>, RecordError> {
    let open = journal.pending_jobs(HashSet::new(), usize::MAX).await?;
    let is_stale = |job: &seam::Job| {
        matches!(job.command.body, Some(Body::OpenDrawer(_))) && job.interrupted_attempt.is_none()
    };
    Ok(open.iter().filter(|job| is_stale(job)).map(|job| job.id).collect())
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
        tracing::error!(
            damage,
            "une partie du journal est abîmée et mise de côté : vérifiez le disque, puis lancez \
             « fournil-gateway journal verify »"
        );
    }
    tracing::info!(
        journal.incarnation = opened.incarnation,
        journal.commands_pending = opened.commands_pending,
        journal.is_new_epoch = opened.epoch_renewed,
        "journal open"
    );
}

/// Starts it; gives what tells it of a new way.
fn start_rotation(
    supervisor: &mut Supervisor,
    config: &Config,
    way: Way,
    (tunnel, newest): (&watch::Receiver<TunnelState>, watch::Sender<Arc<Identity>>),
) -> watch::Sender<Way> {
    let (tell, way) = watch::channel(way);
    let rotation = Rotation {
        state_dir: config.state_dir.clone(),
        credential: config.credential.clone(),
        way,
        tunnel: tunnel.clone(),
        newest,
        now: crate::time::now,
    };
    let stop = supervisor.soft();
    supervisor.part("rotation", move || rotation.clone().run(stop.clone()));
    tell
}
