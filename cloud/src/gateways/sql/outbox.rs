//! Statements of the outbox: asking, leasing, confirming, settling.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::{CompanyId, DbError};
use crate::gateways::model::{Kind, Policy, State};

/// A command as it is asked for.
pub(in crate::gateways) struct NewRow<'c> {
    pub(in crate::gateways) command_id: Uuid,
    pub(in crate::gateways) gateway_id: Uuid,
    pub(in crate::gateways) kind: &'static str,
    pub(in crate::gateways) policy: &'static str,
    pub(in crate::gateways) device: &'c str,
    pub(in crate::gateways) title: &'c str,
    pub(in crate::gateways) body: &'c [u8],
    pub(in crate::gateways) not_after: Option<DateTime<Utc>>,
    pub(in crate::gateways) is_too_large: bool,
    pub(in crate::gateways) source_kind: &'c str,
    pub(in crate::gateways) source_id: Uuid,
    pub(in crate::gateways) purpose: &'c str,
    pub(in crate::gateways) copy_of: Option<Uuid>,
    pub(in crate::gateways) asked_by: &'c str,
    pub(in crate::gateways) asked_by_user: Option<Uuid>,
}

/// True when the row is new; false when the source had its command already.
pub(in crate::gateways) async fn insert(
    connection: &mut PgConnection,
    company: CompanyId,
    row: &NewRow<'_>,
) -> Result<bool, DbError> {
    let (state, reason) = if row.is_too_large { ("failed", "too-large") } else { ("queued", "") };
    let done = sqlx::query!(
        "insert into commands
             (company_id, command_id, gateway_id, kind, policy, device, title, body, not_after,
              state, reason, source_kind, source_id, purpose, copy_of, asked_by, asked_by_user,
              touched_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $16)
         on conflict (company_id, source_kind, source_id, purpose) do nothing",
        company.0,
        row.command_id,
        row.gateway_id,
        row.kind,
        row.policy,
        row.device,
        row.title,
        row.body,
        row.not_after,
        state,
        reason,
        row.source_kind,
        row.source_id,
        row.purpose,
        row.copy_of,
        row.asked_by,
        row.asked_by_user,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(in crate::gateways) async fn id_of_source(
    connection: &mut PgConnection,
    company: CompanyId,
    source_kind: &str,
    source_id: Uuid,
    purpose: &str,
) -> Result<Uuid, DbError> {
    let id = sqlx::query_scalar!(
        "select command_id from commands
         where company_id = $1 and source_kind = $2 and source_id = $3 and purpose = $4",
        company.0,
        source_kind,
        source_id,
        purpose
    )
    .fetch_one(connection)
    .await?;
    Ok(id)
}

/// The active gateway of a shop; with several, the one enrolled first.
pub(in crate::gateways) async fn gateway_of_store(
    connection: &mut PgConnection,
    company: CompanyId,
    store_id: Uuid,
) -> Result<Option<Uuid>, DbError> {
    let id = sqlx::query_scalar!(
        "select gateway_id from gateways
         where company_id = $1 and store_id = $2 and state = 'active'
         order by enrolled_at, gateway_id
         limit 1",
        company.0,
        store_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(id)
}

/// A command with what is needed to judge the next step; locked.
pub(in crate::gateways) struct CommandRow {
    pub(in crate::gateways) gateway_id: Uuid,
    pub(in crate::gateways) kind: Kind,
    pub(in crate::gateways) policy: Policy,
    pub(in crate::gateways) state: State,
    pub(in crate::gateways) leased_at: Option<DateTime<Utc>>,
    pub(in crate::gateways) not_after: Option<DateTime<Utc>>,
    pub(in crate::gateways) body: Vec<u8>,
    pub(in crate::gateways) source_kind: String,
    pub(in crate::gateways) source_id: Uuid,
    pub(in crate::gateways) purpose: String,
}

pub(in crate::gateways) async fn lock_command(
    connection: &mut PgConnection,
    company: CompanyId,
    command_id: Uuid,
) -> Result<Option<CommandRow>, DbError> {
    let row = sqlx::query!(
        "select gateway_id, kind, policy, state, leased_at, not_after, body, source_kind, source_id,
                purpose
         from commands
         where company_id = $1 and command_id = $2
         for no key update",
        company.0,
        command_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.and_then(|row| {
        Some(CommandRow {
            gateway_id: row.gateway_id,
            kind: Kind::parse(&row.kind)?,
            policy: Policy::parse(&row.policy)?,
            state: State::parse(&row.state)?,
            leased_at: row.leased_at,
            not_after: row.not_after,
            body: row.body,
            source_kind: row.source_kind,
            source_id: row.source_id,
            purpose: row.purpose,
        })
    }))
}

/// A step of a command and what is said about it.
pub(in crate::gateways) struct Step<'s> {
    pub(in crate::gateways) state: State,
    pub(in crate::gateways) reason: &'s str,
    pub(in crate::gateways) detail: &'s str,
    pub(in crate::gateways) evidence: i16,
    pub(in crate::gateways) attempt: i32,
    pub(in crate::gateways) by: &'s str,
}

pub(in crate::gateways) async fn step(
    connection: &mut PgConnection,
    company: CompanyId,
    command_id: Uuid,
    step: &Step<'_>,
) -> Result<(), DbError> {
    let done = sqlx::query!(
        "update commands
         set state = $3, reason = $4, detail = $5, evidence = $6,
             attempt = greatest(attempt, $7), touched_by = $8
         where company_id = $1 and command_id = $2",
        company.0,
        command_id,
        step.state.word(),
        step.reason,
        step.detail,
        step.evidence,
        step.attempt,
        step.by
    )
    .execute(connection)
    .await?;
    debug_assert_eq!(done.rows_affected(), 1, "the row was locked before");
    Ok(())
}

/// The shop has a command that this database still had in its queue: the lease was lost
/// with what a backup did not hold.
pub(in crate::gateways) async fn take_unasked(
    connection: &mut PgConnection,
    company: CompanyId,
    command_id: Uuid,
) -> Result<(), DbError> {
    sqlx::query!(
        "update commands set state = 'leased', told_unasked = true, touched_by = 'gateway'
         where company_id = $1 and command_id = $2",
        company.0,
        command_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends queued commands whose deadline passed.
pub(in crate::gateways) async fn expire(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
) -> Result<u64, DbError> {
    let done = sqlx::query!(
        "update commands set state = 'expired', reason = 'deadline-passed', touched_by = 'cloud'
         where company_id = $1 and gateway_id = $2 and state = 'queued' and not_after <= now()",
        company.0,
        gateway_id
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Ends everything a gateway that will never come back was to do.
pub(in crate::gateways) async fn abandon(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    by: &str,
) -> Result<(), DbError> {
    sqlx::query!(
        "update commands
         set state = case when state = 'queued' or policy = 'repeatable' then 'cancelled'
                          else 'in_doubt' end,
             -- What is called back proves nothing, however far it had come.
             evidence = case when policy = 'repeatable' then 0 else evidence end,
             reason = 'gateway-revoked', touched_by = $3
         where company_id = $1 and gateway_id = $2
           and state in ('queued', 'leased', 'delivered', 'started')",
        company.0,
        gateway_id,
        by
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A command on its way to the shop.
pub(in crate::gateways) struct Outgoing {
    pub(in crate::gateways) command_id: Uuid,
    pub(in crate::gateways) body: Vec<u8>,
}

pub(in crate::gateways) async fn queued(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    at_most: i64,
) -> Result<Vec<Outgoing>, DbError> {
    let rows = sqlx::query_as!(
        Outgoing,
        "select command_id, body from commands
         where company_id = $1 and gateway_id = $2 and state = 'queued'
           and (not_before is null or not_before <= now())
           -- The hub ends what is too late, in its own time.
           and (not_after is null or not_after > now())
         order by queue_no
         limit $3
         for no key update",
        company.0,
        gateway_id,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Gives commands to a session, numbered from `first_seq` in the order given.
pub(in crate::gateways) async fn lease(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    commands: &[Uuid],
    lease: &Lease,
) -> Result<(), DbError> {
    let count = i64::try_from(commands.len()).unwrap_or(i64::MAX);
    sqlx::query!(
        "with numbered as (
             update gateways set down_next = down_next + $7
             where company_id = $1 and gateway_id = $2
         )
         update commands c
         set state = 'leased', down_epoch = $3, down_seq = $4 + l.position - 1,
             lease_generation = $5, touched_by = 'cloud'
         from unnest($6::uuid[]) with ordinality as l (command_id, position)
         where c.company_id = $1 and c.gateway_id = $2 and c.command_id = l.command_id",
        company.0,
        gateway_id,
        lease.epoch.cast_signed(),
        lease.first_seq.cast_signed(),
        lease.generation.cast_signed(),
        commands,
        count
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Where in the down log a lease begins and who holds it.
pub(in crate::gateways) struct Lease {
    pub(in crate::gateways) epoch: u64,
    pub(in crate::gateways) first_seq: u64,
    pub(in crate::gateways) generation: u64,
}

/// Everything of the down log after `durable`, whatever became of it meanwhile: the log
/// stays contiguous and the gateway knows the ids it has seen.
pub(in crate::gateways) async fn sent_after(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    epoch: u64,
    durable: u64,
) -> Result<Vec<(u64, Vec<u8>)>, DbError> {
    let rows = sqlx::query!(
        r#"select down_seq as "down_seq!", body from commands
           where company_id = $1 and gateway_id = $2 and down_epoch = $3 and down_seq > $4
           order by down_seq"#,
        company.0,
        gateway_id,
        epoch.cast_signed(),
        durable.cast_signed()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.down_seq.cast_unsigned(), row.body)).collect())
}

/// The shop's journal has everything up to here.
pub(in crate::gateways) async fn delivered(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    epoch: u64,
    durable: u64,
) -> Result<(), DbError> {
    // A cancel is answered by the command it names, so it is done once it is there.
    sqlx::query!(
        "with confirmed as (
             update gateways set down_durable = greatest(down_durable, $4)
             where company_id = $1 and gateway_id = $2
         )
         update commands
         set state = case when kind = 'cancel' then 'done' else 'delivered' end,
             touched_by = 'gateway'
         where company_id = $1 and gateway_id = $2 and state = 'leased'
           and down_epoch = $3 and down_seq <= $4",
        company.0,
        gateway_id,
        epoch.cast_signed(),
        durable.cast_signed()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The command of a business fact, as the print area shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCommand {
    pub command_id: Uuid,
    pub source_id: Uuid,
    pub state: State,
    pub reason: String,
    pub evidence: i16,
    pub copies: i64,
    pub newest_copy: Option<CopyStand>,
}

/// How a copy of a command fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyStand {
    pub state: State,
    pub reason: String,
    pub evidence: i16,
}

pub(in crate::gateways) async fn of_sources(
    connection: &mut PgConnection,
    company: CompanyId,
    source_kind: &str,
    source_ids: &[Uuid],
    purpose: &str,
) -> Result<Vec<SourceCommand>, DbError> {
    let rows = sqlx::query!(
        r#"select c.command_id, c.source_id, c.state, c.reason, c.evidence,
                  (select count(*) from commands k
                   where k.company_id = c.company_id and k.copy_of = c.command_id) as "copies!",
                  n.state as "copy_state?", n.reason as "copy_reason?",
                  n.evidence as "copy_evidence?"
           from commands c
           left join lateral (
               select k.state, k.reason, k.evidence from commands k
               where k.company_id = c.company_id and k.copy_of = c.command_id
               order by k.queue_no desc
               limit 1
           ) n on true
           where c.company_id = $1 and c.source_kind = $2 and c.source_id = any($3)
             and c.purpose = $4
           order by c.source_id"#,
        company.0,
        source_kind,
        source_ids,
        purpose
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let copy = row.copy_state.zip(row.copy_reason).zip(row.copy_evidence);
            let newest_copy = copy.and_then(|((state, reason), evidence)| {
                Some(CopyStand { state: State::parse(&state)?, reason, evidence })
            });
            Some(SourceCommand {
                newest_copy,
                command_id: row.command_id,
                source_id: row.source_id,
                state: State::parse(&row.state)?,
                reason: row.reason,
                evidence: row.evidence,
                copies: row.copies,
            })
        })
        .collect())
}
