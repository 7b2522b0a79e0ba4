//! How far the cloud's clock is from ours, from the four times of Ping and Pong.
//!
//! Of the last eight samples the one with the shortest round trip counts: its error
//! is at most half of that. The round trip is taken from the monotonic clock, and a
//! step of the wall clock throws the samples away, so that a corrected clock does not
//! leave a wrong offset behind.

use std::collections::VecDeque;

const SAMPLES_MAX: usize = 8;
/// A jump of wall against monotonic time that is more than drift, milliseconds.
const STEP_MS: i64 = 250;
/// A longer round trip tells nothing worth keeping, milliseconds.
const ROUND_TRIP_MS_MAX: i64 = 60_000;

/// Cloud minus gateway, as well as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    pub offset_ms: i64,
    pub round_trip_ms: i64,
}

/// One exchange. `elapsed_ms` is monotonic, from Ping out to Pong in.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    pub t0_ms: i64,
    pub t1_ms: i64,
    pub t2_ms: i64,
    pub elapsed_ms: i64,
}

/// The last samples.
#[derive(Debug, Clone, Default)]
pub struct OffsetFilter {
    samples: VecDeque<Offset>,
    wall_minus_mono_ms: Option<i64>,
}

impl OffsetFilter {
    /// Compares the two clocks of this machine; forgets everything after a step, and says
    /// whether there was one.
    pub fn note_clocks(&mut self, wall_ms: i64, mono_ms: i64) -> bool {
        let difference = wall_ms.saturating_sub(mono_ms);
        let before = self.wall_minus_mono_ms.replace(difference).unwrap_or(difference);
        let is_step = difference.saturating_sub(before).saturating_abs() > STEP_MS;
        if is_step {
            self.samples.clear();
        }
        is_step
    }

    /// Adds an exchange and gives the best offset, if there is any.
    pub fn add(&mut self, exchange: Exchange) -> Option<Offset> {
        let held_ms = exchange.t2_ms.saturating_sub(exchange.t1_ms);
        let round_trip_ms = exchange.elapsed_ms.saturating_sub(held_ms);
        if held_ms >= 0 && (0..=ROUND_TRIP_MS_MAX).contains(&round_trip_ms) {
            let there = i128::from(exchange.t1_ms) - i128::from(exchange.t0_ms);
            let back = i128::from(exchange.t2_ms)
                - i128::from(exchange.t0_ms)
                - i128::from(exchange.elapsed_ms);
            if let Ok(offset_ms) = i64::try_from((there + back).div_euclid(2)) {
                if self.samples.len() == SAMPLES_MAX {
                    self.samples.pop_front();
                }
                self.samples.push_back(Offset { offset_ms, round_trip_ms });
            }
        }
        self.best()
    }

    /// The sample with the shortest round trip, the newest among equals.
    pub fn best(&self) -> Option<Offset> {
        self.samples.iter().rev().min_by_key(|sample| sample.round_trip_ms).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_error_is_at_most_half_the_round_trip(
            offset in -100_000_000..100_000_000i64,
            there in 0..5_000i64,
            held in 0..1_000i64,
            back in 0..5_000i64,
        ) {
            let t0_ms = 1_795_000_000_000;
            let t1_ms = t0_ms + there + offset;
            let exchange =
                Exchange { t0_ms, t1_ms, t2_ms: t1_ms + held, elapsed_ms: there + held + back };
            let found = OffsetFilter::default().add(exchange).unwrap();
            prop_assert_eq!(found.round_trip_ms, there + back);
            prop_assert!((found.offset_ms - offset).abs() <= i64::midpoint(there, back) + 1);
        }

        #[test]
        fn no_times_of_a_peer_panic(times in any::<(i64, i64, i64, i64)>()) {
            let exchange = Exchange {
                t0_ms: times.0,
                t1_ms: times.1,
                t2_ms: times.2,
                elapsed_ms: times.3,
            };
            let mut filter = OffsetFilter::default();
            let _ = filter.note_clocks(times.0, times.1);
            let _ = filter.note_clocks(times.2, times.3);
            let _ = filter.add(exchange);
        }
    }

    fn exchange(offset: i64, round_trip: i64) -> Exchange {
        let t1_ms = 1_000_000 + round_trip / 2 + offset;
        Exchange { t0_ms: 1_000_000, t1_ms, t2_ms: t1_ms, elapsed_ms: round_trip }
    }

    #[test]
    fn the_shortest_round_trip_of_the_last_eight_counts() {
        let mut filter = OffsetFilter::default();
        assert_eq!(filter.add(exchange(50, 10)).unwrap().offset_ms, 50);
        for _ in 0..7 {
            assert_eq!(filter.add(exchange(900, 400)).unwrap().offset_ms, 50);
        }
        assert_eq!(filter.add(exchange(900, 400)).unwrap().offset_ms, 900);
    }

    #[test]
    fn a_step_of_the_wall_clock_forgets_the_samples() {
        let mut filter = OffsetFilter::default();
        assert!(!filter.note_clocks(1_000_000, 0));
        filter.add(exchange(50, 10));
        assert!(!filter.note_clocks(1_012_050, 12_000));
        assert!(filter.best().is_some());
        assert!(filter.note_clocks(4_612_050, 24_000));
        assert!(filter.best().is_none());
    }
}
