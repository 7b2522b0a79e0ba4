//! Layouts against vectors decoded by an independent client, and the choice between
//! them against every way a clock miscounts.

use chrono::NaiveDate;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::clock::wire::{EVENT_PUNCH, FrameReader, code};

fn vectors() -> Vec<Value> {
    let file = include_str!("../../../../tests/vectors/zkteco.json");
    let file: Value = serde_json::from_str(file).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn of_kind(kind: &str) -> Vec<(Vec<u8>, Value)> {
    let all = vectors().into_iter().filter(|vector| vector["kind"] == kind);
    let found: Vec<_> = all.map(|vector| (bytes(&vector), vector["decoded"].clone())).collect();
    assert!(!found.is_empty(), "{kind}");
    found
}

fn bytes(vector: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(vector["hex"].as_str().unwrap().as_bytes()).unwrap()
}

fn spaced(time: ClockTime) -> String {
    time.to_string().replace('T', " ")
}

fn noon() -> chrono::NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 11, 24).unwrap().and_hms_opt(12, 0, 0).unwrap()
}

fn people(count: u16) -> UserTable {
    let user = |uid: u16| User {
        uid,
        user_id: (1000 + uid).to_string(),
        name: String::new(),
        privilege: 0,
        card: 0,
        group: 1,
        is_odd: false,
        is_name_foreign: false,
    };
    UserTable::new((1..=count).map(user).collect())
}

/// The bytes of one punch of user `uid` (id 1000 + uid) at a minute of the day.
fn record(layout: AttendanceLayout, uid: u16, minute: u16) -> Vec<u8> {
    let time = ClockTime { year: 2026, month: 11, day: 20, hour: 8, minute: 0, second: 7 };
    let time = (time.encode() + u32::from(minute) * 60).to_le_bytes();
    let mut raw = vec![0; layout.stride()];
    let mut put = |at: usize, part: &[u8]| raw[at..at + part.len()].copy_from_slice(part);
    match layout {
        AttendanceLayout::Text { .. } => {
            put(0, &uid.to_le_bytes());
            put(2, (1000 + uid).to_string().as_bytes());
            put(26, &[1]);
            put(27, &time);
            put(31, &[255, 0, 0, 0, 0, 255]);
        }
        AttendanceLayout::Sixteen => {
            put(0, &u32::from(1000 + uid).to_le_bytes());
            put(4, &time);
            put(8, &[1, 1]);
        }
        AttendanceLayout::EightA => {
            put(0, &uid.to_le_bytes());
            put(2, &[1]);
            put(3, &time);
            put(7, &[1]);
        }
        AttendanceLayout::EightB => {
            put(0, &uid.to_le_bytes());
            put(2, &[0x29, 0]);
            put(4, &time);
        }
    }
    raw
}

fn log(layout: AttendanceLayout, records: u16) -> Vec<u8> {
    (0..records).flat_map(|at| record(layout, 1 + at % 6, at)).collect()
}

const LONG: AttendanceLayout = AttendanceLayout::Text { stride: 49 };
const ALL: [AttendanceLayout; 5] = [
    AttendanceLayout::FORTY,
    LONG,
    AttendanceLayout::Sixteen,
    AttendanceLayout::EightA,
    AttendanceLayout::EightB,
];

#[test]
fn times_are_read_and_written_as_clocks_do() {
    for (bytes, decoded) in of_kind("time32") {
        let encoded = u32::from_le_bytes(bytes.try_into().unwrap());
        let time = ClockTime::decode(encoded);
        assert_eq!(time.encode(), encoded);
        if let Some(expected) = decoded["time"].as_str() {
            assert_eq!(spaced(time), expected);
        } else {
            assert_eq!(time.to_string(), "2026-02-30T08:00:00");
            assert_eq!(time.to_naive(), None);
        }
    }
    for (bytes, decoded) in of_kind("time6") {
        let time = ClockTime::from_six(bytes.try_into().unwrap());
        assert_eq!(spaced(time), decoded["time"].as_str().unwrap());
    }
}

