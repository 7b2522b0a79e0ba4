//! How one record lies in a segment: pure functions over bytes, no I/O.
//!
//! `len u32 | crc32c u32 | kind u8 | seq u64 | prev 16 bytes | payload`, little
//! endian. `len` counts from `kind` to the end, the CRC covers `len` and all that
//! follows the CRC. `prev` is the head of the SHA-256 of the record before. A
//! length is believed only after it has been held against the bytes that are there.

use ring::digest::{SHA256, digest};

pub(super) type Hash = [u8; 32];

/// The hash "before" the first record of a journal.
pub(super) const NO_HASH: Hash = [0; 32];
/// Bytes of a record besides its payload.
pub(super) const OVERHEAD: usize = LEN + CRC + BODY_MIN;

const LEN: usize = 4;
const CRC: usize = 4;
const PREV: usize = 16;
const BODY_MIN: usize = 1 + 8 + PREV;
/// Set in `kind` on the first record after an fsync: its presence proves that
/// everything before it was durable.
const STARTS_UNIT: u8 = 0x80;

/// One record as found in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    pub(super) starts_unit: bool,
    pub(super) seq: u64,
    pub(super) prev: &'a [u8],
    pub(super) payload: &'a [u8],
    /// The whole record, which is what its hash is made of.
    pub(super) bytes: &'a [u8],
}

impl Frame<'_> {
    pub(super) fn hash(&self) -> Hash {
        hash(self.bytes)
    }

    pub(super) fn follows(&self, hash: &Hash) -> bool {
        hash.starts_with(self.prev)
    }
}

/// What stands at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    Frame(Frame<'a>),
    /// Nothing was ever written from here on (zeros, or the end of the bytes).
    Unused,
    /// Something stands here and it is not a whole record.
    Bad,
}

/// Appends one record and gives its hash.
pub(super) fn write(
    out: &mut Vec<u8>,
    kind: u8,
    starts_unit: bool,
    seq: u64,
    prev: &Hash,
    payload: &[u8],
) -> Hash {
    let start = out.len();
    let length = u32::try_from(BODY_MIN + payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    let kind = if starts_unit { kind | STARTS_UNIT } else { kind };
    let mut body = Vec::with_capacity(BODY_MIN + payload.len());
    body.push(kind);
    body.extend_from_slice(&seq.to_le_bytes());
    body.extend(prev.iter().take(PREV));
    body.extend_from_slice(payload);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&length), &body);
    out.extend_from_slice(&length);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&body);
    hash(out.get(start..).unwrap_or_default())
}

/// Reads the record at `offset`.
pub(super) fn parse(bytes: &[u8], offset: usize) -> Parsed<'_> {
    let rest = bytes.get(offset..).unwrap_or_default();
    match split(rest) {
        Some(frame) => Parsed::Frame(frame),
        None if rest.iter().all(|byte| *byte == 0) => Parsed::Unused,
        None => Parsed::Bad,
    }
}

/// The bytes a record at the head of `rest` claims to need, so that a reader of
/// chunks knows whether to read on.
pub(super) fn claimed_bytes(rest: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(*rest.first_chunk::<LEN>()?);
    Some(usize::try_from(length).ok()?.saturating_add(LEN + CRC))
}

/// Where the next whole record with a sequence from `seq_min` on begins.
pub(super) fn find_next(bytes: &[u8], from: usize, seq_min: u64) -> Option<usize> {
    (from..bytes.len().saturating_sub(OVERHEAD - 1)).find(|offset| {
        let rest = bytes.get(*offset..).unwrap_or_default();
        // The cheap questions first: hashing every offset would take seconds.
        peek_seq(rest).is_some_and(|seq| seq >= seq_min) && split(rest).is_some()
    })
}

/// True when a record that began after an fsync stands anywhere from `from` on, which
/// proves that what stands before it had reached the disk.
pub(super) fn later_unit_exists(bytes: &[u8], from: usize, seq_min: u64) -> bool {
    let mut offset = from;
    while let Some(found) = find_next(bytes, offset, seq_min) {
        let Parsed::Frame(frame) = parse(bytes, found) else { return false };
        if frame.starts_unit {
            return true;
        }
        offset = found + frame.bytes.len();
    }
    false
}

fn split(rest: &[u8]) -> Option<Frame<'_>> {
    let bytes = rest.get(..claimed_bytes(rest)?)?;
    let (length, after) = bytes.split_first_chunk::<LEN>()?;
    let (crc, body) = after.split_first_chunk::<CRC>()?;
    let (kind, tail) = body.split_first()?;
    let (seq, tail) = tail.split_first_chunk::<8>()?;
    let (prev, payload) = tail.split_at_checked(PREV)?;
    let computed = crc32c::crc32c_append(crc32c::crc32c(length), body);
    if computed != u32::from_le_bytes(*crc) {
        return None;
    }
    Some(Frame {
        kind: kind & !STARTS_UNIT,
        starts_unit: kind & STARTS_UNIT != 0,
        seq: u64::from_le_bytes(*seq),
        prev,
        payload,
        bytes,
    })
}

fn peek_seq(rest: &[u8]) -> Option<u64> {
    if claimed_bytes(rest)? > rest.len() {
        return None;
    }
    Some(u64::from_le_bytes(*rest.get(LEN + CRC + 1..)?.first_chunk()?))
}

fn hash(bytes: &[u8]) -> Hash {
    let digest = digest(&SHA256, bytes);
    digest.as_ref().first_chunk().copied().unwrap_or(NO_HASH)
}
