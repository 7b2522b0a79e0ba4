//! Every bound of the wire, units in the names. Checked before anything is allocated.

/// One frame, that is one WebSocket message.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// One event or command, once its chunks are put together.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// One print job in printer bytes.
pub const JOB_BYTES_MAX: usize = 8 * 1024 * 1024;
/// One encoded event; leaves room for the frame around it.
pub const EVENT_BYTES_MAX: usize = 32 * 1024;
/// One encoded command; leaves room for the frame around it.
pub const COMMAND_BYTES_MAX: usize = 48 * 1024;
/// Events in one frame.
pub const EVENTS_PER_FRAME_MAX: usize = 256;
/// Commands in one frame.
pub const COMMANDS_PER_FRAME_MAX: usize = 32;
/// Events the gateway may have sent and not yet seen acknowledged.
pub const UP_WINDOW_EVENTS: u32 = 256;
/// The same bound in bytes of encoded events.
pub const UP_WINDOW_BYTES: u32 = 256 * 1024;
/// Commands the cloud may have sent and not yet seen acknowledged.
pub const DOWN_WINDOW_COMMANDS: u32 = 32;
/// The same bound in bytes of encoded commands.
pub const DOWN_WINDOW_BYTES: u32 = 1024 * 1024;
/// One part of a transfer. Senders keep below it on thin lines.
pub const CHUNK_BYTES_MAX: usize = 16 * 1024;
/// A part that is not the last of its transfer has at least so many, so that a transfer has
/// a bounded number of parts.
pub const CHUNK_BYTES_MIN: usize = 1024;
/// One transfer.
pub const TRANSFER_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Transfers of one gateway that are begun and not ended.
pub const TRANSFERS_OPEN_MAX: usize = 4;
/// Chunks of one transfer that may be under way, in number and bytes.
pub const BULK_WINDOW_CHUNKS: u32 = 4;
pub const BULK_WINDOW_BYTES: u32 = 64 * 1024;
/// A SHA-256.
pub const DIGEST_BYTES: usize = 32;
/// Random bytes of a challenge.
pub const NONCE_BYTES: usize = 32;
/// A command id or gateway id: a UUID in its 16 bytes.
pub const ID_BYTES: usize = 16;
/// An Ed25519 public key.
pub const PUBLIC_KEY_BYTES: usize = 32;
/// An Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;
/// How often the sides speak when they have nothing to say, unless the cloud asks otherwise.
pub const HEARTBEAT_MS_DEFAULT: u32 = 12_000;
/// Silence after which the peer counts as gone, in heartbeats times ten (2.5 heartbeats).
pub const DEAD_AFTER_TENTHS_OF_HEARTBEAT: u32 = 25;
/// Blocks of one printed document.
pub const DOCUMENT_BLOCKS_MAX: usize = 1_000;
/// The enrolment request's body.
pub const ENROL_BYTES_MAX: usize = 8 * 1024;
