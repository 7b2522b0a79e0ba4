//! Every statement of the area.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use fournil_protocol::iclock::Command;

use super::model::{self, Mark};
use crate::db::{CompanyId, DbError};

/// A company has few clocks; more than so many are not shown on one page.
const CLOCKS_MAX: i64 = 200;
/// Commands of all clocks on one page.
const COMMANDS_SHOWN: i64 = 40;

/// Whose a number is, and what its clock must bring.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) company: CompanyId,
    pub(super) zone: String,
    pub(super) key_mac: Option<Vec<u8>>,
    /// Where its last good hello came from.
    pub(super) greeted_from: Option<String>,
}

/// The company that let a number in, before any company is known.
pub(super) async fn find(pool: &PgPool, serial: &str) -> Result<Option<Found>, DbError> {
    let row = sqlx::query!(
        r#"select company_id as "company_id!", zone as "zone!", key_mac, greeted_from
           from people_find_push_clock($1)"#,
        serial
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Found {
        company: CompanyId(row.company_id),
        zone: row.zone,
        key_mac: row.key_mac,
        greeted_from: row.greeted_from,
    }))
}

/// What keys are hashed with.
pub(super) async fn secret(executor: impl sqlx::PgExecutor<'_>) -> Result<Vec<u8>, DbError> {
    let secret = sqlx::query_scalar!(r#"select people_push_secret() as "secret!""#);
    Ok(secret.fetch_one(executor).await?)
}

/// What to let in.
#[derive(Debug)]
pub(super) struct NewClock<'n> {
    pub(super) clock_serial: &'n str,
    pub(super) label: &'n str,
    pub(super) zone: &'n str,
    pub(super) key_mac: Option<&'n [u8]>,
    pub(super) by: &'n str,
}

