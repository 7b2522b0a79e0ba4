//! The parts inside the shop: journal, router, devices, health, status.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::begun::Begun;
use super::change::{Ending, Running};
use super::devices::{self, Roster, Shared};
use super::diagnostics::Diagnostics;
use super::health::HealthReporter;
use super::router::{Own, Router};
use super::status::{self, StatusServer};
use crate::clock::{HeldClocks, PunchStore};
use crate::config::Config;
use crate::journal::{self, Journal};
use crate::logs::RecentLog;
use crate::seam::{self, CloudOffset};
use crate::supervise::{Pulse, Supervisor, watch_every};
use crate::tunnel::ambient::Ambient;
use crate::tunnel::identity::Identity;
use crate::tunnel::state::TunnelState;
use crate::tunnel::uploads::Uploads;

/// How often the journal shows that it can write, or more often where the watchdog asks for
/// it; it may miss two.
const PROBE_EVERY: Duration = Duration::from_secs(10);
const PROBES_LATE: u32 = 3;
/// (Re)starts of devices waiting for the router.
pub(super) const ATTACHES_MAX: usize = 16;
/// Status commands, and diagnostics, waiting; more stay in the journal.
pub(super) const STATUS_MAX: usize = 8;

/// What the parts inside the shop share.
pub(super) struct House {
    pub(super) config: Config,
    pub(super) journal: Journal,
    pub(super) identity: watch::Receiver<Arc<Identity>>,
    pub(super) cloud_offset: CloudOffset,
    pub(super) ambient: Ambient,
    pub(super) stale: HashSet<Uuid>,
    /// The journal's end was not as it was left.
    pub(super) is_tail_doubtful: bool,
    pub(super) uploads: Uploads,
    pub(super) recent: RecentLog,
}

impl House {
    /// Where the clocks keep what they know: in the journal's folder, with which it must go.
    fn punch_store(&self) -> PunchStore {
        let folder = self.config.journal_dir();
        let mark = self.journal.changed();
        let (place, generation) = (folder.clone(), mark.clone());
        PunchStore {
            folder,
            generation: Arc::new(move || generation.borrow().epoch),
            recall: Arc::new(move |serial, each| {
                let epoch = mark.borrow().epoch;
                journal::punches(&place, epoch, serial, each).map_err(io::Error::other)
            }),
            is_tail_doubtful: self.is_tail_doubtful,
        }
    }

    /// Starts everything; gives what a new configuration may change.
    pub(super) fn start(
        self,
        supervisor: &mut Supervisor,
        fresh: mpsc::Receiver<seam::Job>,
        tunnel: watch::Receiver<TunnelState>,
    ) -> Running {
        let began = Instant::now();
        let stop = supervisor.soft();
        let (recorder, requests) = seam::recorder();
        let begun = Begun::default();
        let (served, between) = begun.stand_between(requests);
        let (journal, token) = (self.journal.clone(), stop.clone());
        let weak = recorder.downgrade();
        supervisor.essential("journal", async move {
            // Held until the soft stop: a shop without devices needs its tunnel all the same.
            // Then both end when the last device is gone.
            let hold = async move {
                token.cancelled().await;
                drop(recorder);
            };
            tokio::join!(between, journal.serve(served), hold);
        });
        let (attach, attached) = mpsc::channel(ATTACHES_MAX);
        let (ask_status, asked) = mpsc::channel(STATUS_MAX);
        let (ask_diagnostics, wanted) = mpsc::channel(STATUS_MAX);
        let cloud_offset = self.cloud_offset.clone();
        let store = self.punch_store();
        let held = HeldClocks::default();
        let shared = Shared { recorder: weak, attach, cloud_offset, store, held };
        let (seats, seated) = watch::channel(devices::seats(&self.config));
        let (roster, told) = watch::channel(Roster::default());
        let devices = devices::start(&self.config, supervisor, &shared, &[]);
        roster.send_replace(devices::roster(&devices));
        let (journal, offset) = (self.journal.clone(), self.cloud_offset.clone());
        let own = Own { status: ask_status, diagnostics: ask_diagnostics, uploads: self.uploads };
        let mut router = Router::new(journal, begun, seated, self.ambient, offset, own);
        router.stale = self.stale;
        supervisor.watch("router", router.pulse.clone());
        supervisor.essential("router", router.run(fresh, attached, stop.clone()));
        let health = HealthReporter {
            journal: self.journal.clone(),
            devices: told.clone(),
            state_dir: self.config.state_dir.clone(),
            tunnel: tunnel.clone(),
            began,
        };
        supervisor.essential("health", health.run(asked, stop.clone()));
        let status = StatusServer {
            path: status::socket_path(&self.config.state_dir),
            journal: self.journal.clone(),
            identity: self.identity.clone(),
            tunnel,
            devices: told,
            began,
        };
        let (in_force, config) = watch::channel(self.config.clone());
        let diagnostics = Diagnostics {
            config,
            journal: self.journal.clone(),
            status: status.clone(),
            recent: self.recent,
            cloud_offset: self.cloud_offset,
            ambient: self.ambient,
        };
        supervisor.essential("diagnostics", diagnostics.run(wanted, stop.clone()));
        let token = stop.clone();
        supervisor.part("status", move || status.clone().run(token.clone()));
        start_probe(supervisor, self.journal);
        let (config, identity) = (self.config, self.identity);
        let (line, way, ending) = (None, None, Ending::default());
        Running { config, in_force, identity, line, way, devices, shared, seats, roster, ending }
    }
}

fn start_probe(supervisor: &mut Supervisor, journal: Journal) {
    let every = PROBE_EVERY.min(watch_every());
    let pulse = Pulse::new(every * PROBES_LATE);
    supervisor.watch("journal", pulse.clone());
    let stop = supervisor.soft();
    supervisor.essential("probe", probe(journal, every, pulse, stop));
}

/// Shows the watchdog that the journal's writer lives and its disk answers. An answer that
/// says no is one: a full or failed disk is not mended by a restart, and the journal comes
/// back by itself; one that does not come is what a restart may help.
async fn probe(journal: Journal, every: Duration, pulse: Pulse, stop: CancellationToken) {
    let mut turns = interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = turns.tick() => {}
        }
        if let Err(error) = journal.probe().await {
            tracing::error!(
                %error,
                "le journal n'écrit pas et rien n'est fait sans lui : vérifiez la place (df -h) et \
                 le disque (dmesg)"
            );
        }
        pulse.promise(every * PROBES_LATE);
    }
}
