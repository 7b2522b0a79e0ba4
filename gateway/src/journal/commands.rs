//! Commands: accepted once, begun before the first byte, settled for ever.
//!
//! A begin and a report write the state of the command and the event for the cloud
//! in one unit, so that neither exists without the other. An id that was seen is
//! never given out again; its recorded outcome is told again.

use std::collections::HashSet;

use fournil_protocol::command::Command;
use fournil_protocol::event::{Body, CommandReport, CommandState, Severity};
use fournil_protocol::hello::DownHead;
use fournil_protocol::words;
use prost::Message;
use uuid::Uuid;

use super::engine::{Engine, Need};
use super::notice::OwnNotice;
use super::record::{CommandAccepted, CommandBegun, CommandSettled, DownCursor, Record};
use super::state::{Pending, id_of};
use super::uplog::Place;
use super::{AcceptError, Accepted, Outcome};
use crate::seam::{Job, RecordError};

/// True for a state that a command never leaves.
fn is_final(state: CommandState) -> bool {
    match state {
        CommandState::Unknown | CommandState::Waiting | CommandState::Started => false,
        CommandState::Done
        | CommandState::Failed
        | CommandState::Expired
        | CommandState::Cancelled
        | CommandState::InDoubt
        | CommandState::Unsupported => true,
    }
}

impl Engine {
    /// Stages the commands that are new. On a full journal the ones before stay
    /// accepted and the cursor says how far it got.
    pub(super) fn accept(
        &mut self,
        epoch: u64,
        commands: Vec<Command>,
    ) -> Result<Accepted, AcceptError> {
        self.check_contiguous(epoch, &commands)?;
        if epoch != self.state.down.epoch {
            self.stage(DownCursor { down_epoch: epoch, down_durable: 0 }, Need::Vital)?;
        }
        let (mut fresh, before) = (Vec::new(), self.state.down.durable);
        for command in commands {
            if command.seq <= self.state.down.durable {
                continue;
            }
            match self.accept_one(epoch, command) {
                Ok(job) => fresh.extend(job),
                Err(error) if self.state.down.durable == before => {
                    return Err(error.into());
                }
                // The caller still has the rest and offers it again.
                Err(_) => break,
            }
        }
        Ok(Accepted { down_durable: self.state.down.durable, fresh })
    }

    /// Nothing is taken from a run with a hole in it.
    fn check_contiguous(&self, epoch: u64, commands: &[Command]) -> Result<(), AcceptError> {
        let is_known = epoch == self.state.down.epoch;
        let durable = if is_known { self.state.down.durable } else { 0 };
        let mut expected = durable + 1;
        for command in commands {
            if command.seq > expected {
                return Err(AcceptError::Gap { expected, got: command.seq });
            }
            if command.seq == expected {
                expected += 1;
            }
        }
        Ok(())
    }

    fn accept_one(&mut self, epoch: u64, command: Command) -> Result<Option<Job>, RecordError> {
        let cursor = DownCursor { down_epoch: epoch, down_durable: command.seq };
        let Ok(id) = Uuid::from_slice(&command.command_id) else {
            self.note(OwnNotice::malformed_command(command.seq));
            self.stage(cursor, Need::Vital)?;
            return Ok(None);
        };
        if self.state.has_seen(id) {
            // The word first: with the cursor it is acknowledged, and not asked for again.
            self.report_again(id)?;
            self.stage(cursor, Need::Vital)?;
            return Ok(None);
        }
        let accepted = CommandAccepted {
            down_epoch: epoch,
            down_seq: command.seq,
            command_id: command.command_id.clone(),
            command: command.encode_to_vec(),
        };
        let is_over = self.state.pending.len() >= self.config.pending_commands_max
            || self.state.pending_bytes() >= self.config.pending_bytes_max;
        if is_over {
            self.losses.refused += 1;
            let text = format!("{} commands wait to be carried out", self.state.pending.len());
            return Err(RecordError::Full(text));
        }
        self.stage(accepted, Need::Ordinary)?;
        Ok(Some(Job { id, command, interrupted_attempt: None }))
    }

    /// The cloud asks again for a command that ended: it does not know how.
    fn report_again(&mut self, id: Uuid) -> Outcome {
        let Some(settled) = self.state.settled.get(&id).copied() else { return Ok(()) };
        // What was settled in this very unit is not on disk yet.
        self.commit()?;
        let place = self.state.settled.get(&id).map_or(settled.place, |settled| settled.place);
        let report = self.settled_report(place).unwrap_or_else(|error| {
            // Its id is known all the same. Read again from a damaged disk it might not be,
            // and the command would be carried out a second time: a person looks instead.
            tracing::error!(
                %error, command = %id,
                "l'issue d'une commande n'est plus lisible : vérifiez le disque (dmesg, smartctl)"
            );
            CommandReport {
                command_id: id.as_bytes().to_vec(),
                state: CommandState::InDoubt.into(),
                reason: words::INTERRUPTED.to_owned(),
                detail: format!("its outcome cannot be read in the journal any more: {error}"),
                ..CommandReport::default()
            }
        });
        self.stage_event(Body::CommandReport(report), Need::Vital)
    }

