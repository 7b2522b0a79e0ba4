//! How many handshakes a node begins in a second. A thousand shops that lost one cloud come
//! back at once; those beyond the bound are told when, each a little later than the one
//! before, and cost no look at the database. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Nobody is sent away for less, or for longer.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_mins(5);
/// What may come at once, in handshakes of so long a time.
const BURST: Duration = Duration::from_secs(1);

/// The bound.
#[derive(Debug)]
pub(super) struct Admission {
    /// Between two handshakes.
    slot: Duration,
    /// When the handshakes that were begun are paid for.
    paid_at: Option<Instant>,
    /// The moment that was given to the last one sent away.
    next_at: Option<Instant>,
}

impl Admission {
    pub(super) fn new(per_second: u32) -> Self {
        let slot = Duration::from_secs(1) / per_second.max(1);
        Self { slot, paid_at: None, next_at: None }
    }

    /// Lets one begin, or says how long it is to stay away.
    pub(super) fn ask(&mut self, now: Instant) -> Result<(), Duration> {
        let paid_at = self.paid_at.map_or(now, |at| at.max(now)) + self.slot;
        if paid_at <= now + BURST {
            self.paid_at = Some(paid_at);
            return Ok(());
        }
        let next_at = self.next_at.map_or(now, |at| at.max(now)) + self.slot;
        self.next_at = Some(next_at.min(now + WAIT_MAX));
        Err((next_at - now).clamp(WAIT_MIN, WAIT_MAX))
    }

    /// When the one in this place is to come back, of so many that are sent away together.
    pub(super) fn turn(&self, place: usize) -> Duration {
        let places = u32::try_from(place).unwrap_or(u32::MAX);
        (WAIT_MIN + self.slot.saturating_mul(places)).min(WAIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_takes_so_many_and_the_others_get_a_moment_each() {
        let mut admission = Admission::new(500);
        let now = Instant::now();
        let taken = (0..10_000).filter(|_| admission.ask(now).is_ok()).count();
        assert_eq!(taken, 500);
        let last = admission.ask(now).expect_err("sent away");
        assert!((18..20).contains(&last.as_secs()), "9,500 at 500 a second: {last:?}");
        assert!(admission.ask(now + Duration::from_secs(2)).is_ok(), "there is room again");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let mut admission = Admission::new(1);
        let now = Instant::now();
        let longest = (0..5_000).filter_map(|_| admission.ask(now).err()).max();
        assert_eq!(longest, Some(WAIT_MAX));
        assert_eq!(admission.turn(usize::MAX), WAIT_MAX);
        assert_eq!(admission.turn(3), Duration::from_secs(4));
    }
}
