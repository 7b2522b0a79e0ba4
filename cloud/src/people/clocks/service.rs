//! The acts of the area.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use fournil_protocol::clock::ClockTime;
use fournil_protocol::command::{
    Body, ClearClockLog, ClockUserChange, ReadClock, SetClockTime, WriteClockUsers,
};
use fournil_protocol::event::{ClockLink, ClockOperation, ClockState, ClockUser, ClockUsers};
use uuid::Uuid;

use super::model::{Compared, DeviceUser, compare};
use super::sql::{self, ClockRow};
use crate::db::{Act, CompanyId, DbError, Scope};
use crate::gateways::outbox::{self, NewCommand};
use crate::time;

/// The hint that a clock is another than it was.
pub(super) const TOPIC: &str = "clocks";
/// A wish made by hand is of no use later.
const ASKED_LIFE: chrono::TimeDelta = chrono::TimeDelta::minutes(10);
/// Users written with one command: far below what a command may hold.
pub(super) const USERS_PER_COMMAND: usize = 200;
const OPERATIONS_PER_STATEMENT: usize = 2_000;

/// Takes up what a clock is; an older word than the one known changes nothing.
pub async fn ingest_state(
    act: &mut Act,
    gateway_id: Uuid,
    state: &ClockState,
) -> Result<(), DbError> {
    let company = act.company();
    let link = match ClockLink::try_from(state.link).unwrap_or(ClockLink::Unknown) {
        ClockLink::Unknown => "unknown",
        ClockLink::Tcp => "tcp",
        ClockLink::Udp => "udp",
        ClockLink::Push => "push",
    };
    let heard_at = time::instant(state.heard_ms);
    let whole_read_at = state.whole_read_ms.map(time::instant);
    let told = sql::Told { state, link, heard_at, whole_read_at };
    if sql::put_state(act.connection(), company, gateway_id, &told).await? {
        act.hint(TOPIC, None);
    }
    Ok(())
}

/// Takes up a part of a clock's table of users. The table is known once all parts are there;
/// users that were told beside it are taken one by one.
pub async fn ingest_users(
    act: &mut Act,
    gateway_id: Uuid,
    table: &ClockUsers,
) -> Result<(), DbError> {
    let company = act.company();
    let serial = storable(&table.clock_serial);
    let read_at = time::instant(table.read_ms);
    let connection = act.connection();
    let known = sql::lock_clock(connection, company, gateway_id, &serial).await?;
    if known.is_some_and(|known| known >= read_at) {
        return Ok(());
    }
    if table.is_partial {
        return ingest_told_users(act, &serial, read_at, &table.users).await;
    }
    let users: Vec<DeviceUser> = table.users.iter().map(stored).collect();
    sql::put_users(connection, company, &serial, read_at, &users).await?;
    let arrived = sql::put_part(connection, company, &serial, read_at, table.part.into()).await?;
    if arrived >= i64::from(table.parts.max(1)) {
        sql::complete_users(connection, company, &serial, read_at).await?;
        act.hint(TOPIC, None);
    }
    Ok(())
}

fn stored(user: &ClockUser) -> DeviceUser {
    DeviceUser {
        slot: user.slot.into(),
        user_id: storable(&user.user_id),
        name: storable(&user.name),
        privilege: user.privilege.into(),
        card: i64::try_from(user.card).unwrap_or(i64::MAX),
        is_name_garbled: user.is_name_garbled,
    }
}

/// The letter that PostgreSQL cannot hold is replaced, always in the same way.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Stores an operation once, however often it is told. Without a gateway the clock told it by
/// itself.
pub async fn ingest_operation(
    act: &mut Act,
    gateway_id: Option<Uuid>,
    line: &ClockOperation,
) -> Result<(), DbError> {
    ingest_operations(act, gateway_id, std::slice::from_ref(line)).await
}

