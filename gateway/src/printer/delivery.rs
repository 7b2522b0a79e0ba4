//! One attempt to bring bytes to paper, and what is known of it afterwards.
//!
//! Counts are kept to the byte because they decide: nothing handed over may be tried
//! again, something handed over without proof is a doubt that only a person settles.
//! Deadlines run only while the printer says that it is well: a receipt that meets the
//! end of the roll waits for the next one and then goes on.

use std::time::Duration;

use fournil_protocol::event::Evidence;
use fournil_protocol::words;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::escpos::{self, Segment, Tag};
use super::narrator::Progress;
use super::status::Condition;
use super::talk::Talk;
use super::transport::LinkError;
use crate::supervise::progress;

/// How long to listen before looking at the clocks again.
const TICK: Duration = Duration::from_millis(250);
/// How often to look whether the last bytes have left.
const DRAIN_TICK: Duration = Duration::from_millis(20);
/// How often the printer is asked how it is while a proof is awaited.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// How long a tag may come behind the answer to the question that stood behind it.
const TAG_AFTER_ANSWER: Duration = Duration::from_secs(3);
/// A stop of the daemon lets a running print come to its proof, within this; the supervisor
/// waits a little longer.
const STOP_GRACE: Duration = Duration::from_millis(2_500);
/// A job under way is looked at more often than this.
const PROGRESS: Duration = Duration::from_secs(30);

/// How long an attempt waits for a printer that says it is well.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Without taking a byte.
    pub stall: Duration,
    /// Between the last byte and the proof.
    pub proof: Duration,
    /// For the printer to come back after the connection broke in a job.
    pub settle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            proof: Duration::from_secs(30),
            settle: Duration::from_mins(1),
        }
    }
}

/// What a printer can say about a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// It returns the tag behind the cut.
    Tags,
    /// It answers questions in order.
    InOrder,
    None,
}

/// How an attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    Proven(Evidence),
    /// Not one byte was handed over.
    NothingSent(String),
    /// The connection broke; some bytes were handed over.
    Broken(String),
    /// The printer says it is well and does not print or prove.
    Doubt {
        reason: &'static str,
        detail: String,
    },
    /// The daemon is stopping.
    Left,
}

pub(super) struct Attempt<'a> {
    pub segments: &'a [Segment],
    pub voice: Voice,
    pub patience: Patience,
    pub stop: &'a CancellationToken,
}

/// What stops an attempt before its proof.
enum Halt {
    Link(LinkError),
    Stalled,
    Unproven,
    Left,
}

impl From<LinkError> for Halt {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl Attempt<'_> {
    /// Sends and waits for the proof. `progress` hears of each condition the printer
    /// comes into meanwhile.
    pub(super) async fn deliver(&self, talk: &mut Talk, progress: &mut Progress<'_>) -> Delivered {
        let mut sent = 0;
        let ended = match self.send(talk, &mut sent, progress).await {
            Ok(()) => self.prove(talk, progress).await,
            Err(halt) => Err(halt),
        };
        match ended {
            Ok(evidence) => Delivered::Proven(evidence),
            Err(Halt::Left) => Delivered::Left,
            Err(Halt::Link(error)) if sent == 0 && error.uncertain_bytes == 0 => {
                Delivered::NothingSent(error.told())
            }
            Err(Halt::Link(error)) => Delivered::Broken(format!(
                "after {sent} of {} bytes: {}",
                self.bytes(),
                error.told()
            )),
            // A chunk with the writer of a serial line leaves when the line goes on.
            Err(Halt::Stalled) if sent == 0 && talk.in_flight() == 0 => {
                Delivered::NothingSent("the printer takes no bytes".to_owned())
            }
            Err(Halt::Stalled) => Delivered::Doubt {
                reason: words::STALLED,
                detail: format!(
                    "the printer took {sent} of {} bytes and then none for {} s",
                    self.bytes(),
                    self.patience.stall.as_secs()
                ),
            },
            Err(Halt::Unproven) => Delivered::Doubt {
                reason: words::NO_PROOF,
                detail: format!(
                    "all bytes were handed over; the printer did not confirm within {} s",
                    self.patience.proof.as_secs()
                ),
            },
        }
    }

