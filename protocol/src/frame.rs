//! The envelope: one binary WebSocket message is one frame, one frame says one thing.
//!
//! Order of a session: the cloud sends [`Challenge`], the gateway answers
//! [`Hello`], the cloud [`Welcome`]; then [`Events`] go up and [`Commands`] down,
//! each side acknowledging with [`Ack`] only what is durable on its side. What is too
//! large for a frame goes in [`Chunk`]s, from version 2 on.

use prost::Message;

use crate::bulk::{Chunk, Grant, Offer, Stop};
use crate::command::Command;
use crate::hello::{Challenge, Hello, Welcome};
use crate::limits::{
    CHUNK_BYTES_MAX, COMMANDS_PER_FRAME_MAX, EVENT_BYTES_MAX, EVENTS_PER_FRAME_MAX, FRAME_BYTES_MAX,
};

/// One protocol frame. `kind` is `None` when a newer peer sends a kind this build
/// does not know: such a frame is skipped, not an error.
#[derive(Clone, PartialEq, Message)]
pub struct Frame {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 20, 21")]
    pub kind: Option<Kind>,
}

/// What a frame says.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Kind {
    #[prost(message, tag = "1")]
    Challenge(Challenge),
    #[prost(message, tag = "2")]
    Hello(Hello),
    #[prost(message, tag = "3")]
    Welcome(Welcome),
    #[prost(message, tag = "4")]
    Events(Events),
    #[prost(message, tag = "5")]
    Commands(Commands),
    #[prost(message, tag = "6")]
    Ack(Ack),
    #[prost(message, tag = "7")]
    Ping(Ping),
    #[prost(message, tag = "8")]
    Pong(Pong),
    #[prost(message, tag = "9")]
    Goodbye(Goodbye),
    /// From version 2 on, as the three that follow; never sent in a session of version 1.
    #[prost(message, tag = "10")]
    Offer(Offer),
    #[prost(message, tag = "11")]
    Grant(Grant),
    #[prost(message, tag = "12")]
    Chunk(Chunk),
    #[prost(message, tag = "13")]
    Stop(Stop),
    #[prost(message, tag = "20")]
    Inquiry(Inquiry),
    #[prost(message, tag = "21")]
    Standing(Standing),
}

/// A contiguous run of the gateway's up log.
#[derive(Clone, PartialEq, Message)]
pub struct Events {
    /// The up log these events belong to.
    #[prost(fixed64, tag = "1")]
    pub epoch: u64,
    /// Encoded [`crate::event::Event`]s in sequence order. They stay bytes here so
    /// that both journals keep exactly what was said, kinds they do not know included.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub events: Vec<Vec<u8>>,
}

/// A contiguous run of the cloud's down log for this gateway.
#[derive(Clone, PartialEq, Message)]
pub struct Commands {
    #[prost(fixed64, tag = "1")]
    pub epoch: u64,
    #[prost(message, repeated, tag = "2")]
    pub commands: Vec<Command>,
}

/// Cumulative acknowledgement of what is durable on the sender's side.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Ack {
    /// From the cloud: every event up to this sequence is committed.
    #[prost(uint64, optional, tag = "1")]
    pub up_durable: Option<u64>,
    /// From the gateway: every command up to this sequence is in its journal.
    #[prost(uint64, optional, tag = "2")]
    pub down_durable: Option<u64>,
}

/// Heartbeat and time probe. `t0` is the sender's wall clock in Unix milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Ping {
    #[prost(int64, tag = "1")]
    pub t0_ms: i64,
}

/// Answer to a [`Ping`]: its `t0`, when it arrived (`t1`) and when this left (`t2`),
/// both on the answering side's wall clock in Unix milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Pong {
    #[prost(int64, tag = "1")]
    pub t0_ms: i64,
    #[prost(int64, tag = "2")]
    pub t1_ms: i64,
    #[prost(int64, tag = "3")]
    pub t2_ms: i64,
}

