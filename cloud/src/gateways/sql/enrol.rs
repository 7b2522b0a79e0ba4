//! Statements of enrolment: codes, keys, the birth and the end of a gateway.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use crate::db::{CompanyId, DbError};

/// The key that codes are hashed with.
pub(in crate::gateways) async fn secret(executor: impl PgExecutor<'_>) -> Result<Vec<u8>, DbError> {
    let secret = sqlx::query_scalar!(r#"select gateways_enrolment_secret() as "secret!""#)
        .fetch_one(executor)
        .await?;
    Ok(secret)
}

/// A code a guess aimed at, its try already counted.
pub(in crate::gateways) struct CodeRow {
    pub(in crate::gateways) company: CompanyId,
    pub(in crate::gateways) code_id: Uuid,
    pub(in crate::gateways) gateway_id: Uuid,
    pub(in crate::gateways) mac: Vec<u8>,
    pub(in crate::gateways) tries: i32,
    pub(in crate::gateways) expires_at: DateTime<Utc>,
}

pub(in crate::gateways) async fn try_code(
    pool: &PgPool,
    locator: &str,
) -> Result<Vec<CodeRow>, DbError> {
    let rows = sqlx::query!(
        r#"select company_id as "company_id!", code_id as "code_id!",
                  gateway_id as "gateway_id!", code_mac as "code_mac!", tries as "tries!",
                  expires_at as "expires_at!"
           from gateways_try_code($1)"#,
        locator
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| CodeRow {
            company: CompanyId(row.company_id),
            code_id: row.code_id,
            gateway_id: row.gateway_id,
            mac: row.code_mac,
            tries: row.tries,
            expires_at: row.expires_at,
        })
        .collect())
}

/// Who redeemed a code, the row locked for the rest of the transaction.
pub(in crate::gateways) async fn lock_code(
    connection: &mut PgConnection,
    company: CompanyId,
    code_id: Uuid,
) -> Result<Option<Vec<u8>>, DbError> {
    let redeemed_by = sqlx::query_scalar!(
        "select redeemed_by from enrolment_codes
         where company_id = $1 and code_id = $2
         for update",
        company.0,
        code_id
    )
    .fetch_one(connection)
    .await?;
    Ok(redeemed_by)
}

/// The machine that redeems a code.
pub(in crate::gateways) struct Machine<'m> {
    pub(in crate::gateways) public_key: &'m [u8],
    pub(in crate::gateways) fingerprint: &'m str,
    pub(in crate::gateways) software: &'m str,
    pub(in crate::gateways) hostname: &'m str,
}

/// Makes the machine the gateway: its key is the only one, earlier sessions are over.
/// False when the gateway was revoked meanwhile.
pub(in crate::gateways) async fn redeem(
    connection: &mut PgConnection,
    company: CompanyId,
    code_id: Uuid,
    gateway_id: Uuid,
    machine: &Machine<'_>,
) -> Result<bool, DbError> {
    let active = sqlx::query!(
        "update gateways
         set state = 'active', mode = 'normal', mode_reason = '', trusted = true,
             software = $3, hostname = $4, generation = generation + 1,
             trusted_from = generation + 1, rotation = null, enrolled_at = now()
         where company_id = $1 and gateway_id = $2 and state <> 'revoked'",
        company.0,
        gateway_id,
        machine.software,
        machine.hostname
    )
    .execute(&mut *connection)
    .await?;
    if active.rows_affected() == 0 {
        return Ok(false);
    }
    revoke_keys(&mut *connection, company, gateway_id).await?;
    sqlx::query!(
        "insert into gateway_keys (company_id, gateway_id, public_key, fingerprint)
         values ($1, $2, $3, $4)
         on conflict (company_id, gateway_id, public_key)
         do update set state = 'active', revoked_at = null, added_at = now()",
        company.0,
        gateway_id,
        machine.public_key,
        machine.fingerprint
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update enrolment_codes set redeemed_at = now(), redeemed_by = $3
         where company_id = $1 and code_id = $2",
        company.0,
        code_id,
        machine.public_key
    )
    .execute(connection)
    .await?;
    Ok(true)
}

