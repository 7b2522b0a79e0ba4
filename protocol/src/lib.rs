//! What the shop gateway and the cloud say to each other: types and codec only.
//!
//! No I/O, no clock, no randomness lives here. One binary WebSocket message is
//! one [`frame::Frame`]; a frame is protobuf. A tag is never used twice, unknown
//! fields are skipped, and the golden bytes of every released version stay in
//! `golden/`.
//!
//! Read in this order: [`frame`] (the envelope), [`hello`] (how a session
//! begins and resumes), [`event`] (shop to cloud), [`command`] (cloud to shop),
//! [`document`] (what a receipt says), [`bulk`] (what is too large for a frame),
//! [`close`] (why a session ends),
//! [`enrol`] (how a gateway gets its name), [`rotate`] (how it changes its key),
//! [`words`] (how the shop explains itself), [`clock`] and [`iclock`] (what a clock means, and
//! those that call by themselves),
//! [`limits`] (every bound).

pub mod bulk;
pub mod clock;
pub mod close;
pub mod command;
pub mod document;
pub mod enrol;
pub mod event;
pub mod fingerprint;
pub mod frame;
pub mod hello;
pub mod iclock;
pub mod limits;
pub mod rotate;
pub mod words;

/// The newest protocol version this build speaks.
///
/// - 1: first release. Hello/Welcome with epochs both ways, windows in messages
///   and bytes, cumulative acks, commands with class and deadline.
/// - 2: transfers in chunks with credits of their own ([`bulk`]), and the command that
///   asks for diagnostics.
pub const VERSION_MAX: u32 = 2;

/// The oldest protocol version this build still speaks.
pub const VERSION_MIN: u32 = 1;

/// The first version with [`bulk`].
pub const VERSION_BULK: u32 = 2;

/// The WebSocket subprotocol offered and required on `/gateway/v1`.
pub const SUBPROTOCOL: &str = "fournil.gateway.v1";

/// What the cloud says, with HTTP 403, to a gateway that brings no client certificate where
/// one is required.
pub const CERTIFICATE_NEEDED: &str = "a client certificate is needed here";

/// The versions one end speaks, without a gap. An end may speak fewer than its build does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub min: u32,
    pub max: u32,
}

impl Versions {
    /// All that this build speaks.
    pub const BUILT: Self = Self { min: VERSION_MIN, max: VERSION_MAX };

    /// One version only.
    #[must_use]
    pub const fn only(version: u32) -> Self {
        Self { min: version, max: version }
    }

    /// The highest version that both sides speak, or `None` when there is none.
    #[must_use]
    pub fn highest_common(self, peer: Self) -> Option<u32> {
        let highest = self.max.min(peer.max);
        (highest >= self.min && highest >= peer.min).then_some(highest)
    }

    /// Whether this end speaks a version.
    #[must_use]
    pub const fn speaks(self, version: u32) -> bool {
        self.min <= version && version <= self.max
    }
}

/// The highest version both this build and a peer speak, or `None` when there is none.
#[must_use]
pub fn common_version(peer_min: u32, peer_max: u32) -> Option<u32> {
    Versions::BUILT.highest_common(Versions { min: peer_min, max: peer_max })
}
