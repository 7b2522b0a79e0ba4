//! Commands to a clock beyond reading it: set its time, write users, empty its log. Each
//! looks at the clock just before, does nothing that is done already, and says what it found.
//! They run between two readings, never during one.

use fournil_protocol::command::{Body as Order, ClearClockLog, ClockUserChange, WriteClockUsers};
use fournil_protocol::event::{ClockUser, CommandState, Severity};
use fournil_protocol::words;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep};

use super::session::LOCK_S;
use super::{ClockPart, SessionEnd};
use crate::clock::client::{ClearPermit, ClientError, EventAck, Session, Table, unless_refused};
use crate::clock::layout::{
    Calendar as _, ClockTime, User, UserTable, UserWish, UsersLayout, WishFault,
    choose_users_layout, user_record,
};
use crate::clock::ledger::{Origin, drift_ms};
use crate::clock::link::Event;
use crate::i18n::say;
use crate::seam::{Job, RecordError};
use crate::supervise::progress;

/// Nearer than this a clock of whole seconds cannot be set.
const RIGHT_WITHIN_MS: u64 = 1_500;
/// How long the cloud may take to confirm what was just read, before a log is emptied.
const CONFIRM_PATIENCE: Duration = Duration::from_secs(15);
const CONFIRM_PAUSE: Duration = Duration::from_millis(200);
/// Between what is said of one user and of the next.
const BETWEEN: &str = " · ";
const TURN_SLACK: Duration = Duration::from_mins(1);

/// How a command ended.
pub(super) struct Outcome {
    state: CommandState,
    reason: &'static str,
    detail: String,
}

impl Outcome {
    fn done(detail: String) -> Outcome {
        Outcome { state: CommandState::Done, reason: "", detail }
    }

    fn refused(reason: &'static str, detail: String) -> Outcome {
        Outcome { state: CommandState::Failed, reason, detail }
    }
}

/// Whether a command is answered by the next reading of the log.
pub(super) fn is_reading(job: &Job) -> bool {
    matches!(job.command.body, Some(Order::ReadClock(_)))
}

/// Whether it must not be done again when nobody knows whether it was done.
pub(super) fn is_once(job: &Job) -> bool {
    matches!(job.command.body, Some(Order::ClearClockLog(_)))
}

/// Whether a clock's part carries this out.
pub(super) fn is_ours(job: &Job) -> bool {
    matches!(
        job.command.body,
        Some(
            Order::ReadClock(_)
                | Order::SetClockTime(_)
                | Order::WriteClockUsers(_)
                | Order::ClearClockLog(_)
        )
    )
}

impl ClockPart {
    /// Carries out what was asked besides readings, in the order of asking. What the session
    /// breaks off stays among the asked and is answered with the session's end. True when
    /// there was something, so that what became of the clock is looked at and told.
    pub(super) async fn carry_out_orders(
        &mut self,
        session: &mut Session,
        events: &mut mpsc::Receiver<Event>,
        origin: &Origin,
        ack: &EventAck,
    ) -> Result<bool, SessionEnd> {
        let mut has_acted = false;
        while let Some(at) = self.asked.iter().position(|job| !is_reading(job)) {
            let Some(job) = self.asked.get(at).cloned() else { break };
            let outcome = match &job.command.body {
                Some(Order::SetClockTime(_)) => self.set_time(session).await?,
                Some(Order::WriteClockUsers(wish)) => {
                    self.write_users(session, origin, wish).await?
                }
                Some(Order::ClearClockLog(wish)) => {
                    self.clear_log(session, events, origin, ack, wish).await?
                }
                _ => Outcome::refused(words::NOT_A_CLOCK_COMMAND, String::new()),
            };
            self.asked.remove(at);
            self.report(&job, outcome.state, outcome.reason, &outcome.detail).await;
            has_acted = true;
        }
        Ok(has_acted)
    }

