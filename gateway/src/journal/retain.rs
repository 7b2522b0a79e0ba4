//! What may go: whole segments, oldest first, once the cloud has every event in them
//! and they are too old or too many. Live commands and remembered ids are written
//! again at the head of the log before their segment is unlinked. Age is told by the
//! wall clock; where that was wrong a copy may go early, never an event the cloud lacks.

use super::Outcome;
use super::engine::{Engine, Need};
use super::record::{CarriedCommand, Record};
use super::segment::Segment;
use super::uplog::Place;
use crate::seam::RecordError;

/// Segments let go in one pass. What a segment carries on takes room in new ones, so a
/// pass without a bound could chase its own tail.
const RELEASED_PER_PASS_MAX: usize = 8;

impl Engine {
    /// Lets go of what nobody needs any more.
    pub(super) fn retain(&mut self) -> Outcome {
        let now_ms = self.time.wall_ms();
        for _ in 0..RELEASED_PER_PASS_MAX {
            if !self.oldest_is_due(now_ms) {
                break;
            }
            self.state.prune_settled(&self.config, now_ms);
            self.carry_oldest()?;
            // Durable elsewhere first, gone here second.
            self.commit()?;
            if !self.unlink_oldest() {
                break;
            }
        }
        Ok(())
    }

    fn oldest_is_due(&self, now_ms: i64) -> bool {
        let Some(oldest) = self.releasable_oldest() else { return false };
        let days_ms = i64::from(self.config.acked_kept_days_max) * 86_400_000;
        let is_old = oldest.closed_ms.is_some_and(|ms| now_ms.saturating_sub(ms) > days_ms);
        is_old || self.acked_segment_bytes() > self.config.acked_kept_bytes_max
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

    /// Writes again what is alive in the oldest segment.
    fn carry_oldest(&mut self) -> Outcome {
        let Some(number) = self.segments.first().map(|segment| segment.number) else {
            return Ok(());
        };
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
            // Not worth the reserve: on a full disk the old segment simply stays.
            if let Err(error) = self.stage(record, Need::Ordinary) {
                self.losses = untouched;
                return Err(error);
            }
        }
        Ok(())
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

    fn unlink_oldest(&mut self) -> bool {
        let Some(oldest) = self.segments.first() else { return false };
        let number = oldest.number;
        if let Err(error) = self.disk.remove(&oldest.path) {
            tracing::warn!(journal.segment = number, error = %error, "segment not removed");
            return false;
        }
        self.segments.remove(0);
        self.state.up.forget_segment(number);
        true
    }

    /// On a full disk: gives up the oldest segment kept only for a rewind, when what is
    /// alive in it fits where there is room now. New facts matter more than old copies.
    pub(super) fn release_oldest_acked(&mut self) -> bool {
        let Some(number) = self.releasable_oldest().map(|oldest| oldest.number) else {
            return false;
        };
        // The room is gone, or we would not be here: only a segment without live
        // records can go.
        let is_alive = self.state.pending.values().any(|entry| entry.place.segment == number)
            || self.state.settled.values().any(|entry| entry.place.segment == number);
        !is_alive && self.unlink_oldest()
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
