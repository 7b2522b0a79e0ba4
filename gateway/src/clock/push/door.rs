//! Where clocks call: plain HTTP in the shop's network, and everything that bounds what
//! whoever is there can do. What a clock asks goes to its desk; nobody else is answered.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fournil_protocol::event::{Body, Notice, Severity};
use fournil_protocol::iclock::{self, Ask, AskError, Wanted};
use fournil_protocol::words;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, DATE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::config::AllowFrom;
use crate::clock::poll::Surroundings;
use crate::i18n::say;
use crate::seam::Recorder;
use crate::supervise::progress;

/// Calls of one clock that wait for its desk; it makes one at a time.
pub(super) const CALLS_MAX: usize = 4;
/// Open connections; more wait to be taken.
const CONNECTIONS_MAX: usize = 32;
const HEAD_WITHIN: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 8 * 1024;
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// A body of a few thousand punches on a slow disk.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
/// No connection lasts longer, so that none is held for ever.
const CONNECTION_WITHIN: Duration = Duration::from_mins(15);
/// Until the address is tried again.
const LISTEN_PAUSE: Duration = Duration::from_secs(10);
/// Numbers of strangers that are told of in one run.
const STRANGERS_MAX: usize = 8;
const TURN: Duration = Duration::from_secs(30);
const TURNS_LATE: u32 = 4;

/// What a clock asks of its desk.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) wanted: Wanted,
    pub(super) body: Bytes,
    pub(super) from: IpAddr,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// What a clock is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn ok(text: impl Into<String>) -> Answer {
        Answer { status: StatusCode::OK, text: text.into() }
    }

    /// Nothing that the clock would take for a yes.
    pub(super) fn unknown(status: StatusCode) -> Answer {
        Answer { status, text: "UNKNOWN DEVICE".to_owned() }
    }

    /// The clock keeps what it has and comes again.
    pub(super) fn retry(status: StatusCode) -> Answer {
        Answer { status, text: "RETRY".to_owned() }
    }
}

/// The way to one clock's desk.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) allow_from: Vec<AllowFrom>,
    pub(super) calls: mpsc::Sender<Call>,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) listen: SocketAddr,
    pub(super) ways: HashMap<String, Way>,
    pub(super) recorder: Recorder,
    pub(super) around: Surroundings,
    /// Why nobody can call, for the desks.
    pub(super) listening: watch::Sender<Option<String>>,
}

/// What every connection needs.
#[derive(Debug)]
struct Hall {
    ways: HashMap<String, Way>,
    recorder: Recorder,
    around: Surroundings,
    strangers: Mutex<HashSet<String>>,
}

impl Door {
    /// Listens until `stop`; an address that cannot be had is tried again and again.
    pub(super) async fn serve(self, stop: CancellationToken) {
        let Door { listen, ways, recorder, around, listening } = self;
        let strangers = Mutex::default();
        let hall = Arc::new(Hall { ways, recorder, around, strangers });
        loop {
            progress(TURN * TURNS_LATE);
            match TcpListener::bind(listen).await {
                Ok(listener) => {
                    tracing::info!(push.listen = %listen, "clocks can call");
                    listening.send_replace(None);
                    return take(listener, hall, &stop).await;
                }
                Err(error) => {
                    let why = say("push-not-listening", &[("listen", &listen), ("why", &error)]);
                    tracing::warn!(push.listen = %listen, %error, "{why}");
                    listening.send_replace(Some(why));
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LISTEN_PAUSE) => {}
            }
        }
    }
}

