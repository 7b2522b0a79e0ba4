//! The seam between the durable half (tunnel and journal) and the devices: one set
//! of messages, so that the halves can also run as two processes.
//!
//! Down come [`Job`]s. Up go [`Request`]s, each answered only once it is on disk:
//! an intent is durable before its effect, the evidence after it. If nothing can
//! be recorded, nothing is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use fournil_protocol::command::Command;
use fournil_protocol::event::{Body, CommandReport};
use tokio::sync::{mpsc, oneshot};
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

/// Cloud time minus wall time, for whoever checks a deadline. Unknown until the cloud has
/// been heard once: nothing that has a deadline may begin before. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CloudOffset(Arc<AtomicI64>);

/// No clock is wrong by 292 million years.
const OFFSET_UNKNOWN: i64 = i64::MIN;

impl Default for CloudOffset {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(OFFSET_UNKNOWN)))
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

    pub fn set_ms(&self, offset_ms: i64) {
        self.0.store(offset_ms, Ordering::Relaxed);
    }

    #[must_use]
    pub fn ms(&self) -> Option<i64> {
        let offset_ms = self.0.load(Ordering::Relaxed);
        (offset_ms != OFFSET_UNKNOWN).then_some(offset_ms)
    }

    /// The cloud's time at a reading of the wall clock, Unix milliseconds.
    #[must_use]
    pub fn cloud_ms(&self, wall_ms: i64) -> Option<i64> {
        self.ms().map(|offset_ms| wall_ms.saturating_add(offset_ms))
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

impl Recorder {
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

    async fn ask(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<(), RecordError>>) -> Request,
    ) -> Result<(), RecordError> {
        let (done, answer) = oneshot::channel();
        self.requests.send(request(done)).await.map_err(|_| RecordError::Stopped)?;
        answer.await.map_err(|_| RecordError::Stopped)?
    }
}
