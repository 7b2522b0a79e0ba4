//! The journal seen from outside, without a lock and without changing a byte: for
//! `fournil-gateway journal stat|dump|verify`, also beside a running daemon.

use std::path::Path;

use fournil_protocol::command::Command;
use fournil_protocol::event::{Body, CommandReport, Event, Punch};
use prost::Message;
use serde::Serialize;

use super::JournalError;
use super::JournalStat;
use super::engine::Engine;
use super::notice::Losses;
use super::record::Record;
use super::replay::replay;
use super::state::{State, id_of};

/// What the folder holds and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FolderReport {
    #[serde(flatten)]
    pub stat: JournalStat,
    pub records: u64,
    /// Bytes of an unfinished write stand at the end. Normal after a crash, and for a
    /// moment while the daemon runs; cut at its next start.
    pub has_torn_tail: bool,
    /// What is damaged, a sentence each.
    pub damages: Vec<String>,
    /// What was damaged and has been set aside and told to the cloud already.
    pub damages_set_aside: Vec<String>,
    /// An event is lost that the cloud does not have.
    pub lost_unacked: bool,
}

/// One record, told for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpedRecord {
    pub segment: u64,
    pub offset: u64,
    pub seq: u64,
    pub kind: &'static str,
    pub says: String,
}

/// Reads every record of the folder and checks sequence, CRC and hash chain.
pub fn inspect(folder: &Path) -> Result<FolderReport, JournalError> {
    let found = replay(folder, false, |_, _, _| {})?;
    let bad = found.segments.iter().filter(|segment| segment.is_bad).count();
    let bytes = found.segments.iter().map(|segment| segment.bytes).sum();
    let mut stat = stat_of(&found.state, found.segments.len(), bad, bytes);
    stat.has_reserve = folder.join("reserve").exists();
    let damages = |is_new: bool| {
        let wanted = found.damages.iter().filter(move |damage| damage.is_new == is_new);
        wanted.map(|damage| format!("segment {}: {}", damage.segment, damage.text)).collect()
    };
    Ok(FolderReport {
        stat,
        records: found.records,
        has_torn_tail: found.end.is_torn,
        damages: damages(true),
        damages_set_aside: damages(false),
        lost_unacked: found.state.up.lost_unacked(),
    })
}

/// Tells every readable record in order.
pub fn dump(folder: &Path, mut each: impl FnMut(DumpedRecord)) -> Result<(), JournalError> {
    replay(folder, false, |seq, record, place| {
        let (segment, offset) = (place.segment, place.offset);
        each(DumpedRecord { segment, offset, seq, kind: record.name(), says: says(record) });
    })?;
    Ok(())
}

/// Gives the punches of one clock that the log of `up_epoch` holds, oldest first.
pub fn punches(
    folder: &Path,
    up_epoch: u64,
    serial: &str,
    mut each: impl FnMut(&Punch),
) -> Result<(), JournalError> {
    replay(folder, false, |_, record, _| {
        let Record::EventWritten(written) = record else { return };
        if written.up_epoch != up_epoch {
            return;
        }
        if let Ok(Event { body: Some(Body::Punch(punch)), .. }) =
            Event::decode(written.event.as_slice())
            && punch.clock_serial == serial
        {
            each(&punch);
        }
    })?;
    Ok(())
}

impl Engine {
    pub(super) fn stat(&self) -> JournalStat {
        let bad = self.segments.iter().filter(|segment| segment.is_bad).count();
        let bytes = self.segments.iter().map(|segment| segment.bytes).sum();
        let stat = stat_of(&self.state, self.segments.len(), bad, bytes);
        let Losses { dropped, refused } = self.losses;
        JournalStat { has_reserve: self.has_reserve, dropped, refused, ..stat }
    }
}

