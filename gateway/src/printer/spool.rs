//! The printer's part of the daemon: takes jobs, holds them while the printer is not
//! ready, prints each once, and says truthfully what is known afterwards.
//!
//! The rules: nothing begins past its deadline; the intent is on disk before the first
//! byte; an attempt of which not one byte left may be made again; one of which some
//! bytes left is proven, settled with the printer, or in doubt, and never repeated by
//! itself; a drawer is opened at most once; once the daemon stops nothing begins. One job
//! at a time; the queue is bounded ([`super::queue::QUEUE_MAX`]), behind it the channel,
//! behind that the journal.

mod settle;

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use fournil_protocol::command::{Body, OpenDrawer, Print};
use fournil_protocol::event::{CommandState, DeviceHealth};
use fournil_protocol::limits::{DOCUMENT_BLOCKS_MAX, JOB_BYTES_MAX};
use fournil_protocol::words;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::config::{ConfigError, PrinterConfig, drawer_pin};
use super::delivery::{Attempt, Delivered, Voice};
use super::desk::Desk;
use super::escpos::{self, DrawerPin, Segment};
use super::narrator::{Begin, Leave, Narrator, Progress, Told, remedy};
use super::profile::{Profile, Tags};
use super::queue::Entry;
use super::render::render;
use super::talk::{ANSWER_TIMEOUT, Talk};
use crate::i18n::say;
use crate::seam::{CloudOffset, Job, Recorder};
use crate::supervise::progress;
use crate::tunnel::ambient::Ambient;

pub use super::delivery::Patience;

/// How often an idle printer is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often a printer that is not ready is asked again.
const RETRY_EVERY: Duration = Duration::from_secs(1);
const HEARD_MAX: usize = 64;
/// Longest time between two turns of the loop, or two looks at a job under way.
const TURN_MAX: Duration = Duration::from_mins(2);

/// Runs one printer until `stop`, or until the journal or the senders are gone.
pub async fn run(
    config: PrinterConfig,
    recorder: Recorder,
    jobs: mpsc::Receiver<Job>,
    health: watch::Sender<DeviceHealth>,
    cloud_offset: CloudOffset,
    stop: CancellationToken,
) -> Result<(), ConfigError> {
    let (patience, ambient) = (Patience::default(), Ambient::system());
    run_with(config, recorder, jobs, health, (cloud_offset, ambient), stop, patience).await
}

/// [`run`] with another clock and other waiting times.
pub async fn run_with(
    config: PrinterConfig,
    recorder: Recorder,
    jobs: mpsc::Receiver<Job>,
    health: watch::Sender<DeviceHealth>,
    (cloud_offset, ambient): (CloudOffset, Ambient),
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
        desk: Desk::new(jobs, cloud_offset, ambient),
        talk: None,
        heard: VecDeque::new(),
        unclean: false,
        stop,
    };
    // `Leave` is the ordinary end: what is not settled stays in the journal.
    let _: Result<(), Leave> = spool.work().await;
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
    desk: Desk,
    talk: Option<Talk>,
    /// Tags that came back in conversations that are over: a look at the printer may
    /// meet the one that settles a job not yet offered. The newest [`HEARD_MAX`].
    heard: VecDeque<escpos::Tag>,
    /// `None` until a probe has told.
    voice: Option<Voice>,
    /// The last attempt may have left the printer inside a command or a half receipt.
    unclean: bool,
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
    /// The command has ended without this printer: nothing is left to do or to tell.
    Gone,
}

impl Spool {
    async fn work(&mut self) -> Result<(), Leave> {
        self.look().await;
        loop {
            progress(TURN_MAX);
            self.desk.clear(&self.narrator).await?;
            self.answer_asked().await?;
            // What has not begun stays in the journal for the next start.
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let wait = if let Some(entry) = self.desk.queue.pop() {
                self.serve_and_tell(entry).await?
            } else if self.desk.is_open() {
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
                biased;
                () = self.stop.cancelled() => return Ok(()),
                () = self.desk.next() => {}
                () = tokio::time::sleep(wait) => if self.desk.queue.is_empty() {
                    self.look().await;
                },
            }
        }
    }

