//! One session with one clock: connect, authenticate, ask, leave.
//!
//! Answers are matched by reply number only; what does not match is discarded. After
//! any error but a refusal the session is broken and the caller connects anew rather
//! than reading on. Over UDP what can be asked twice without harm is asked again when no
//! answer comes. Only commands of [`wire::may_send`] leave.

mod bulk;
mod dial;
mod writing;

use std::fmt;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

pub use bulk::LogBytes;
pub(super) use bulk::{Buffered, CHUNK_BYTES_MAX, StoredLog, Table, smaller_chunk};
pub(super) use writing::ClearPermit;

use super::config::{CommKey, Target};
use super::layout::{ClockTime, Sizes};
use super::link::{Event, Link, LinkEnd};
use super::wire::{self, EVENT_PUNCH, Frame, WireError, code, next_reply, u32_at};
use crate::i18n::say;
use crate::supervise::progress;

/// What a part does between two answers of its clock.
const TURN_SLACK: Duration = Duration::from_mins(1);
/// Where frames may be lost, so often is asked before an answer is given up; each time a
/// part of the patience.
const TRIES: u32 = 4;
/// Serial numbers and names are short.
const TEXT_CHARS_MAX: usize = 128;
/// A busy clock refuses now and then what it answers a moment later.
const SERIAL_TRIES: u32 = 3;
const SERIAL_PAUSE: Duration = Duration::from_millis(300);
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a clock may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    pub connect: Duration,
    /// Without a single byte while an answer is due.
    pub progress: Duration,
    /// For a whole table, however steadily it drips.
    pub table: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(5),
            progress: Duration::from_secs(10),
            table: Duration::from_mins(5),
        }
    }
}

/// Why a session does not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error("{}", say("clock-unreachable", &[("target", .target), ("reason", .reason)]))]
    Unreachable { target: String, reason: String },
    #[error("{}", say("clock-busy", &[("target", .target), ("reason", .reason)]))]
    Busy { target: String, reason: String },
    #[error("{}", say("clock-key-refused", &[("target", .target)]))]
    KeyRefused { target: String },
    #[error("{}", say("clock-not-a-clock", &[("target", .target), ("found", .found)]))]
    NotAClock { target: String, found: WireError },
    #[error("{}", say("clock-no-answer", &[("step", .step), ("seconds", .after_s)]))]
    NoAnswer { step: Step, after_s: u64 },
    #[error("{}", say("clock-lost", &[("step", .step)]))]
    Lost { step: Step },
    #[error("{}", say("clock-ended", &[("step", .step), ("end", .end)]))]
    Ended { step: Step, end: LinkEnd },
    #[error("{}", say("clock-refused", &[("step", .step), ("answer", .answer)]))]
    Refused { step: Step, answer: u16 },
    #[error("{}", say("clock-senseless", &[("step", .step), ("what", .what)]))]
    Senseless { step: Step, what: String },
    #[error("{}", say("clock-forbidden", &[("command", .0)]))]
    Forbidden(u16),
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Connect,
    Key,
    Enable,
    Lock,
    FreeBuffer,
    Option,
    Firmware,
    Time,
    SetTime,
    Sizes,
    Events,
    Users,
    Log,
    Operations,
    WriteUser,
    ClearLog,
    Exit,
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = match self {
            Step::Connect => "clock-step-connect",
            Step::Key => "clock-step-key",
            Step::Enable => "clock-step-enable",
            Step::Lock => "clock-step-lock",
            Step::FreeBuffer => "clock-step-free-buffer",
            Step::Option => "clock-step-option",
            Step::Firmware => "clock-step-firmware",
            Step::Time => "clock-step-time",
            Step::SetTime => "clock-step-set-time",
            Step::Sizes => "clock-step-sizes",
            Step::Events => "clock-step-events",
            Step::Users => "clock-step-users",
            Step::Log => "clock-step-log",
            Step::Operations => "clock-step-operations",
            Step::WriteUser => "clock-step-write-user",
            Step::ClearLog => "clock-step-clear-log",
            Step::Exit => "clock-step-exit",
        };
        out.write_str(&say(id, &[]))
    }
}

