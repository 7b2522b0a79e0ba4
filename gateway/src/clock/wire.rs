//! Frames of the clock's protocol, both directions: pure, no I/O, no time.
//!
//! A TCP frame is a 4-byte magic, a 32-bit length and a payload of command, checksum,
//! session, reply number and data; all integers are little-endian. The length is
//! checked before anything is allocated. The session field of an answer is not always
//! the session (events, states and data chunks put other things there), so nothing
//! here compares it. The simulated clock speaks through the same codec; independent
//! clients judge both.

use bytes::{Buf, BytesMut};

/// The port every clock listens on unless somebody changed it.
pub const PORT_DEFAULT: u16 = 4370;
/// Largest length field accepted. The largest frame known is 65,480 bytes.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// What stands before each payload on TCP.
pub const MAGIC: [u8; 4] = [0x50, 0x50, 0x82, 0x7d];
const PREFIX_BYTES: usize = 8;
const HEADER_BYTES: usize = 8;

/// Command and answer numbers.
pub mod code {
    /// Changes the clock: one user record.
    pub const USER_WRITE: u16 = 8;
    pub const USERS_READ: u16 = 9;
    pub const OPTION_READ: u16 = 11;
    pub const LOG_READ: u16 = 13;
    /// Changes the clock: its whole log of attendance is gone.
    pub const LOG_CLEAR: u16 = 15;
    /// The clock's log of what was done to it.
    pub const OPERATIONS_READ: u16 = 34;
    pub const SIZES: u16 = 50;
    pub const STATE: u16 = 64;
    /// How many letters a user id may have.
    pub const PIN_WIDTH: u16 = 69;
    pub const TIME_READ: u16 = 201;
    pub const TIME_SET: u16 = 202;
    /// From the client: which events to send. From the clock: an event.
    pub const EVENT: u16 = 500;
    pub const CONNECT: u16 = 1000;
    pub const EXIT: u16 = 1001;
    pub const ENABLE: u16 = 1002;
    pub const DISABLE: u16 = 1003;
    pub const REFRESH: u16 = 1013;
    pub const VERSION: u16 = 1100;
    pub const AUTH: u16 = 1102;
    pub const PREPARE_DATA: u16 = 1500;
    pub const DATA: u16 = 1501;
    pub const FREE_DATA: u16 = 1502;
    pub const BUFFER_PREPARE: u16 = 1503;
    pub const BUFFER_READ: u16 = 1504;
    pub const ACK_OK: u16 = 2000;
    pub const ACK_ERROR: u16 = 2001;
    pub const ACK_UNAUTH: u16 = 2005;
    pub const ACK_UNKNOWN: u16 = 65535;
}

/// Event code of a punch, and its bit in the mask of [`code::EVENT`].
pub const EVENT_PUNCH: u16 = 1;

/// Whether the gateway may send this command by itself or because it was asked. Reading,
/// plus enable, disable, refresh, setting the time and writing a user. What clears or deletes
/// is absent; emptying the log of attendance has its own way, which asks for a permit.
pub fn may_send(command: u16) -> bool {
    matches!(
        command,
        code::USER_WRITE
            | code::USERS_READ
            | code::OPTION_READ
            | code::LOG_READ
            | code::OPERATIONS_READ
            | code::SIZES
            | code::STATE
            | code::PIN_WIDTH
            | code::TIME_READ
            | code::TIME_SET
            | code::EVENT
            | code::CONNECT
            | code::EXIT
            | code::ENABLE
            | code::DISABLE
            | code::REFRESH
            | code::VERSION
            | code::AUTH
            | code::FREE_DATA
            | code::BUFFER_PREPARE
            | code::BUFFER_READ
            | code::ACK_OK
    )
}

/// Whether a request may be sent again under the same number when no answer came. Not what
/// answers with many frames, which two answers would mix; nor what would undo something newer.
pub fn may_repeat(command: u16) -> bool {
    !matches!(
        command,
        code::LOG_CLEAR
            | code::BUFFER_READ
            | code::USERS_READ
            | code::LOG_READ
            | code::OPERATIONS_READ
    )
}

/// One request, answer or event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub command: u16,
    /// Session, event code, state or chunk index, depending on the command.
    pub session: u16,
    pub reply: u16,
    pub data: Vec<u8>,
}

/// Why a stream or payload is not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("the bytes {0:02x?} do not begin a frame: something else listens on this port")]
    Magic([u8; 4]),
    #[error("a frame of {0} bytes was announced; 8 to {FRAME_BYTES_MAX} are possible")]
    Length(u32),
    #[error("the checksum of a frame is wrong (command {command})")]
    Checksum { command: u16 },
}

