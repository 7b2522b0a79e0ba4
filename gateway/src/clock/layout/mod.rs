//! What the clock's bytes mean: times, users, punches, sizes and events. Pure.
//!
//! Nothing here fails on odd content: an impossible date, a garbage name or an
//! unknown user is decoded as far as it goes and flagged, so that one bad record
//! never costs the others. Which layout a log has is decided in [`choose`] and never
//! by rounding.

mod attendance;
mod choose;
mod event;
mod operations;
mod sizes;
mod time;
mod user_write;
mod users;

pub use attendance::{AttendanceLayout, LogRecord, UnknownLayout, number_occurrences};
pub use choose::{END_BYTES, LayoutChoice, LogEnds, LogFacts, choose_by_ends, choose_layout};
pub use event::{EventUser, LiveRecord, decode_punch_event};
pub use operations::{OPERATION_BYTES, Operation, decode_operations};
pub use sizes::Sizes;
pub use time::{Calendar, ClockTime};
pub use user_write::{UserWish, WishFault, user_record};
pub use users::{User, UserTable, UsersLayout, choose_users_layout};

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