/// Lets a clock in, or in again; its marks stay.
pub(super) async fn allow(
    connection: &mut PgConnection,
    company: CompanyId,
    new: &NewClock<'_>,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into push_clocks (company_id, clock_serial, label, zone, key_mac, allowed_by)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (company_id, clock_serial) do update
         set label = excluded.label, zone = excluded.zone, key_mac = excluded.key_mac,
             is_allowed = true, allowed_at = now(), allowed_by = excluded.allowed_by,
             greeted_from = null, greeted_at = null, refused = null, refused_at = null",
        company.0,
        new.clock_serial,
        new.label,
        new.zone,
        new.key_mac,
        new.by
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// False when it was not let in.
pub(super) async fn revoke(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "update push_clocks
         set is_allowed = false, greeted_from = null, greeted_at = null
         where company_id = $1 and clock_serial = $2 and is_allowed",
        company.0,
        serial
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update push_commands
         set state = 'expired', ended_at = now()
         where company_id = $1 and clock_serial = $2 and state in ('queued', 'sent')",
        company.0,
        serial
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A clock said hello and brought what it must.
pub(super) async fn note_hello(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
    from: &str,
) -> Result<(), DbError> {
    sqlx::query!(
        "update push_clocks
         set greeted_from = $3, greeted_at = now(), refused = null, refused_at = null
         where company_id = $1 and clock_serial = $2",
        company.0,
        serial,
        from
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A clock was sent away.
pub(super) async fn note_refusal(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
    word: &str,
) -> Result<(), DbError> {
    sqlx::query!(
        "update push_clocks set refused = $3, refused_at = now()
         where company_id = $1 and clock_serial = $2",
        company.0,
        serial,
        word
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A clock called; its firmware where it says it. False when it is not let in any more, in
/// which case nothing of the call may be kept. Locks the clock until the transaction ends.
pub(super) async fn note_contact(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
    from: &str,
    firmware: &str,
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "update push_clocks
         set heard_at = now(), heard_from = $3,
             firmware = case when $4 = '' then firmware else $4 end
         where company_id = $1 and clock_serial = $2 and is_allowed",
        company.0,
        serial,
        from,
        firmware
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Both marks of a clock: punches, operations.
pub(super) async fn marks(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
) -> Result<(String, String), DbError> {
    let row = sqlx::query!(
        "select punches_mark, operations_mark from push_clocks
         where company_id = $1 and clock_serial = $2",
        company.0,
        serial
    )
    .fetch_one(connection)
    .await?;
    Ok((row.punches_mark, row.operations_mark))
}

/// How far a log was taken, in the clock's own word: what it sent could be read.
pub(super) async fn put_mark(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
    mark: Mark,
    value: &str,
) -> Result<(), DbError> {
    sqlx::query!(
        "update push_clocks
         set punches_mark = case when $3 then $4 else punches_mark end,
             operations_mark = case when $3 then operations_mark else $4 end,
             refused_at = case when refused = 'body' then null else refused_at end,
             refused = nullif(refused, 'body')
         where company_id = $1 and clock_serial = $2",
        company.0,
        serial,
        mark == Mark::Punches,
        value
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Asks something of a clock.
pub(super) async fn ask(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
    command: Command,
    by: &str,
) -> Result<i64, DbError> {
    let (from, to) = model::range_of(command).unzip();
    let command_no = sqlx::query_scalar!(
        "insert into push_commands (company_id, clock_serial, kind, from_local, to_local, asked_by)
         values ($1, $2, $3, $4, $5, $6)
         returning command_no",
        company.0,
        serial,
        model::word(command),
        from,
        to,
        by
    )
    .fetch_one(connection)
    .await?;
    Ok(command_no)
}

/// How many of a clock wait or are on their way.
pub(super) async fn open_count(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
) -> Result<i64, DbError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from push_commands
           where company_id = $1 and clock_serial = $2 and state in ('queued', 'sent')"#,
        company.0,
        serial
    )
    .fetch_one(connection)
    .await?;
    Ok(count)
}

/// A command as it goes to the clock.
#[derive(Debug, Clone)]
pub(super) struct DueRow {
    pub(super) command_no: i64,
    pub(super) kind: String,
    pub(super) from_local: Option<String>,
    pub(super) to_local: Option<String>,
}

/// Ends what waited too long or was sent in vain, then takes what is due: what waits, and what
/// was sent before `sent_before` without an answer. Marks it sent.
pub(super) async fn take_due(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
    bounds: &DueBounds,
) -> Result<Vec<DueRow>, DbError> {
    sqlx::query!(
        "update push_commands
         set state = case when tries >= $3 then 'failed' else 'expired' end, ended_at = now()
         where company_id = $1 and clock_serial = $2
           and (state = 'queued' and asked_at < $4
                or state = 'sent' and tries >= $3 and sent_at < $5)",
        company.0,
        serial,
        bounds.tries_max,
        bounds.asked_before,
        bounds.sent_before
    )
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query_as!(
        DueRow,
        r#"update push_commands c
           set state = 'sent', sent_at = now(), tries = c.tries + 1
           from (select d.command_no from push_commands d
                 where d.company_id = $1 and d.clock_serial = $2
                   and (d.state = 'queued' or d.state = 'sent' and d.sent_at < $3)
                 order by d.command_no
                 limit $4
                 for no key update) due
           where c.company_id = $1 and c.clock_serial = $2 and c.command_no = due.command_no
           returning c.command_no, c.kind, c.from_local, c.to_local"#,
        company.0,
        serial,
        bounds.sent_before,
        bounds.at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// What is due when.
#[derive(Debug, Clone)]
pub(super) struct DueBounds {
    pub(super) tries_max: i32,
    pub(super) asked_before: DateTime<Utc>,
    pub(super) sent_before: DateTime<Utc>,
    pub(super) at_most: i64,
}

/// What the clock answered; an answer to what already ended, or to nothing, changes nothing.
pub(super) async fn put_results(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
    results: &[(i64, i64)],
) -> Result<(), DbError> {
    let (numbers, codes): (Vec<i64>, Vec<i64>) = results.iter().copied().unzip();
    sqlx::query!(
        "update push_commands c
         set state = case when g.code >= 0 then 'done' else 'failed' end, result = g.code,
             ended_at = now()
         from unnest($3::bigint[], $4::bigint[]) as g (command_no, code)
         where c.company_id = $1 and c.clock_serial = $2 and c.command_no = g.command_no
           and c.state = 'sent'",
        company.0,
        serial,
        &numbers,
        &codes
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A clock as it is shown.
#[derive(Debug, Clone)]
pub(super) struct ClockRow {
    pub(super) clock_serial: String,
    pub(super) label: String,
    pub(super) zone: String,
    pub(super) has_key: bool,
    pub(super) is_allowed: bool,
    pub(super) allowed_at: DateTime<Utc>,
    pub(super) allowed_by: String,
    pub(super) heard_at: Option<DateTime<Utc>>,
    pub(super) heard_from: Option<String>,
    pub(super) firmware: String,
    pub(super) refused: Option<String>,
}

/// Every clock that is or was let in.
pub(super) async fn clocks(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Vec<ClockRow>, DbError> {
    let rows = sqlx::query_as!(
        ClockRow,
        r#"select clock_serial, label, zone, key_mac is not null as "has_key!", is_allowed,
                  allowed_at, allowed_by, heard_at, heard_from, firmware, refused
           from push_clocks
           where company_id = $1
           order by is_allowed desc, label, clock_serial
           limit $2"#,
        company.0,
        CLOCKS_MAX
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// A command as it is shown.
#[derive(Debug, Clone)]
pub(super) struct CommandRow {
    pub(super) clock_serial: String,
    pub(super) kind: String,
    pub(super) from_local: Option<String>,
    pub(super) to_local: Option<String>,
    pub(super) state: String,
    pub(super) result: Option<i64>,
    pub(super) asked_at: DateTime<Utc>,
    pub(super) asked_by: String,
}

/// The newest commands.
pub(super) async fn commands(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Vec<CommandRow>, DbError> {
    let rows = sqlx::query_as!(
        CommandRow,
        "select clock_serial, kind, from_local, to_local, state, result, asked_at, asked_by
         from push_commands
         where company_id = $1
         order by command_no desc
         limit $2",
        company.0,
        COMMANDS_SHOWN
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Whether a number is let in by this company.
pub(super) async fn is_allowed(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
) -> Result<bool, DbError> {
    let known = sqlx::query_scalar!(
        "select is_allowed from push_clocks where company_id = $1 and clock_serial = $2",
        company.0,
        serial
    )
    .fetch_optional(connection)
    .await?;
    Ok(known.unwrap_or(false))
}