    /// Answers those who asked how the printer is, after a look at it.
    async fn answer_asked(&mut self) -> Result<(), Leave> {
        let asked = self.desk.take_asked();
        if !asked.is_empty() {
            self.look().await;
        }
        for id in asked {
            self.narrator.report(id, Told::new(CommandState::Done, "", "")).await?;
        }
        Ok(())
    }

    /// Serves a job; gives how long to wait before the next look at the queue.
    async fn serve_and_tell(&mut self, mut entry: Entry) -> Result<Duration, Leave> {
        let id = entry.job.id;
        let served = match entry.interrupted.clone() {
            Some(why) => {
                let stop = self.stop.clone();
                // Prints nothing, so it may be dropped: the next start settles it.
                tokio::select! {
                    served = self.settle(&mut entry, &why) => served,
                    () = stop.cancelled() => return Err(Leave),
                }
            }
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
            Served::Gone => {
                tracing::warn!(print.job = %id, "{}", say("printer-already-ended", &[]));
                return Ok(Duration::ZERO);
            }
        }
        self.desk.queue.put_back(entry);
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
        let voice = match self.ready_unless_stopped().await? {
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
                format!("{lost} characters or pictures could not be printed as they are")
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
        let ready = self.ready_unless_stopped().await?;
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
        // Paper may have been waited for: the daemon may have been told to stop meanwhile.
        if self.stop.is_cancelled() {
            self.talk = Some(talk);
            return Err(Leave);
        }
        if self.desk.is_late(entry) {
            self.talk = Some(talk);
            return Ok(Served::Settled(Told::new(
                CommandState::Expired,
                words::DEADLINE_PASSED,
                "",
            )));
        }
        let begin = self.narrator.begin(id, entry.attempt + 1).await;
        if begin != Ok(Begin::Written) {
            self.talk = Some(talk);
            return match begin? {
                Begin::NotWaiting => Ok(Served::Gone),
                _ => Ok(Served::Hold(words::JOURNAL_FULL.to_owned(), String::new())),
            };
        }
        entry.attempt += 1;
        let attempt = Attempt { segments, voice, patience, stop: &self.stop };
        let mut progress = Progress::new(&self.narrator, id, entry.attempt, talk.condition);
        // Not dropped half way: what is on its way goes on alone when the desk has to close.
        let delivered = {
            let mut delivering = pin!(attempt.deliver(&mut talk, &mut progress));
            tokio::select! {
                biased;
                delivered = &mut delivering => delivered,
                Leave = self.desk.attend(&self.narrator) => delivering.await,
            }
        };
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

    /// [`Self::ready`], dropped when the daemon stops: an opening may take seconds.
    async fn ready_unless_stopped(&mut self) -> Result<Result<Voice, Served>, Leave> {
        let stop = self.stop.clone();
        tokio::select! {
            ready = self.ready() => Ok(ready),
            () = stop.cancelled() => Err(Leave),
        }
    }

    /// Opens the printer and asks how it is; no byte of a job leaves here.
    async fn ready(&mut self) -> Result<Voice, Served> {
        let unreachable = |spool: &mut Self, detail: String| {
            spool.drop_link();
            spool.narrator.unreachable(&detail);
            Err(Served::Hold(words::UNREACHABLE.to_owned(), detail))
        };
        let mut talk = match self.settled_talk().await {
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
                    return unreachable(self, say("printer-no-voice", &[("seconds", &seconds)]));
                }
                Err(error) => return unreachable(self, error.told()),
            }
        }
        self.narrator.condition(talk.condition);
        if !talk.condition.ready() {
            let code = talk.condition.code();
            self.talk = Some(talk);
            return Err(Served::Hold(code.to_owned(), remedy(code)));
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

    /// The conversation, if it can be trusted: where an answer is still owed, it would be
    /// taken for the answer to the next question.
    async fn settled_talk(&mut self) -> Option<Talk> {
        let mut talk = self.talk.take()?;
        let is_settled = !talk.owes_answers()
            || matches!(talk.listen(ANSWER_TIMEOUT, |talk| !talk.owes_answers()).await, Ok(true));
        if is_settled {
            return Some(talk);
        }
        self.remember(&talk);
        talk.close().await;
        None
    }

    /// Looks at an idle printer and says how it is.
    async fn look(&mut self) {
        // Its outcome is in the health; there is no job to hold.
        let _ = self.ready_unless_stopped().await;
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
