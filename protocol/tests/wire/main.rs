//! The wire as it was released and as it must stay.
//!
//! `golden` compares every message with the bytes kept in `golden/v1`, `property`
//! shows that any message survives, that newer peers' fields are skipped and that
//! no bytes make the codec panic. `samples` and `arbitrary` build the messages.

mod arbitrary;
mod definitions;
mod golden;
mod property;
mod rules;
mod samples;
