//! The gateway's durable journal: what must survive kill -9, a power cut, a full disk
//! and a lost cloud. Whatever is not in it has not happened.
//!
//! It is a folder of segments, 1 MiB each and fully allocated when made, that are only
//! appended to. One thread (`writer`) owns them. It takes whatever is queued, writes
//! it with one write and one fdatasync, and answers only then. Two logs live in it: the
//! up log (events; random epoch, sequence contiguous from 1) and the gateway's side of
//! the down log (commands, by the cloud's epoch and sequence).
//!
//! # Records
//!
//! `len u32 | crc32c u32 | kind u8 | seq u64 | prev 16 bytes | payload`, little endian;
//! `len` counts from `kind` on; the CRC covers `len` and everything behind itself;
//! `prev` is the head of the SHA-256 of the record before, so the records form a chain
//! over all segments. The top bit of `kind` marks the first record after an fsync.
//! Payloads are protobuf (`record`):
//!
//! | kind | record | says |
//! |---|---|---|
//! | 1 | `SegmentHead` | first in each segment, outside chain and sequence: epochs, cursors, incarnation |
//! | 2 | `Opened` | the daemon started: incarnation, boot id |
//! | 3 | `EventWritten` | one event of the up log, as the bytes that go to the cloud |
//! | 4 | `CommandAccepted` | a command is ours |
//! | 5 | `CommandBegun` | the first byte of an attempt may leave |
//! | 6 | `CommandSettled` | the final report |
//! | 7 | `UpAcked` | the cloud has committed up to here (goes back after its restore) |
//! | 8 | `UpEpochRenewed` | a new up log begins and takes over what can be read |
//! | 9 | `UpEpochCarried` | the taking over is complete |
//! | 10 | `DownCursor` | the down log stands here without a new command |
//! | 11 | `CarriedCommand` | an unsettled command, written again |
//! | 12 | `Closed` | a stop in good order |
//! | 13 | `Aged` | how old the journal is, about once an hour |
//!
//! # What a crash leaves
//!
//! | crash | the journal says | what follows |
//! |---|---|---|
//! | before `CommandAccepted` is durable | nothing | the cloud sends it again: first time |
//! | after it, before `CommandBegun` | accepted | offered again by [`Journal::pending_jobs`] |
//! | after `CommandBegun`, whether bytes left or not | begun | offered with `interrupted_attempt`: in doubt |
//! | after `CommandSettled`, before the cloud knows | settled | the report is in the up log and is sent |
//! | after the report, before the cloud's ack | settled | sent again, the cloud's watermark drops it |
//! | in the middle of a write | a torn tail | cut, because nobody was told it was written |
//!
//! # What damage does
//!
//! A bad record in the newest segment is a torn tail unless a later unit stands behind
//! it, which proves that an fsync had succeeded in between. Anything else is corruption:
//! the segment is renamed `.seg.bad` and still read, the cloud gets a
//! `journal-quarantined` notice, open commands count as begun, and when events were lost
//! that the cloud does not have, a new up epoch takes over the readable ones. One thing
//! cannot be told from a torn tail: rot in the very last unit before a crash.
//!
//! A failed write or fsync is never repeated on the same pages: the segment is abandoned
//! and the unsynced tail goes to a new one, whose head makes what the old one holds from
//! there on void. On a full disk punches and new commands are refused, health and notices
//! dropped and counted, and a reserve file is given back so that begun, settled and
//! acknowledged can still be written; copies that the cloud has go first, and what is
//! alive in them is written again. All of it heals without a restart.
//!
//! # What is kept
//!
//! Events the cloud has stay for thirty days or 64 MiB, the ids of settled commands for
//! thirty days or 20,000 of them. Days are those the box lived through ([`age`]): a wall
//! clock that jumps, or wakes up in 1970, makes nothing go early. Open commands and settled
//! ids are carried to the head of the log when their segment goes, so none holds it.
//!
//! What it is *not*: a database. Lookups that need more are rebuilt from it elsewhere.

