//! Transfers too large for a frame: diagnostics today, images or updates later. Version 2.
//!
//! The sender says with [`Offer`] what it has, the receiver with [`Grant`] from which byte
//! on it wants it and how much may be under way, the sender sends [`Chunk`]s, each
//! confirmed by a [`Grant`] once it is durable. Either side ends it with [`Stop`]. What
//! was granted outlives the session: after a cut the same Offer is answered with where to
//! go on. A transfer counts once its last byte is durable and its SHA-256 is right, which
//! the receiver says with a `Grant` of the whole length.
//!
//! The messages know no direction. In version 2 only the gateway offers.

use prost::Message;

/// The sender has something to send.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Offer {
    /// The command that asked for it (16 bytes); it names the transfer.
    #[prost(bytes = "vec", tag = "1")]
    pub transfer_id: Vec<u8>,
    /// Length of the whole, 1 to [`crate::limits::TRANSFER_BYTES_MAX`].
    #[prost(uint64, tag = "2")]
    pub total_bytes: u64,
    /// SHA-256 of the whole (32 bytes). Another one under the same name begins anew.
    #[prost(bytes = "vec", tag = "3")]
    pub sha256: Vec<u8>,
}

/// The receiver has everything up to `durable_bytes` and takes so much more.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Grant {
    #[prost(bytes = "vec", tag = "1")]
    pub transfer_id: Vec<u8>,
    /// Stored for good: the next chunk begins here. The whole length: it is complete, its
    /// digest was right, and nothing more is said of it.
    #[prost(uint64, tag = "2")]
    pub durable_bytes: u64,
    /// What may be under way beyond `durable_bytes`; 0 means wait for another Grant.
    #[prost(uint32, tag = "3")]
    pub window_chunks: u32,
    #[prost(uint32, tag = "4")]
    pub window_bytes: u32,
    /// Microseconds between what this answers and this: the sender takes them off when it
    /// measures the line.
    #[prost(uint32, tag = "5")]
    pub held_us: u32,
}

/// A part of the whole.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Chunk {
    #[prost(bytes = "vec", tag = "1")]
    pub transfer_id: Vec<u8>,
    /// Where it belongs; contiguous with what was sent before.
    #[prost(uint64, tag = "2")]
    pub offset: u64,
    /// [`crate::limits::CHUNK_BYTES_MIN`] (the last one: 1) to
    /// [`crate::limits::CHUNK_BYTES_MAX`] bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub bytes: Vec<u8>,
    /// It reaches the end.
    #[prost(bool, tag = "4")]
    pub is_last: bool,
}

/// Nothing more comes, or is taken, of this transfer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Stop {
    #[prost(bytes = "vec", tag = "1")]
    pub transfer_id: Vec<u8>,
    /// Machine word: `cancelled`, `deadline-passed`, or one of those that begin with
    /// `transfer-`.
    #[prost(string, tag = "2")]
    pub reason: String,
}
