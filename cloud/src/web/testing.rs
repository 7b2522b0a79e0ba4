//! A web server without sockets, for tests: requests go straight into its filters.

use std::collections::HashMap;
use std::net::IpAddr;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::HeaderMap;
use sqlx::postgres::PgConnectOptions;
use tokio_util::sync::CancellationToken;
use tower::Service as _;
use uuid::Uuid;

use super::peer::Via;
use super::upgrade::{TunnelHandler, no_tunnels};
use super::{
    Known, Looked, Metrics, Permission, Proxies, Readiness, Route, Server, ServerLimits,
    ServerParts, Session, Sessions, Table,
};
use crate::app::App;
use crate::db::{CompanyId, Db, DbOptions};
use crate::i18n::Catalogue;
use crate::routes;
use crate::time::TimeSource;

/// The CSRF token of every session of [`KnownSessions`].
pub(crate) const CSRF: &str = "the-token-of-the-form";

/// Sessions that exist because a test says so, by cookie.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownSessions {
    by_cookie: Arc<Mutex<HashMap<String, Session>>>,
    looks: Arc<AtomicU32>,
}

impl KnownSessions {
    /// A session holding these permissions; gives its cookie.
    pub(crate) fn with(&mut self, company: CompanyId, role: &str, held: &[Permission]) -> String {
        let mut permissions: Vec<String> = held.iter().map(|p| p.0.to_owned()).collect();
        permissions.sort_unstable();
        let session = Session {
            company,
            user_id: Uuid::now_v7(),
            user_name: format!("Test {role}"),
            email: format!("{role}@example.dz"),
            role: role.to_owned(),
            permissions,
            csrf_token: CSRF.to_owned(),
            language: "fr".to_owned(),
        };
        let cookie = super::random_token().expect("randomness");
        self.by_cookie.lock().expect("the lock").insert(cookie.clone(), session);
        cookie
    }

    /// Ends a session, as signing out does.
    pub(crate) fn end(&self, cookie: &str) {
        self.by_cookie.lock().expect("the lock").remove(cookie);
    }

    /// How many look-ups a database would have had to answer.
    pub(crate) fn looks(&self) -> u32 {
        self.looks.load(Ordering::Relaxed)
    }
}

impl Sessions for KnownSessions {
    fn known(&self, cookie: &str) -> Known {
        let by_cookie = self.by_cookie.lock().expect("the lock");
        by_cookie.get(cookie).cloned().map_or(Known::Unknown, Known::Alive)
    }

    fn find<'a>(&'a self, cookie: &'a str) -> Looked<'a> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.look(cookie)
    }

    fn look<'a>(&'a self, cookie: &'a str) -> Looked<'a> {
        let found = self.by_cookie.lock().expect("the lock").get(cookie).cloned();
        Box::pin(async move { Ok(found) })
    }
}

/// A server and what a test may turn on it.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) time: TimeSource,
    pub(crate) readiness: Readiness,
    pub(crate) stop: CancellationToken,
    next_address: AtomicU32,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Option<Bytes>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.body.as_deref().unwrap_or_default()).into_owned()
    }

    /// `name=value` of a cookie it sets.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let set = self.headers.get_all("set-cookie").iter().filter_map(|v| v.to_str().ok());
        let pairs = set.filter_map(|cookie| cookie.split(';').next());
        pairs.map(str::to_owned).find(|pair| pair.starts_with(&format!("{name}=")))
    }
}

/// A database that is not there.
pub(crate) fn no_database() -> Db {
    let connect = PgConnectOptions::from_str("postgres://nobody@127.0.0.1:1/none").expect("a URL");
    Db::lazy(connect, &DbOptions::default())
}

impl World {
    /// A server of these routes and sessions.
    pub(crate) fn new(db: Db, routes: Vec<Route>, sessions: Arc<dyn Sessions>) -> Self {
        let limits = ServerLimits::default();
        Self::with_limits(db, routes, sessions, limits)
    }

    pub(crate) fn with_limits(
        db: Db,
        routes: Vec<Route>,
        sessions: Arc<dyn Sessions>,
        limits: ServerLimits,
    ) -> Self {
        Self::build(db, routes, sessions, limits, Readiness::ready(), no_tunnels())
    }

    /// A server whose database has not answered yet.
    pub(crate) fn not_ready(db: Db, routes: Vec<Route>, sessions: Arc<dyn Sessions>) -> Self {
        let (limits, readiness) = (ServerLimits::default(), Readiness::default());
        Self::build(db, routes, sessions, limits, readiness, no_tunnels())
    }

    pub(crate) fn build(
        db: Db,
        routes: Vec<Route>,
        sessions: Arc<dyn Sessions>,
        limits: ServerLimits,
        readiness: Readiness,
        tunnels: TunnelHandler,
    ) -> Self {
        let time = TimeSource::fixed(crate::time::instant(1_795_000_000_000));
        let app = Arc::new(App {
            db,
            time: time.clone(),
            texts: Catalogue::load().expect("texts"),
            nav: routes::nav(),
            public_name: "erp.example.dz".to_owned(),
            public_url: "https://erp.example.dz".to_owned(),
            authority_pem: None,
        });
        let stop = CancellationToken::new();
        let server = Server::new(ServerParts {
            app,
            table: Table::new(routes).expect("a table"),
            sessions,
            tunnels,
            metrics: Arc::<Metrics>::default(),
            readiness: readiness.clone(),
            proxies: Proxies::default(),
            limits,
            stop: stop.clone(),
        });
        Self { server, time, readiness, stop, next_address: AtomicU32::new(0x0a00_0001) }
    }

    /// Sends a request from an address nobody used before.
    pub(crate) async fn send(&self, request: hyper::Request<Full<Bytes>>) -> Answer {
        let address = self.next_address.fetch_add(1, Ordering::Relaxed);
        self.send_from(IpAddr::V4(address.into()), request).await
    }

    /// The answer with its body still flowing.
    pub(crate) async fn open(
        &self,
        ip: IpAddr,
        mut request: hyper::Request<Full<Bytes>>,
    ) -> warp::reply::Response {
        request.extensions_mut().insert(Via { ip, tls: true });
        let mut service = warp::service(self.server.filter.clone());
        service.call(request).await.expect("warp does not fail")
    }

    pub(crate) async fn send_from(
        &self,
        ip: IpAddr,
        request: hyper::Request<Full<Bytes>>,
    ) -> Answer {
        let (parts, body) = self.open(ip, request).await.into_parts();
        let is_stream = parts
            .headers
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        // A stream of events would never be whole.
        let body =
            if is_stream { None } else { Some(body.collect().await.expect("a body").to_bytes()) };
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(request("GET", path, cookie, "")).await
    }

    pub(crate) async fn post(&self, path: &str, cookie: &str, form: &str) -> Answer {
        self.send(request("POST", path, cookie, form)).await
    }
}

/// A browser's request. `cookie` is a `Cookie` header, or a bare session token.
pub(crate) fn request(
    method: &str,
    path: &str,
    cookie: &str,
    form: &str,
) -> hyper::Request<Full<Bytes>> {
    let mut builder = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("accept", "text/html")
        .header("content-type", "application/x-www-form-urlencoded");
    if cookie.contains('=') {
        builder = builder.header("cookie", cookie);
    } else if !cookie.is_empty() {
        builder = builder.header("cookie", format!("__Host-fournil={cookie}"));
    }
    builder.body(Full::new(Bytes::from(form.to_owned()))).expect("a request")
}
