//! Why a session ends. Two bands: below 4500 come back by the usual backoff, from
//! 4500 on the slow lane (minutes between tries), and never give up.

/// The node stops; another takes over.
pub const DRAIN: u16 = 4000;
/// A newer session of the same gateway took over.
pub const SUPERSEDED: u16 = 4001;
/// Nothing was heard for too long.
pub const HEARTBEAT_LOST: u16 = 4002;
/// The peer does not read.
pub const SLOW_CONSUMER: u16 = 4003;
/// The logs do not fit; begin again with Hello.
pub const RESYNC: u16 = 4004;
/// Too much at once; `retry_after_ms` says when.
pub const OVERLOAD: u16 = 4005;
/// A frame could not be read.
pub const MALFORMED: u16 = 4006;
/// The cloud cannot store now (database down).
pub const UNAVAILABLE: u16 = 4007;
/// The gateway should change its key and come back with the new one. A gateway that does
/// not know how simply comes back.
pub const ROTATE: u16 = 4020;

/// The gateway's key was revoked.
pub const REVOKED: u16 = 4500;
/// The gateway or its key is not known, or the signature is wrong.
pub const UNKNOWN_KEY: u16 = 4501;
/// Two machines use one identity.
pub const CLONE: u16 = 4502;
/// No common protocol version.
pub const VERSION: u16 = 4503;
/// The company's account is closed.
pub const SUSPENDED: u16 = 4504;

/// True when the gateway should take the slow lane.
#[must_use]
pub const fn is_slow_lane(code: u16) -> bool {
    code >= 4500
}
