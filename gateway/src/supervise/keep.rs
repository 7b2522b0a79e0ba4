//! One part and its keeper: runs it, hears its promises, starts it again.

use std::future::Future;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinError};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Failure;
use super::pulse::{self, Pulse};
use crate::tunnel::ambient::Ambient;
use crate::tunnel::backoff::Backoff;

/// How long a part may take from its start to its first promise.
const START_WITHIN: Duration = Duration::from_mins(2);
/// How long an aborted part may take to let go. One that does not is stuck inside a call
/// that blocks, and only the end of the process frees it. Where that call holds the thread
/// that keeps the timers, nothing here wakes up: systemd's watchdog ends the process.
const ABORT_WAIT: Duration = Duration::from_secs(2);

/// A running part, to end it alone.
#[derive(Debug, Clone)]
pub struct Kept {
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Kept {
    /// Tells the part to end, for good.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Becomes cancelled once the part has ended for good.
    pub fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }
}

/// What a keeper knows of its part.
pub(super) struct Keeper {
    pub(super) name: String,
    /// Which the part must keep by [`pulse::progress`]; `None` for one that has nothing to do
    /// until somebody asks.
    pub(super) pulse: Option<Pulse>,
    pub(super) stop: CancellationToken,
    pub(super) hard: CancellationToken,
    pub(super) ambient: Ambient,
    _ended: DropGuard,
}

impl Keeper {
    pub(super) fn new(
        name: String,
        pulse: Option<Pulse>,
        soft: &CancellationToken,
        hard: &CancellationToken,
        ambient: Ambient,
    ) -> (Self, Kept) {
        let (stop, ended) = (soft.child_token(), CancellationToken::new());
        let kept = Kept { stop: stop.clone(), ended: ended.clone() };
        let hard = hard.clone();
        (Self { name, pulse, stop, hard, ambient, _ended: ended.drop_guard() }, kept)
    }

    /// Runs the part again and again. Each run is a task of its own, so that a panic ends
    /// nothing else.
    pub(super) async fn keep<F, P>(self, mut start: F) -> Option<Failure>
    where
        F: FnMut(CancellationToken) -> P + Send + 'static,
        P: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let mut backoff = Backoff::default();
        loop {
            let began = Instant::now();
            if let Some(pulse) = &self.pulse {
                pulse.promise(START_WITHIN);
            }
            let run = start(self.stop.clone());
            let mut task = match self.pulse.clone() {
                Some(pulse) => tokio::spawn(pulse::within(pulse, run)),
                None => tokio::spawn(run),
            };
            let _guard = AbortOnDrop(task.abort_handle());
            let ended = tokio::select! {
                ended = &mut task => Some(ended),
                () = self.hard.cancelled() => return None,
                () = late(self.pulse.as_ref()) => {
                    task.abort();
                    match timeout(ABORT_WAIT, &mut task).await {
                        Ok(_) => None,
                        Err(_) => return Some(Failure::Stuck(self.name)),
                    }
                }
            };
            if self.stop.is_cancelled() {
                return None;
            }
            let why = match ended {
                None => "no progress any more: it was aborted".to_owned(),
                Some(Ok(Ok(()))) => "ended by itself".to_owned(),
                Some(Ok(Err(error))) => format!("{error:#}"),
                Some(Err(error)) => panic_text(error),
            };
            backoff.session_ended(began.elapsed());
            let wait = backoff.next_wait((self.ambient.random)());
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            tracing::error!(part = self.name, cause = why, wait_ms, "part ended; it starts again");
            if let Some(pulse) = &self.pulse {
                pulse.promise(wait + START_WITHIN);
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = self.stop.cancelled() => return None,
            }
        }
    }
}

/// Aborts its task when dropped, so that a part never outlives its keeper.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn late(pulse: Option<&Pulse>) {
    match pulse {
        Some(pulse) => pulse.broken().await,
        None => std::future::pending().await,
    }
}

pub(super) fn panic_text(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "aborted".to_owned() };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panic: {}", text.unwrap_or_default())
}