fn stat_of(state: &State, segments: usize, segments_bad: usize, bytes: u64) -> JournalStat {
    let up = &state.up;
    JournalStat {
        incarnation: state.incarnation,
        up_epoch: up.epoch,
        up_first_kept: up.first_kept(),
        up_last: up.last,
        up_acked: up.acked,
        unacked_events: up.last.saturating_sub(up.acked),
        unacked_bytes: up.unacked_bytes(),
        down_epoch: state.down.epoch,
        down_durable: state.down.durable,
        commands_pending: state.pending.len(),
        commands_remembered: state.settled.len(),
        segments,
        segments_bad,
        segment_bytes: bytes,
        has_reserve: false,
        dropped: 0,
        refused: 0,
    }
}

fn says(record: &Record) -> String {
    match record {
        Record::SegmentHead(head) => format!(
            "up {:016x} last {} acked {}, down {:016x} durable {}",
            head.up_epoch, head.up_last, head.up_acked, head.down_epoch, head.down_durable
        ),
        Record::Opened(opened) => {
            format!("incarnation {}, boot {}", opened.incarnation, id_of(&opened.boot_id))
        }
        Record::EventWritten(event) => {
            format!("event {}: {}", event.up_seq, event_says(&event.event))
        }
        Record::CommandAccepted(accepted) => command_says(&accepted.command_id, &accepted.command),
        Record::CommandBegun(begun) => {
            let id = id_of(&begun.command_id);
            format!("{id} attempt {} on {:?}", begun.attempt, begun.device)
        }
        Record::CommandSettled(settled) => report_says(&settled.report),
        Record::UpAcked(acked) => format!("up to {}", acked.up_seq),
        Record::UpEpochRenewed(renewed) => {
            format!("epoch {:016x}, takes over from {}", renewed.up_epoch, renewed.carry_from)
        }
        Record::UpEpochCarried(carried) => format!("epoch {:016x} complete", carried.up_epoch),
        Record::DownCursor(cursor) => {
            format!("down {:016x} at {}", cursor.down_epoch, cursor.down_durable)
        }
        Record::CarriedCommand(carried) => {
            command_says(&carried.accepted.command_id, &carried.accepted.command)
        }
        Record::Closed(_) => "stopped in good order".to_owned(),
        Record::Aged(aged) => format!("{} ms old", aged.lived_ms),
    }
}

/// Names no person: a punch is told by its clock and user number.
fn event_says(bytes: &[u8]) -> String {
    let Ok(event) = Event::decode(bytes) else { return "not decodable".to_owned() };
    match event.body {
        Some(Body::Punch(punch)) => {
            format!(
                "punch of user {} at {} on {}",
                punch.user_id, punch.local_time, punch.clock_serial
            )
        }
        Some(Body::CommandReport(report)) => report_says(&report.encode_to_vec()),
        Some(Body::Health(health)) => format!("health of {} devices", health.devices.len()),
        Some(Body::Notice(notice)) => format!("notice {}: {}", notice.code, notice.detail),
        Some(Body::ClockState(clock)) => {
            format!("clock {} holds {} records", clock.clock_serial, clock.records)
        }
        Some(Body::ClockUsers(table)) => format!(
            "users of clock {}, part {} of {}",
            table.clock_serial,
            table.part.saturating_add(1),
            table.parts
        ),
        Some(Body::ClockOperation(line)) => format!(
            "operation {} at {} on clock {}",
            line.operation, line.local_time, line.clock_serial
        ),
        None => "of a kind this build does not know".to_owned(),
    }
}

fn command_says(id: &[u8], bytes: &[u8]) -> String {
    let id = id_of(id);
    match Command::decode(bytes) {
        Ok(command) => format!("{id} as command {} for {:?}", command.seq, command.device),
        Err(_) => format!("{id}, not decodable"),
    }
}

fn report_says(bytes: &[u8]) -> String {
    let Ok(report) = CommandReport::decode(bytes) else { return "not decodable".to_owned() };
    let id = id_of(&report.command_id);
    let (state, attempt) = (report.state(), report.attempt);
    format!("{id} is {state:?} after attempt {attempt} {}", report.reason)
}
