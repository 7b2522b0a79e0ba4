//! How the tunnel fares, for `status`, for the watchdog and for whoever asks.

use serde::{Deserialize, Serialize};

/// What the tunnel is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    #[default]
    Connecting,
    Connected,
    /// Between tries; `next_try_ms` says until when.
    Waiting,
}

/// A picture of the tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TunnelState {
    pub phase: Phase,
    /// `https://host[:port]`.
    pub server: String,
    /// When the phase began, Unix milliseconds.
    pub since_ms: i64,
    /// When the next try comes, Unix milliseconds, while waiting.
    pub next_try_ms: Option<i64>,
    /// Why the last try or session ended.
    pub last_fault: Option<String>,
    /// Sessions since the daemon began.
    pub sessions: u64,
    /// The cloud suspects a clone or is about to stop.
    pub is_restricted: bool,
    /// Cloud time minus wall time.
    pub cloud_offset_ms: Option<i64>,
    pub round_trip_ms: Option<i64>,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// How often the cloud asked for another key, and how often it did not know ours.
    #[serde(default)]
    pub rotations_asked: u64,
    #[serde(default)]
    pub keys_refused: u64,
    /// When the first certificate of the chain the cloud showed ends, Unix milliseconds.
    #[serde(default)]
    pub certificate_until_ms: Option<i64>,
}