    /// Sets the clock by itself where the configuration wants that.
    pub(super) async fn correct_time(&mut self, session: &mut Session) -> Result<(), SessionEnd> {
        let limit_ms = u64::from(self.config.set_time_beyond_s) * 1_000;
        let is_off = self.condition.drift_ms.is_none_or(|drift| drift.unsigned_abs() > limit_ms);
        if limit_ms == 0 || !is_off {
            return Ok(());
        }
        let outcome = self.set_time(session).await?;
        if outcome.state != CommandState::Done {
            tracing::warn!(
                clock.name = self.config.name,
                reason = outcome.reason,
                "the clock is not set"
            );
        }
        Ok(())
    }

    async fn set_time(&mut self, session: &mut Session) -> Result<Outcome, SessionEnd> {
        let Some(before) = unless_refused(session.time().await)? else {
            return Ok(Outcome::refused(words::BUSY, say("clock-time-not-told", &[])));
        };
        // A box that does not know the time must not spread its error to the clock.
        if self.cloud_offset.ms().is_none() {
            let detail = say("clock-true-time-unknown", &[]);
            return Ok(Outcome::refused(words::TRUE_TIME_UNKNOWN, detail));
        }
        let drift = drift_ms(before, self.now_local(self.now()));
        if drift.is_some_and(|drift| drift.unsigned_abs() <= RIGHT_WITHIN_MS) {
            self.condition.drift_ms = drift;
            return Ok(Outcome::done(say("clock-time-right", &[("time", &before)])));
        }
        let now = self.now_local(self.now()) + chrono::TimeDelta::milliseconds(500);
        if unless_refused(session.set_time(ClockTime::from_naive(now)).await)?.is_none() {
            return Ok(Outcome::refused(words::CLOCK_REFUSES, say("clock-time-refused", &[])));
        }
        let after = session.time().await?;
        self.condition.drift_ms = drift_ms(after, self.now_local(self.now()));
        let detail = say("clock-time-set", &[("before", &before), ("after", &after)]);
        self.notice(Severity::Info, words::CLOCK_TIME_SET, detail.clone()).await?;
        self.publish();
        let is_right = self.condition.drift_ms.is_some_and(|drift| drift.unsigned_abs() < 5_000);
        Ok(if is_right {
            Outcome::done(detail)
        } else {
            Outcome::refused(words::CLOCK_REFUSES, detail)
        })
    }

    async fn write_users(
        &mut self,
        session: &mut Session,
        origin: &Origin,
        wish: &WriteClockUsers,
    ) -> Result<Outcome, SessionEnd> {
        if wish.clock_serial != origin.serial {
            return Ok(other_serial(&wish.clock_serial, origin));
        }
        let Some((layout, mut table)) = self.users_now(session).await? else {
            let detail = say("clock-users-unreadable", &[]);
            return Ok(Outcome::refused(words::USERS_UNREADABLE, detail));
        };
        let pin_width = self.profile.pin_width.unwrap_or_default();
        let mut said = Vec::new();
        let mut is_whole = true;
        for change in &wish.changes {
            let written = match prepared(layout, &table, change, pin_width) {
                Prepared::Already => Ok("clock-user-already"),
                Prepared::Fault(id, max) => Err((id, max)),
                Prepared::Record(record) => {
                    let written = session.write_user(record).await;
                    let is_taken = unless_refused(written)?.is_some();
                    if is_taken { Ok("clock-user-written") } else { Err(("clock-user-refused", 0)) }
                }
            };
            is_whole &= written.is_ok();
            let (id, max) = written.map_or_else(|fault| fault, |id| (id, 0));
            said.push(say(id, &[("user", &change.user_id), ("max", &max)]));
            // The next free slot is another one, and the same user may come twice.
            if let Some((_, read)) = self.users_now(session).await? {
                table = read;
            }
        }
        session.refresh().await?;
        let verdict = self.verdict(session, origin, wish, said, is_whole).await?;
        Ok(verdict)
    }

