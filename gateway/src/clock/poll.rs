//! The part of the daemon that serves one clock.
//!
//! One session at a time, because most clocks serve one program. With `live` it stays
//! open: punches come as events within milliseconds, a heartbeat notices a dead
//! clock, and the log is read at once, every interval and whenever an event cannot be
//! judged. Without `live` each interval is a session of its own. After an error the
//! connection is dropped and taken up again with growing, random pauses.
//!
//! A punch is marked as known, and its event acknowledged, only once the journal has
//! it. A journal that cannot write leaves everything to the next reading.

mod digest;
mod held;
mod orders;
mod profile;
mod search;
mod session;
mod tell;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use fournil_protocol::event::{CommandState, DeviceHealth};
use fournil_protocol::words;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::client::{CHUNK_BYTES_MAX, ClientError, Timeouts, smaller_chunk};
use super::config::{ClockConfig, ConfigError, Target};
use super::health::{Condition, Fault};
use super::index::{Index, PunchStore};
use super::layout::{AttendanceLayout, UserTable};
use super::ledger::Ledger;
use crate::i18n::say;
use crate::seam::{CloudOffset, Job, RecordError, Recorder};
use crate::supervise::progress;
pub use held::HeldClocks;
use profile::Profile;
use tell::Told;

/// What comes after a pause, up to the next word of the clock.
const PAUSE_SLACK: Duration = Duration::from_mins(1);
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(5);

/// The clock's part of the daemon.
#[derive(Debug)]
pub struct ClockPart {
    config: ClockConfig,
    target: Target,
    forced_layout: Option<AttendanceLayout>,
    timeouts: Timeouts,
    recorder: Recorder,
    health: watch::Sender<DeviceHealth>,
    jobs: mpsc::Receiver<Job>,
    are_jobs_over: bool,
    stop: CancellationToken,
    condition: Condition,
    memory: Memory,
    /// What is known of the clock that answers.
    profile: Profile,
    told: Told,
    /// The log may hold punches that are not recorded yet: what happens now waits for them, so
    /// that punches stay in the clock's order.
    is_behind: bool,
    /// `None`: what is known ends with the daemon.
    store: Option<PunchStore>,
    cloud_offset: CloudOffset,
    held: HeldClocks,
    searched_at: Option<Instant>,
    /// Commands that have begun: the next reading answers those to read, the others are
    /// carried out before it.
    asked: Vec<Job>,
}

/// What a clock's part stands in.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Where what is known about the clock outlives the daemon.
    pub store: Option<PunchStore>,
    /// By which punches and the clock's drift are judged: the box's own clock may be wrong.
    pub cloud_offset: CloudOffset,
    /// Shared by all parts of the process.
    pub held: HeldClocks,
}

impl From<Option<PunchStore>> for Surroundings {
    fn from(store: Option<PunchStore>) -> Self {
        Self { store, ..Self::default() }
    }
}

/// The cloud's time where it is known, else the box's own.
pub(super) fn true_time(cloud_offset: &CloudOffset, wall: DateTime<Utc>) -> DateTime<Utc> {
    let cloud_ms = cloud_offset.cloud_ms(wall.timestamp_millis());
    cloud_ms.and_then(DateTime::from_timestamp_millis).unwrap_or(wall)
}

/// What is learned about the clock and outlives a session.
#[derive(Debug)]
struct Memory {
    ledger: Ledger,
    /// The ledger on disk.
    index: Option<Index>,
    layout: Option<AttendanceLayout>,
    /// The last table that could be read.
    users: Option<Arc<UserTable>>,
    chunk_bytes: u32,
    /// Count at which the log has nothing new, and since when that is believed.
    settled: Option<(u32, Instant)>,
    is_ambiguity_told: bool,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum SessionEnd {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("serial number mismatch")]
    Fault(Fault),
    #[error("the journal does not write: {0}")]
    Journal(#[from] RecordError),
}

impl ClockPart {
    /// Serves the clock until `stop`. Never gives up by itself; a wrong section of the
    /// configuration is the only error.
    pub async fn run(
        config: ClockConfig,
        recorder: Recorder,
        jobs: mpsc::Receiver<Job>,
        health: watch::Sender<DeviceHealth>,
        around: Surroundings,
        stop: CancellationToken,
    ) -> Result<(), ConfigError> {
        Self::run_with(config, Timeouts::default(), recorder, jobs, health, around, stop).await
    }

