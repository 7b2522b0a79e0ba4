//! What the shop tells the cloud. An event is a fact: it is never edited, only added to.

use prost::Message;

/// One entry of the up log.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Contiguous from 1 within the epoch.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    #[prost(message, optional, tag = "2")]
    pub recorded: Option<Stamp>,
    /// `None` when the kind is newer than this build: the bytes are kept all the same.
    #[prost(oneof = "Body", tags = "10, 11, 12, 13, 14, 15, 16")]
    pub body: Option<Body>,
}

/// What happened.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Body {
    #[prost(message, tag = "10")]
    Punch(Punch),
    #[prost(message, tag = "11")]
    CommandReport(CommandReport),
    #[prost(message, tag = "12")]
    Health(Health),
    #[prost(message, tag = "13")]
    Notice(Notice),
    #[prost(message, tag = "14")]
    ClockState(ClockState),
    #[prost(message, tag = "15")]
    ClockUsers(ClockUsers),
    #[prost(message, tag = "16")]
    ClockOperation(ClockOperation),
}

/// When the gateway wrote an event, told three ways so that a box with a dead
/// battery can be re-dated.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Stamp {
    /// Gateway wall clock, Unix milliseconds, unadjusted.
    #[prost(int64, tag = "1")]
    pub wall_ms: i64,
    /// Milliseconds since the machine booted.
    #[prost(uint64, tag = "2")]
    pub mono_ms: u64,
    /// Names the boot `mono_ms` counts from (16 bytes).
    #[prost(bytes = "vec", tag = "3")]
    pub boot_id: Vec<u8>,
    /// Cloud time minus gateway wall time, milliseconds, when it has been measured.
    #[prost(sint64, optional, tag = "4")]
    pub cloud_offset_ms: Option<i64>,
}

/// Somebody used the attendance clock.
///
/// Identity: (clock serial, user id, local time, state, verify, occurrence).
/// Reading the clock's log again yields the same identities.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Punch {
    #[prost(string, tag = "1")]
    pub clock_serial: String,
    /// The clock's own user id (PIN), text.
    #[prost(string, tag = "2")]
    pub user_id: String,
    /// The clock's wall time, `YYYY-MM-DDTHH:MM:SS`; may be a date that does not exist.
    #[prost(string, tag = "3")]
    pub local_time: String,
    /// IANA zone the clock hangs in, such as `Africa/Algiers`.
    #[prost(string, tag = "4")]
    pub zone: String,
    /// Unix milliseconds of `local_time` in `zone`; absent when there is no such instant.
    #[prost(int64, optional, tag = "5")]
    pub instant_ms: Option<i64>,
    /// In/out key: 0 in, 1 out, 2 break out, 3 break in, 4 overtime in, 5 overtime out, 255 none.
    #[prost(uint32, tag = "6")]
    pub state: u32,
    /// How the person was recognised; the meaning depends on the model.
    #[prost(uint32, tag = "7")]
    pub verify: u32,
    /// 0 for the first, 1.. for exact repeats within one second.
    #[prost(uint32, tag = "8")]
    pub occurrence: u32,
    /// The record as the clock gave it.
    #[prost(bytes = "vec", tag = "9")]
    pub raw: Vec<u8>,
    /// Record layout: `40`, `49`, `16`, `8a`, `8b`, `live-32`, `push`, ...
    #[prost(string, tag = "10")]
    pub layout: String,
    #[prost(enumeration = "PunchSource", tag = "11")]
    pub source: i32,
    /// What is odd about the record (`impossible-date`, `future`, ...); empty when nothing is.
    #[prost(string, repeated, tag = "12")]
    pub anomalies: Vec<String>,
}

/// How the punch reached the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum PunchSource {
    Unknown = 0,
    Poll = 1,
    Live = 2,
    Push = 3,
}

