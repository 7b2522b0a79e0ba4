//! Where the journal's time comes from: wall clock, time since boot, name of the boot.
//!
//! It is an argument, so that tests hold it still. The wall clock of a small box
//! may be wrong (dead battery) or be set at any moment, so an event also carries the
//! time since boot, which keeps counting while the machine sleeps and is never set; what
//! is known of the cloud's time hangs on that one and survives a step of the other.

use std::fmt;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use fournil_protocol::event::Stamp;
use rustix::time::{ClockId, clock_gettime};

const BOOT_ID_PATH: &str = "/proc/sys/kernel/random/boot_id";
/// Between wall clock and boot clock more than this is a step, not drift, milliseconds.
const STEP_MS: i64 = 250;

type Reading = dyn Fn() -> (i64, u64) + Send + Sync;

/// A clock to stamp events with. Cheap to clone; clones share the cloud offset.
#[derive(Clone)]
pub struct TimeSource {
    read: Arc<Reading>,
    boot_id: [u8; 16],
    cloud: Arc<Mutex<Option<Measured>>>,
}

/// What the tunnel measured, and the difference of our two clocks at that moment.
#[derive(Debug, Clone, Copy)]
struct Measured {
    offset_ms: i64,
    wall_minus_boot_ms: i64,
}

impl Measured {
    /// Cloud time minus wall time when the clocks read so: what was measured, set right by
    /// whatever step the wall clock has made since.
    fn offset_ms(self, wall_ms: i64, boot_ms: u64) -> i64 {
        let step_ms = wall_minus_boot(wall_ms, boot_ms).saturating_sub(self.wall_minus_boot_ms);
        let is_step = step_ms.saturating_abs() > STEP_MS;
        if is_step { self.offset_ms.saturating_sub(step_ms) } else { self.offset_ms }
    }
}

impl TimeSource {
    /// The machine's own clocks.
    pub fn system() -> std::io::Result<Self> {
        let text = std::fs::read_to_string(BOOT_ID_PATH)?;
        let boot_id = uuid::Uuid::parse_str(text.trim()).map_err(std::io::Error::other)?;
        Ok(Self::new(boot_id.into_bytes(), || (wall_ms(), boot_ms())))
    }

    /// A clock of the caller's making: `read` gives Unix milliseconds and milliseconds
    /// since the boot that `boot_id` names.
    pub fn new(boot_id: [u8; 16], read: impl Fn() -> (i64, u64) + Send + Sync + 'static) -> Self {
        Self { read: Arc::new(read), boot_id, cloud: Arc::default() }
    }

    pub fn boot_id(&self) -> [u8; 16] {
        self.boot_id
    }

    /// Unix milliseconds, unadjusted.
    pub fn wall_ms(&self) -> i64 {
        (self.read)().0
    }

    /// Milliseconds since boot.
    pub fn boot_ms(&self) -> u64 {
        (self.read)().1
    }

    /// Cloud time minus wall time, as measured by the tunnel just now.
    pub fn set_cloud_offset_ms(&self, offset_ms: Option<i64>) {
        let (wall_ms, boot_ms) = (self.read)();
        let wall_minus_boot_ms = wall_minus_boot(wall_ms, boot_ms);
        *self.cloud.lock().unwrap_or_else(PoisonError::into_inner) =
            offset_ms.map(|offset_ms| Measured { offset_ms, wall_minus_boot_ms });
    }

    /// Cloud time minus wall time, as it is now.
    pub fn cloud_offset_ms(&self) -> Option<i64> {
        let (wall_ms, boot_ms) = (self.read)();
        self.offset_at(wall_ms, boot_ms)
    }

    fn offset_at(&self, wall_ms: i64, boot_ms: u64) -> Option<i64> {
        let measured = *self.cloud.lock().unwrap_or_else(PoisonError::into_inner);
        measured.map(|measured| measured.offset_ms(wall_ms, boot_ms))
    }

    /// The stamp of an event written now.
    pub fn stamp(&self) -> Stamp {
        let (wall_ms, mono_ms) = (self.read)();
        Stamp {
            wall_ms,
            mono_ms,
            boot_id: self.boot_id.to_vec(),
            cloud_offset_ms: self.offset_at(wall_ms, mono_ms),
        }
    }
}

impl fmt::Debug for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeSource").field("boot_id", &self.boot_id).finish_non_exhaustive()
    }
}

fn wall_minus_boot(wall_ms: i64, boot_ms: u64) -> i64 {
    wall_ms.saturating_sub(i64::try_from(boot_ms).unwrap_or(i64::MAX))
}

fn wall_ms() -> i64 {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

fn boot_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let s = u64::try_from(now.tv_sec).unwrap_or(0);
    let ns = u64::try_from(now.tv_nsec).unwrap_or(0);
    s * 1_000 + ns / 1_000_000
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn the_stamp_of_a_punch_names_the_clouds_time_through_every_step_of_the_wall_clock() {
        const START_MS: i64 = 1_770_000_000_000;
        const YEAR_MS: i64 = 365 * 86_400_000;
        let (wall, boot) = (Arc::new(AtomicI64::new(START_MS)), Arc::new(AtomicI64::new(60_000)));
        let (read_wall, read_boot) = (wall.clone(), boot.clone());
        let time = TimeSource::new([1; 16], move || {
            let boot_ms = u64::try_from(read_boot.load(Ordering::Relaxed)).unwrap();
            (read_wall.load(Ordering::Relaxed), boot_ms)
        });
        assert_eq!(time.stamp().cloud_offset_ms, None);
        time.set_cloud_offset_ms(Some(-1_500));
        let cloud_ms = |time: &TimeSource| {
            let stamp = time.stamp();
            stamp.wall_ms + stamp.cloud_offset_ms.unwrap()
        };
        for step_ms in [0, YEAR_MS, -2 * YEAR_MS, 100, -START_MS, START_MS + YEAR_MS] {
            wall.fetch_add(step_ms + 10_000, Ordering::Relaxed);
            boot.fetch_add(10_000, Ordering::Relaxed);
            let lived_ms = boot.load(Ordering::Relaxed) - 60_000;
            let error_ms = cloud_ms(&time) - (START_MS - 1_500 + lived_ms);
            assert!(error_ms.abs() <= STEP_MS, "{error_ms} ms wrong after a step of {step_ms} ms");
        }
    }
}
