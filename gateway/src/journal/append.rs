//! Facts on their way up: stamping, classes and bounds.
//!
//! Punches and command reports are never dropped: when there is no room the caller
//! is told and does nothing. Health reports and notices are dropped and counted; the
//! count is told once there is room again.

use fournil_protocol::event::{Body, Event};
use fournil_protocol::limits::EVENT_BYTES_MAX;
use prost::Message;

use super::engine::{Engine, Need};
use super::notice::{Losses, OwnNotice};
use super::record::{EventWritten, Record};
use crate::seam::RecordError;

/// Things the journal noticed and has not told yet; more than these say nothing new.
const OWN_NOTICES_MAX: usize = 16;

impl Engine {
    /// Stages facts and gives the newest sequence. When the disk fills in the middle the
    /// facts before stay: each carries its own identity, so saying it again is harmless.
    pub(super) fn append(&mut self, bodies: Vec<Body>) -> Result<u64, RecordError> {
        for body in bodies {
            match body {
                Body::CommandReport(report) => self.report(&report)?,
                // The clock keeps them: refused here, they are read again later.
                Body::Punch(_) | Body::ClockOperation(_) | Body::ClockUsers(_) => {
                    if self.state.up.unacked_bytes() >= self.config.unacked_bytes_max {
                        return Err(self.too_many_unacked());
                    }
                    self.stage_event(body, Need::Ordinary)?;
                }
                Body::Health(_) | Body::Notice(_) | Body::ClockState(_) => {
                    self.append_low_class(body)?;
                }
            }
        }
        Ok(self.state.up.last)
    }

    fn append_low_class(&mut self, body: Body) -> Result<(), RecordError> {
        if self.state.up.unacked_bytes() >= self.config.low_class_bytes_max {
            self.losses.dropped += 1;
            return Ok(());
        }
        let refused = self.losses.refused;
        match self.stage_event(body, Need::Ordinary) {
            Err(RecordError::Full(_)) => {
                self.losses.refused = refused;
                self.losses.dropped += 1;
                Ok(())
            }
            other => other,
        }
    }

    /// Stages one event of whatever class.
    pub(super) fn stage_event(&mut self, body: Body, need: Need) -> Result<(), RecordError> {
        let record = self.event_record(body)?;
        self.stage(record, need).map(drop)
    }

    /// The next event of the up log, stamped now.
    pub(super) fn event_record(&self, body: Body) -> Result<Record, RecordError> {
        let up_seq = self.state.up.last + 1;
        let event = Event { seq: up_seq, recorded: Some(self.time.stamp()), body: Some(body) };
        let event = event.encode_to_vec();
        if event.len() > EVENT_BYTES_MAX {
            let text =
                format!("event of {} bytes is over the limit of {EVENT_BYTES_MAX}", event.len());
            return Err(RecordError::Broken(text));
        }
        Ok(EventWritten { up_epoch: self.state.up.epoch, up_seq, event }.into())
    }

    /// Refuses a step of a command when even the room kept for them is used up.
    pub(super) fn check_room_for_commands(&mut self) -> Result<(), RecordError> {
        let bytes_max = self.config.unacked_bytes_max + self.config.reserve_bytes;
        if self.state.up.unacked_bytes() < bytes_max {
            return Ok(());
        }
        Err(self.too_many_unacked())
    }

    fn too_many_unacked(&mut self) -> RecordError {
        self.losses.refused += 1;
        RecordError::Full(format!(
            "{} bytes wait for the cloud, which has not been reached for long",
            self.state.up.unacked_bytes()
        ))
    }

    /// Remembers something to tell the cloud; beyond a few the rest is only logged.
    pub(super) fn note(&mut self, notice: OwnNotice) {
        if self.notices.len() < OWN_NOTICES_MAX {
            self.notices.push(notice);
        }
    }

    /// Stages what the journal has to say of itself, if there is room for it, and says
    /// whether it did.
    pub(super) fn tell(&mut self) -> bool {
        let mut has_told = false;
        if self.losses != Losses::default() && self.has_room() {
            let notice = OwnNotice::losses(std::mem::take(&mut self.losses));
            self.note(notice);
        }
        while let Some(notice) = self.notices.first().cloned() {
            let untouched = self.losses;
            if self.stage_event(notice.into_body(), Need::Ordinary).is_err() {
                self.losses = untouched;
                break;
            }
            self.notices.remove(0);
            has_told = true;
        }
        has_told
    }

    fn has_room(&mut self) -> bool {
        let untouched = self.losses;
        let has_room = self.state.up.unacked_bytes() < self.config.low_class_bytes_max
            && self.ensure_room(1_024, Need::Ordinary).is_ok();
        self.losses = untouched;
        has_room
    }
}
