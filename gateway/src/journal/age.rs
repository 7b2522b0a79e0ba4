//! How old things in the journal are, in time that was lived through.
//!
//! A wall clock cannot say: a dead battery puts a box into 1970, a slip of the hand a year
//! ahead, and what is kept for thirty days would go at once or never. So the journal
//! counts milliseconds of the clock that runs from boot, and carries the count from one
//! boot to the next. Time during which the box was off is not counted: things are kept
//! longer for it, never shorter, and the bounds in bytes hold all the same. The count is
//! written down about once an hour, so that a mains that is cut each night costs an hour of
//! it and not the day.

use super::Outcome;
use super::engine::{Engine, Need};
use super::record::Aged;
use super::time::TimeSource;

/// Milliseconds in a day.
pub(super) const DAY_MS: u64 = 86_400_000;
/// Lived through since the count was last written, before it is written again.
const NOTED_EVERY_MS: u64 = 3_600_000;

/// A reading of the count, as records carry it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Age {
    /// Since the journal's first record.
    pub(super) lived_ms: u64,
    /// The boot whose clock showed `boot_ms` at that moment.
    pub(super) boot_id: [u8; 16],
    pub(super) boot_ms: u64,
}

impl Age {
    /// Takes in what a record says. The count never goes back: where records disagree the
    /// later one is right, and a build without the count says nothing.
    pub(super) fn note(&mut self, lived_ms: u64, boot_id: &[u8], boot_ms: u64) {
        let Ok(boot_id) = boot_id.try_into() else { return };
        if lived_ms >= self.lived_ms {
            *self = Self { lived_ms, boot_id, boot_ms };
        }
    }

    /// The count now. Of another boot only what was written down is known.
    pub(super) fn at(self, time: &TimeSource) -> Self {
        let (boot_id, boot_ms) = (time.boot_id(), time.boot_ms());
        let since = if boot_id == self.boot_id { boot_ms.saturating_sub(self.boot_ms) } else { 0 };
        Self { lived_ms: self.lived_ms.saturating_add(since), boot_id, boot_ms }
    }
}

impl Engine {
    /// Writes the count down when the last writing is an hour old.
    pub(super) fn note_age(&mut self) -> Outcome {
        let Age { lived_ms, boot_id, boot_ms } = self.age();
        if lived_ms.saturating_sub(self.state.age.lived_ms) < NOTED_EVERY_MS {
            return Ok(());
        }
        let aged = Aged { lived_ms, boot_id: boot_id.to_vec(), boot_ms };
        // On a full disk it can wait; nobody is refused anything by it.
        let untouched = self.losses;
        let noted = self.stage(aged, Need::Ordinary);
        if noted.is_err() {
            self.losses = untouched;
        }
        noted?;
        self.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(boot: u8, boot_ms: u64) -> TimeSource {
        TimeSource::new([boot; 16], move || (0, boot_ms))
    }

    #[test]
    fn only_time_that_was_lived_through_counts() {
        let mut age = Age::default();
        age.note(0, &[1; 16], 5_000);
        assert_eq!(age.at(&clock(1, 9_000)).lived_ms, 4_000);
        assert_eq!(age.at(&clock(1, 2_000)).lived_ms, 0, "a clock that went back adds nothing");
        assert_eq!(age.at(&clock(2, 900_000)).lived_ms, 0, "another boot's clock says nothing");
        let next = age.at(&clock(1, 9_000)).at(&clock(2, 100)).at(&clock(2, 350));
        assert_eq!(next.lived_ms, 4_250);
    }

    #[test]
    fn records_without_the_count_and_older_ones_change_nothing() {
        let mut age = Age { lived_ms: 70, boot_id: [1; 16], boot_ms: 9 };
        let before = age;
        age.note(0, &[], 0);
        age.note(69, &[2; 16], 1);
        assert_eq!(age, before);
    }
}
