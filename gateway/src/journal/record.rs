//! What the journal's records say. A tag or a kind number is never used twice.
//!
//! Protocol events and commands are kept as the bytes they came in, so that a field
//! this build does not know survives the journal.

use prost::Message;

use super::framing::OVERHEAD;

macro_rules! records {
    ($($kind:literal => $name:ident),+ $(,)?) => {
        /// One record.
        #[derive(Debug, Clone, PartialEq)]
        pub(super) enum Record {
            $($name($name),)+
        }

        impl Record {
            /// The kind number on disk.
            pub(super) fn kind(&self) -> u8 {
                match self { $(Self::$name(_) => $kind,)+ }
            }

            /// The kind's name, for `journal dump`.
            pub(super) fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)+ }
            }

            pub(super) fn payload(&self) -> Vec<u8> {
                match self { $(Self::$name(record) => record.encode_to_vec(),)+ }
            }

            /// Bytes the record takes in a segment.
            pub(super) fn frame_bytes(&self) -> usize {
                OVERHEAD + match self { $(Self::$name(record) => record.encoded_len(),)+ }
            }

            /// `Ok(None)` for a kind this build does not know (written by a newer one).
            pub(super) fn decode(
                kind: u8,
                payload: &[u8],
            ) -> Result<Option<Self>, prost::DecodeError> {
                Ok(Some(match kind {
                    $($kind => Self::$name($name::decode(payload)?),)+
                    _ => return Ok(None),
                }))
            }
        }

        $(impl From<$name> for Record {
            fn from(record: $name) -> Self {
                Self::$name(record)
            }
        })+
    };
}

records! {
    1 => SegmentHead,
    2 => Opened,
    3 => EventWritten,
    4 => CommandAccepted,
    5 => CommandBegun,
    6 => CommandSettled,
    7 => UpAcked,
    8 => UpEpochRenewed,
    9 => UpEpochCarried,
    10 => DownCursor,
    11 => CarriedCommand,
    12 => Closed,
    13 => Aged,
}

/// First in every segment, outside the sequence and the chain: the few numbers that
/// must outlive the segments before it.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct SegmentHead {
    #[prost(uint64, tag = "1")]
    pub(super) segment: u64,
    /// Sequence of the first record after this head. Records with this sequence or a
    /// higher one in earlier segments are void.
    #[prost(uint64, tag = "2")]
    pub(super) first_seq: u64,
    /// Full hash of the record before.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) chain: Vec<u8>,
    #[prost(int64, tag = "4")]
    pub(super) wall_ms: i64,
    #[prost(uint64, tag = "5")]
    pub(super) incarnation: u64,
    #[prost(fixed64, tag = "6")]
    pub(super) up_epoch: u64,
    #[prost(uint64, tag = "7")]
    pub(super) up_last: u64,
    #[prost(uint64, tag = "8")]
    pub(super) up_acked: u64,
    #[prost(fixed64, tag = "9")]
    pub(super) down_epoch: u64,
    #[prost(uint64, tag = "10")]
    pub(super) down_durable: u64,
    /// The journal's age when the segment was begun, and the boot clock at that moment.
    #[prost(uint64, tag = "11")]
    pub(super) lived_ms: u64,
    #[prost(bytes = "vec", tag = "12")]
    pub(super) boot_id: Vec<u8>,
    #[prost(uint64, tag = "13")]
    pub(super) boot_ms: u64,
}

/// The daemon started.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Opened {
    #[prost(fixed64, tag = "1")]
    pub(super) up_epoch: u64,
    #[prost(uint64, tag = "2")]
    pub(super) incarnation: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) boot_id: Vec<u8>,
    #[prost(int64, tag = "4")]
    pub(super) wall_ms: i64,
    /// The journal's age.
    #[prost(uint64, tag = "5")]
    pub(super) lived_ms: u64,
    #[prost(uint64, tag = "6")]
    pub(super) boot_ms: u64,
}

