//! Words and rules of clocks, without I/O.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use fournil_protocol::clock::ClockTime;
use uuid::Uuid;

/// Bytes of a name that a clock keeps, by the width of its records: wide ones have 24 with
/// a closing zero.
const NAME_BYTES: usize = 23;
/// A gateway that is there tells its clocks every ten minutes at least.
const SILENT_AFTER: TimeDelta = TimeDelta::minutes(45);
/// A clock that calls by itself asks what to do every half minute.
const AWAY_AFTER: TimeDelta = TimeDelta::minutes(10);
/// Off by more than this a clock is worth setting, milliseconds.
pub(super) const DRIFT_TOLD_MS: u64 = 60_000;

/// A line of a clock's own table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeviceUser {
    pub(super) slot: i64,
    pub(super) user_id: String,
    pub(super) name: String,
    pub(super) privilege: i64,
    pub(super) card: i64,
    pub(super) is_name_garbled: bool,
}

/// Somebody who works here, as far as clocks are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) employee_id: Uuid,
    pub(super) name: String,
    pub(super) clock_user_id: Option<String>,
    pub(super) card: Option<i64>,
}

/// How a number on a clock and somebody here go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    /// A number of the clock that is nobody's.
    Unknown,
    /// Somebody with a number that the clock does not have.
    Missing,
    Name,
    Card,
    /// The number exists twice on the clock.
    Twice,
    Same,
}

impl Difference {
    /// Whether it can be mended by writing to the clock.
    pub(super) const fn is_writable(self) -> bool {
        matches!(self, Self::Missing | Self::Name | Self::Card)
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Missing => "missing",
            Self::Name => "name",
            Self::Card => "card",
            Self::Twice => "twice",
            Self::Same => "same",
        }
    }
}

/// One line of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compared {
    pub(super) difference: Difference,
    pub(super) user_id: String,
    pub(super) on_clock: Option<DeviceUser>,
    pub(super) person: Option<Person>,
}

impl Compared {
    /// What the clock should hold of the name and the card.
    pub(super) fn wished(&self) -> Option<(String, u64)> {
        let person = self.person.as_ref()?;
        let held = self.on_clock.as_ref().map(|user| user.card).unwrap_or_default();
        // Without a card here the clock's own stays.
        let card = u64::try_from(person.card.unwrap_or(held)).unwrap_or_default();
        Some((fitting(&person.name), card))
    }
}

/// Compares a clock's table with who works here: what differs first, in the order of
/// numbers. `assigned` says whose a number of this clock is; a person's own number counts
/// where nothing was assigned.
pub(super) fn compare(
    users: &[DeviceUser],
    people: &[Person],
    assigned: &HashMap<String, Uuid>,
) -> Vec<Compared> {
    let by_id: HashMap<Uuid, &Person> =
        people.iter().map(|person| (person.employee_id, person)).collect();
    let by_number: HashMap<&str, &Person> = people
        .iter()
        .filter_map(|person| Some((person.clock_user_id.as_deref()?, person)))
        .collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for user in users {
        *counts.entry(&user.user_id).or_default() += 1;
    }
    let mut compared: Vec<Compared> = users
        .iter()
        .map(|user| {
            let person = match assigned.get(&user.user_id) {
                Some(employee_id) => by_id.get(employee_id).copied(),
                None => by_number.get(user.user_id.as_str()).copied(),
            };
            let is_twice = counts.get(user.user_id.as_str()).is_some_and(|count| *count > 1);
            Compared {
                difference: if is_twice { Difference::Twice } else { difference(user, person) },
                user_id: user.user_id.clone(),
                on_clock: Some(user.clone()),
                person: person.cloned(),
            }
        })
        .collect();
    let is_there = |person: &Person| {
        compared.iter().any(|line| {
            line.person.as_ref().is_some_and(|other| other.employee_id == person.employee_id)
        })
    };
    let missing: Vec<Compared> = people
        .iter()
        .filter(|person| !is_there(person))
        .filter_map(|person| {
            let user_id = person.clock_user_id.clone()?;
            // The number is somebody else's there.
            let is_taken = counts.contains_key(user_id.as_str());
            (!is_taken).then(|| Compared {
                difference: Difference::Missing,
                user_id,
                on_clock: None,
                person: Some(person.clone()),
            })
        })
        .collect();
    compared.extend(missing);
    compared.sort_by_key(|line| {
        let number = line.user_id.parse::<u64>().unwrap_or(u64::MAX);
        (line.difference == Difference::Same, number, line.user_id.clone())
    });
    compared
}

