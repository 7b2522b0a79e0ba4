//! Tells the rest of the system how jobs and printer fare: each change once.
//!
//! A report is written before work goes on. While the journal cannot write, the
//! health says so and nothing is printed.

use std::time::Duration;

use fournil_protocol::event::{
    CommandReport, CommandState, DeviceHealth, DeviceKind, DeviceState, Evidence,
};
use fournil_protocol::words;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::status::Condition;
use crate::i18n::say;
use crate::seam::{RecordError, Recorder};
use crate::supervise::progress;

const JOURNAL_RETRY: Duration = Duration::from_secs(1);
/// The journal is asked again more often than this. A part that waits for it does not hang.
const PROGRESS: Duration = Duration::from_secs(30);

/// What became of a command, in words a machine reads and words a person reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub state: CommandState,
    pub evidence: Evidence,
    pub reason: String,
    pub detail: String,
    pub attempt: u32,
}

impl Told {
    pub(super) fn new(state: CommandState, reason: &str, detail: impl Into<String>) -> Self {
        Self {
            state,
            evidence: Evidence::None,
            reason: reason.to_owned(),
            detail: detail.into(),
            attempt: 0,
        }
    }

    pub(super) fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    pub(super) fn evidence(mut self, evidence: Evidence) -> Self {
        self.evidence = evidence;
        self
    }
}

/// The daemon is stopping, or the journal has stopped: leave all as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leave;

/// What became of the intent to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    Written,
    /// It is not written: do not begin now.
    Refused,
    /// The command has ended: never begin.
    NotWaiting,
}

pub(super) struct Narrator {
    pub device: String,
    pub recorder: Recorder,
    pub health: watch::Sender<DeviceHealth>,
    pub stop: CancellationToken,
}

impl Narrator {
    /// Writes a report and waits until it is on disk, however long the journal needs.
    pub(super) async fn report(&self, id: Uuid, told: Told) -> Result<(), Leave> {
        let report = self.written(id, told);
        tracing::info!(
            print.job = %id, print.state = ?report.state(), print.reason = %report.reason,
            print.attempt = report.attempt, "job reported"
        );
        loop {
            progress(PROGRESS);
            match self.recorder.report(report.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => self.journal_refused(&error).await?,
            }
        }
    }

    fn written(&self, id: Uuid, told: Told) -> CommandReport {
        CommandReport {
            command_id: id.as_bytes().to_vec(),
            state: told.state as i32,
            evidence: told.evidence as i32,
            reason: told.reason,
            detail: told.detail,
            attempt: told.attempt,
            device: self.device.clone(),
        }
    }

    /// Writes that an attempt begins.
    pub(super) async fn begin(&self, id: Uuid, attempt: u32) -> Result<Begin, Leave> {
        match self.recorder.begin(id, attempt, &self.device).await {
            Ok(()) => Ok(Begin::Written),
            Err(RecordError::NotWaiting(_)) => Ok(Begin::NotWaiting),
            Err(error) => self.journal_refused(&error).await.map(|()| Begin::Refused),
        }
    }

    async fn journal_refused(&self, error: &RecordError) -> Result<(), Leave> {
        let code = match error {
            RecordError::Full(_) => words::JOURNAL_FULL,
            RecordError::Broken(_) => words::JOURNAL_BROKEN,
            // Only a begin is refused so, and it is answered where it was asked.
            RecordError::NotWaiting(_) | RecordError::Unconfirmed(_) => return Ok(()),
            RecordError::Stopped => return Err(Leave),
        };
        tracing::error!(%error, "{}", say("printer-journal-refused", &[]));
        let detail = say("printer-journal-refused-health", &[("error", error)]);
        self.publish(DeviceState::Down, code, &detail);
        progress(PROGRESS);
        // Cancel safe: neither branch holds anything.
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Leave),
            () = tokio::time::sleep(JOURNAL_RETRY) => Ok(()),
        }
    }

    /// Publishes what the printer said of itself.
    pub(super) fn condition(&self, condition: Condition) {
        let code = condition.code();
        let state = match code {
            words::OK => DeviceState::Ok,
            words::PAPER_LOW => DeviceState::Warning,
            _ => DeviceState::Down,
        };
        self.publish(state, code, &remedy(code));
    }

    /// Publishes that the printer cannot be reached.
    pub(super) fn unreachable(&self, detail: &str) {
        self.publish(
            DeviceState::Down,
            words::UNREACHABLE,
            &format!("{detail}; {}", remedy(words::UNREACHABLE)),
        );
    }

    fn publish(&self, state: DeviceState, code: &str, detail: &str) {
        self.health.send_if_modified(|health| {
            let next = DeviceHealth {
                device: self.device.clone(),
                kind: DeviceKind::Printer as i32,
                state: state as i32,
                code: code.to_owned(),
                detail: detail.to_owned(),
                ..DeviceHealth::default()
            };
            let changed = *health != next;
            if changed {
                tracing::info!(printer.code = code, printer.name = %self.device, "printer state");
            }
            *health = next;
            changed
        });
    }
}