/// One entry of the up log.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct EventWritten {
    #[prost(fixed64, tag = "1")]
    pub(super) up_epoch: u64,
    #[prost(uint64, tag = "2")]
    pub(super) up_seq: u64,
    /// A protocol `Event`.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) event: Vec<u8>,
}

/// A command is ours now.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct CommandAccepted {
    #[prost(fixed64, tag = "1")]
    pub(super) down_epoch: u64,
    #[prost(uint64, tag = "2")]
    pub(super) down_seq: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) command_id: Vec<u8>,
    /// A protocol `Command`.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) command: Vec<u8>,
}

/// The first byte of an attempt may leave.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct CommandBegun {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) command_id: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(super) attempt: u32,
    #[prost(string, tag = "3")]
    pub(super) device: String,
    #[prost(uint64, tag = "4")]
    pub(super) incarnation: u64,
}

/// How a command ended; for as long as it is kept the id counts as seen. Written again,
/// unchanged, when its old segment goes.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct CommandSettled {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) command_id: Vec<u8>,
    /// A protocol `CommandReport` with a final state.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) report: Vec<u8>,
    /// Wall clock, for people.
    #[prost(int64, tag = "3")]
    pub(super) settled_ms: i64,
    /// The journal's age, by which it is forgotten.
    #[prost(uint64, tag = "4")]
    pub(super) lived_ms: u64,
}

/// The cloud has committed every event up to here. May go back after a restore.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct UpAcked {
    #[prost(fixed64, tag = "1")]
    pub(super) up_epoch: u64,
    #[prost(uint64, tag = "2")]
    pub(super) up_seq: u64,
}

/// Events were lost: a new up log begins, and takes over what can still be read of
/// the old one from `carry_from` on.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct UpEpochRenewed {
    #[prost(fixed64, tag = "1")]
    pub(super) up_epoch: u64,
    #[prost(uint64, tag = "2")]
    pub(super) carry_from: u64,
}

/// The taking over is complete. Without this record it is begun anew.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct UpEpochCarried {
    #[prost(fixed64, tag = "1")]
    pub(super) up_epoch: u64,
}

/// The down log stands here without a new command: a new epoch, or a repeated id.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct DownCursor {
    #[prost(fixed64, tag = "1")]
    pub(super) down_epoch: u64,
    #[prost(uint64, tag = "2")]
    pub(super) down_durable: u64,
}

/// An unsettled command, written again so that its old segment can go.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CarriedCommand {
    #[prost(message, required, tag = "1")]
    pub(super) accepted: CommandAccepted,
    #[prost(message, optional, tag = "2")]
    pub(super) begun: Option<CommandBegun>,
    /// Its place among the unsettled commands.
    #[prost(uint64, tag = "3")]
    pub(super) order: u64,
}

/// The daemon stopped in good order.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Closed {
    #[prost(int64, tag = "1")]
    pub(super) wall_ms: i64,
    /// The journal's age, and the boot clock.
    #[prost(uint64, tag = "2")]
    pub(super) lived_ms: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) boot_id: Vec<u8>,
    #[prost(uint64, tag = "4")]
    pub(super) boot_ms: u64,
}

/// The journal's age, written now and then: a box whose mains is cut each night never stops
/// in good order.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Aged {
    #[prost(uint64, tag = "1")]
    pub(super) lived_ms: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) boot_id: Vec<u8>,
    #[prost(uint64, tag = "3")]
    pub(super) boot_ms: u64,
}

/// Replaces the sequence in an encoded event: in protobuf the last value of a field
/// wins, and fields this build does not know stay untouched.
pub(super) fn with_seq(mut event: Vec<u8>, seq: u64) -> Vec<u8> {
    #[derive(Clone, Copy, PartialEq, Eq, Message)]
    struct Seq {
        #[prost(uint64, tag = "1")]
        seq: u64,
    }
    event.extend(Seq { seq }.encode_to_vec());
    event
}