/// What a clock says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    pub serial: String,
    pub model: String,
    pub platform: String,
    pub firmware: String,
}

/// An open session. Not cancel safe as a whole: after a dropped call the late answer
/// is discarded by its reply number, and the next call works.
#[derive(Debug)]
pub struct Session {
    link: Link,
    target: String,
    id: u16,
    reply: u16,
    timeouts: Timeouts,
    is_broken: bool,
}

impl Session {
    /// Connects and authenticates. `tick` is one random byte for the key's disguise.
    pub async fn open(
        target: &Target,
        key: CommKey,
        tick: u8,
        timeouts: Timeouts,
        events: mpsc::Sender<Event>,
    ) -> Result<Session, ClientError> {
        let link = dial::dial(target, timeouts.connect, events).await?;
        let mut timeouts = timeouts;
        if link.is_lossy {
            timeouts.progress /= TRIES;
        }
        let target = target.to_string();
        let mut session =
            Session { link, target, id: 0, reply: u16::MAX, timeouts, is_broken: false };
        let hello = session.ask(Step::Connect, code::CONNECT, Vec::new()).await;
        let hello = hello.map_err(|error| session.connect_error(error))?;
        session.id = hello.session;
        match hello.command {
            code::ACK_OK => Ok(session),
            code::ACK_UNAUTH => {
                let disguised = wire::scramble_comm_key(key.reveal(), hello.session, tick);
                let answer = session.ask(Step::Key, code::AUTH, disguised.to_vec()).await?;
                match answer.command {
                    code::ACK_OK => Ok(session),
                    _ => Err(ClientError::KeyRefused { target: session.target.clone() }),
                }
            }
            answer => Err(ClientError::Busy {
                target: session.target.clone(),
                reason: format!("answer {answer}"),
            }),
        }
    }

    fn connect_error(&self, error: ClientError) -> ClientError {
        let target = self.target.clone();
        match error {
            ClientError::Ended { end: LinkEnd::Wire(found), .. } => {
                ClientError::NotAClock { target, found }
            }
            ClientError::Ended { end, .. } => ClientError::Busy { target, reason: end.to_string() },
            ClientError::NoAnswer { after_s, .. } => {
                ClientError::Busy { target, reason: format!("silent for {after_s} s") }
            }
            other => other,
        }
    }

    /// Whether only dropping the session is left.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Lets people punch again, whatever an earlier session left behind.
    pub async fn enable(&mut self) -> Result<(), ClientError> {
        let enabled = self.command(Step::Enable, code::ENABLE, Vec::new()).await;
        // What cannot be unlocked was not locked.
        unless_refused(enabled).map(drop)
    }

    /// Locks the keypad for at most so many seconds.
    pub async fn lock(&mut self, seconds: u32) -> Result<(), ClientError> {
        let data = seconds.to_le_bytes().to_vec();
        self.command(Step::Lock, code::DISABLE, data).await.map(drop)
    }

    /// Frees the clock's read buffer, so that no stale table is read.
    pub async fn free_buffer(&mut self) -> Result<(), ClientError> {
        let freed = self.command(Step::FreeBuffer, code::FREE_DATA, Vec::new()).await;
        // Old firmware has no buffer and does not know the command.
        unless_refused(freed).map(drop)
    }

    /// The value of a named option; `None` when the clock does not have it.
    pub async fn option(&mut self, name: &str) -> Result<Option<String>, ClientError> {
        let mut data = name.as_bytes().to_vec();
        data.push(0);
        let answer = self.command(Step::Option, code::OPTION_READ, data).await;
        let Some(answer) = unless_refused(answer)? else { return Ok(None) };
        let text = text_of(&answer.data);
        Ok(text.split_once('=').map(|(_, value)| value.trim().to_owned()))
    }

