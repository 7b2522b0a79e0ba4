//! Words and rules of clocks that call, without I/O.

use chrono::{NaiveDateTime, TimeDelta};
use chrono_tz::Tz;
use fournil_protocol::clock::ClockTime;
use fournil_protocol::iclock::Command;

/// Commands one clock may have open.
pub(super) const OPEN_MAX: i64 = 20;
/// A command without an answer is sent again after so long, and given up after three times.
pub(super) const ANSWER_WITHIN: TimeDelta = TimeDelta::minutes(10);
pub(super) const TRIES_MAX: i32 = 3;
/// A wish nobody came for is of no use later.
pub(super) const ASKED_LIFE: TimeDelta = TimeDelta::days(2);
/// Commands given with one answer.
pub(super) const GIVEN_AT_ONCE: i64 = 5;

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

/// A zone by its IANA name.
pub(super) fn zone(name: &str) -> Option<Tz> {
    name.trim().parse().ok()
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
    fn what_is_stored_reads_back() {
        let time = |text| ClockTime::read(text).expect("a time");
        let (from, to) = (time("2026-11-01 00:00:00"), time("2026-11-02 23:59:59"));
        let range = Command::ReadPunches { from, to };
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