fn difference(user: &DeviceUser, person: Option<&Person>) -> Difference {
    let Some(person) = person else { return Difference::Unknown };
    if user.name != fitting(&person.name) {
        Difference::Name
    } else if person.card.is_some_and(|card| card != user.card) {
        Difference::Card
    } else {
        Difference::Same
    }
}

/// As much of a name as a clock keeps, cut between letters.
pub(super) fn fitting(name: &str) -> String {
    let mut end = NAME_BYTES.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name).trim_end().to_owned()
}

/// How full something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gauge {
    pub(super) held: i64,
    pub(super) capacity: i64,
}

impl Gauge {
    /// Whole per cent, `None` where the room is not known.
    pub(super) fn percent(self) -> Option<i64> {
        (self.capacity > 0).then(|| (self.held.max(0) * 100 / self.capacity).min(100))
    }

    /// Class of the badge beside it.
    pub(super) fn badge(self) -> &'static str {
        match self.percent() {
            Some(95..) => "badge--bad",
            Some(80..) => "badge--warn",
            _ => "badge--ok",
        }
    }
}

/// Whether nothing was heard of a clock for too long.
pub(super) fn is_silent(heard_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    heard_at.is_none_or(|heard_at| now - heard_at > SILENT_AFTER)
}

/// Whether a clock that calls by itself does so no more.
pub fn is_away(heard_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    heard_at.is_none_or(|heard_at| now - heard_at > AWAY_AFTER)
}

/// Text id of an operation, by the clock's number for it.
pub(super) const fn operation_text(operation: i64) -> &'static str {
    match operation {
        0 => "clocks-operation-power-on",
        1 => "clocks-operation-power-off",
        2 => "clocks-operation-refused",
        3 => "clocks-operation-alarm",
        4 => "clocks-operation-menu",
        5 => "clocks-operation-option",
        6 | 7 | 8 | 30 => "clocks-operation-enrolled",
        9 => "clocks-operation-user-deleted",
        10..=12 => "clocks-operation-means-deleted",
        13 => "clocks-operation-data-cleared",
        21 => "clocks-operation-time-set",
        22 => "clocks-operation-reset",
        23 => "clocks-operation-log-cleared",
        24 => "clocks-operation-admins-cleared",
        29 | 53 => "clocks-operation-unlocked",
        41 => "clocks-operation-usb",
        43 => "clocks-operation-usb-deleted",
        76..=83 => "clocks-operation-network",
        _ => "clocks-operation-other",
    }
}

/// Whether an operation explains gaps or moved times.
pub(super) const fn is_grave(operation: i64) -> bool {
    matches!(operation, 13 | 21 | 22 | 23 | 43)
}

/// A range asked again is of so many days at most: a clock holds its line open meanwhile.
const RANGE_DAYS_MAX: i64 = 93;

/// Why a range cannot be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RangeFault {
    NoTime,
    Backwards,
    TooLong,
}

