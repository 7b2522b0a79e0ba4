//! Bytes of every message of the released version. They never change: a gateway in
//! a shop may be months older than its cloud.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fournil_protocol::event::Event;
use fournil_protocol::frame::{Frame, Kind};
use fournil_protocol::hello::signed_bytes;
use prost::Message;

use super::samples;

const WRITE: &str = "FOURNIL_WRITE_GOLDEN";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1")
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines: Vec<String> = digits.chunks(32).map(<[String]>::concat).collect();
    lines.join("\n") + "\n"
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|letter| letter.to_digit(16)?.try_into().ok()).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}

fn compare(name: &str, bytes: &[u8]) -> Result<(), String> {
    let path = folder().join(format!("{name}.hex"));
    let found = hex(bytes);
    if !path.exists() && std::env::var_os(WRITE).is_some() {
        fs::write(&path, &found).map_err(|error| error.to_string())?;
    }
    let kept = fs::read_to_string(&path).map_err(|_| {
        format!("{name}: no golden bytes in {}; for a NEW message set {WRITE}=1", path.display())
    })?;
    if kept == found {
        return Ok(());
    }
    Err(format!(
        "{name}: the encoding changed. Gateways in shops speak the old bytes: add a field with a \
         new tag instead of changing one.\nkept:\n{kept}now:\n{found}"
    ))
}

#[test]
fn every_message_is_written_as_it_was_released() {
    let faults: Vec<String> = samples::frames()
        .iter()
        .filter_map(|(name, frame)| compare(name, &frame.encode_bytes().unwrap()).err())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_released_message_still_reads_the_same() {
    for (name, frame) in samples::frames() {
        let kept = fs::read_to_string(folder().join(format!("{name}.hex"))).unwrap();
        let read = Frame::decode_bytes(&unhex(&kept)).unwrap();
        assert_eq!(read, frame, "{name} reads differently from what was released");
        if let Some(Kind::Events(events)) = &read.kind {
            let event = Event::decode(events.events[0].as_slice()).unwrap();
            assert!(event.body.is_some(), "{name} lost its body");
        }
    }
}

#[test]
fn what_a_gateway_signs_is_as_it_was_released() {
    let session = signed_bytes(1, "cloud.fournil.example", &[0x88; 32], &[0x33; 16]);
    compare("signed-session", &session).unwrap();
    let enrolment = fournil_protocol::enrol::signed_bytes("ABCD2345", &[0x99; 32]);
    compare("signed-enrolment", &enrolment).unwrap();
}

#[test]
fn no_golden_file_is_left_without_a_message() {
    let mut known: BTreeSet<String> =
        samples::frames().iter().map(|(name, _)| format!("{name}.hex")).collect();
    known.extend(["signed-session.hex".to_owned(), "signed-enrolment.hex".to_owned()]);
    let kept: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(kept, known, "a released message may never leave the tests");
}
