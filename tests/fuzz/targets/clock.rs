//! Any bytes from a clock, cut anywhere, as frames, as records of every layout, as users,
//! sizes and live events.

#![no_main]

use chrono::DateTime;
use fournil_gateway::clock::layout::{
    AttendanceLayout, Calendar as _, ClockTime, LayoutChoice, LogFacts, Sizes, UserTable,
    UsersLayout, choose_layout, choose_users_layout, decode_punch_event, number_occurrences,
};
use fournil_gateway::clock::wire::{Frame, FrameReader, WireError};
use libfuzzer_sys::fuzz_target;

/// The first bytes say how the stream is cut and what the clock says of its log.
#[derive(Debug, arbitrary::Arbitrary)]
struct Heard<'b> {
    piece_bytes: u8,
    count: u32,
    bytes: &'b [u8],
}

fuzz_target!(init: fournil_fuzz::begin(), |heard: Heard<'_>| {
    stream(&heard);
    let users = users(&heard);
    log(&heard, &users);
    // The log of a whole reading comes behind its own total.
    if let Some(log_bytes) = heard.bytes.get(4..) {
        log(&Heard { bytes: log_bytes, ..heard }, &users);
    }
    if let Some(event) = decode_punch_event(heard.bytes) {
        let _ = event.user.resolve(&users);
    }
    let _ = Sizes::decode(heard.bytes).is_log_nearly_full();
    let time = ClockTime::decode(heard.count);
    // Two digits for the year are all there is to write.
    if time.to_naive().is_some() && time.year < 2100 {
        assert_eq!(ClockTime::decode(time.encode()), time);
    }
});

fn stream(heard: &Heard<'_>) {
    let mut reader = FrameReader::default();
    for piece in heard.bytes.chunks(usize::from(heard.piece_bytes).max(1)) {
        reader.push(piece);
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => {
                    assert_eq!(Frame::decode_payload(&frame.encode_payload()), Ok(frame))
                }
                Ok(None) => break,
                Err(WireError::Checksum { .. }) => {}
                Err(_) => return,
            }
        }
    }
}

fn users(heard: &Heard<'_>) -> UserTable {
    for count in [heard.count, heard.count % 64] {
        let layout: Option<UsersLayout> = choose_users_layout(heard.bytes, count);
        if let Some(layout) = layout {
            return UserTable::new(layout.decode_all(heard.bytes));
        }
    }
    UserTable::new(Vec::new())
}

fn log(heard: &Heard<'_>, users: &UserTable) {
    let now = DateTime::from_timestamp_secs(1_795_478_400).map(|at| at.naive_utc());
    let now = now.unwrap_or_default();
    for count in [heard.count, heard.count % 512, 0] {
        let facts = LogFacts { count, known: None, users, now };
        match choose_layout(heard.bytes, &facts) {
            LayoutChoice::Certain(layout) => every_record(layout, heard.bytes, users),
            LayoutChoice::Ambiguous(layouts) => {
                for layout in layouts {
                    every_record(layout, heard.bytes, users);
                }
            }
            LayoutChoice::Empty => assert!(heard.bytes.is_empty()),
        }
    }
}

fn every_record(layout: AttendanceLayout, bytes: &[u8], users: &UserTable) {
    let records = layout.decode_all(bytes, users);
    assert!(records.len() <= bytes.len() / layout.stride());
    assert_eq!(number_occurrences(&records).len(), records.len());
}
