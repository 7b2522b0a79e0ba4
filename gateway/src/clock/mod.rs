//! The attendance clock: ZKTeco's "pull" protocol over TCP.
//!
//! `wire` and `layout` are pure: bytes to frames, bytes to records. `client` is one
//! session with one clock. `poll` runs in the daemon and hands punches to the
//! journal. `dump` reads a clock once, for the command line and for tests. `push` hears
//! clocks that call by themselves.
//!
//! The clock's log is the truth and live events are only fresher news of it: an event
//! that cannot be matched with certainty starts a reading instead of a guess. Nothing
//! here can send a command that clears or changes a clock's records or users.

mod client;
mod config;
mod dump;
mod health;
mod index;
pub mod layout;
mod ledger;
mod link;
mod poll;
pub mod push;
mod visit;
pub mod wire;

pub use client::{ClientError, EventAck, Identity, LogBytes, Session, Step, Timeouts};
pub use config::{ClockConfig, CommKey, ConfigError, Target, Transport};
pub(crate) use dump::with_offset;
pub use dump::{Device, Dump, DumpOptions, DumpPunch, DumpUser, read_device, read_dump};
pub use index::{PunchStore, Recall};
pub use link::{Event, LinkEnd};
pub use poll::{ClockPart, HeldClocks, Surroundings};
