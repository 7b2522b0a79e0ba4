//! The web server: warp's four filters (tunnel, health, files, table) as one service,
//! behind our own accept loop.
//!
//! warp is used for nothing else. No filter rejects once its path matched, so nothing
//! falls through from one to the next.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warp::filters::BoxedFilter;
use warp::{Filter, Reply};

use super::dispatch::{Asked, Dispatcher, Readiness};
use super::metrics::Metrics;
use super::peer::{Proxies, Via};
use super::rate::RateLimits;
use super::session::Sessions;
use super::table::Table;
use super::upgrade::{TunnelHandler, Upgrades};
use super::{assets, body, headers};
use crate::app::App;

/// How long an answer of the database to `/readyz` is used again.
const PROBE_LIFE: TimeDelta = TimeDelta::seconds(1);
/// A database that takes longer could not serve a page either.
const PROBE_MAX: Duration = Duration::from_secs(2);

/// Bounds of the listeners. Each has a metric or a log line for what it turns away.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Past it new connections are closed at once.
    pub connections_max: usize,
    /// The same for one address (an IPv6 /64), which keeps one client from taking all.
    pub connections_per_address_max: usize,
    pub header_timeout: Duration,
    pub handshake_timeout: Duration,
    /// Longest pause between two pieces of a body.
    pub body_progress: Duration,
    /// How long a drain waits before it cuts.
    pub drain: Duration,
    /// The tunnel takes only those who brought a client certificate.
    pub needs_client_certificate: bool,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            connections_per_address_max: 256,
            header_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            body_progress: Duration::from_secs(10),
            drain: Duration::from_secs(4),
            needs_client_certificate: false,
        }
    }
}

/// What the server is made of; built in one place, by `cli::serve` and by tests.
pub struct ServerParts {
    pub app: Arc<App>,
    pub table: Table,
    pub sessions: Arc<dyn Sessions>,
    pub tunnels: TunnelHandler,
    pub metrics: Arc<Metrics>,
    pub readiness: Readiness,
    pub proxies: Proxies,
    pub limits: ServerLimits,
    /// Cancelled to drain.
    pub stop: CancellationToken,
}

/// The server without its sockets.
#[derive(Clone)]
pub struct Server {
    pub(super) filter: BoxedFilter<(warp::reply::Response,)>,
    pub(super) limits: ServerLimits,
    pub(super) metrics: Arc<Metrics>,
    pub(super) proxies: Arc<Proxies>,
    pub(super) tunnels: TaskTracker,
    pub(super) stop: CancellationToken,
    pub(super) cut: CancellationToken,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Server {
    #[must_use]
    pub fn new(parts: ServerParts) -> Self {
        let (tunnels, cut) = (TaskTracker::new(), CancellationToken::new());
        let proxies = Arc::new(parts.proxies);
        let upgrades = Upgrades {
            handler: parts.tunnels,
            tracker: tunnels.clone(),
            stop: parts.stop.clone(),
            cut: cut.clone(),
            proxies: Arc::clone(&proxies),
            metrics: Arc::clone(&parts.metrics),
            needs_client_certificate: parts.limits.needs_client_certificate,
        };
        let dispatcher = Dispatcher {
            app: parts.app,
            table: Arc::new(parts.table),
            sessions: parts.sessions,
            limits: Arc::new(RateLimits::default()),
            metrics: Arc::clone(&parts.metrics),
            readiness: parts.readiness,
            body_progress: parts.limits.body_progress,
            stop: parts.stop.clone(),
        };
        let filter = upgrades
            .filter()
            .or(health(&dispatcher))
            .unify()
            .or(files())
            .unify()
            .or(table(dispatcher, Arc::clone(&proxies)))
            .unify()
            .boxed();
        Self {
            filter,
            limits: parts.limits,
            metrics: parts.metrics,
            proxies,
            tunnels,
            stop: parts.stop,
            cut,
        }
    }
}

impl Server {
    /// The listener of `/metrics`, with small bounds of its own.
    #[must_use]
    pub fn for_metrics(metrics: &Arc<Metrics>, stop: CancellationToken) -> Self {
        let shown = Arc::clone(metrics);
        let filter = warp::path!("metrics").map(move || {
            let text = shown.encode().unwrap_or_default();
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            warp::reply::with_header(text, "content-type", kind).into_response()
        });
        let limits = ServerLimits {
            connections_max: 16,
            drain: Duration::from_millis(200),
            ..ServerLimits::default()
        };
        Self {
            filter: filter.boxed(),
            limits,
            // Its own connections are no figure of the main listener.
            metrics: Arc::default(),
            proxies: Arc::default(),
            tunnels: TaskTracker::new(),
            stop,
            cut: CancellationToken::new(),
        }
    }
}

/// Embedded files, with the headers every answer has.
fn files() -> BoxedFilter<(warp::reply::Response,)> {
    assets::filter()
        .map(|mut response: warp::reply::Response| {
            headers::secure(response.headers_mut(), false);
            response
        })
        .boxed()
}

/// `/healthz`: the process answers. `/readyz`: it could serve a page now.
fn health(dispatcher: &Dispatcher) -> BoxedFilter<(warp::reply::Response,)> {
    let alive = warp::path!("healthz").map(|| plain(200, "ok\n"));
    let (dispatcher, probe) = (dispatcher.clone(), Arc::new(Probe::default()));
    let ready = warp::path!("readyz").then(move || {
        let (dispatcher, probe) = (dispatcher.clone(), Arc::clone(&probe));
        async move {
            let is_ready = dispatcher.readiness.is_ready()
                && !dispatcher.stop.is_cancelled()
                && probe.answers(&dispatcher.app).await;
            if is_ready { plain(200, "ready\n") } else { plain(503, "not ready\n") }
        }
    });
    alive.or(ready).unify().boxed()
}

/// The last look at the database. Anybody may ask for `/readyz`, as often as they like:
/// one statement a second answers all of them.
#[derive(Debug, Default)]
struct Probe {
    last: Mutex<Option<(DateTime<Utc>, bool)>>,
}

impl Probe {
    async fn answers(&self, app: &App) -> bool {
        let now = app.time.now();
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let (at, answer) = last.unwrap_or((DateTime::UNIX_EPOCH, false));
            // A clock set back must not keep an answer for hours.
            if (now - at).abs() < PROBE_LIFE {
                return answer;
            }
            // Who comes while this one asks gets the answer before.
            *last = Some((now, answer));
        }
        let asked = tokio::time::timeout(PROBE_MAX, app.db.is_ready());
        let answer = asked.await.unwrap_or(false);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, answer));
        answer
    }
}

fn plain(status: u16, text: &'static str) -> warp::reply::Response {
    let mut response = hyper::Response::new(Bytes::from_static(text.as_bytes()));
    if let Ok(status) = hyper::StatusCode::from_u16(status) {
        *response.status_mut() = status;
    }
    response.into_response()
}

/// Everything else: gathered once, answered by the dispatcher.
fn table(dispatcher: Dispatcher, proxies: Arc<Proxies>) -> BoxedFilter<(warp::reply::Response,)> {
    let query = warp::query::raw().or_else(|_| async { Ok::<_, Infallible>((String::new(),)) });
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<Via>())
        .and(warp::body::stream())
        .then(move |method, path: warp::path::FullPath, query, headers, via, content| {
            let (peer, secure) = proxies.peer(via, &headers);
            let path = path.as_str().to_owned();
            let body = body::stream(content);
            let asked = Asked { method, path, query, headers, peer, secure, body };
            let dispatcher = dispatcher.clone();
            async move { dispatcher.answer(asked).await }
        })
        .boxed()
}
