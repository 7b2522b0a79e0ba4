//! Segment files: their names, their heads, and a walk over their records.
//!
//! A file is `NNNNNNNNNN.seg`, or `NNNNNNNNNN.seg.bad` once damage was found in it;
//! both are read. The walk changes nothing on disk: it tells what it saw, and the
//! engine decides.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::framing::{
    Frame, Hash, NO_HASH, Parsed, claimed_bytes, find_next, later_unit_exists, parse, write,
};
use super::record::{Record, SegmentHead};
use super::uplog::Place;

const SUFFIX: &str = ".seg";
const SUFFIX_BAD: &str = ".seg.bad";
/// Read at once when events are served.
const CHUNK_BYTES: usize = 64 * 1024;
/// What a disk fails to give at once; a head is much smaller.
const BLOCK_BYTES: usize = 4 * 1024;

/// One segment file, open.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) is_bad: bool,
    /// The journal's age when the next segment was begun; `None` for the newest.
    pub(super) closed_at_ms: Option<u64>,
}

impl Segment {
    pub(super) fn is_segment(name: &str) -> Option<(u64, bool)> {
        let (digits, is_bad) = match name.strip_suffix(SUFFIX_BAD) {
            Some(digits) => (digits, true),
            None => (name.strip_suffix(SUFFIX)?, false),
        };
        Some((digits.parse().ok()?, is_bad))
    }

    pub(super) fn path_in(folder: &Path, number: u64) -> PathBuf {
        folder.join(format!("{number:010}{SUFFIX}"))
    }

    pub(super) fn bad_path_in(folder: &Path, number: u64) -> PathBuf {
        folder.join(format!("{number:010}{SUFFIX_BAD}"))
    }

    /// Opens a file; for reading only when nothing may be changed.
    pub(super) fn open(path: PathBuf, number: u64, is_bad: bool, write: bool) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(write).open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { number, path, file, bytes, is_bad, closed_at_ms: None })
    }

    /// Reads the file. Blocks the disk cannot give come as zeros, which the walk takes for
    /// damage: a bad sector must not cost what stands around it.
    pub(super) fn read_all(&self) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.bytes).map_err(io::Error::other)?;
        if let Ok(bytes) = self.read_at(0, length) {
            return Ok(bytes);
        }
        let mut bytes = vec![0; length];
        for (index, block) in bytes.chunks_mut(BLOCK_BYTES).enumerate() {
            if let Ok(read) = self.read_at((index * BLOCK_BYTES) as u64, block.len()) {
                block.iter_mut().zip(read).for_each(|(to, from)| *to = from);
            }
        }
        Ok(bytes)
    }

    /// The head alone; `None` when it cannot be read.
    pub(super) fn read_head(&self) -> Option<SegmentHead> {
        let bytes = self.read_at(0, BLOCK_BYTES).ok()?;
        read_head(&bytes).map(|(head, _)| head)
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.file.read_at(room, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Reads the record at `offset`, checked.
    pub(super) fn read_record(&self, offset: u64) -> io::Result<Option<Record>> {
        let mut bytes = self.read_at(offset, CHUNK_BYTES)?;
        if let Some(claimed) = claimed_bytes(&bytes).filter(|claimed| *claimed > bytes.len()) {
            let room = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
            bytes = self.read_at(offset, claimed.min(room))?;
        }
        match parse(&bytes, 0) {
            Parsed::Frame(frame) => {
                Record::decode(frame.kind, frame.payload).map_err(io::Error::other)
            }
            Parsed::Unused | Parsed::Bad => Err(self.damaged(offset)),
        }
    }

    /// Walks whole records from `offset` on until `each` says stop, the written part
    /// ends, or damage is met. Says whether the walk ended at damage.
    pub(super) fn read_from(
        &self,
        offset: u64,
        mut each: impl FnMut(Record) -> bool,
    ) -> io::Result<()> {
        let mut base = offset;
        let mut want = CHUNK_BYTES;
        loop {
            let chunk = self.read_at(base, want)?;
            let mut at = 0;
            while let Parsed::Frame(frame) = parse(&chunk, at) {
                at += frame.bytes.len();
                let record = Record::decode(frame.kind, frame.payload).map_err(io::Error::other)?;
                if record.is_some_and(|record| !each(record)) {
                    return Ok(());
                }
            }
            let rest = chunk.get(at..).unwrap_or_default();
            let claimed = claimed_bytes(rest).unwrap_or(0);
            let at_end = base + chunk.len() as u64 >= self.bytes;
            if rest.iter().all(|byte| *byte == 0) && (at_end || rest.len() >= 4) {
                return Ok(());
            }
            if at_end || claimed <= rest.len() && rest.len() >= 4 {
                return Err(self.damaged(base + at as u64));
            }
            base += at as u64;
            want = CHUNK_BYTES.max(claimed.min(usize::try_from(self.bytes).unwrap_or(claimed)));
        }
    }

    fn damaged(&self, offset: u64) -> io::Error {
        let text = format!("{}: damaged record at offset {offset}", self.path.display());
        io::Error::new(io::ErrorKind::InvalidData, text)
    }
}

/// The bytes of a new segment's head.
pub(super) fn head_bytes(mut head: SegmentHead, chain: &Hash) -> Vec<u8> {
    head.chain = chain.to_vec();
    let seq = head.first_seq;
    let record = Record::from(head);
    let mut bytes = Vec::new();
    write(&mut bytes, record.kind(), true, seq, chain, &record.payload());
    bytes
}

/// Reads a segment's head and gives it with its length.
pub(super) fn read_head(bytes: &[u8]) -> Option<(SegmentHead, usize)> {
    let Parsed::Frame(frame) = parse(bytes, 0) else { return None };
    match Record::decode(frame.kind, frame.payload).ok()?? {
        Record::SegmentHead(head) => Some((head, frame.bytes.len())),
        _ => None,
    }
}

/// Where a walk over several segments stands.
#[derive(Debug)]
pub(super) struct Cursor {
    /// The sequence that must come next.
    pub(super) next_seq: u64,
    /// Hash of the last record seen.
    pub(super) hash: Hash,
    /// False right after a gap: the next record's predecessor is not known.
    pub(super) is_chained: bool,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { next_seq: 1, hash: NO_HASH, is_chained: false }
    }
}

