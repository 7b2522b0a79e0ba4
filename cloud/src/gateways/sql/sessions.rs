//! Statements of sessions: who may speak, where the logs stand, who holds the line.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::db::{CompanyId, DbError};
use crate::gateways::model::{Head, Known, KnownUp};

/// Who a gateway id belongs to, and the keys that may speak for it.
#[derive(Debug, Clone)]
pub(in crate::gateways) struct HelloRow {
    pub(in crate::gateways) company: CompanyId,
    pub(in crate::gateways) name: String,
    pub(in crate::gateways) state: String,
    pub(in crate::gateways) public_keys: Vec<Vec<u8>>,
}

pub(in crate::gateways) async fn find_hello(
    pool: &PgPool,
    gateway_id: Uuid,
) -> Result<Option<HelloRow>, DbError> {
    let row = sqlx::query!(
        r#"select company_id as "company_id!", gateway_name as "gateway_name!",
                  gateway_state as "gateway_state!", public_keys as "public_keys!"
           from gateways_find_hello($1)"#,
        gateway_id
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| HelloRow {
        company: CompanyId(row.company_id),
        name: row.gateway_name,
        state: row.gateway_state,
        public_keys: row.public_keys,
    }))
}

/// A gateway's row, locked for the rest of the transaction.
pub(in crate::gateways) struct Locked {
    pub(in crate::gateways) state: String,
    pub(in crate::gateways) mode: String,
    pub(in crate::gateways) generation: u64,
    pub(in crate::gateways) known: Known,
}

/// Locks a gateway. `no key` because rows that refer to it may be written meanwhile.
pub(in crate::gateways) async fn lock(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
) -> Result<Option<Locked>, DbError> {
    let row = sqlx::query!(
        "select state, mode, trusted, generation, incarnation, boot_id, head_epoch, head_seq,
                head_hash, down_epoch, down_next, down_durable
         from gateways
         where company_id = $1 and gateway_id = $2
         for no key update",
        company.0,
        gateway_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Locked {
        state: row.state,
        mode: row.mode,
        generation: row.generation.cast_unsigned(),
        known: Known {
            incarnation: row.incarnation.cast_unsigned(),
            boot_id: row.boot_id,
            head: Head {
                epoch: row.head_epoch.cast_unsigned(),
                seq: row.head_seq.cast_unsigned(),
                hash: row.head_hash,
            },
            up: None,
            is_closed_epoch: false,
            is_boot_back: false,
            is_trusted: row.trusted,
            down_epoch: row.down_epoch.cast_unsigned(),
            down_next: row.down_next.cast_unsigned(),
            down_durable: row.down_durable.cast_unsigned(),
        },
    }))
}

/// Completes what is known with the up log, given the epoch the gateway names.
pub(in crate::gateways) async fn known_up(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    told_epoch: u64,
) -> Result<(Option<KnownUp>, bool), DbError> {
    let rows = sqlx::query!(
        r#"select epoch, durable, closed_at is not null as "is_closed!"
           from gateway_up
           where company_id = $1 and gateway_id = $2 and (closed_at is null or epoch = $3)
           order by epoch
           for no key update"#,
        company.0,
        gateway_id,
        told_epoch.cast_signed()
    )
    .fetch_all(connection)
    .await?;
    let open = rows.iter().find(|row| !row.is_closed).map(|row| KnownUp {
        epoch: row.epoch.cast_unsigned(),
        durable: row.durable.cast_unsigned(),
    });
    Ok((open, rows.iter().any(|row| row.is_closed)))
}

/// Gives up the log being followed and follows another from `durable`, or from where it
/// was left when it was followed before and a person says that it counts again. Gives
/// the place.
pub(in crate::gateways) async fn follow_new_log(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    epoch: u64,
    durable: u64,
) -> Result<u64, DbError> {
    sqlx::query!(
        "update gateway_up set closed_at = now()
         where company_id = $1 and gateway_id = $2 and closed_at is null",
        company.0,
        gateway_id
    )
    .execute(&mut *connection)
    .await?;
    let durable = sqlx::query_scalar!(
        "insert into gateway_up (company_id, gateway_id, epoch, durable) values ($1, $2, $3, $4)
         on conflict (company_id, gateway_id, epoch)
         do update set closed_at = null, durable = greatest(gateway_up.durable, excluded.durable)
         returning durable",
        company.0,
        gateway_id,
        epoch.cast_signed(),
        durable.cast_signed()
    )
    .fetch_one(connection)
    .await?;
    Ok(durable.cast_unsigned())
}

