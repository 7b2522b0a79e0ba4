//! Identities stay the same however a punch arrives, and nothing is recorded twice.

use super::super::layout::{EventUser, User};
use super::*;

fn origin() -> Origin {
    Origin { serial: "CKJ1".to_owned(), zone: Tz::Africa__Algiers }
}

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-24T12:00:00Z").unwrap().to_utc()
}

fn time(second: u8) -> ClockTime {
    ClockTime { year: 2026, month: 11, day: 24, hour: 8, minute: 1, second }
}

fn record(user_id: &str, second: u8) -> LogRecord {
    LogRecord {
        uid: Some(1),
        user_id: user_id.to_owned(),
        time: time(second),
        state: 0,
        verify: 1,
        raw: vec![1, 2, 3],
        is_user_id_odd: false,
        is_user_unknown: false,
        is_form_odd: false,
    }
}

fn live(user_id: &str, second: u8) -> LiveRecord {
    LiveRecord {
        user: EventUser::UserId(user_id.to_owned()),
        time: time(second),
        state: 0,
        verify: 1,
        raw: vec![9],
        layout: "live-32".to_owned(),
    }
}

fn judge(ledger: &mut Ledger, live: &LiveRecord) -> LiveVerdict {
    ledger.judge_live(live, &UserTable::default(), &origin(), now())
}

fn take_live(ledger: &mut Ledger, live: &LiveRecord) {
    let LiveVerdict::Record(punch) = judge(ledger, live) else { panic!("not recorded") };
    ledger.mark(&punch);
}

/// A ledger whose clock has been confirmed once.
fn trusting() -> Ledger {
    Ledger::knowing(HashMap::new(), Trust::Trusted)
}

#[derive(Debug, Default, PartialEq)]
struct Merge {
    new: Vec<Punch>,
    unconfirmed: usize,
}

fn compare(ledger: &mut Ledger, records: &[LogRecord], awaited: HashSet<Key>) -> Merge {
    let mut pass = ledger.pass(AttendanceLayout::FORTY, awaited);
    let met = records.iter().filter_map(|record| ledger.meet(&mut pass, record, &origin(), now()));
    let new = met.collect();
    Merge { new, unconfirmed: ledger.finish(&pass).unconfirmed }
}

fn merge(ledger: &mut Ledger, records: &[LogRecord]) -> Merge {
    let awaited = ledger.awaited();
    let merge = compare(ledger, records, awaited);
    for punch in &merge.new {
        ledger.mark(punch);
    }
    merge
}

#[test]
fn reading_the_same_log_again_brings_nothing_new() {
    let mut ledger = Ledger::default();
    let log = [record("1", 1), record("1", 1), record("2", 1)];
    let occurrences: Vec<u32> =
        merge(&mut ledger, &log).new.iter().map(|punch| punch.occurrence).collect();
    assert_eq!(occurrences, [0, 1, 0]);
    assert_eq!(merge(&mut ledger, &log), Merge::default());
}

#[test]
fn a_live_punch_and_its_record_are_one_punch() {
    let mut ledger = trusting();
    take_live(&mut ledger, &live("7", 3));
    assert_eq!(merge(&mut ledger, &[record("7", 3)]), Merge::default());
}

#[test]
fn an_exact_repeat_is_left_to_the_log() {
    let mut ledger = trusting();
    take_live(&mut ledger, &live("7", 3));
    assert!(matches!(judge(&mut ledger, &live("7", 3)), LiveVerdict::ReadLog(_)));
    let merge = merge(&mut ledger, &[record("7", 3), record("7", 3)]);
    assert_eq!(merge.new.len(), 1);
    assert_eq!(merge.new[0].occurrence, 1);
}

#[test]
fn a_punch_the_journal_did_not_take_is_new_again() {
    let mut ledger = Ledger::default();
    let first = compare(&mut ledger, &[record("7", 3)], HashSet::new());
    assert_eq!(first.new.len(), 1);
    assert_eq!(merge(&mut ledger, &[record("7", 3)]).new.len(), 1);
}

#[test]
fn events_that_the_log_does_not_confirm_are_no_longer_believed() {
    let mut ledger = trusting();
    take_live(&mut ledger, &live("7", 3));
    let merge = merge(&mut ledger, &[record("0007", 3)]);
    assert_eq!((merge.new.len(), merge.unconfirmed), (1, 1));
    assert!(matches!(judge(&mut ledger, &live("8", 4)), LiveVerdict::ReadLog(_)));
}

#[test]
fn events_start_a_reading_until_a_log_has_confirmed_one() {
    let mut ledger = Ledger::default();
    assert!(matches!(judge(&mut ledger, &live("7", 3)), LiveVerdict::ReadLog(_)));
    assert_eq!(merge(&mut ledger, &[record("7", 3)]).new.len(), 1, "recorded once, by the log");
    assert_eq!(ledger.trust(), Trust::Trusted);
    take_live(&mut ledger, &live("8", 4));
}

