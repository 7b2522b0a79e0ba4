//! What comes in for one printer: jobs into the queue, cancels and expiries answered.
//!
//! It goes on while a receipt is on its way: one that waits for paper may wait for hours,
//! and meanwhile a drawer must expire in time and a cancel be answered. Nothing is lost
//! when [`Desk::attend`] is dropped: what was taken lies in the queue or among the answers
//! owed before anything is waited for.

use std::collections::VecDeque;
use std::time::Duration;

use fournil_protocol::command::{Body, Cancel};
use fournil_protocol::event::CommandState;
use fournil_protocol::words;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::time::Instant;
use uuid::Uuid;

use super::narrator::{Leave, Narrator, Told};
use super::queue::{Entry, Queue};
use crate::seam::{CloudOffset, Job};
use crate::tunnel::ambient::Ambient;

/// How often the queue is looked through for what is too late.
const EXPIRE_EVERY: Duration = Duration::from_millis(500);

/// The printer's queue and the way into it.
pub(super) struct Desk {
    pub(super) queue: Queue,
    jobs: mpsc::Receiver<Job>,
    is_open: bool,
    /// Answers to be written, oldest first.
    owed: VecDeque<(Uuid, Told)>,
    /// A command asked how the printer is; answered after the next look.
    asked: Vec<Uuid>,
    cloud_offset: CloudOffset,
    ambient: Ambient,
}

impl Desk {
    pub(super) fn new(
        jobs: mpsc::Receiver<Job>,
        cloud_offset: CloudOffset,
        ambient: Ambient,
    ) -> Self {
        Self {
            queue: Queue::default(),
            jobs,
            is_open: true,
            owed: VecDeque::new(),
            asked: Vec::new(),
            cloud_offset,
            ambient,
        }
    }

    /// Whether jobs may still come.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Takes in what is there now, and answers.
    pub(super) async fn clear(&mut self, narrator: &Narrator) -> Result<(), Leave> {
        while self.is_open && !self.queue.is_full() {
            match self.jobs.try_recv() {
                Ok(job) => self.accept(job),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.is_open = false,
            }
        }
        self.expire();
        self.answer(narrator).await
    }

    /// Waits for the next job. Cancel safe.
    pub(super) async fn next(&mut self) {
        if !self.is_open || self.queue.is_full() {
            return std::future::pending().await;
        }
        match self.jobs.recv().await {
            Some(job) => self.accept(job),
            None => self.is_open = false,
        }
    }

    /// Takes in and answers until dropped, or until the journal is gone.
    pub(super) async fn attend(&mut self, narrator: &Narrator) -> Leave {
        loop {
            tokio::select! {
                biased;
                () = self.next() => {}
                () = tokio::time::sleep(EXPIRE_EVERY) => {}
            }
            if let Err(leave) = self.clear(narrator).await {
                return leave;
            }
        }
    }

    /// The commands that asked how the printer is.
    pub(super) fn take_asked(&mut self) -> Vec<Uuid> {
        std::mem::take(&mut self.asked)
    }

    /// Whether a job is too late to begin.
    pub(super) fn is_late(&self, entry: &Entry) -> bool {
        entry.expired(self.cloud_now_ms(), Instant::now())
    }

    fn cloud_now_ms(&self) -> Option<i64> {
        self.cloud_offset.cloud_ms((self.ambient.wall_ms)())
    }

    fn accept(&mut self, job: Job) {
        let told = match &job.command.body {
            Some(Body::Print(_) | Body::OpenDrawer(_)) => {
                self.queue.push(Entry::new(job, Instant::now()));
                return;
            }
            Some(Body::Cancel(cancel)) => self.cancel(cancel),
            Some(Body::ReadStatus(_)) => {
                self.asked.push(job.id);
                return;
            }
            Some(
                Body::ReadClock(_)
                | Body::SetClockTime(_)
                | Body::WriteClockUsers(_)
                | Body::ClearClockLog(_)
                | Body::SendDiagnostics(_),
            )
            | None => Told::new(
                CommandState::Unsupported,
                words::UNKNOWN_KIND,
                "a printer cannot do this",
            ),
        };
        self.owed.push_back((job.id, told));
    }

    fn cancel(&mut self, cancel: &Cancel) -> Told {
        let target = Uuid::from_slice(&cancel.command_id).ok();
        match target.and_then(|target| self.queue.cancel(target)) {
            Some(entry) => {
                let told = Told::new(CommandState::Cancelled, words::CANCELLED, "");
                self.owed.push_back((entry.job.id, told));
                Told::new(CommandState::Done, "", "")
            }
            None => Told::new(CommandState::Failed, words::TOO_LATE, "the command has begun"),
        }
    }

    fn expire(&mut self) {
        for entry in self.queue.expired(self.cloud_now_ms(), Instant::now()) {
            let reason = entry.waiting.as_deref().unwrap_or(words::DEADLINE_PASSED);
            let told = Told::new(CommandState::Expired, reason, "the deadline passed first");
            self.owed.push_back((entry.job.id, told.attempt(entry.attempt)));
        }
    }

    /// An answer that was dropped in the middle is written again, which changes nothing.
    async fn answer(&mut self, narrator: &Narrator) -> Result<(), Leave> {
        while let Some((id, told)) = self.owed.front().cloned() {
            narrator.report(id, told).await?;
            self.owed.pop_front();
        }
        Ok(())
    }
}
