//! Wiring: every background job with its period. A job takes no input, may run twice,
//! and ends with `stop`.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::db::DbError;
use crate::web::{Certificate, ClientVerifier, Metrics};
use crate::{gateways, identity};

const CLEAN_EVERY: Duration = Duration::from_mins(10);
const FIGURES_EVERY: Duration = Duration::from_secs(15);
/// A revoked client certificate is refused after this at the latest.
const CERTIFICATE_EVERY: Duration = Duration::from_mins(1);
const CERTIFICATE_TOLD_EVERY: Duration = Duration::from_mins(10);
const RELAY_RETRY: Duration = Duration::from_secs(2);
/// Nobody asks again with a key this old.
const KEY_DAYS: i32 = 30;
/// Rows one cleaning takes.
const CLEANED_AT_ONCE: i32 = 1_000;

/// What jobs are started with.
#[derive(Debug, Clone)]
pub struct Jobs {
    pub tasks: TaskTracker,
    pub app: Arc<App>,
    pub metrics: Arc<Metrics>,
    pub served: Served,
    pub stop: CancellationToken,
}

/// What this node serves TLS with.
#[derive(Debug, Clone)]
pub struct Served {
    pub node: String,
    /// None behind a proxy.
    pub certificate: Option<Arc<Certificate>>,
    /// Who vouches for gateways, when they bring certificates.
    pub clients: Option<Arc<ClientVerifier>>,
}

impl Jobs {
    /// Jobs that run from the first moment.
    pub fn start(&self) {
        self.spawn(feed_watchdog());
        self.spawn(renew(self.served.clone(), Arc::clone(&self.app)));
    }

    /// Jobs that begin when the database has answered once.
    pub fn start_with_database(&self) {
        self.spawn(relay_hints(Arc::clone(&self.app)));
        let app = Arc::clone(&self.app);
        self.spawn(every("clean", CLEAN_EVERY, move || clean(Arc::clone(&app))));
        let (app, served) = (Arc::clone(&self.app), self.served.clone());
        let tell = move || tell(served.clone(), Arc::clone(&app));
        self.spawn(every("certificate-told", CERTIFICATE_TOLD_EVERY, tell));
        let (app, gauges) = (Arc::clone(&self.app), Gauges::new(&self.metrics));
        let served = self.served.clone();
        let read = move || gauges.clone().read(Arc::clone(&app), served.clone());
        self.spawn(every("figures", FIGURES_EVERY, read));
    }

    fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(until(self.stop.clone(), job));
    }
}

async fn until(stop: CancellationToken, job: impl Future<Output = ()>) {
    // Cancel safe: a job dropped half-way rolls its transaction back and runs again.
    tokio::select! {
        () = stop.cancelled() => {}
        () = job => {}
    }
}

async fn every<F, D>(name: &'static str, period: Duration, mut job: F)
where
    F: FnMut() -> D,
    D: Future<Output = anyhow::Result<()>>,
{
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = job().await {
            tracing::warn!(job = name, error = format!("{error:#}"), "a job failed; it runs again");
        }
    }
}

/// Passes on what other nodes changed, for as long as the database is there.
async fn relay_hints(app: Arc<App>) {
    loop {
        if let Err(error) = app.db.hints().relay(app.db.pool()).await {
            tracing::debug!(%error, "hints of other nodes are not heard; trying again");
        }
        tokio::time::sleep(RELAY_RETRY).await;
    }
}

async fn clean(app: Arc<App>) -> anyhow::Result<()> {
    let sessions = identity::forget_expired_sessions(&app.db).await;
    let keys = app.db.forget_old_keys(KEY_DAYS, CLEANED_AT_ONCE).await;
    match (sessions, keys) {
        (Ok(sessions), Ok(keys)) => {
            tracing::debug!(job.sessions = sessions, job.keys = keys, "old rows were taken away");
            Ok(())
        }
        // The database is away; everybody says so already.
        (Err(DbError::Unavailable(_)), _) | (_, Err(DbError::Unavailable(_))) => Ok(()),
        (Err(error), _) | (_, Err(error)) => Err(error.into()),
    }
}

/// Looks at certificates, keys and revocations again, now and then and when asked by SIGHUP.
async fn renew(served: Served, app: Arc<App>) {
    let mut ticks = tokio::time::interval(CERTIFICATE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut hangups = signal(SignalKind::hangup()).ok();
    loop {
        // Cancel safe: a tick or a signal that is not waited for comes next time.
        tokio::select! {
            _ = ticks.tick() => {}
            () = hung_up(hangups.as_mut()) => tracing::info!("certificates are read again"),
        }
        let own = served.certificate.as_ref().map(|own| own.refresh(app.time.now()));
        let clients = served.clients.as_ref().map(|clients| clients.refresh());
        for error in [own, clients].into_iter().flatten().filter_map(Result::err) {
            let error = format!("{:#}", anyhow::Error::new(error));
            tracing::warn!(error, "a certificate cannot be renewed; the one before stays in use");
        }
    }
}

async fn hung_up(hangups: Option<&mut Signal>) {
    match hangups {
        Some(hangups) => {
            hangups.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Says until when what is served is good, for the pages of every node.
async fn tell(served: Served, app: Arc<App>) -> anyhow::Result<()> {
    let own = served.certificate.as_ref();
    let clients = served.clients.as_ref();
    let ends = [
        ("server", own.and_then(|own| own.until())),
        ("authority", own.and_then(|own| own.authority_until())),
        ("gateways", clients.and_then(|clients| clients.until())),
    ];
    for (kind, until) in ends {
        let Some(until) = until else { continue };
        match gateways::tell_served(&app.db, &served.node, kind, until).await {
            Ok(()) | Err(DbError::Unavailable(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Tells systemd that the runtime turns, when the unit asks for it.
async fn feed_watchdog() {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(period / 3);
    loop {
        ticks.tick().await;
        if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]) {
            tracing::debug!(%error, "systemd could not be told");
        }
    }
}

#[derive(Clone, Default)]
struct Gauges {
    pool_open: Gauge,
    pool_idle: Gauge,
    sessions: Gauge,
    certificate_until: Gauge,
}

impl Gauges {
    fn new(metrics: &Metrics) -> Self {
        let gauges = Self::default();
        metrics.register("pool_open", "Database connections", gauges.pool_open.clone());
        metrics.register("pool_idle", "Of them idle", gauges.pool_idle.clone());
        metrics.register("user_sessions", "Sessions of users alive", gauges.sessions.clone());
        let until = gauges.certificate_until.clone();
        metrics.register("tls_until_seconds", "When the served certificate ends, Unix time", until);
        gauges
    }

    async fn read(self, app: Arc<App>, served: Served) -> anyhow::Result<()> {
        if let Some(until) = served.certificate.as_ref().and_then(|own| own.until()) {
            self.certificate_until.set(until.timestamp());
        }
        let pool = app.db.pool();
        self.pool_open.set(i64::from(pool.size()));
        self.pool_idle.set(i64::try_from(pool.num_idle()).unwrap_or(i64::MAX));
        match identity::sessions_alive(&app.db).await {
            Ok(alive) => {
                self.sessions.set(alive);
                Ok(())
            }
            Err(DbError::Unavailable(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
