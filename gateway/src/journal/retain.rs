//! What may go: whole segments, oldest first, once the cloud has every event in them
//! and they are too old or too many. Live commands and remembered ids are written
//! again at the head of the log before their segment is unlinked, so none of them holds a
//! segment for long. Age is the journal's own ([`super::age`]): no clock that was set
//! makes anything go early.

use super::Outcome;
use super::age::DAY_MS;
use super::engine::{Engine, Need};
use super::framing::OVERHEAD;
use super::record::{CarriedCommand, Record};
use super::segment::Segment;
use super::uplog::Place;
use crate::seam::RecordError;

/// Segments let go in one pass. What a segment carries on takes room in new ones, so a
/// pass without a bound could chase its own tail.
const RELEASED_PER_PASS_MAX: usize = 8;
/// A carried command is longer than the accepted one by its attempt and its order.
const CARRIED_MORE_BYTES: u64 = 256;

impl Engine {
    /// Lets go of what nobody needs any more.
    pub(super) fn retain(&mut self) -> Outcome {
        let lived_ms = self.age().lived_ms;
        for _ in 0..RELEASED_PER_PASS_MAX {
            if !self.oldest_is_due(lived_ms) {
                break;
            }
            self.state.prune_settled(&self.config, lived_ms);
            let Some(number) = self.releasable_oldest().map(|oldest| oldest.number) else { break };
            self.is_emptying = true;
            // Not worth the reserve: on a full disk the old segment simply stays.
            let emptied = self.empty(number, Need::Ordinary);
            self.is_emptying = false;
            emptied?;
            if !self.unlink_oldest(number) {
                break;
            }
        }
        Ok(())
    }

    fn oldest_is_due(&self, lived_ms: u64) -> bool {
        let Some(oldest) = self.releasable_oldest() else { return false };
        let days_ms = u64::from(self.config.acked_kept_days_max) * DAY_MS;
        let is_old = oldest.closed_at_ms.is_some_and(|ms| lived_ms.saturating_sub(ms) > days_ms);
        // Where most of it is alive, writing it again would make no room and never end.
        let kept_bytes_max = self.config.acked_kept_bytes_max.max(2 * self.state.live_bytes());
        is_old || self.acked_segment_bytes() > kept_bytes_max
    }

    /// The oldest segment, if it is closed and the cloud has its events.
    fn releasable_oldest(&self) -> Option<&Segment> {
        let (oldest, rest) = self.segments.split_first()?;
        let is_free = !rest.is_empty()
            && self.state.up_before.is_none()
            && !self.state.up.needs_segment(oldest.number);
        is_free.then_some(oldest)
    }

    /// Bytes of the closed segments whose events the cloud has.
    fn acked_segment_bytes(&self) -> u64 {
        let closed = self.segments.split_last().map_or(&[][..], |(_, closed)| closed);
        closed
            .iter()
            .take_while(|segment| !self.state.up.needs_segment(segment.number))
            .map(|segment| segment.bytes)
            .sum()
    }

    /// Writes again what is alive in a segment: durable elsewhere first, gone here second.
    fn empty(&mut self, number: u64, need: Need) -> Outcome {
        let live = match self.live_records(number) {
            Ok(live) => live,
            Err(error) => {
                // Rot found while running is handled as at a start: by reading it all again.
                self.failed = Some(error.to_string());
                return Err(error);
            }
        };
        let untouched = self.losses;
        for record in live {
            if let Err(error) = self.stage(record, need) {
                self.losses = untouched;
                return Err(error);
            }
        }
        self.commit()
    }

    fn live_records(&self, number: u64) -> Result<Vec<Record>, RecordError> {
        let mut live = Vec::new();
        for (_, pending) in self.state.pending_in_order() {
            if pending.place.segment == number {
                let accepted = match self.read_place(pending.place)? {
                    Record::CommandAccepted(accepted) => accepted,
                    Record::CarriedCommand(carried) => carried.accepted,
                    other => return Err(unexpected(&other)),
                };
                let (begun, order) = (pending.begun, pending.order);
                live.push(CarriedCommand { accepted, begun, order }.into());
            }
        }
        for settled in self.state.settled.values() {
            if settled.place.segment == number {
                live.push(self.read_place(settled.place)?);
            }
        }
        Ok(live)
    }

    fn unlink_oldest(&mut self, number: u64) -> bool {
        let Some(oldest) = self.segments.first().filter(|oldest| oldest.number == number) else {
            return false;
        };
        if let Err(error) = self.disk.remove(&oldest.path) {
            tracing::warn!(journal.segment = number, error = %error, "segment not removed");
            return false;
        }
        self.segments.remove(0);
        self.state.up.forget_segment(number);
        true
    }

    /// Whether the oldest segment is kept for a rewind only.
    pub(super) fn has_copies(&self) -> bool {
        self.releasable_oldest().is_some()
    }

    /// On a full disk: gives up the oldest segment kept only for a rewind when nothing in it
    /// is alive. New facts matter more than old copies.
    pub(super) fn release_oldest_acked(&mut self) -> bool {
        let Some(number) = self.releasable_oldest().map(|oldest| oldest.number) else {
            return false;
        };
        self.alive_bytes_in(number) == 0 && self.unlink_oldest(number)
    }

    /// On a full disk: gives up the oldest copies, one segment after the other, until there
    /// is a reserve again. What is alive in them goes into the room the newest has left.
    pub(super) fn give_up_copies(&mut self) -> bool {
        if self.is_emptying {
            return false;
        }
        self.is_emptying = true;
        let mut has_made_room = false;
        for _ in 0..RELEASED_PER_PASS_MAX {
            has_made_room = self.empty_oldest() && self.ensure_reserve();
            if has_made_room || !self.has_copies() {
                break;
            }
        }
        self.is_emptying = false;
        has_made_room
    }

    fn empty_oldest(&mut self) -> bool {
        let Some(number) = self.releasable_oldest().map(|oldest| oldest.number) else {
            return false;
        };
        let room = self.config.segment_bytes.saturating_sub(self.position());
        self.alive_bytes_in(number) <= room
            && self.empty(number, Need::Vital).is_ok()
            && self.unlink_oldest(number)
    }

    /// Bytes that must be written again before the segment may go.
    fn alive_bytes_in(&self, number: u64) -> u64 {
        // A carried command holds the attempt and its place besides.
        let more = OVERHEAD as u64 + CARRIED_MORE_BYTES;
        let pending = self.state.pending.values();
        let pending = pending.filter(|entry| entry.place.segment == number);
        let settled = self.state.settled.values();
        let settled = settled.filter(|entry| entry.place.segment == number);
        pending.map(|entry| entry.bytes + more).sum::<u64>()
            + settled.map(|entry| entry.bytes).sum::<u64>()
    }

    /// Reads the record a place names.
    pub(super) fn read_place(&self, place: Place) -> Result<Record, RecordError> {
        let broken = |text: String| RecordError::Broken(text);
        let segment = self
            .segment(place.segment)
            .ok_or_else(|| broken(format!("segment {} is gone", place.segment)))?;
        segment
            .read_record(place.offset)
            .map_err(|error| broken(error.to_string()))?
            .ok_or_else(|| broken(format!("record of unknown kind at {place:?}")))
    }
}

fn unexpected(record: &Record) -> RecordError {
    RecordError::Broken(format!("found a {} where a command should be", record.name()))
}
