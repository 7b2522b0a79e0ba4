//! What the tunnel takes from the machine: wall time and randomness. They come in as
//! functions so that a test can say what time it is and how the dice fall.

use std::time::{SystemTime, UNIX_EPOCH};

/// Wall clock and dice.
#[derive(Debug, Clone, Copy)]
pub struct Ambient {
    /// Unix milliseconds, unadjusted.
    pub wall_ms: fn() -> i64,
    /// 64 even bits.
    pub random: fn() -> u64,
}

impl Ambient {
    /// The machine's own.
    pub fn system() -> Self {
        Self { wall_ms: system_wall_ms, random: system_random }
    }
}

fn system_wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Without randomness the waits are merely uneven, so half of the range will do.
fn system_random() -> u64 {
    let random = ring::rand::SystemRandom::new();
    ring::rand::generate::<[u8; 8]>(&random)
        .map_or(u64::MAX / 2, |bytes| u64::from_le_bytes(bytes.expose()))
}
