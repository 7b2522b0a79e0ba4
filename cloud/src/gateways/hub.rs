//! The live sessions of this node: wakes them for new commands, cuts those whose
//! gateway was revoked or connected elsewhere, and says that the node lives.
//!
//! Hints make it quick; a look at the database more than once a second makes it certain.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fournil_protocol::{Versions, close, limits};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, OnceCell, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::admission::Admission;
use super::end::{End, Ending};
use super::gate::{Caller, Gate};
use super::intake::EventSink;
use super::model::Identity;
use super::{health, outbox, sql};
use crate::db::{Actor, CompanyId, Db, DbError, Heard};
use crate::time::TimeSource;

/// How often the database is looked at when no hint came.
/// Below a second, so that a revocation cuts within one even when its hint was lost.
const LOOK_INTERVAL: Duration = Duration::from_millis(750);
/// How often the node says that it lives; pages give up on it after three times that.
const NODE_HEARTBEAT: Duration = Duration::from_secs(5);
/// Gateways whose overdue commands are ended in one look.
const OVERDUE_PER_LOOK_MAX: i32 = 100;
/// How long sessions may take to say goodbye when the node stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// What a hub is made of.
pub struct HubOptions {
    pub db: Db,
    pub time: TimeSource,
    /// The name gateways dial and verify; they sign for it.
    pub public_name: String,
    /// This node, by a name that stays the same over restarts.
    pub node: String,
    /// How often the sides speak when they have nothing to say.
    pub heartbeat: Duration,
    /// The protocol versions spoken here.
    pub versions: Versions,
    /// Sessions this node begins in a second; more are told when to come back.
    pub handshakes_per_s: u32,
    /// Stops the hub: sessions are told to come back elsewhere.
    pub stop: CancellationToken,
}

impl HubOptions {
    /// The usual heartbeat.
    pub const HEARTBEAT: Duration = Duration::from_millis(limits::HEARTBEAT_MS_DEFAULT as u64);
    /// The usual bound: a third of what one core can do.
    pub const HANDSHAKES_PER_S: u32 = 500;
}

/// The tunnels of this node. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    options: HubOptions,
    sink: Arc<dyn EventSink>,
    live: Mutex<HashMap<Uuid, Line>>,
    gate: Gate,
    /// Someone left; the drain waits for the last.
    left: Notify,
    /// Set once the sessions of an earlier run of this node were ended.
    begun: OnceCell<()>,
    /// Ends that the database was not there to hear of. When there are too many, the next
    /// session of each gateway, or this node's next start, ends theirs.
    owed: Mutex<Vec<Ending>>,
    #[cfg(any(test, feature = "testing"))]
    between: Option<Arc<dyn super::between::Between>>,
    admission: Mutex<Admission>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Hub")
            .field("node", &self.inner.options.node)
            .finish_non_exhaustive()
    }
}

/// A live session as the hub sees it.
struct Line {
    generation: u64,
    /// `normal` or `read_only`, as it was when the session began.
    mode: &'static str,
    wake: Arc<Notify>,
    orders: watch::Sender<Option<End>>,
}

/// The session's end of a [`Line`].
pub(super) struct Held {
    wake: Arc<Notify>,
    orders: Orders,
}

impl Held {
    /// What to wait for: a wake-up (kept when nobody waits), and the order to end.
    pub(super) fn parts(&mut self) -> (&Notify, &mut Orders) {
        (&self.wake, &mut self.orders)
    }
}

/// The order to end a session, once it is given.
pub(super) struct Orders(watch::Receiver<Option<End>>);

impl Orders {
    /// Waits until the hub ends the session. Cancel safe.
    pub(super) async fn first(&mut self) -> End {
        // A line that was taken over was given its order before it was dropped, and a
        // dropped sender leaves its last value.
        match self.0.wait_for(Option::is_some).await.ok().and_then(|order| order.clone()) {
            Some(end) => end,
            None => pending().await,
        }
    }
}

impl Hub {
    #[must_use]
    pub fn new(options: HubOptions, sink: Arc<dyn EventSink>) -> Self {
        Self { inner: Arc::new(Self::inner(options, sink)) }
    }

