//! Gateways: the shops' boxes. Enrolment, the live tunnels, the outbox of commands,
//! and how the devices fare.
//!
//! Words: a *gateway* is one box in one shop; a *session* is one connection of it, with a
//! *generation* that grows; a *command* is a wish of the cloud, an *event* a fact of the
//! shop. Invariants: an event is acknowledged after COMMIT only; a command is one row from
//! wish to outcome, and the database refuses impossible passages; only the newest
//! generation leases.
//!
//! Door: [`outbox`] (enqueue, cancel, settle a doubt), [`Hub`] (start, serve, drain),
//! [`EventSink`] (what becomes of events; implemented in `crate::ingest`),
//! [`record_health`], [`record_notice`], [`record_report`].

mod accept;
mod admission;
#[cfg(any(test, feature = "testing"))]
pub mod between;
mod bulk;
mod end;
pub mod enrol;
mod gate;
mod health;
mod hub;
mod inquiry;
mod intake;
mod lease;
mod model;
pub mod outbox;
mod owed;
pub mod pages;
mod reasons;
pub mod rotate;
mod session;
mod sql;
pub mod stand;
mod warnings;
mod wire;

#[cfg(test)]
mod tests;

pub use end::Ended;
pub use gate::Caller;
pub use health::{record_health, record_notice, tell_served};
pub use hub::{Hub, HubOptions};
pub use intake::{EventSink, Origin, Taken};
pub use model::{Kind, Policy, Reported, State, Suspicion};
pub use outbox::record_report;
pub use reasons::reason_text;
pub use sql::outbox::{CopyStand, SourceCommand};
