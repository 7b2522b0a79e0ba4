//! The up log as the tunnel sees it: heads, runs of events, acknowledgements, rewind,
//! and a new epoch when events were lost.

use fournil_protocol::hello::UpHead;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use super::engine::{Engine, Need};
use super::notice::OwnNotice;
use super::record::{EventWritten, Record, UpAcked, UpEpochCarried, UpEpochRenewed, with_seq};
use super::uplog::UpLog;
use super::{EventRun, Outcome, UpError};
use crate::seam::RecordError;

/// Events taken over at once when the epoch is renewed.
const CARRY_EVENTS: usize = 256;
const CARRY_BYTES: usize = 256 * 1024;
/// An event that is taken over is longer by its new sequence.
const CARRIED_MORE_BYTES: u64 = 16;

/// How much to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadLimit {
    pub(super) events_max: usize,
    /// Exceeded only by a first event that is larger alone.
    pub(super) bytes_max: usize,
}

/// A random number for a new log, never 0, which means "none".
pub(super) fn new_epoch() -> Result<u64, RecordError> {
    let mut bytes = [0; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| RecordError::Broken("the system gives no random numbers".into()))?;
    Ok(u64::from_le_bytes(bytes).max(1))
}

impl Engine {
    pub(super) fn up_head(&self) -> UpHead {
        let up = &self.state.up;
        UpHead {
            epoch: up.epoch,
            first_kept: up.first_kept(),
            last: up.last,
            head_hash: self.newest_event_hash().unwrap_or_default(),
            acked: up.acked,
        }
    }

    /// SHA-256 of the newest event as it stands in the log; `None` when it is not kept or
    /// not on disk yet. Of the event and not of the newest record: acknowledgements,
    /// starts and commands are records too, and two sessions may begin at one event.
    fn newest_event_hash(&self) -> Option<Vec<u8>> {
        let up = &self.state.up;
        let limit = ReadLimit { events_max: 1, bytes_max: usize::MAX };
        let newest = self.read_log(up, up.last, limit).ok()?;
        let (_, event) = newest.into_iter().find(|(seq, _)| *seq == up.last)?;
        Some(digest(&SHA256, &event).as_ref().to_vec())
    }

    /// The events from `from` on, contiguous. Begins later only when older ones are gone.
    pub(super) fn read_events(
        &mut self,
        from: u64,
        limit: ReadLimit,
    ) -> Result<EventRun, RecordError> {
        let from = from.max(self.state.up.first_kept());
        let events = match self.read_log(&self.state.up, from, limit) {
            Ok(events) => events,
            Err(error) => {
                // Rot found while running is handled as at a start: by reading it all again.
                self.failed = Some(error.to_string());
                return Err(RecordError::Broken(error.to_string()));
            }
        };
        let events = events.into_iter().map(|(_, event)| event).collect();
        Ok(EventRun { epoch: self.state.up.epoch, first_seq: from, events })
    }

    /// Events of `log` in order, from `from` on, over whatever gaps there are.
    fn read_log(
        &self,
        log: &UpLog,
        from: u64,
        limit: ReadLimit,
    ) -> std::io::Result<Vec<(u64, Vec<u8>)>> {
        let mut events: Vec<(u64, Vec<u8>)> = Vec::new();
        let (mut next, mut bytes, mut is_full) = (from, 0, false);
        while let Some(run) = log.seek(next).filter(|_| !is_full) {
            let Some(segment) = self.segment(run.place.segment) else { break };
            segment.read_from(run.place.offset, |record| {
                if let Record::EventWritten(found) = record
                    && found.up_epoch == log.epoch
                    && found.up_seq >= next
                {
                    is_full = events.len() >= limit.events_max
                        || (!events.is_empty() && bytes + found.event.len() > limit.bytes_max);
                    if is_full {
                        return false;
                    }
                    next = found.up_seq + 1;
                    bytes += found.event.len();
                    events.push((found.up_seq, found.event));
                }
                // Behind the span's end may stand records that are void.
                next <= run.last
            })?;
            next = if is_full { next } else { next.max(run.last + 1) };
        }
        Ok(events)
    }

