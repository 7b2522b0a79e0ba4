//! Every statement of the area, by what it serves. Sequences and epochs are `u64` on
//! the wire and `bigint` here, bit for bit.

pub(super) mod bundles;
pub(super) mod enrol;
pub(super) mod health;
pub(super) mod intake;
pub(super) mod keys;
pub(super) mod lists;
pub(super) mod lost;
pub(super) mod outbox;
pub(super) mod sessions;

use fournil_protocol::command::Command;
use prost::Message;

use crate::db::DbError;

/// A stored command. Bytes that are none are a fault of ours.
pub(super) fn decode(body: &[u8]) -> Result<Command, DbError> {
    Command::decode(body).map_err(|error| DbError::Other(sqlx::Error::Decode(Box::new(error))))
}
