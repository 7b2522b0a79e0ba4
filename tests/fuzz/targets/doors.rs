//! What strangers and machines say at the doors: the request of a WebSocket, an enrolment, a
//! code as a person types it, the answer of the status socket.

#![no_main]

use fournil_cloud::gateways::enrol::checked;
use fournil_cloud::web::upgrade::asks_for_tunnel;
use fournil_gateway::app::status::Status;
use fournil_protocol::enrol::{
    CODE_LETTERS, EnrolAnswer, EnrolRefusal, EnrolRequest, normalise_code,
};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: fournil_fuzz::begin(), |bytes: &[u8]| {
    let Some((door, bytes)) = bytes.split_first() else { return };
    match door % 4 {
        0 => upgrade(bytes),
        1 => enrolment(bytes),
        2 => code(bytes),
        _ => status(bytes),
    }
});

/// `Name: value` lines behind a method.
fn upgrade(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let method = hyper::Method::from_bytes(lines.next().unwrap_or_default());
    let mut headers = HeaderMap::new();
    for line in lines.take(100) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(parts.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(parts.next().unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    match asks_for_tunnel(&method.unwrap_or_default(), &headers) {
        Ok(key) => assert_eq!(key.len(), 24),
        Err((status, what)) => assert!(status.is_client_error() && !what.is_empty()),
    }
}

fn enrolment(bytes: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<EnrolRequest>(bytes) {
        // A signature nobody can guess, so that passing means that it was checked.
        let _ = checked(&request);
        let written = serde_json::to_vec(&request).unwrap_or_default();
        assert_eq!(serde_json::from_slice::<EnrolRequest>(&written).ok(), Some(request));
    }
    let _ = serde_json::from_slice::<EnrolAnswer>(bytes);
    let _ = serde_json::from_slice::<EnrolRefusal>(bytes);
}

fn code(bytes: &[u8]) {
    let Ok(typed) = std::str::from_utf8(bytes) else { return };
    if let Some(code) = normalise_code(typed) {
        assert_eq!(code.len(), CODE_LETTERS);
        assert_eq!(normalise_code(&code), Some(code), "the one form stays the one form");
    }
}

fn status(bytes: &[u8]) {
    if let Ok(status) = serde_json::from_slice::<Status>(bytes) {
        assert!(serde_json::to_vec(&status).is_ok());
    }
}