/// Tells of a job under way when the printer comes into another condition.
pub(super) struct Progress<'a> {
    narrator: &'a Narrator,
    id: Uuid,
    attempt: u32,
    code: &'static str,
}

impl<'a> Progress<'a> {
    pub(super) fn new(
        narrator: &'a Narrator,
        id: Uuid,
        attempt: u32,
        condition: Condition,
    ) -> Self {
        Self { narrator, id, attempt, code: condition.code() }
    }

    /// The printer is so now; nothing is told while that does not change.
    pub(super) async fn now(&mut self, condition: Condition) {
        if condition.code() == self.code {
            return;
        }
        self.code = condition.code();
        self.narrator.condition(condition);
        let reason = if condition.ready() { "" } else { self.code };
        let told = Told::new(CommandState::Started, reason, remedy(reason)).attempt(self.attempt);
        // Once: paper does not wait for the journal, which is met again at the end.
        let report = self.narrator.written(self.id, told);
        if let Err(error) = self.narrator.recorder.report(report).await {
            tracing::warn!(%error, print.job = %self.id, "progress not written");
        }
    }
}

/// What to do about it.
pub(crate) fn remedy(code: &str) -> String {
    let id = match code {
        words::PAPER_OUT => "printer-remedy-paper-out",
        words::COVER_OPEN => "printer-remedy-cover-open",
        words::CUTTER_ERROR => "printer-remedy-cutter-error",
        words::PRINTER_ERROR => "printer-remedy-printer-error",
        words::OFFLINE => "printer-remedy-offline",
        words::PAPER_LOW => "printer-remedy-paper-low",
        words::UNREACHABLE => "printer-remedy-unreachable",
        _ => return String::new(),
    };
    say(id, &[])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::Instant;

    use super::*;
    use crate::seam::{self, Request};
    use crate::supervise::{Pulse, Supervisor};
    use crate::tunnel::ambient::Ambient;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_waits_for_a_full_journal_is_left_to_wait() {
        let (recorder, mut served) = seam::recorder();
        let began = Instant::now();
        tokio::spawn(async move {
            while let Some(request) = served.recv().await {
                let (Request::Report { done, .. }
                | Request::Begin { done, .. }
                | Request::Record { done, .. }
                | Request::Confirmed { done }) = request;
                let is_full = began.elapsed() < Duration::from_mins(10);
                let answer = if is_full { Err(RecordError::Full("test".into())) } else { Ok(()) };
                let _ = done.send(answer);
            }
        });
        let starts = Arc::new(AtomicU32::new(0));
        let counted = starts.clone();
        let (told, mut hear) = tokio::sync::mpsc::channel(1);
        let mut supervisor = Supervisor::new(Ambient::system());
        supervisor.moving("caisse", Pulse::new(Duration::from_mins(2)), move |stop| {
            counted.fetch_add(1, Ordering::Relaxed);
            let (health, _) = watch::channel(DeviceHealth::default());
            let (device, recorder) = ("caisse".to_owned(), recorder.clone());
            let narrator = Narrator { device, recorder, health, stop: stop.clone() };
            let told = told.clone();
            async move {
                let done = Told::new(CommandState::Done, "", "").attempt(1);
                let reported = narrator.report(Uuid::from_u128(7), done).await;
                told.send(reported).await?;
                stop.cancelled().await;
                Ok(())
            }
        });
        assert_eq!(hear.recv().await, Some(Ok(())));
        assert_eq!(starts.load(Ordering::Relaxed), 1, "it was aborted while it waited");
    }
}