/// Takes connections until `stop`. What is under way then is cut: without an answer a clock
/// sends the same again.
async fn take(listener: TcpListener, hall: Arc<Hall>, stop: &CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut turns = tokio::time::interval(TURN);
    loop {
        let come = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        tokio::select! {
            () = stop.cancelled() => return,
            _ = turns.tick() => progress(TURN * TURNS_LATE),
            Some(_) = connections.join_next() => {}
            (come, place) = come => match come {
                Ok((stream, peer)) => {
                    let hall = Arc::clone(&hall);
                    connections.spawn(async move {
                        serve_one(stream, peer, hall).await;
                        drop(place);
                    });
                }
                // No file left, or the peer was gone before: the next may be better.
                Err(error) => {
                    tracing::debug!(%error, "a connection was not taken");
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
}

async fn serve_one(stream: TcpStream, peer: SocketAddr, hall: Arc<Hall>) {
    let service = service_fn(move |request| {
        let hall = Arc::clone(&hall);
        async move { Ok::<_, Infallible>(hall.answer(request, peer.ip().to_canonical()).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        // The clock sets itself by it: only the true time is said.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_WITHIN, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(push.peer = %peer, %error, "a call broke off"),
        Err(_) => tracing::debug!(push.peer = %peer, "a connection was held too long"),
    }
}

impl Hall {
    async fn answer(&self, request: Request<Incoming>, from: IpAddr) -> Response<Full<Bytes>> {
        let answer = match self.true_time() {
            Some(_) => self.hear(request, from).await,
            None => Answer::retry(StatusCode::SERVICE_UNAVAILABLE),
        };
        let Answer { status, text } = answer;
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        if let Some(date) = self.true_time().as_ref().and_then(date) {
            headers.insert(DATE, date);
        }
        response
    }

    fn true_time(&self) -> Option<DateTime<Utc>> {
        let wall_ms = crate::time::now().timestamp_millis();
        DateTime::from_timestamp_millis(self.around.cloud_offset.cloud_ms(wall_ms)?)
    }

    async fn hear(&self, request: Request<Incoming>, from: IpAddr) -> Answer {
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        let ask = match Ask::read(request.method().as_str(), uri.path(), query) {
            Ok(ask) => ask,
            Err(error) => {
                let status = match error {
                    AskError::Path => StatusCode::NOT_FOUND,
                    AskError::Method => StatusCode::METHOD_NOT_ALLOWED,
                    AskError::Serial => StatusCode::BAD_REQUEST,
                };
                return Answer { status, text: format!("UNKNOWN: {error}") };
            }
        };
        let Ask { serial, wanted } = ask;
        let allowed = |way: &&Way| {
            way.allow_from.is_empty() || way.allow_from.iter().any(|net| net.holds(from))
        };
        let Some(way) = self.ways.get(&serial).filter(allowed) else {
            self.tell_stranger(&serial, from).await;
            return Answer::unknown(StatusCode::FORBIDDEN);
        };
        let body = match timeout(BODY_WITHIN, whole(request.into_body())).await {
            Ok(Some(body)) => body,
            Ok(None) => return Answer::retry(StatusCode::PAYLOAD_TOO_LARGE),
            Err(_) => return Answer::retry(StatusCode::REQUEST_TIMEOUT),
        };
        let (answer, answered) = oneshot::channel();
        if way.calls.try_send(Call { wanted, body, from, answer }).is_err() {
            return Answer::retry(StatusCode::SERVICE_UNAVAILABLE);
        }
        match timeout(ANSWER_WITHIN, answered).await {
            Ok(Ok(answer)) => answer,
            _ => Answer::retry(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    /// Tells once of each number that nobody let in: it may be the shop's new clock.
    async fn tell_stranger(&self, serial: &str, from: IpAddr) {
        let is_new = {
            let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
            strangers.len() < STRANGERS_MAX && strangers.insert(serial.to_owned())
        };
        if !is_new {
            return;
        }
        let detail = say("push-stranger", &[("serial", &serial), ("from", &from)]);
        tracing::warn!(push.serial = serial, push.from = %from, "{detail}");
        let notice = Notice {
            severity: Severity::Warning.into(),
            code: words::CLOCK_UNKNOWN_CALLS.to_owned(),
            detail,
            device: String::new(),
        };
        if let Err(error) = self.recorder.record(vec![Body::Notice(notice)]).await {
            tracing::debug!(%error, "a stranger is not told of");
        }
    }
}

/// A body within its bound; `None` where it is larger or breaks off.
async fn whole(body: Incoming) -> Option<Bytes> {
    let limited = Limited::new(body, iclock::BODY_BYTES_MAX).collect().await;
    limited.ok().map(http_body_util::Collected::to_bytes)
}

/// As HTTP writes it, always GMT.
fn date(time: &DateTime<Utc>) -> Option<HeaderValue> {
    HeaderValue::from_str(&time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}
