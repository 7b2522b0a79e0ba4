//! What helps to find a fault from afar, gathered when the cloud asks for it and sent up
//! in chunks: recent log, machine, tunnel, journal and devices, configuration without
//! secrets. One JSON text, so that a person can read it.
//!
//! The command stays open until the cloud has all of it. It may be done again: after a
//! restart of the daemon it is simply gathered anew.

use std::time::Duration;

use fournil_protocol::command::Body;
use fournil_protocol::event::{CommandReport, CommandState};
use fournil_protocol::limits::TRANSFER_BYTES_MAX;
use fournil_protocol::words;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::health::disk_free_bytes;
use super::status::{Status, StatusServer};
use crate::config::Config;
use crate::journal::Journal;
use crate::logs::RecentLog;
use crate::seam::{CloudOffset, Job, RecordError};
use crate::tunnel::ambient::Ambient;
use crate::tunnel::uploads::{Begun, Outcome};

/// A command without a deadline is not kept open for ever.
const PATIENCE_MAX: Duration = Duration::from_hours(24);

/// Gathers and sends.
#[derive(Debug)]
pub(super) struct Diagnostics {
    /// The one in force.
    pub(super) config: watch::Receiver<Config>,
    pub(super) journal: Journal,
    pub(super) status: StatusServer,
    pub(super) recent: RecentLog,
    pub(super) cloud_offset: CloudOffset,
    pub(super) ambient: Ambient,
}

/// The text, in the order a reader wants it.
#[derive(Debug, Serialize)]
struct Bundle {
    format: u32,
    made_at_ms: i64,
    cloud_offset_ms: Option<i64>,
    machine: Machine,
    status: Status,
    /// TOML, secrets hidden.
    configuration: String,
    /// Oldest first.
    log: Vec<String>,
}

/// The machine as the system tells it; what it does not tell is `null`.
#[derive(Debug, Serialize)]
struct Machine {
    system: Option<String>,
    kernel: Option<String>,
    uptime: Option<String>,
    load: Option<String>,
    memory: Option<String>,
    disk_free_bytes: Option<u64>,
}

impl Diagnostics {
    /// Answers until told to stop; what is open then stays in the journal.
    pub(super) async fn run(
        self,
        mut asked: mpsc::Receiver<(Job, Begun)>,
        stop: CancellationToken,
    ) {
        let mut open = FuturesUnordered::new();
        loop {
            // Cancel safe: a receive that is dropped has taken nothing.
            tokio::select! {
                () = stop.cancelled() => return,
                Some((job, begun)) = asked.recv() => open.push(self.answer(job, begun)),
                Some(answered) = open.next(), if !open.is_empty() => {
                    if let Err(error) = answered {
                        tracing::warn!(%error, "a diagnostic could not be reported");
                    }
                }
            }
        }
    }

    async fn answer(&self, job: Job, mut begun: Begun) -> Result<(), RecordError> {
        let bytes = self.gather(bytes_max(&job)).await;
        tracing::info!(command = %job.id, bytes = bytes.len(), "diagnostic made");
        self.report(job.id, CommandState::Waiting, words::TRANSFER_SENDING).await?;
        if let Err(error) = begun.send(bytes) {
            tracing::error!(%error, "le diagnostic ne peut pas être envoyé");
            return self.report(job.id, CommandState::Failed, words::TRANSFER_TOO_LARGE).await;
        }
        let outcome = timeout(self.patience(&job), begun.outcome()).await;
        let (state, reason) = match outcome {
            Ok(Outcome::Stored) => (CommandState::Done, String::new()),
            Ok(Outcome::Refused(word)) => (CommandState::Failed, word),
            // Whoever called it back has said so.
            Ok(Outcome::Cancelled) => return Ok(()),
            Err(_) => (CommandState::Expired, words::DEADLINE_PASSED.to_owned()),
        };
        // Withdrawn first: what is over must not leave after the word of it.
        drop(begun);
        tracing::info!(command = %job.id, ?state, reason, "diagnostic ended");
        self.report(job.id, state, &reason).await
    }

