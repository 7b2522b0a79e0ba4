//! Why a session ends. Two bands: below 4500 come back by the usual backoff, from
//! 4500 on the slow lane (minutes between tries), and never give up.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$doc])* pub const $name: u16 = $code;)*
        /// Every one, for the tests that look for its explanation.
        pub const ALL: &[u16] = &[$($name,)*];
    };
}
codes! {
    /// The node stops; another takes over.
    DRAIN = 4000;
    /// A newer session of the same gateway took over.
    SUPERSEDED = 4001;
    /// Nothing was heard for too long.
    HEARTBEAT_LOST = 4002;
    /// The peer does not read.
    SLOW_CONSUMER = 4003;
    /// The logs do not fit; begin again with Hello.
    RESYNC = 4004;
    /// Too much at once; `retry_after_ms` says when.
    OVERLOAD = 4005;
    /// A frame could not be read.
    MALFORMED = 4006;
    /// The cloud cannot store now (database down).
    UNAVAILABLE = 4007;
    /// The gateway should change its key and come back with the new one. A gateway that does
    /// not know how simply comes back.
    ROTATE = 4020;

    /// The gateway's key was revoked.
    REVOKED = 4500;
    /// The gateway or its key is not known, or the signature is wrong.
    UNKNOWN_KEY = 4501;
    /// Two machines use one identity.
    CLONE = 4502;
    /// No common protocol version.
    VERSION = 4503;
    /// The company's account is closed.
    SUSPENDED = 4504;
}

/// True when the gateway should take the slow lane.
#[must_use]
pub const fn is_slow_lane(code: u16) -> bool {
    code >= 4500
}
