//! Statements that take events in: the watermark, and what cannot be read.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::{CompanyId, DbError};

/// The watermark of an up log, locked for the rest of the transaction, and how its
/// gateway stands.
pub(in crate::gateways) struct Watermark {
    pub(in crate::gateways) durable: u64,
    pub(in crate::gateways) is_closed: bool,
    pub(in crate::gateways) state: String,
    pub(in crate::gateways) mode: String,
}

/// Two statements: the second sees what a session that held the lock before has written,
/// which the first, in waiting for that lock, would not.
pub(in crate::gateways) async fn lock_watermark(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    epoch: u64,
) -> Result<Option<Watermark>, DbError> {
    let locked = sqlx::query!(
        r#"select durable, closed_at is not null as "is_closed!"
           from gateway_up
           where company_id = $1 and gateway_id = $2 and epoch = $3
           for update"#,
        company.0,
        gateway_id,
        epoch.cast_signed()
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(locked) = locked else { return Ok(None) };
    let gateway = sqlx::query!(
        "select state, mode from gateways where company_id = $1 and gateway_id = $2",
        company.0,
        gateway_id
    )
    .fetch_one(connection)
    .await?;
    Ok(Some(Watermark {
        durable: locked.durable.cast_unsigned(),
        is_closed: locked.is_closed,
        state: gateway.state,
        mode: gateway.mode,
    }))
}

pub(in crate::gateways) async fn advance_watermark(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    epoch: u64,
    durable: u64,
) -> Result<(), DbError> {
    let done = sqlx::query!(
        "update gateway_up set durable = $4, advanced_at = now()
         where company_id = $1 and gateway_id = $2 and epoch = $3 and durable <= $4",
        company.0,
        gateway_id,
        epoch.cast_signed(),
        durable.cast_signed()
    )
    .execute(connection)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::Other(sqlx::Error::RowNotFound)) }
}

/// One event kept as it came.
pub(in crate::gateways) struct RawEvent<'e> {
    pub(in crate::gateways) epoch: u64,
    pub(in crate::gateways) seq: u64,
    pub(in crate::gateways) bytes: &'e [u8],
}

pub(in crate::gateways) async fn keep_unread(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    event: &RawEvent<'_>,
    reason: &str,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into gateway_unread_events (company_id, gateway_id, epoch, seq, event, reason)
         values ($1, $2, $3, $4, $5, $6)
         on conflict do nothing",
        company.0,
        gateway_id,
        event.epoch.cast_signed(),
        event.seq.cast_signed(),
        event.bytes,
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// True when no notice of this kind was written for a day.
pub(in crate::gateways) async fn is_news(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    code: &str,
) -> Result<bool, DbError> {
    let is_news = sqlx::query_scalar!(
        r#"select not exists (
               select from gateway_notices
               where company_id = $1 and gateway_id = $2 and code = $3
                 and at > now() - interval '1 day'
           ) as "is_news!""#,
        company.0,
        gateway_id,
        code
    )
    .fetch_one(connection)
    .await?;
    Ok(is_news)
}

pub(in crate::gateways) async fn quarantine(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    generation: u64,
    event: &RawEvent<'_>,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into gateway_quarantine
             (company_id, gateway_id, epoch, seq, event_digest, event, generation)
         values ($1, $2, $3, $4, sha256($5), $5, $6)
         on conflict do nothing",
        company.0,
        gateway_id,
        event.epoch.cast_signed(),
        event.seq.cast_signed(),
        event.bytes,
        generation.cast_signed()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A mark to go back to when one event of a batch is refused.
pub(in crate::gateways) async fn mark(connection: &mut PgConnection) -> Result<(), DbError> {
    sqlx::query!("savepoint one_event").execute(connection).await?;
    Ok(())
}

pub(in crate::gateways) async fn back_to_mark(
    connection: &mut PgConnection,
) -> Result<(), DbError> {
    sqlx::query!("rollback to savepoint one_event").execute(connection).await?;
    Ok(())
}

pub(in crate::gateways) async fn drop_mark(connection: &mut PgConnection) -> Result<(), DbError> {
    sqlx::query!("release savepoint one_event").execute(connection).await?;
    Ok(())
}
