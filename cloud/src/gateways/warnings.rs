//! What a page warns of: answers that do not come, certificates that end, clocks that are
//! off. Pure; the time is an argument.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::State;

/// A command whose shop should have answered by then is overdue.
const ANSWER_PATIENCE: TimeDelta = TimeDelta::minutes(2);
/// The same for one that may begin at any time.
const ANSWER_PATIENCE_OPEN: TimeDelta = TimeDelta::hours(1);

/// Since when an open command is overdue: the shop was to answer and has not. One that is
/// queued expires by itself and never is.
#[must_use]
pub(super) fn overdue_since(
    state: State,
    leased_at: Option<DateTime<Utc>>,
    not_after: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if !matches!(state, State::Leased | State::Delivered | State::Started) {
        return None;
    }
    let since = match not_after {
        Some(not_after) => not_after + ANSWER_PATIENCE,
        None => leased_at? + ANSWER_PATIENCE_OPEN,
    };
    (since <= now).then_some(since)
}

/// How near the end of a certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    Far,
    /// In so many days: time to renew it in peace.
    Soon(i64),
    /// In so many days: gateways are about to stay outside.
    Near(i64),
    Over,
}

impl Expiry {
    const SOON_DAYS: i64 = 30;
    const NEAR_DAYS: i64 = 7;

    pub(super) fn of(until: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let days = (until - now).num_days();
        if until <= now {
            Self::Over
        } else if days < Self::NEAR_DAYS {
            Self::Near(days)
        } else if days < Self::SOON_DAYS {
            Self::Soon(days)
        } else {
            Self::Far
        }
    }
}

/// How the clock of a shop's box stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClockState {
    Right,
    Warn,
    Alarm,
}

/// From here on the box should be looked after, and from here on at once, milliseconds.
const CLOCK_WARN_MS: u64 = 2_000;
const CLOCK_ALARM_MS: u64 = 60_000;

/// Judges our time minus the box's.
pub(super) const fn clock_state(offset_ms: i64) -> ClockState {
    match offset_ms.unsigned_abs() {
        CLOCK_ALARM_MS.. => ClockState::Alarm,
        CLOCK_WARN_MS.. => ClockState::Warn,
        _ => ClockState::Right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_of_from_thirty_days_and_loudly_from_seven() {
        let until = crate::time::instant(1_795_000_000_000);
        let left = |hours| Expiry::of(until, until - chrono::TimeDelta::hours(hours));
        assert_eq!(left(30 * 24), Expiry::Far);
        assert_eq!(left(30 * 24 - 1), Expiry::Soon(29));
        assert_eq!(left(7 * 24), Expiry::Soon(7));
        assert_eq!(left(7 * 24 - 1), Expiry::Near(6));
        assert_eq!(left(1), Expiry::Near(0));
        assert_eq!(left(0), Expiry::Over);
    }

    #[test]
    fn a_command_is_overdue_when_the_shop_should_have_answered() {
        let at = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let since = |state, not_after, now| overdue_since(state, Some(at(0)), not_after, at(now));
        assert_eq!(since(State::Delivered, Some(at(10)), 11), None);
        assert_eq!(since(State::Delivered, Some(at(10)), 12), Some(at(12)));
        assert_eq!(since(State::Started, None, 59), None);
        assert_eq!(since(State::Leased, None, 61), Some(at(60)));
        assert_eq!(since(State::Queued, Some(at(10)), 90), None, "it expires by itself");
        assert_eq!(since(State::InDoubt, Some(at(10)), 90), None);
    }
}