    /// Serial number, model, board and firmware; what the clock does not tell is empty.
    /// A clock that tells nothing at all is an error.
    pub async fn identity(&mut self) -> Result<Identity, ClientError> {
        let serial = self.serial().await?;
        let model = self.option("~DeviceName").await?.unwrap_or_default();
        let platform = self.option("~Platform").await?.unwrap_or_default();
        if [&serial, &model, &platform].iter().all(|option| option.is_empty()) {
            // Busy, not nameless: punches must not get another identity for that.
            return Err(ClientError::Refused { step: Step::Option, answer: code::ACK_ERROR });
        }
        let firmware = self.command(Step::Firmware, code::VERSION, Vec::new()).await;
        let firmware = unless_refused(firmware)?;
        let firmware = firmware.map(|answer| text_of(&answer.data)).unwrap_or_default();
        Ok(Identity { serial, model, platform, firmware })
    }

    /// The serial number; empty only when the clock does not give it repeatedly, because
    /// every punch would become another one without it.
    async fn serial(&mut self) -> Result<String, ClientError> {
        for turn in 1..=SERIAL_TRIES {
            let serial = self.option("~SerialNumber").await?.unwrap_or_default();
            if !serial.is_empty() {
                return Ok(serial);
            }
            if turn < SERIAL_TRIES {
                tokio::time::sleep(SERIAL_PAUSE).await;
            }
        }
        Ok(String::new())
    }

    /// The clock's wall time.
    pub async fn time(&mut self) -> Result<ClockTime, ClientError> {
        let answer = self.command(Step::Time, code::TIME_READ, Vec::new()).await?;
        let encoded = u32_at(&answer.data, 0).ok_or_else(|| ClientError::Senseless {
            step: Step::Time,
            what: format!("{} bytes", answer.data.len()),
        })?;
        Ok(ClockTime::decode(encoded))
    }

    /// Sets the clock's wall time. Never while its log is being read.
    pub async fn set_time(&mut self, time: ClockTime) -> Result<(), ClientError> {
        let data = time.encode().to_le_bytes().to_vec();
        self.command(Step::SetTime, code::TIME_SET, data).await?;
        self.command(Step::SetTime, code::REFRESH, Vec::new()).await.map(drop)
    }

    /// What the clock says it holds.
    pub async fn sizes(&mut self) -> Result<Sizes, ClientError> {
        let answer = self.command(Step::Sizes, code::SIZES, Vec::new()).await;
        // Counts are hints; a clock that gives none is read without.
        let answer = unless_refused(answer)?;
        Ok(answer.map(|answer| Sizes::decode(&answer.data)).unwrap_or_default())
    }

    /// Asks for punches as they happen; they go to the channel given to `open`.
    pub async fn register_punches(&mut self) -> Result<(), ClientError> {
        let mask = u32::from(EVENT_PUNCH).to_le_bytes().to_vec();
        self.command(Step::Events, code::EVENT, mask).await.map(drop)
    }

    /// A way to acknowledge events while the session is busy reading.
    pub fn event_ack(&self) -> EventAck {
        let ack = Frame { command: code::ACK_OK, session: self.id, reply: 0, data: vec![] };
        EventAck { outgoing: self.link.outgoing.clone(), ack }
    }

    /// Unlocks, frees and leaves. Nothing is left to do about errors here: the next
    /// session begins by unlocking.
    pub async fn close(mut self) {
        self.timeouts.progress = FAREWELL_TIMEOUT;
        let farewell = async {
            self.enable().await?;
            self.ask(Step::Exit, code::EXIT, Vec::new()).await
        };
        if let Err(error) = farewell.await {
            tracing::debug!(clock.target = self.target, %error, "leaving the clock failed");
        }
    }

    /// Sends a request and takes the first frame of its answer, refusals as errors.
    async fn command(
        &mut self,
        step: Step,
        command: u16,
        data: Vec<u8>,
    ) -> Result<Frame, ClientError> {
        let answer = self.ask(step, command, data).await?;
        match answer.command {
            code::ACK_OK | code::PREPARE_DATA | code::DATA => Ok(answer),
            // The clock has forgotten this session; an answer "not there" would be wrong.
            code::ACK_UNAUTH => {
                self.is_broken = true;
                Err(ClientError::KeyRefused { target: self.target.clone() })
            }
            other => Err(ClientError::Refused { step, answer: other }),
        }
    }

