//! Any bytes as anything of the protocol: no panic, and what was read is written and read the
//! same.

#![no_main]

use fournil_protocol::command::Command;
use fournil_protocol::document::Document;
use fournil_protocol::event::Event;
use fournil_protocol::frame::{Frame, Kind};
use fournil_protocol::hello::{Challenge, Hello, Welcome};
use libfuzzer_sys::fuzz_target;
use prost::Message;

fuzz_target!(init: fournil_fuzz::begin(), |bytes: &[u8]| {
    frame(bytes);
    reads_back::<Event>(bytes);
    reads_back::<Command>(bytes);
    reads_back::<Document>(bytes);
    reads_back::<Hello>(bytes);
    reads_back::<Welcome>(bytes);
    reads_back::<Challenge>(bytes);
});

fn frame(bytes: &[u8]) {
    let Ok(frame) = Frame::decode_bytes(bytes) else { return };
    if let Some(Kind::Events(events)) = &frame.kind {
        for event in &events.events {
            reads_back::<Event>(event);
        }
    }
    // Our encoding may be longer than a foreign one (negative numbers cut short, required
    // parts left out), so only what still fits is read again.
    if let Ok(written) = frame.encode_bytes() {
        assert_eq!(Frame::decode_bytes(&written), Ok(frame));
    }
}

/// Floating points are the only thing that may differ from itself; there is none.
fn reads_back<M: Message + Default + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(read) = M::decode(bytes) {
        assert_eq!(M::decode(read.encode_to_vec().as_slice()), Ok(read));
    }
}