    /// As [`ClockPart::run`], with the patience of the caller, and with what is known about
    /// the clock only in memory where there is no store.
    pub async fn run_with(
        config: ClockConfig,
        timeouts: Timeouts,
        recorder: Recorder,
        jobs: mpsc::Receiver<Job>,
        health: watch::Sender<DeviceHealth>,
        around: impl Into<Surroundings>,
        stop: CancellationToken,
    ) -> Result<(), ConfigError> {
        config.check()?;
        let Surroundings { store, cloud_offset, held } = around.into();
        let part = ClockPart {
            target: config.target()?,
            forced_layout: config.forced_layout()?,
            condition: Condition { drift_warn_s: config.drift_warn_s, ..Condition::default() },
            memory: Memory::new(),
            profile: Profile::default(),
            told: Told::default(),
            is_behind: true,
            store,
            cloud_offset,
            held,
            searched_at: None,
            are_jobs_over: false,
            asked: Vec::new(),
            config,
            timeouts,
            recorder,
            health,
            jobs,
            stop,
        };
        part.serve().await;
        Ok(())
    }

    async fn serve(mut self) {
        let mut failures: u32 = 0;
        while !self.stop.is_cancelled() {
            let begun = Instant::now();
            let pause = match self.session().await {
                Ok(()) => {
                    failures = 0;
                    self.config.poll_interval()
                }
                Err(end) => {
                    self.note_end(&end).await;
                    // A session that lived does not count as one more failure in a row.
                    failures = if begun.elapsed() > BACKOFF_MAX { 1 } else { failures + 1 };
                    let stop = self.stop.clone();
                    // Cancel safe: what was knocked at is let go, and nothing was changed.
                    tokio::select! {
                        () = self.search_after(failures) => {}
                        () = stop.cancelled() => return,
                    }
                    backoff(failures, random())
                }
            };
            self.pause(pause).await;
        }
    }

    async fn note_end(&mut self, end: &SessionEnd) {
        tracing::warn!(clock.name = self.config.name, error = %end, "{}",
                    say("clock-not-read", &[]));
        let fault = match end {
            SessionEnd::Client(error) => Some(Fault::from(error)),
            SessionEnd::Fault(fault) => Some(fault.clone()),
            // The clock is well; the journal tells of itself.
            SessionEnd::Journal(_) => None,
        };
        if let Some(fault) = fault {
            self.condition.fault = Some(fault);
            self.publish();
        }
        let (code, detail) = self.condition.fault.as_ref().map_or_else(
            || ("journal", end.to_string()),
            |fault| (fault.code, fault.detail.clone()),
        );
        self.settle_asked(CommandState::Failed, code, &detail).await;
    }

