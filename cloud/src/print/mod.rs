//! Documents on their way to paper: a business fact asks for a page inside its own
//! transaction, the command in the outbox is that wish, and its state says how it fared.

use fournil_protocol::document::Document;
use uuid::Uuid;

use crate::db::{Act, DbError};

/// Asks for a page at a shop. `source_*` names the business fact: asked twice for the
/// same fact and `purpose`, one command exists. `None` when the shop has no gateway:
/// the fact stands all the same.
pub async fn enqueue(
    _act: &mut Act,
    _store_id: Uuid,
    _source_kind: &'static str,
    _source_id: Uuid,
    _purpose: &'static str,
    _document: Document,
) -> Result<Option<Uuid>, DbError> {
    Ok(None)
}

/// Asks for the drawer at a shop; expires in seconds, never twice.
pub async fn open_drawer(
    _act: &mut Act,
    _store_id: Uuid,
    _source_kind: &'static str,
    _source_id: Uuid,
) -> Result<Option<Uuid>, DbError> {
    Ok(None)
}