#[test]
fn firmware_that_tells_live_something_else_makes_no_second_punch() {
    let mut ledger = Ledger::default();
    assert!(matches!(judge(&mut ledger, &live("7", 3)), LiveVerdict::ReadLog(_)));
    let merged = merge(&mut ledger, &[record("0007", 3)]);
    assert_eq!((merged.new.len(), merged.unconfirmed), (1, 0), "one punch, and no alarm");
    assert_eq!(ledger.trust(), Trust::Differs);
    // Another one that happens to match changes nothing.
    assert!(matches!(judge(&mut ledger, &live("8", 4)), LiveVerdict::ReadLog(_)));
    merge(&mut ledger, &[record("0007", 3), record("8", 4)]);
    assert!(matches!(judge(&mut ledger, &live("9", 5)), LiveVerdict::ReadLog(_)));
}

#[test]
fn a_live_punch_during_a_reading_is_not_expected_in_it() {
    let mut ledger = trusting();
    let before = ledger.awaited();
    take_live(&mut ledger, &live("7", 3));
    let merged = compare(&mut ledger, &[], before);
    assert_eq!(merged.unconfirmed, 0);
    assert_eq!(merge(&mut ledger, &[record("7", 3)]), Merge::default());
}

#[test]
fn memory_is_pruned_to_the_log_after_somebody_cleared_it() {
    let mut ledger = Ledger::default();
    let many: Vec<LogRecord> = (0..11_000).map(|id| record(&id.to_string(), 1)).collect();
    merge(&mut ledger, &many);
    merge(&mut ledger, &[]);
    assert_eq!(ledger.recorded().count(), 11_000, "an empty reading proves nothing");
    merge(&mut ledger, &[record("1", 1)]);
    assert_eq!(ledger.recorded().count(), 1);
}

#[test]
fn instants_follow_the_zone_and_odd_times_are_flagged() {
    let mut odd = record("7", 3);
    odd.time = ClockTime { month: 2, day: 30, ..odd.time };
    let punch = to_punch(&odd, 0, &origin(), "40", now());
    assert_eq!((punch.instant_ms, punch.anomalies), (None, vec!["impossible-date".to_owned()]));
    let punch = to_punch(&record("7", 3), 0, &origin(), "40", now());
    assert_eq!(punch.local_time, "2026-11-24T08:01:03");
    // Algiers is one hour ahead of UTC.
    assert_eq!(punch.instant_ms, Some(1_795_503_663_000));
    assert!(punch.anomalies.is_empty());
    odd.time = ClockTime { year: 2031, ..time(3) };
    assert_eq!(to_punch(&odd, 0, &origin(), "40", now()).anomalies, ["future"]);
    let paris = Origin { zone: Tz::Europe__Paris, ..origin() };
    odd.time = ClockTime { year: 2026, month: 3, day: 29, hour: 2, minute: 30, second: 0 };
    assert_eq!(to_punch(&odd, 0, &paris, "40", now()).anomalies, ["skipped-hour"]);
    odd.time = ClockTime { year: 2026, month: 10, day: 25, hour: 2, minute: 30, second: 0 };
    assert_eq!(to_punch(&odd, 0, &paris, "40", now()).anomalies, ["ambiguous-hour"]);
}

#[test]
fn other_people_and_other_clocks_have_other_identities() {
    let base = key("S", "7", "2026-11-24T08:01:03", 0, 1);
    let others = [
        key("T", "7", "2026-11-24T08:01:03", 0, 1),
        key("S", "8", "2026-11-24T08:01:03", 0, 1),
        key("S", "7", "2026-11-24T08:01:04", 0, 1),
        key("S", "7", "2026-11-24T08:01:03", 1, 1),
        key("S", "7", "2026-11-24T08:01:03", 0, 2),
        key("S7", "", "2026-11-24T08:01:03", 0, 1),
    ];
    assert!(others.iter().all(|other| *other != base));
}

#[test]
fn the_user_of_a_numbered_event_comes_from_the_table() {
    let user = User {
        uid: 2,
        user_id: "EMP-2".to_owned(),
        name: String::new(),
        privilege: 0,
        card: 0,
        group: 1,
        is_odd: false,
        is_name_foreign: false,
    };
    let event = LiveRecord { user: EventUser::Number(2), ..live("", 3) };
    let users = UserTable::new(vec![user]);
    let verdict = trusting().judge_live(&event, &users, &origin(), now());
    let LiveVerdict::Record(punch) = verdict else { panic!("not recorded") };
    assert_eq!(punch.user_id, "EMP-2");
}

/// 100,000 punches are the most that common clocks hold.
#[test]
fn a_full_clock_costs_a_few_bytes_a_punch() {
    let mut ledger = Ledger::default();
    for number in 0..100_000_u32 {
        let mut record = record(&number.to_string(), 1);
        record.raw.clear();
        ledger.mark(&to_punch(&record, 0, &origin(), "40", now()));
    }
    assert_eq!(ledger.recorded().count(), 100_000, "two identities fell together");
    // A slot of the table is the entry and one byte of its own.
    let bytes = ledger.known.capacity() * (size_of::<(Key, Repeats)>() + 1);
    assert!(bytes < 8 * 1024 * 1024, "{bytes} bytes");
}