/// What a clock is and how full it is, as it said at the last contact. Told at the first
/// contact, when something else than a count has changed, with each reading that was asked
/// for, and otherwise every ten minutes at most.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ClockState {
    #[prost(string, tag = "1")]
    pub clock_serial: String,
    /// The name it has in the gateway's configuration.
    #[prost(string, tag = "2")]
    pub device: String,
    #[prost(string, tag = "3")]
    pub model: String,
    #[prost(string, tag = "4")]
    pub platform: String,
    #[prost(string, tag = "5")]
    pub firmware: String,
    /// IANA zone the clock hangs in.
    #[prost(string, tag = "6")]
    pub zone: String,
    /// Layout of its attendance records (`40`, `16`, `8a`, ...), empty while not known.
    #[prost(string, tag = "7")]
    pub layout: String,
    #[prost(enumeration = "ClockLink", tag = "8")]
    pub link: i32,
    /// Letters or digits a user id may have; 0: not known.
    #[prost(uint32, tag = "9")]
    pub pin_width: u32,
    #[prost(uint32, tag = "10")]
    pub users: u32,
    #[prost(uint32, tag = "11")]
    pub users_capacity: u32,
    #[prost(uint32, tag = "12")]
    pub records: u32,
    #[prost(uint32, tag = "13")]
    pub records_capacity: u32,
    #[prost(uint32, tag = "14")]
    pub operations: u32,
    /// Device time minus true time, milliseconds.
    #[prost(sint64, optional, tag = "15")]
    pub drift_ms: Option<i64>,
    /// When this was heard, cloud time where it is known, Unix milliseconds.
    #[prost(int64, tag = "16")]
    pub heard_ms: i64,
    /// When the log was last read from its first record to its last; absent: never yet.
    #[prost(int64, optional, tag = "17")]
    pub whole_read_ms: Option<i64>,
    /// Records that reading found.
    #[prost(uint32, tag = "18")]
    pub whole_read_records: u32,
    /// Where it answered, `host:port`.
    #[prost(string, tag = "19")]
    pub address: String,
}

/// Which way a clock and its reader speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum ClockLink {
    Unknown = 0,
    Tcp = 1,
    Udp = 2,
    /// The clock calls and pushes.
    Push = 3,
}

/// A part of a clock's table of users, told when the table has changed. The table is known
/// once all its parts are; a table read later replaces it. Or some users that a clock told by
/// itself, beside which the others stay as they were.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ClockUsers {
    #[prost(string, tag = "1")]
    pub clock_serial: String,
    /// When the table was read, the same for all its parts; Unix milliseconds.
    #[prost(int64, tag = "2")]
    pub read_ms: i64,
    /// From 0.
    #[prost(uint32, tag = "3")]
    pub part: u32,
    #[prost(uint32, tag = "4")]
    pub parts: u32,
    #[prost(message, repeated, tag = "5")]
    pub users: Vec<ClockUser>,
    /// Not the table: only these were told.
    #[prost(bool, tag = "6")]
    pub is_partial: bool,
}

/// Somebody a clock knows. Never a password, never a biometric template.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ClockUser {
    /// The clock's slot: given again after a deletion, so no identity of a person.
    #[prost(uint32, tag = "1")]
    pub slot: u32,
    /// The user id (PIN) that punches carry.
    #[prost(string, tag = "2")]
    pub user_id: String,
    #[prost(string, tag = "3")]
    pub name: String,
    /// As the clock holds it: 0 user, 2 enroller, 6 manager, 14 administrator, +1 disabled.
    #[prost(uint32, tag = "4")]
    pub privilege: u32,
    /// 0: none.
    #[prost(uint64, tag = "5")]
    pub card: u64,
    #[prost(uint32, tag = "6")]
    pub group: u32,
    /// The name's bytes fit no code page that is known; `name` shows what could be read.
    #[prost(bool, tag = "7")]
    pub is_name_garbled: bool,
}

/// A line of the clock's own log of what was done to it: time set, records cleared, users
/// changed. Identity: (clock serial, local time, operation, admin, parameters, occurrence).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ClockOperation {
    #[prost(string, tag = "1")]
    pub clock_serial: String,
    /// As in [`Punch`].
    #[prost(string, tag = "2")]
    pub local_time: String,
    #[prost(string, tag = "3")]
    pub zone: String,
    #[prost(int64, optional, tag = "4")]
    pub instant_ms: Option<i64>,
    /// The clock's number for it, such as 21 (time set) or 23 (attendance records cleared).
    #[prost(uint32, tag = "5")]
    pub operation: u32,
    /// User id or slot of who did it, as the clock says; `0` where nobody is named.
    #[prost(string, tag = "6")]
    pub admin: String,
    #[prost(string, repeated, tag = "7")]
    pub parameters: Vec<String>,
    #[prost(uint32, tag = "8")]
    pub occurrence: u32,
    #[prost(bytes = "vec", tag = "9")]
    pub raw: Vec<u8>,
    #[prost(enumeration = "PunchSource", tag = "10")]
    pub source: i32,
}