/// The same for many in their order.
pub async fn ingest_operations(
    act: &mut Act,
    gateway_id: Option<Uuid>,
    lines: &[ClockOperation],
) -> Result<(), DbError> {
    let company = act.company();
    let mut taken = 0;
    for some in lines.chunks(OPERATIONS_PER_STATEMENT) {
        let some: Vec<ClockOperation> = some.iter().map(storable_operation).collect();
        taken += sql::insert_operations(act.connection(), company, gateway_id, &some).await?;
    }
    if taken > 0 {
        act.hint(TOPIC, None);
    }
    Ok(())
}

fn storable_operation(line: &ClockOperation) -> ClockOperation {
    ClockOperation {
        clock_serial: storable(&line.clock_serial),
        local_time: storable(&line.local_time),
        admin: storable(&line.admin),
        zone: storable(&line.zone),
        parameters: line.parameters.iter().map(|text| storable(text)).collect(),
        ..line.clone()
    }
}

/// What a clock that calls by itself says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Contact<'c> {
    pub clock_serial: &'c str,
    pub zone: &'c str,
    /// Where it called from.
    pub address: &'c str,
    pub firmware: &'c str,
}

/// Notes that a clock called by itself. Where a gateway serves it too, the gateway knows more
/// and its word stays.
pub async fn note_contact(act: &mut Act, contact: Contact<'_>) -> Result<(), DbError> {
    let (company, now) = (act.company(), act.now());
    sql::put_contact(act.connection(), company, contact, now).await?;
    act.hint(TOPIC, None);
    Ok(())
}

/// Takes up users that a clock told by itself, one by one: the others of its table stay.
pub async fn ingest_told_users(
    act: &mut Act,
    clock_serial: &str,
    told_at: DateTime<Utc>,
    users: &[ClockUser],
) -> Result<(), DbError> {
    let company = act.company();
    let users: Vec<DeviceUser> = users.iter().map(stored).collect();
    sql::put_told_users(act.connection(), company, clock_serial, told_at, &users).await?;
    act.hint(TOPIC, None);
    Ok(())
}

/// A clock that a gateway serves: only such a one takes commands here.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) clock: ClockRow,
    pub(super) gateway_id: Uuid,
}

impl Served {
    /// The clock, if a gateway says it serves it.
    pub(super) fn of(clock: ClockRow) -> Option<Self> {
        let gateway_id = clock.gateway_id.filter(|_| !clock.device.is_empty())?;
        Some(Self { clock, gateway_id })
    }
}

/// What a person may ask of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Wish {
    Read,
    ReadWhole,
    ReadUsers,
    SetTime,
}

impl Wish {
    fn body(self) -> Body {
        match self {
            Self::Read => Body::ReadClock(ReadClock::default()),
            Self::ReadWhole => Body::ReadClock(ReadClock { whole: true, ..ReadClock::default() }),
            Self::ReadUsers => Body::ReadClock(ReadClock { users: true, ..ReadClock::default() }),
            Self::SetTime => Body::SetClockTime(SetClockTime {}),
        }
    }
}

/// Asks something of a clock; the key is the idempotency key of the asking.
pub(super) async fn ask(
    act: &mut Act,
    clock: &Served,
    wish: Wish,
    key: Uuid,
) -> Result<Uuid, DbError> {
    let id = enqueue(act, clock, wish.body(), key).await?;
    let details = serde_json::json!({ "command_id": id, "wish": wish });
    act.audit("clocks.ask", "clock", &clock.clock.clock_serial, details).await?;
    Ok(id)
}

/// Asks for the punches between two wall times of the clock again.
pub(super) async fn reread(
    act: &mut Act,
    clock: &Served,
    (from, to): (ClockTime, ClockTime),
    key: Uuid,
) -> Result<Uuid, DbError> {
    let (from_local, to_local) = (from.to_string(), to.to_string());
    let wish = ReadClock { from_local, to_local, ..ReadClock::default() };
    let details = serde_json::json!({ "from": wish.from_local, "to": wish.to_local });
    let id = enqueue(act, clock, Body::ReadClock(wish), key).await?;
    act.audit("clocks.reread", "clock", &clock.clock.clock_serial, details).await?;
    Ok(id)
}