/// A range of whole days in a clock's own time, from the fields of a form (`YYYY-MM-DD`).
pub(super) fn range(from: &str, to: &str) -> Result<(ClockTime, ClockTime), RangeFault> {
    let day = |text: &str| NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok();
    let (from, to) = day(from).zip(day(to)).ok_or(RangeFault::NoTime)?;
    if to < from {
        return Err(RangeFault::Backwards);
    }
    if (to - from).num_days() >= RANGE_DAYS_MAX {
        return Err(RangeFault::TooLong);
    }
    let at = |day: NaiveDate, time| ClockTime::read(&format!("{day} {time}"));
    at(from, "00:00:00").zip(at(to, "23:59:59")).ok_or(RangeFault::NoTime)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(user_id: &str, name: &str, card: i64) -> DeviceUser {
        DeviceUser {
            slot: 1,
            user_id: user_id.into(),
            name: name.into(),
            privilege: 0,
            card,
            is_name_garbled: false,
        }
    }

    fn person(id: u128, name: &str, number: Option<&str>, card: Option<i64>) -> Person {
        Person {
            employee_id: Uuid::from_u128(id),
            name: name.into(),
            clock_user_id: number.map(str::to_owned),
            card,
        }
    }

    fn told(lines: &[Compared]) -> Vec<(&str, Difference)> {
        lines.iter().map(|line| (line.user_id.as_str(), line.difference)).collect()
    }

    #[test]
    fn what_differs_stands_first_and_says_how() {
        use Difference::{Card, Missing, Name, Same, Unknown};
        let users = [
            user("1", "Amine", 0),
            user("2", "Nadia", 7),
            user("3", "Karim", 9),
            user("20", "?", 0),
        ];
        let people = [
            person(1, "Amine", Some("1"), None),
            person(2, "Nadia Khelifi", Some("2"), Some(7)),
            person(3, "Karim", None, Some(10)),
            person(4, "Yacine", Some("4"), Some(5)),
            person(5, "Sans numéro", None, None),
        ];
        let assigned = HashMap::from([("3".to_owned(), Uuid::from_u128(3))]);
        let lines = compare(&users, &people, &assigned);
        assert_eq!(
            told(&lines),
            [("2", Name), ("3", Card), ("4", Missing), ("20", Unknown), ("1", Same)]
        );
        assert_eq!(lines[0].wished(), Some(("Nadia Khelifi".to_owned(), 7)));
        assert_eq!(lines[2].wished(), Some(("Yacine".to_owned(), 5)));
        assert_eq!(lines[3].wished(), None);
    }

    #[test]
    fn an_assignment_counts_more_than_a_persons_own_number() {
        let people = [person(1, "Amine", Some("1"), None), person(2, "Nadia", None, None)];
        let assigned = HashMap::from([("1".to_owned(), Uuid::from_u128(2))]);
        let lines = compare(&[user("1", "Nadia", 0)], &people, &assigned);
        // Amine's number is taken there: writing it would make Nadia's punches his.
        assert_eq!(told(&lines), [("1", Difference::Same)]);
    }

    #[test]
    fn a_number_twice_on_the_clock_is_not_written() {
        let users = [user("1", "A", 0), user("1", "B", 0)];
        let lines = compare(&users, &[person(1, "A", Some("1"), None)], &HashMap::new());
        assert!(lines.iter().all(|line| line.difference == Difference::Twice));
        assert!(!Difference::Twice.is_writable() && !Difference::Unknown.is_writable());
    }

    #[test]
    fn a_long_name_is_the_same_when_the_clock_has_as_much_as_it_keeps() {
        let long = "Mohamed-Abderrahmane Bensaïd";
        assert_eq!(fitting(long), "Mohamed-Abderrahmane Be");
        assert_eq!(fitting(&"é".repeat(20)), "é".repeat(11));
        let people = [person(1, long, Some("1"), None)];
        let lines = compare(&[user("1", &fitting(long), 3)], &people, &HashMap::new());
        assert_eq!(told(&lines), [("1", Difference::Same)]);
        assert_eq!(lines[0].wished().map(|(_, card)| card), Some(3), "its card stays");
    }

    #[test]
    fn a_gauge_warns_before_the_room_is_gone() {
        let badge = |held| Gauge { held, capacity: 100 }.badge();
        assert_eq!((badge(79), badge(80), badge(95)), ("badge--ok", "badge--warn", "badge--bad"));
        assert_eq!(Gauge { held: 5, capacity: 0 }.percent(), None);
        assert_eq!(Gauge { held: 500, capacity: 100 }.percent(), Some(100));
    }

    #[test]
    fn a_range_is_whole_days_forwards_and_not_too_long() {
        let (from, to) = range("2026-11-01", "2026-11-02").expect("a range");
        assert_eq!(from.to_string(), "2026-11-01T00:00:00");
        assert_eq!(to.to_string(), "2026-11-02T23:59:59");
        assert_eq!(range("2026-11-02", "2026-11-01"), Err(RangeFault::Backwards));
        assert_eq!(range("2026-02-30", "2026-03-01"), Err(RangeFault::NoTime));
        assert_eq!(range("", ""), Err(RangeFault::NoTime));
        assert_eq!(range("2026-01-01", "2026-04-04"), Err(RangeFault::TooLong));
        assert!(range("2026-01-01", "2026-04-03").is_ok(), "93 days");
    }
}
