//! Giving up a sale whose answer never came.

use serde_json::json;
use uuid::Uuid;

use super::super::model::{Sold, TillError};
use super::super::sql;
use crate::db::{Actor, Begun, Db, DbError, IdempotencyKey};

/// Makes certain whether a sale happened: `Some` is its ticket, `None` means that there is
/// none and never will be.
///
/// Looking alone would not do, because the sale may be under way: this takes the sale's own
/// key, so it waits for one that is, and one that comes later finds the key used.
pub async fn abandon(db: &Db, actor: &Actor, ticket_id: Uuid) -> Result<Option<Sold>, TillError> {
    let key = IdempotencyKey(ticket_id);
    match db.begin_once::<_, Option<Sold>>(actor, key, "till.abandon", &ticket_id).await {
        Ok(Begun::Replayed(sold)) => Ok(sold),
        Ok(Begun::Fresh(mut act)) => {
            // Keys are forgotten after a while, tickets never.
            let sold = sql::find_sold(act.connection(), actor.company, ticket_id).await?;
            if sold.is_none() {
                act.audit("ticket.abandon", "ticket", &ticket_id.to_string(), json!({})).await?;
            }
            act.commit_with(&sold).await?;
            Ok(sold)
        }
        // The key belongs to the sale: it went through.
        Err(DbError::KeyReused) => {
            let mut scope = db.read(actor.company).await?;
            let sold = sql::find_sold(scope.connection(), actor.company, ticket_id).await?;
            sold.map(Some).ok_or(TillError::UnknownTicket)
        }
        Err(error) => Err(error.into()),
    }
}
