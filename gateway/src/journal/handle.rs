//! The journal as the rest of the daemon calls it.
//!
//! Every call is one message to the writer's thread and one answer. Calls may be
//! dropped at any await: what was already queued is still carried out.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use fournil_protocol::command::Command;
use fournil_protocol::event::{Body, CommandReport};
use fournil_protocol::hello::{DownHead, UpHead};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::config::JournalConfig;
use super::disk::{Disk, LocalDisk, lock_folder};
use super::open::{Setting, Why};
use super::time::TimeSource;
use super::uplink::ReadLimit;
use super::writer::{Ask, Reply, Writer};
use super::{AcceptError, Accepted, EventRun, JournalError, JournalStat, Opened, UpError, UpMark};
use crate::seam::{Job, RecordError, Request};

/// Questions waiting for the writer; whoever finds it full waits.
const ASKS_MAX: usize = 256;

/// A handle on the journal. Cheap to clone. When the last one is gone, or after
/// [`Journal::close`], the writer stops and the folder is free.
#[derive(Debug, Clone)]
pub struct Journal {
    way: Way,
    changed: watch::Receiver<UpMark>,
    time: TimeSource,
}

/// How a question gets to the writer.
#[derive(Debug, Clone)]
enum Way {
    /// To its thread.
    Thread(mpsc::Sender<Ask>),
    /// It is answered on the spot, in the simulation's own time.
    #[cfg(feature = "testing")]
    Here(super::here::Desk),
}

impl Way {
    async fn give(&self, ask: Ask) -> Result<(), RecordError> {
        match self {
            Self::Thread(asks) => asks.send(ask).await.map_err(|_| RecordError::Stopped),
            #[cfg(feature = "testing")]
            Self::Here(desk) => desk.give(ask).await,
        }
    }
}

impl Journal {
    /// Opens or makes the journal in `folder`. Blocks while it reads it (about a second
    /// per 100 MiB): call it before the runtime is busy, or on a blocking thread.
    pub fn open(
        folder: &Path,
        config: JournalConfig,
        time: TimeSource,
    ) -> Result<(Self, Opened), JournalError> {
        config.check()?;
        Self::open_on(folder, config, time, Arc::new(LocalDisk))
    }

