//! Clocks: the attendance clocks themselves, apart from what they recorded. What each is and
//! how full, whom it knows compared with who works here, what was done to it, and what one
//! may ask of it.
//!
//! Words: a *device user* is a line of a clock's own table; an *operation* is a line of its
//! log of what was done to it. Invariants: an older word never replaces a newer one; a table
//! of users counts once all its parts are there; operations are only ever added.
//!
//! Door: [`ingest_state`], [`ingest_users`], [`ingest_operation`] (from the shops);
//! [`note_contact`], [`ingest_told_users`] (from clocks that call by themselves).

mod model;
pub mod pages;
mod service;
mod sql;
#[cfg(test)]
mod tests;

pub use model::is_away;
pub use pages::asked_range;
pub use service::{
    Contact, ingest_operation, ingest_operations, ingest_state, ingest_told_users, ingest_users,
    note_contact,
};
