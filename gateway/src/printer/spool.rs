//! The printer's part of the daemon: takes jobs, holds them while the printer is not
//! ready, prints each once, and says truthfully what is known afterwards.
//!
//! The rules: nothing begins past its deadline; the intent is on disk before the first
//! byte; an attempt of which not one byte left may be made again; one of which some
//! bytes left is proven, settled with the printer, or in doubt, and never repeated by
//! itself; a drawer is opened at most once. One job at a time; the queue is bounded
//! ([`queue::QUEUE_MAX`]), behind it the channel, behind that the journal.

mod settle;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fournil_protocol::command::{Body, OpenDrawer, Print};
use fournil_protocol::event::{CommandState, DeviceHealth};
use fournil_protocol::limits::{DOCUMENT_BLOCKS_MAX, JOB_BYTES_MAX};
use fournil_protocol::words;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::config::{ConfigError, PrinterConfig, drawer_pin};
use super::delivery::{Attempt, Delivered, Voice};
use super::escpos::{self, DrawerPin, Segment};
use super::narrator::{Leave, Narrator, Progress, Told, remedy};
use super::profile::{Profile, Tags};
use super::queue::{Entry, Queue};
use super::render::render;
use super::talk::{ANSWER_TIMEOUT, Talk};
use crate::seam::{Job, Recorder};

pub use super::delivery::Patience;

/// How often an idle printer is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often a printer that is not ready is asked again.
const RETRY_EVERY: Duration = Duration::from_secs(1);
const HEARD_MAX: usize = 64;

/// Runs one printer until `stop`, or until the journal or the senders are gone.
pub async fn run(
    config: PrinterConfig,
    recorder: Recorder,
    jobs: mpsc::Receiver<Job>,
    health: watch::Sender<DeviceHealth>,
    cloud_offset_ms: Arc<AtomicI64>,
    stop: CancellationToken,
) -> Result<(), ConfigError> {
    let patience = Patience::default();
    run_with(config, recorder, jobs, health, cloud_offset_ms, stop, patience).await
}

/// [`run`] with other waiting times.
pub async fn run_with(
    config: PrinterConfig,
    recorder: Recorder,
    jobs: mpsc::Receiver<Job>,
    health: watch::Sender<DeviceHealth>,
    cloud_offset_ms: Arc<AtomicI64>,
    stop: CancellationToken,
    patience: Patience,
) -> Result<(), ConfigError> {
    let (profile, drawer) = (config.profile()?, config.drawer()?);
    let device = config.name.clone();
    let mut spool = Spool {
        voice: match (profile.answers_status, profile.tags) {
            (false, _) => Some(Voice::None),
            (true, Tags::On) => Some(Voice::Tags),
            (true, Tags::Off) => Some(Voice::InOrder),
            (true, Tags::Probe) => None,
        },
        narrator: Narrator { device, recorder, health, stop: stop.clone() },
        config,
        profile,
        drawer,
        patience,
        queue: Queue::default(),
        talk: None,
        heard: VecDeque::new(),
        unclean: false,
        cloud_offset_ms,
        stop,
    };
    // `Leave` is the ordinary end: what is not settled stays in the journal.
    let _: Result<(), Leave> = spool.work(jobs).await;
    if let Some(talk) = spool.talk.take() {
        talk.close().await;
    }
    Ok(())
}

struct Spool {
    config: PrinterConfig,
    profile: Profile,
    drawer: DrawerPin,
    patience: Patience,
    narrator: Narrator,
    queue: Queue,
    talk: Option<Talk>,
    /// Tags that came back in conversations that are over: a look at the printer may
    /// meet the one that settles a job not yet offered. The newest [`HEARD_MAX`].
    heard: VecDeque<escpos::Tag>,
    /// `None` until a probe has told.
    voice: Option<Voice>,
    /// The last attempt may have left the printer inside a command or a half receipt.
    unclean: bool,
    cloud_offset_ms: Arc<AtomicI64>,
    stop: CancellationToken,
}

/// What to do with the job that was served.
enum Served {
    Settled(Told),
    /// Not ready, and why.
    Hold(String, String),
    /// Its end is not known: to be settled with the printer.
    Interrupted(String),
    /// Not one byte left: begin again.
    Again(String),
}

