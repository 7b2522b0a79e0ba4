//! Records of a clock's log decoded a second, for each layout; and lines of a clock that pushes.

#![expect(missing_docs, reason = "criterion's macros make functions without")]
#![expect(clippy::indexing_slicing, reason = "records made here have the bytes that are put")]

use std::fmt::Write as _;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fournil_gateway::clock::layout::{AttendanceLayout, ClockTime, User, UserTable};
use fournil_protocol::iclock::{Setting, Told};

const RECORDS: u32 = 10_000;

fn users() -> UserTable {
    let user = |uid: u16| User {
        uid,
        user_id: uid.to_string(),
        name: "Amine".to_owned(),
        privilege: 0,
        card: 0,
        group: 1,
        is_odd: false,
        is_name_foreign: false,
    };
    UserTable::new((1..=200).map(user).collect())
}

fn time(at: u32) -> u32 {
    let first = ClockTime { year: 2026, month: 1, day: 1, hour: 5, minute: 0, second: 0 };
    first.encode() + at * 61
}

fn record(layout: AttendanceLayout, at: u32) -> Vec<u8> {
    let uid = u16::try_from(at % 200 + 1).unwrap_or(1);
    let mut raw = vec![0; layout.stride()];
    let mut put = |at: usize, part: &[u8]| raw[at..at + part.len()].copy_from_slice(part);
    let encoded = time(at).to_le_bytes();
    match layout {
        AttendanceLayout::Text { .. } => {
            put(0, &uid.to_le_bytes());
            put(2, uid.to_string().as_bytes());
            put(26, &[1]);
            put(27, &encoded);
        }
        AttendanceLayout::Sixteen => {
            put(0, &u32::from(uid).to_le_bytes());
            put(4, &encoded);
            put(8, &[0, 1]);
        }
        AttendanceLayout::EightA => {
            put(0, &uid.to_le_bytes());
            put(2, &[1]);
            put(3, &encoded);
        }
        AttendanceLayout::EightB => {
            put(0, &uid.to_le_bytes());
            put(2, &[0x28, 0]);
            put(4, &encoded);
        }
    }
    raw
}

fn decode(criterion: &mut Criterion) {
    let users = users();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(RECORDS.into()));
    for name in ["40", "49", "16", "8a", "8b"] {
        let Ok(layout) = name.parse::<AttendanceLayout>() else { continue };
        let log: Vec<u8> = (0..RECORDS).flat_map(|at| record(layout, at)).collect();
        group.bench_function(name, |bencher| bencher.iter(|| layout.decode_all(&log, &users)));
    }
    let mut lines = String::new();
    for at in 0..RECORDS {
        let time = ClockTime::decode(time(at)).to_string().replace('T', " ");
        // Writing to a text cannot fail.
        let _ = writeln!(lines, "{}\t{time}\t0\t1\t\t0\t0", at % 200 + 1);
    }
    let instant = |_| (Some(1_800_000_000_000), None);
    let setting = Setting {
        serial: "SIM0000000001",
        zone: "Africa/Algiers",
        now_ms: 1_800_000_000_000,
        instant: &instant,
    };
    group.bench_function("push", |bencher| {
        bencher.iter(|| Told::punches(lines.as_bytes(), &setting));
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
