//! The journal without threads: stage records, commit them, rotate, survive a full or
//! failing disk. One owner, plain calls, so that every crash can be played in a test.
//!
//! Records are staged into memory and into [`State`] at once; [`Engine::commit`]
//! makes them durable with one write and one fdatasync. Nobody is answered before.
//! When a commit cannot be saved the engine is *failed*: it knows more than the
//! disk, so it reads the folder again before it does anything else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::age::Age;
use super::config::JournalConfig;
use super::disk::{Disk, is_full, zero_from};
use super::framing::{self, Hash, Parsed, parse};
use super::notice::{Losses, OwnNotice};
use super::record::Record;
use super::segment::{Segment, head_bytes};
use super::state::State;
use super::time::TimeSource;
use super::uplog::Place;
use super::{JournalError, Outcome};
use crate::seam::RecordError;

const RESERVE_NAME: &str = "reserve";
/// Attempts to move an unsynced tail to a fresh segment before the commit is given up.
const RESCUES_MAX: u32 = 3;
/// Segments begun for one record: each may have filled with what an old one kept alive.
const ROTATIONS_MAX: usize = 8;
/// Staged bytes after which a commit is due whatever else is queued.
pub(super) const TAIL_BYTES_MAX: usize = 256 * 1024;

/// How much a record matters when the disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Facts and new commands: refused while the reserve is used up.
    Ordinary,
    /// Begun, settled, acknowledged: may use the reserve.
    Vital,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) folder: PathBuf,
    pub(super) config: JournalConfig,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) time: TimeSource,
    pub(super) state: State,
    /// Oldest first; the last one is written to.
    pub(super) segments: Vec<Segment>,
    pub(super) next_seq: u64,
    pub(super) chain: Hash,
    synced: Synced,
    /// Records staged since the last fsync, as they will stand on disk.
    tail: Vec<u8>,
    /// Bytes of `tail` that were written and not synced.
    tail_written: usize,
    /// Facts about the journal that wait to be told to the cloud.
    pub(super) notices: Vec<OwnNotice>,
    pub(super) losses: Losses,
    pub(super) has_reserve: bool,
    /// An old segment is being emptied into the newest: not begun again meanwhile.
    pub(super) is_emptying: bool,
    pub(super) failed: Option<String>,
}

/// What is certainly on disk.
#[derive(Debug, Clone, Copy)]
struct Synced {
    /// End of the durable records in the newest segment.
    offset: u64,
    next_seq: u64,
    chain: Hash,
}

/// What the folder gave at start.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) state: State,
    pub(super) segments: Vec<Segment>,
    pub(super) next_seq: u64,
    pub(super) chain: Hash,
    /// End of the newest segment, or `None` when a new one must be made.
    pub(super) end: Option<u64>,
}

impl Engine {
    /// Puts an engine on what was found; makes the first segment and the reserve.
    pub(super) fn on(
        folder: &Path,
        config: JournalConfig,
        disk: Arc<dyn Disk>,
        time: TimeSource,
        found: Found,
    ) -> Result<Self, JournalError> {
        let Found { state, segments, next_seq, chain, end } = found;
        let synced = Synced { offset: end.unwrap_or(config.segment_bytes), next_seq, chain };
        let mut engine = Self {
            folder: folder.to_owned(),
            config,
            disk,
            time,
            state,
            segments,
            next_seq,
            chain,
            synced,
            tail: Vec::new(),
            tail_written: 0,
            notices: Vec::new(),
            losses: Losses::default(),
            has_reserve: folder.join(RESERVE_NAME).exists(),
            is_emptying: false,
            failed: None,
        };
        if end.is_none() {
            engine.open_segment(Need::Vital).map_err(|source| JournalError::Io {
                what: "make a segment in",
                path: folder.to_owned(),
                source,
            })?;
        }
        engine.ensure_reserve();
        Ok(engine)
    }

    /// Adds one record to the open unit; durable after the next [`Self::commit`].
    pub(super) fn stage(
        &mut self,
        record: impl Into<Record>,
        need: Need,
    ) -> Result<Place, RecordError> {
        let record = record.into();
        let bytes = record.frame_bytes();
        self.ensure_room(bytes, need)?;
        let place = Place { segment: self.newest_number(), offset: self.position() };
        let starts_unit = self.tail.is_empty();
        let seq = self.next_seq;
        let payload = record.payload();
        self.chain =
            framing::write(&mut self.tail, record.kind(), starts_unit, seq, &self.chain, &payload);
        self.next_seq += 1;
        self.state.apply(&record, seq, place, bytes);
        Ok(place)
    }

