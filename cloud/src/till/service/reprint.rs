//! A ticket on paper again.

use serde_json::json;
use uuid::Uuid;

use super::super::model::TillError;
use super::super::{paper, sql};
use crate::db::Act;
use crate::i18n::Texts;

/// Asks for a copy of a ticket's page; the shop marks it DUPLICATA. The caller's
/// idempotency key keeps it one copy.
pub async fn reprint(
    act: &mut Act,
    texts: &Texts,
    ticket_id: Uuid,
    command_id: Option<Uuid>,
) -> Result<(), TillError> {
    let company = act.company();
    let store_id = sql::store_of_ticket(act.connection(), company, ticket_id)
        .await?
        .ok_or(TillError::UnknownTicket)?;
    paper::ask_copy(act, texts, store_id, ticket_id, command_id).await?;
    act.audit("ticket.reprint", "ticket", &ticket_id.to_string(), json!({})).await?;
    Ok(())
}
