//! The seam between the durable half (tunnel and journal) and the devices: one set
//! of messages, so that the halves can also run as two processes.
//!
//! Down come [`Job`]s. Up go [`Request`]s, each answered only once it is on disk:
//! an intent is durable before its effect, the evidence after it. If nothing can
//! be recorded, nothing is done.

use std::sync::{Arc, Mutex, PoisonError};

use fournil_protocol::command::Command;
use fournil_protocol::event::{Body, CommandReport, CommandState, Evidence};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

/// Requests waiting for the journal; a device that finds it full waits (backpressure).
pub const REQUESTS_MAX: usize = 256;
/// Jobs waiting for one device. The journal keeps what does not fit and offers it later.
pub const JOBS_MAX: usize = 64;

/// A command handed to a device part.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub id: Uuid,
    pub command: Command,
    /// The attempt the journal saw begin before the daemon stopped, if it saw no end:
    /// whether that attempt happened is not known.
    pub interrupted_attempt: Option<u32>,
}

impl Job {
    /// Which attempt the next one is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.interrupted_attempt.unwrap_or_default().saturating_add(1)
    }

    /// How this attempt ended on a device whose effects leave no proof.
    #[must_use]
    pub fn report(
        &self,
        device: &str,
        state: CommandState,
        reason: &str,
        detail: &str,
    ) -> CommandReport {
        CommandReport {
            command_id: Uuid::as_bytes(&self.id).to_vec(),
            state: state.into(),
            evidence: Evidence::None.into(),
            reason: reason.to_owned(),
            detail: detail.to_owned(),
            attempt: self.attempt(),
            device: device.to_owned(),
        }
    }
}

/// Cloud time minus wall time, for whoever checks a deadline. Unknown until the cloud has
/// been heard once: nothing that has a deadline may begin before. A wall clock that is set
/// meanwhile, by a year or back to 1970, moves no deadline. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct CloudOffset(Arc<Mutex<Option<Measured>>>);

/// More than this between wall clock and time gone by is a step, not drift, milliseconds.
const STEP_MS: u64 = 250;

#[derive(Debug, Clone, Copy)]
struct Measured {
    offset_ms: i64,
    /// The wall clock at a moment, from which time is counted without it.
    since: Option<(i64, Moment)>,
}

/// A moment on clocks that nobody sets.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Instant,
    /// How long the machine has slept since its boot, which `at` does not count.
    slept_ms: i64,
}

impl Moment {
    fn now() -> Self {
        let ms = |clock| {
            let now = clock_gettime(clock);
            now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000)
        };
        // The nearest instant is taken between the two, so the difference is exact enough.
        let slept_ms = ms(ClockId::Boottime).saturating_sub(ms(ClockId::Monotonic));
        Self { at: Instant::now(), slept_ms }
    }

    fn elapsed_ms(self) -> i64 {
        let slept_ms = Self::now().slept_ms.saturating_sub(self.slept_ms);
        i64::try_from(self.at.elapsed().as_millis()).unwrap_or(i64::MAX).saturating_add(slept_ms)
    }
}

impl CloudOffset {
    /// One that is known already.
    #[must_use]
    pub fn known(offset_ms: i64) -> Self {
        let offset = Self::default();
        offset.set_ms(offset_ms);
        offset
    }

    /// Believes the wall clock from now on.
    pub fn set_ms(&self, offset_ms: i64) {
        self.put(Measured { offset_ms, since: None });
    }

    /// Takes a measurement made now, while the wall clock read `wall_ms`.
    pub fn measured(&self, offset_ms: i64, wall_ms: i64) {
        self.put(Measured { offset_ms, since: Some((wall_ms, Moment::now())) });
    }

    fn put(&self, measured: Measured) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(measured);
    }

    fn get(&self) -> Option<Measured> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As it was last told.
    #[must_use]
    pub fn ms(&self) -> Option<i64> {
        self.get().map(|measured| measured.offset_ms)
    }

    /// The cloud's time at a reading, just now, of the wall clock; Unix milliseconds.
    #[must_use]
    pub fn cloud_ms(&self, wall_ms: i64) -> Option<i64> {
        let Measured { offset_ms, since } = self.get()?;
        let expected_ms =
            since.map(|(then_ms, moment)| then_ms.saturating_add(moment.elapsed_ms()));
        let was_set = |expected_ms: &i64| expected_ms.abs_diff(wall_ms) > STEP_MS;
        Some(expected_ms.filter(was_set).unwrap_or(wall_ms).saturating_add(offset_ms))
    }
}

