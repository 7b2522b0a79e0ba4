//! The one place where device code asks the machine for the time. Everything below it
//! takes the time as an argument; the journal and the tunnel have sources of their own
//! that tests can move.

use chrono::{DateTime, Utc};

/// The machine's wall clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
