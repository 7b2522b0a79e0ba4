//! Every bound of the journal, with its unit in the name.
//!
//! The defaults suit a shop with a small disk or an SD card: at most about
//! 150 MiB, some months of facts without a cloud, a month of rewind for a cloud
//! that was restored from a backup.

use serde::{Deserialize, Serialize};

use super::JournalError;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// The section `[journal]` of `gateway.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalConfig {
    /// Size of one segment file, allocated when it is made.
    pub segment_bytes: u64,
    /// Events the cloud has not acknowledged. Above it punches are refused to the
    /// clock part, which reads them again later; nothing is dropped.
    pub unacked_bytes_max: u64,
    /// From here on health reports and notices are dropped and counted, so that they
    /// never take the room of a punch.
    pub low_class_bytes_max: u64,
    /// Acknowledged events kept for a cloud that was restored from a backup.
    pub acked_kept_bytes_max: u64,
    /// The same bound in days. The lesser of the two counts.
    pub acked_kept_days_max: u32,
    /// A file that is given back to a full disk so that begun and settled commands can
    /// still be written.
    pub reserve_bytes: u64,
    /// Settled commands are remembered at least this many days and at least this many ids.
    pub seen_days_min: u32,
    pub seen_ids_min: usize,
    /// The most ids remembered, whatever their age (about 100 bytes of memory each).
    pub seen_ids_max: usize,
    /// Commands accepted and not settled; above it new ones are refused and the cloud
    /// keeps them.
    pub pending_commands_max: usize,
    pub pending_bytes_max: u64,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            segment_bytes: MIB,
            unacked_bytes_max: 64 * MIB,
            low_class_bytes_max: 48 * MIB,
            acked_kept_bytes_max: 64 * MIB,
            acked_kept_days_max: 30,
            reserve_bytes: 4 * MIB,
            seen_days_min: 30,
            seen_ids_min: 20_000,
            seen_ids_max: 100_000,
            pending_commands_max: 2_000,
            pending_bytes_max: 16 * MIB,
        }
    }
}

impl JournalConfig {
    /// Refuses values under which the journal could not keep its promises.
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        let wrong = |text: &str| Err(JournalError::Config(text.to_owned()));
        if self.segment_bytes < 256 * KIB || self.segment_bytes > 64 * MIB {
            return wrong("segment_bytes doit être compris entre 262144 et 67108864");
        }
        if self.reserve_bytes < 2 * self.segment_bytes {
            return wrong("reserve_bytes doit contenir au moins deux segment_bytes");
        }
        if self.low_class_bytes_max > self.unacked_bytes_max {
            return wrong("low_class_bytes_max ne doit pas dépasser unacked_bytes_max");
        }
        if self.seen_ids_max < self.seen_ids_min || self.pending_commands_max == 0 {
            return wrong(
                "seen_ids_max doit être au moins seen_ids_min, et pending_commands_max au moins 1",
            );
        }
        Ok(())
    }
}
