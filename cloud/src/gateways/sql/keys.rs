//! Statements of keys that follow one another: proposed, proven by a session, retired.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::{CompanyId, DbError};

/// Where a key stands, if it is the gateway's.
pub(in crate::gateways) async fn stand(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    public_key: &[u8],
) -> Result<Option<String>, DbError> {
    let state = sqlx::query_scalar!(
        "select case when state = 'retiring' and retires_at <= now() then 'dropped' else state end
             as \"state!\"
         from gateway_keys
         where company_id = $1 and gateway_id = $2 and public_key = $3",
        company.0,
        gateway_id,
        public_key
    )
    .fetch_optional(connection)
    .await?;
    Ok(state)
}

/// Keys that are still good for a while after their successor came.
pub(in crate::gateways) async fn retiring_count(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
) -> Result<i64, DbError> {
    let count = sqlx::query_scalar!(
        "select count(*) as \"count!\"
         from gateway_keys
         where company_id = $1 and gateway_id = $2 and state = 'retiring' and retires_at > now()",
        company.0,
        gateway_id
    )
    .fetch_one(connection)
    .await?;
    Ok(count)
}

/// Lets a key open sessions beside the one that proposed it. An earlier proposal that never
/// opened one is dropped.
pub(in crate::gateways) async fn propose(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    public_key: &[u8],
    fingerprint: &str,
) -> Result<(), DbError> {
    sqlx::query!(
        "update gateway_keys set state = 'dropped'
         where company_id = $1 and gateway_id = $2 and state = 'next'",
        company.0,
        gateway_id
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into gateway_keys (company_id, gateway_id, public_key, fingerprint, state)
         values ($1, $2, $3, $4, 'next')",
        company.0,
        gateway_id,
        public_key,
        fingerprint
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A proposed key has opened a session: it is the gateway's key now, the one before it is
/// good until `retires_at`, and nobody waits for a new one any more. Gives its fingerprint.
pub(in crate::gateways) async fn activate(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    public_key: &[u8],
    retires_at: DateTime<Utc>,
) -> Result<String, DbError> {
    sqlx::query!(
        "update gateway_keys set state = 'retiring', retires_at = $3
         where company_id = $1 and gateway_id = $2 and state = 'active'",
        company.0,
        gateway_id,
        retires_at
    )
    .execute(&mut *connection)
    .await?;
    let fingerprint = sqlx::query_scalar!(
        "update gateway_keys set state = 'active', connected_at = now()
         where company_id = $1 and gateway_id = $2 and public_key = $3 and state = 'next'
         returning fingerprint",
        company.0,
        gateway_id,
        public_key
    )
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query!(
        "update gateways set rotation = null where company_id = $1 and gateway_id = $2",
        company.0,
        gateway_id
    )
    .execute(connection)
    .await?;
    Ok(fingerprint)
}

/// A session began with this key.
pub(in crate::gateways) async fn connected(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    public_key: &[u8],
) -> Result<(), DbError> {
    sqlx::query!(
        "update gateway_keys set connected_at = now()
         where company_id = $1 and gateway_id = $2 and public_key = $3",
        company.0,
        gateway_id,
        public_key
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A person wants a new key. False when the gateway is not in service.
pub(in crate::gateways) async fn ask_rotation(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "update gateways set rotation = 'asked'
         where company_id = $1 and gateway_id = $2 and state = 'active'",
        company.0,
        gateway_id
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The gateway was told.
pub(in crate::gateways) async fn tell_rotation(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
) -> Result<(), DbError> {
    sqlx::query!(
        "update gateways set rotation = 'told', rotation_told_at = now()
         where company_id = $1 and gateway_id = $2 and rotation = 'asked'",
        company.0,
        gateway_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The wish is told once more when it was told before that moment.
pub(in crate::gateways) async fn tell_again(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    told_before: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query!(
        "update gateways set rotation = 'asked'
         where company_id = $1 and gateway_id = $2 and rotation = 'told' and rotation_told_at < $3",
        company.0,
        gateway_id,
        told_before
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A key as the page shows it.
#[derive(Debug, Clone)]
pub(in crate::gateways) struct KeyLine {
    pub(in crate::gateways) fingerprint: String,
    /// `next`, `active`, `retiring`, `dropped`, `revoked`; a key past its end is `dropped`.
    pub(in crate::gateways) state: String,
    pub(in crate::gateways) added_at: DateTime<Utc>,
    pub(in crate::gateways) connected_at: Option<DateTime<Utc>>,
    pub(in crate::gateways) retires_at: Option<DateTime<Utc>>,
}

/// The keys of a gateway, newest first.
pub(in crate::gateways) async fn list(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    at_most: i64,
) -> Result<Vec<KeyLine>, DbError> {
    let lines = sqlx::query_as!(
        KeyLine,
        r#"select fingerprint, added_at, connected_at, retires_at,
                  case when state = 'retiring' and retires_at <= now() then 'dropped' else state end
                      as "state!"
           from gateway_keys
           where company_id = $1 and gateway_id = $2
           order by added_at desc, public_key
           limit $3"#,
        company.0,
        gateway_id,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(lines)
}

/// What the nodes serve to gateways and browsers: the first to end of each kind.
#[derive(Debug, Clone)]
pub(in crate::gateways) struct ServedLine {
    pub(in crate::gateways) kind: String,
    pub(in crate::gateways) until: DateTime<Utc>,
}

pub(in crate::gateways) async fn served(
    connection: &mut PgConnection,
) -> Result<Vec<ServedLine>, DbError> {
    let lines = sqlx::query_as!(
        ServedLine,
        r#"select kind, min(until) as "until!"
           from served_certificates
           where told_at > now() - interval '1 day'
           group by kind
           order by kind"#
    )
    .fetch_all(connection)
    .await?;
    Ok(lines)
}

/// A node says until when what it serves is good.
pub(in crate::gateways) async fn tell_served(
    pool: &sqlx::PgPool,
    node: &str,
    kind: &str,
    until: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query!("select gateways_tell_certificate($1, $2, $3)", node, kind, until)
        .fetch_one(pool)
        .await?;
    Ok(())
}
