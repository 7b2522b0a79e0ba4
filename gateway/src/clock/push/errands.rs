//! Commands that wait for a clock's next call, and what it answered. Pure: the time comes in.
//!
//! A command becomes one line or two of the clock's dialect. A line is given with an answer to
//! the clock, given again when nothing came back, and its result arrives in a later call. Lines
//! are named by the command, so that a result is understood after a restart as well.

use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};
use fournil_protocol::clock::ClockTime;
use fournil_protocol::command::{Body as Order, ReadClock};
use fournil_protocol::iclock::Command;
use tokio::time::Instant;

use crate::clock::layout::Calendar as _;
use crate::seam::Job;

/// A line without a result is given again after so long, at most so often.
const ANSWER_WITHIN: Duration = Duration::from_mins(4);
const TRIES_MAX: u32 = 3;
/// A command is given up after so long, whether the clock called or not.
const PATIENCE: Duration = Duration::from_mins(15);
/// Lines given with one answer.
const GIVEN_AT_ONCE: usize = 5;
/// "What is new" asks for so many days: the rest was told long ago.
const NEW_DAYS: i64 = 3;

/// A command under way.
#[derive(Debug)]
struct Errand {
    job: Job,
    since: Instant,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    id: String,
    command: Command,
    given: Option<Instant>,
    tries: u32,
    result: Option<i64>,
}

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The clock did all of it.
    Done,
    /// The clock said no, with this number.
    Refused(i64),
    /// It did not call, or did not answer.
    NoAnswer,
}

/// All commands of one clock, in their order.
#[derive(Debug, Default)]
pub(super) struct Errands(Vec<Errand>);

/// Whether a clock that calls can do this.
pub(super) fn is_possible(job: &Job) -> bool {
    matches!(job.command.body, Some(Order::ReadClock(_)))
}

impl Errands {
    /// Takes up a command that [`is_possible`]; `now_local`: the clock's wall time.
    pub(super) fn add(&mut self, job: Job, now_local: NaiveDateTime, now: Instant) {
        let Some(Order::ReadClock(wish)) = &job.command.body else { return };
        let name = job.id.simple().to_string();
        // The last digits of the id are its random ones.
        let name = name.get(name.len().saturating_sub(12)..).unwrap_or_default();
        let line = |letter: char, command| Line {
            id: format!("{letter}{name}"),
            command,
            given: None,
            tries: 0,
            result: None,
        };
        let (from, to) = range(wish, now_local);
        let mut lines = vec![line('P', Command::ReadPunches { from, to })];
        if wish.users {
            lines.push(line('U', Command::ReadUsers));
        }
        self.0.push(Errand { job, since: now, lines });
    }

    /// The lines that are due, as the clock reads them.
    pub(super) fn give(&mut self, now: Instant) -> String {
        let is_due = |line: &&mut Line| {
            let is_late = line.given.is_none_or(|given| now >= given + ANSWER_WITHIN);
            line.result.is_none() && line.tries < TRIES_MAX && is_late
        };
        let lines = self.0.iter_mut().flat_map(|errand| &mut errand.lines);
        lines
            .filter(is_due)
            .take(GIVEN_AT_ONCE)
            .map(|line| {
                line.given = Some(now);
                line.tries += 1;
                line.command.line(&line.id)
            })
            .collect()
    }

    /// Notes what the clock answered to a line.
    pub(super) fn answered(&mut self, id: &str, code: i64) {
        let mut lines = self.0.iter_mut().flat_map(|errand| &mut errand.lines);
        if let Some(line) = lines.find(|line| line.id == id) {
            line.result = Some(code);
        }
    }

    /// Commands that have ended, which are then forgotten.
    pub(super) fn ended(&mut self, now: Instant) -> Vec<(Job, End)> {
        let mut ended = Vec::new();
        self.0.retain(|errand| {
            let end = errand.end(now);
            ended.extend(end.map(|end| (errand.job.clone(), end)));
            ended.last().is_none_or(|(job, _)| job.id != errand.job.id)
        });
        ended
    }
}

