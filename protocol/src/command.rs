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
    #[prost(oneof = "Body", tags = "10, 11, 12, 13, 14, 15")]
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
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct ReadClock {}

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
