//! The clock's own log of what was done to it: records of sixteen bytes.

use super::ClockTime;
use crate::clock::wire::{u16_at, u32_at};

/// Bytes of a record, the same on every model.
pub const OPERATION_BYTES: usize = 16;

/// One line of the operation log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Slot of whoever did it; 0 where nobody is named.
    pub admin: u16,
    /// The clock's number for it: 21 time set, 23 attendance records cleared, ...
    pub operation: u8,
    pub time: ClockTime,
    pub parameters: [u16; 4],
    pub raw: Vec<u8>,
}

/// Every whole record of the log; a remainder is left out.
pub fn decode_operations(log: &[u8]) -> Vec<Operation> {
    log.chunks_exact(OPERATION_BYTES).filter_map(decode).collect()
}

fn decode(raw: &[u8]) -> Option<Operation> {
    Some(Operation {
        admin: u16_at(raw, 0)?,
        operation: *raw.get(2)?,
        time: ClockTime::decode(u32_at(raw, 4)?),
        parameters: [u16_at(raw, 8)?, u16_at(raw, 10)?, u16_at(raw, 12)?, u16_at(raw, 14)?],
        raw: raw.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enrolment_captured_from_a_clock_is_read() {
        let raw = [0, 0, 6, 0x2a, 0xc2, 0x9b, 0x68, 0x23, 3, 0, 0, 0, 7, 0, 2, 5];
        let [line] = decode_operations(&raw).try_into().unwrap();
        assert_eq!(line.time.to_string(), "2018-06-25T16:09:38");
        assert_eq!((line.admin, line.operation), (0, 6));
        assert_eq!(line.parameters, [3, 0, 7, 1282]);
        assert!(decode_operations(&raw[..15]).is_empty(), "no part of a record");
    }
}
