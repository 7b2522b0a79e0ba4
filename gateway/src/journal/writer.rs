//! The one thread that owns the engine: it takes what is queued, makes one commit of
//! it, and only then answers.
//!
//! It never waits for more work while somebody waits for it: under load the queue
//! fills during one fdatasync and the next covers all of it.

use std::collections::HashSet;
use std::time::Duration;

use fournil_protocol::command::Command;
use fournil_protocol::event::{Body, CommandReport};
use fournil_protocol::hello::{DownHead, UpHead};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::disk::FolderLock;
use super::engine::{Engine, Need};
use super::notice::OwnNotice;
use super::open::{Setting, Why};
use super::record::Closed;
use super::uplink::ReadLimit;
use super::{AcceptError, Accepted, EventRun, JournalStat, UpError, UpMark};
use crate::seam::{Job, RecordError};

/// Longest time spent on gathering work for one commit.
const GATHER_MAX: Duration = Duration::from_millis(2);
/// A disk that failed is tried again no more often than this.
const RECOVERY_PAUSE: Duration = Duration::from_secs(1);

/// How an answer travels back. Dropped unanswered, it tells the asker that the journal
/// has stopped.
pub(super) type Reply<T, E = RecordError> = Box<dyn FnOnce(Result<T, E>) + Send>;

/// What the writer can be asked.
pub(super) enum Ask {
    Append { bodies: Vec<Body>, reply: Reply<u64> },
    Begin { command_id: Uuid, attempt: u32, device: String, reply: Reply<()> },
    Report { report: CommandReport, reply: Reply<()> },
    Accept { epoch: u64, commands: Vec<Command>, reply: Reply<Accepted, AcceptError> },
    ResumeDown { epoch: u64, resume_from: u64, reply: Reply<(), AcceptError> },
    AckUp { epoch: u64, seq: u64, reply: Reply<(), UpError> },
    ResumeUp { epoch: u64, durable: u64, reply: Reply<(), UpError> },
    RenewEpoch { carry_from: u64, reply: Reply<()> },
    Read { from: u64, limit: ReadLimit, reply: Reply<EventRun> },
    Heads { reply: Reply<(UpHead, DownHead)> },
    Pending { skip: HashSet<Uuid>, jobs_max: usize, reply: Reply<Vec<Job>> },
    Probe { reply: Reply<()> },
    Confirmed { reply: Reply<()> },
    Stat { reply: Reply<JournalStat> },
    Close { reply: Reply<()> },
}

/// Answers that wait for the commit.
type Waiting = Vec<Box<dyn FnOnce(Result<(), RecordError>) + Send>>;

/// The thread's state.
pub(super) struct Writer {
    pub(super) setting: Setting,
    pub(super) engine: Engine,
    pub(super) changed: watch::Sender<UpMark>,
    /// Held as long as the thread lives.
    pub(super) lock: FolderLock,
    pub(super) tried_at: Option<Instant>,
}

