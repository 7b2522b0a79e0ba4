//! How long to wait before dialling again. Pure: the dice come as an argument.
//!
//! Full jitter, `rand(0, min(60 s, 1 s x 2^n))`, so that a thousand shops that lost
//! the same cloud do not come back in the same second. `n` starts over only after a
//! session that held a minute: a link that dies at once must not hammer.

use std::time::Duration;

use fournil_protocol::close;

/// Longest usual wait.
pub const WAIT_MAX: Duration = Duration::from_mins(1);
/// A session this long shows that the link is good.
pub const STABLE: Duration = Duration::from_mins(1);
/// Between tries after a code of the slow band: an operator's mistake must heal
/// without a visit to the shop, and must not cost the cloud much meanwhile.
pub const SLOW_LANE: Duration = Duration::from_mins(15);
/// A hint of the cloud counts up to here.
const HINT_MAX: Duration = Duration::from_mins(15);
const FIRST: Duration = Duration::from_secs(1);

/// Counts the tries since the link was last good.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// Wait before the next try, and one step further.
    pub fn next_wait(&mut self, random: u64) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.tries.min(6)).min(WAIT_MAX);
        self.tries = self.tries.saturating_add(1);
        part_of(ceiling, random)
    }

    /// Notes that a session ended that had held `lasted` since its Welcome.
    pub fn session_ended(&mut self, lasted: Duration) {
        if lasted >= STABLE {
            self.tries = 0;
        }
    }

    /// Wait after the cloud said goodbye.
    pub fn wait_after_goodbye(&mut self, code: u16, retry_after_ms: u32, random: u64) -> Duration {
        let hint = Duration::from_millis(u64::from(retry_after_ms)).min(HINT_MAX);
        if close::is_slow_lane(code) {
            return hint.max(SLOW_LANE) + part_of(SLOW_LANE / 10, random);
        }
        self.wait_after_busy(hint, random)
    }

    /// Wait after the cloud said, before or within a session, how long to stay away.
    pub fn wait_after_busy(&mut self, hint: Duration, random: u64) -> Duration {
        let hint = hint.min(HINT_MAX);
        if hint.is_zero() {
            return self.next_wait(random);
        }
        hint + part_of((hint / 4).min(Duration::from_secs(10)), random)
    }
}

/// An even part of `whole`, zero and `whole` included.
fn part_of(whole: Duration, random: u64) -> Duration {
    let whole_ms = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX - 1);
    Duration::from_millis(random % (whole_ms + 1))
}

/// `period` longer or shorter by up to a tenth, so that heartbeats do not fall together.
pub fn about(period: Duration, random: u64) -> Duration {
    period.saturating_sub(period / 10) + part_of(period / 5, random)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_usual_wait_is_over_a_minute(tries in 0..1_000u32, random in any::<u64>()) {
            let wait = Backoff { tries }.next_wait(random);
            prop_assert!(wait <= WAIT_MAX);
        }

        #[test]
        fn the_ceiling_doubles_from_one_second(tries in 0..6u32) {
            let ceiling_ms = 1_000u64 << tries;
            let wait = Backoff { tries }.next_wait(ceiling_ms);
            prop_assert_eq!(wait, Duration::from_millis(ceiling_ms));
            let over = Backoff { tries }.next_wait(ceiling_ms + 1);
            prop_assert_eq!(over, Duration::ZERO);
        }

        #[test]
        fn a_short_session_does_not_forgive(lasted_ms in 0..60_000u64) {
            let mut backoff = Backoff { tries: 5 };
            backoff.session_ended(Duration::from_millis(lasted_ms));
            prop_assert_eq!(backoff.tries, 5);
        }

        #[test]
        fn the_slow_lane_is_slow_and_never_for_ever(
            code in 4500..5000u16,
            hint in any::<u32>(),
            random in any::<u64>(),
        ) {
            let wait = Backoff::default().wait_after_goodbye(code, hint, random);
            prop_assert!(wait >= SLOW_LANE && wait <= SLOW_LANE * 2);
        }

        #[test]
        fn a_hint_is_kept_and_spread(
            code in 4000..4500u16,
            hint in 1..900_000u32,
            random in any::<u64>(),
        ) {
            let wait = Backoff::default().wait_after_goodbye(code, hint, random);
            let hint = Duration::from_millis(u64::from(hint));
            prop_assert!(wait >= hint && wait <= hint + Duration::from_secs(10));
        }

        #[test]
        fn a_heartbeat_keeps_within_a_tenth(random in any::<u64>()) {
            let period = Duration::from_secs(12);
            let wait = about(period, random);
            prop_assert!(wait >= period * 9 / 10 && wait <= period * 11 / 10);
        }
    }

    #[test]
    fn a_stable_session_starts_over() {
        let mut backoff = Backoff { tries: 9 };
        backoff.session_ended(STABLE);
        assert_eq!(backoff.tries, 0);
    }
}