    /// A hub with something between it and its database.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn simulated(
        options: HubOptions,
        sink: Arc<dyn EventSink>,
        between: Arc<dyn super::between::Between>,
    ) -> Self {
        let inner = Inner { between: Some(between), ..Self::inner(options, sink) };
        Self { inner: Arc::new(inner) }
    }

    fn inner(options: HubOptions, sink: Arc<dyn EventSink>) -> Inner {
        let admission = Mutex::new(Admission::new(options.handshakes_per_s));
        Inner {
            options,
            sink,
            live: Mutex::default(),
            gate: Gate::default(),
            left: Notify::new(),
            begun: OnceCell::new(),
            owed: Mutex::default(),
            admission,
            #[cfg(any(test, feature = "testing"))]
            between: None,
        }
    }

    /// Waits for work on the database. Every such wait of a hub and its sessions is here,
    /// so that a simulation can let time pass around it and let it fail. The work lies on
    /// the heap while it lasts: a session that only listens does not carry its size.
    pub(super) async fn work<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E>
    where
        T: Send,
        E: From<DbError> + Send,
    {
        let work = Box::pin(work);
        #[cfg(any(test, feature = "testing"))]
        if let Some(between) = &self.inner.between {
            return super::between::work(&**between, work).await;
        }
        work.await
    }

    /// Gateways this node holds a line to.
    #[must_use]
    pub fn live_count(&self) -> usize {
        self.lines().len()
    }

    /// Runs until stopped, then tells every session to come back elsewhere.
    pub async fn run(&self) {
        let mut hints = self.db().hints().listen();
        let mut look = interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told_alive: Option<Instant> = None;
        let stop = self.inner.options.stop.clone();
        let watching = async {
            loop {
                tokio::select! {
                    biased;
                    _ = look.tick() => {
                        if told_alive.is_none_or(|at| at.elapsed() >= NODE_HEARTBEAT) {
                            told_alive = self.tell_alive().await.then(Instant::now);
                        }
                        self.look_at_all().await;
                        self.write_owed_ends().await;
                    }
                    heard = hints.recv() => self.on_hint(heard).await,
                }
            }
        };
        // Wherever it waits for the database: a stop does not.
        stop.run_until_cancelled(watching).await;
        self.drain().await;
    }

    pub(super) fn owed(&self) -> std::sync::MutexGuard<'_, Vec<Ending>> {
        // Nothing panics while it is held, and a list of ends is whole at any moment.
        self.inner.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn on_hint(&self, heard: Result<Heard, RecvError>) {
        match heard {
            Ok(heard) if heard.topic == outbox::TOPIC => {
                if let Some(gateway_id) = heard.subject {
                    self.wake(gateway_id);
                }
            }
            Ok(heard) if heard.topic == health::TOPIC => {
                if let Some(gateway_id) = heard.subject {
                    self.gate().note_change(gateway_id);
                }
                let held = heard.subject.filter(|id| self.lines().contains_key(id));
                if let Some(gateway_id) = held {
                    self.look_at(&[gateway_id]).await;
                }
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => self.look_at_all().await,
            // The sender lives as long as the database handle: this is the program's end.
            Err(RecvError::Closed) => sleep(LOOK_INTERVAL).await,
        }
    }

    async fn tell_alive(&self) -> bool {
        let told = async {
            self.begin_node().await?;
            sql::sessions::node_lives(self.db().pool(), self.node()).await
        };
        self.work(told)
            .await
            .inspect_err(|error| tracing::debug!(%error, "node heartbeat missed"))
            .is_ok()
    }

    async fn look_at_all(&self) {
        let held: Vec<Uuid> = self.lines().keys().copied().collect();
        if !held.is_empty() {
            self.look_at(&held).await;
        }
        if let Err(error) = self.work(self.end_overdue()).await {
            tracing::debug!(%error, "overdue commands were not ended");
        }
    }

    async fn look_at(&self, gateways: &[Uuid]) {
        let looks = match self.work(sql::sessions::look(self.db().pool(), gateways)).await {
            Ok(looks) => looks,
            // Sessions meet the database themselves when they have something to store.
            Err(error) => return tracing::debug!(%error, "the hub could not look"),
        };
        let mut told = Vec::new();
        for look in looks {
            let lines = self.lines();
            let Some(line) = lines.get(&look.gateway_id) else { continue };
            if look.state == "revoked" {
                line.order(End::of(close::REVOKED, "this gateway was revoked"));
            } else if look.generation > line.generation {
                line.order(superseded());
            } else if look.mode != line.mode {
                line.order(End::of(close::RESYNC, "this gateway's mode changed"));
            } else if look.is_rotation_asked {
                // One that ends for another reason does not hear it.
                if line.order(End::of(close::ROTATE, "make a new key and come back with it")) {
                    told.push((look.company, look.gateway_id));
                }
            } else if look.has_queued {
                line.wake.notify_one();
            }
        }
        for (company, gateway_id) in told {
            if let Err(error) = self.write_told(company, gateway_id).await {
                tracing::debug!(gateway.id = %gateway_id, %error, "told again later");
            }
        }
    }

    /// A gateway that was told to change its key is not told again soon.
    async fn write_told(&self, company: CompanyId, gateway_id: Uuid) -> Result<(), DbError> {
        let mut act = self.db().begin(&Actor::system(company, "hub")).await?;
        sql::keys::tell_rotation(act.connection(), company, gateway_id).await?;
        act.commit().await
    }

    /// Ends queued commands past their deadline, of shops that are away too.
    async fn end_overdue(&self) -> Result<(), DbError> {
        let overdue = sql::sessions::overdue(self.db().pool(), OVERDUE_PER_LOOK_MAX).await?;
        for (company, gateway_id) in overdue {
            let mut act = self.db().begin(&Actor::system(company, "hub")).await?;
            sql::outbox::expire(act.connection(), company, gateway_id).await?;
            act.hint(outbox::STATES_TOPIC, Some(gateway_id));
            act.commit().await?;
        }
        Ok(())
    }

    async fn drain(&self) {
        let gone = async {
            loop {
                // Asked for before the look, so that a leaving between the two is noticed.
                let left = self.inner.left.notified();
                // Each in its turn, so that they do not all come back in one moment.
                for (place, line) in self.lines().values().enumerate() {
                    line.order(self.stops(place));
                }
                if self.lines().is_empty() {
                    return;
                }
                left.await;
            }
        };
        if timeout(DRAIN_TIMEOUT, gone).await.is_err() {
            tracing::warn!(tunnel.count = self.live_count(), "tunnels did not close in time");
        }
    }

    /// Takes the line of a gateway; an older session of this node is told.
    pub(super) fn hold(&self, identity: &Identity, generation: u64, mode: &'static str) -> Held {
        let wake = Arc::new(Notify::new());
        let (orders, listening) = watch::channel(None);
        let line = Line { generation, mode, wake: Arc::clone(&wake), orders };
        let mut lines = self.lines();
        match lines.get(&identity.gateway_id) {
            Some(other) if other.generation > generation => {
                line.order(superseded());
            }
            _ => {
                if let Some(older) = lines.insert(identity.gateway_id, line) {
                    older.order(superseded());
                }
            }
        }
        Held { wake, orders: Orders(listening) }
    }

    /// Gives the line back, unless a newer session has it.
    pub(super) fn let_go(&self, gateway_id: Uuid, generation: u64) {
        let mut lines = self.lines();
        if lines.get(&gateway_id).is_some_and(|line| line.generation == generation) {
            lines.remove(&gateway_id);
        }
        drop(lines);
        self.inner.left.notify_waiters();
    }

    fn wake(&self, gateway_id: Uuid) {
        if let Some(line) = self.lines().get(&gateway_id) {
            line.wake.notify_one();
        }
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Line>> {
        // Nothing panics while it is held, and a map of lines is whole at any moment.
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No session is opened by a node that stops, or before the node's past is settled. One
    /// address does not take the turns of all the others.
    pub(super) async fn ready(&self, caller: &Caller) -> Result<(), End> {
        if self.inner.options.stop.is_cancelled() {
            return Err(self.stops(0));
        }
        self.gate().may_begin(caller, self.now())?;
        self.admission().ask(Instant::now()).map_err(|wait| {
            End::come_back(close::OVERLOAD, "too many connect at once: come back later", wait)
        })?;
        self.work(self.begin_node()).await.map_err(|error| End::of_db(&error))
    }

    fn stops(&self, place: usize) -> End {
        let turn = self.admission().turn(place);
        End::come_back(close::DRAIN, "the server stops: connect again", turn)
    }

    fn admission(&self) -> std::sync::MutexGuard<'_, Admission> {
        // Nothing panics while it is held.
        self.inner.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn begin_node(&self) -> Result<(), DbError> {
        let begin = || sql::sessions::node_begins(self.db().pool(), self.node());
        self.inner.begun.get_or_try_init(begin).await.copied()
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    pub(super) fn db(&self) -> &Db {
        &self.inner.options.db
    }

    pub(super) fn sink(&self) -> &dyn EventSink {
        &*self.inner.sink
    }

    pub(super) fn public_name(&self) -> &str {
        &self.inner.options.public_name
    }

    pub(super) fn node(&self) -> &str {
        &self.inner.options.node
    }

    pub(super) fn versions(&self) -> Versions {
        self.inner.options.versions
    }

    pub(super) fn heartbeat(&self) -> Duration {
        self.inner.options.heartbeat
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.inner.options.time.now()
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.now().timestamp_millis()
    }
}

impl Line {
    /// The first order stands; false when there was one.
    fn order(&self, end: End) -> bool {
        self.orders.send_if_modified(|order| {
            let is_first = order.is_none();
            order.get_or_insert(end);
            is_first
        })
    }
}

fn superseded() -> End {
    End::of(close::SUPERSEDED, "a newer session of this gateway took over")
}
