//! One clock's side of the conversation: answers its calls one after the other, brings what it
//! tells into the journal, gives it what waits for it, and says how it fares.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Offset as _, TimeZone as _, Utc};
use fournil_protocol::clock::ClockTime;
use fournil_protocol::event::{
    Body, ClockLink, ClockState, ClockUsers, CommandState, DeviceHealth,
};
use fournil_protocol::iclock::body::BodyError;
use fournil_protocol::iclock::{
    self, CommandResult, Options, Setting, Told, Wanted, body, options, told,
};
use fournil_protocol::words;
use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Place;
use super::config::PushClock;
use super::door::{Answer, Call};
use super::errands::{End, Errands, is_possible};
use super::notes::Notes;
use crate::clock::health::{Condition, Fault};
use crate::clock::layout::Calendar as _;
use crate::clock::ledger::instant_of;
use crate::clock::poll::{Surroundings, true_time};
use crate::i18n::say;
use crate::seam::{Job, RecordError, Recorder};
use crate::supervise::progress;

/// Seconds between two tries of a clock after a failure, and between two questions.
const ERROR_DELAY_S: u32 = 30;
const DELAY_S: u32 = 10;
/// A clock asks every few seconds; one that has not for so long is away.
const SILENT_AFTER: Duration = Duration::from_mins(5);
/// Facts in one request to the journal.
const FACTS_PER_REQUEST: usize = 200;
/// Counts alone are told this often at most.
const STATE_EVERY: Duration = Duration::from_mins(10);
const TURN: Duration = Duration::from_secs(15);
const TURNS_LATE: u32 = 8;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Desk {
    config: PushClock,
    recorder: Recorder,
    jobs: mpsc::Receiver<Job>,
    are_jobs_over: bool,
    health: watch::Sender<DeviceHealth>,
    calls: mpsc::Receiver<Call>,
    around: Surroundings,
    notes: Notes,
    condition: Condition,
    /// Why nobody can call.
    shut: Option<String>,
    since: Instant,
    heard: Option<(Instant, IpAddr)>,
    told: Option<(ClockState, Instant)>,
    errands: Errands,
}

/// Why a call is answered with no.
enum Refusal {
    /// With a key agreed, only where the key was said counts.
    NoHello,
    Key,
    Body(BodyError),
    /// A table that is not kept here.
    Table(String),
    Journal(RecordError),
}

impl From<RecordError> for Refusal {
    fn from(error: RecordError) -> Refusal {
        Refusal::Journal(error)
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Refusal {
        Refusal::Body(error)
    }
}

impl Desk {
    pub(super) fn new(
        config: PushClock,
        recorder: Recorder,
        Place { jobs, health }: Place,
        calls: mpsc::Receiver<Call>,
        around: Surroundings,
    ) -> Desk {
        let notes = Notes::load(around.store.as_ref(), &config.serial);
        let mut condition = Condition::default();
        condition.identity.serial.clone_from(&config.serial);
        Desk {
            config,
            recorder,
            jobs,
            are_jobs_over: false,
            health,
            calls,
            around,
            notes,
            condition,
            shut: None,
            since: Instant::now(),
            heard: None,
            told: None,
            errands: Errands::default(),
        }
    }

    /// Serves the clock until `stop`. All branches are cancel safe: both receives leave what
    /// they did not take.
    pub(super) async fn serve(
        mut self,
        mut listening: watch::Receiver<Option<String>>,
        stop: CancellationToken,
    ) {
        let mut turns = tokio::time::interval(TURN);
        loop {
            progress(TURN * TURNS_LATE);
            tokio::select! {
                () = stop.cancelled() => return,
                call = self.calls.recv() => match call {
                    Some(call) => self.take_call(call).await,
                    None => return,
                },
                job = next_job(&mut self.jobs, self.are_jobs_over) => self.take_job(job).await,
                Ok(()) = listening.changed() => {
                    self.shut.clone_from(&listening.borrow_and_update());
                }
                _ = turns.tick() => {}
            }
            self.settle().await;
            self.look();
        }
    }

    async fn take_call(&mut self, call: Call) {
        let Call { wanted, body, from, answer } = call;
        let text = self.converse(wanted, body, from).await;
        let text = text.unwrap_or_else(|refusal| self.refused(&refusal));
        // A caller that has gone comes again.
        let _ = answer.send(text);
    }