    pub(super) fn open_on(
        folder: &Path,
        config: JournalConfig,
        time: TimeSource,
        disk: Arc<dyn Disk>,
    ) -> Result<(Self, Opened), JournalError> {
        let (writer, changed, opened) = writer_on(folder, config, time.clone(), disk)?;
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(asked))
            .map_err(|source| JournalError::Io {
                what: "start the writer of",
                path: folder.to_owned(),
                source,
            })?;
        Ok((Self { way: Way::Thread(asks), changed, time }, opened))
    }

    /// Opens the journal without a thread: each question is answered where it is asked, at
    /// the pace that `desk` keeps.
    #[cfg(feature = "testing")]
    pub fn open_here(
        folder: &Path,
        config: JournalConfig,
        time: TimeSource,
        disk: Arc<dyn Disk>,
        desk: super::here::Desk,
    ) -> Result<(Self, Opened), JournalError> {
        let (writer, changed, opened) = writer_on(folder, config, time.clone(), disk)?;
        desk.seat(writer);
        Ok((Self { way: Way::Here(desk), changed, time }, opened))
    }

    /// Serves the device parts until all of them are gone. Not answered while the writer
    /// is behind: the seam's queue fills and devices wait.
    pub async fn serve(&self, mut requests: mpsc::Receiver<Request>) {
        while let Some(request) = requests.recv().await {
            if self.way.give(ask_of(request)).await.is_err() {
                return;
            }
        }
    }

    /// Writes facts, stamped now, and gives the newest sequence of the up log.
    pub async fn append(&self, bodies: Vec<Body>) -> Result<u64, RecordError> {
        self.ask(|reply| Ask::Append { bodies, reply }).await
    }

    /// Writes that an attempt begins, and tells the cloud.
    pub async fn begin(
        &self,
        command_id: Uuid,
        attempt: u32,
        device: String,
    ) -> Result<(), RecordError> {
        self.ask(|reply| Ask::Begin { command_id, attempt, device, reply }).await
    }

    /// Writes how a command fares, and tells the cloud. A report on a settled command
    /// changes nothing.
    pub async fn report(&self, report: CommandReport) -> Result<(), RecordError> {
        self.ask(|reply| Ask::Report { report, reply }).await
    }

    /// Takes a run of the down log. On return everything up to `down_durable` is on disk
    /// and may be acknowledged; `fresh` is to be handed to the devices.
    pub async fn accept(
        &self,
        epoch: u64,
        commands: Vec<Command>,
    ) -> Result<Accepted, AcceptError> {
        self.ask(|reply| Ask::Accept { epoch, commands, reply }).await
    }

    /// Takes from the Welcome where the cloud's down log goes on. A new epoch moves the
    /// cursor and keeps every id that was seen.
    pub async fn resume_down(&self, epoch: u64, resume_from: u64) -> Result<(), AcceptError> {
        self.ask(|reply| Ask::ResumeDown { epoch, resume_from, reply }).await
    }

    /// Takes a cumulative acknowledgement.
    pub async fn ack_up(&self, epoch: u64, seq: u64) -> Result<(), UpError> {
        self.ask(|reply| Ask::AckUp { epoch, seq, reply }).await
    }

    /// Takes from the Welcome what the cloud has, which may be less than it once
    /// acknowledged. Afterwards events are read from `durable + 1` on.
    pub async fn resume_up(&self, epoch: u64, durable: u64) -> Result<(), UpError> {
        self.ask(|reply| Ask::ResumeUp { epoch, durable, reply }).await
    }

    /// Begins a new up log with the kept events from `carry_from` on: the way out of
    /// [`UpError::Gone`]. The session must say Hello again.
    pub async fn renew_up_epoch(&self, carry_from: u64) -> Result<(), RecordError> {
        self.ask(|reply| Ask::RenewEpoch { carry_from, reply }).await
    }

    /// Reads durable events from disk, within both bounds (a single event larger than
    /// `bytes_max` comes alone). Empty at the end of the log.
    pub async fn read_events(
        &self,
        from: u64,
        events_max: usize,
        bytes_max: usize,
    ) -> Result<EventRun, RecordError> {
        let limit = ReadLimit { events_max, bytes_max };
        self.ask(|reply| Ask::Read { from, limit, reply }).await
    }

    /// Where both logs stand, for Hello.
    pub async fn heads(&self) -> Result<(UpHead, DownHead), RecordError> {
        self.ask(|reply| Ask::Heads { reply }).await
    }

    /// Commands accepted and not settled, in order, without those in `skip` (which the
    /// caller has already handed to a device). `interrupted_attempt` is set where an
    /// attempt began before this start of the daemon.
    pub async fn pending_jobs(
        &self,
        skip: HashSet<Uuid>,
        jobs_max: usize,
    ) -> Result<Vec<Job>, RecordError> {
        self.ask(|reply| Ask::Pending { skip, jobs_max, reply }).await
    }

    /// Shows that the writer lives (it answers) and that the disk takes what it is given (it
    /// says yes).
    pub async fn probe(&self) -> Result<(), RecordError> {
        self.ask(|reply| Ask::Probe { reply }).await
    }

    /// How the journal stands.
    pub async fn stat(&self) -> Result<JournalStat, RecordError> {
        self.ask(|reply| Ask::Stat { reply }).await
    }

    /// Wakes whenever the newest durable event changes.
    pub fn changed(&self) -> watch::Receiver<UpMark> {
        self.changed.clone()
    }

    /// What the tunnel measured: cloud time minus wall time. Stamped into events.
    pub fn set_cloud_offset_ms(&self, offset_ms: Option<i64>) {
        self.time.set_cloud_offset_ms(offset_ms);
    }

    /// The time that events are stamped with.
    pub fn time(&self) -> &TimeSource {
        &self.time
    }

    /// Stops in good order. Afterwards the folder may be opened again.
    pub async fn close(&self) -> Result<(), RecordError> {
        self.ask(|reply| Ask::Close { reply }).await
    }

    async fn ask<T, E>(&self, ask: impl FnOnce(Reply<T, E>) -> Ask) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RecordError> + Send + 'static,
    {
        let (done, answer) = oneshot::channel();
        let reply = Box::new(move |result| drop(done.send(result)));
        self.way.give(ask(reply)).await?;
        answer.await.map_err(|_| RecordError::Stopped)?
    }
}

/// Locks and reads the folder.
fn writer_on(
    folder: &Path,
    config: JournalConfig,
    time: TimeSource,
    disk: Arc<dyn Disk>,
) -> Result<(Writer, watch::Receiver<UpMark>, Opened), JournalError> {
    let lock = lock_folder(folder)?;
    let setting = Setting { folder: folder.to_owned(), config, disk, time };
    let (engine, opened) = setting.open(Why::Start)?;
    let mark = UpMark { epoch: engine.state.up.epoch, last: engine.state.up.last };
    let (told, changed) = watch::channel(mark);
    Ok((Writer { setting, engine, changed: told, lock, tried_at: None }, changed, opened))
}

fn ask_of(request: Request) -> Ask {
    match request {
        Request::Record { bodies, done } => Ask::Append {
            bodies,
            reply: Box::new(move |result| drop(done.send(result.map(|_| ())))),
        },
        Request::Begin { command_id, attempt, device, done } => {
            let reply = Box::new(move |result| drop(done.send(result)));
            Ask::Begin { command_id, attempt, device, reply }
        }
        Request::Report { report, done } => {
            let reply = Box::new(move |result| drop(done.send(result)));
            Ask::Report { report, reply }
        }
        Request::Confirmed { done } => {
            Ask::Confirmed { reply: Box::new(move |result| drop(done.send(result))) }
        }
    }
}