    async fn ask(&mut self, step: Step, command: u16, data: Vec<u8>) -> Result<Frame, ClientError> {
        if !wire::may_send(command) {
            return Err(ClientError::Forbidden(command));
        }
        self.send_and_hear(step, command, data).await
    }

    async fn send_and_hear(
        &mut self,
        step: Step,
        command: u16,
        data: Vec<u8>,
    ) -> Result<Frame, ClientError> {
        // `reply` starts below zero so that the first request carries 0.
        self.reply = if self.reply == u16::MAX { 0 } else { next_reply(self.reply) };
        let frame = Frame { command, session: self.id, reply: self.reply, data };
        let tries = if self.link.is_lossy && wire::may_repeat(command) { TRIES } else { 1 };
        let mut heard = Err(ClientError::Lost { step });
        for _ in 0..tries {
            if self.link.outgoing.send(frame.clone()).await.is_err() {
                // The task has ended; its reason is the last thing in the queue.
                tracing::debug!(clock.target = self.target, "the connection has ended");
            }
            heard = self.answer(step).await;
            if !matches!(heard, Err(ClientError::NoAnswer { .. })) || tries == 1 {
                return heard;
            }
            // The same number: whichever answer comes is the answer.
            self.is_broken = false;
        }
        self.is_broken = true;
        heard
    }

    /// The next frame that belongs to the request last sent.
    async fn answer(&mut self, step: Step) -> Result<Frame, ClientError> {
        let begun = Instant::now();
        loop {
            let frame = self.any_answer(step, begun).await?;
            if frame.reply == self.reply {
                return Ok(frame);
            }
            // Foreign answers without end must not keep us here.
            if begun.elapsed() > self.timeouts.table {
                return Err(self.no_answer(step, begun));
            }
            tracing::debug!(
                clock.target = self.target,
                frame.command,
                frame.reply,
                expected = self.reply,
                "discarded an answer to another request"
            );
        }
    }

    /// The next frame, waited for as long as bytes keep coming.
    async fn any_answer(&mut self, step: Step, begun: Instant) -> Result<Frame, ClientError> {
        let mut received = self.link.received_bytes();
        loop {
            // Each wait has its limit, and a long log has many of them.
            progress(self.timeouts.progress + TURN_SLACK);
            match timeout(self.timeouts.progress, self.link.answers.recv()).await {
                Ok(Some(Ok(frame))) => return Ok(frame),
                Ok(Some(Err(end))) => {
                    self.is_broken = true;
                    return Err(ClientError::Ended { step, end });
                }
                Ok(None) => {
                    self.is_broken = true;
                    return Err(ClientError::Ended { step, end: LinkEnd::Closed });
                }
                Err(_) => {
                    let now = self.link.received_bytes();
                    if now == received || begun.elapsed() > self.timeouts.table {
                        return Err(self.no_answer(step, begun));
                    }
                    received = now;
                }
            }
        }
    }

    /// After silence nobody knows which answer would come next.
    fn no_answer(&mut self, step: Step, begun: Instant) -> ClientError {
        self.is_broken = true;
        ClientError::NoAnswer { step, after_s: begun.elapsed().as_secs() }
    }
}

/// Acknowledges events of one session.
#[derive(Debug, Clone)]
pub struct EventAck {
    outgoing: mpsc::Sender<Frame>,
    ack: Frame,
}

impl EventAck {
    /// Tells the clock that an event has arrived. Clocks live without it, so a full
    /// queue or an ended session is no error.
    pub fn send(&self) {
        let _ = self.outgoing.try_send(self.ack.clone());
    }
}

/// `None` for what a clock refuses and can do without.
pub(super) fn unless_refused<T>(asked: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(ClientError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Text of an answer, cut: it goes into every event about the clock, and the wire allows
/// a megabyte.
fn text_of(data: &[u8]) -> String {
    let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).trim().chars().take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_answer_is_cut() {
        let long = ["é".repeat(100_000).as_bytes(), &[0, b'x']].concat();
        assert_eq!(text_of(&long), "é".repeat(TEXT_CHARS_MAX));
        assert_eq!(text_of(b" ~SerialNumber=CKJ1 \0rest"), "~SerialNumber=CKJ1");
    }
}