/// How a command fares. The newest report of a command wins, save that a final
/// state is never left.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CommandReport {
    /// UUID in 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub command_id: Vec<u8>,
    #[prost(enumeration = "CommandState", tag = "2")]
    pub state: i32,
    #[prost(enumeration = "Evidence", tag = "3")]
    pub evidence: i32,
    /// Machine word for the reason, such as `paper-out`; see `docs/protocol.md`.
    #[prost(string, tag = "4")]
    pub reason: String,
    /// Details for a person who repairs things; never needed to understand the state.
    #[prost(string, tag = "5")]
    pub detail: String,
    #[prost(uint32, tag = "6")]
    pub attempt: u32,
    /// Device that acted or should have.
    #[prost(string, tag = "7")]
    pub device: String,
}

/// Where a command stands, seen from the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum CommandState {
    Unknown = 0,
    /// Held back before the first byte: `reason` says what for (paper, printer off).
    Waiting = 1,
    /// The journal says so; the first byte may leave now.
    Started = 2,
    Done = 3,
    /// Nothing of it happened, or the device said it did not.
    Failed = 4,
    /// The deadline passed before the first byte.
    Expired = 5,
    Cancelled = 6,
    /// It may or may not have happened; only a person can tell.
    InDoubt = 7,
    /// This gateway does not know the command's kind.
    Unsupported = 8,
}

/// How sure a printed page is. See the printing notes in `docs/protocol.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Evidence {
    /// No statement, or E0: started and not finished.
    None = 0,
    /// E1: all bytes handed over, the device has no voice.
    BytesSent = 1,
    /// E2: all bytes taken and the port reports no fault for as long as printing takes.
    PortHealthy = 2,
    /// E3: the device answered a question that stood behind the last byte, and is healthy.
    AnsweredAfter = 3,
    /// E4: the device returned the tag that stood behind the cut.
    TagReturned = 4,
}

/// How the shop's devices fare, at start, on change and every few minutes.
#[derive(Clone, PartialEq, Message)]
pub struct Health {
    #[prost(message, repeated, tag = "1")]
    pub devices: Vec<DeviceHealth>,
    /// Events in the journal the cloud has not acknowledged.
    #[prost(uint64, tag = "2")]
    pub journal_pending: u64,
    #[prost(uint64, tag = "3")]
    pub journal_bytes: u64,
    #[prost(uint64, tag = "4")]
    pub disk_free_bytes: u64,
    #[prost(uint64, tag = "5")]
    pub uptime_s: u64,
    #[prost(uint64, tag = "6")]
    pub resident_bytes: u64,
    #[prost(string, tag = "7")]
    pub software: String,
    /// When the first certificate of the chain that the gateway verified ends, Unix
    /// milliseconds: behind a proxy the cloud cannot see it.
    #[prost(int64, optional, tag = "20")]
    pub server_certificate_until_ms: Option<i64>,
}

/// One device.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DeviceHealth {
    /// The name it has in the gateway's configuration.
    #[prost(string, tag = "1")]
    pub device: String,
    #[prost(enumeration = "DeviceKind", tag = "2")]
    pub kind: i32,
    #[prost(enumeration = "DeviceState", tag = "3")]
    pub state: i32,
    /// Machine word, such as `ok`, `paper-out`, `unreachable`, `comm-key-refused`.
    #[prost(string, tag = "4")]
    pub code: String,
    /// What the device says of itself (model, serial, firmware) or the fault in detail.
    #[prost(string, tag = "5")]
    pub detail: String,
    #[prost(string, tag = "6")]
    pub serial: String,
    /// Clocks: device time minus gateway time, milliseconds.
    #[prost(sint64, optional, tag = "7")]
    pub drift_ms: Option<i64>,
    /// Clocks: records held and room for them.
    #[prost(uint32, tag = "8")]
    pub records: u32,
    #[prost(uint32, tag = "9")]
    pub records_capacity: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum DeviceKind {
    Unknown = 0,
    Clock = 1,
    Printer = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum DeviceState {
    Unknown = 0,
    Ok = 1,
    /// Works, and needs somebody soon.
    Warning = 2,
    Down = 3,
}

/// Something an operator should know once.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Notice {
    #[prost(enumeration = "Severity", tag = "1")]
    pub severity: i32,
    /// Machine word, such as `journal-quarantined`, `clock-layout-ambiguous`.
    #[prost(string, tag = "2")]
    pub code: String,
    #[prost(string, tag = "3")]
    pub detail: String,
    #[prost(string, tag = "4")]
    pub device: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Severity {
    Info = 0,
    Warning = 1,
    Alarm = 2,
}
