//! A part's promise to be heard again within so long. The watchdog is fed while every
//! promise is kept, so it shows progress and not merely that a timer runs.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a promise is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// Of the part that this task runs.
    static OWN: Pulse;
}

/// "I work, and will say so again within this time", said by a supervised part wherever it
/// is. Outside of one, as in a command of the command line, it says nothing.
pub fn progress(within: Duration) {
    let _ = OWN.try_with(|pulse| pulse.promise(within));
}

/// Runs a part that says [`progress`].
pub(super) fn within<F: Future>(pulse: Pulse, part: F) -> impl Future<Output = F::Output> {
    OWN.scope(pulse, part)
}

/// One part's promise. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pulse {
    start: Instant,
    due_ms: Arc<AtomicU64>,
}

impl Pulse {
    /// Begins with a first promise.
    pub fn new(within: Duration) -> Self {
        let pulse = Self { start: Instant::now(), due_ms: Arc::new(AtomicU64::new(0)) };
        pulse.promise(within);
        pulse
    }

    /// "I work, and will say so again within this time."
    pub fn promise(&self, within: Duration) {
        let due = (self.start.elapsed() + within).as_millis();
        self.due_ms.store(u64::try_from(due).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// True when the promise was not kept.
    pub fn is_late(&self) -> bool {
        self.late_by() > Duration::ZERO
    }

    /// For how long the promise has not been kept.
    pub fn late_by(&self) -> Duration {
        let due = Duration::from_millis(self.due_ms.load(Ordering::Relaxed));
        self.start.elapsed().saturating_sub(due)
    }

    /// Waits until a promise is broken.
    pub async fn broken(&self) {
        while !self.is_late() {
            let due = Duration::from_millis(self.due_ms.load(Ordering::Relaxed));
            let left = due.saturating_sub(self.start.elapsed());
            // A later promise may be shorter than the one that is slept on.
            sleep(left.min(LOOK_EVERY) + Duration::from_millis(1)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_promise_kept_is_not_late_and_a_broken_one_is() {
        let pulse = Pulse::new(Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(!pulse.is_late());
        pulse.promise(Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(pulse.is_late());
    }
}