/// What a device part asks of the journal.
#[derive(Debug)]
pub enum Request {
    /// Write facts (punches, health, notices).
    Record { bodies: Vec<Body>, done: oneshot::Sender<Result<(), RecordError>> },
    /// Write that an attempt begins. Only after the answer may a byte leave.
    Begin {
        command_id: Uuid,
        attempt: u32,
        device: String,
        done: oneshot::Sender<Result<(), RecordError>>,
    },
    /// Write how a command fares; a final state settles it for ever.
    Report { report: CommandReport, done: oneshot::Sender<Result<(), RecordError>> },
    /// Whether the cloud has confirmed every fact written so far.
    Confirmed { done: oneshot::Sender<Result<(), RecordError>> },
}

/// Why something could not be written. Nothing may be done in that case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("the journal is full: {0}")]
    Full(String),
    #[error("the journal cannot write: {0}")]
    Broken(String),
    #[error("the journal has stopped")]
    Stopped,
    /// The command has ended or was never accepted: whoever holds it must let it go.
    #[error("command {0} is not waiting to be carried out")]
    NotWaiting(Uuid),
    /// So many facts are not yet confirmed by the cloud.
    #[error("{0} facts are not confirmed by the cloud yet")]
    Unconfirmed(u64),
}

/// A device part's way to the journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    requests: mpsc::Sender<Request>,
}

/// Makes a recorder and the end that the journal serves.
pub fn recorder() -> (Recorder, mpsc::Receiver<Request>) {
    let (requests, served) = mpsc::channel(REQUESTS_MAX);
    (Recorder { requests }, served)
}

/// A way to the journal that does not keep it open.
#[derive(Debug, Clone)]
pub struct WeakRecorder(mpsc::WeakSender<Request>);

impl WeakRecorder {
    /// `None` once the journal takes no more.
    #[must_use]
    pub fn upgrade(&self) -> Option<Recorder> {
        self.0.upgrade().map(|requests| Recorder { requests })
    }
}

impl Recorder {
    /// The journal closes when the last recorder is gone; this one does not count.
    #[must_use]
    pub fn downgrade(&self) -> WeakRecorder {
        WeakRecorder(self.requests.downgrade())
    }

    /// Writes facts; returns once they are on disk. Not cancel safe in the sense
    /// that a dropped call may still be written: facts must carry their own identity.
    pub async fn record(&self, bodies: Vec<Body>) -> Result<(), RecordError> {
        self.ask(|done| Request::Record { bodies, done }).await
    }

    /// Writes that an attempt begins; returns once it is on disk.
    pub async fn begin(
        &self,
        command_id: Uuid,
        attempt: u32,
        device: &str,
    ) -> Result<(), RecordError> {
        let device = device.to_owned();
        self.ask(|done| Request::Begin { command_id, attempt, device, done }).await
    }

    /// Writes how a command fares; returns once it is on disk.
    pub async fn report(&self, report: CommandReport) -> Result<(), RecordError> {
        self.ask(|done| Request::Report { report, done }).await
    }

    /// Whether the cloud has confirmed every fact written so far;
    /// [`RecordError::Unconfirmed`] where it has not.
    pub async fn confirmed(&self) -> Result<(), RecordError> {
        self.ask(|done| Request::Confirmed { done }).await
    }

    async fn ask(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<(), RecordError>>) -> Request,
    ) -> Result<(), RecordError> {
        let (done, answer) = oneshot::channel();
        self.requests.send(request(done)).await.map_err(|_| RecordError::Stopped)?;
        answer.await.map_err(|_| RecordError::Stopped)?
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_is_set_while_a_deadline_runs_moves_nothing() {
        const WALL_MS: i64 = 1_770_000_000_000;
        const YEAR_MS: i64 = 365 * 86_400_000;
        let offset = CloudOffset::default();
        assert_eq!(offset.cloud_ms(WALL_MS), None);
        offset.measured(-40_000, WALL_MS);
        assert_eq!(offset.cloud_ms(WALL_MS), Some(WALL_MS - 40_000));
        tokio::time::sleep(Duration::from_mins(1)).await;
        let expected_ms = WALL_MS - 40_000 + 60_000;
        for step_ms in [YEAR_MS, -YEAR_MS, -WALL_MS, 3_600_000, -300_000] {
            let told_ms = offset.cloud_ms(WALL_MS + 60_000 + step_ms).unwrap();
            assert!((told_ms - expected_ms).abs() < 10, "{step_ms}: {told_ms}");
        }
        // Drift is not a step: the wall clock is believed.
        assert_eq!(offset.cloud_ms(WALL_MS + 60_200), Some(expected_ms + 200));
    }
}