    /// Waits between two sessions; a command to read ends the wait. Cancel safe: both
    /// receives leave what they did not take.
    async fn pause(&mut self, pause: Duration) {
        progress(pause + PAUSE_SLACK);
        let until = Instant::now() + pause;
        let stop = self.stop.clone();
        while self.asked.is_empty() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(until) => return,
                job = next_job(&mut self.jobs, self.are_jobs_over) => self.take_job(job).await,
            }
        }
    }

    /// Takes a command, which waits for the session or the next one.
    async fn take_job(&mut self, job: Option<Job>) {
        let Some(job) = job else {
            self.are_jobs_over = true;
            return;
        };
        if !orders::is_ours(&job) {
            self.report(&job, CommandState::Unsupported, words::NOT_A_CLOCK_COMMAND, "").await;
            return;
        }
        if orders::is_once(&job) && job.interrupted_attempt.is_some() {
            // Whether it happened nobody knows, and it must not happen twice.
            let job = Job { interrupted_attempt: None, ..job };
            self.report(&job, CommandState::InDoubt, words::INTERRUPTED, "").await;
            return;
        }
        match self.recorder.begin(job.id, job.attempt(), &self.config.name).await {
            Ok(()) => self.asked.push(job),
            // Not begun, so the journal offers it again.
            Err(error) => tracing::warn!(command.id = %job.id, %error, "command not begun"),
        }
    }

    async fn settle_asked(&mut self, state: CommandState, reason: &str, detail: &str) {
        for job in std::mem::take(&mut self.asked) {
            self.report(&job, state, reason, detail).await;
        }
    }

    /// Answers the commands that wanted the log to be read.
    async fn settle_readings(&mut self, detail: &str) {
        let asked = std::mem::take(&mut self.asked);
        let (readings, others): (Vec<Job>, Vec<Job>) =
            asked.into_iter().partition(orders::is_reading);
        self.asked = others;
        for job in readings {
            self.report(&job, CommandState::Done, "", detail).await;
        }
    }

    async fn report(&self, job: &Job, state: CommandState, reason: &str, detail: &str) {
        let report = job.report(&self.config.name, state, reason, detail);
        if let Err(error) = self.recorder.report(report).await {
            tracing::warn!(command.id = %job.id, %error, "the end of a command is not recorded");
        }
    }

    fn publish(&self) {
        self.condition.publish(&self.config.name, &self.health);
    }

    fn now(&self) -> DateTime<Utc> {
        true_time(&self.cloud_offset, crate::time::now())
    }

    fn now_local(&self, now: DateTime<Utc>) -> NaiveDateTime {
        now.with_timezone(&self.config.zone).naive_local()
    }
}

impl Memory {
    fn new() -> Memory {
        Memory {
            ledger: Ledger::default(),
            index: None,
            layout: None,
            users: None,
            chunk_bytes: CHUNK_BYTES_MAX,
            settled: None,
            is_ambiguity_told: false,
        }
    }

    /// An index that cannot be written is given up: the next start records more again.
    fn note(&mut self, clock: &str, write: impl FnOnce(&mut Index, &Ledger) -> io::Result<()>) {
        let Some(index) = &mut self.index else { return };
        if let Err(error) = write(index, &self.ledger) {
            tracing::warn!(clock.name = clock, %error, "the index of punches is not kept");
            self.index = None;
        }
    }

    /// A table that broke off is asked for in smaller pieces next time.
    fn shrink_chunks(&mut self) {
        self.chunk_bytes = smaller_chunk(self.chunk_bytes).unwrap_or(self.chunk_bytes);
    }
}

/// Never ready once there is nobody left to send.
async fn next_job(jobs: &mut mpsc::Receiver<Job>, are_over: bool) -> Option<Job> {
    if are_over { std::future::pending().await } else { jobs.recv().await }
}

/// The pause after so many failures in a row: anywhere between the least pause and a
/// bound that doubles each time, so that gateways do not knock in step.
fn backoff(failures: u32, random: u32) -> Duration {
    let bound = BACKOFF_MIN.saturating_mul(1 << failures.min(16)).min(BACKOFF_MAX);
    let spread = bound.saturating_sub(BACKOFF_MIN).as_millis();
    let part = spread * u128::from(random) / u128::from(u32::MAX);
    BACKOFF_MIN + Duration::from_millis(u64::try_from(part).unwrap_or(u64::MAX))
}

/// Randomness for pauses and the key's disguise; a constant is bad luck, not a fault.
fn random() -> u32 {
    let mut bytes = [0; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => u32::from_le_bytes(bytes),
        Err(_) => u32::MAX / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_whose_clock_is_wrong_judges_by_the_clouds_time() {
        let wall = DateTime::from_timestamp_millis(1_770_000_000_000).unwrap();
        assert_eq!(true_time(&CloudOffset::default(), wall), wall);
        let woken_in_1970 = DateTime::from_timestamp_millis(60_000).unwrap();
        let offset = CloudOffset::known(1_770_000_000_000 - 60_000);
        assert_eq!(true_time(&offset, woken_in_1970), wall);
    }

    #[test]
    fn pauses_grow_to_five_minutes_and_are_never_below_a_second() {
        assert_eq!(backoff(1, 0), BACKOFF_MIN);
        assert_eq!(backoff(1, u32::MAX), Duration::from_secs(2));
        assert_eq!(backoff(40, u32::MAX), BACKOFF_MAX);
        assert_eq!(backoff(40, 0), BACKOFF_MIN);
    }
}
