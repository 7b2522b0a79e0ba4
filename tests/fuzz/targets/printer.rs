//! Any bytes from a printer as its answers, and any document from the cloud as paper.

#![no_main]

use fournil_gateway::printer::escpos;
use fournil_gateway::printer::profile::Profile;
use fournil_gateway::printer::render::render;
use fournil_gateway::printer::status::{Answer, Condition, Demux};
use fournil_protocol::document::Document;
use fournil_protocol::limits::{COMMAND_BYTES_MAX, DOCUMENT_BLOCKS_MAX};
use libfuzzer_sys::fuzz_target;
use prost::Message;
use uuid::Uuid;

fuzz_target!(init: fournil_fuzz::begin(), |bytes: &[u8]| {
    answers(bytes);
    if let Some((which, document)) = bytes.split_first() {
        paper(*which, document);
    }
});

fn answers(bytes: &[u8]) {
    let mut demux = Demux::default();
    let mut condition = Condition::default();
    let mut told = 0;
    for byte in bytes {
        match demux.push(*byte) {
            Some(Answer::Auto(status)) => condition.auto(status),
            Some(Answer::Text(text) | Answer::Notice(_, text)) => told += text.len(),
            Some(_) => told += 1,
            None => {}
        }
        if *byte == 0xff {
            demux.gap();
        }
    }
    assert!(told <= bytes.len(), "more was heard than said");
    assert!(!condition.code().is_empty());
}

fn paper(which: u8, document: &[u8]) {
    if document.len() > COMMAND_BYTES_MAX {
        return;
    }
    let Ok(document) = Document::decode(document) else { return };
    if document.blocks.len() > DOCUMENT_BLOCKS_MAX {
        return;
    }
    let profiles = Profile::all();
    let Some(profile) = profiles.get(usize::from(which) % profiles.len()) else { return };
    let page = render(&document, profile, which > 127);
    let segments = escpos::encode(&page, profile, (which % 2 == 0).then_some((Uuid::nil(), 1)));
    let bytes: usize = segments.iter().map(|segment| segment.bytes.len()).sum();
    assert!(page.lines.is_empty() || bytes > 0);
}
