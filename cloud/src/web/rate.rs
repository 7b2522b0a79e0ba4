//! How often one caller may ask: token buckets in memory, one node's view.
//!
//! Bounded: past `BUCKETS_MAX` callers the full (idle) buckets are dropped, and if none
//! is idle new callers share one bucket, so a flood of addresses costs strangers, not memory.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

const BUCKETS_MAX: usize = 20_000;
/// The bucket of everybody for whom there is no room.
const CROWD: &str = "\u{0}crowd";

/// So many at once, then one every so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub burst: u16,
    pub refill_ms: u32,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// The moment it is full again: a fuller bucket has an earlier one.
    full_at: DateTime<Utc>,
}

/// The buckets of one program.
#[derive(Debug, Default)]
pub struct RateLimits {
    buckets: Mutex<HashMap<String, Bucket>>,
}

impl RateLimits {
    /// Takes one token of `key`, or says how many seconds to wait for one.
    pub fn take(&self, key: &str, allowance: Allowance, now: DateTime<Utc>) -> Result<(), u64> {
        let refill = TimeDelta::milliseconds(i64::from(allowance.refill_ms));
        let room = refill * i32::from(allowance.burst);
        self.with_bucket(key, now, |bucket| {
            let full_at = bucket.full_at.max(now) + refill;
            over(full_at, now, room)?;
            bucket.full_at = full_at;
            Ok(())
        })
    }

    /// How many seconds to wait for a token of `key`, taking none.
    pub fn wait(&self, key: &str, allowance: Allowance, now: DateTime<Utc>) -> Result<(), u64> {
        let refill = TimeDelta::milliseconds(i64::from(allowance.refill_ms));
        let room = refill * i32::from(allowance.burst);
        self.with_bucket(key, now, |bucket| over(bucket.full_at.max(now) + refill, now, room))
    }

    /// Fills the bucket of `key` again, after a success.
    pub fn forgive(&self, key: &str, now: DateTime<Utc>) {
        self.with_bucket(key, now, |bucket| bucket.full_at = now);
    }

    fn with_bucket<T>(
        &self,
        key: &str,
        now: DateTime<Utc>,
        act: impl FnOnce(&mut Bucket) -> T,
    ) -> T {
        // A panic while holding it leaves whole buckets behind; go on.
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(key) {
            buckets.retain(|_, bucket| bucket.full_at > now);
        }
        let key =
            if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(key) { CROWD } else { key };
        act(buckets.entry(key.to_owned()).or_insert(Bucket { full_at: now }))
    }
}

/// How many seconds are missing to a bucket that would be full at `full_at`.
fn over(full_at: DateTime<Utc>, now: DateTime<Utc>, room: TimeDelta) -> Result<(), u64> {
    let over = full_at - now - room;
    if over <= TimeDelta::zero() {
        return Ok(());
    }
    Err(u64::try_from(over.num_milliseconds()).unwrap_or(1).div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::instant;

    const THREE: Allowance = Allowance { burst: 3, refill_ms: 1_000 };

    #[test]
    fn a_burst_passes_and_the_next_one_waits() {
        let limits = RateLimits::default();
        let now = instant(1_000_000);
        for _ in 0..3 {
            assert_eq!(limits.take("a", THREE, now), Ok(()));
        }
        assert_eq!(limits.take("a", THREE, now), Err(1));
        assert_eq!(limits.wait("a", THREE, now), Err(1));
        assert_eq!(limits.wait("b", THREE, now), Ok(()));
        assert_eq!(limits.take("b", THREE, now), Ok(()));
        assert_eq!(limits.take("a", THREE, now + TimeDelta::seconds(1)), Ok(()));
        assert_eq!(limits.take("a", THREE, now + TimeDelta::seconds(1)), Err(1));
        limits.forgive("a", now + TimeDelta::seconds(1));
        assert_eq!(limits.take("a", THREE, now + TimeDelta::seconds(1)), Ok(()));
    }

    #[test]
    fn a_flood_of_callers_does_not_grow_without_end() {
        let limits = RateLimits::default();
        let now = instant(1_000_000);
        for caller in 0..BUCKETS_MAX + 500 {
            let _: Result<(), u64> = limits.take(&caller.to_string(), THREE, now);
        }
        assert!(limits.buckets.lock().expect("the lock").len() <= BUCKETS_MAX + 1);
    }
}