async fn revoke_keys(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
) -> Result<(), DbError> {
    sqlx::query!(
        "update gateway_keys set state = 'revoked', revoked_at = now(), retires_at = null
         where company_id = $1 and gateway_id = $2 and state in ('active', 'next', 'retiring')",
        company.0,
        gateway_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The names an enrolled machine is told.
pub(in crate::gateways) async fn names(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
) -> Result<(String, String), DbError> {
    let row = sqlx::query!(
        "select g.name as gateway, c.name as company
         from gateways g
         join companies c on c.company_id = g.company_id
         where g.company_id = $1 and g.gateway_id = $2",
        company.0,
        gateway_id
    )
    .fetch_one(connection)
    .await?;
    Ok((row.gateway, row.company))
}

pub(in crate::gateways) async fn insert_gateway(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    store_id: Uuid,
    name: &str,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into gateways (company_id, gateway_id, store_id, name) values ($1, $2, $3, $4)",
        company.0,
        gateway_id,
        store_id,
        name
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(in crate::gateways) async fn find_by_name(
    connection: &mut PgConnection,
    company: CompanyId,
    name: &str,
) -> Result<Option<Uuid>, DbError> {
    let id = sqlx::query_scalar!(
        "select gateway_id from gateways
         where company_id = $1 and name = $2 and state <> 'revoked'",
        company.0,
        name
    )
    .fetch_optional(connection)
    .await?;
    Ok(id)
}

/// A code as it is made.
pub(in crate::gateways) struct NewCode<'c> {
    pub(in crate::gateways) code_id: Uuid,
    pub(in crate::gateways) gateway_id: Uuid,
    pub(in crate::gateways) locator: &'c str,
    pub(in crate::gateways) mac: &'c [u8],
    pub(in crate::gateways) created_by: &'c str,
    pub(in crate::gateways) expires_at: DateTime<Utc>,
}

/// Writes the code; an earlier one of the same gateway that nobody used ends now.
pub(in crate::gateways) async fn insert_code(
    connection: &mut PgConnection,
    company: CompanyId,
    code: &NewCode<'_>,
) -> Result<(), DbError> {
    sqlx::query!(
        "update enrolment_codes set expires_at = now()
         where company_id = $1 and gateway_id = $2 and redeemed_at is null and expires_at > now()",
        company.0,
        code.gateway_id
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into enrolment_codes
             (company_id, code_id, gateway_id, locator, code_mac, created_by, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        company.0,
        code.code_id,
        code.gateway_id,
        code.locator,
        code.mac,
        code.created_by,
        code.expires_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(in crate::gateways) async fn rename(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    name: &str,
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "update gateways set name = $3 where company_id = $1 and gateway_id = $2",
        company.0,
        gateway_id,
        name
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a gateway: its keys, its codes. False when it is not there or was ended before.
pub(in crate::gateways) async fn revoke(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "update gateways set state = 'revoked', revoked_at = now()
         where company_id = $1 and gateway_id = $2 and state <> 'revoked'",
        company.0,
        gateway_id
    )
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    revoke_keys(&mut *connection, company, gateway_id).await?;
    sqlx::query!(
        "update enrolment_codes set expires_at = now()
         where company_id = $1 and gateway_id = $2 and expires_at > now()",
        company.0,
        gateway_id
    )
    .execute(connection)
    .await?;
    Ok(true)
}

/// Trusts a gateway again: what the next Hello says becomes what is known.
pub(in crate::gateways) async fn clear_suspicion(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "update gateways
         set mode = 'normal', mode_reason = '', trusted = true, trusted_from = generation
         where company_id = $1 and gateway_id = $2 and mode = 'read_only'",
        company.0,
        gateway_id
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
