//! Every statement of the area.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::ClockUser;
use super::model::NewPunch;
use crate::db::{CompanyId, DbError};

/// Held until the transaction ends: see `ingest`.
pub(super) async fn lock_numbering(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<(), DbError> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('punches ' || $1::text, 0))",
        company.0.to_string()
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

pub(super) async fn insert(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Option<Uuid>,
    punch: &NewPunch,
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "insert into punches
             (company_id, clock_serial, user_id, local_time, state, verify, occurrence, zone,
              instant, business_date, raw, layout, source, anomalies, gateway_id, recorded_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         on conflict (company_id, clock_serial, user_id, local_time, state, verify, occurrence)
         do nothing",
        company.0,
        punch.clock_serial,
        punch.user_id,
        punch.local_time,
        punch.state,
        punch.verify,
        punch.occurrence,
        punch.zone,
        punch.instant,
        punch.business_date,
        punch.raw,
        punch.layout,
        punch.source,
        &punch.anomalies,
        gateway_id,
        punch.recorded_at,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Inserts punches in their order and counts the new ones to their numbers; how many were new.
pub(super) async fn insert_many(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Option<Uuid>,
    punches: &[NewPunch],
) -> Result<u64, DbError> {
    fn column<T>(punches: &[NewPunch], of: impl Fn(&NewPunch) -> T) -> Vec<T> {
        punches.iter().map(of).collect()
    }
    // An array of arrays would have to be a rectangle: the words travel joined.
    let anomalies = column(punches, |punch| punch.anomalies.join(","));
    let taken = sqlx::query_scalar!(
        r#"with added as (
               insert into punches
                   (company_id, clock_serial, user_id, local_time, state, verify, occurrence, zone,
                    instant, business_date, raw, layout, source, anomalies, gateway_id, recorded_at)
               select $1, g.clock_serial, g.user_id, g.local_time, g.state, g.verify, g.occurrence,
                      g.zone, g.instant, g.business_date, g.raw, g.layout, g.source,
                      coalesce(string_to_array(nullif(g.anomalies, ''), ','), '{}'), $2,
                      g.recorded_at
               from unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
                           $8::bigint[], $9::text[], $10::timestamptz[], $11::date[], $12::bytea[],
                           $13::text[], $14::text[], $15::text[], $16::timestamptz[])
                    with ordinality
                    as g (clock_serial, user_id, local_time, state, verify, occurrence, zone, instant,
                          business_date, raw, layout, source, anomalies, recorded_at, place)
               order by g.place
               on conflict (company_id, clock_serial, user_id, local_time, state, verify, occurrence)
               do nothing
               returning clock_serial, user_id, local_time),
           counted as (
               insert into clock_numbers
                   (company_id, clock_serial, user_id, punches, last_local_time)
               select $1, a.clock_serial, a.user_id, count(*), max(a.local_time)
               from added a
               group by a.clock_serial, a.user_id
               on conflict (company_id, clock_serial, user_id) do update
               set punches = clock_numbers.punches + excluded.punches,
                   last_local_time =
                       greatest(clock_numbers.last_local_time, excluded.last_local_time))
           select count(*) as "taken!" from added"#,
        company.0,
        gateway_id,
        &column(punches, |punch| punch.clock_serial.clone()),
        &column(punches, |punch| punch.user_id.clone()),
        &column(punches, |punch| punch.local_time.clone()),
        &column(punches, |punch| punch.state),
        &column(punches, |punch| punch.verify),
        &column(punches, |punch| punch.occurrence),
        &column(punches, |punch| punch.zone.clone()),
        &column(punches, |punch| punch.instant) as &[Option<DateTime<Utc>>],
        &column(punches, |punch| punch.business_date) as &[Option<NaiveDate>],
        &column(punches, |punch| punch.raw.clone()),
        &column(punches, |punch| punch.layout.clone()),
        &column(punches, |punch| punch.source.to_owned()),
        &anomalies,
        &column(punches, |punch| punch.recorded_at) as &[Option<DateTime<Utc>>],
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(taken).unwrap_or_default())
}

