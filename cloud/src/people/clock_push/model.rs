//! Words and rules of clocks that call, without I/O.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use chrono_tz::Tz;
use fournil_protocol::clock::ClockTime;
use fournil_protocol::iclock::Command;

/// A range asked again is of so many days at most: a clock holds its line open meanwhile.
const RANGE_DAYS_MAX: i64 = 93;
/// Commands one clock may have open.
pub(super) const OPEN_MAX: i64 = 20;
/// A command without an answer is sent again after so long, and given up after three times.
pub(super) const ANSWER_WITHIN: TimeDelta = TimeDelta::minutes(10);
pub(super) const TRIES_MAX: i32 = 3;
/// A wish nobody came for is of no use later.
pub(super) const ASKED_LIFE: TimeDelta = TimeDelta::days(2);
/// Commands given with one answer.
pub(super) const GIVEN_AT_ONCE: i64 = 5;
/// Longest mark a clock may give.
const MARK_BYTES_MAX: usize = 20;

/// Which of a clock's logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Punches,
    Operations,
}

/// A command's word in the table.
pub(super) const fn word(command: Command) -> &'static str {
    match command {
        Command::ReadPunches { .. } => "read-punches",
        Command::ReadUsers => "read-users",
        Command::Information => "information",
    }
}

/// The range a command asks for, in the clock's own time.
pub(super) fn range_of(command: Command) -> Option<(String, String)> {
    match command {
        Command::ReadPunches { from, to } => Some((from.to_string(), to.to_string())),
        Command::ReadUsers | Command::Information => None,
    }
}

/// The command that the table holds.
pub(super) fn command(word: &str, from: Option<&str>, to: Option<&str>) -> Option<Command> {
    match word {
        "read-punches" => {
            let (from, to) = (ClockTime::read(from?)?, ClockTime::read(to?)?);
            Some(Command::ReadPunches { from, to })
        }
        "read-users" => Some(Command::ReadUsers),
        "information" => Some(Command::Information),
        _ => None,
    }
}

/// Why a range cannot be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RangeFault {
    NoTime,
    Backwards,
    TooLong,
}

/// A range of whole days, from the fields of a form (`YYYY-MM-DD`).
pub(super) fn range(from: &str, to: &str) -> Result<Command, RangeFault> {
    let day = |text: &str| NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok();
    let (from, to) = day(from).zip(day(to)).ok_or(RangeFault::NoTime)?;
    if to < from {
        return Err(RangeFault::Backwards);
    }
    if (to - from).num_days() >= RANGE_DAYS_MAX {
        return Err(RangeFault::TooLong);
    }
    let at = |day: NaiveDate, time| ClockTime::read(&format!("{day} {time}"));
    let range = at(from, "00:00:00").zip(at(to, "23:59:59")).ok_or(RangeFault::NoTime)?;
    Ok(Command::ReadPunches { from: range.0, to: range.1 })
}

/// A zone by its IANA name.
pub(super) fn zone(name: &str) -> Option<Tz> {
    name.trim().parse().ok()
}

/// A mark as it may be kept, and given back in a line of its own.
pub(super) fn mark(text: &str) -> Option<&str> {
    let is_fit = (1..=MARK_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_fit.then_some(text)
}

/// How far a zone is from UTC at a moment, in minutes: what the clock sets itself by.
pub(super) fn minutes_east(zone: Tz, utc: NaiveDateTime) -> i32 {
    use chrono::{Offset as _, TimeZone as _};
    zone.offset_from_utc_datetime(&utc).fix().local_minus_utc() / 60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_whole_days_forwards_and_not_too_long() {
        let asked = range("2026-11-01", "2026-11-02").expect("a range");
        let (from, to) = ("2026-11-01T00:00:00".to_owned(), "2026-11-02T23:59:59".to_owned());
        assert_eq!(range_of(asked), Some((from, to)));
        assert_eq!(range("2026-11-02", "2026-11-01"), Err(RangeFault::Backwards));
        assert_eq!(range("2026-02-30", "2026-03-01"), Err(RangeFault::NoTime));
        assert_eq!(range("", ""), Err(RangeFault::NoTime));
        assert_eq!(range("2026-01-01", "2026-04-04"), Err(RangeFault::TooLong));
        assert!(range("2026-01-01", "2026-04-03").is_ok(), "93 days");
    }

    #[test]
    fn a_mark_that_would_break_the_line_is_not_kept() {
        assert_eq!(mark("9999"), Some("9999"));
        assert_eq!(mark("None"), Some("None"));
        for bad in ["", "1\nDelay=1", "1;2", "123456789012345678901"] {
            assert_eq!(mark(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_stored_reads_back() {
        let range = range("2026-11-01", "2026-11-02").expect("a range");
        for asked in [range, Command::ReadUsers, Command::Information] {
            let (from, to) = range_of(asked).unzip();
            assert_eq!(command(word(asked), from.as_deref(), to.as_deref()), Some(asked));
        }
        assert_eq!(command("shell", None, None), None);
        assert_eq!(command("read-punches", Some("never"), Some("2026-11-02 23:59:59")), None);
    }

    #[test]
    fn algiers_is_an_hour_east() {
        let noon = chrono::DateTime::UNIX_EPOCH.naive_utc() + TimeDelta::days(20_000);
        assert_eq!(minutes_east(chrono_tz::Africa::Algiers, noon), 60);
        assert_eq!(minutes_east(chrono_tz::Asia::Kolkata, noon), 330);
    }
}
