//! A punch as a live event carries it.
//!
//! The forms differ in length by firmware. Longer ones begin like a known one, so
//! they are read by their beginning. The short forms carry a number that may be the
//! user's id or the slot: when the user table does not settle which, the event says
//! only that there is something to read.

use fournil_protocol::clock::identity_text;

use super::{Calendar as _, ClockTime, UserTable, until_nul};
use crate::clock::wire::{u16_at, u32_at};

/// A punch from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRecord {
    pub user: EventUser,
    pub time: ClockTime,
    pub state: u8,
    pub verify: u8,
    pub raw: Vec<u8>,
    /// Name of the form: `live-` and the bytes it is read from.
    pub layout: String,
}

/// Who an event speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventUser {
    /// The user id, certain.
    UserId(String),
    /// A number that could be an id or a slot.
    Number(u32),
}

impl EventUser {
    /// The user id, `None` when the table leaves it open.
    pub fn resolve(&self, users: &UserTable) -> Option<String> {
        let number = match self {
            EventUser::UserId(user_id) => return Some(user_id.clone()),
            EventUser::Number(number) => *number,
        };
        let by_id = users.by_user_id(&number.to_string());
        let by_slot = u16::try_from(number).ok().and_then(|uid| users.by_uid(uid));
        match (by_id, by_slot) {
            (Some(user), None) | (None, Some(user)) => Some(user.user_id.clone()),
            (Some(one), Some(other)) if one == other => Some(one.user_id.clone()),
            _ => None,
        }
    }
}

/// Reads the data of a punch event; `None` when its form is unknown.
pub fn decode_punch_event(data: &[u8]) -> Option<LiveRecord> {
    let (user, rest, form) = match data.len() {
        10 | 14 => (EventUser::Number(u16_at(data, 0)?.into()), data.get(2..)?, data.len()),
        32.. if is_text_id(data.get(..24)?) => {
            (EventUser::UserId(identity_text(data.get(..24)?).0), data.get(24..)?, 32)
        }
        12.. => (EventUser::Number(u32_at(data, 0)?), data.get(4..)?, 12),
        _ => return None,
    };
    let time = ClockTime::from_six(rest.get(2..8)?.try_into().ok()?);
    // A form read wrongly shows in the time first.
    time.to_naive()?;
    Some(LiveRecord {
        user,
        time,
        state: *rest.get(1)?,
        verify: *rest.first()?,
        raw: data.to_vec(),
        layout: format!("live-{form}"),
    })
}

/// Printable text, then nothing but NUL.
fn is_text_id(field: &[u8]) -> bool {
    let text = until_nul(field);
    let rest = field.get(text.len()..).unwrap_or_default();
    !identity_text(field).1 && rest.iter().all(|byte| *byte == 0)
}