    /// Takes an acknowledgement. Not synced on its own: losing it costs a re-send.
    pub(super) fn ack_up(&mut self, epoch: u64, seq: u64) -> Result<(), UpError> {
        self.check_up(epoch, seq)?;
        if seq > self.state.up.acked
            && self.stage(UpAcked { up_epoch: epoch, up_seq: seq }, Need::Vital).is_err()
        {
            // No room to write it down, and it is what makes room.
            self.state.up.acked = seq;
        }
        Ok(())
    }

    /// Takes the cloud's word, at the start of a session, on what it has: goes back when
    /// that is less than it once acknowledged.
    pub(super) fn resume_up(&mut self, epoch: u64, durable: u64) -> Result<(), UpError> {
        self.check_up(epoch, durable)?;
        let first_kept = self.state.up.first_kept();
        if durable + 1 < first_kept {
            return Err(UpError::Gone { first_kept });
        }
        if durable != self.state.up.acked {
            self.stage(UpAcked { up_epoch: epoch, up_seq: durable }, Need::Vital)?;
        }
        Ok(())
    }

    fn check_up(&self, epoch: u64, seq: u64) -> Result<(), UpError> {
        let up = &self.state.up;
        if epoch != up.epoch {
            return Err(UpError::Epoch { ours: up.epoch });
        }
        if seq > up.last {
            return Err(UpError::Ahead { last: up.last, claimed: seq });
        }
        Ok(())
    }

    /// Begins a new up log with the readable events from `carry_from` on. A crash in
    /// between leaves the mark of the beginning, and the next start does it over; so does
    /// the recovery of an engine that could not do it to the end: half a log is never shown.
    pub(super) fn renew_epoch(&mut self, carry_from: u64, why: &str) -> Outcome {
        // Nothing of the old log may still be on its way to the disk.
        self.commit()?;
        self.check_room_to_carry(carry_from)?;
        let (old_last, up_epoch) = (self.state.up.last, new_epoch()?);
        self.stage(UpEpochRenewed { up_epoch, carry_from }, Need::Vital)?;
        let carried = self.carry(up_epoch, carry_from, old_last).and_then(|()| self.commit());
        if let Err(error) = carried {
            self.failed.get_or_insert_with(|| format!("the up log is taken over in part: {error}"));
            return Err(error);
        }
        let kept = self.state.up.last;
        self.note(OwnNotice::epoch_renewed(format!("{why}; {kept} events taken over")));
        Ok(())
    }

    /// Refuses a renewal for which there is no room: the log as it is serves on.
    fn check_room_to_carry(&mut self, carry_from: u64) -> Outcome {
        let up = &self.state.up;
        let count = (up.last + 1).saturating_sub(carry_from);
        let bytes = up.bytes_after(carry_from.saturating_sub(1)) + count * CARRIED_MORE_BYTES;
        let segment_bytes = self.config.segment_bytes;
        let more = bytes.saturating_sub(segment_bytes.saturating_sub(self.position()));
        let needed = more.div_ceil(segment_bytes) * segment_bytes;
        let reserve = if self.has_reserve { self.config.reserve_bytes } else { 0 };
        // A disk that does not say is tried.
        let free = self.disk.free_bytes(&self.folder).unwrap_or(u64::MAX);
        if needed > free.saturating_add(reserve) {
            return Err(self.disk_full());
        }
        Ok(())
    }

    fn carry(&mut self, up_epoch: u64, carry_from: u64, old_last: u64) -> Outcome {
        let mut next = carry_from;
        while next <= old_last {
            let Some(before) = self.state.up_before.clone() else { break };
            let limit = ReadLimit { events_max: CARRY_EVENTS, bytes_max: CARRY_BYTES };
            let run = match self.read_log(&before, next, limit) {
                Ok(run) => run,
                Err(error) => {
                    tracing::error!(error = %error, "events lost while the epoch was renewed");
                    match before.seek(next) {
                        Some(bad) => next = bad.last + 1,
                        None => break,
                    }
                    continue;
                }
            };
            let Some((last, _)) = run.last() else { break };
            next = last + 1;
            for (_, event) in run {
                let up_seq = self.state.up.last + 1;
                let event = with_seq(event, up_seq);
                self.stage(EventWritten { up_epoch, up_seq, event }, Need::Vital)?;
            }
        }
        self.stage(UpEpochCarried { up_epoch }, Need::Vital).map(drop)
    }
}
