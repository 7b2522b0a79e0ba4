//! What the shop gateway and the cloud say to each other: types and codec only.
//!
//! No I/O, no clock, no randomness lives here. One binary WebSocket message is
//! one [`frame::Frame`]; a frame is protobuf. A tag is never used twice, unknown
//! fields are skipped, and the golden bytes of every released version stay in
//! `golden/`.
//!
//! Read in this order: [`frame`] (the envelope), [`hello`] (how a session
//! begins and resumes), [`event`] (shop to cloud), [`command`] (cloud to shop),
//! [`document`] (what a receipt says), [`close`] (why a session ends),
//! [`enrol`] (how a gateway gets its name), [`rotate`] (how it changes its key), [`words`] (how the shop explains itself),
//! [`limits`] (every bound).

pub mod close;
pub mod command;
pub mod document;
pub mod enrol;
pub mod event;
pub mod fingerprint;
pub mod frame;
pub mod hello;
pub mod limits;
pub mod rotate;
pub mod words;

/// The newest protocol version this build speaks.
///
/// - 1: first release. Hello/Welcome with epochs both ways, windows in messages
///   and bytes, cumulative acks, commands with class and deadline.
pub const VERSION_MAX: u32 = 1;

/// The oldest protocol version this build still speaks.
pub const VERSION_MIN: u32 = 1;

/// The WebSocket subprotocol offered and required on `/gateway/v1`.
pub const SUBPROTOCOL: &str = "fournil.gateway.v1";

/// Picks the highest version both sides speak, or `None` when there is none.
#[must_use]
pub fn common_version(peer_min: u32, peer_max: u32) -> Option<u32> {
    let highest = VERSION_MAX.min(peer_max);
    (highest >= VERSION_MIN && highest >= peer_min).then_some(highest)
}
