//! How a session begins: challenge, proof of identity, and where each log resumes.
//!
//! Two durable logs per gateway, up (events) and down (commands). Each has a
//! random epoch, made when the log is created, and a contiguous sequence from 1.
//! Hello and Welcome exchange the heads; afterwards each side sends exactly what
//! the other misses, never partially, never silently.

use prost::Message;

/// First frame, from the cloud.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Challenge {
    /// [`crate::limits::NONCE_BYTES`] random bytes, fresh for this connection.
    #[prost(bytes = "vec", tag = "1")]
    pub nonce: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub version_min: u32,
    #[prost(uint32, tag = "3")]
    pub version_max: u32,
    /// The cloud's wall clock, Unix milliseconds.
    #[prost(int64, tag = "4")]
    pub server_time_ms: i64,
}

/// The gateway's answer.
#[derive(Clone, PartialEq, Message)]
pub struct Hello {
    /// The version the gateway chose: the highest both speak.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// UUID in 16 bytes, given at enrolment.
    #[prost(bytes = "vec", tag = "2")]
    pub gateway_id: Vec<u8>,
    /// Ed25519 over [`signed_bytes`].
    #[prost(bytes = "vec", tag = "3")]
    pub signature: Vec<u8>,
    /// The server name the gateway dialled and verified by TLS.
    #[prost(string, tag = "4")]
    pub server_name: String,
    /// Durable counter, one more at each start of the daemon; a clone betrays itself by it.
    #[prost(uint64, tag = "5")]
    pub incarnation: u64,
    /// Random per boot of the machine (16 bytes).
    #[prost(bytes = "vec", tag = "6")]
    pub boot_id: Vec<u8>,
    #[prost(message, required, tag = "7")]
    pub up: UpHead,
    #[prost(message, required, tag = "8")]
    pub down: DownHead,
    /// Release of the gateway, such as `0.1.0`.
    #[prost(string, tag = "9")]
    pub software: String,
    /// The gateway's wall clock, Unix milliseconds, unadjusted.
    #[prost(int64, tag = "10")]
    pub wall_ms: i64,
    /// Commands the gateway is ready to hold unacknowledged, in number and bytes.
    #[prost(uint32, tag = "11")]
    pub down_window_commands: u32,
    #[prost(uint32, tag = "12")]
    pub down_window_bytes: u32,
}

/// Where the gateway's up log stands.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct UpHead {
    #[prost(fixed64, tag = "1")]
    pub epoch: u64,
    /// Oldest sequence still on the gateway's disk (1 in an empty log).
    #[prost(uint64, tag = "2")]
    pub first_kept: u64,
    /// Newest sequence written; 0 in an empty log.
    #[prost(uint64, tag = "3")]
    pub last: u64,
    /// SHA-256 of the newest event's bytes (32 bytes); empty when the log holds none. Two
    /// journals with another event at one place are copies that went separate ways.
    #[prost(bytes = "vec", tag = "4")]
    pub head_hash: Vec<u8>,
    /// What the gateway believes the cloud has committed.
    #[prost(uint64, tag = "5")]
    pub acked: u64,
}

/// Where the gateway stands in the cloud's down log.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct DownHead {
    /// 0 when the gateway never held a command.
    #[prost(fixed64, tag = "1")]
    pub epoch: u64,
    /// Newest command in the gateway's journal.
    #[prost(uint64, tag = "2")]
    pub durable: u64,
}

/// The cloud's agreement.
#[derive(Clone, PartialEq, Message)]
pub struct Welcome {
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Generation of this session; it grows with each accepted Hello and fences leases.
    #[prost(uint64, tag = "2")]
    pub session_generation: u64,
    /// The up epoch the cloud now follows.
    #[prost(fixed64, tag = "3")]
    pub up_epoch: u64,
    /// Everything up to here is committed: the gateway sends from the next one, and
    /// goes back when this is lower than what it saw acknowledged (restored cloud).
    #[prost(uint64, tag = "4")]
    pub up_durable: u64,
    #[prost(fixed64, tag = "5")]
    pub down_epoch: u64,
    /// The first command the cloud will send.
    #[prost(uint64, tag = "6")]
    pub down_resume_from: u64,
    #[prost(uint32, tag = "7")]
    pub heartbeat_ms: u32,
    #[prost(int64, tag = "8")]
    pub server_time_ms: i64,
    /// Events the gateway may send ahead of acknowledgement, in number and bytes.
    #[prost(uint32, tag = "9")]
    pub up_window_events: u32,
    #[prost(uint32, tag = "10")]
    pub up_window_bytes: u32,
    #[prost(enumeration = "Mode", tag = "11")]
    pub mode: i32,
    /// Transfers the cloud takes at a time; 0 (also from version 1) means none. Each has
    /// a window of its own, told by its Grants.
    #[prost(uint32, tag = "12")]
    pub transfers_max: u32,
}

/// What the cloud lets this session do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Mode {
    Normal = 0,
    /// Events are kept in quarantine and no command is sent: a clone is suspected.
    ReadOnly = 1,
    /// The cloud is about to stop; nothing new is leased.
    Draining = 2,
}

/// What stands for the nonce in the signature of an inquiry, so that it is no Hello's.
#[must_use]
pub fn inquiry_nonce(nonce: &[u8]) -> Vec<u8> {
    [nonce, b"inquiry"].concat()
}

/// The bytes a gateway signs: bound to the purpose, the version, the server it
/// verified, the fresh nonce and its own name, so no signature serves twice or elsewhere.
#[must_use]
pub fn signed_bytes(version: u32, server_name: &str, nonce: &[u8], gateway_id: &[u8]) -> Vec<u8> {
    let mut bytes = b"fournil gateway session\0".to_vec();
    bytes.extend_from_slice(&version.to_be_bytes());
    for part in [server_name.as_bytes(), nonce, gateway_id] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}