/// Begins the down log anew. What was sent and never confirmed goes back to the queue.
pub(in crate::gateways) async fn begin_down_log(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    epoch: u64,
) -> Result<(), DbError> {
    sqlx::query!(
        "update gateways set down_epoch = $3, down_next = 1, down_durable = 0
         where company_id = $1 and gateway_id = $2",
        company.0,
        gateway_id,
        epoch.cast_signed()
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update commands
         set state = 'queued', down_epoch = null, down_seq = null, lease_generation = null,
             touched_by = 'cloud'
         where company_id = $1 and gateway_id = $2 and state = 'leased'",
        company.0,
        gateway_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What an accepted Hello leaves on the gateway's row.
pub(in crate::gateways) struct Accepted<'h> {
    pub(in crate::gateways) generation: u64,
    pub(in crate::gateways) software: &'h str,
    pub(in crate::gateways) incarnation: u64,
    pub(in crate::gateways) boot_id: &'h [u8],
    pub(in crate::gateways) head: Head,
}

pub(in crate::gateways) async fn accept(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    accepted: &Accepted<'_>,
) -> Result<(), DbError> {
    sqlx::query!(
        "update gateways
         set generation = $3, software = $4, incarnation = $5, boot_id = $6, trusted = false,
             head_epoch = $7, head_seq = $8, head_hash = $9
         where company_id = $1 and gateway_id = $2",
        company.0,
        gateway_id,
        accepted.generation.cast_signed(),
        accepted.software,
        accepted.incarnation.cast_signed(),
        accepted.boot_id,
        accepted.head.epoch.cast_signed(),
        accepted.head.seq.cast_signed(),
        accepted.head.hash,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets a suspected copy in to read only: nothing of what it says becomes known.
pub(in crate::gateways) async fn accept_read_only(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    generation: u64,
    reason: Option<&str>,
) -> Result<(), DbError> {
    sqlx::query!(
        "update gateways
         set generation = $3, mode = 'read_only', mode_reason = coalesce($4, mode_reason)
         where company_id = $1 and gateway_id = $2",
        company.0,
        gateway_id,
        generation.cast_signed(),
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A session as it begins.
pub(in crate::gateways) struct NewSession<'s> {
    pub(in crate::gateways) generation: u64,
    pub(in crate::gateways) node: &'s str,
    pub(in crate::gateways) peer: &'s str,
    pub(in crate::gateways) boot_id: &'s [u8],
    pub(in crate::gateways) certificate_until: Option<DateTime<Utc>>,
}

/// Writes the session down and ends what an earlier one left open.
pub(in crate::gateways) async fn begin(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    session: &NewSession<'_>,
) -> Result<(), DbError> {
    sqlx::query!(
        "update gateway_sessions
         set ended_at = now(), close_code = 4001, close_reason = 'superseded'
         where company_id = $1 and gateway_id = $2 and ended_at is null",
        company.0,
        gateway_id
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into gateway_sessions
             (company_id, gateway_id, generation, node, peer, boot_id, since)
         values ($1, $2, $3, $4, $5, $6, now())",
        company.0,
        gateway_id,
        session.generation.cast_signed(),
        session.node,
        session.peer,
        session.boot_id
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update gateways set client_certificate_until = $3
         where company_id = $1 and gateway_id = $2
           and client_certificate_until is distinct from $3",
        company.0,
        gateway_id,
        session.certificate_until
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// True when this boot of a machine opened a session, then another boot did, all of it since
/// `since` and since a person last vouched: a machine boots forward only, so there are two.
pub(in crate::gateways) async fn is_boot_back(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    boot_id: &[u8],
    since: DateTime<Utc>,
) -> Result<bool, DbError> {
    let is_back = sqlx::query_scalar!(
        r#"select exists(
               select from gateway_sessions mine
               join gateways g on g.company_id = mine.company_id
                    and g.gateway_id = mine.gateway_id
               join gateway_sessions others on others.company_id = mine.company_id
                    and others.gateway_id = mine.gateway_id
                    and others.generation > mine.generation
                    and others.boot_id not in (mine.boot_id, '')
               where mine.company_id = $1 and mine.gateway_id = $2 and mine.boot_id = $3
                 and mine.boot_id <> '' and mine.since > $4
                 and mine.generation > g.trusted_from
           ) as "is_back!""#,
        company.0,
        gateway_id,
        boot_id,
        since
    )
    .fetch_one(connection)
    .await?;
    Ok(is_back)
}

/// How a session ended.
pub(in crate::gateways) struct SessionEnd<'s> {
    pub(in crate::gateways) generation: u64,
    pub(in crate::gateways) heard_at: DateTime<Utc>,
    pub(in crate::gateways) code: u16,
    pub(in crate::gateways) reason: &'s str,
}

pub(in crate::gateways) async fn end(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    end: &SessionEnd<'_>,
) -> Result<(), DbError> {
    sqlx::query!(
        "update gateway_sessions
         set heard_at = $4, ended_at = coalesce(ended_at, now()),
             close_code = coalesce(close_code, $5),
             close_reason = case when close_reason = '' then $6 else close_reason end
         where company_id = $1 and gateway_id = $2 and generation = $3",
        company.0,
        gateway_id,
        end.generation.cast_signed(),
        end.heard_at,
        i32::from(end.code),
        end.reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The hub's look at one gateway it holds.
#[derive(Debug, Clone)]
pub(in crate::gateways) struct Look {
    pub(in crate::gateways) gateway_id: Uuid,
    pub(in crate::gateways) state: String,
    pub(in crate::gateways) mode: String,
    pub(in crate::gateways) generation: u64,
    pub(in crate::gateways) has_queued: bool,
    pub(in crate::gateways) company: CompanyId,
    /// A person wants a new key, and the gateway was not told yet.
    pub(in crate::gateways) is_rotation_asked: bool,
}

pub(in crate::gateways) async fn look(
    pool: &PgPool,
    gateways: &[Uuid],
) -> Result<Vec<Look>, DbError> {
    let rows = sqlx::query!(
        r#"select company_id as "company_id!", gateway_id as "gateway_id!",
                  is_rotation_asked as "is_rotation_asked!", gateway_state as "gateway_state!",
                  gateway_mode as "gateway_mode!", generation as "generation!",
                  has_queued as "has_queued!"
           from gateways_look($1)
           order by gateway_id"#,
        gateways
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Look {
            gateway_id: row.gateway_id,
            state: row.gateway_state,
            mode: row.gateway_mode,
            generation: row.generation.cast_unsigned(),
            has_queued: row.has_queued,
            company: CompanyId(row.company_id),
            is_rotation_asked: row.is_rotation_asked,
        })
        .collect())
}

/// Gateways, of any company, that hold queued commands past their deadline.
pub(in crate::gateways) async fn overdue(
    pool: &PgPool,
    at_most: i32,
) -> Result<Vec<(CompanyId, Uuid)>, DbError> {
    let rows = sqlx::query!(
        r#"select company_id as "company_id!", gateway_id as "gateway_id!"
           from gateways_overdue($1)
           order by company_id, gateway_id"#,
        at_most
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (CompanyId(row.company_id), row.gateway_id)).collect())
}

pub(in crate::gateways) async fn node_lives(pool: &PgPool, node: &str) -> Result<(), DbError> {
    sqlx::query!("select gateways_node_lives($1)", node).fetch_one(pool).await?;
    Ok(())
}

pub(in crate::gateways) async fn node_begins(pool: &PgPool, node: &str) -> Result<(), DbError> {
    sqlx::query!("select gateways_node_begins($1)", node).fetch_one(pool).await?;
    Ok(())
}
