//! One session of the part: who is the clock, what is in its log, what happens now.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fournil_protocol::event::{Body, Notice, Severity};
use fournil_protocol::words;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::digest::Digest;
use super::{ClockPart, SessionEnd, next_job, random};
use crate::clock::client::{EventAck, Session, unless_refused};
use crate::clock::health::Fault;
use crate::clock::index::Index;
use crate::clock::layout::{AttendanceLayout, Sizes, decode_punch_event};
use crate::clock::ledger::{Ledger, LiveVerdict, Origin, drift_ms};
use crate::clock::link::Event;
use crate::clock::visit::{self, Plan};
use crate::clock::wire::EVENT_PUNCH;
use crate::i18n::say;
use crate::supervise::progress;

/// Events waiting to be recorded; when full, the clock waits.
const EVENTS_MAX: usize = 256;
const HEARTBEAT: Duration = Duration::from_secs(30);
const TURN_SLACK: Duration = Duration::from_mins(1);
/// Even if the count says that nothing is new, the log is read this often.
const FULL_READ_EVERY: Duration = Duration::from_mins(15);
/// Live punches kept back while the log is read that holds older ones; more of them only
/// start another reading.
const HELD_MAX: usize = 10_000;
/// Events that only start a reading start at most one in this time.
const HINT_PAUSE: Duration = Duration::from_secs(2);
/// Parts of a long log that wait for the journal; the clock waits for the next.
const PARTS_MAX: usize = 1;
/// A locked keypad unlocks by itself after this time, whatever becomes of us.
pub(super) const LOCK_S: u32 = 120;
/// Bytes of an unreadable log shown in the notice about it.
const SHOWN_BYTES: usize = 256;

impl ClockPart {
    /// One session from connecting to leaving. `Ok` means that nothing is wrong: the
    /// part is stopping, or a reading without live events is complete.
    pub(super) async fn session(&mut self) -> Result<(), SessionEnd> {
        let (to_us, mut events) = mpsc::channel(EVENTS_MAX);
        let [tick, ..] = random().to_le_bytes();
        let opening = Session::open(&self.target, self.config.comm_key, tick, self.timeouts, to_us);
        let stop = self.stop.clone();
        // Cancel safe: an opening that is dropped closes its socket.
        let mut session = tokio::select! {
            opened = opening => opened?,
            () = stop.cancelled() => return Ok(()),
        };
        let worked = self.work(&mut session, &mut events).await;
        if !session.is_broken() {
            session.close().await;
        }
        worked
    }

    async fn work(
        &mut self,
        session: &mut Session,
        events: &mut mpsc::Receiver<Event>,
    ) -> Result<(), SessionEnd> {
        // What a dead session may have left behind: a locked keypad, a full buffer.
        session.enable().await?;
        session.free_buffer().await?;
        let origin = self.identify(session).await?;
        let _hold = self
            .held
            .take(&origin.serial, &self.config.name)
            .map_err(|other| SessionEnd::Fault(Fault::read_twice(&other, &origin.serial)))?;
        self.is_behind = true;
        if self.config.live {
            // A clock without events is read at each interval like any other.
            unless_refused(session.register_punches().await)?;
        }
        let ack = session.event_ack();
        self.carry_out_orders(session, events, &origin, &ack).await?;
        let hint = self.read(session, events, &origin, &ack).await?;
        if self.config.live {
            self.stay(session, events, &origin, &ack, hint).await
        } else {
            Ok(())
        }
    }