    fn settled_report(&self, place: Place) -> Result<CommandReport, RecordError> {
        match self.read_place(place)? {
            Record::CommandSettled(settled) => CommandReport::decode(settled.report.as_slice())
                .map_err(|error| RecordError::Broken(error.to_string())),
            other => Err(RecordError::Broken(format!("found a {} instead", other.name()))),
        }
    }

    /// Stages where the cloud's down log goes on, as its Welcome says.
    pub(super) fn resume_down(&mut self, epoch: u64, resume_from: u64) -> Result<(), AcceptError> {
        let down = self.state.down;
        let cursor = resume_from.saturating_sub(1);
        if down.epoch == epoch {
            let expected = down.durable + 1;
            if resume_from > expected {
                return Err(AcceptError::Gap { expected, got: resume_from });
            }
            return Ok(());
        }
        self.stage(DownCursor { down_epoch: epoch, down_durable: cursor }, Need::Vital)?;
        Ok(())
    }

    /// Stages that an attempt begins.
    pub(super) fn begin(&mut self, id: Uuid, attempt: u32, device: String) -> Outcome {
        if !self.state.pending.contains_key(&id) {
            return Err(RecordError::NotWaiting(id));
        }
        self.check_room_for_commands()?;
        let begun = CommandBegun {
            command_id: id.as_bytes().to_vec(),
            attempt,
            device: device.clone(),
            incarnation: self.state.incarnation,
        };
        let report = CommandReport {
            command_id: id.as_bytes().to_vec(),
            state: CommandState::Started.into(),
            attempt,
            device,
            ..CommandReport::default()
        };
        self.stage_with_report(begun.into(), report)
    }

    /// Stages how a command fares. A final state is never left.
    pub(super) fn report(&mut self, report: &CommandReport) -> Outcome {
        let id = id_of(&report.command_id);
        if self.state.settled.contains_key(&id) {
            return Ok(());
        }
        self.check_room_for_commands()?;
        let is_pending = self.state.pending.contains_key(&id);
        if !is_pending || !is_final(report.state()) {
            return self.stage_event(Body::CommandReport(report.clone()), Need::Vital);
        }
        let settled = CommandSettled {
            command_id: report.command_id.clone(),
            report: report.encode_to_vec(),
            settled_ms: self.time.wall_ms(),
            lived_ms: self.age().lived_ms,
        };
        self.stage_with_report(settled.into(), report.clone())
    }

    /// Both in one segment and one unit.
    fn stage_with_report(&mut self, step: Record, report: CommandReport) -> Outcome {
        let event = self.event_record(Body::CommandReport(report))?;
        self.ensure_room(step.frame_bytes() + event.frame_bytes(), Need::Vital)?;
        // The event first: if the machine dies between the two, the restart finds an open
        // command and reports it once more. The other way round an outcome could be
        // settled here and never told.
        self.stage(event, Need::Vital)?;
        self.stage(step, Need::Vital).map(drop)
    }

    /// Accepted and unsettled commands in order, without those in `skip`.
    pub(super) fn pending_jobs(
        &self,
        skip: &HashSet<Uuid>,
        jobs_max: usize,
    ) -> Result<Vec<Job>, RecordError> {
        let wanted = self.state.pending_in_order().into_iter();
        let wanted = wanted.filter(|(id, _)| !skip.contains(id)).take(jobs_max);
        wanted.map(|(id, pending)| self.job(id, &pending)).collect()
    }

    fn job(&self, id: Uuid, pending: &Pending) -> Result<Job, RecordError> {
        let bytes = match self.read_place(pending.place)? {
            Record::CommandAccepted(accepted) => accepted.command,
            Record::CarriedCommand(carried) => carried.accepted.command,
            other => {
                let text = format!("found a {} where command {id} should be", other.name());
                return Err(RecordError::Broken(text));
            }
        };
        let command = Command::decode(bytes.as_slice())
            .map_err(|error| RecordError::Broken(format!("command {id}: {error}")))?;
        let interrupted_attempt = pending
            .begun
            .as_ref()
            .filter(|begun| begun.incarnation < self.state.incarnation)
            .map(|begun| begun.attempt);
        Ok(Job { id, command, interrupted_attempt })
    }

    pub(super) fn down_head(&self) -> DownHead {
        DownHead { epoch: self.state.down.epoch, durable: self.state.down.durable }
    }
}

impl OwnNotice {
    fn malformed_command(seq: u64) -> Self {
        let detail = format!("command {seq} has no valid id and was passed over");
        Self::new(Severity::Alarm, words::COMMAND_MALFORMED, detail)
    }
}
