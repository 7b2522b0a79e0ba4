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
pub mod identity;
pub mod log;
pub mod metered;
pub mod offset;
pub(crate) mod reasons;
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

    /// A WebSocket on which nothing has been said.
    fn dial(
        &self,
    ) -> impl Future<Output = Result<WebSocketStream<Metered<Self::Stream>>, ConnectError>> + Send;
}

/// The cloud, over TLS.
#[derive(Debug, Clone)]
pub struct Cloud {
    pub target: Target,
    pub trust: Trust,
}

impl Dial for Cloud {
    type Stream = TlsStream<TcpStream>;

    async fn dial(&self) -> Result<connect::Socket, ConnectError> {
        let stream = connect::dial(&self.target, &self.trust).await?;
        connect::upgrade(&self.target, stream).await
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
        let (wait, fault) = once(net, &terms, &mut backoff, &stop).await;
        if stop.is_cancelled() {
            break;
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

/// One try and, if it succeeds, one session; gives the wait before the next and why.
async fn once<L: Log>(
    net: &impl Dial,
    terms: &Terms<L>,
    backoff: &mut Backoff,
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
        Ok(socket) => socket,
        Err(error) => {
            let wait = match error.retry_after() {
                Some(hint) => backoff.wait_after_busy(hint, random),
                None => backoff.next_wait(random),
            };
            return (wait, error.to_string());
        }
    };
    let ended = session::run(socket, terms, stop).await;
    backoff.session_ended(ended.lasted);
    let wait = match &ended.why {
        End::Goodbye { code, retry_after_ms, .. } => {
            backoff.wait_after_goodbye(*code, *retry_after_ms, random)
        }
        End::Refused { code, .. } => backoff.wait_after_goodbye(*code, 0, random),
        _ => backoff.next_wait(random),
    };
    (wait, ended.why.to_string())
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