    fn bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes.len()).sum()
    }

    async fn send(
        &self,
        talk: &mut Talk,
        sent: &mut usize,
        progress: &mut Progress<'_>,
    ) -> Result<(), Halt> {
        let mut watch = Watch::new(self.patience.stall, self.stop);
        for segment in self.segments {
            let mut rest = segment.bytes.as_slice();
            while !rest.is_empty() {
                let written = talk.pump(rest, TICK).await?;
                *sent += written;
                rest = rest.get(written..).unwrap_or_default();
                if written > 0 {
                    watch.restart();
                } else if watch.over(talk.condition) {
                    return Err(if watch.left() { Halt::Left } else { Halt::Stalled });
                }
                progress.now(talk.condition).await;
            }
        }
        Ok(())
    }

    async fn prove(&self, talk: &mut Talk, progress: &mut Progress<'_>) -> Result<Evidence, Halt> {
        if self.voice == Voice::None {
            self.drain(talk).await?;
            return Ok(Evidence::BytesSent);
        }
        // Asked at once and never again: a printer that lost power in between has lost
        // the question too, and an answer to a later one would prove nothing.
        let Some(due) = talk.ask_in_order(self.patience.stall).await? else {
            return Err(Halt::Unproven);
        };
        let tag = self.segments.last().and_then(|segment| segment.tag);
        let returned = move |talk: &Talk| tag.is_some_and(|tag: Tag| talk.returned(tag));
        let answered = move |talk: &Talk| talk.answered_in_order() >= due;
        let either = move |talk: &Talk| returned(talk) || answered(talk);
        self.wait(talk, progress, self.patience.proof, either).await?;
        if self.voice == Voice::Tags && !returned(talk) {
            // The answer may overtake the paper; the tag waits for it.
            match self.wait(talk, progress, TAG_AFTER_ANSWER, returned).await {
                Ok(()) | Err(Halt::Unproven) => {}
                Err(halt) => return Err(halt),
            }
        }
        if returned(talk) {
            return Ok(Evidence::TagReturned);
        }
        talk.refresh().await?;
        self.wait(talk, progress, self.patience.proof, |talk| talk.condition.ready()).await?;
        Ok(Evidence::AnsweredAfter)
    }

    /// Waits until nothing of the job lies in this machine any more: what the system has
    /// only taken is lost when the printer goes.
    async fn drain(&self, talk: &mut Talk) -> Result<(), Halt> {
        let mut watch = Watch::new(self.patience.proof, self.stop);
        let mut least = u64::MAX;
        loop {
            match talk.unsent() {
                Some(0) => return Ok(()),
                Some(unsent) if unsent < least => {
                    least = unsent;
                    watch.restart();
                }
                _ => {}
            }
            talk.pump(&[], DRAIN_TICK).await?;
            // Nobody is asked here how the printer is, so the time runs whatever it said
            // last: a system that does not tell must not hold the queue for ever.
            if watch.over(Condition::default()) {
                return Err(if watch.left() { Halt::Left } else { Halt::Unproven });
            }
        }
    }

    /// Listens until `enough`, asking the printer now and then how it is.
    async fn wait(
        &self,
        talk: &mut Talk,
        progress: &mut Progress<'_>,
        patience: Duration,
        enough: impl Fn(&Talk) -> bool,
    ) -> Result<(), Halt> {
        let mut watch = Watch::new(patience, self.stop);
        let mut asked = Instant::now();
        while !talk.listen(TICK, &enough).await? {
            if asked.elapsed() >= STATUS_EVERY {
                talk.refresh().await?;
                asked = Instant::now();
                progress.now(talk.condition).await;
            }
            if watch.over(talk.condition) {
                return Err(if watch.left() { Halt::Left } else { Halt::Unproven });
            }
        }
        progress.now(talk.condition).await;
        Ok(())
    }
}

/// A deadline that runs only while the printer is well, and the stop of the daemon.
struct Watch<'a> {
    patience: Duration,
    used: Duration,
    seen: Instant,
    stop: &'a CancellationToken,
    stopping_since: Option<Instant>,
}

impl<'a> Watch<'a> {
    fn new(patience: Duration, stop: &'a CancellationToken) -> Self {
        let seen = Instant::now();
        Self { patience, used: Duration::ZERO, seen, stop, stopping_since: None }
    }

    fn restart(&mut self) {
        progress(PROGRESS);
        self.used = Duration::ZERO;
        self.seen = Instant::now();
    }

    fn over(&mut self, condition: Condition) -> bool {
        // It may wait for paper for hours; what it must not do is hang.
        progress(PROGRESS);
        let now = Instant::now();
        if condition.ready() {
            self.used += now - self.seen;
        }
        self.seen = now;
        if self.stop.is_cancelled() && self.stopping_since.is_none() {
            self.stopping_since = Some(now);
        }
        self.left() || self.used >= self.patience
    }

    /// Whether the daemon's stop ended the wait.
    fn left(&self) -> bool {
        self.stopping_since.is_some_and(|since| since.elapsed() >= STOP_GRACE)
    }
}

/// Asks a printer that came back about an attempt whose end was not seen. Prints
/// nothing: first what it has waiting to say, then how it is, then a fresh tag. If
/// the fresh tag comes and the old one does not, no more will be known.
pub(super) async fn settle(talk: &mut Talk, last: Tag, fresh: Tag) -> Result<Settled, LinkError> {
    if talk.listen(STATUS_EVERY, |talk| talk.returned(last)).await? {
        return Ok(Settled::Printed);
    }
    if talk.refresh().await? && !talk.condition.ready() {
        return Ok(Settled::NotYet);
    }
    talk.say(&escpos::ask_tag(fresh), STATUS_EVERY).await?;
    let spoken = |talk: &Talk| talk.returned(last) || talk.returned(fresh);
    talk.listen(STATUS_EVERY * 5, spoken).await?;
    Ok(if talk.returned(last) { Settled::Printed } else { Settled::Unknown })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    Printed,
    /// It cannot say anything before somebody helps it (paper, cover).
    NotYet,
    Unknown,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::supervise::{Pulse, Supervisor};
    use crate::tunnel::ambient::Ambient;

    #[tokio::test(start_paused = true)]
    async fn a_long_job_that_flows_is_not_taken_for_hung() {
        let starts = Arc::new(AtomicU32::new(0));
        let counted = starts.clone();
        let mut supervisor = Supervisor::new(Ambient::system());
        supervisor.moving("caisse", Pulse::new(Duration::from_mins(2)), move |stop| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                let mut watch = Watch::new(Patience::default().stall, &stop);
                // The printer takes some bytes at each turn.
                loop {
                    watch.restart();
                    tokio::time::sleep(TICK).await;
                }
            }
        });
        tokio::time::sleep(Duration::from_mins(10)).await;
        assert_eq!(starts.load(Ordering::Relaxed), 1, "it was aborted while it printed");
    }
}
