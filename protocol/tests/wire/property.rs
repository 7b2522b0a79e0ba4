//! What holds for any message and for any bytes.

use fournil_protocol::command::Command;
use fournil_protocol::document::Document;
use fournil_protocol::enrol;
use fournil_protocol::event::Event;
use fournil_protocol::frame::Frame;
use proptest::prelude::*;
use prost::Message;

use super::arbitrary;

/// A field a newer peer might add: a tag nobody uses here, each wire type.
fn unknown_field() -> impl Strategy<Value = Vec<u8>> {
    let tag = 1_000..60_000u32;
    prop_oneof![
        (tag.clone(), any::<u64>()).prop_map(|(tag, value)| key(tag, 0, &varint(value))),
        (tag.clone(), any::<u64>()).prop_map(|(tag, value)| key(tag, 1, &value.to_le_bytes())),
        (tag.clone(), prop::collection::vec(any::<u8>(), 0..30)).prop_map(|(tag, bytes)| {
            let mut value = varint(bytes.len() as u64);
            value.extend(bytes);
            key(tag, 2, &value)
        }),
        (tag, any::<u32>()).prop_map(|(tag, value)| key(tag, 5, &value.to_le_bytes())),
    ]
}

fn key(tag: u32, wire_type: u64, value: &[u8]) -> Vec<u8> {
    let mut bytes = varint(u64::from(tag) << 3 | wire_type);
    bytes.extend_from_slice(value);
    bytes
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7f) as u8);
    bytes
}

fn skips<M: Message + Default + PartialEq>(message: &M, before: &[u8], after: &[u8]) -> bool {
    let bytes = [before, &message.encode_to_vec(), after].concat();
    M::decode(bytes.as_slice()).is_ok_and(|read| read == *message)
}

proptest! {
    #[test]
    fn any_frame_survives_encode_and_decode(frame in arbitrary::frame()) {
        let bytes = frame.encode_bytes().unwrap();
        prop_assert_eq!(Frame::decode_bytes(&bytes).unwrap(), frame);
    }

    #[test]
    fn unknown_fields_of_a_newer_peer_are_skipped(
        frame in arbitrary::frame(),
        event in arbitrary::event(),
        command in arbitrary::command(),
        document in arbitrary::document(),
        before in unknown_field(),
        after in unknown_field(),
    ) {
        prop_assert!(skips(&frame, &before, &after));
        prop_assert!(skips(&event, &before, &after));
        prop_assert!(skips(&command, &before, &after));
        prop_assert!(skips(&document, &before, &after));
    }

    #[test]
    fn any_document_survives_json(document in arbitrary::document()) {
        let json = serde_json::to_string(&document).unwrap();
        let read: Document = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(read, document);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Frame::decode_bytes(&bytes);
        let _ = Event::decode(bytes.as_slice());
        let _ = Command::decode(bytes.as_slice());
        let _ = Document::decode(bytes.as_slice());
    }

    #[test]
    fn a_damaged_frame_never_panics(
        frame in arbitrary::frame(),
        cut in any::<prop::sample::Index>(),
        flip in any::<(prop::sample::Index, u8)>(),
    ) {
        let mut bytes = frame.encode_bytes().unwrap();
        if !bytes.is_empty() {
            let at = flip.0.index(bytes.len());
            bytes[at] ^= flip.1;
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = Frame::decode_bytes(&bytes);
    }

    #[test]
    fn a_code_reads_the_same_however_it_is_typed(code in "[0-9A-HJKMNP-TV-Z]{8}") {
        let typed = format!(" {}-{} ", &code[..4].to_lowercase(), &code[4..]);
        prop_assert_eq!(enrol::normalise_code(&typed), Some(code));
    }

    #[test]
    fn anything_may_be_typed_as_a_code(typed in "\\PC{0,20}") {
        let _ = enrol::normalise_code(&typed);
    }
}