#[test]
fn users_of_both_layouts_are_read_as_another_client_reads_them() {
    for (kind, layout) in
        [("user72", UsersLayout::SeventyTwo), ("user28", UsersLayout::TwentyEight)]
    {
        for (bytes, decoded) in of_kind(kind) {
            let user = layout.decode(&bytes).unwrap();
            assert_eq!(u64::from(user.uid), decoded["uid"]);
            assert_eq!(user.user_id, decoded["user_id"].as_str().unwrap());
            assert_eq!(u64::from(user.privilege), decoded["privilege"]);
            assert_eq!(u64::from(user.card), decoded["card"]);
            let name = decoded["name"].as_str().unwrap();
            // The other client makes up a name where there is none.
            let name = if name.starts_with("NN-") { "" } else { name };
            assert_eq!(user.name, name);
        }
    }
}

#[test]
fn punches_of_every_layout_are_read_as_another_client_reads_them() {
    let users = UserTable::new(
        of_kind("user72")
            .iter()
            .map(|(bytes, _)| UsersLayout::SeventyTwo.decode(bytes).unwrap())
            .collect(),
    );
    let kinds = [
        ("attendance40", AttendanceLayout::FORTY),
        ("attendance49", LONG),
        ("attendance16", AttendanceLayout::Sixteen),
        ("attendance8", AttendanceLayout::EightA),
    ];
    for (kind, layout) in kinds {
        for (bytes, decoded) in of_kind(kind) {
            let punch = layout.decode(&bytes, &users).unwrap();
            assert_eq!(punch.user_id, decoded["user_id"].as_str().unwrap(), "{decoded}");
            assert_eq!(punch.raw, bytes);
            let timestamp = decoded["timestamp"].as_str().or(decoded["time"].as_str()).unwrap();
            assert_eq!(spaced(punch.time), timestamp);
            let Some(status) = decoded["pyzk_status"].as_u64() else { continue };
            let seen = [u64::from(punch.verify), u64::from(punch.state)];
            let [verify, state] = match layout {
                // In this layout the other client swaps the two.
                AttendanceLayout::Sixteen => [&decoded["pyzk_punch"], &Value::from(status)],
                _ => [&Value::from(status), &decoded["pyzk_punch"]],
            };
            assert_eq!(seen, [verify.as_u64().unwrap(), state.as_u64().unwrap()], "{decoded}");
        }
    }
}

#[test]
fn the_long_form_of_eight_bytes_is_read_as_captured() {
    let raw = [0x07, 0x00, 0x28, 0x00, 0xa8, 0xeb, 0xa7, 0x1e];
    let punch = AttendanceLayout::EightB.decode(&raw, &UserTable::default()).unwrap();
    assert_eq!(punch.time.to_string(), "2016-01-01T19:02:00");
    assert_eq!((punch.state, punch.verify, punch.user_id.as_str()), (0, 1, "uid:7"));
    assert!(punch.is_user_unknown);
}

#[test]
fn events_of_every_length_are_read_as_another_client_reads_them() {
    let mut seen = 0;
    for vector in vectors().into_iter().filter(|vector| vector["kind"] == "frame") {
        let mut reader = FrameReader::default();
        reader.push(&bytes(&vector));
        let frame = reader.next_frame().unwrap().unwrap();
        let is_from_clock = vector["direction"] == "device->client";
        if frame.command != code::EVENT || frame.session != EVENT_PUNCH || !is_from_clock {
            continue;
        }
        seen += 1;
        let live = decode_punch_event(&frame.data).unwrap();
        let parsed = match &vector["decoded"]["parsed"][0] {
            Value::Null => &vector["decoded"],
            parsed => parsed,
        };
        let user = match &live.user {
            EventUser::UserId(user_id) => user_id.clone(),
            EventUser::Number(number) => number.to_string(),
        };
        assert_eq!(user, parsed["user_id"].as_str().unwrap(), "{}", vector["name"]);
        let time = parsed["timestamp"].as_str().or(parsed["time"].as_str()).unwrap();
        assert_eq!(spaced(live.time), time);
    }
    assert!(seen >= 6, "{seen}");
    let frame = |data: &[u8], more: usize| [data, &vec![7; more]].concat();
    let short = [42, 0, 1, 0, 26, 11, 23, 8, 1, 2];
    assert_eq!(decode_punch_event(&frame(&short, 4)).unwrap().user, EventUser::Number(42));
    let mut long = [0; 32];
    long[..2].copy_from_slice(b"A1");
    long[26..].copy_from_slice(&[26, 11, 23, 8, 1, 2]);
    let live = decode_punch_event(&frame(&long, 5)).unwrap();
    assert_eq!(live.user, EventUser::UserId("A1".to_owned()));
    assert_eq!(live.layout, "live-32");
}