    /// Sees to it that records of `bytes` in all find room in one segment.
    pub(super) fn ensure_room(&mut self, bytes: usize, need: Need) -> Result<(), RecordError> {
        self.check_alive()?;
        // The head of a segment takes less than 256 bytes.
        if bytes as u64 + 256 > self.config.segment_bytes {
            let text = format!("a record of {bytes} bytes does not fit in a segment");
            return Err(RecordError::Broken(text));
        }
        if need == Need::Ordinary
            && !self.has_reserve
            && !self.ensure_reserve()
            && !self.give_up_copies()
        {
            return Err(self.disk_full());
        }
        for _ in 0..ROTATIONS_MAX {
            if self.position() + bytes as u64 <= self.config.segment_bytes {
                break;
            }
            self.commit()?;
            self.rotate(need)?;
        }
        if self.position() + bytes as u64 > self.config.segment_bytes {
            return Err(self.disk_full());
        }
        if self.tail.len() + bytes > TAIL_BYTES_MAX {
            self.commit()?;
        }
        Ok(())
    }

    /// Makes everything staged durable: one write, one fdatasync.
    pub(super) fn commit(&mut self) -> Outcome {
        self.check_alive()?;
        if self.tail.is_empty() {
            return Ok(());
        }
        let written = self.write_tail().and_then(|()| self.sync_newest());
        match written {
            Ok(()) => {
                self.mark_synced(self.position());
                Ok(())
            }
            Err(error) => self.rescue(&error),
        }
    }

    /// Hands what is staged to the system without waiting for the disk: it survives a
    /// crash of the daemon, not of the machine.
    pub(super) fn flush(&mut self) -> Outcome {
        self.check_alive()?;
        match self.write_tail() {
            Ok(()) => Ok(()),
            Err(error) => self.rescue(&error),
        }
    }

    /// Shows that the disk still takes what it is given.
    pub(super) fn probe(&mut self) -> Outcome {
        self.commit()?;
        match self.sync_newest() {
            Ok(()) => Ok(()),
            Err(error) => self.rescue(&error),
        }
    }

    /// Whether the cloud has confirmed every event.
    pub(super) fn confirmed(&self) -> Outcome {
        match self.state.up.last.saturating_sub(self.state.up.acked) {
            0 => Ok(()),
            open => Err(RecordError::Unconfirmed(open)),
        }
    }

    /// The journal's age now.
    pub(super) fn age(&self) -> Age {
        self.state.age.at(&self.time)
    }

    /// True while something staged is not synced.
    pub(super) fn has_staged(&self) -> bool {
        !self.tail.is_empty()
    }

    /// Bytes of records in the newest segment, staged ones included.
    pub(super) fn position(&self) -> u64 {
        self.synced.offset + self.tail.len() as u64
    }

    /// End of what is certainly on disk in the newest segment.
    #[cfg(test)]
    pub(super) fn synced_offset(&self) -> u64 {
        self.synced.offset
    }

