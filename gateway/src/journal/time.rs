//! Where the journal's time comes from: wall clock, time since boot, name of the boot.
//!
//! It is an argument, so that tests hold it still. The wall clock of a small box
//! may be wrong (dead battery), so an event also carries the time since boot,
//! which keeps counting while the machine sleeps.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use fournil_protocol::event::Stamp;
use rustix::time::{ClockId, clock_gettime};

const BOOT_ID_PATH: &str = "/proc/sys/kernel/random/boot_id";
/// No measurement yet. No clock is wrong by 292 million years.
const OFFSET_UNKNOWN: i64 = i64::MIN;

type Reading = dyn Fn() -> (i64, u64) + Send + Sync;

/// A clock to stamp events with. Cheap to clone; clones share the cloud offset.
#[derive(Clone)]
pub struct TimeSource {
    read: Arc<Reading>,
    boot_id: [u8; 16],
    cloud_offset_ms: Arc<AtomicI64>,
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
        let cloud_offset_ms = Arc::new(AtomicI64::new(OFFSET_UNKNOWN));
        Self { read: Arc::new(read), boot_id, cloud_offset_ms }
    }

    pub fn boot_id(&self) -> [u8; 16] {
        self.boot_id
    }

    /// Unix milliseconds, unadjusted.
    pub fn wall_ms(&self) -> i64 {
        (self.read)().0
    }

    /// Cloud time minus wall time, as last measured by the tunnel.
    pub fn set_cloud_offset_ms(&self, offset_ms: Option<i64>) {
        self.cloud_offset_ms.store(offset_ms.unwrap_or(OFFSET_UNKNOWN), Ordering::Relaxed);
    }

    /// What [`Self::set_cloud_offset_ms`] was last told.
    pub fn cloud_offset_ms(&self) -> Option<i64> {
        let offset_ms = self.cloud_offset_ms.load(Ordering::Relaxed);
        (offset_ms != OFFSET_UNKNOWN).then_some(offset_ms)
    }

    /// The stamp of an event written now.
    pub fn stamp(&self) -> Stamp {
        let (wall_ms, mono_ms) = (self.read)();
        Stamp {
            wall_ms,
            mono_ms,
            boot_id: self.boot_id.to_vec(),
            cloud_offset_ms: self.cloud_offset_ms(),
        }
    }
}

impl fmt::Debug for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeSource").field("boot_id", &self.boot_id).finish_non_exhaustive()
    }
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
