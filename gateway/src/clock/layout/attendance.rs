//! One record of the clock's log, in each of the layouts met in the field.
//!
//! Firmware families order the same facts differently; here they get one meaning:
//! `state` is the in/out key, `verify` how the person was recognised. The record's
//! bytes are always kept beside what was read from them.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use fournil_protocol::clock::identity_text;

use super::{ClockTime, UserTable};
use crate::clock::wire::{u16_at, u32_at};

/// How a log's records are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttendanceLayout {
    /// 40 bytes and longer ones (49 and others) that begin in the same way.
    Text {
        stride: u8,
    },
    Sixteen,
    EightA,
    EightB,
}

/// The name of a layout that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", crate::i18n::say("clock-layout-unknown", &[("name", .0)]))]
pub struct UnknownLayout(pub String);

impl AttendanceLayout {
    pub const FORTY: AttendanceLayout = AttendanceLayout::Text { stride: 40 };

    /// Bytes of one record.
    pub fn stride(self) -> usize {
        match self {
            AttendanceLayout::Text { stride } => stride.into(),
            AttendanceLayout::Sixteen => 16,
            AttendanceLayout::EightA | AttendanceLayout::EightB => 8,
        }
    }

    /// Every record of a log, in its order; a rest shorter than a record is left out.
    pub fn decode_all(self, log: &[u8], users: &UserTable) -> Vec<LogRecord> {
        log.chunks_exact(self.stride()).filter_map(|raw| self.decode(raw, users)).collect()
    }

    /// `None` only when `raw` is shorter than a record.
    pub fn decode(self, raw: &[u8], users: &UserTable) -> Option<LogRecord> {
        match self {
            AttendanceLayout::Text { .. } => decode_text(raw),
            AttendanceLayout::Sixteen => decode_16(raw),
            AttendanceLayout::EightA => decode_8a(raw, users),
            AttendanceLayout::EightB => decode_8b(raw, users),
        }
    }
}

impl fmt::Display for AttendanceLayout {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttendanceLayout::Text { stride } => write!(out, "{stride}"),
            AttendanceLayout::Sixteen => out.write_str("16"),
            AttendanceLayout::EightA => out.write_str("8a"),
            AttendanceLayout::EightB => out.write_str("8b"),
        }
    }
}

impl FromStr for AttendanceLayout {
    type Err = UnknownLayout;

    fn from_str(name: &str) -> Result<AttendanceLayout, UnknownLayout> {
        match name {
            "16" => Ok(AttendanceLayout::Sixteen),
            "8a" => Ok(AttendanceLayout::EightA),
            "8b" => Ok(AttendanceLayout::EightB),
            other => match other.parse() {
                Ok(stride @ 40..=64) => Ok(AttendanceLayout::Text { stride }),
                _ => Err(UnknownLayout(name.to_owned())),
            },
        }
    }
}

/// A punch as the clock's log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// The clock's slot of the user; reused after deletions, so not an identity.
    pub uid: Option<u16>,
    pub user_id: String,
    pub time: ClockTime,
    pub state: u8,
    pub verify: u8,
    pub raw: Vec<u8>,
    /// The user id holds bytes that no id has.
    pub is_user_id_odd: bool,
    /// The record names a slot that the user table does not have.
    pub is_user_unknown: bool,
    /// Fixed bits of the layout are not as they should be.
    pub is_form_odd: bool,
}

fn decode_text(raw: &[u8]) -> Option<LogRecord> {
    let (user_id, is_user_id_odd) = identity_text(raw.get(2..26)?);
    Some(LogRecord {
        uid: u16_at(raw, 0),
        user_id,
        time: ClockTime::decode(u32_at(raw, 27)?),
        state: *raw.get(31)?,
        verify: *raw.get(26)?,
        raw: raw.to_vec(),
        is_user_id_odd,
        is_user_unknown: false,
        is_form_odd: raw.len() < 40,
    })
}

fn decode_16(raw: &[u8]) -> Option<LogRecord> {
    let pin = u32_at(raw, 0)?;
    Some(LogRecord {
        uid: None,
        user_id: pin.to_string(),
        time: ClockTime::decode(u32_at(raw, 4)?),
        state: *raw.get(8)?,
        verify: *raw.get(9)?,
        raw: raw.get(..16)?.to_vec(),
        is_user_id_odd: pin == 0,
        is_user_unknown: false,
        is_form_odd: u16_at(raw, 10) != Some(0),
    })
}

fn decode_8a(raw: &[u8], users: &UserTable) -> Option<LogRecord> {
    let (time, state, verify) = (u32_at(raw, 3)?, *raw.get(7)?, *raw.get(2)?);
    Some(with_slot(raw, users, ClockTime::decode(time), state, verify, false))
}

fn decode_8b(raw: &[u8], users: &UserTable) -> Option<LogRecord> {
    let (time, kind) = (u32_at(raw, 4)?, *raw.get(2)?);
    let is_form_odd = raw.get(3) != Some(&0) || kind & 0xc0 != 0;
    Some(with_slot(raw, users, ClockTime::decode(time), kind & 7, kind >> 3 & 3, is_form_odd))
}

/// A record that names only the slot. A slot nobody holds is told as `uid:N` and not
/// as `N`, which might be the id of somebody else.
fn with_slot(
    raw: &[u8],
    users: &UserTable,
    time: ClockTime,
    state: u8,
    verify: u8,
    is_form_odd: bool,
) -> LogRecord {
    let uid = u16_at(raw, 0).unwrap_or_default();
    let known = users.by_uid(uid).map(|user| user.user_id.clone());
    LogRecord {
        uid: Some(uid),
        is_user_unknown: known.is_none(),
        user_id: known.unwrap_or_else(|| format!("uid:{uid}")),
        time,
        state,
        verify,
        raw: raw.to_vec(),
        is_user_id_odd: uid == 0,
        is_form_odd,
    }
}

/// Numbers exact repeats (same user, time, state and verify) in the order of the log:
/// 0 for the first. Reading the same log again gives the same numbers.
pub fn number_occurrences(records: &[LogRecord]) -> Vec<u32> {
    let mut seen: HashMap<(&str, ClockTime, u8, u8), u32> = HashMap::new();
    let numbers = records.iter().map(|record| {
        let key = (record.user_id.as_str(), record.time, record.state, record.verify);
        let count = seen.entry(key).or_default();
        *count += 1;
        *count - 1
    });
    numbers.collect()
}
