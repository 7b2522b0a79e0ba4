//! Bytes of every message of every version. They never change: a gateway in a shop may be
//! months older than its cloud. A version's folder holds what it brought or changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fournil_protocol::event::Event;
use fournil_protocol::frame::{Frame, Kind};
use fournil_protocol::hello::signed_bytes;
use fournil_protocol::{VERSION_MAX, VERSION_MIN};
use prost::Message;

use super::samples;

const WRITE: &str = "FOURNIL_WRITE_GOLDEN";

fn folder(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/v{version}"))
}

fn versions() -> impl Iterator<Item = u32> {
    VERSION_MIN..=VERSION_MAX
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

fn compare(version: u32, name: &str, bytes: &[u8]) -> Result<(), String> {
    let path = folder(version).join(format!("{name}.hex"));
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
        "v{version}/{name}: the encoding changed. Gateways in shops speak the old bytes: add a \
         field with a new tag instead of changing one.\nkept:\n{kept}now:\n{found}"
    ))
}

/// Every kept file: version, name, bytes.
fn kept() -> std::io::Result<Vec<(u32, String, Vec<u8>)>> {
    let mut kept = Vec::new();
    for version in versions() {
        for entry in fs::read_dir(folder(version))? {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            kept.push((version, name, unhex(&fs::read_to_string(&path)?)));
        }
    }
    Ok(kept)
}

#[test]
fn every_message_is_written_as_it_was_released() {
    for version in versions() {
        let faults: Vec<String> = samples::frames(version)
            .iter()
            .filter_map(|(name, frame)| {
                compare(version, name, &frame.encode_bytes().unwrap()).err()
            })
            .collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

#[test]
fn every_released_message_still_reads_the_same() {
    for version in versions() {
        for (name, frame) in samples::frames(version) {
            let path = folder(version).join(format!("{name}.hex"));
            let read = Frame::decode_bytes(&unhex(&fs::read_to_string(path).unwrap())).unwrap();
            assert_eq!(read, frame, "v{version}/{name} reads differently from what was released");
            if let Some(Kind::Events(events)) = &read.kind {
                let event = Event::decode(events.events[0].as_slice()).unwrap();
                assert!(event.body.is_some(), "{name} lost its body");
            }
        }
    }
}

#[test]
fn every_recorded_frame_of_every_version_is_written_back_byte_for_byte() {
    let frames = kept().unwrap().into_iter().filter(|(_, name, _)| !name.starts_with("signed-"));
    let mut count = 0;
    for (version, name, bytes) in frames {
        let frame = Frame::decode_bytes(&bytes).unwrap();
        assert!(frame.kind.is_some(), "v{version}/{name} is not understood any more");
        assert_eq!(frame.encode_bytes().unwrap(), bytes, "v{version}/{name}");
        count += 1;
    }
    assert!(count >= 24, "only {count} recorded frames were found");
}

#[test]
fn what_a_gateway_signs_is_as_it_was_released() {
    for version in versions() {
        let session = signed_bytes(version, "cloud.fournil.example", &[0x88; 32], &[0x33; 16]);
        compare(version, "signed-session", &session).unwrap();
    }
    let enrolment = fournil_protocol::enrol::signed_bytes("ABCD2345", &[0x99; 32]);
    compare(1, "signed-enrolment", &enrolment).unwrap();
}

#[test]
fn no_golden_file_is_left_without_a_message() {
    let mut known: BTreeSet<(u32, String)> = versions()
        .flat_map(|version| {
            let names = samples::frames(version).into_iter().map(|(name, _)| name.to_owned());
            names.chain(["signed-session".to_owned()]).map(move |name| (version, name))
        })
        .collect();
    known.insert((1, "signed-enrolment".to_owned()));
    let kept: BTreeSet<(u32, String)> =
        kept().unwrap().into_iter().map(|(version, name, _)| (version, name)).collect();
    assert_eq!(kept, known, "a released message may never leave the tests");
}