    /// Looks at the clock once more: only what stands there was written.
    async fn verdict(
        &mut self,
        session: &mut Session,
        origin: &Origin,
        wish: &WriteClockUsers,
        mut said: Vec<String>,
        is_whole: bool,
    ) -> Result<Outcome, SessionEnd> {
        let Some((layout, table)) = self.users_now(session).await? else {
            return Ok(Outcome::refused(words::USERS_UNREADABLE, said.join(BETWEEN)));
        };
        let users = std::sync::Arc::new(UserTable::new(layout.decode_all(&table)));
        self.memory.users = Some(std::sync::Arc::clone(&users));
        self.tell_users(&origin.serial, &users, true).await?;
        let stands = |change: &ClockUserChange| {
            users.by_user_id(&change.user_id).is_some_and(|user| is_as_wished(user, change))
        };
        let missing: Vec<&str> = wish
            .changes
            .iter()
            .filter(|change| !stands(change))
            .map(|change| change.user_id.as_str())
            .collect();
        if is_whole && !missing.is_empty() {
            said.push(say("clock-users-missing", &[("users", &missing.join(", "))]));
        }
        let detail = said.join(BETWEEN);
        Ok(if missing.is_empty() {
            Outcome::done(detail)
        } else {
            Outcome::refused(words::USERS_NOT_ALL_WRITTEN, detail)
        })
    }

