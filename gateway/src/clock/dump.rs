//! Reading a clock once, without daemon or cloud, into a shape for people and scripts.

use chrono::{DateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use tokio::sync::mpsc;

use super::client::{CHUNK_BYTES_MAX, ClientError, Session, Timeouts, unless_refused};
use super::config::{CommKey, Target};
use super::layout::{AttendanceLayout, Calendar as _, ClockTime, Sizes, User};
use super::ledger::{Origin, drift_ms, to_punch};
use super::visit::{self, Log, Plan};
use crate::i18n::say;

/// Which clock, and how.
#[derive(Debug, Clone)]
pub struct DumpOptions {
    pub target: Target,
    pub comm_key: CommKey,
    pub zone: Tz,
    /// Not to be questioned; `None` lets the log decide.
    pub layout: Option<AttendanceLayout>,
    pub timeouts: Timeouts,
}

/// A clock and everything of interest in it.
#[derive(Debug, Clone, Serialize)]
pub struct Dump {
    pub device: Device,
    pub users: Vec<DumpUser>,
    /// In the order of the clock's log.
    pub punches: Vec<DumpPunch>,
    pub warnings: Vec<String>,
}

/// What the clock says of itself.
#[derive(Debug, Clone, Serialize)]
pub struct Device {
    pub address: String,
    pub serial: String,
    pub model: String,
    pub platform: String,
    pub firmware: String,
    /// The clock's wall time with the zone's offset where there is one; absent when
    /// the clock does not tell.
    pub time: Option<String>,
    pub drift_ms: Option<i64>,
    pub users: u32,
    pub users_capacity: u32,
    pub records: u32,
    pub records_capacity: u32,
    /// How the log was read; absent when it was not.
    pub layout: Option<String>,
}

/// A user, without secrets.
#[derive(Debug, Clone, Serialize)]
pub struct DumpUser {
    pub uid: u16,
    pub user_id: String,
    pub name: String,
    pub privilege: u8,
    pub card: u32,
    pub group: u8,
}

/// A punch of the log.
#[derive(Debug, Clone, Serialize)]
pub struct DumpPunch {
    pub user_id: String,
    pub time: String,
    pub state: u32,
    pub verify: u32,
    pub layout: String,
    /// The record's bytes in hexadecimal.
    pub raw: String,
    pub occurrence: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<String>,
}

/// What the clock says of itself, without reading its log.
pub async fn read_device(
    options: &DumpOptions,
    tick: u8,
    now: DateTime<Utc>,
) -> Result<Device, ClientError> {
    let mut session = open(options, tick).await?;
    let device = device(&mut session, options, now).await;
    leave(session).await;
    device.map(|(device, _)| device)
}

/// Device, users and the whole log.
pub async fn read_dump(
    options: &DumpOptions,
    tick: u8,
    now: DateTime<Utc>,
) -> Result<Dump, ClientError> {
    let mut session = open(options, tick).await?;
    let dump = dump(&mut session, options, now).await;
    leave(session).await;
    dump
}

async fn open(options: &DumpOptions, tick: u8) -> Result<Session, ClientError> {
    // Nobody asks for events here, so nobody needs to receive them.
    let (events, _) = mpsc::channel(1);
    let (target, key) = (&options.target, options.comm_key);
    Session::open(target, key, tick, options.timeouts, events).await
}

async fn leave(session: Session) {
    if !session.is_broken() {
        session.close().await;
    }
}

async fn dump(
    session: &mut Session,
    options: &DumpOptions,
    now: DateTime<Utc>,
) -> Result<Dump, ClientError> {
    let (mut device, _) = device(session, options, now).await?;
    let plan = Plan {
        known: None,
        users: None,
        are_slots_enough: true,
        forced: options.layout,
        skip_at_count: None,
        chunk_bytes: CHUNK_BYTES_MAX,
        lock: false,
        now: now.with_timezone(&options.zone).naive_local(),
    };
    let reading = visit::read(session, &plan, None).await?;
    let mut warnings = reading.warnings;
    let users = reading.users.unwrap_or_default();
    let (layout, records) = match reading.log {
        Log::Records { layout, bytes } => (Some(layout), layout.decode_all(&bytes, &users)),
        Log::Empty | Log::Unchanged | Log::Poured { .. } => (None, Vec::new()),
        Log::Ambiguous { candidates, bytes } => {
            warnings.push(ambiguity(&candidates, &bytes));
            (None, Vec::new())
        }
    };
    device.layout = layout.map(|layout| layout.to_string());
    let origin = Origin { serial: device.serial.clone(), zone: options.zone };
    let name = device.layout.clone().unwrap_or_default();
    let punches = records.iter().zip(super::layout::number_occurrences(&records)).map(
        |(record, occurrence)| {
            let punch = to_punch(record, occurrence, &origin, &name, now);
            DumpPunch {
                time: with_offset(record.time, options.zone),
                user_id: punch.user_id,
                state: punch.state,
                verify: punch.verify,
                layout: punch.layout,
                raw: data_encoding::HEXLOWER.encode(&punch.raw),
                occurrence,
                anomalies: punch.anomalies,
            }
        },
    );
    let users = users.users().iter().map(DumpUser::from).collect();
    Ok(Dump { device, users, punches: punches.collect(), warnings })
}

async fn device(
    session: &mut Session,
    options: &DumpOptions,
    now: DateTime<Utc>,
) -> Result<(Device, Sizes), ClientError> {
    session.enable().await?;
    session.free_buffer().await?;
    let identity = session.identity().await?;
    let time = unless_refused(session.time().await)?;
    let sizes = session.sizes().await?;
    let local = now.with_timezone(&options.zone).naive_local();
    let device = Device {
        address: options.target.to_string(),
        serial: identity.serial,
        model: identity.model,
        platform: identity.platform,
        firmware: identity.firmware,
        time: time.map(|time| with_offset(time, options.zone)),
        drift_ms: time.and_then(|time| drift_ms(time, local)),
        users: sizes.users,
        users_capacity: sizes.users_capacity,
        records: sizes.records,
        records_capacity: sizes.records_capacity,
        layout: None,
    };
    Ok((device, sizes))
}

fn ambiguity(candidates: &[AttendanceLayout], bytes: &[u8]) -> String {
    let names: Vec<String> = candidates.iter().map(AttendanceLayout::to_string).collect();
    let shown = data_encoding::HEXLOWER.encode(bytes.get(..4096).unwrap_or(bytes));
    say(
        "clock-ambiguous-dump",
        &[("bytes", &bytes.len()), ("names", &names.join(", ")), ("shown", &shown)],
    )
}

/// The clock's wall time, followed by the zone's offset when that moment exists.
pub(crate) fn with_offset(time: ClockTime, zone: Tz) -> String {
    let moment = time.to_naive().and_then(|naive| zone.from_local_datetime(&naive).earliest());
    match moment {
        Some(moment) => format!("{time}{}", moment.format("%:z")),
        None => time.to_string(),
    }
}

impl From<&User> for DumpUser {
    fn from(user: &User) -> DumpUser {
        DumpUser {
            uid: user.uid,
            user_id: user.user_id.clone(),
            name: user.name.clone(),
            privilege: user.privilege,
            card: user.card,
            group: user.group,
        }
    }
}