impl Writer {
    /// Serves until it is closed or the last handle is gone.
    pub(super) fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
        let mut closing = None;
        while let Some(first) = asks.blocking_recv() {
            self.recover();
            let mut waiting = Waiting::new();
            let began = Instant::now();
            let mut next = Some(first);
            while let Some(ask) = next {
                if let Ask::Close { reply } = ask {
                    closing = Some(reply);
                    break;
                }
                self.serve(ask, &mut waiting);
                let is_over = began.elapsed() >= GATHER_MAX;
                next = if is_over { None } else { asks.try_recv().ok() };
            }
            self.settle(waiting);
            if closing.is_some() {
                break;
            }
            self.keep_house();
        }
        let end = self.close();
        // The lock goes before the answer: whoever waited may open the folder again.
        drop((self.engine, self.lock));
        if let Some(reply) = closing {
            reply(end);
        }
    }

    /// One question, one commit.
    #[cfg(feature = "testing")]
    pub(super) fn answer_one(&mut self, ask: Ask) {
        self.recover();
        let mut waiting = Waiting::new();
        self.serve(ask, &mut waiting);
        self.settle(waiting);
        self.keep_house();
    }

    fn serve(&mut self, ask: Ask, waiting: &mut Waiting) {
        match ask {
            Ask::Append { bodies, reply } => {
                let staged = self.engine.append(bodies);
                hold(waiting, staged, reply);
            }
            Ask::Begin { command_id, attempt, device, reply } => {
                let staged = self.engine.begin(command_id, attempt, device);
                hold(waiting, staged, reply);
            }
            Ask::Report { report, reply } => {
                let staged = self.engine.report(&report);
                hold(waiting, staged, reply);
            }
            Ask::Accept { epoch, commands, reply } => {
                let staged = self.engine.accept(epoch, commands);
                hold(waiting, staged, reply);
            }
            Ask::ResumeDown { epoch, resume_from, reply } => {
                let staged = self.engine.resume_down(epoch, resume_from);
                hold(waiting, staged, reply);
            }
            Ask::AckUp { epoch, seq, reply } => reply(self.engine.ack_up(epoch, seq)),
            Ask::ResumeUp { epoch, durable, reply } => {
                let staged = self.engine.resume_up(epoch, durable);
                hold(waiting, staged, reply);
            }
            Ask::RenewEpoch { carry_from, reply } => {
                let done = self.engine.renew_epoch(carry_from, "the cloud asked for it");
                hold(waiting, done, reply);
            }
            Ask::Read { .. }
            | Ask::Heads { .. }
            | Ask::Pending { .. }
            | Ask::Probe { .. }
            | Ask::Confirmed { .. }
            | Ask::Stat { .. }
            | Ask::Close { .. } => {
                // Only what is durable may be shown: an event that was sent and then lost
                // in a crash would leave its sequence to another one, and a head hash that
                // is gone would look like a copied disk.
                let done = self.engine.commit();
                self.answer(std::mem::take(waiting), &done);
                self.show(ask);
            }
        }
    }

    fn show(&mut self, ask: Ask) {
        let alive = match &self.engine.failed {
            Some(reason) => Err(RecordError::Broken(reason.clone())),
            None => Ok(()),
        };
        match ask {
            Ask::Read { from, limit, reply } => {
                reply(alive.and_then(|()| self.engine.read_events(from, limit)));
            }
            Ask::Heads { reply } => {
                reply(alive.map(|()| (self.engine.up_head(), self.engine.down_head())));
            }
            Ask::Pending { skip, jobs_max, reply } => {
                let jobs = alive.and_then(|()| self.engine.pending_jobs(&skip, jobs_max));
                if let Err(RecordError::Broken(reason)) = &jobs {
                    // Rot found while running is handled as at a start.
                    self.engine.failed.get_or_insert_with(|| reason.clone());
                }
                reply(jobs);
            }
            Ask::Probe { reply } => reply(alive.and_then(|()| self.engine.probe())),
            Ask::Confirmed { reply } => reply(alive.and_then(|()| self.engine.confirmed())),
            Ask::Stat { reply } => reply(alive.map(|()| self.engine.stat())),
            _ => {}
        }
    }

    /// Commits, answers, and tells the tunnel.
    fn settle(&mut self, waiting: Waiting) {
        let nobody_waits = waiting.is_empty();
        let done = if nobody_waits { self.engine.flush() } else { self.engine.commit() };
        self.answer(waiting, &done);
    }

    fn answer(&self, waiting: Waiting, done: &Result<(), RecordError>) {
        for answer in waiting {
            answer(done.clone());
        }
        self.publish();
    }

    fn publish(&self) {
        if self.engine.failed.is_some() || self.engine.has_staged() {
            return;
        }
        let mark = UpMark { epoch: self.engine.state.up.epoch, last: self.engine.state.up.last };
        self.changed.send_if_modified(|known| std::mem::replace(known, mark) != mark);
    }

    /// What nobody waits for: the journal's own notices, its age, and letting go of old
    /// segments.
    fn keep_house(&mut self) {
        if self.engine.failed.is_some() {
            return;
        }
        let has_told = self.engine.tell();
        if has_told && self.engine.commit().is_ok() {
            self.publish();
        }
        if let Err(error) = self.engine.note_age() {
            tracing::debug!(error = %error, "the age is not written down for now");
        }
        if let Err(error) = self.engine.retain() {
            tracing::warn!(error = %error, "old segments stay for now");
        }
    }

    /// After a failure the engine knows more than the disk: starts over from the disk.
    fn recover(&mut self) {
        let is_early = self.tried_at.is_some_and(|at| at.elapsed() < RECOVERY_PAUSE);
        if self.engine.failed.is_none() || is_early {
            return;
        }
        self.tried_at = Some(Instant::now());
        match self.setting.open(Why::Recovery) {
            Ok((mut engine, _)) => {
                tracing::info!("le journal écrit de nouveau");
                engine.losses = self.engine.losses;
                engine.notices.append(&mut self.engine.notices);
                if let Some(reason) = &self.engine.failed {
                    engine.note(OwnNotice::recovered(reason));
                }
                self.engine = engine;
                self.publish();
            }
            Err(error) => tracing::error!(
                error = %error,
                "le journal ne peut toujours pas écrire : libérez de la place (df -h) ou vérifiez \
                 le disque (dmesg)"
            ),
        }
    }

    fn close(&mut self) -> Result<(), RecordError> {
        let age = self.engine.age();
        let closed = Closed {
            wall_ms: self.setting.time.wall_ms(),
            lived_ms: age.lived_ms,
            boot_id: age.boot_id.to_vec(),
            boot_ms: age.boot_ms,
        };
        self.engine.stage(closed, Need::Vital)?;
        self.engine.commit()
    }
}

/// Keeps an answer until the commit; a refusal needs no disk and goes out at once.
fn hold<T, E>(waiting: &mut Waiting, staged: Result<T, E>, reply: Reply<T, E>)
where
    T: Send + 'static,
    E: From<RecordError> + 'static,
{
    match staged {
        Ok(value) => waiting.push(Box::new(move |done| {
            reply(done.map(|()| value).map_err(E::from));
        })),
        Err(error) => reply(Err(error)),
    }
}
