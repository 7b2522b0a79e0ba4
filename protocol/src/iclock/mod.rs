//! The dialect of clocks that call by themselves over HTTP ("ADMS", "iclock", "cloud server" in
//! their menus): what they ask, what their bodies say, what they are answered. It stands here
//! because the gateway and the cloud both serve it.
//!
//! No I/O, no clock, no zone arithmetic: the host says what instant a wall time is. Everything
//! a clock sends is taken as it comes: line endings, capitals, missing and surplus columns,
//! dates that do not exist. Templates, photographs and passwords are dropped unread.
//!
//! Read in this order: [`ask`] (what is asked), [`body`] (bytes to lines), [`told`] (lines to
//! events), [`options`] and [`commands`] (what is answered).

pub mod ask;
pub mod body;
pub mod commands;
pub mod options;
pub mod told;

pub use ask::{Ask, AskError, Wanted};
pub use commands::{Command, CommandResult};
pub use options::Options;
pub use told::{Setting, Told};

/// Largest body a clock may send; its own limit is 900 KB.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Largest body after it was unpacked.
pub const PLAIN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most lines of one body: each becomes a fact, and 900 KB of them are fewer.
pub const LINES_MAX: usize = 50_000;
/// The protocol this side speaks; the lower of both is used.
pub const PUSH_VERSION: &str = "2.4.1";

/// What is answered when all is well.
pub const OK: &str = "OK";

/// The answer to a body of which so many lines are kept for good. Never before they are.
#[must_use]
pub fn accepted(lines: usize) -> String {
    format!("OK: {lines}")
}

#[cfg(test)]
mod tests;