    /// The table of users as it is this moment; `None` when it cannot be read or told apart.
    async fn users_now(
        &self,
        session: &mut Session,
    ) -> Result<Option<(UsersLayout, Vec<u8>)>, SessionEnd> {
        let sizes = session.sizes().await?;
        let read = session.read_table(Table::Users, self.memory.chunk_bytes).await;
        let table = match read {
            Ok(table) => table.records,
            Err(ClientError::Refused { .. } | ClientError::Senseless { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if table.is_empty() {
            // Nobody yet: colour firmware, which nearly all are, has the wide record.
            return Ok(Some((UsersLayout::SeventyTwo, table)));
        }
        Ok(choose_users_layout(&table, sizes.users).map(|layout| (layout, table)))
    }

    async fn clear_log(
        &mut self,
        session: &mut Session,
        events: &mut mpsc::Receiver<Event>,
        origin: &Origin,
        ack: &EventAck,
        wish: &ClearClockLog,
    ) -> Result<Outcome, SessionEnd> {
        if !self.config.allow_clear {
            let detail = say("clock-clear-not-allowed", &[]);
            return Ok(Outcome::refused(words::CLEAR_NOT_ALLOWED, detail));
        }
        if wish.clock_serial != origin.serial {
            return Ok(other_serial(&wish.clock_serial, origin));
        }
        // Nobody punches between the last look and the emptying, where the clock obeys.
        unless_refused(session.lock(LOCK_S).await)?;
        let outcome = self.clear_locked(session, events, origin, ack, wish).await;
        if !session.is_broken() {
            session.enable().await?;
        }
        outcome
    }

    async fn clear_locked(
        &mut self,
        session: &mut Session,
        events: &mut mpsc::Receiver<Event>,
        origin: &Origin,
        ack: &EventAck,
        wish: &ClearClockLog,
    ) -> Result<Outcome, SessionEnd> {
        self.memory.settled = None;
        self.read_log(session, events, origin, ack).await?;
        let held = self.told.whole_read.map(|(_, held)| held);
        if held != Some(wish.records) || self.condition.sizes.records != wish.records {
            return Ok(another_count(wish, held.unwrap_or_default()));
        }
        if let Err(open) = self.until_confirmed().await? {
            let detail = say("clock-clear-unconfirmed", &[("open", &open)]);
            return Ok(Outcome::refused(words::CLEAR_NOT_CONFIRMED, detail));
        }
        let counted = session.sizes().await?.records;
        if counted != wish.records || !events.is_empty() {
            return Ok(another_count(wish, counted));
        }
        match session.clear_log(ClearPermit::after_all_guards()).await {
            Ok(()) => {}
            Err(ClientError::Refused { .. }) => {
                let detail = say("clock-clear-refused", &[]);
                return Ok(Outcome::refused(words::CLOCK_REFUSES, detail));
            }
            Err(error) => {
                let (state, reason) = (CommandState::InDoubt, words::NO_PROOF);
                return Ok(Outcome { state, reason, detail: error.to_string() });
            }
        }
        self.memory.settled = None;
        let left = session.sizes().await?.records;
        let detail = say("clock-cleared", &[("records", &wish.records), ("left", &left)]);
        self.notice(Severity::Warning, words::CLOCK_LOG_CLEARED, detail.clone()).await?;
        Ok(Outcome::done(detail))
    }

    /// Waits a moment for the cloud to confirm everything; how many facts are open otherwise.
    async fn until_confirmed(&self) -> Result<Result<(), u64>, SessionEnd> {
        progress(CONFIRM_PATIENCE + TURN_SLACK);
        let until = Instant::now() + CONFIRM_PATIENCE;
        loop {
            match self.recorder.confirmed().await {
                Ok(()) => return Ok(Ok(())),
                Err(RecordError::Unconfirmed(_)) if Instant::now() < until => {
                    sleep(CONFIRM_PAUSE).await;
                }
                Err(RecordError::Unconfirmed(open)) => return Ok(Err(open)),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn another_count(wish: &ClearClockLog, held: u32) -> Outcome {
    let detail = say("clock-clear-count", &[("wished", &wish.records), ("held", &held)]);
    Outcome::refused(words::CLEAR_COUNT_DIFFERS, detail)
}

fn other_serial(expected: &str, origin: &Origin) -> Outcome {
    let found = origin.serial.as_str();
    let detail = say("clock-serial-mismatch", &[("found", &found), ("expected", &expected)]);
    Outcome::refused(words::SERIAL_MISMATCH, detail)
}

/// What is to be done about one user.
enum Prepared {
    /// It is so already.
    Already,
    Record(Vec<u8>),
    /// A text that says why not, and the bound in it.
    Fault(&'static str, usize),
}

fn prepared(
    layout: UsersLayout,
    table: &[u8],
    change: &ClockUserChange,
    pin_width: u32,
) -> Prepared {
    let users = layout.decode_all(table);
    let mut same = users.iter().filter(|user| user.user_id == change.user_id);
    let current = match (same.next(), same.next()) {
        // Typed twice at the clock: nobody knows which one is meant.
        (Some(_), Some(_)) => return Prepared::Fault("clock-user-twice", 0),
        (current, _) => current,
    };
    if current.is_some_and(|user| is_as_wished(user, change)) {
        return Prepared::Already;
    }
    let is_expected = match (current, &change.expected) {
        (None, None) => true,
        (Some(user), Some(expected)) => is_same(user, expected),
        _ => false,
    };
    if !is_expected {
        return Prepared::Fault("clock-user-differs", 0);
    }
    let wish = UserWish { user_id: &change.user_id, name: &change.name, card: change.card };
    match user_record(layout, table, &wish, pin_width) {
        Ok(record) => Prepared::Record(record),
        Err(WishFault::UserId { max }) => Prepared::Fault("clock-user-id", max),
        Err(WishFault::NameLong { max }) => Prepared::Fault("clock-user-name-long", max),
        Err(WishFault::NameLetters) => Prepared::Fault("clock-user-name-letters", 0),
        Err(WishFault::Card) => Prepared::Fault("clock-user-card", 0),
        Err(WishFault::Full) => Prepared::Fault("clock-user-full", 0),
    }
}

fn is_as_wished(user: &User, change: &ClockUserChange) -> bool {
    user.name == change.name && u64::from(user.card) == change.card
}

fn is_same(user: &User, expected: &ClockUser) -> bool {
    user.name == expected.name
        && u64::from(user.card) == expected.card
        && u32::from(user.privilege) == expected.privilege
}
