//! The bytes on disk, so that no release loses what an earlier one wrote.

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::{Bench, punch};
use crate::cli::journal::{JournalCommand, run};
use crate::journal::framing::{NO_HASH, OVERHEAD, Parsed, find_next, parse, write};
use crate::journal::record::{
    Aged, Closed, CommandAccepted, CommandBegun, CommandSettled, DownCursor, EventWritten, Opened,
    Record, UpAcked,
};

/// Written by 0.1.0. These lines may be added to, never changed.
fn golden() -> Vec<(Record, &'static str)> {
    let (command_id, device) = (vec![1, 2], "till".to_owned());
    vec![
        (
            Opened {
                up_epoch: 5,
                incarnation: 2,
                boot_id: vec![9],
                wall_ms: 7,
                ..Opened::default()
            }
            .into(),
            "09050000000000000010021a01092007",
        ),
        (
            Opened {
                up_epoch: 5,
                incarnation: 2,
                boot_id: vec![9],
                wall_ms: 7,
                lived_ms: 300,
                boot_ms: 4,
            }
            .into(),
            "09050000000000000010021a0109200728ac023004",
        ),
        (
            EventWritten { up_epoch: 5, up_seq: 300, event: vec![8, 1] }.into(),
            "09050000000000000010ac021a020801",
        ),
        (
            CommandAccepted {
                down_epoch: 5,
                down_seq: 3,
                command_id: command_id.clone(),
                command: vec![8, 3],
            }
            .into(),
            "09050000000000000010031a02010222020803",
        ),
        (
            CommandBegun { command_id: command_id.clone(), attempt: 1, device, incarnation: 2 }
                .into(),
            "0a02010210011a0474696c6c2002",
        ),
        (
            CommandSettled {
                command_id: command_id.clone(),
                report: vec![16, 3],
                settled_ms: 7,
                lived_ms: 0,
            }
            .into(),
            "0a020102120210031807",
        ),
        (
            CommandSettled { command_id, report: vec![16, 3], settled_ms: 7, lived_ms: 8 }.into(),
            "0a0201021202100318072008",
        ),
        (
            Closed { wall_ms: 7, lived_ms: 300, boot_id: vec![9], boot_ms: 4 }.into(),
            "080710ac021a01092004",
        ),
        (Aged { lived_ms: 300, boot_id: vec![9], boot_ms: 4 }.into(), "08ac021201091804"),
        (UpAcked { up_epoch: 5, up_seq: 300 }.into(), "09050000000000000010ac02"),
        (DownCursor { down_epoch: 5, down_durable: 3 }.into(), "0905000000000000001003"),
    ]
}

#[test]
fn payloads_have_the_bytes_of_every_release() {
    for (record, bytes) in golden() {
        assert_eq!(HEXLOWER.encode(&record.payload()), bytes, "{}", record.name());
        let decoded = Record::decode(record.kind(), &record.payload()).unwrap();
        assert_eq!(decoded, Some(record));
    }
}

#[test]
fn a_record_has_the_bytes_of_every_release() {
    let mut bytes = Vec::new();
    write(&mut bytes, 7, true, 0x0102, &[0xaa; 32], b"xy");
    let expected = concat!(
        "1b000000", // length from the kind on
        "ebf89297", // CRC of the length and of what follows
        "87",       // kind 7, first after an fsync
        "0201000000000000",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "7879",
    );
    assert_eq!(HEXLOWER.encode(&bytes), expected);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for offset in 0..=bytes.len() + 1 {
            prop_assert!(!matches!(parse(&bytes, offset), Parsed::Frame(_)));
        }
        prop_assert_eq!(find_next(&bytes, 0, 0), None);
    }

    #[test]
    fn a_record_is_found_again_behind_any_rubbish(
        rubbish in proptest::collection::vec(any::<u8>(), 0..100),
        payload in proptest::collection::vec(any::<u8>(), 0..100),
        seq in 1..u64::MAX,
    ) {
        let mut bytes = rubbish.clone();
        write(&mut bytes, 3, false, seq, &NO_HASH, &payload);
        prop_assert_eq!(bytes.len(), rubbish.len() + OVERHEAD + payload.len());
        prop_assert_eq!(find_next(&bytes, 0, seq), Some(rubbish.len()));
        let Parsed::Frame(frame) = parse(&bytes, rubbish.len()) else { panic!("not a record") };
        prop_assert_eq!((frame.seq, frame.payload), (seq, payload.as_slice()));
    }
}

#[tokio::test]
async fn the_commands_read_a_folder_and_verify_fails_on_damage() {
    let bench = Bench::new();
    let folder = bench.folder.path();
    let absent = run(JournalCommand::Stat { json: false }, &folder.join("none")).await;
    assert!(absent.unwrap_err().to_string().contains("a-t-elle déjà tourné ici"));
    let mut engine = bench.open();
    engine.append((0..40).map(punch).collect()).unwrap();
    engine.commit().unwrap();
    for json in [false, true] {
        run(JournalCommand::Stat { json }, folder).await.unwrap();
        run(JournalCommand::Verify { json }, folder).await.unwrap();
        let dump = JournalCommand::Dump { json, from: 3, limit: Some(4) };
        run(dump, folder).await.unwrap();
    }
    let path = folder.join(&bench.segment_names()[0]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[500] ^= 4;
    std::fs::write(&path, bytes).unwrap();
    let verdict = run(JournalCommand::Verify { json: false }, folder).await;
    assert!(verdict.unwrap_err().to_string().contains("est abîmé"));
}
