//! A conversation with a printer over an open link: questions and answers, the
//! condition it is in, the tags it returned.
//!
//! Real-time questions are asked one at a time, and never while bytes of a job are
//! half way through: a printer that does not know them would take them for data.

use std::time::Duration;

use tokio::time::Instant;

use super::config::Target;
use super::escpos::{self, QUESTIONS, Question, Tag};
use super::status::{Answer, Condition, Demux};
use super::transport::{Link, LinkError};

/// How long a printer may take for a real-time answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// A pause this long inside an answer means that the rest is not coming.
const GAP: Duration = Duration::from_millis(500);
/// Tags remembered; a job has four.
const TAGS_MAX: usize = 16;

/// An open conversation.
#[derive(Debug)]
pub struct Talk {
    link: Link,
    demux: Demux,
    last_byte: Instant,
    /// As far as it has been told.
    pub condition: Condition,
    tags: Vec<Tag>,
    /// In-order questions that were asked and answered. The answers carry no name, so
    /// only their number tells to which question one belongs.
    asked_in_order: u32,
    in_order: u32,
    realtime: Option<u8>,
    text: Option<String>,
}

impl Talk {
    /// Opens the device; sends nothing, so a waiting answer is still there to be read.
    pub async fn open(target: &Target) -> Result<Self, LinkError> {
        Ok(Self {
            link: Link::open(target).await?,
            demux: Demux::default(),
            last_byte: Instant::now(),
            condition: Condition::default(),
            tags: Vec::new(),
            asked_in_order: 0,
            in_order: 0,
            realtime: None,
            text: None,
        })
    }

    /// Hands over what the printer takes now, listening all the while; gives the count.
    pub async fn pump(&mut self, out: &[u8], wait: Duration) -> Result<usize, LinkError> {
        let step = self.link.step(out, wait).await?;
        if self.demux.inside() && self.last_byte.elapsed() > GAP {
            self.demux.gap();
        }
        for byte in &step.received {
            self.last_byte = Instant::now();
            if let Some(answer) = self.demux.push(*byte) {
                self.take(answer);
            }
        }
        Ok(step.written)
    }

    fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Realtime(byte) => self.realtime = Some(byte),
            // One that nobody asked for here belongs to a conversation that is over.
            Answer::InOrder(_) => self.in_order = (self.in_order + 1).min(self.asked_in_order),
            Answer::Auto(status) => self.condition.auto(status),
            Answer::Tag(tag) => {
                if self.tags.len() == TAGS_MAX {
                    self.tags.remove(0);
                }
                self.tags.push(tag);
            }
            Answer::Text(text) => self.text = Some(String::from_utf8_lossy(&text).into_owned()),
            Answer::Notice(..) | Answer::Flow { .. } => {}
        }
    }

    /// Hands over a few bytes that are no part of a job.
    pub async fn say(&mut self, bytes: &[u8], within: Duration) -> Result<bool, LinkError> {
        let until = Instant::now() + within;
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(wait) = left(until) else { return Ok(false) };
            let written = self.pump(rest, wait).await?;
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(true)
    }

    /// Listens until something is true or the time is over.
    pub async fn listen(
        &mut self,
        within: Duration,
        enough: impl Fn(&Self) -> bool,
    ) -> Result<bool, LinkError> {
        let until = Instant::now() + within;
        while !enough(self) {
            let Some(wait) = left(until) else { return Ok(false) };
            self.pump(&[], wait).await?;
        }
        Ok(true)
    }

    /// Asks the question that is answered once everything before it has been processed;
    /// gives how many answers there must be then, or `None` when it could not be sent.
    pub async fn ask_in_order(&mut self, within: Duration) -> Result<Option<u32>, LinkError> {
        if !self.say(&escpos::ask_in_order(), within).await? {
            return Ok(None);
        }
        self.asked_in_order += 1;
        Ok(Some(self.asked_in_order))
    }

    /// Asks one real-time question; `None` when the printer does not answer it.
    pub async fn ask(&mut self, question: Question) -> Result<Option<u8>, LinkError> {
        self.realtime = None;
        if !self.say(&escpos::ask(question), ANSWER_TIMEOUT).await? {
            return Ok(None);
        }
        self.listen(ANSWER_TIMEOUT, |talk| talk.realtime.is_some()).await?;
        if let Some(byte) = self.realtime {
            self.condition.realtime(question, byte);
        }
        Ok(self.realtime)
    }

    /// Asks all four questions; `false` when the printer is mute. One that answers the
    /// first and not the others is taken at its word. Where no question gets in, the port may
    /// know why: that counts as an answer, unless it only says that all is well.
    pub async fn refresh(&mut self) -> Result<bool, LinkError> {
        let before = self.condition;
        self.condition = Condition::default();
        for question in QUESTIONS {
            if self.ask(question).await?.is_none() && question == Question::Printer {
                let port = self.link.port_status().await.map(Condition::of_port);
                let troubled = port.filter(|condition| !condition.ready());
                self.condition = troubled.unwrap_or(before);
                return Ok(troubled.is_some());
            }
        }
        Ok(true)
    }

    /// Asks for a text (67 maker.. see Epson's GS I): `None` when it is not known.
    pub async fn name(&mut self, which: u8) -> Result<Option<String>, LinkError> {
        self.text = None;
        self.say(&escpos::ask_name(which), ANSWER_TIMEOUT).await?;
        self.listen(ANSWER_TIMEOUT, |talk| talk.text.is_some()).await?;
        Ok(self.text.take())
    }

    /// Whether a tag has come back in this conversation.
    #[must_use]
    pub fn returned(&self, tag: Tag) -> bool {
        self.tags.contains(&tag)
    }

    /// The tags that have come back, the newest last.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// How many in-order questions have been answered in this conversation.
    #[must_use]
    pub fn answered_in_order(&self) -> u32 {
        self.in_order
    }

    /// Whether an in-order question has not been answered.
    #[must_use]
    pub fn owes_answers(&self) -> bool {
        self.in_order < self.asked_in_order
    }

    /// Bytes that were given out and of which nobody knows yet whether they went.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.link.in_flight()
    }

    /// See [`Link::unsent`].
    #[must_use]
    pub fn unsent(&self) -> Option<u64> {
        self.link.unsent()
    }

    /// Lets go of the printer.
    pub async fn close(self) {
        self.link.close().await;
    }

    /// See [`Link::stays_open_when_idle`].
    #[must_use]
    pub fn stays_open_when_idle(&self) -> bool {
        self.link.stays_open_when_idle()
    }
}

fn left(until: Instant) -> Option<Duration> {
    until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);
    const SHORT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn a_late_answer_is_not_taken_for_the_answer_to_the_next_question() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::Tcp(listener.local_addr().unwrap().to_string());
        let mut talk = Talk::open(&target).await.unwrap();
        let (mut printer, _) = listener.accept().await.unwrap();
        // Nobody asked in this conversation.
        printer.write_all(&[0x00]).await.unwrap();
        talk.listen(SHORT, |_| false).await.unwrap();
        let first = talk.ask_in_order(SOON).await.unwrap().unwrap();
        assert!(!talk.listen(SHORT, |talk| talk.answered_in_order() >= first).await.unwrap());
        let second = talk.ask_in_order(SOON).await.unwrap().unwrap();
        printer.read_exact(&mut [0; 6]).await.unwrap();
        printer.write_all(&[0x00]).await.unwrap();
        assert!(talk.listen(SOON, |talk| talk.answered_in_order() >= first).await.unwrap());
        assert!(talk.owes_answers());
        assert!(!talk.listen(SHORT, |talk| talk.answered_in_order() >= second).await.unwrap());
        printer.write_all(&[0x00]).await.unwrap();
        assert!(talk.listen(SOON, |talk| talk.answered_in_order() >= second).await.unwrap());
    }
}