/// Asks for the log to be emptied, if it holds so many records.
pub(super) async fn clear(
    act: &mut Act,
    clock: &Served,
    records: u32,
    key: Uuid,
) -> Result<Uuid, DbError> {
    let body = ClearClockLog { clock_serial: clock.clock.clock_serial.clone(), records };
    let id = enqueue(act, clock, Body::ClearClockLog(body), key).await?;
    let details = serde_json::json!({ "command_id": id, "records": records });
    act.audit("clocks.clear", "clock", &clock.clock.clock_serial, details).await?;
    Ok(id)
}

/// Asks for users to be written, as they should be by the comparison now. `None` when none
/// of the numbers is one to write.
pub(super) async fn write_users(
    act: &mut Act,
    clock: &Served,
    numbers: &[String],
    key: Uuid,
) -> Result<Option<Uuid>, DbError> {
    let company = act.company();
    let lines = compared(act.connection(), company, &clock.clock.clock_serial).await?;
    let changes: Vec<ClockUserChange> = lines
        .iter()
        .filter(|line| line.difference.is_writable() && numbers.contains(&line.user_id))
        .take(USERS_PER_COMMAND)
        .filter_map(change)
        .collect();
    if changes.is_empty() {
        return Ok(None);
    }
    let numbers: Vec<&str> = changes.iter().map(|change| change.user_id.as_str()).collect();
    let details = serde_json::json!({ "numbers": numbers });
    let body = WriteClockUsers { clock_serial: clock.clock.clock_serial.clone(), changes };
    let id = enqueue(act, clock, Body::WriteClockUsers(body), key).await?;
    act.audit("clocks.write_users", "clock", &clock.clock.clock_serial, details).await?;
    Ok(Some(id))
}

fn change(line: &Compared) -> Option<ClockUserChange> {
    let (name, card) = line.wished()?;
    let expected = line.on_clock.as_ref().map(|user| ClockUser {
        slot: u32::try_from(user.slot).unwrap_or_default(),
        user_id: user.user_id.clone(),
        name: user.name.clone(),
        privilege: u32::try_from(user.privilege).unwrap_or_default(),
        card: u64::try_from(user.card).unwrap_or_default(),
        group: 0,
        is_name_garbled: user.is_name_garbled,
    });
    Some(ClockUserChange { user_id: line.user_id.clone(), name, card, expected })
}

async fn enqueue(act: &mut Act, clock: &Served, body: Body, key: Uuid) -> Result<Uuid, DbError> {
    let Served { clock, gateway_id } = clock;
    let new = NewCommand {
        gateway_id: *gateway_id,
        device: &clock.device,
        title: &clock.clock_serial,
        body,
        not_after: Some(act.now() + ASKED_LIFE),
        source_kind: "clock-page",
        source_id: key,
        purpose: "asked",
        copy_of: None,
    };
    outbox::enqueue(act, new).await
}

/// A clock's table beside who works here.
pub(super) async fn comparison(
    scope: &mut Scope,
    company: CompanyId,
    serial: &str,
) -> Result<Vec<Compared>, DbError> {
    compared(scope.connection(), company, serial).await
}

async fn compared(
    connection: &mut sql::Connection,
    company: CompanyId,
    serial: &str,
) -> Result<Vec<Compared>, DbError> {
    let users = sql::device_users(connection, company, serial).await?;
    let people = sql::people(connection, company).await?;
    let assigned: HashMap<String, Uuid> =
        sql::assigned(connection, company, serial).await?.into_iter().collect();
    Ok(compare(&users, &people, &assigned))
}
