//! What the cloud asks of the shop. The id is chosen by the business fact behind
//! it and is the idempotency key: an id is acted on once, whatever is re-sent.

use prost::Message;

use crate::document::Document;

/// One entry of the down log.
#[derive(Clone, PartialEq, Message)]
pub struct Command {
    /// Contiguous from 1 within the epoch.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// UUIDv7 in 16 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub command_id: Vec<u8>,
    #[prost(enumeration = "Policy", tag = "3")]
    pub policy: i32,
    /// Cloud time after which the command must not begin, Unix milliseconds; 0 = never.
    #[prost(int64, tag = "4")]
    pub not_after_ms: i64,
    /// Device by its configured name; empty means the only one of its kind.
    #[prost(string, tag = "5")]
    pub device: String,
    /// `None` when the kind is newer than this build: answered with `Unsupported`.
    #[prost(oneof = "Body", tags = "10, 11, 12, 13, 14, 15, 16, 17, 18")]
    pub body: Option<Body>,
}

/// What to do.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Body {
    #[prost(message, tag = "10")]
    Print(Print),
    #[prost(message, tag = "11")]
    OpenDrawer(OpenDrawer),
    #[prost(message, tag = "12")]
    ReadClock(ReadClock),
    #[prost(message, tag = "13")]
    ReadStatus(ReadStatus),
    #[prost(message, tag = "14")]
    Cancel(Cancel),
    /// From version 2 on; older gateways answer `Unsupported`.
    #[prost(message, tag = "15")]
    SendDiagnostics(SendDiagnostics),
    #[prost(message, tag = "16")]
    SetClockTime(SetClockTime),
    #[prost(message, tag = "17")]
    WriteClockUsers(WriteClockUsers),
    #[prost(message, tag = "18")]
    ClearClockLog(ClearClockLog),
}

/// What to do when a crash leaves it open whether the command happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Policy {
    /// Drawer: never again, whatever happened.
    AtMostOnce = 0,
    /// Receipts, reports: stop and let a person say.
    Ask = 1,
    /// Reading a clock, reading a status: do it again.
    Repeatable = 2,
}

/// Print a document.
#[derive(Clone, PartialEq, Message)]
pub struct Print {
    #[prost(message, required, tag = "1")]
    pub document: Document,
    /// When this is a copy: the command it repeats (16 bytes). The copy says DUPLICATA.
    #[prost(bytes = "vec", tag = "2")]
    pub copy_of: Vec<u8>,
}

/// Open the cash drawer behind a printer.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct OpenDrawer {
    /// Connector pin: 2 (default, also for 0) or 5.
    #[prost(uint32, tag = "1")]
    pub pin: u32,
}

/// Read a clock's log now.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ReadClock {
    /// From the first record to the last, whatever is known already.
    #[prost(bool, tag = "1")]
    pub whole: bool,
    /// The table of users as well, and tell it though it has not changed.
    #[prost(bool, tag = "2")]
    pub users: bool,
    /// Clocks that push can send the records between two wall times again,
    /// `YYYY-MM-DDTHH:MM:SS` both; empty: no such wish. Others read what is wanted and more.
    #[prost(string, tag = "3")]
    pub from_local: String,
    #[prost(string, tag = "4")]
    pub to_local: String,
}

/// Set a clock to the true time in its zone. Done without a change when it is right to the
/// second; never while its log is read. What it showed before goes into the report's detail.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SetClockTime {}

/// Write users to a clock. Its table is read just before; a user that is not as expected is
/// left, and so are passwords and biometric templates, always. What is there already counts
/// as done. The table is told anew afterwards.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct WriteClockUsers {
    /// Another clock at the device's address is not written to.
    #[prost(string, tag = "1")]
    pub clock_serial: String,
    #[prost(message, repeated, tag = "2")]
    pub changes: Vec<ClockUserChange>,
}

/// One user to write.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ClockUserChange {
    #[prost(string, tag = "1")]
    pub user_id: String,
    #[prost(string, tag = "2")]
    pub name: String,
    /// 0: none.
    #[prost(uint64, tag = "3")]
    pub card: u64,
    /// The user as the person who decided saw it; absent: nobody had this user id.
    #[prost(message, optional, tag = "4")]
    pub expected: Option<crate::event::ClockUser>,
}

/// Empty a clock's log of attendance. Only where the shop's configuration allows it, once
/// every record is confirmed by the cloud, and while the log holds just what was read.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ClearClockLog {
    #[prost(string, tag = "1")]
    pub clock_serial: String,
    /// Records of the whole reading that the person saw; another number stops it.
    #[prost(uint32, tag = "2")]
    pub records: u32,
}

/// Ask every device how it is and send a [`crate::event::Health`].
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct ReadStatus {}

/// Do not begin another command; answered by that command's own report.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Cancel {
    /// The command to leave (16 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub command_id: Vec<u8>,
}

/// Gather what helps to find a fault (recent log, state of tunnel, journal and devices,
/// configuration without secrets) and send it up as a transfer named by this command.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SendDiagnostics {
    /// The cloud takes no more than this; the oldest log lines are left out first.
    #[prost(uint64, tag = "1")]
    pub bytes_max: u64,
}
