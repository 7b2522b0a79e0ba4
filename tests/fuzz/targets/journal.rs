//! A journal's folder with any bytes in it, and a good journal with some bytes changed: it
//! opens or says why not, goes on working, and opens again with what it said was written.

#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use fournil_gateway::journal::{Journal, JournalConfig, TimeSource, dump, inspect};
use fournil_protocol::event::{Body, Notice};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

/// What lies in the folder.
#[derive(Debug, arbitrary::Arbitrary)]
enum Found<'b> {
    Files(Vec<(u8, bool, &'b [u8])>),
    Changed { cut: Option<u16>, changes: Vec<(u16, u8)> },
}

fuzz_target!(init: fournil_fuzz::begin(), |found: Found<'_>| {
    let Ok(dir) = folder() else { return };
    match found {
        Found::Files(files) => {
            for (number, is_bad, bytes) in files.into_iter().take(4) {
                let suffix = if is_bad { ".bad" } else { "" };
                let name = format!("{number:010}.seg{suffix}");
                std::fs::write(dir.path().join(name), bytes).expect("a file in memory");
            }
        }
        Found::Changed { cut, changes } => {
            let mut bytes = good().clone();
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(usize::from(at)) {
                    *place ^= byte;
                }
            }
            bytes.truncate(cut.map_or(usize::MAX, usize::from));
            std::fs::write(dir.path().join("0000000001.seg"), bytes).expect("a file in memory");
        }
    }
    let _ = inspect(dir.path());
    let _ = dump(dir.path(), |_| {});
    let Some(last) = append(dir.path(), "fuzz-one") else { return };
    // It said that this was written: it is there when it opens again, and one more fits.
    let again = append(dir.path(), "fuzz-two").expect("it opened and was closed in good order");
    assert!(again > last, "{again} is not behind {last}");
});

/// Opens, writes one event, closes: where the up log stands. `None` when it will not open.
fn append(folder: &Path, code: &str) -> Option<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let time = TimeSource::system().expect("the kernel says which boot this is");
        let (journal, _) = Journal::open(folder, config(), time).ok()?;
        let notice = Notice { code: code.to_owned(), ..Notice::default() };
        let last = journal.append(vec![Body::Notice(notice)]).await.expect("written to memory");
        journal.close().await.expect("it closes");
        Some(last)
    })
}

fn config() -> JournalConfig {
    JournalConfig {
        segment_bytes: 256 * 1024,
        reserve_bytes: 512 * 1024,
        ..JournalConfig::default()
    }
}

fn folder() -> std::io::Result<TempDir> {
    // In memory: thousands a second would wear a disk out.
    tempfile::tempdir_in("/dev/shm")
}

/// A good segment with a few records.
fn good() -> &'static Vec<u8> {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    GOOD.get_or_init(|| {
        let dir = folder().expect("memory");
        for code in ["one", "two", "three"] {
            append(dir.path(), code).expect("a new journal opens");
        }
        let mut names: Vec<_> = std::fs::read_dir(dir.path())
            .expect("a folder")
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "seg"))
            .collect();
        names.sort();
        std::fs::read(names.last().expect("a segment")).expect("a segment")
    })
}