impl Spool {
    async fn work(&mut self, mut jobs: mpsc::Receiver<Job>) -> Result<(), Leave> {
        self.look().await;
        let mut open = true;
        loop {
            while open && !self.queue.is_full() {
                match jobs.try_recv() {
                    Ok(job) => self.accept(job).await?,
                    Err(mpsc::error::TryRecvError::Empty) => break,
                    Err(mpsc::error::TryRecvError::Disconnected) => open = false,
                }
            }
            self.expire().await?;
            let wait = if let Some(entry) = self.queue.pop() {
                self.serve_and_tell(entry).await?
            } else if open {
                self.rest().await;
                LOOK_EVERY
            } else {
                return Ok(());
            };
            if wait.is_zero() {
                continue;
            }
            // Cancel safe: a receive that is dropped has taken nothing.
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                job = jobs.recv(), if open && !self.queue.is_full() => match job {
                    Some(job) => self.accept(job).await?,
                    None => open = false,
                },
                () = tokio::time::sleep(wait) => if self.queue.is_empty() {
                    self.look().await;
                },
            }
        }
    }

    async fn accept(&mut self, job: Job) -> Result<(), Leave> {
        let id = job.id;
        let told = match &job.command.body {
            Some(Body::Print(_) | Body::OpenDrawer(_)) => {
                self.queue.push(Entry::new(job, Instant::now()));
                return Ok(());
            }
            Some(Body::Cancel(cancel)) => {
                let target = Uuid::from_slice(&cancel.command_id).ok();
                match target.and_then(|target| self.queue.cancel(target)) {
                    Some(entry) => {
                        let told = Told::new(CommandState::Cancelled, words::CANCELLED, "");
                        self.narrator.report(entry.job.id, told).await?;
                        Told::new(CommandState::Done, "", "")
                    }
                    None => {
                        Told::new(CommandState::Failed, words::TOO_LATE, "the command has begun")
                    }
                }
            }
            Some(Body::ReadStatus(_)) => {
                self.look().await;
                Told::new(CommandState::Done, "", "")
            }
            Some(Body::ReadClock(_)) | None => Told::new(
                CommandState::Unsupported,
                words::UNKNOWN_KIND,
                "a printer cannot do this",
            ),
        };
        self.narrator.report(id, told).await
    }

    async fn expire(&mut self) -> Result<(), Leave> {
        for entry in self.queue.expired(self.cloud_now_ms(), Instant::now()) {
            let reason = entry.waiting.as_deref().unwrap_or(words::DEADLINE_PASSED);
            let told = Told::new(CommandState::Expired, reason, "the deadline passed first");
            self.narrator.report(entry.job.id, told.attempt(entry.attempt)).await?;
        }
        Ok(())
    }

    fn cloud_now_ms(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        wall_ms.saturating_add(self.cloud_offset_ms.load(Ordering::Relaxed))
    }

    /// Serves a job; gives how long to wait before the next look at the queue.
    async fn serve_and_tell(&mut self, mut entry: Entry) -> Result<Duration, Leave> {
        let id = entry.job.id;
        let served = match entry.interrupted.clone() {
            Some(why) => self.settle(&mut entry, &why).await,
            None => self.serve(&mut entry).await?,
        };
        match served {
            Served::Settled(told) => {
                self.unclean |= told.state == CommandState::InDoubt;
                self.narrator.report(id, told.attempt(entry.attempt)).await?;
                return Ok(Duration::ZERO);
            }
            Served::Hold(reason, detail) => {
                if entry.waiting.as_ref() != Some(&reason) && entry.interrupted.is_none() {
                    let told = Told::new(CommandState::Waiting, &reason, detail);
                    self.narrator.report(id, told.attempt(entry.attempt)).await?;
                    entry.waiting = Some(reason);
                }
            }
            Served::Interrupted(why) => {
                self.drop_link();
                entry.interrupted = Some(why);
            }
            Served::Again(why) => {
                tracing::warn!(print.job = %id, why, "no byte left, the attempt is made again");
                self.drop_link();
            }
        }
        self.queue.put_back(entry);
        Ok(RETRY_EVERY)
    }

    async fn serve(&mut self, entry: &mut Entry) -> Result<Served, Leave> {
        match entry.job.command.body.clone() {
            Some(Body::Print(print)) => self.serve_print(entry, &print).await,
            Some(Body::OpenDrawer(drawer)) => self.serve_drawer(entry, drawer).await,
            // `accept` lets nothing else in.
            _ => Ok(Served::Settled(Told::new(CommandState::Unsupported, words::UNKNOWN_KIND, ""))),
        }
    }

    async fn serve_print(&mut self, entry: &mut Entry, print: &Print) -> Result<Served, Leave> {
        let failed = |reason: &str, detail: String| {
            Ok(Served::Settled(Told::new(CommandState::Failed, reason, detail)))
        };
        if print.document.blocks.len() > DOCUMENT_BLOCKS_MAX {
            let count = print.document.blocks.len();
            return failed(
                words::DOCUMENT_TOO_LARGE,
                format!("{count} blocks; {DOCUMENT_BLOCKS_MAX} at most"),
            );
        }
        let page = render(&print.document, &self.profile, !print.copy_of.is_empty());
        if page.lines.is_empty() {
            return failed(words::DOCUMENT_EMPTY, "nothing to print".to_owned());
        }
        let voice = match self.ready().await {
            Ok(voice) => voice,
            Err(hold) => return Ok(hold),
        };
        let attempt = entry.attempt + 1;
        let tags = (voice == Voice::Tags).then_some((entry.job.id, attempt));
        let mut segments = escpos::encode(&page, &self.profile, tags);
        let bytes: usize = segments.iter().map(|segment| segment.bytes.len()).sum();
        if bytes > JOB_BYTES_MAX {
            return failed(
                words::DOCUMENT_TOO_LARGE,
                format!("{bytes} bytes; {JOB_BYTES_MAX} at most"),
            );
        }
        if self.unclean {
            segments.insert(0, Segment { bytes: escpos::resync(), tag: None });
        }
        let detail = match page.lost {
            0 => String::new(),
            lost => {
                format!("{lost} characters that the printer has no letter for were printed as ?")
            }
        };
        let patience = self.patience;
        self.attempt(entry, &segments, voice, patience, detail).await
    }

    async fn serve_drawer(&mut self, entry: &mut Entry, open: OpenDrawer) -> Result<Served, Leave> {
        let pin = if open.pin == 0 { Some(self.drawer) } else { drawer_pin(open.pin) };
        let Some(pin) = pin else {
            let detail = format!("there is no pin {}; 2 and 5 exist", open.pin);
            return Ok(Served::Settled(Told::new(CommandState::Failed, words::DRAWER_PIN, detail)));
        };
        let ready = self.ready().await;
        let condition = self.talk.as_ref().map(|talk| talk.condition);
        let (bytes, voice) = match (ready, condition) {
            (Ok(voice), _) => (escpos::drawer(pin).to_vec(), voice),
            // It cannot print, and would open the drawer when it can again: ask at once.
            (Err(_), Some(c)) if self.profile.realtime_drawer && !c.ready() => {
                (escpos::drawer_now(pin).to_vec(), Voice::None)
            }
            (Err(hold), _) => return Ok(hold),
        };
        let tag = (voice == Voice::Tags).then(|| escpos::tag(entry.job.id, entry.attempt + 1, 0));
        let mut segment = Segment { bytes, tag };
        segment.bytes.extend(tag.iter().flat_map(|tag| escpos::ask_tag(*tag)));
        let seconds = super::queue::DRAWER_PATIENCE;
        let patience = Patience { stall: seconds, proof: seconds, ..self.patience };
        let served = self.attempt(entry, &[segment], voice, patience, String::new()).await?;
        Ok(match served {
            // Never tried again: somebody may have opened it with the key meanwhile.
            Served::Interrupted(detail) => {
                Served::Settled(Told::new(CommandState::InDoubt, words::CONNECTION_LOST, detail))
            }
            Served::Again(detail) => {
                Served::Settled(Told::new(CommandState::Failed, words::UNREACHABLE, detail))
            }
            other => other,
        })
    }

    /// Writes the intent, sends, waits for the proof.
    async fn attempt(
        &mut self,
        entry: &mut Entry,
        segments: &[Segment],
        voice: Voice,
        patience: Patience,
        detail: String,
    ) -> Result<Served, Leave> {
        let id = entry.job.id;
        let Some(mut talk) = self.talk.take() else {
            return Ok(Served::Again("the connection is gone".to_owned()));
        };
        if entry.expired(self.cloud_now_ms(), Instant::now()) {
            self.talk = Some(talk);
            return Ok(Served::Settled(Told::new(
                CommandState::Expired,
                words::DEADLINE_PASSED,
                "",
            )));
        }
        if !self.narrator.begin(id, entry.attempt + 1).await? {
            self.talk = Some(talk);
            return Ok(Served::Hold(words::JOURNAL_FULL.to_owned(), String::new()));
        }
        entry.attempt += 1;
        let attempt = Attempt { segments, voice, patience, stop: &self.stop };
        let mut progress = Progress::new(&self.narrator, id, entry.attempt, talk.condition);
        let delivered = attempt.deliver(&mut talk, &mut progress).await;
        self.unclean &= !matches!(delivered, Delivered::Proven(_));
        self.talk = Some(talk);
        Ok(match delivered {
            Delivered::Proven(evidence) => {
                Served::Settled(Told::new(CommandState::Done, "", detail).evidence(evidence))
            }
            Delivered::NothingSent(why) => Served::Again(why),
            Delivered::Broken(why) => Served::Interrupted(why),
            Delivered::Doubt { reason, detail } => {
                Served::Settled(Told::new(CommandState::InDoubt, reason, detail))
            }
            Delivered::Left => return Err(Leave),
        })
    }

    /// Opens the printer and asks how it is; no byte of a job leaves here.
    async fn ready(&mut self) -> Result<Voice, Served> {
        let unreachable = |spool: &mut Self, detail: String| {
            spool.drop_link();
            spool.narrator.unreachable(&detail);
            Err(Served::Hold(words::UNREACHABLE.to_owned(), detail))
        };
        let mut talk = match self.talk.take() {
            Some(talk) => talk,
            None => match Talk::open(&self.config.to).await {
                Ok(talk) => talk,
                Err(error) => return unreachable(self, error.told()),
            },
        };
        if self.profile.answers_status {
            match talk.refresh().await {
                Ok(true) => {}
                Ok(false) => {
                    let seconds = ANSWER_TIMEOUT.as_secs();
                    return unreachable(
                        self,
                        format!(
                            "connected, but the printer answered no question within {seconds} s (if it \
                             has no way back, give it the profile mute-80)"
                        ),
                    );
                }
                Err(error) => return unreachable(self, error.told()),
            }
        }
        self.narrator.condition(talk.condition);
        if !talk.condition.ready() {
            let code = talk.condition.code();
            self.talk = Some(talk);
            return Err(Served::Hold(code.to_owned(), remedy(code).to_owned()));
        }
        let voice = match self.voice {
            Some(voice) => voice,
            None => match settle::probe(&mut talk).await {
                Ok(voice) => *self.voice.insert(voice),
                Err(error) => return unreachable(self, error.told()),
            },
        };
        self.talk = Some(talk);
        Ok(voice)
    }

    /// Looks at an idle printer and says how it is.
    async fn look(&mut self) {
        // Its outcome is in the health; there is no job to hold.
        let _ = self.ready().await;
        self.rest().await;
    }

    /// Gives a network printer back while there is nothing to do.
    async fn rest(&mut self) {
        if let Some(talk) = self.talk.take_if(|talk| !talk.stays_open_when_idle()) {
            self.remember(&talk);
            talk.close().await;
        }
    }

    fn drop_link(&mut self) {
        if let Some(talk) = self.talk.take() {
            self.remember(&talk);
        }
    }

    fn remember(&mut self, talk: &Talk) {
        self.heard.extend(talk.tags());
        let surplus = self.heard.len().saturating_sub(HEARD_MAX);
        self.heard.drain(..surplus);
    }
}