impl Frame {
    /// Header and data without the TCP prefix: what one UDP datagram carries.
    pub fn encode_payload(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(HEADER_BYTES + self.data.len());
        payload.extend_from_slice(&self.command.to_le_bytes());
        payload.extend_from_slice(&[0, 0]);
        payload.extend_from_slice(&self.session.to_le_bytes());
        payload.extend_from_slice(&self.reply.to_le_bytes());
        payload.extend_from_slice(&self.data);
        let sum = checksum(&payload).to_le_bytes();
        for (place, byte) in payload.iter_mut().skip(2).zip(sum) {
            *place = byte;
        }
        payload
    }

    /// The whole frame as it goes over TCP, to be written with one call.
    pub fn encode(&self) -> Vec<u8> {
        let payload = self.encode_payload();
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let mut frame = Vec::with_capacity(PREFIX_BYTES + payload.len());
        frame.extend_from_slice(&MAGIC);
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&payload);
        frame
    }

    /// Reads a payload (without TCP prefix) and verifies its checksum.
    pub fn decode_payload(payload: &[u8]) -> Result<Frame, WireError> {
        let too_short = || WireError::Length(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        let command = u16_at(payload, 0).ok_or_else(too_short)?;
        let session = u16_at(payload, 4).ok_or_else(too_short)?;
        let reply = u16_at(payload, 6).ok_or_else(too_short)?;
        if folded_sum(payload) != 0xffff {
            return Err(WireError::Checksum { command });
        }
        let data = payload.get(HEADER_BYTES..).unwrap_or_default().to_vec();
        Ok(Frame { command, session, reply, data })
    }
}

/// The one's complement sum of a payload whose checksum field is zero.
pub fn checksum(payload: &[u8]) -> u16 {
    !folded_sum(payload)
}

fn folded_sum(payload: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for word in payload.chunks(2) {
        let low = word.first().copied().unwrap_or_default();
        let high = word.get(1).copied().unwrap_or_default();
        sum += u32::from(u16::from_le_bytes([low, high]));
        // Folding each time keeps the sum in range whatever the length.
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Cuts frames out of a byte stream, however the stream was segmented.
///
/// After [`WireError::Checksum`] the bad frame has been skipped and reading may go
/// on; after the other errors the stream has no further meaning, because data may
/// contain the magic and a search for it could take data for a frame.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: BytesMut,
}

impl FrameReader {
    /// Where new bytes go. Bounded by the callers' taking every frame after each read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, `None` when more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, WireError> {
        let Some((prefix, rest)) = self.buffer.split_at_checked(PREFIX_BYTES) else {
            return Ok(None);
        };
        let (magic, length) = (u32_at(prefix, 0), u32_at(prefix, 4).unwrap_or_default());
        if magic != Some(u32::from_le_bytes(MAGIC)) {
            return Err(WireError::Magic(magic.unwrap_or_default().to_le_bytes()));
        }
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        if !(HEADER_BYTES..=FRAME_BYTES_MAX).contains(&bytes) {
            return Err(WireError::Length(length));
        }
        let Some(payload) = rest.get(..bytes) else {
            self.buffer.reserve(PREFIX_BYTES + bytes);
            return Ok(None);
        };
        let frame = Frame::decode_payload(payload);
        self.buffer.advance(PREFIX_BYTES + bytes);
        frame.map(Some)
    }
}

/// The reply number after `reply`; 65535 is never used.
pub fn next_reply(reply: u16) -> u16 {
    if reply >= 65_534 { 0 } else { reply + 1 }
}

/// Obscures a comm key for [`code::AUTH`]. This is not security: one look at the
/// wire gives the key back.
pub fn scramble_comm_key(key: u32, session: u16, tick: u8) -> [u8; 4] {
    let sum = key.reverse_bits().wrapping_add(u32::from(session));
    let [b0, b1, b2, b3] = sum.to_le_bytes();
    let [x0, x1, x2, x3] = [b0 ^ b'Z', b1 ^ b'K', b2 ^ b'S', b3 ^ b'O'];
    let [s0, s1, _, s3] = [x2, x3, x0, x1];
    [s0 ^ tick, s1 ^ tick, tick, s3 ^ tick]
}

/// Asks the clock to put a table into its buffer (data of [`code::BUFFER_PREPARE`]).
pub fn buffer_request(inner: u16, table: u32) -> Vec<u8> {
    let mut data = vec![1];
    data.extend_from_slice(&inner.to_le_bytes());
    data.extend_from_slice(&table.to_le_bytes());
    data.extend_from_slice(&[0; 4]);
    data
}

/// Asks for a part of the buffer (data of [`code::BUFFER_READ`]).
pub fn chunk_request(start: u32, bytes: u32) -> Vec<u8> {
    [start.to_le_bytes(), bytes.to_le_bytes()].concat()
}

/// The 16-bit integer at an offset, `None` past the end.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let part = bytes.get(at..at.checked_add(2)?)?;
    part.try_into().ok().map(u16::from_le_bytes)
}

/// The 32-bit integer at an offset, `None` past the end.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let part = bytes.get(at..at.checked_add(4)?)?;
    part.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
