//! Statements behind diagnostics: what has arrived of each, and the complete ones.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::{CompanyId, DbError};

/// A transfer's place: whose, and the command it answers.
#[derive(Debug, Clone, Copy)]
pub(in crate::gateways) struct Name {
    pub(in crate::gateways) company: CompanyId,
    pub(in crate::gateways) gateway_id: Uuid,
    pub(in crate::gateways) command_id: Uuid,
}

/// How much of it is here.
#[derive(Debug, Clone)]
pub(in crate::gateways) struct BundleRow {
    pub(in crate::gateways) total_bytes: i64,
    pub(in crate::gateways) sha256: Vec<u8>,
    pub(in crate::gateways) received_bytes: i64,
    pub(in crate::gateways) is_complete: bool,
}

/// Locked for the rest of the transaction.
pub(in crate::gateways) async fn lock(
    connection: &mut PgConnection,
    name: Name,
) -> Result<Option<BundleRow>, DbError> {
    let row = sqlx::query_as!(
        BundleRow,
        r#"select total_bytes, sha256, received_bytes,
                  completed_at is not null as "is_complete!"
           from gateway_bundles
           where company_id = $1 and gateway_id = $2 and command_id = $3
           for update"#,
        name.company.0,
        name.gateway_id,
        name.command_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Takes away what came of commands that have ended otherwise.
pub(in crate::gateways) async fn forget_ended(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
) -> Result<(), DbError> {
    sqlx::query!(
        "delete from gateway_bundles b
         using commands c
         where b.company_id = $1 and b.gateway_id = $2 and b.completed_at is null
           and c.company_id = b.company_id and c.command_id = b.command_id
           and c.settled_at is not null",
        company.0,
        gateway_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Transfers of a gateway that are begun and not complete.
pub(in crate::gateways) async fn open_count(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
) -> Result<i64, DbError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from gateway_bundles
           where company_id = $1 and gateway_id = $2 and completed_at is null"#,
        company.0,
        gateway_id
    )
    .fetch_one(connection)
    .await?;
    Ok(count)
}

pub(in crate::gateways) async fn begin(
    connection: &mut PgConnection,
    name: Name,
    total_bytes: i64,
    sha256: &[u8],
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into gateway_bundles (company_id, gateway_id, command_id, total_bytes, sha256)
         values ($1, $2, $3, $4, $5)",
        name.company.0,
        name.gateway_id,
        name.command_id,
        total_bytes,
        sha256
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets go of a transfer that is not complete.
pub(in crate::gateways) async fn forget(
    connection: &mut PgConnection,
    name: Name,
) -> Result<(), DbError> {
    sqlx::query!(
        "delete from gateway_bundles
         where company_id = $1 and gateway_id = $2 and command_id = $3 and completed_at is null",
        name.company.0,
        name.gateway_id,
        name.command_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds a part behind what is there; the row is locked.
pub(in crate::gateways) async fn add_part(
    connection: &mut PgConnection,
    name: Name,
    first_byte: i64,
    part: &[u8],
) -> Result<(), DbError> {
    sqlx::query!(
        "with added as (
             insert into gateway_bundle_parts (company_id, gateway_id, command_id, first_byte, part)
             values ($1, $2, $3, $4, $5)
         )
         update gateway_bundles set received_bytes = $4 + length($5)
         where company_id = $1 and gateway_id = $2 and command_id = $3",
        name.company.0,
        name.gateway_id,
        name.command_id,
        first_byte,
        part
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Shows all parts in order, one at a time: nobody needs the whole of them in memory.
pub(in crate::gateways) async fn each_part(
    connection: &mut PgConnection,
    name: Name,
    mut show: impl FnMut(&[u8]),
) -> Result<(), DbError> {
    let mut parts = sqlx::query_scalar!(
        "select part from gateway_bundle_parts
         where company_id = $1 and gateway_id = $2 and command_id = $3
         order by first_byte",
        name.company.0,
        name.gateway_id,
        name.command_id
    )
    .fetch(connection);
    while let Some(part) = parts.try_next().await? {
        show(&part);
    }
    Ok(())
}

/// A complete one; `None` when there is none (any more).
pub(in crate::gateways) async fn whole(
    connection: &mut PgConnection,
    name: Name,
) -> Result<Option<Vec<u8>>, DbError> {
    let whole = sqlx::query_scalar!(
        "select string_agg(p.part, '' order by p.first_byte)
         from gateway_bundle_parts p
         join gateway_bundles b on b.company_id = p.company_id and b.gateway_id = p.gateway_id
              and b.command_id = p.command_id
         where b.company_id = $1 and b.gateway_id = $2 and b.command_id = $3
           and b.completed_at is not null",
        name.company.0,
        name.gateway_id,
        name.command_id
    )
    .fetch_one(connection)
    .await?;
    Ok(whole)
}

/// It is whole. Of the complete ones of its gateway the newest `kept` stay.
pub(in crate::gateways) async fn complete(
    connection: &mut PgConnection,
    name: Name,
    kept: i64,
) -> Result<(), DbError> {
    sqlx::query!(
        "update gateway_bundles set completed_at = clock_timestamp()
         where company_id = $1 and gateway_id = $2 and command_id = $3",
        name.company.0,
        name.gateway_id,
        name.command_id
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from gateway_bundles b
         where b.company_id = $1 and b.gateway_id = $2 and b.command_id in (
             select k.command_id from gateway_bundles k
             where k.company_id = $1 and k.gateway_id = $2 and k.completed_at is not null
             order by k.completed_at desc, k.command_id desc
             offset $3
         )",
        name.company.0,
        name.gateway_id,
        kept
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A diagnostic as the page shows it.
#[derive(Debug, Clone)]
pub(in crate::gateways) struct BundleLine {
    pub(in crate::gateways) command_id: Uuid,
    pub(in crate::gateways) state: String,
    pub(in crate::gateways) reason: String,
    pub(in crate::gateways) asked_by: String,
    pub(in crate::gateways) queued_at: DateTime<Utc>,
    pub(in crate::gateways) total_bytes: Option<i64>,
    pub(in crate::gateways) received_bytes: Option<i64>,
    pub(in crate::gateways) completed_at: Option<DateTime<Utc>>,
}

/// The newest diagnostics that were asked of a gateway.
pub(in crate::gateways) async fn newest(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    at_most: i64,
) -> Result<Vec<BundleLine>, DbError> {
    let lines = sqlx::query_as!(
        BundleLine,
        r#"select c.command_id, c.state, c.reason, c.asked_by, c.queued_at,
                  b.total_bytes as "total_bytes?", b.received_bytes as "received_bytes?",
                  b.completed_at as "completed_at?"
           from commands c
           left join gateway_bundles b on b.company_id = c.company_id
                and b.gateway_id = c.gateway_id and b.command_id = c.command_id
           where c.company_id = $1 and c.gateway_id = $2 and c.kind = 'diagnostics'
           order by c.queue_no desc
           limit $3"#,
        company.0,
        gateway_id,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(lines)
}