    pub(super) fn newest_number(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.number)
    }

    pub(super) fn segment(&self, number: u64) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.number == number)
    }

    fn check_alive(&self) -> Outcome {
        match &self.failed {
            Some(reason) => Err(RecordError::Broken(reason.clone())),
            None => Ok(()),
        }
    }

    fn write_tail(&mut self) -> std::io::Result<()> {
        let (Some(newest), Some(bytes)) =
            (self.segments.last(), self.tail.get(self.tail_written..))
        else {
            return Ok(());
        };
        let offset = self.synced.offset + self.tail_written as u64;
        self.disk.write_at(&newest.file, bytes, offset)?;
        self.tail_written = self.tail.len();
        Ok(())
    }

    fn sync_newest(&self) -> std::io::Result<()> {
        self.segments.last().map_or(Ok(()), |newest| self.disk.sync(&newest.file))
    }

    fn mark_synced(&mut self, offset: u64) {
        self.synced = Synced { offset, next_seq: self.next_seq, chain: self.chain };
        self.tail.clear();
        self.tail_written = 0;
    }

    /// The newest segment is full: begins another. Nothing is staged at this moment.
    fn rotate(&mut self, need: Need) -> Outcome {
        let made = self.open_segment(need);
        match made {
            Ok(()) => {
                self.ensure_reserve();
                Ok(())
            }
            Err(error) if is_full(&error) && self.swap_oldest() => Ok(()),
            Err(error) if is_full(&error) => Err(self.disk_full()),
            Err(error) => Err(RecordError::Broken(format!(
                "a new segment in {} cannot be made: {error}",
                self.folder.display()
            ))),
        }
    }

    /// Makes the next segment, with the staged tail (after a failed write) behind its
    /// head, in one durable step.
    fn open_segment(&mut self, need: Need) -> std::io::Result<()> {
        let number = self.newest_number() + 1;
        let now_ms = self.time.wall_ms();
        let age = self.age();
        let head = self.state.head(number, self.synced.next_seq, now_ms, age);
        let mut content = head_bytes(head, &self.synced.chain);
        let head_end = content.len() as u64;
        content.extend_from_slice(&self.tail);
        let path = Segment::path_in(&self.folder, number);
        let bytes = self.config.segment_bytes;
        let file = match self.disk.create(&path, &content, bytes) {
            Err(error) if is_full(&error) && self.release_reserve(need) => {
                self.disk.create(&path, &content, bytes)?
            }
            made => made?,
        };
        if let Some(closed) = self.segments.last_mut() {
            closed.closed_at_ms = Some(age.lived_ms);
        }
        let segment = Segment { number, path, file, bytes, is_bad: false, closed_at_ms: None };
        let from = Place { segment: self.newest_number(), offset: self.synced.offset };
        self.segments.push(segment);
        self.move_tail(from, Place { segment: number, offset: head_end });
        self.mark_synced(content.len() as u64);
        Ok(())
    }

    /// A write or fsync failed. What the kernel kept of those pages is anybody's guess,
    /// and a second fsync may report success without writing: the segment is left as
    /// it is, and the unsynced tail goes to a new one from memory.
    fn rescue(&mut self, cause: &std::io::Error) -> Outcome {
        let abandoned = self.newest_number();
        let (mut last, mut is_space_out) = (cause.to_string(), false);
        for _ in 0..RESCUES_MAX {
            match self.open_segment(Need::Vital) {
                Ok(()) => {
                    tracing::warn!(journal.segment = abandoned, error = %cause,
                        "segment abandoned after a write error");
                    self.note(OwnNotice::write_error(abandoned, cause));
                    return Ok(());
                }
                Err(error) => (last, is_space_out) = (error.to_string(), is_full(&error)),
            }
        }
        let reason = format!("writing to {} failed: {last}", self.folder.display());
        tracing::error!(
            error = %last,
            folder = %self.folder.display(),
            "le journal ne peut plus écrire et rien n'est fait sans lui : libérez de la place \
             (df -h) ou vérifiez le disque (dmesg)"
        );
        self.failed = Some(reason.clone());
        Err(if is_space_out { RecordError::Full(reason) } else { RecordError::Broken(reason) })
    }

    /// The staged records now stand elsewhere: mends their places.
    fn move_tail(&mut self, from: Place, to: Place) {
        if self.tail.is_empty() {
            return;
        }
        self.state.move_commands(from, to);
        let mut events = Vec::new();
        let mut at = 0;
        while let Parsed::Frame(frame) = parse(&self.tail, at) {
            if let Ok(Some(Record::EventWritten(event))) = Record::decode(frame.kind, frame.payload)
            {
                events.push((event.up_seq, at as u64, frame.bytes.len() as u64));
            }
            at += frame.bytes.len();
        }
        let Some((first, ..)) = events.first().copied() else { return };
        self.state.up.take_back(first, events.iter().map(|(_, _, bytes)| bytes).sum());
        for (seq, offset, bytes) in events {
            let place = Place { segment: to.segment, offset: to.offset + offset };
            self.state.up.add(seq, place, bytes);
        }
    }

    pub(super) fn disk_full(&mut self) -> RecordError {
        self.losses.refused += 1;
        RecordError::Full(format!("no space left for {}; free some", self.folder.display()))
    }

    /// Gives the reserve back to the disk. True when there is room to try again.
    fn release_reserve(&mut self, need: Need) -> bool {
        if self.release_oldest_acked() {
            return true;
        }
        if need == Need::Ordinary || !self.has_reserve {
            return false;
        }
        self.has_reserve = false;
        tracing::error!(
            folder = %self.folder.display(),
            "disque plein : le journal entame sa réserve, et les pointages et nouvelles commandes \
             attendent. Libérez de la place (df -h, journalctl --vacuum-size=100M) ; tout reprend \
             de lui-même"
        );
        self.disk.remove(&self.folder.join(RESERVE_NAME)).is_ok()
    }

    /// The disk is full and the oldest segment is a copy of what the cloud has, but for a
    /// few live records. The reserve lends the room to begin a segment, these go into it,
    /// and what they leave behind pays the reserve back.
    fn swap_oldest(&mut self) -> bool {
        if self.is_emptying || !self.has_reserve || !self.has_copies() {
            return false;
        }
        self.has_reserve = false;
        let is_lent = self.disk.remove(&self.folder.join(RESERVE_NAME)).is_ok();
        is_lent && self.open_segment(Need::Vital).is_ok() && self.give_up_copies()
    }

    /// Makes the reserve again when there is room for it.
    pub(super) fn ensure_reserve(&mut self) -> bool {
        if !self.has_reserve {
            let path = self.folder.join(RESERVE_NAME);
            self.has_reserve = self.disk.create(&path, &[], self.config.reserve_bytes).is_ok();
        }
        self.has_reserve
    }
}

/// Puts durable zeros on `[from, end)`, so that what a torn write left there is never
/// taken for a record later.
pub(super) fn wipe(disk: &dyn Disk, segment: &Segment, from: u64, end: u64) -> std::io::Result<()> {
    zero_from(disk, &segment.file, from, end)?;
    disk.sync(&segment.file)
}
