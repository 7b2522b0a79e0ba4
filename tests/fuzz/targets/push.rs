//! Anything a clock that calls by itself may send: addresses, packed and plain bodies of each
//! table, results of commands. What is read keeps its count of lines, and no two punches of a
//! body are one.

#![no_main]

use std::collections::HashSet;

use fournil_protocol::clock::ClockTime;
use fournil_protocol::iclock::{
    Ask, CommandResult, LINES_MAX, PLAIN_BYTES_MAX, Setting, Told, body, told,
};
use libfuzzer_sys::fuzz_target;

fn instant(time: ClockTime) -> told::Instant {
    (Some(i64::from(time.encode())), None)
}

fuzz_target!(init: fournil_fuzz::begin(), |bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for method in ["GET", "POST"] {
        let _ = Ask::read(method, &text, &text);
        let _ = Ask::read(method, "/iclock/cdata", &text);
    }
    let Ok(plain) = body::plain(bytes) else { return };
    let lines = body::lines(&plain).count();
    assert!(plain.len() <= PLAIN_BYTES_MAX.max(bytes.len()) && lines <= LINES_MAX);
    let setting = Setting { serial: "CKUL18", zone: "UTC", now_ms: 0, instant: &instant };
    let punches = Told::punches(&plain, &setting);
    assert_eq!(punches.lines(), lines);
    let identities: HashSet<_> = punches
        .punches
        .iter()
        .map(|p| (&p.user_id, &p.local_time, p.state, p.verify, p.occurrence))
        .collect();
    assert_eq!(identities.len(), lines);
    assert_eq!(Told::operations(&plain, &setting).lines(), lines);
    assert_eq!(Told::users(&plain).lines(), lines);
    let _ = (CommandResult::read_all(&plain), told::property(&plain, "FirmVer"));
});
