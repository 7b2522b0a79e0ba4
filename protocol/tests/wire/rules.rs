//! Rules of the wire that single cases show best.

use fournil_protocol::bulk::Chunk;
use fournil_protocol::command::{Command, Policy};
use fournil_protocol::document::Document;
use fournil_protocol::event::{CommandReport, CommandState};
use fournil_protocol::frame::{Commands, Events, Frame, FrameError, Kind};
use fournil_protocol::hello::{Mode, Welcome, signed_bytes};
use fournil_protocol::limits::{
    CHUNK_BYTES_MAX, COMMANDS_PER_FRAME_MAX, DEAD_AFTER_TENTHS_OF_HEARTBEAT, EVENT_BYTES_MAX,
    EVENTS_PER_FRAME_MAX, FRAME_BYTES_MAX, HEARTBEAT_MS_DEFAULT,
};
use fournil_protocol::{Versions, close, words};
use prost::Message;

#[test]
fn a_frame_over_the_limit_is_refused_by_both_sides() {
    let events = vec![vec![0; EVENT_BYTES_MAX]; 3];
    let frame = Frame::from(Kind::Events(Events { epoch: 1, events }));
    assert!(matches!(frame.encode_bytes(), Err(FrameError::TooLarge { .. })));
    let bytes = vec![0; FRAME_BYTES_MAX + 1];
    assert_eq!(Frame::decode_bytes(&bytes), Err(FrameError::TooLarge { got: FRAME_BYTES_MAX + 1 }));
}

#[test]
fn too_many_or_too_large_parts_are_refused() {
    let many = Events { epoch: 1, events: vec![vec![1]; EVENTS_PER_FRAME_MAX + 1] };
    let bytes = Frame::from(Kind::Events(many)).encode_to_vec();
    assert!(matches!(Frame::decode_bytes(&bytes), Err(FrameError::TooMany { .. })));

    let large = Events { epoch: 1, events: vec![vec![1; EVENT_BYTES_MAX + 1]] };
    let bytes = Frame::from(Kind::Events(large)).encode_to_vec();
    assert!(matches!(Frame::decode_bytes(&bytes), Err(FrameError::EventTooLarge { .. })));

    let chunk = Chunk { bytes: vec![1; CHUNK_BYTES_MAX + 1], ..Chunk::default() };
    let bytes = Frame::from(Kind::Chunk(chunk)).encode_to_vec();
    let got = CHUNK_BYTES_MAX + 1;
    assert_eq!(Frame::decode_bytes(&bytes), Err(FrameError::ChunkTooLarge { got }));

    let commands = vec![Command::default(); COMMANDS_PER_FRAME_MAX + 1];
    let bytes = Frame::from(Kind::Commands(Commands { epoch: 1, commands })).encode_to_vec();
    assert!(matches!(Frame::decode_bytes(&bytes), Err(FrameError::TooMany { .. })));
}

#[test]
fn a_kind_this_build_does_not_know_is_an_empty_frame_and_no_error() {
    // Field 500, length-delimited, three bytes.
    let bytes = [0xa2, 0x1f, 3, 1, 2, 3];
    assert_eq!(Frame::decode_bytes(&bytes).unwrap(), Frame { kind: None });
    assert_eq!(Command::decode(bytes.as_slice()).unwrap().body, None);
}

#[test]
fn a_block_of_unknown_kind_is_refused_in_json() {
    let error = serde_json::from_str::<Document>(r#"{"blocks":[{"txet":{}}]}"#).unwrap_err();
    assert!(error.to_string().contains("txet"), "{error}");
    let two = r#"{"blocks":[{"text":{},"rule":{}}]}"#;
    assert!(serde_json::from_str::<Document>(two).is_err());
}

#[test]
fn the_signature_covers_where_each_part_ends() {
    let one = signed_bytes(1, "ab", b"c", b"d");
    assert_ne!(one, signed_bytes(1, "a", b"bc", b"d"));
    assert_ne!(one, signed_bytes(1, "ab", b"cd", b""));
    assert_ne!(one, signed_bytes(2, "ab", b"c", b"d"));
}

#[test]
fn values_of_a_newer_peer_are_kept_and_read_as_the_careful_one() {
    let command = Command { policy: 77, ..Command::default() };
    let read = Command::decode(command.encode_to_vec().as_slice()).unwrap();
    assert_eq!((read.policy, read.policy()), (77, Policy::AtMostOnce));

    let report = CommandReport { state: 77, evidence: 78, ..CommandReport::default() };
    let read = CommandReport::decode(report.encode_to_vec().as_slice()).unwrap();
    assert_eq!((read.state, read.evidence), (77, 78));
    assert_eq!(read.state(), CommandState::Unknown);

    let welcome = Welcome { mode: 77, ..Welcome::default() };
    let read = Welcome::decode(welcome.encode_to_vec().as_slice()).unwrap();
    assert_ne!(read.mode, Mode::Normal as i32, "whoever compares with Normal is careful");
}

#[test]
fn versions_meet_at_the_highest_both_speak() {
    let meet = |ours: (u32, u32), theirs: (u32, u32)| {
        let versions = |(min, max)| Versions { min, max };
        versions(ours).highest_common(versions(theirs))
    };
    assert_eq!(meet((1, 2), (1, 2)), Some(2));
    assert_eq!(meet((1, 2), (1, 1)), Some(1));
    assert_eq!(meet((1, 1), (1, 9)), Some(1));
    assert_eq!(meet((2, 2), (1, 9)), Some(2));
    assert_eq!(meet((1, 2), (3, 9)), None);
    assert_eq!(meet((2, 2), (1, 1)), None);
    assert_eq!(meet((1, 2), (0, 0)), None);
}

#[test]
fn only_the_upper_band_takes_the_slow_lane() {
    assert!(!close::is_slow_lane(close::UNAVAILABLE));
    assert!(close::is_slow_lane(close::REVOKED));
    let page = include_str!("../../../docs/protocol.md");
    for code in close::ALL {
        assert!(page.contains(&format!("| {code} |")), "docs/protocol.md does not explain {code}");
    }
}

#[test]
fn a_dead_peer_is_known_within_thirty_seconds() {
    let dead_after_ms = HEARTBEAT_MS_DEFAULT * DEAD_AFTER_TENTHS_OF_HEARTBEAT / 10;
    assert_eq!(dead_after_ms, 30_000);
}

#[test]
fn the_documents_explain_every_machine_word() {
    let page = include_str!("../../../docs/protocol.md");
    for word in words::ALL.iter().chain(words::anomaly::ALL) {
        assert!(page.contains(&format!("`{word}`")), "docs/protocol.md does not explain {word}");
    }
}
