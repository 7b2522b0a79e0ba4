//! Attendance: what the clocks recorded, as they recorded it.
//!
//! Words: a *punch* is one record of a clock; a *clock user* is the id somebody has on a
//! clock. Invariants: a punch is its identity (clock, user, local time, state, verify,
//! occurrence), stored once however often it is told; it is never changed; whose it is
//! comes from the assignment of the clock user and is never guessed.
//!
//! Door: [`ingest`] and [`ingest_many`] (from the shops), [`assign`] (a clock user is an
//! employee).

mod live;
mod model;
pub mod pages;
mod service;
mod sql;
#[cfg(test)]
mod tests;

pub use model::ClockUser;
pub use service::{assign, ingest, ingest_many};

/// The hint that punches came in.
pub const TOPIC: &str = "punches";
