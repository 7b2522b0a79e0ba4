//! Any bytes as a frame: no panic, and what was read is written and read the same.
//! Run with `cargo fuzz run -s none frame` in `protocol/`, on stable.

#![no_main]

use fournil_protocol::event::Event;
use fournil_protocol::frame::{Frame, Kind};
use libfuzzer_sys::fuzz_target;
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    let Ok(frame) = Frame::decode_bytes(bytes) else { return };
    if let Some(Kind::Events(events)) = &frame.kind {
        for event in &events.events {
            if let Ok(event) = Event::decode(event.as_slice()) {
                assert_eq!(Event::decode(event.encode_to_vec().as_slice()), Ok(event));
            }
        }
    }
    // Our encoding may be longer than a foreign one (negative numbers cut short, required
    // parts left out), so only what still fits is read again.
    if let Ok(written) = frame.encode_bytes() {
        assert_eq!(Frame::decode_bytes(&written), Ok(frame));
    }
});
