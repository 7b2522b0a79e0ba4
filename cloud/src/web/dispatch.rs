//! From a request to its response, in one order for every route: path (404), method
//! (405), session once, rate (429), sign-in (401 or the login page), permission (403),
//! body (413, 408), token (403), handler. A panic of a handler becomes a 500 page.
//!
//! Everything that may ask the database or render a page costs its caller first: a
//! cookie nobody knows is paid for by its address before it is looked up, and strangers
//! pay for refusals and unknown paths too.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use hyper::HeaderMap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::body::{self, BodyStream};
use super::cookies::{is_token, random_token, session_name, visitor_name};
use super::error::{Error, Result};
use super::metrics::Metrics;
use super::peer::caller;
use super::rate::{Allowance, RateLimits};
use super::request::{Peer, Request};
use super::response::Response;
use super::session::{Known, Session, Sessions};
use super::table::{Access, Method, RateClass, Route, Table};
use super::{failure, headers};
use crate::app::App;

/// Pages and forms: a busy till stays far below it.
const NORMAL: Allowance = Allowance { burst: 240, refill_ms: 50 };
/// Login.
const GUARDED: Allowance = Allowance { burst: 10, refill_ms: 6_000 };
/// Enrolment: in no hour more than 20 tries, ten saved up and ten that grow back.
const SCARCE: Allowance = Allowance { burst: 10, refill_ms: 360_000 };

/// Whether the program can work yet; until then every route answers 503.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Ready from the start.
    #[must_use]
    pub fn ready() -> Self {
        let readiness = Self::default();
        readiness.set_ready();
        readiness
    }

    pub fn set_ready(&self) {
        self.0.store(true, Ordering::Release);
    }

    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A request as warp gathered it, with its body unread.
pub(super) struct Asked {
    pub(super) method: hyper::Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) peer: Peer,
    pub(super) secure: bool,
    pub(super) body: BodyStream,
}

/// The table with all it needs to answer.
#[derive(Clone)]
pub(super) struct Dispatcher {
    pub(super) app: Arc<App>,
    pub(super) table: Arc<Table>,
    pub(super) sessions: Arc<dyn Sessions>,
    pub(super) limits: Arc<RateLimits>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) readiness: Readiness,
    pub(super) body_progress: Duration,
    pub(super) stop: CancellationToken,
}

impl Dispatcher {
    /// Answers anything.
    pub(super) async fn answer(&self, asked: Asked) -> warp::reply::Response {
        let started = Instant::now();
        let is_head = asked.method == hyper::Method::HEAD;
        let method = Method::parse(&asked.method);
        let found = self.table.find(method, &asked.path);
        let route = found.as_ref().ok().map(|found| found.route);
        let mut request = self.request(&asked, method.unwrap_or(Method::Get));
        let strict = asked.secure && headers::may_be_strict(&self.app.public_name);

        let outcome = match found {
            Ok(found) => {
                request.params = found.params;
                self.let_in(&mut request, found.route, asked.body).await
            }
            Err(error) => Err(self.no_such_route(&mut request, error).await),
        };
        let response = outcome.unwrap_or_else(|error| failure::response(&request, &error));
        let response = with_visitor_token(&request, response);

        let label = route.map_or("none", |route| route.path);
        let named = method.map_or("OTHER", Method::as_str);
        self.metrics.answered(label, named, response.status(), started.elapsed());
        let mut response = response.into_warp(is_head, self.ends(&request, route).come());
        headers::secure(response.headers_mut(), strict);
        response
    }

    fn request(&self, asked: &Asked, method: Method) -> Request {
        Request {
            app: Arc::clone(&self.app),
            method,
            path: asked.path.clone(),
            params: Vec::new(),
            query: asked.query.clone(),
            headers: asked.headers.clone(),
            peer: asked.peer,
            secure: asked.secure,
            limits: Arc::clone(&self.limits),
            session: None,
            visitor_csrf: None,
            body: Bytes::new(),
        }
    }

    /// The session is looked up for error pages too, so that they carry the menu.
    async fn no_such_route(&self, request: &mut Request, error: Error) -> Error {
        if !self.readiness.is_ready() {
            return error;
        }
        match self.session(request).await {
            Ok(session) => {
                request.session = session;
                self.check_rate(request, None).err().unwrap_or(error)
            }
            Err(tired @ Error::TooMany(_)) => tired,
            Err(_) => error,
        }
    }

    async fn let_in(
        &self,
        request: &mut Request,
        route: &Route,
        body: BodyStream,
    ) -> Result<Response> {
        if !self.readiness.is_ready() {
            return Err(Error::Unavailable);
        }
        request.session = self.session(request).await?;
        request.visitor_csrf = visitor_token(request, route)?;
        self.check_rate(request, Some(route))?;
        check_access(route.access, request.session.as_ref())?;
        if route.method != Method::Get {
            let bytes_max = route.body_bytes_max;
            request.body =
                body::read(body, &request.headers, bytes_max, self.body_progress).await?;
            // A cookie came by itself; the token shows that a page of ours asked. Without a
            // session the handler's own reading of the form checks the visitor's token.
            if request.session.is_some() {
                request.check_csrf()?;
            }
        }
        run(route, request.clone()).await
    }