    fn refused(&mut self, refusal: &Refusal) -> Answer {
        let name = self.config.name.as_str();
        match refusal {
            Refusal::Key => {
                let detail = say("push-key-refused", &[]);
                self.condition.fault = Some(Fault { code: words::COMM_KEY_REFUSED, detail });
                Answer::unknown(StatusCode::FORBIDDEN)
            }
            Refusal::NoHello => Answer::unknown(StatusCode::FORBIDDEN),
            Refusal::Body(error) => {
                tracing::warn!(clock.name = name, %error, "what the clock sent is not kept");
                Answer::retry(StatusCode::BAD_REQUEST)
            }
            Refusal::Table(table) => {
                tracing::warn!(clock.name = name, table, "the clock tells a table nobody keeps");
                Answer::retry(StatusCode::BAD_REQUEST)
            }
            Refusal::Journal(error) => {
                tracing::warn!(clock.name = name, %error, "what the clock sent cannot be kept now");
                Answer::retry(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    async fn converse(
        &mut self,
        wanted: Wanted,
        body: Bytes,
        from: IpAddr,
    ) -> Result<Answer, Refusal> {
        self.admit(&wanted, from)?;
        self.condition.fault = None;
        self.heard = Some((Instant::now(), from));
        let text = match wanted {
            Wanted::Hello { .. } => self.options().block(),
            Wanted::Configuration => self.options().configuration(),
            Wanted::Punches { mark } => {
                let read = self.read(body, Told::punches).await?;
                let lines = self.keep(read).await?;
                if let Some(mark) = mark.as_deref().and_then(options::mark) {
                    mark.clone_into(&mut self.notes.punches_mark);
                    self.save_notes();
                }
                iclock::accepted(lines)
            }
            Wanted::Operations { mark } => {
                let read = self.read(body, Told::operations).await?;
                let lines = self.keep(read).await?;
                if let Some(mark) = mark.as_deref().and_then(options::mark) {
                    mark.clone_into(&mut self.notes.operations_mark);
                    self.save_notes();
                }
                iclock::accepted(lines)
            }
            Wanted::Answers { table } => {
                let is_users = table.eq_ignore_ascii_case("user");
                let read = self.read(body, move |body, _| answers(is_users, body)).await?;
                let lines = self.keep(read).await?;
                format!("{table}={lines}")
            }
            Wanted::Results => {
                for CommandResult { id, code } in CommandResult::read_all(&body::plain(&body)?) {
                    self.errands.answered(&id, code);
                }
                iclock::OK.to_owned()
            }
            Wanted::Commands { info } => {
                if let Some(info) = info {
                    self.take_info(&info);
                }
                let lines = self.errands.give(Instant::now());
                if lines.is_empty() { iclock::OK.to_owned() } else { lines }
            }
            Wanted::Properties => {
                self.take_properties(&body::plain(&body)?);
                iclock::OK.to_owned()
            }
            Wanted::Unspoken { table } => return Err(Refusal::Table(table)),
            Wanted::Dropped | Wanted::Ping => iclock::OK.to_owned(),
            Wanted::Registry => options::registry(&self.config.serial),
            Wanted::Time => {
                let utc = ClockTime::from_naive(self.now().naive_utc());
                options::time(utc, self.minutes_east())
            }
            // Answered with nothing: the clock goes on without encryption.
            Wanted::Exchange => String::new(),
        };
        self.tell_state().await?;
        Ok(Answer::ok(text))
    }

    /// Whether it may speak: with a key, it says it in its hello, and goes on from there.
    fn admit(&mut self, wanted: &Wanted, from: IpAddr) -> Result<(), Refusal> {
        if self.notes.follow(self.around.store.as_ref()) {
            self.save_notes();
        }
        let Some(agreed) = &self.config.key else { return Ok(()) };
        match wanted {
            Wanted::Hello { key } if agreed.is(key.as_deref()) => {
                if self.notes.greeted_from != Some(from) {
                    self.notes.greeted_from = Some(from);
                    self.save_notes();
                }
                Ok(())
            }
            Wanted::Hello { .. } => Err(Refusal::Key),
            _ if self.notes.greeted_from == Some(from) => Ok(()),
            _ => Err(Refusal::NoHello),
        }
    }

    fn options(&self) -> Options<'_> {
        Options {
            serial: &self.config.serial,
            punches_mark: &self.notes.punches_mark,
            operations_mark: &self.notes.operations_mark,
            minutes_east: self.minutes_east(),
            error_delay_s: ERROR_DELAY_S,
            delay_s: DELAY_S,
        }
    }

    /// How far the clock's zone is from UTC now, in minutes.
    fn minutes_east(&self) -> i32 {
        let zone = self.config.zone;
        zone.offset_from_utc_datetime(&self.now().naive_utc()).fix().local_minus_utc() / 60
    }

    /// Reads a body beside the others' work: a long one takes a while.
    async fn read(
        &self,
        body: Bytes,
        reading: impl FnOnce(&[u8], &Setting<'_>) -> Told + Send + 'static,
    ) -> Result<Told, Refusal> {
        let (serial, zone) = (self.config.serial.clone(), self.config.zone);
        let now_ms = self.now().timestamp_millis();
        let read = tokio::task::spawn_blocking(move || {
            let plain = body::plain(&body)?;
            let instant = |wall| {
                let (instant, word) = instant_of(wall, zone);
                (instant.map(|instant| instant.timestamp_millis()), word)
            };
            let setting = Setting { serial: &serial, zone: zone.name(), now_ms, instant: &instant };
            Ok::<_, BodyError>(reading(&plain, &setting))
        });
        // The task ends by itself unless the whole daemon does.
        let read = read.await.map_err(|_| RecordError::Stopped)?;
        Ok(read?)
    }

    /// Brings everything into the journal; gives the number of lines it was.
    async fn keep(&mut self, told: Told) -> Result<usize, RecordError> {
        let lines = told.lines();
        let Told { punches, operations, users, .. } = told;
        let facts = punches.into_iter().map(Body::Punch);
        self.record_all(facts.chain(operations.into_iter().map(Body::ClockOperation))).await?;
        let read_ms = self.now().timestamp_millis();
        for part in users.chunks(FACTS_PER_REQUEST) {
            let body = Body::ClockUsers(ClockUsers {
                clock_serial: self.config.serial.clone(),
                read_ms,
                part: 0,
                parts: 1,
                users: part.to_vec(),
                is_partial: true,
            });
            self.recorder.record(vec![body]).await?;
        }
        Ok(lines)
    }

    async fn record_all(&self, mut facts: impl Iterator<Item = Body>) -> Result<(), RecordError> {
        loop {
            let part: Vec<Body> = facts.by_ref().take(FACTS_PER_REQUEST).collect();
            if part.is_empty() {
                return Ok(());
            }
            self.recorder.record(part).await?;
        }
    }

    /// `Ver 6.60,12,24,1500,...`: firmware, users, fingerprints, records.
    fn take_info(&mut self, info: &str) {
        let mut values = info.split(',').map(str::trim);
        let firmware = told::short(values.next().unwrap_or_default());
        let mut count = |skipped: usize| values.nth(skipped).and_then(|text| text.parse().ok());
        let (users, records) = (count(0), count(1));
        let sizes = &mut self.condition.sizes;
        sizes.users = users.unwrap_or(sizes.users);
        sizes.records = records.unwrap_or(sizes.records);
        self.take_identity(None, None, Some(firmware));
    }

    fn take_properties(&mut self, body: &[u8]) {
        let property = |name| told::property(body, name);
        let sizes = &mut self.condition.sizes;
        let number = |name| property(name).and_then(|text| text.parse().ok());
        sizes.users = number("UserCount").unwrap_or(sizes.users);
        sizes.records = number("TransactionCount").unwrap_or(sizes.records);
        let (model, platform) = (property("DeviceName"), property("Platform"));
        self.take_identity(model, platform, property("FirmVer"));
    }

    fn take_identity(
        &mut self,
        model: Option<String>,
        platform: Option<String>,
        firmware: Option<String>,
    ) {
        let before = self.notes.clone();
        let notes = &mut self.notes;
        for (known, now) in [
            (&mut notes.model, model),
            (&mut notes.platform, platform),
            (&mut notes.firmware, firmware),
        ] {
            if let Some(now) = now.filter(|now| !now.is_empty()) {
                *known = now;
            }
        }
        if self.notes != before {
            self.save_notes();
        }
    }

    fn save_notes(&self) {
        let Some(store) = &self.around.store else { return };
        if let Err(error) = self.notes.save(store) {
            // It is asked for all again after a restart.
            tracing::warn!(clock.name = self.config.name, %error, "the clock's notes are not kept");
        }
    }

    /// Tells what the clock is, unless whoever reads it does.
    async fn tell_state(&mut self) -> Result<(), RecordError> {
        if self.config.is_read_too {
            return Ok(());
        }
        let (state, now) = (self.state(), Instant::now());
        let is_due = self.told.as_ref().is_none_or(|(told, at)| {
            let is_other = (&told.model, &told.firmware, &told.address)
                != (&state.model, &state.firmware, &state.address);
            is_other || *at + STATE_EVERY <= now
        });
        if is_due {
            self.recorder.record(vec![Body::ClockState(state.clone())]).await?;
            self.told = Some((state, now));
        }
        Ok(())
    }

    fn state(&self) -> ClockState {
        let sizes = &self.condition.sizes;
        ClockState {
            clock_serial: self.config.serial.clone(),
            device: self.config.name.clone(),
            model: self.notes.model.clone(),
            platform: self.notes.platform.clone(),
            firmware: self.notes.firmware.clone(),
            zone: self.config.zone.name().to_owned(),
            layout: told::LAYOUT.to_owned(),
            link: ClockLink::Push.into(),
            users: sizes.users,
            records: sizes.records,
            heard_ms: self.now().timestamp_millis(),
            address: self.heard.map(|(_, from)| from.to_string()).unwrap_or_default(),
            ..ClockState::default()
        }
    }

    /// Takes a command, which waits for the clock's next call.
    async fn take_job(&mut self, job: Option<Job>) {
        let Some(job) = job else {
            self.are_jobs_over = true;
            return;
        };
        if !is_possible(&job) {
            let detail = say("push-only-calls", &[]);
            self.report(&job, CommandState::Failed, words::CLOCK_ONLY_CALLS, &detail).await;
            return;
        }
        match self.recorder.begin(job.id, job.attempt(), &self.config.name).await {
            Ok(()) => {
                let now_local = self.now().with_timezone(&self.config.zone).naive_local();
                self.errands.add(job, now_local, Instant::now());
            }
            // Not begun, so the journal offers it again.
            Err(error) => tracing::warn!(command.id = %job.id, %error, "command not begun"),
        }
    }

    /// Reports commands that have ended.
    async fn settle(&mut self) {
        for (job, end) in self.errands.ended(Instant::now()) {
            let (state, reason, detail) = match end {
                End::Done => (CommandState::Done, "", String::new()),
                End::Refused(code) => {
                    let detail = say("push-refused", &[("code", &code)]);
                    (CommandState::Failed, words::CLOCK_REFUSES, detail)
                }
                End::NoAnswer => {
                    (CommandState::Failed, words::CLOCK_NO_ANSWER, say("push-no-answer", &[]))
                }
            };
            self.report(&job, state, reason, &detail).await;
        }
    }

    async fn report(&self, job: &Job, state: CommandState, reason: &str, detail: &str) {
        let report = job.report(&self.config.name, state, reason, detail);
        if let Err(error) = self.recorder.report(report).await {
            tracing::warn!(command.id = %job.id, %error, "the end of a command is not recorded");
        }
    }

    /// Looks how the clock fares and says so.
    fn look(&mut self) {
        let silent_since = self.heard.map_or(self.since, |(at, _)| at);
        let is_silent = silent_since.elapsed() >= SILENT_AFTER;
        let identity = &mut self.condition.identity;
        identity.model.clone_from(&self.notes.model);
        identity.platform.clone_from(&self.notes.platform);
        identity.firmware.clone_from(&self.notes.firmware);
        let code = self.condition.fault.as_ref().map(|fault| fault.code);
        if let Some(why) = &self.shut {
            let detail = why.clone();
            self.condition.fault = Some(Fault { code: words::PUSH_NOT_LISTENING, detail });
        } else if code == Some(words::COMM_KEY_REFUSED) {
            // It calls, and says more than its silence.
        } else if is_silent {
            let minutes = silent_since.elapsed().as_secs() / 60;
            let detail = say("push-silent", &[("minutes", &minutes)]);
            self.condition.fault = Some(Fault { code: words::CLOCK_SILENT, detail });
        } else {
            self.condition.fault = None;
            if self.heard.is_none() {
                // Nothing is known of it yet.
                return;
            }
        }
        self.condition.publish(&self.config.name, &self.health);
    }

    fn now(&self) -> DateTime<Utc> {
        true_time(&self.around.cloud_offset, crate::time::now())
    }
}

/// Answers to a query of a newer clock; only users are kept.
fn answers(is_users: bool, plain: &[u8]) -> Told {
    if is_users {
        return Told::users(plain);
    }
    Told { dropped: body::lines(plain).count(), ..Told::default() }
}

/// Never ready once there is nobody left to send.
async fn next_job(jobs: &mut mpsc::Receiver<Job>, are_over: bool) -> Option<Job> {
    if are_over { std::future::pending().await } else { jobs.recv().await }
}
