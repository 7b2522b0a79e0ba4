//! The life of the process: parts that die and start again alone, a stop in two steps,
//! and a watchdog that is fed by progress only.
//!
//! Stop: a first signal cancels the soft token and parts end in good order; five seconds
//! later, or at a second signal, the hard token aborts what is left. An essential part
//! that ends early stops the process with a failure, so that systemd starts it afresh.

mod pulse;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

pub use pulse::Pulse;

use crate::tunnel::ambient::Ambient;
use crate::tunnel::backoff::Backoff;

/// From the first signal to the hard stop.
const GRACE: Duration = Duration::from_secs(5);
/// How often promises are looked at when systemd does not say.
const WATCH_EVERY: Duration = Duration::from_secs(10);

/// Starts and keeps parts.
#[derive(Debug)]
pub struct Supervisor {
    soft: CancellationToken,
    hard: CancellationToken,
    ambient: Ambient,
    parts: JoinSet<Option<Failure>>,
    promises: Vec<(String, Pulse)>,
}

/// Why the process ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("« {0} » s'est arrêté : le service repart de zéro")]
    Essential(String),
    /// The identity changed under the daemon.
    #[error("la passerelle a été enrôlée de nouveau : le service repart avec cette identité")]
    Reenrolled,
    #[error("arrêt forcé : une partie ne s'est pas terminée à temps")]
    Forced,
}

impl Supervisor {
    pub fn new(ambient: Ambient) -> Self {
        Self {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            ambient,
            parts: JoinSet::new(),
            promises: Vec::new(),
        }
    }

    /// The token that tells parts to end.
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Counts a promise into the watchdog's.
    pub fn watch(&mut self, name: &str, pulse: Pulse) {
        self.promises.push((name.to_owned(), pulse));
    }

    /// A part that is started again whenever it ends, panics included.
    pub fn part<F, P>(&mut self, name: impl Into<String>, start: F)
    where
        F: FnMut() -> P + Send + 'static,
        P: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (soft, hard) = (self.soft.clone(), self.hard.clone());
        self.parts.spawn(keep(name.into(), start, soft, hard, self.ambient));
    }

    /// A part the process cannot do without.
    pub fn essential<P>(&mut self, name: &str, part: P)
    where
        P: Future<Output = ()> + Send + 'static,
    {
        self.until(part, Failure::Essential(name.to_owned()));
    }

    /// A part whose end, before the soft stop, ends the process with a failure.
    pub fn until<P>(&mut self, part: P, failure: Failure)
    where
        P: Future<Output = ()> + Send + 'static,
    {
        let (soft, hard) = (self.soft.clone(), self.hard.clone());
        self.parts.spawn(async move {
            tokio::select! {
                () = part => (!soft.is_cancelled()).then_some(failure),
                () = hard.cancelled() => None,
            }
        });
    }

    /// Lives until a signal or an essential part ends it. `reload` answers SIGHUP.
    pub async fn run(mut self, mut reload: impl FnMut()) -> Result<(), Failure> {
        let (mut signals, mut watch) = match (Signals::listen(), Self::ticker()) {
            (Ok(signals), watch) => (signals, watch),
            (Err(error), _) => {
                tracing::error!(%error, "signals cannot be received");
                return Err(Failure::Essential("signaux".to_owned()));
            }
        };
        tell(&[NotifyState::Ready]);
        let mut failure = None;
        while failure.is_none() && !self.soft.is_cancelled() {
            tokio::select! {
                told = signals.next() => match told {
                    Told::Stop => self.soft.cancel(),
                    Told::Reload => reload(),
                },
                _ = watch.tick() => self.feed_watchdog(),
                Some(ended) = self.parts.join_next() => failure = ended_early(ended),
                () = self.soft.cancelled() => {}
            }
        }
        tell(&[NotifyState::Stopping]);
        self.soft.cancel();
        let was_forced = self.stop(&mut signals).await;
        match failure {
            Some(failure) => Err(failure),
            None if was_forced => Err(Failure::Forced),
            None => Ok(()),
        }
    }

    fn ticker() -> tokio::time::Interval {
        let every = sd_notify::watchdog_enabled().map_or(WATCH_EVERY, |period| period / 3);
        let mut ticker = interval(every.max(Duration::from_millis(100)));
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticker
    }

    fn feed_watchdog(&self) {
        let late: Vec<&str> = self
            .promises
            .iter()
            .filter(|(_, pulse)| pulse.is_late())
            .map(|(name, _)| name.as_str())
            .collect();
        if late.is_empty() {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(parts = late.join(","), "no progress: the watchdog goes unfed");
        }
    }

    /// Waits for the parts, then makes them end; true when it had to.
    async fn stop(&mut self, signals: &mut Signals) -> bool {
        let deadline = Instant::now() + GRACE;
        loop {
            tokio::select! {
                ended = self.parts.join_next() => if ended.is_none() { return false },
                () = sleep_until(deadline) => break,
                told = signals.next() => if told == Told::Stop { break },
            }
        }
        self.hard.cancel();
        while self.parts.join_next().await.is_some() {}
        true
    }
}

fn ended_early(ended: Result<Option<Failure>, JoinError>) -> Option<Failure> {
    match ended {
        Ok(failure) => failure,
        Err(error) if error.is_cancelled() => None,
        Err(error) => Some(Failure::Essential(panic_text(error))),
    }
}

/// Aborts its task when dropped, so that a part never outlives its keeper.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs one part again and again. Each run is a task of its own, so that a panic ends
/// nothing else.
async fn keep<F, P>(
    name: String,
    mut start: F,
    soft: CancellationToken,
    hard: CancellationToken,
    ambient: Ambient,
) -> Option<Failure>
where
    F: FnMut() -> P + Send + 'static,
    P: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut backoff = Backoff::default();
    loop {
        let began = Instant::now();
        let mut task = tokio::spawn(start());
        let _guard = AbortOnDrop(task.abort_handle());
        let ended = tokio::select! {
            ended = &mut task => ended,
            () = hard.cancelled() => return None,
        };
        if soft.is_cancelled() {
            return None;
        }
        let why = match ended {
            Ok(Ok(())) => "ended by itself".to_owned(),
            Ok(Err(error)) => format!("{error:#}"),
            Err(error) => panic_text(error),
        };
        backoff.session_ended(began.elapsed());
        let wait = backoff.next_wait((ambient.random)());
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::error!(part = name, cause = why, wait_ms, "part ended; it starts again");
        tokio::select! {
            () = sleep(wait) => {}
            () = soft.cancelled() => return None,
        }
    }
}

fn panic_text(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "aborted".to_owned() };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panic: {}", text.unwrap_or_default())
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }
}

/// systemd may not be there; then there is nobody to tell.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