mod age;
mod append;
mod commands;
mod config;
#[cfg(feature = "testing")]
pub mod disk;
#[cfg(not(feature = "testing"))]
mod disk;
mod engine;
mod framing;
mod handle;
#[cfg(feature = "testing")]
pub mod here;
mod inspect;
mod notice;
mod open;
mod owner;
mod record;
mod replay;
mod retain;
mod segment;
mod state;
#[cfg(test)]
mod tests;
mod time;
mod uplink;
mod uplog;
mod writer;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use config::JournalConfig;
pub use handle::Journal;
pub use inspect::{DumpedRecord, FolderReport, dump, inspect, punches};
pub use owner::claim;
pub use time::TimeSource;

use crate::seam::{Job, RecordError};

/// Done, or nothing was.
type Outcome = Result<(), RecordError>;

/// Why the journal cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error(
        "another fournil-gateway runs on the journal {}; stop it first (systemctl stop \
         fournil-gateway) or give this one its own state folder",
        folder.display()
    )]
    Locked { folder: PathBuf },
    #[error("cannot {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    Config(String),
    #[error("the journal cannot start: {0}")]
    Record(#[from] RecordError),
}

impl JournalError {
    fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { what: "read", path, source }
    }
}

/// What was found when the journal was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// One more at each start of the daemon.
    pub incarnation: u64,
    pub up_epoch: u64,
    /// Bytes behind the last good record that a crash had left.
    pub torn_bytes_cut: u64,
    /// What was damaged, a sentence each; the cloud is told too.
    pub quarantined: Vec<String>,
    /// Events were lost that the cloud does not have.
    pub epoch_renewed: bool,
    pub commands_pending: usize,
}

/// What became of a run of commands.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// Everything up to here is in the journal: what the ack says.
    pub down_durable: u64,
    /// The commands seen for the first time, in order.
    pub fresh: Vec<Job>,
}

/// Why commands were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// A protocol fault: the session must end and resume.
    #[error("command {got} came where {expected} was due")]
    Gap { expected: u64, got: u64 },
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Why the cloud's word on the up log was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpError {
    #[error("the cloud speaks of another up log than {ours:#018x}")]
    Epoch { ours: u64 },
    /// This disk was rolled back or copied, or the cloud confuses two gateways.
    #[error("the cloud claims event {claimed}, the journal ends at {last}")]
    Ahead { last: u64, claimed: u64 },
    /// The cloud was restored to before what is kept: see [`Journal::renew_up_epoch`].
    #[error("the cloud needs events older than {first_kept}, which are gone")]
    Gone { first_kept: u64 },
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// A contiguous run of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRun {
    pub epoch: u64,
    /// Sequence of the first event, whether there is one or not.
    pub first_seq: u64,
    /// Encoded protocol events.
    pub events: Vec<Vec<u8>>,
}

/// The newest durable event. Changes wake the tunnel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpMark {
    pub epoch: u64,
    pub last: u64,
}

/// How the journal stands, for status pages and health events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JournalStat {
    pub incarnation: u64,
    /// In hex where a script reads it: it is larger than a JSON number may be.
    #[serde(serialize_with = "as_hex")]
    pub up_epoch: u64,
    pub up_first_kept: u64,
    pub up_last: u64,
    pub up_acked: u64,
    pub unacked_events: u64,
    pub unacked_bytes: u64,
    #[serde(serialize_with = "as_hex")]
    pub down_epoch: u64,
    pub down_durable: u64,
    pub commands_pending: usize,
    pub commands_remembered: usize,
    pub segments: usize,
    pub segments_bad: usize,
    pub segment_bytes: u64,
    /// False while a full disk has taken the reserve.
    pub has_reserve: bool,
    pub dropped: u64,
    pub refused: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn as_hex<S: serde::Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{number:016x}"))
}