/// Counts a punch to its number.
pub(super) async fn count_number(
    connection: &mut PgConnection,
    company: CompanyId,
    punch: &NewPunch,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into clock_numbers (company_id, clock_serial, user_id, punches, last_local_time)
         values ($1, $2, $3, 1, $4)
         on conflict (company_id, clock_serial, user_id) do update
         set punches = clock_numbers.punches + 1,
             last_local_time = greatest(clock_numbers.last_local_time, excluded.last_local_time)",
        company.0,
        punch.clock_serial,
        punch.user_id,
        punch.local_time
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn assign(
    connection: &mut PgConnection,
    company: CompanyId,
    user: &ClockUser,
    employee_id: Uuid,
    by: &str,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into clock_users (company_id, clock_serial, user_id, employee_id, assigned_by)
         values ($1, $2, $3, $4, $5)
         on conflict (company_id, clock_serial, user_id) do update
         set employee_id = excluded.employee_id, assigned_by = excluded.assigned_by,
             assigned_at = now()",
        company.0,
        user.clock_serial,
        user.user_id,
        employee_id,
        by
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Which punches a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) employee_id: Option<Uuid>,
    pub(super) day: Option<NaiveDate>,
    pub(super) clock_serial: Option<String>,
    /// How it came: `poll`, `live` or `push`.
    pub(super) source: Option<String>,
    /// Only those about which something is odd.
    pub(super) only_odd: bool,
}

/// A punch as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PunchRow {
    pub(super) punch_no: i64,
    pub(super) clock_serial: String,
    pub(super) user_id: String,
    pub(super) local_time: String,
    pub(super) state: i64,
    pub(super) verify: i64,
    pub(super) occurrence: i64,
    pub(super) source: String,
    pub(super) anomalies: Vec<String>,
    pub(super) received_at: DateTime<Utc>,
    pub(super) employee_name: Option<String>,
}

