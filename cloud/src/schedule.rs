//! Wiring: every background job with its period. A job takes no input, may run twice,
//! and ends with `stop`.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::db::DbError;
use crate::identity;
use crate::web::{Certificate, Metrics};

const CLEAN_EVERY: Duration = Duration::from_secs(10 * 60);
const FIGURES_EVERY: Duration = Duration::from_secs(15);
const CERTIFICATE_EVERY: Duration = Duration::from_secs(60 * 60);
const RELAY_RETRY: Duration = Duration::from_secs(2);
/// Nobody asks again with a key this old.
const KEY_DAYS: i32 = 30;
/// Rows one cleaning takes.
const CLEANED_AT_ONCE: i32 = 1_000;

/// Starts every job.
pub fn start(
    tasks: &TaskTracker,
    app: &Arc<App>,
    metrics: &Arc<Metrics>,
    certificate: Option<Arc<Certificate>>,
    stop: &CancellationToken,
) {
    let relayed = Arc::clone(app);
    tasks.spawn(until(stop.clone(), relay_hints(relayed)));

    let cleaned = Arc::clone(app);
    let clean = move || clean(Arc::clone(&cleaned));
    tasks.spawn(until(stop.clone(), every("clean", CLEAN_EVERY, clean)));

    let gauges = Gauges::new(metrics);
    let counted = Arc::clone(app);
    let count = move || gauges.clone().read(Arc::clone(&counted));
    tasks.spawn(until(stop.clone(), every("figures", FIGURES_EVERY, count)));

    tasks.spawn(until(stop.clone(), feed_watchdog()));
    if let Some(certificate) = certificate {
        let dated = Arc::clone(app);
        let renew = move || renew(Arc::clone(&certificate), Arc::clone(&dated));
        tasks.spawn(until(stop.clone(), every("certificate", CERTIFICATE_EVERY, renew)));
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

#[expect(clippy::unused_async, reason = "jobs are futures")]
async fn renew(certificate: Arc<Certificate>, app: Arc<App>) -> anyhow::Result<()> {
    Ok(certificate.refresh(app.time.now())?)
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
}

impl Gauges {
    fn new(metrics: &Metrics) -> Self {
        let gauges = Self::default();
        metrics.register("pool_open", "Database connections", gauges.pool_open.clone());
        metrics.register("pool_idle", "Of them idle", gauges.pool_idle.clone());
        metrics.register("user_sessions", "Sessions of users alive", gauges.sessions.clone());
        gauges
    }

    async fn read(self, app: Arc<App>) -> anyhow::Result<()> {
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
