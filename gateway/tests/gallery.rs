//! Pages as pictures, on paper of 58 and of 80 mm: what `docs/images/paper` shows is what the
//! gateway prints. `FOURNIL_WRITE_GOLDEN=1` makes the pictures again; then look at them.

#![expect(clippy::unwrap_used, reason = "a picture that cannot be read fails the test")]

use std::path::{Path, PathBuf};

use fournil_gateway::printer::preview;
use fournil_gateway::printer::profile::Profile;
use fournil_gateway::printer::render::render;
use fournil_protocol::document::Document;

const PAPERS: [(&str, &str); 2] = [("generic-58", "58"), ("generic-80", "80")];

fn folder(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

fn dots(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut dots = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut dots).unwrap();
    (info.width, info.height, dots)
}

#[test]
fn every_kind_of_page_looks_as_it_was_seen() {
    let shown = folder("../docs/images/paper");
    let write = std::env::var_os("FOURNIL_WRITE_GOLDEN").is_some();
    let mut differing = Vec::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder("tests/gallery")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let document: Document =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for (profile, paper) in PAPERS {
            let profile = Profile::named(profile).unwrap();
            let page = render(&document, &profile, name.ends_with("-copy"));
            assert_eq!(page.lost, 0, "{name} on {paper} mm");
            let png = preview::draw(&page, &profile).to_png().unwrap();
            let file = shown.join(format!("{name}-{paper}.png"));
            if write {
                std::fs::write(&file, &png).unwrap();
            }
            let there = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            if dots(&there) != dots(&png) {
                differing.push(file);
            }
            seen += 1;
        }
    }
    assert!(seen >= 2 * PAPERS.len(), "no documents in the gallery");
    assert!(differing.is_empty(), "these look different from what was seen: {differing:?}");
}