    /// Until the command's deadline by the cloud's time.
    fn patience(&self, job: &Job) -> Duration {
        let now_ms = self.cloud_offset.cloud_ms((self.ambient.wall_ms)());
        match (job.command.not_after_ms, now_ms) {
            (not_after_ms, Some(now_ms)) if not_after_ms > 0 => {
                let left_ms = u64::try_from(not_after_ms.saturating_sub(now_ms)).unwrap_or(0);
                Duration::from_millis(left_ms).min(PATIENCE_MAX)
            }
            _ => PATIENCE_MAX,
        }
    }

    async fn gather(&self, bytes_max: usize) -> Vec<u8> {
        let config = self.config.borrow().clone();
        let mut bundle = Bundle {
            format: 1,
            made_at_ms: (self.ambient.wall_ms)(),
            cloud_offset_ms: self.cloud_offset.ms(),
            machine: Machine::look(&config),
            status: self.status.status().await,
            configuration: config.show(),
            log: Vec::new(),
        };
        let room = bytes_max.saturating_sub(text(&bundle).len());
        bundle.log = newest(self.recent.lines(), room);
        text(&bundle)
    }

    async fn report(&self, id: Uuid, state: CommandState, reason: &str) -> Result<(), RecordError> {
        let report = CommandReport {
            command_id: id.as_bytes().to_vec(),
            state: state as i32,
            reason: reason.to_owned(),
            ..CommandReport::default()
        };
        self.journal.report(report).await
    }
}

fn bytes_max(job: &Job) -> usize {
    let asked = match &job.command.body {
        Some(Body::SendDiagnostics(asked)) if asked.bytes_max > 0 => asked.bytes_max,
        _ => TRANSFER_BYTES_MAX,
    };
    usize::try_from(asked.min(TRANSFER_BYTES_MAX)).unwrap_or(usize::MAX)
}

fn text(bundle: &Bundle) -> Vec<u8> {
    // Strings and numbers under fixed names always have a JSON form.
    serde_json::to_vec_pretty(bundle).unwrap_or_default()
}

/// The newest lines that fit, oldest first.
fn newest(lines: Vec<String>, bytes_max: usize) -> Vec<String> {
    // Quotes, comma, indentation, line end.
    const AROUND: usize = 10;
    let mut left = bytes_max;
    let mut kept: Vec<String> = Vec::new();
    for line in lines.into_iter().rev() {
        let length = serde_json::to_string(&line).map_or(usize::MAX, |json| json.len() + AROUND);
        let Some(rest) = left.checked_sub(length) else { break };
        left = rest;
        kept.push(line);
    }
    kept.reverse();
    kept
}

impl Machine {
    fn look(config: &Config) -> Self {
        let first = |path: &str, is: &dyn Fn(&str) -> bool| {
            let text = std::fs::read_to_string(path).ok()?;
            text.lines().find(|line| is(line)).map(|line| line.trim().to_owned())
        };
        Self {
            system: first("/etc/os-release", &|line| line.starts_with("PRETTY_NAME=")),
            kernel: first("/proc/sys/kernel/osrelease", &|_| true),
            uptime: first("/proc/uptime", &|_| true),
            load: first("/proc/loadavg", &|_| true),
            memory: first("/proc/meminfo", &|line| line.starts_with("MemAvailable:")),
            disk_free_bytes: disk_free_bytes(&config.state_dir),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_when_there_is_little_room() {
        let lines: Vec<String> = (0..100).map(|number| format!("line \"{number}\"")).collect();
        let kept = newest(lines.clone(), 200);
        assert!(!kept.is_empty() && kept.len() < 20, "{}", kept.len());
        assert_eq!(kept, lines[100 - kept.len()..]);
        assert_eq!(newest(lines.clone(), 1 << 20), lines);
        assert!(newest(lines, 0).is_empty());
    }
}
