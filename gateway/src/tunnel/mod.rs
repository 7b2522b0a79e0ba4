//! The one connection to the cloud: dialled from here, verified, kept, dialled again.
//!
//! [`target`] and [`trust`] say where and whom, [`connect`] dials, [`identity`] proves
//! who we are, [`session`] carries the two logs and the [`uploads`], [`backoff`] spreads
//! the tries. It never
//! gives up: whatever the cloud says, a shop must come back without a visit.

pub mod ambient;
pub mod backoff;
pub mod connect;
pub mod enrol;
mod https;
pub mod identity;
pub mod log;
pub mod metered;
pub mod offset;
pub(crate) mod reasons;
pub mod rotate;
#[cfg(test)]
pub(crate) mod rotate_tests;
pub mod session;
pub mod state;
pub mod target;
#[cfg(test)]
mod tests;
pub mod trust;
pub mod uploads;
pub mod window;

use std::sync::Arc;
use std::time::Duration;

use fournil_protocol::close;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;

use backoff::Backoff;
use connect::{CONNECT_MAX, ConnectError};
use identity::Identity;
use log::Log;
use metered::Metered;
use session::{End, Terms};
use state::Phase;
use target::Target;
use trust::Trust;

/// Slack on promises to the watchdog.
const SLACK: Duration = Duration::from_secs(15);

/// Everything the tunnel needs.
#[derive(Debug, Clone)]
pub struct Tunnel<L> {
    pub target: Target,
    pub trust: Trust,
    pub terms: Terms<L>,
}

/// How the cloud is reached. The product has one way, [`Cloud`]; a simulation brings
/// another net.
pub trait Dial: Send + Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;

    /// Opens a line on which nothing has been said.
    fn dial(&self) -> impl Future<Output = Result<Dialled<Self::Stream>, ConnectError>> + Send;
}

/// An open line.
#[derive(Debug)]
pub struct Dialled<S> {
    pub socket: WebSocketStream<Metered<S>>,
    /// When the certificate the server showed ends, Unix milliseconds.
    pub certificate_until_ms: Option<i64>,
}

/// The cloud, over TLS.
#[derive(Debug, Clone)]
pub struct Cloud {
    pub target: Target,
    pub trust: Trust,
}

impl Dial for Cloud {
    type Stream = TlsStream<TcpStream>;

    async fn dial(&self) -> Result<Dialled<Self::Stream>, ConnectError> {
        let stream = connect::dial(&self.target, &self.trust).await?;
        let certificate_until_ms = stream.get_ref().1.peer_certificates().and_then(trust::until_ms);
        let socket = connect::upgrade(&self.target, stream).await?;
        Ok(Dialled { socket, certificate_until_ms })
    }
}

/// Keeps a session up until told to stop. Each try is made with the newest identity, and
/// a new one ends the wait: who enrols again after a revocation is not kept for an hour.
pub async fn run<L: Log>(tunnel: Tunnel<L>, stop: CancellationToken) {
    let Tunnel { target, trust, terms } = tunnel;
    let server = target.to_string();
    keep(&Cloud { target, trust }, &server, terms, stop).await;
}

/// [`run`] over any net; `server` is shown to people.
pub async fn keep<L: Log>(net: &impl Dial, server: &str, terms: Terms<L>, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut identity = terms.identity.clone();
    let mut told = None;
    while !stop.is_cancelled() {
        identity.mark_unchanged();
        let sessions_before = terms.state.borrow().sessions;
        enter(&terms, Phase::Connecting, server);
        let (wait, fault) = once(net, &terms, &mut backoff, &mut identity, &stop).await;
        if stop.is_cancelled() {
            break;
        }
        if fault == RENEWED {
            tracing::info!("the tunnel opens again with the new identity");
            continue;
        }
        // Once per change: a shop that is offline for a night must not fill its log.
        let wait_s = wait.as_secs();
        let had_session = terms.state.borrow().sessions > sessions_before;
        if told.as_ref() == Some(&fault) && !had_session {
            tracing::debug!(tunnel.wait_s = wait_s, "still no tunnel");
        } else {
            tracing::warn!(tunnel.wait_s = wait_s, cause = %fault, "no tunnel");
            told = Some(fault.clone());
        }
        rest(&terms, wait, fault);
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = sleep(wait) => {}
            () = renewed(&mut identity) => backoff = Backoff::default(),
        }
    }
}

/// Returns once there is another identity; never, when nobody can bring one any more.
async fn renewed(identity: &mut watch::Receiver<Arc<Identity>>) {
    if identity.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Not a fault, and shown to nobody: a session gave way to one with another identity.
const RENEWED: &str = "renewed";

/// One try and, if it succeeds, one session; gives the wait before the next and why.
async fn once<L: Log>(
    net: &impl Dial,
    terms: &Terms<L>,
    backoff: &mut Backoff,
    identity: &mut watch::Receiver<Arc<Identity>>,
    stop: &CancellationToken,
) -> (Duration, String) {
    let random = (terms.ambient.random)();
    terms.pulse.promise(CONNECT_MAX + SLACK);
    let opened = tokio::select! {
        biased;
        opened = net.dial() => opened,
        () = stop.cancelled() => return (Duration::ZERO, End::Stopped.to_string()),
    };
    let socket = match opened {
        Ok(Dialled { socket, certificate_until_ms }) => {
            terms.state.send_modify(|state| state.certificate_until_ms = certificate_until_ms);
            socket
        }
        Err(error) => {
            let wait = match error.retry_after() {
                Some(hint) => backoff.wait_after_busy(hint, random),
                None => backoff.next_wait(random),
            };
            return (wait, error.to_string());
        }
    };
    // A new identity shows itself at once: the cloud keeps the key before until it has.
    let yielding = stop.child_token();
    let mut session = Box::pin(session::run(socket, terms, &yielding));
    let ended = tokio::select! {
        biased;
        ended = &mut session => ended,
        () = renewed(identity) => {
            yielding.cancel();
            session.await;
            *backoff = Backoff::default();
            return (Duration::ZERO, RENEWED.to_owned());
        }
    };
    backoff.session_ended(ended.lasted);
    note(terms, &ended.why);
    let wait = match &ended.why {
        End::Goodbye { code, retry_after_ms, .. } => {
            backoff.wait_after_goodbye(*code, *retry_after_ms, random)
        }
        End::Refused { code, .. } => backoff.wait_after_goodbye(*code, 0, random),
        _ => backoff.next_wait(random),
    };
    (wait, ended.why.to_string())
}

/// What the cloud said of our key, for whoever changes it.
fn note<L>(terms: &Terms<L>, why: &End) {
    let End::Goodbye { code, .. } = why else { return };
    terms.state.send_modify(|state| match *code {
        close::ROTATE => state.rotations_asked += 1,
        close::UNKNOWN_KEY => state.keys_refused += 1,
        _ => {}
    });
}

fn enter<L>(terms: &Terms<L>, phase: Phase, server: &str) {
    let now_ms = (terms.ambient.wall_ms)();
    terms.state.send_modify(|state| {
        state.phase = phase;
        state.since_ms = now_ms;
        state.next_try_ms = None;
        server.clone_into(&mut state.server);
    });
}

fn rest<L>(terms: &Terms<L>, wait: Duration, fault: String) {
    terms.pulse.promise(wait + SLACK);
    let now_ms = (terms.ambient.wall_ms)();
    let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    terms.state.send_modify(|state| {
        state.phase = Phase::Waiting;
        state.since_ms = now_ms;
        state.next_try_ms = Some(now_ms.saturating_add(wait_ms));
        state.last_fault = Some(fault);
    });
}
