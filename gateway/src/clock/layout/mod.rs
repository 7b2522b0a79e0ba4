//! What the clock's bytes mean: times, users, punches, sizes and events. Pure.
//!
//! Nothing here fails on odd content: an impossible date, a garbage name or an
//! unknown user is decoded as far as it goes and flagged, so that one bad record
//! never costs the others. Which layout a log has is decided in [`choose`] and never
//! by rounding.

mod attendance;
mod choose;
mod event;
mod sizes;
mod time;
mod users;

pub use attendance::{AttendanceLayout, LogRecord, UnknownLayout, number_occurrences};
pub use choose::{LayoutChoice, LogFacts, choose_layout};
pub use event::{EventUser, LiveRecord, decode_punch_event};
pub use sizes::Sizes;
pub use time::ClockTime;
pub use users::{User, UserTable, UsersLayout, choose_users_layout};

/// Text up to the first NUL. Bytes that are not printable ASCII are kept as `\xNN`,
/// so that different bytes never become the same identity. The flag says that some
/// were, or that there is no text at all.
fn identity_text(bytes: &[u8]) -> (String, bool) {
    let bytes = until_nul(bytes);
    let mut text = String::with_capacity(bytes.len());
    let mut is_odd = bytes.is_empty();
    for &byte in bytes {
        if (byte.is_ascii_graphic() && byte != b'\\') || byte == b' ' {
            text.push(char::from(byte));
        } else {
            is_odd = true;
            text.extend([r"\x".to_owned(), format!("{byte:02x}")]);
        }
    }
    (text, is_odd)
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
