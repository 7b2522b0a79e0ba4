//! The life of the process: parts that die and start again alone, a stop in two steps,
//! and a watchdog that is fed by progress only.
//!
//! Stop: a first signal cancels the soft token and parts end in good order; four seconds
//! later, or at a second signal, the hard token aborts what is left. An essential part
//! that ends early, or makes no progress, stops the process with a failure, so that systemd
//! starts it afresh; any other part that makes none is aborted and started again alone.

mod keep;
mod pulse;
mod systemd;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

pub use keep::Kept;
use keep::{Keeper, panic_text};
pub use pulse::{Pulse, progress};
pub use systemd::watch_every;

use crate::tunnel::ambient::Ambient;

/// From the first signal to the hard stop; with the journal's last words behind it a stop
/// takes five seconds at the most.
const GRACE: Duration = Duration::from_secs(4);
/// An essential part that has broken its promise for so long ends the process.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// Starts and keeps parts.
pub struct Supervisor {
    soft: CancellationToken,
    hard: CancellationToken,
    ambient: Ambient,
    parts: JoinSet<Option<Failure>>,
    promises: Vec<(String, Pulse)>,
    status: Box<dyn Fn() -> String + Send>,
}

/// Why the process ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("« {0} » s'est arrêté : le service repart de zéro")]
    Essential(String),
    /// The identity changed under the daemon.
    #[error("la passerelle a été enrôlée de nouveau : le service repart avec cette identité")]
    Reenrolled,
    /// It lives and does nothing.
    #[error("« {0} » n'avance plus : le service repart de zéro")]
    Stuck(String),
    #[error("arrêt forcé : une partie ne s'est pas terminée à temps")]
    Forced,
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Supervisor").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

impl Supervisor {
    pub fn new(ambient: Ambient) -> Self {
        Self {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            ambient,
            parts: JoinSet::new(),
            promises: Vec::new(),
            status: Box::new(String::new),
        }
    }

    /// The token that tells parts to end.
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// The line that `systemctl status` shows.
    pub fn tell(&mut self, status: impl Fn() -> String + Send + 'static) {
        self.status = Box::new(status);
    }

    /// Counts the promise of an essential part into the watchdog's.
    pub fn watch(&mut self, name: &str, pulse: Pulse) {
        self.promises.push((name.to_owned(), pulse));
    }

    /// A part that is started again whenever it ends, panics included.
    pub fn part<F, P>(&mut self, name: impl Into<String>, mut start: F)
    where
        F: FnMut() -> P + Send + 'static,
        P: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.keep(name.into(), None, move |_| start());
    }

    /// A part that can be ended alone, by the token it is given, and that is aborted and
    /// started again when it stops saying [`progress`].
    pub fn moving<F, P>(&mut self, name: impl Into<String>, pulse: Pulse, start: F) -> Kept
    where
        F: FnMut(CancellationToken) -> P + Send + 'static,
        P: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.keep(name.into(), Some(pulse), start)
    }

    fn keep<F, P>(&mut self, name: String, pulse: Option<Pulse>, start: F) -> Kept
    where
        F: FnMut(CancellationToken) -> P + Send + 'static,
        P: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (keeper, kept) = Keeper::new(name, pulse, &self.soft, &self.hard, self.ambient);
        self.parts.spawn(keeper.keep(start));
        kept
    }

    /// Something to be done once, beside the parts.
    pub fn errand(&mut self, errand: impl Future<Output = ()> + Send + 'static) {
        let soft = self.soft.clone();
        self.parts.spawn(async move {
            tokio::select! {
                () = errand => {}
                () = soft.cancelled() => {}
            }
            None
        });
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
    pub async fn run(mut self, mut reload: impl FnMut(&mut Self)) -> Result<(), Failure> {
        let mut signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => {
                tracing::error!(%error, "signals cannot be received");
                return Err(Failure::Essential("signaux".to_owned()));
            }
        };
        let mut watch = interval(systemd::watch_every());
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        systemd::ready(&(self.status)());
        let mut failure = None;
        while failure.is_none() && !self.soft.is_cancelled() {
            tokio::select! {
                told = signals.next() => match told {
                    Told::Stop => self.soft.cancel(),
                    Told::Reload => {
                        systemd::reloading();
                        reload(&mut self);
                        systemd::ready(&(self.status)());
                    }
                },
                _ = watch.tick() => failure = self.feed_watchdog(),
                Some(ended) = self.parts.join_next() => failure = ended_early(ended),
                () = self.soft.cancelled() => {}
            }
        }
        systemd::stopping("arrêt en cours");
        self.soft.cancel();
        let was_forced = self.stop(&mut signals).await;
        match failure {
            Some(failure) => Err(failure),
            None if was_forced => Err(Failure::Forced),
            None => Ok(()),
        }
    }

    /// Feeds the watchdog while every essential part keeps its promise; gives the failure
    /// once one has broken it for too long.
    fn feed_watchdog(&self) -> Option<Failure> {
        let late: Vec<&str> = self
            .promises
            .iter()
            .filter(|(_, pulse)| pulse.is_late())
            .map(|(name, _)| name.as_str())
            .collect();
        if late.is_empty() {
            systemd::alive(&(self.status)());
            return None;
        }
        let late = late.join(", ");
        tracing::error!(parts = late, "no progress: the watchdog goes unfed");
        systemd::status(&format!("n'avance plus : {late}"));
        let stuck = self.promises.iter().find(|(_, pulse)| pulse.late_by() > STUCK_AFTER);
        stuck.map(|(name, _)| Failure::Stuck(name.clone()))
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
