//! Where a command belongs. Pure.

use fournil_protocol::command::{Body, Policy};
use fournil_protocol::event::{CommandState, DeviceKind};
use fournil_protocol::words;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::seam::Job;

/// A configured device and the way to it, while its part runs.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) name: String,
    pub(super) kind: DeviceKind,
    pub(super) jobs: Option<mpsc::Sender<Job>>,
}

/// A configured device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeatName {
    pub(super) name: String,
    pub(super) kind: DeviceKind,
}

/// What to do with a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To the device of this name.
    Seat(String),
    /// Answered by the gateway itself.
    Status,
    /// Gathered by the gateway itself and sent in chunks.
    Diagnostics,
    /// About another command.
    Cancel(Uuid),
    /// Nobody can do it, and this is what is said.
    Nowhere { state: CommandState, reason: &'static str },
}

/// Whether a command may still begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    Open,
    Passed,
    /// It has one, and the cloud's time is not known.
    Unknown,
}

/// Compares a command with the cloud's time. What began is past expiring.
pub(super) fn deadline(job: &Job, cloud_now_ms: Option<i64>) -> Deadline {
    let not_after_ms = job.command.not_after_ms;
    if job.interrupted_attempt.is_some() || not_after_ms == 0 {
        return Deadline::Open;
    }
    match cloud_now_ms {
        None => Deadline::Unknown,
        Some(now_ms) if now_ms > not_after_ms => Deadline::Passed,
        Some(_) => Deadline::Open,
    }
}

/// Finds the place of a command.
pub(super) fn place(job: &Job, seats: &[Seat]) -> Place {
    let nowhere = |state, reason| Place::Nowhere { state, reason };
    let kind = match &job.command.body {
        None => return nowhere(CommandState::Unsupported, words::UNKNOWN_KIND),
        Some(Body::ReadStatus(_)) => return Place::Status,
        Some(Body::SendDiagnostics(_)) => return Place::Diagnostics,
        Some(Body::Cancel(cancel)) => {
            return match Uuid::from_slice(&cancel.command_id) {
                Ok(target) => Place::Cancel(target),
                Err(_) => nowhere(CommandState::Failed, words::NOTHING_TO_CANCEL),
            };
        }
        Some(Body::Print(_) | Body::OpenDrawer(_)) => DeviceKind::Printer,
        Some(
            Body::ReadClock(_)
            | Body::SetClockTime(_)
            | Body::WriteClockUsers(_)
            | Body::ClearClockLog(_),
        ) => DeviceKind::Clock,
    };
    let name = job.command.device.as_str();
    let mut fitting =
        seats.iter().filter(|seat| seat.kind == kind && (name.is_empty() || seat.name == name));
    match (fitting.next(), fitting.next()) {
        (Some(seat), None) => Place::Seat(seat.name.clone()),
        (Some(_), Some(_)) => nowhere(CommandState::Failed, words::DEVICE_NOT_NAMED),
        // It began under a configuration that knew the device: it may have happened.
        (None, _) if is_open_attempt(job) => nowhere(CommandState::InDoubt, words::NO_SUCH_DEVICE),
        (None, _) => nowhere(CommandState::Failed, words::NO_SUCH_DEVICE),
    }
}

fn is_open_attempt(job: &Job) -> bool {
    job.interrupted_attempt.is_some() && job.command.policy() != Policy::Repeatable
}

#[cfg(test)]
mod tests {
    use fournil_protocol::command::{
        Cancel, Command, OpenDrawer, Print, ReadClock, ReadStatus, SendDiagnostics,
    };
    use fournil_protocol::document::Document;

    use super::*;

    fn seats() -> Vec<Seat> {
        let seat = |name: &str, kind| Seat { name: name.to_owned(), kind, jobs: None };
        vec![
            seat("entree", DeviceKind::Clock),
            seat("caisse", DeviceKind::Printer),
            seat("cuisine", DeviceKind::Printer),
        ]
    }

    fn job(device: &str, body: Option<Body>) -> Job {
        let command = Command {
            device: device.to_owned(),
            policy: Policy::Ask as i32,
            body,
            ..Command::default()
        };
        Job { id: Uuid::from_u128(1), command, interrupted_attempt: None }
    }

    fn print() -> Body {
        Body::Print(Print { document: Document::default(), copy_of: Vec::new() })
    }

    fn failed(reason: &'static str) -> Place {
        Place::Nowhere { state: CommandState::Failed, reason }
    }

    #[test]
    fn commands_go_by_kind_and_name() {
        let seats = seats();
        let clock = Some(Body::ReadClock(ReadClock::default()));
        assert_eq!(place(&job("", clock), &seats), Place::Seat("entree".into()));
        assert_eq!(place(&job("cuisine", Some(print())), &seats), Place::Seat("cuisine".into()));
        let drawer = Some(Body::OpenDrawer(OpenDrawer { pin: 2 }));
        assert_eq!(place(&job("caisse", drawer), &seats), Place::Seat("caisse".into()));
    }

    #[test]
    fn a_device_that_is_not_there_or_not_named_fails_with_the_reason() {
        let seats = seats();
        assert_eq!(place(&job("bureau", Some(print())), &seats), failed("no-such-device"));
        assert_eq!(place(&job("entree", Some(print())), &seats), failed("no-such-device"));
        assert_eq!(place(&job("", Some(print())), &seats), failed("device-not-named"));
    }

    #[test]
    fn an_open_attempt_on_a_device_that_is_gone_is_in_doubt() {
        let mut job = job("bureau", Some(print()));
        job.interrupted_attempt = Some(1);
        let place = place(&job, &seats());
        let reason = "no-such-device";
        assert_eq!(place, Place::Nowhere { state: CommandState::InDoubt, reason });
    }

    #[test]
    fn kinds_of_a_newer_cloud_are_unsupported() {
        let state = CommandState::Unsupported;
        let place = place(&job("", None), &seats());
        assert_eq!(place, Place::Nowhere { state, reason: "unknown-kind" });
    }

    #[test]
    fn status_and_cancel_stay_with_the_gateway() {
        let status = Some(Body::ReadStatus(ReadStatus {}));
        assert_eq!(place(&job("", status), &seats()), Place::Status);
        let diagnostics = Some(Body::SendDiagnostics(SendDiagnostics { bytes_max: 0 }));
        assert_eq!(place(&job("", diagnostics), &seats()), Place::Diagnostics);
        let target = Uuid::from_u128(5);
        let cancel = Body::Cancel(Cancel { command_id: target.as_bytes().to_vec() });
        assert_eq!(place(&job("", Some(cancel)), &seats()), Place::Cancel(target));
    }

    #[test]
    fn a_deadline_counts_only_before_the_first_attempt() {
        let mut job = job("caisse", Some(print()));
        assert_eq!(deadline(&job, Some(i64::MAX)), Deadline::Open);
        assert_eq!(deadline(&job, None), Deadline::Open);
        job.command.not_after_ms = 1_000;
        assert_eq!(deadline(&job, Some(1_000)), Deadline::Open);
        assert_eq!(deadline(&job, Some(1_001)), Deadline::Passed);
        assert_eq!(deadline(&job, None), Deadline::Unknown);
        job.interrupted_attempt = Some(1);
        assert_eq!(deadline(&job, Some(1_001)), Deadline::Open);
    }
}