/// What a walk meets.
#[derive(Debug)]
pub(super) enum Met<'a> {
    Record {
        record: Record,
        frame: Frame<'a>,
        place: Place,
    },
    /// Records are missing here; the text says what was found in their place.
    Damage {
        text: String,
        lost_records: bool,
    },
}

/// How a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// The first byte that belongs to no good record.
    pub(super) offset: u64,
    /// Bytes of a write that never finished stand behind it.
    pub(super) is_torn: bool,
}

/// One segment to walk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) number: u64,
    pub(super) bytes: &'a [u8],
    /// Where the first record stands, behind the head.
    pub(super) start: usize,
    /// First sequence of the next segment; what stands here from it on is void.
    pub(super) until: Option<u64>,
    /// The newest segment: the only one whose tail may be torn.
    pub(super) is_last: bool,
}

impl Walk<'_> {
    /// Tells `each` what stands in the segment, in order.
    pub(super) fn run(self, cursor: &mut Cursor, mut each: impl FnMut(Met<'_>)) -> End {
        let mut offset = self.start;
        loop {
            if self.until.is_some_and(|until| cursor.next_seq >= until) {
                return End { offset: offset as u64, is_torn: false };
            }
            match parse(self.bytes, offset) {
                Parsed::Frame(frame) if frame.seq == cursor.next_seq => {
                    self.meet(cursor, frame, offset, &mut each);
                    offset += frame.bytes.len();
                }
                Parsed::Unused if self.is_last || self.until.is_none() => {
                    return End { offset: offset as u64, is_torn: false };
                }
                Parsed::Frame(_) | Parsed::Unused | Parsed::Bad => {
                    match self.skip(cursor, offset, &mut each) {
                        Ok(next) => offset = next,
                        Err(end) => return end,
                    }
                }
            }
        }
    }

    fn meet(
        self,
        cursor: &mut Cursor,
        frame: Frame<'_>,
        offset: usize,
        each: &mut impl FnMut(Met<'_>),
    ) {
        let place = Place { segment: self.number, offset: offset as u64 };
        if cursor.is_chained && !frame.follows(&cursor.hash) {
            let text = format!("record {} does not follow the one before it", frame.seq);
            each(Met::Damage { text, lost_records: false });
        }
        cursor.next_seq = frame.seq + 1;
        cursor.hash = frame.hash();
        cursor.is_chained = true;
        match Record::decode(frame.kind, frame.payload) {
            Ok(Some(record)) => each(Met::Record { record, frame, place }),
            // Written by a newer build: kept, not understood.
            Ok(None) => {}
            Err(_) => {
                let text = format!("record {} cannot be decoded", frame.seq);
                each(Met::Damage { text, lost_records: true });
            }
        }
    }

    /// Something other than the next record stands at `offset`: a torn tail, or damage
    /// with perhaps more records behind it.
    fn skip(
        self,
        cursor: &mut Cursor,
        offset: usize,
        each: &mut impl FnMut(Met<'_>),
    ) -> Result<usize, End> {
        let seq_min = cursor.next_seq;
        let end = End { offset: offset as u64, is_torn: self.is_last };
        if self.is_last && !later_unit_exists(self.bytes, offset, seq_min) {
            return Err(end);
        }
        let found = find_next(self.bytes, offset, seq_min);
        let text = format!("no good record {seq_min} at offset {offset}");
        each(Met::Damage { text, lost_records: true });
        cursor.is_chained = false;
        match (found.map(|found| (found, parse(self.bytes, found))), self.until) {
            (Some((_, Parsed::Frame(frame))), Some(until)) if frame.seq >= until => {
                cursor.next_seq = until;
                Err(End { is_torn: false, ..end })
            }
            (Some((found, Parsed::Frame(frame))), _) => {
                cursor.next_seq = frame.seq;
                Ok(found)
            }
            (_, until) => {
                // Told already: the next segment is not to blame for what is missing.
                cursor.next_seq = until.unwrap_or(cursor.next_seq);
                Err(End { is_torn: false, ..end })
            }
        }
    }
}