    async fn session(&self, request: &Request) -> Result<Option<Session>> {
        let cookie = request.cookie(session_name(request.secure));
        let Some(cookie) = cookie.filter(|cookie| is_token(cookie)) else { return Ok(None) };
        match self.sessions.known(cookie) {
            Known::Alive(session) => return Ok(Some(session)),
            Known::Nobody => return Ok(None),
            // Bounded by the number of people: their address need not pay, so that one
            // bad machine of a shop does not sign the others out.
            Known::Stale => {}
            Known::Unknown => self.take(&address_key(request), NORMAL)?,
        }
        self.sessions.find(cookie).await
    }

    /// Guarded routes count by address alone, others by user where there is one: a shop's
    /// people share one address. `None` is a path that does not exist.
    fn check_rate(&self, request: &Request, route: Option<&Route>) -> Result<()> {
        let class = route.map_or(RateClass::Normal, |route| route.rate);
        let own = || {
            let path = route.map_or("", |route| route.path);
            format!("{path}:{}", caller(request.peer.0))
        };
        match (class, &request.session) {
            (RateClass::Guarded, _) => self.take(&own(), GUARDED),
            (RateClass::Scarce, _) => self.take(&own(), SCARCE),
            (RateClass::Normal, Some(user)) => self.take(&format!("user:{}", user.user_id), NORMAL),
            (RateClass::Normal, None) => self.take(&address_key(request), NORMAL),
        }
    }

    fn take(&self, key: &str, allowance: Allowance) -> Result<()> {
        self.limits.take(key, allowance, self.app.time.now()).map_err(Error::TooMany)
    }

    /// What ends a stream of events: the server, and the session that was let in.
    fn ends(&self, request: &Request, route: Option<&Route>) -> Ends {
        let cookie = request.session_cookie().map(str::to_owned);
        let signed_in = request.session.as_ref().zip(cookie).map(|(session, cookie)| SignedIn {
            sessions: Arc::clone(&self.sessions),
            cookie,
            user_id: session.user_id,
            access: route.map_or(Access::SignedIn, |route| route.access),
        });
        Ends { stop: self.stop.clone(), signed_in }
    }
}

/// Who let a stream of events in, asked again for as long as it flows.
struct SignedIn {
    sessions: Arc<dyn Sessions>,
    cookie: String,
    user_id: Uuid,
    access: Access,
}

impl SignedIn {
    /// False once the session ended, is somebody else's or lost the permission. With the
    /// database away nothing is known and the stream goes on; its life is bounded anyway.
    async fn may_go_on(&self) -> bool {
        match self.sessions.look(&self.cookie).await {
            Ok(session) => {
                let session = session.filter(|session| session.user_id == self.user_id);
                session.is_some() && check_access(self.access, session.as_ref()).is_ok()
            }
            Err(_) => true,
        }
    }
}

/// How long a stream of events may outlive the session it was opened with.
const SESSION_ASKED_EVERY: Duration = Duration::from_secs(5);

/// What ends a stream of events before its own end.
struct Ends {
    stop: CancellationToken,
    signed_in: Option<SignedIn>,
}

impl Ends {
    /// Returns when the stream must end. Cancel safe: it only asks and waits.
    async fn come(self) {
        let ended = async {
            let Some(signed_in) = self.signed_in else { return std::future::pending().await };
            loop {
                tokio::time::sleep(SESSION_ASKED_EVERY).await;
                if !signed_in.may_go_on().await {
                    return;
                }
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = ended => {}
        }
    }
}

fn address_key(request: &Request) -> String {
    format!("address:{}", caller(request.peer.0))
}

fn check_access(access: Access, session: Option<&Session>) -> Result<()> {
    match (access, session) {
        (Access::Public, _) | (Access::SignedIn, Some(_)) => Ok(()),
        (Access::Needs(permission), Some(session)) if session.may(permission) => Ok(()),
        (Access::Needs(permission), Some(_)) => Err(Error::Forbidden(permission.0)),
        (Access::SignedIn | Access::Needs(_), None) => Err(Error::SignInNeeded),
    }
}

/// The token of a visitor's forms: what the cookie holds, or a new one for a public page.
fn visitor_token(request: &Request, route: &Route) -> Result<Option<String>> {
    if request.session.is_some() || route.access != Access::Public {
        return Ok(None);
    }
    if let Some(known) = request.cookie(visitor_name(request.secure)).filter(|t| is_token(t)) {
        return Ok(Some(known.to_owned()));
    }
    if route.method != Method::Get {
        return Ok(None);
    }
    let token = random_token().map_err(anyhow::Error::new)?;
    Ok(Some(token))
}

/// Gives the visitor the token that the page just shown expects back.
fn with_visitor_token(request: &Request, response: Response) -> Response {
    match &request.visitor_csrf {
        Some(token) if response.is_html() && request.cookie_is_other(token) => {
            response.with_visitor(token, request.secure)
        }
        _ => response,
    }
}

async fn run(route: &Route, request: Request) -> Result<Response> {
    let handled = AssertUnwindSafe(async { (route.handler)(request).await }).catch_unwind();
    handled.await.unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Err(Error::Internal(anyhow::anyhow!("a handler panicked: {what}")))
    })
}