#[test]
fn an_event_with_a_number_is_settled_by_the_user_table_or_not_at_all() {
    let users = people(3);
    let resolve = |number| EventUser::Number(number).resolve(&users);
    assert_eq!(resolve(1002).as_deref(), Some("1002"));
    assert_eq!(resolve(2).as_deref(), Some("1002"), "a slot");
    assert_eq!(resolve(77), None);
    let mut both = users.users().to_vec();
    both.push(User { uid: 9, user_id: "2".to_owned(), ..both[0].clone() });
    assert_eq!(EventUser::Number(2).resolve(&UserTable::new(both)), None, "slot 2 or id 2");
}

#[test]
fn sizes_are_read_from_bodies_of_every_length() {
    let frame = vectors().into_iter().find(|vector| vector["name"] == "reply_free_sizes_92");
    let body = bytes(&frame.unwrap())[16..].to_vec();
    let sizes = Sizes::decode(&body);
    assert_eq!((sizes.users, sizes.users_capacity, sizes.records_capacity), (3, 5000, 100_000));
    assert_eq!(Sizes::decode(&[0; 4]), Sizes::default());
    let full = Sizes { records: 80, records_capacity: 100, ..Sizes::default() };
    assert!(full.is_log_nearly_full());
    assert!(!Sizes { records: 79, ..full }.is_log_nearly_full());
    assert!(!Sizes::default().is_log_nearly_full());
}

#[test]
fn every_layout_is_recognised_with_and_without_a_count() {
    let users = people(6);
    for layout in ALL {
        for records in [1, 2, 3, 5, 16, 40, 60, 147] {
            for count in [u32::from(records), 0] {
                let facts = LogFacts { count, known: None, users: &users, now: noon() };
                let found = choose_layout(&log(layout, records), &facts);
                let expected = LayoutChoice::Certain(layout);
                assert_eq!(found, expected, "{layout} x {records}, count {count}");
            }
        }
    }
}

#[test]
fn a_count_one_too_low_never_makes_two_punches_out_of_three() {
    let users = people(6);
    for layout in [AttendanceLayout::FORTY, LONG] {
        for records in 2..60 {
            let count = u32::from(records) - 1;
            let facts = LogFacts { count, known: None, users: &users, now: noon() };
            let found = choose_layout(&log(layout, records), &facts);
            assert_eq!(found, LayoutChoice::Certain(layout), "{layout} x {records}");
        }
    }
}

#[test]
fn a_log_that_fits_nothing_is_ambiguous_and_an_empty_one_is_empty() {
    let users = people(6);
    let facts = LogFacts { count: 10, known: None, users: &users, now: noon() };
    assert_eq!(choose_layout(&[0xaa; 400], &facts), LayoutChoice::Ambiguous(Vec::new()));
    assert_eq!(choose_layout(&[0xaa; 401], &facts), LayoutChoice::Ambiguous(Vec::new()));
    assert_eq!(choose_layout(&[], &facts), LayoutChoice::Empty);
}

#[test]
fn one_impossible_date_does_not_cost_the_log() {
    let users = people(6);
    let layout = AttendanceLayout::FORTY;
    let mut bytes = log(layout, 3);
    bytes[67..71].copy_from_slice(&840_873_600_u32.to_le_bytes());
    let facts = LogFacts { count: 3, known: None, users: &users, now: noon() };
    assert_eq!(choose_layout(&bytes, &facts), LayoutChoice::Certain(layout));
    let records = layout.decode_all(&bytes, &users);
    assert_eq!(records[1].time.to_string(), "2026-02-30T08:00:00");
    assert_eq!(records.len(), 3);
}

#[test]
fn a_clock_whose_battery_died_is_still_read() {
    let users = people(6);
    let layout = AttendanceLayout::FORTY;
    let mut bytes = log(layout, 4);
    for at in 0..4 {
        bytes[at * 40 + 27..at * 40 + 31].copy_from_slice(&[9, 0, 0, 0]);
    }
    let facts = LogFacts { count: 4, known: None, users: &users, now: noon() };
    assert_eq!(choose_layout(&bytes, &facts), LayoutChoice::Certain(layout));
}