impl Errand {
    fn end(&self, now: Instant) -> Option<End> {
        let refused = self.lines.iter().filter_map(|line| line.result).find(|code| *code < 0);
        if let Some(code) = refused {
            return Some(End::Refused(code));
        }
        if self.lines.iter().all(|line| line.result.is_some()) {
            return Some(End::Done);
        }
        (now >= self.since + PATIENCE).then_some(End::NoAnswer)
    }
}

/// What a wish to read asks of a clock that gives ranges only.
fn range(wish: &ReadClock, now_local: NaiveDateTime) -> (ClockTime, ClockTime) {
    let wished = ClockTime::read(&wish.from_local).zip(ClockTime::read(&wish.to_local));
    // A clock that is fast has punches of tomorrow.
    let to = ClockTime::from_naive(now_local + TimeDelta::days(1));
    let new = ClockTime::from_naive(now_local - TimeDelta::days(NEW_DAYS));
    let first = ClockTime::decode(0);
    wished.unwrap_or((if wish.whole { first } else { new }, to))
}

#[cfg(test)]
mod tests {
    use fournil_protocol::command::Command as Asked;
    use uuid::Uuid;

    use super::*;

    fn job(number: u128, wish: ReadClock) -> Job {
        let body = Some(Order::ReadClock(wish));
        let command = Asked { body, ..Asked::default() };
        Job { id: Uuid::from_u128(number), command, interrupted_attempt: None }
    }

    fn noon() -> NaiveDateTime {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 11, 27).unwrap();
        day.and_hms_opt(12, 0, 0).unwrap()
    }

    fn ends(errands: &mut Errands, now: Instant) -> Vec<End> {
        errands.ended(now).into_iter().map(|(_, end)| end).collect()
    }

    #[test]
    fn a_wish_becomes_lines_and_ends_with_the_last_answer() {
        let mut errands = Errands::default();
        let now = Instant::now();
        errands.add(job(0xab, ReadClock { users: true, ..ReadClock::default() }), noon(), now);
        assert_eq!(
            errands.give(now),
            "C:P0000000000ab:DATA QUERY ATTLOG StartTime=2026-11-24 12:00:00\t\
             EndTime=2026-11-28 12:00:00\nC:U0000000000ab:DATA QUERY USERINFO\n"
        );
        assert_eq!(errands.give(now), "", "given once");
        errands.answered("P0000000000ab", 12);
        errands.answered("P0000000000ff", 0);
        assert_eq!(ends(&mut errands, now), []);
        errands.answered("U0000000000ab", 0);
        assert_eq!(ends(&mut errands, now), [End::Done]);
        assert_eq!(ends(&mut errands, now), [], "told once");
    }

    #[test]
    fn a_refusal_ends_it_and_silence_does_in_the_end() {
        let mut errands = Errands::default();
        let now = Instant::now();
        errands.add(job(1, ReadClock { whole: true, ..ReadClock::default() }), noon(), now);
        errands.add(job(2, ReadClock::default()), noon(), now);
        let given = errands.give(now);
        assert!(given.contains("StartTime=2000-01-01 00:00:00"), "{given}");
        errands.answered("P000000000001", -1_002);
        assert_eq!(ends(&mut errands, now), [End::Refused(-1_002)]);
        for again in 1..TRIES_MAX {
            assert!(!errands.give(now + ANSWER_WITHIN * again).is_empty());
        }
        assert_eq!(errands.give(now + ANSWER_WITHIN * TRIES_MAX), "", "enough");
        assert_eq!(ends(&mut errands, now + PATIENCE), [End::NoAnswer]);
    }

    #[test]
    fn a_range_that_is_wished_is_asked_for() {
        let wish = ReadClock {
            from_local: "2026-11-01T00:00:00".to_owned(),
            to_local: "2026-11-02T23:59:59".to_owned(),
            ..ReadClock::default()
        };
        let mut errands = Errands::default();
        errands.add(job(3, wish), noon(), Instant::now());
        let given = errands.give(Instant::now());
        assert!(given.contains("2026-11-01 00:00:00\tEndTime=2026-11-02 23:59:59"), "{given}");
    }
}
