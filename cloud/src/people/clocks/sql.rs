//! Every statement of the area.

mod told;

use chrono::{DateTime, Utc};
use fournil_protocol::event::{ClockOperation, ClockState};
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{DeviceUser, Person};
use crate::db::{CompanyId, DbError};
use crate::time;

pub(super) use told::{put_contact, put_told_users};

pub(super) type Connection = PgConnection;

/// A company has few clocks; more than so many are not shown on one page.
const CLOCKS_MAX: i64 = 200;
/// Users of one clock, and people beside them, in one comparison.
const COMPARED_MAX: i64 = 5_000;

/// A clock's newest word.
pub(super) struct Told<'t> {
    pub(super) state: &'t ClockState,
    pub(super) link: &'static str,
    pub(super) heard_at: DateTime<Utc>,
    pub(super) whole_read_at: Option<DateTime<Utc>>,
}

/// False when something newer is known.
pub(super) async fn put_state(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    told: &Told<'_>,
) -> Result<bool, DbError> {
    let state = told.state;
    let text = |text: &str| text.replace('\0', "\u{fffd}");
    let done = sqlx::query!(
        "insert into clocks
             (company_id, clock_serial, gateway_id, device, model, platform, firmware, zone, layout,
              link, address, pin_width, users, users_capacity, records, records_capacity,
              operations, drift_ms, heard_at, whole_read_at, whole_read_records)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                 $19, $20, $21)
         on conflict (company_id, clock_serial) do update
         set gateway_id = excluded.gateway_id, device = excluded.device, model = excluded.model,
             platform = excluded.platform, firmware = excluded.firmware, zone = excluded.zone,
             layout = excluded.layout, link = excluded.link, address = excluded.address,
             pin_width = excluded.pin_width, users = excluded.users,
             users_capacity = excluded.users_capacity, records = excluded.records,
             records_capacity = excluded.records_capacity, operations = excluded.operations,
             drift_ms = excluded.drift_ms, heard_at = excluded.heard_at,
             whole_read_at = coalesce(excluded.whole_read_at, clocks.whole_read_at),
             whole_read_records = case when excluded.whole_read_at is null
                 then clocks.whole_read_records else excluded.whole_read_records end
         where clocks.heard_at is null or clocks.heard_at <= excluded.heard_at",
        company.0,
        text(&state.clock_serial),
        gateway_id,
        text(&state.device),
        text(&state.model),
        text(&state.platform),
        text(&state.firmware),
        text(&state.zone),
        text(&state.layout),
        told.link,
        text(&state.address),
        i64::from(state.pin_width),
        i64::from(state.users),
        i64::from(state.users_capacity),
        i64::from(state.records),
        i64::from(state.records_capacity),
        i64::from(state.operations),
        state.drift_ms,
        told.heard_at,
        told.whole_read_at,
        i64::from(state.whole_read_records),
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Locks a clock, writing it down if nothing is known of it yet; when its whole table of
/// users was read.
pub(super) async fn lock_clock(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    serial: &str,
) -> Result<Option<DateTime<Utc>>, DbError> {
    sqlx::query!(
        "insert into clocks (company_id, clock_serial, gateway_id) values ($1, $2, $3)
         on conflict do nothing",
        company.0,
        serial,
        gateway_id
    )
    .execute(&mut *connection)
    .await?;
    let read_at = sqlx::query_scalar!(
        "select users_read_at from clocks
         where company_id = $1 and clock_serial = $2
         for no key update",
        company.0,
        serial
    )
    .fetch_one(connection)
    .await?;
    Ok(read_at)
}

/// Users by columns, as one statement takes them.
struct UserColumns {
    slots: Vec<i64>,
    ids: Vec<String>,
    names: Vec<String>,
    privileges: Vec<i64>,
    cards: Vec<i64>,
    garbled: Vec<bool>,
}

impl UserColumns {
    fn of(users: &[DeviceUser]) -> Self {
        Self {
            slots: users.iter().map(|user| user.slot).collect(),
            ids: users.iter().map(|user| user.user_id.clone()).collect(),
            names: users.iter().map(|user| user.name.clone()).collect(),
            privileges: users.iter().map(|user| user.privilege).collect(),
            cards: users.iter().map(|user| user.card).collect(),
            garbled: users.iter().map(|user| user.is_name_garbled).collect(),
        }
    }
}

/// Writes users of a table; those of a newer one stay.
pub(super) async fn put_users(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
    read_at: DateTime<Utc>,
    users: &[DeviceUser],
) -> Result<(), DbError> {
    let columns = UserColumns::of(users);
    sqlx::query!(
        "insert into clock_device_users
             (company_id, clock_serial, slot, user_id, name, privilege, card, is_name_garbled,
              read_at)
         select distinct on (given.slot) $1::uuid, $2::text, given.slot, given.user_id, given.name,
                given.privilege, given.card, given.garbled, $3::timestamptz
         from unnest($4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bool[])
              as given (slot, user_id, name, privilege, card, garbled)
         order by given.slot
         on conflict (company_id, clock_serial, slot) do update
         set user_id = excluded.user_id, name = excluded.name, privilege = excluded.privilege,
             card = excluded.card, is_name_garbled = excluded.is_name_garbled,
             read_at = excluded.read_at
         where clock_device_users.read_at <= excluded.read_at",
        company.0,
        serial,
        read_at,
        &columns.slots,
        &columns.ids,
        &columns.names,
        &columns.privileges,
        &columns.cards,
        &columns.garbled
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that a part is there; how many of its table are.
pub(super) async fn put_part(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
    read_at: DateTime<Utc>,
    part: i64,
) -> Result<i64, DbError> {
    sqlx::query!(
        "insert into clock_user_parts (company_id, clock_serial, read_at, part)
         values ($1, $2, $3, $4)
         on conflict do nothing",
        company.0,
        serial,
        read_at,
        part
    )
    .execute(&mut *connection)
    .await?;
    let arrived = sqlx::query_scalar!(
        r#"select count(*) as "arrived!" from clock_user_parts
           where company_id = $1 and clock_serial = $2 and read_at = $3"#,
        company.0,
        serial,
        read_at
    )
    .fetch_one(connection)
    .await?;
    Ok(arrived)
}

/// The table of that reading is whole: whoever is not in it is gone.
pub(super) async fn complete_users(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
    read_at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query!(
        "delete from clock_device_users
         where company_id = $1 and clock_serial = $2 and read_at < $3",
        company.0,
        serial,
        read_at
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from clock_user_parts
         where company_id = $1 and clock_serial = $2 and read_at <= $3",
        company.0,
        serial,
        read_at
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update clocks set users_read_at = $3 where company_id = $1 and clock_serial = $2",
        company.0,
        serial,
        read_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds operations in their order; how many were not known.
pub(super) async fn insert_operations(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Option<Uuid>,
    lines: &[ClockOperation],
) -> Result<u64, DbError> {
    fn column<T>(lines: &[ClockOperation], of: impl Fn(&ClockOperation) -> T) -> Vec<T> {
        lines.iter().map(of).collect()
    }
    // An array of arrays would have to be a rectangle: parameters travel as JSON.
    let parameters = column(lines, |line| serde_json::json!(line.parameters));
    let instants = column(lines, |line| line.instant_ms.map(time::instant));
    let done = sqlx::query!(
        "insert into clock_operations
             (company_id, clock_serial, local_time, operation, admin, parameters, occurrence, zone,
              instant, raw, gateway_id)
         select $1, g.clock_serial, g.local_time, g.operation, g.admin,
                array(select jsonb_array_elements_text(g.parameters)), g.occurrence, g.zone,
                g.instant, g.raw, $2
         from unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::jsonb[], $8::bigint[],
                     $9::text[], $10::timestamptz[], $11::bytea[])
              with ordinality
              as g (clock_serial, local_time, operation, admin, parameters, occurrence, zone,
                    instant, raw, place)
         order by g.place
         on conflict do nothing",
        company.0,
        gateway_id,
        &column(lines, |line| line.clock_serial.clone()),
        &column(lines, |line| line.local_time.clone()),
        &column(lines, |line| i64::from(line.operation)),
        &column(lines, |line| line.admin.clone()),
        &parameters,
        &column(lines, |line| i64::from(line.occurrence)),
        &column(lines, |line| line.zone.clone()),
        &instants as &[Option<DateTime<Utc>>],
        &column(lines, |line| line.raw.clone())
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// A clock as it is shown.
#[derive(Debug, Clone)]
pub(super) struct ClockRow {
    pub(super) clock_serial: String,
    /// None: it calls the cloud by itself.
    pub(super) gateway_id: Option<Uuid>,
    pub(super) device: String,
    pub(super) model: String,
    pub(super) platform: String,
    pub(super) firmware: String,
    pub(super) zone: String,
    pub(super) layout: String,
    pub(super) link: String,
    pub(super) address: String,
    pub(super) users: i64,
    pub(super) users_capacity: i64,
    pub(super) records: i64,
    pub(super) records_capacity: i64,
    pub(super) drift_ms: Option<i64>,
    pub(super) heard_at: Option<DateTime<Utc>>,
    pub(super) whole_read_at: Option<DateTime<Utc>>,
    pub(super) whole_read_records: i64,
    pub(super) users_read_at: Option<DateTime<Utc>>,
    /// The clock's own time of its newest punch.
    pub(super) last_punch: Option<String>,
    /// Numbers that punched and are nobody's.
    pub(super) unmatched: i64,
}

/// Every clock, or one.
pub(super) async fn clocks(
    connection: &mut PgConnection,
    company: CompanyId,
    only: Option<&str>,
) -> Result<Vec<ClockRow>, DbError> {
    let rows = sqlx::query_as!(
        ClockRow,
        r#"select c.clock_serial, c.gateway_id, c.device, c.model, c.platform, c.firmware, c.zone,
                  c.layout, c.link, c.address, c.users, c.users_capacity, c.records,
                  c.records_capacity, c.drift_ms, c.heard_at, c.whole_read_at,
                  c.whole_read_records, c.users_read_at, n.last_punch,
                  coalesce(n.unmatched, 0) as "unmatched!"
           from clocks c
           left join lateral (
               select max(k.last_local_time) as last_punch,
                      count(*) filter (where u.user_id is null) as unmatched
               from clock_numbers k
               left join clock_users u on u.company_id = k.company_id
                    and u.clock_serial = k.clock_serial and u.user_id = k.user_id
               where k.company_id = c.company_id and k.clock_serial = c.clock_serial
           ) n on true
           where c.company_id = $1 and ($2::text is null or c.clock_serial = $2)
           order by c.device, c.clock_serial
           limit $3"#,
        company.0,
        only,
        CLOCKS_MAX
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

pub(super) async fn device_users(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
) -> Result<Vec<DeviceUser>, DbError> {
    let rows = sqlx::query_as!(
        DeviceUser,
        "select slot, user_id, name, privilege, card, is_name_garbled
         from clock_device_users
         where company_id = $1 and clock_serial = $2
         order by slot
         limit $3",
        company.0,
        serial,
        COMPARED_MAX
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Those who work here.
pub(super) async fn people(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Vec<Person>, DbError> {
    let rows = sqlx::query_as!(
        Person,
        "select employee_id, name, clock_user_id, card
         from employees
         where company_id = $1 and active
         order by name
         limit $2",
        company.0,
        COMPARED_MAX
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Whose the numbers of a clock are.
pub(super) async fn assigned(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
) -> Result<Vec<(String, Uuid)>, DbError> {
    let rows = sqlx::query!(
        "select user_id, employee_id from clock_users
         where company_id = $1 and clock_serial = $2
         order by user_id
         limit $3",
        company.0,
        serial,
        COMPARED_MAX
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.user_id, row.employee_id)).collect())
}

/// A line of a clock's own log.
#[derive(Debug, Clone)]
pub(super) struct OperationRow {
    pub(super) local_time: String,
    pub(super) operation: i64,
    pub(super) admin: String,
    pub(super) parameters: Vec<String>,
}

pub(super) async fn operations(
    connection: &mut PgConnection,
    company: CompanyId,
    serial: &str,
    at_most: i64,
) -> Result<Vec<OperationRow>, DbError> {
    let rows = sqlx::query_as!(
        OperationRow,
        "select local_time, operation, admin, parameters
         from clock_operations
         where company_id = $1 and clock_serial = $2
         order by operation_no desc
         limit $3",
        company.0,
        serial,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