/// The last frame of a session that ends on purpose.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Goodbye {
    /// One of [`crate::close`].
    #[prost(uint32, tag = "1")]
    pub code: u32,
    /// A sentence for a person.
    #[prost(string, tag = "2")]
    pub reason: String,
    /// How long to stay away; 0 leaves it to the gateway's own backoff.
    #[prost(uint32, tag = "3")]
    pub retry_after_ms: u32,
}

/// From the gateway instead of Hello: is my key known? No session begins, nothing is
/// written, and a session that is open goes on. The cloud answers [`Standing`] and closes.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Inquiry {
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// UUID in 16 bytes, given at enrolment.
    #[prost(bytes = "vec", tag = "2")]
    pub gateway_id: Vec<u8>,
    /// Ed25519 over [`crate::hello::signed_bytes`] with
    /// [`crate::hello::inquiry_nonce`] for the nonce: no Hello can be made of it.
    #[prost(bytes = "vec", tag = "3")]
    pub signature: Vec<u8>,
    /// The server name the gateway dialled and verified by TLS.
    #[prost(string, tag = "4")]
    pub server_name: String,
}

/// The answer to an [`Inquiry`].
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Standing {
    /// 0 when a Hello with this key would be heard, else the close code it would get.
    #[prost(uint32, tag = "1")]
    pub code: u32,
    /// A sentence for a person.
    #[prost(string, tag = "2")]
    pub reason: String,
    /// The name this cloud expects to be signed for.
    #[prost(string, tag = "3")]
    pub server_name: String,
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("frame of {got} bytes is over the limit of {FRAME_BYTES_MAX}")]
    TooLarge { got: usize },
    #[error("frame is not valid protobuf")]
    Malformed(#[from] prost::DecodeError),
    #[error("frame carries {got} {what}, over the limit of {max}")]
    TooMany { what: &'static str, got: usize, max: usize },
    #[error("event of {got} bytes is over the limit of {EVENT_BYTES_MAX}")]
    EventTooLarge { got: usize },
    #[error("chunk of {got} bytes is over the limit of {CHUNK_BYTES_MAX}")]
    ChunkTooLarge { got: usize },
}

impl Frame {
    /// Reads one frame. Bounds are checked before and after decoding.
    pub fn decode_bytes(bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(FrameError::TooLarge { got: bytes.len() });
        }
        let frame = Self::decode(bytes)?;
        match &frame.kind {
            Some(Kind::Events(events)) => check_events(events)?,
            Some(Kind::Commands(commands)) => {
                check_count("commands", commands.commands.len(), COMMANDS_PER_FRAME_MAX)?;
            }
            Some(Kind::Chunk(chunk)) if chunk.bytes.len() > CHUNK_BYTES_MAX => {
                return Err(FrameError::ChunkTooLarge { got: chunk.bytes.len() });
            }
            _ => {}
        }
        Ok(frame)
    }

    /// Writes one frame. Senders keep within [`FRAME_BYTES_MAX`] by batching;
    /// a frame over it is refused here rather than by the peer.
    pub fn encode_bytes(&self) -> Result<Vec<u8>, FrameError> {
        let length = self.encoded_len();
        if length > FRAME_BYTES_MAX {
            return Err(FrameError::TooLarge { got: length });
        }
        Ok(self.encode_to_vec())
    }
}

impl From<Kind> for Frame {
    fn from(kind: Kind) -> Self {
        Self { kind: Some(kind) }
    }
}

fn check_events(events: &Events) -> Result<(), FrameError> {
    check_count("events", events.events.len(), EVENTS_PER_FRAME_MAX)?;
    match events.events.iter().map(Vec::len).find(|length| *length > EVENT_BYTES_MAX) {
        Some(got) => Err(FrameError::EventTooLarge { got }),
        None => Ok(()),
    }
}

fn check_count(what: &'static str, got: usize, max: usize) -> Result<(), FrameError> {
    if got > max { Err(FrameError::TooMany { what, got, max }) } else { Ok(()) }
}