    /// Lives on events until something ends it. Every branch is cancel safe: timers
    /// and receives only; the work is done in the bodies.
    async fn stay(
        &mut self,
        session: &mut Session,
        events: &mut mpsc::Receiver<Event>,
        origin: &Origin,
        ack: &EventAck,
        hint: Hint,
    ) -> Result<(), SessionEnd> {
        let stop = self.stop.clone();
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_read = Instant::now();
        let mut next_read = last_read + self.until_next(hint);
        loop {
            progress(HEARTBEAT + TURN_SLACK);
            let mut is_read_due = false;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                event = events.recv() => match event {
                    // The connection is over; the next request says why.
                    None => self.heartbeat(session).await?,
                    Some(event) => {
                        if self.live(&event, origin, ack).await == Hint::ReadLog {
                            next_read = next_read.min(last_read + HINT_PAUSE);
                        }
                    }
                },
                job = next_job(&mut self.jobs, self.are_jobs_over) => {
                    self.take_job(job).await;
                    let has_acted = self.carry_out_orders(session, events, origin, ack).await?;
                    is_read_due = has_acted || !self.asked.is_empty();
                }
                () = sleep_until(next_read) => is_read_due = true,
                _ = heartbeat.tick() => self.heartbeat(session).await?,
            }
            if is_read_due {
                let hint = self.read(session, events, origin, ack).await?;
                last_read = Instant::now();
                next_read = last_read + self.until_next(hint);
            }
        }
    }

    /// The pause behind a reading. One that an event asked for while it ran comes soon.
    fn until_next(&self, hint: Hint) -> Duration {
        match hint {
            Hint::ReadLog => HINT_PAUSE,
            Hint::Nothing => self.config.poll_interval(),
        }
    }

    /// Who the clock is; another one than expected is not read.
    async fn identify(&mut self, session: &mut Session) -> Result<Origin, SessionEnd> {
        let mut identity = session.identity().await?;
        if let Some(expected) = &self.config.expected_serial
            && *expected != identity.serial
        {
            let fault = Fault::serial_mismatch(expected, &identity.serial);
            return Err(SessionEnd::Fault(fault));
        }
        let last = self.last_serial();
        if identity.serial.is_empty() {
            // Some clones tell no number; the configured name is as stable as can be.
            identity.serial = format!("name:{}", self.config.name);
            if !last.is_empty() && last != identity.serial {
                let fault = Fault::serial_mismatch(&last, "");
                return Err(SessionEnd::Fault(fault));
            }
        }
        if self.condition.identity.serial != identity.serial {
            self.memory.users = None;
            self.memory.settled = None;
        }
        if last != identity.serial
            && let Some(store) = &self.store
            && let Err(error) = store.remember_serial(&self.config.name, &identity.serial)
        {
            tracing::warn!(clock.name = self.config.name, %error, "serial number not kept");
        }
        let origin = Origin { serial: identity.serial.clone(), zone: self.config.zone };
        self.condition.identity = identity;
        self.meet_profile(session).await?;
        self.measure_drift(session).await?;
        self.correct_time(session).await?;
        Ok(origin)
    }

    /// What the clock was last time: in this run, else before it.
    fn last_serial(&self) -> String {
        let known = &self.condition.identity.serial;
        let before = || self.store.as_ref().and_then(|store| store.last_serial(&self.config.name));
        if known.is_empty() { before().unwrap_or_default() } else { known.clone() }
    }

    /// Takes up what is on disk about this serial number, once, and again when the journal
    /// has begun a new up log, into which what is missing must be recorded again.
    async fn take_up_index(&mut self, origin: &Origin) {
        let Some(store) = self.store.clone() else { return };
        let generation = (store.generation)();
        let index = self.memory.index.as_ref();
        if index.is_some_and(|index| index.is_of(&origin.serial, generation)) {
            return;
        }
        let serial = origin.serial.clone();
        let opened = tokio::task::spawn_blocking(move || Index::open(&store, &serial)).await;
        match opened.map_err(io::Error::other).and_then(|opened| opened) {
            Ok((index, known)) => {
                tracing::debug!(
                    clock.name = self.config.name,
                    clock.known = known.recorded.len(),
                    "index of punches read"
                );
                self.memory.ledger = Ledger::knowing(known.recorded, known.trust);
                self.memory.index = Some(index);
                self.memory.settled = None;
            }
            Err(error) => {
                tracing::warn!(
                    clock.name = self.config.name, %error,
                    "the index of punches cannot be read; the clock's log is recorded again"
                );
                // Not tried at each reading: in memory it works as well.
                self.store = None;
            }
        }
    }

    async fn measure_drift(&mut self, session: &mut Session) -> Result<(), SessionEnd> {
        let time = unless_refused(session.time().await)?;
        let now = self.now_local(self.now());
        self.condition.drift_ms = time.and_then(|time| drift_ms(time, now));
        Ok(())
    }

    /// Asks something of the clock, so that a dead one is noticed between two readings.
    async fn heartbeat(&mut self, session: &mut Session) -> Result<(), SessionEnd> {
        self.measure_drift(session).await?;
        self.publish();
        Ok(())
    }

    /// Reads the log, tells what there is to tell and answers every command to read that
    /// has begun.
    async fn read(
        &mut self,
        session: &mut Session,
        events: &mut mpsc::Receiver<Event>,
        origin: &Origin,
        ack: &EventAck,
    ) -> Result<Hint, SessionEnd> {
        let Read { hint, new } = self.read_log(session, events, origin, ack).await?;
        let Some(new) = new else { return Ok(hint) };
        self.settle_readings(&format!("{new} new punches")).await;
        Ok(hint)
    }

    /// Reads the log and records what is new; live events go on being recorded meanwhile.
    pub(super) async fn read_log(
        &mut self,
        session: &mut Session,
        events: &mut mpsc::Receiver<Event>,
        origin: &Origin,
        ack: &EventAck,
    ) -> Result<Read, SessionEnd> {
        self.take_up_index(origin).await;
        self.measure_drift(session).await?;
        let awaited = self.memory.ledger.awaited();
        let mut hint = Hint::Nothing;
        let mut held: Vec<Event> = Vec::new();
        let plan = self.plan();
        let stop = self.stop.clone();
        let mut digest = Digest::of(awaited);
        let (give, mut given) = mpsc::channel(PARTS_MAX);
        let reading = {
            let mut reading = pin!(visit::read(session, &plan, Some(give)));
            loop {
                // The reading is pinned outside and never dropped between two turns.
                tokio::select! {
                    biased;
                    Some(part) = given.recv() => self.take_part(&part, &mut digest, origin).await?,
                    read = &mut reading => break read,
                    Some(event) = events.recv() => {
                        // The log being read may be from before it.
                        if self.is_behind && held.len() < HELD_MAX {
                            held.push(event);
                        } else if self.live(&event, origin, ack).await == Hint::ReadLog {
                            hint = Hint::ReadLog;
                        }
                    }
                    () = stop.cancelled() => return Ok(Read { hint, new: None }),
                }
            }
        };
        let reading = reading.inspect_err(|_| self.memory.shrink_chunks())?;
        for warning in &reading.warnings {
            tracing::warn!(clock.name = self.config.name, warning, "odd answer of the clock");
        }
        self.condition.sizes = reading.sizes;
        if let Some(users) = &reading.users {
            self.memory.users = Some(Arc::clone(users));
        }
        while let Ok(part) = given.try_recv() {
            self.take_part(&part, &mut digest, origin).await?;
        }
        let new = self.digest(reading, digest, origin).await?;
        self.is_behind = false;
        for event in held {
            if self.live(&event, origin, ack).await == Hint::ReadLog {
                hint = Hint::ReadLog;
            }
        }
        self.condition.fault = None;
        self.publish();
        self.tell_all(session, origin).await?;
        Ok(Read { hint, new: Some(new) })
    }

    fn plan(&self) -> Plan {
        let settled = self.memory.settled.filter(|(_, since)| since.elapsed() < FULL_READ_EVERY);
        Plan {
            known: self.memory.layout,
            users: self.memory.users.clone(),
            are_slots_enough: false,
            forced: self.forced_layout,
            // A command asks for a reading, not for a belief.
            skip_at_count: settled.map(|(count, _)| count).filter(|_| self.asked.is_empty()),
            chunk_bytes: self.memory.chunk_bytes,
            lock: self.config.lock_while_reading,
            now: self.now_local(self.now()),
        }
    }

    /// Records a live punch and acknowledges it once it is durable.
    async fn live(&mut self, event: &Event, origin: &Origin, ack: &EventAck) -> Hint {
        if event.code != EVENT_PUNCH {
            ack.send();
            return Hint::Nothing;
        }
        let (users, now) = (self.memory.users.clone().unwrap_or_default(), self.now());
        let verdict = match decode_punch_event(&event.data) {
            _ if self.is_behind => LiveVerdict::ReadLog("the log holds older punches"),
            None => LiveVerdict::ReadLog("the event has an unknown form"),
            Some(live) => self.memory.ledger.judge_live(&live, &users, origin, now),
        };
        // Whatever became of the event, the log has changed.
        self.memory.settled = None;
        match verdict {
            LiveVerdict::ReadLog(reason) => {
                tracing::debug!(clock.name = self.config.name, reason, "the log is read instead");
                ack.send();
                Hint::ReadLog
            }
            LiveVerdict::Record(punch) => {
                match self.recorder.record(vec![Body::Punch((*punch).clone())]).await {
                    Ok(()) => {
                        let number = self.memory.ledger.mark(&punch);
                        self.memory.note(&self.config.name, |index, _| index.add(&[number]));
                        ack.send();
                        Hint::Nothing
                    }
                    Err(error) => {
                        tracing::warn!(clock.name = self.config.name, %error, "punch not recorded");
                        self.is_behind = true;
                        Hint::ReadLog
                    }
                }
            }
        }
    }

    pub(super) async fn tell_ambiguity(
        &mut self,
        sizes: &Sizes,
        candidates: &[AttendanceLayout],
        bytes: &[u8],
    ) -> Result<(), SessionEnd> {
        let names: Vec<String> = candidates.iter().map(AttendanceLayout::to_string).collect();
        let names =
            if names.is_empty() { say("clock-ambiguous-none", &[]) } else { names.join(", ") };
        let detail = say(
            "clock-ambiguous",
            &[("bytes", &bytes.len()), ("records", &sizes.records), ("names", &names)],
        );
        self.condition.layout_unclear = Some(detail.clone());
        if self.memory.is_ambiguity_told {
            return Ok(());
        }
        let shown = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
        let shown = data_encoding::HEXLOWER.encode(shown);
        let detail = say("clock-ambiguous-begins", &[("detail", &detail), ("shown", &shown)]);
        self.notice(Severity::Alarm, words::CLOCK_LAYOUT_AMBIGUOUS, detail).await?;
        self.memory.is_ambiguity_told = true;
        Ok(())
    }

    pub(super) async fn tell_unconfirmed(&self, count: usize) -> Result<(), SessionEnd> {
        let detail = say("clock-live-differs", &[("count", &count)]);
        self.notice(Severity::Warning, words::CLOCK_LIVE_DIFFERS, detail).await
    }

    pub(super) async fn notice(
        &self,
        severity: Severity,
        code: &str,
        detail: String,
    ) -> Result<(), SessionEnd> {
        let device = self.config.name.clone();
        let notice = Notice { severity: severity.into(), code: code.to_owned(), detail, device };
        Ok(self.recorder.record(vec![Body::Notice(notice)]).await?)
    }
}

/// What came of a reading.
pub(super) struct Read {
    hint: Hint,
    /// New punches; `None` when it was broken off to stop.
    new: Option<usize>,
}

/// What an event asks for beyond itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    Nothing,
    ReadLog,
}