/// Punches before a number, newest first.
pub(super) async fn page(
    connection: &mut PgConnection,
    company: CompanyId,
    filter: &Filter,
    before: i64,
    at_most: i64,
) -> Result<Vec<PunchRow>, DbError> {
    let rows = sqlx::query_as!(
        PunchRow,
        r#"select p.punch_no, p.clock_serial, p.user_id, p.local_time, p.state, p.verify,
                  p.occurrence, p.source, p.anomalies, p.received_at,
                  e.name as "employee_name?"
           from punches p
           left join clock_users u on u.company_id = p.company_id
                and u.clock_serial = p.clock_serial and u.user_id = p.user_id
           left join employees e on e.company_id = u.company_id and e.employee_id = u.employee_id
           where p.company_id = $1 and p.punch_no < $2
             and ($3::uuid is null or u.employee_id = $3)
             and ($4::date is null or p.business_date = $4)
             and ($5::text is null or p.clock_serial = $5)
             and ($6::text is null or p.source = $6)
             and (not $7::bool or p.anomalies <> '{}')
           order by p.punch_no desc
           limit $8"#,
        company.0,
        before,
        filter.employee_id,
        filter.day,
        filter.clock_serial.as_deref(),
        filter.source.as_deref(),
        filter.only_odd,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Punches after a number, oldest first: what a live list has not shown yet.
pub(super) async fn since(
    connection: &mut PgConnection,
    company: CompanyId,
    filter: &Filter,
    after: i64,
    at_most: i64,
) -> Result<Vec<PunchRow>, DbError> {
    let rows = sqlx::query_as!(
        PunchRow,
        r#"select p.punch_no, p.clock_serial, p.user_id, p.local_time, p.state, p.verify,
                  p.occurrence, p.source, p.anomalies, p.received_at,
                  e.name as "employee_name?"
           from punches p
           left join clock_users u on u.company_id = p.company_id
                and u.clock_serial = p.clock_serial and u.user_id = p.user_id
           left join employees e on e.company_id = u.company_id and e.employee_id = u.employee_id
           where p.company_id = $1 and p.punch_no > $2
             and ($3::uuid is null or u.employee_id = $3)
             and ($4::date is null or p.business_date = $4)
             and ($5::text is null or p.clock_serial = $5)
             and ($6::text is null or p.source = $6)
             and (not $7::bool or p.anomalies <> '{}')
           order by p.punch_no
           limit $8"#,
        company.0,
        after,
        filter.employee_id,
        filter.day,
        filter.clock_serial.as_deref(),
        filter.source.as_deref(),
        filter.only_odd,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// A punch as the clock gave it, and how it came here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordRow {
    pub(super) clock_serial: String,
    pub(super) user_id: String,
    pub(super) local_time: String,
    pub(super) zone: String,
    pub(super) instant: Option<DateTime<Utc>>,
    pub(super) state: i64,
    pub(super) verify: i64,
    pub(super) occurrence: i64,
    pub(super) raw: Vec<u8>,
    pub(super) layout: String,
    pub(super) source: String,
    pub(super) anomalies: Vec<String>,
    pub(super) recorded_at: Option<DateTime<Utc>>,
    pub(super) received_at: DateTime<Utc>,
}

pub(super) async fn record(
    connection: &mut PgConnection,
    company: CompanyId,
    punch_no: i64,
) -> Result<Option<RecordRow>, DbError> {
    let row = sqlx::query_as!(
        RecordRow,
        "select clock_serial, user_id, local_time, zone, instant, state, verify, occurrence, raw,
                layout, source, anomalies, recorded_at, received_at
         from punches
         where company_id = $1 and punch_no = $2",
        company.0,
        punch_no
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// The newest number given, 0 before the first.
pub(super) async fn newest(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<i64, DbError> {
    let newest = sqlx::query_scalar!(
        r#"select coalesce(max(punch_no), 0) as "newest!" from punches where company_id = $1"#,
        company.0
    )
    .fetch_one(connection)
    .await?;
    Ok(newest)
}

/// Clocks that ever sent a punch.
pub(super) async fn clocks(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Vec<String>, DbError> {
    // A loose index scan: one probe per clock instead of a walk over all punches.
    let clocks = sqlx::query_scalar!(
        r#"with recursive clock(serial) as (
               (select min(clock_serial) from punches where company_id = $1)
               union all
               select (select min(p.clock_serial) from punches p
                       where p.company_id = $1 and p.clock_serial > clock.serial)
               from clock
               where clock.serial is not null
           )
           select serial as "serial!" from clock where serial is not null order by serial
           limit 100"#,
        company.0
    )
    .fetch_all(connection)
    .await?;
    Ok(clocks)
}

/// A clock user nobody is known to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnmatchedRow {
    pub(super) clock_serial: String,
    pub(super) user_id: String,
    pub(super) punches: i64,
    pub(super) last_local_time: String,
    /// What the clock calls its owner.
    pub(super) clock_name: Option<String>,
    /// Who it probably is: the number or the name is the same.
    pub(super) likely: Option<Uuid>,
}

pub(super) async fn unmatched(
    connection: &mut PgConnection,
    company: CompanyId,
    at_most: i64,
) -> Result<Vec<UnmatchedRow>, DbError> {
    let rows = sqlx::query_as!(
        UnmatchedRow,
        r#"select n.clock_serial, n.user_id, n.punches, n.last_local_time,
                  d.name as "clock_name?", e.employee_id as "likely?"
           from clock_numbers n
           left join lateral (
               select d.name from clock_device_users d
               where d.company_id = n.company_id and d.clock_serial = n.clock_serial
                 and d.user_id = n.user_id and d.name <> ''
               order by d.slot
               limit 1
           ) d on true
           left join lateral (
               select e.employee_id from employees e
               where e.company_id = n.company_id and e.active
                 and (e.clock_user_id = n.user_id or lower(e.name) = lower(d.name))
               order by e.clock_user_id = n.user_id desc nulls last, e.name
               limit 1
           ) e on true
           where n.company_id = $1
             and not exists (
                 select from clock_users u
                 where u.company_id = n.company_id and u.clock_serial = n.clock_serial
                   and u.user_id = n.user_id)
           order by n.clock_serial, n.user_id
           limit $2"#,
        company.0,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// A clock user and whom it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AssignedRow {
    pub(super) clock_serial: String,
    pub(super) user_id: String,
    pub(super) employee_id: Uuid,
    pub(super) employee: String,
    /// Somebody who left is not among those one can choose.
    pub(super) active: bool,
}

pub(super) async fn assigned(
    connection: &mut PgConnection,
    company: CompanyId,
    at_most: i64,
) -> Result<Vec<AssignedRow>, DbError> {
    let rows = sqlx::query_as!(
        AssignedRow,
        "select u.clock_serial, u.user_id, u.employee_id, e.name as employee, e.active
         from clock_users u
         join employees e on e.company_id = u.company_id and e.employee_id = u.employee_id
         where u.company_id = $1
         order by e.name, u.clock_serial, u.user_id
         limit $2",
        company.0,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
