//! How many users and records the clock says it holds. A hint, never the truth:
//! several models report zeros while their log is full.

use crate::clock::wire::u32_at;

/// Answer to the sizes command; absent fields read as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    pub users: u32,
    pub fingers: u32,
    pub records: u32,
    pub oplog: u32,
    pub admins: u32,
    pub fingers_capacity: u32,
    pub users_capacity: u32,
    pub records_capacity: u32,
    pub users_free: u32,
    pub records_free: u32,
    pub faces: u32,
}

impl Sizes {
    /// Bodies of 80, 92 and 112 bytes occur; a shorter one gives zeros.
    pub fn decode(body: &[u8]) -> Sizes {
        let field = |at| u32_at(body, at).unwrap_or_default();
        Sizes {
            users: field(16),
            fingers: field(24),
            records: field(32),
            oplog: field(40),
            admins: field(48),
            fingers_capacity: field(56),
            users_capacity: field(60),
            records_capacity: field(64),
            users_free: field(72),
            records_free: field(76),
            faces: field(80),
        }
    }

    /// At nineteen of twenty the next punches may find no room.
    pub fn is_log_full(&self) -> bool {
        let capacity = u64::from(self.records_capacity);
        capacity > 0 && u64::from(self.records) * 20 >= capacity * 19
    }

    /// At four fifths it is time to act: with a full log some clocks stop answering.
    pub fn is_log_nearly_full(&self) -> bool {
        let capacity = u64::from(self.records_capacity);
        capacity > 0 && u64::from(self.records) * 5 >= capacity * 4
    }
}