#[test]
fn user_tables_are_told_apart_by_count_or_by_content() {
    let long: Vec<u8> = of_kind("user72").into_iter().flat_map(|(bytes, _)| bytes).collect();
    let short: Vec<u8> = of_kind("user28").into_iter().flat_map(|(bytes, _)| bytes).collect();
    let users = u32::try_from(long.len() / 72).unwrap();
    assert_eq!(choose_users_layout(&long, users), Some(UsersLayout::SeventyTwo));
    let seven = long[..72].repeat(7);
    assert_eq!(choose_users_layout(&seven, 0), Some(UsersLayout::SeventyTwo), "504 bytes");
    let eighteen = short[..28].repeat(18);
    assert_eq!(choose_users_layout(&eighteen, 0), Some(UsersLayout::TwentyEight), "504 bytes");
    assert_eq!(choose_users_layout(&[0xff; 48], 1), None);
}

#[test]
fn a_garbage_name_is_kept_and_flagged() {
    let mut raw = of_kind("user72")[0].0.clone();
    raw[11..15].copy_from_slice(&[0xe3, 0xcd, 0xe3, 0xcf]);
    raw[15] = 0;
    let user = UsersLayout::SeventyTwo.decode(&raw).unwrap();
    assert_eq!((user.name.as_str(), user.is_odd), ("محمد", true));
    raw[48] = 0xff;
    let user = UsersLayout::SeventyTwo.decode(&raw).unwrap();
    assert!(user.user_id.starts_with(r"\xff"), "{}", user.user_id);
}

#[test]
fn exact_repeats_are_numbered_in_the_order_of_the_log() {
    let layout = AttendanceLayout::FORTY;
    let raw = [record(layout, 1, 0), record(layout, 2, 0), record(layout, 1, 0)].concat();
    let records = layout.decode_all(&raw, &people(2));
    assert_eq!(number_occurrences(&records), [0, 0, 1]);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        noise in prop::collection::vec(any::<u8>(), 0..700), count in 0_u32..40,
    ) {
        let users = people(6);
        let facts = LogFacts { count, known: Some(LONG), users: &users, now: noon() };
        choose_layout(&noise, &facts);
        choose_users_layout(&noise, count);
        Sizes::decode(&noise);
        if let Some(live) = decode_punch_event(&noise) {
            live.user.resolve(&users);
        }
        for layout in ALL {
            let records = layout.decode_all(&noise, &users);
            prop_assert_eq!(records.len(), noise.len() / layout.stride());
            number_occurrences(&records);
        }
    }

    #[test]
    fn every_encoded_time_is_shown_and_real_ones_come_back(encoded in any::<u32>()) {
        let time = ClockTime::decode(encoded);
        if let Some(naive) = time.to_naive().filter(|_| time.year < 2100) {
            prop_assert_eq!(ClockTime::from_naive(naive), time);
            prop_assert_eq!(time.encode(), encoded);
            prop_assert_eq!(ClockTime::from_six(time.to_six()), time);
        }
        prop_assert_eq!(time.to_string().len(), 19);
    }
}

#[test]
fn the_operation_that_was_captured_is_read() {
    for (raw, decoded) in of_kind("oplog16") {
        let [line] = decode_operations(&raw).try_into().unwrap();
        assert_eq!(Value::from(line.operation), decoded["op"]);
        assert_eq!(Value::from(spaced(line.time)), decoded["time"]);
        assert_eq!(Value::from(line.parameters.to_vec()), decoded["params"]);
    }
}

/// As the vendor's own software uploads users: a tag, then the record a table has.
#[test]
fn a_user_behind_a_tag_is_the_same_record() {
    for (kind, layout) in
        [("user73", UsersLayout::SeventyTwo), ("user29", UsersLayout::TwentyEight)]
    {
        for (raw, decoded) in of_kind(kind) {
            let (tag, record) = raw.split_first().unwrap();
            assert_eq!(Value::from(*tag), decoded["tag"]);
            let user = layout.decode(record).unwrap();
            assert_eq!((user.uid, user.name.as_str(), user.card), (26, "Ines", 123_456), "{kind}");
        }
    }
}

/// Fingers are nobody's business here: a stream of them is no log and no table of users.
#[test]
fn a_template_is_taken_for_nothing_else() {
    for (raw, decoded) in of_kind("template") {
        assert_eq!(decoded["size"], raw.len());
        let users = UserTable::default();
        let facts = LogFacts { count: 1, known: None, users: &users, now: noon() };
        assert_eq!(choose_layout(&raw, &facts), LayoutChoice::Ambiguous(Vec::new()));
        assert_eq!(choose_users_layout(&raw, 1), None);
    }
}
