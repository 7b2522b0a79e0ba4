//! What is known of a clock that calls, by serial number, and outlives the daemon: how far its
//! logs were taken, what it is, where it said its key. A file of a few hundred bytes beside
//! the clocks' indexes.
//!
//! Never a source of truth: without it the clock is asked for all it has, and what is told
//! again is recognised by the cloud.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::clock::index::PunchStore;
use crate::clock::ledger::short_digest;

/// Asks a clock for all it has.
const FROM_THE_BEGINNING: &str = "0";

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Notes {
    pub(super) serial: String,
    /// The clock's own words for how far its logs were taken.
    pub(super) punches_mark: String,
    pub(super) operations_mark: String,
    pub(super) model: String,
    pub(super) platform: String,
    pub(super) firmware: String,
    /// Where its last good hello came from: with a key, nothing from elsewhere is taken.
    pub(super) greeted_from: Option<IpAddr>,
    /// The up log into which it was told: another one has to be told all again.
    pub(super) generation: u64,
}

impl Default for Notes {
    fn default() -> Notes {
        let mark = || FROM_THE_BEGINNING.to_owned();
        Notes {
            serial: String::new(),
            punches_mark: mark(),
            operations_mark: mark(),
            model: String::new(),
            platform: String::new(),
            firmware: String::new(),
            greeted_from: None,
            generation: 0,
        }
    }
}

impl Notes {
    /// The notes of a serial number, empty when there are none that can be read.
    pub(super) fn load(store: Option<&PunchStore>, serial: &str) -> Notes {
        let read = |store: &PunchStore| std::fs::read(path(store, serial)).ok();
        let kept = store.and_then(read).and_then(|text| serde_json::from_slice(&text).ok());
        let mut notes: Notes = kept.unwrap_or_default();
        if notes.serial != serial {
            notes = Notes { serial: serial.to_owned(), ..Notes::default() };
        }
        notes.follow(store);
        notes
    }

    /// Forgets how far it was told to another up log. True when it was one.
    pub(super) fn follow(&mut self, store: Option<&PunchStore>) -> bool {
        let generation = store.map_or(0, |store| (store.generation)());
        let is_other = self.generation != generation;
        if is_other {
            self.generation = generation;
            FROM_THE_BEGINNING.clone_into(&mut self.punches_mark);
            FROM_THE_BEGINNING.clone_into(&mut self.operations_mark);
        }
        is_other
    }

    pub(super) fn save(&self, store: &PunchStore) -> io::Result<()> {
        let path = path(store, &self.serial);
        let beside = path.with_extension("new");
        std::fs::write(&beside, serde_json::to_vec(self)?)?;
        std::fs::rename(beside, path)
    }
}

fn path(store: &PunchStore, serial: &str) -> PathBuf {
    store.folder.join(format!("push-{}.notes", short_digest(serial)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn marks_outlive_the_daemon_and_not_the_up_log() {
        let folder = tempfile::tempdir().unwrap();
        let generation = Arc::new(AtomicU64::new(1));
        let now = Arc::clone(&generation);
        let store = PunchStore {
            folder: folder.path().to_owned(),
            generation: Arc::new(move || now.load(Ordering::Relaxed)),
            recall: Arc::new(|_, _| Ok(())),
            is_tail_doubtful: false,
        };
        let mut notes = Notes::load(Some(&store), "S1");
        assert_eq!(notes.punches_mark, "0");
        (notes.punches_mark, notes.firmware) = ("70".to_owned(), "Ver 6".to_owned());
        notes.save(&store).unwrap();
        assert_eq!(Notes::load(Some(&store), "S1"), notes);
        assert_eq!(Notes::load(Some(&store), "S2").punches_mark, "0", "another clock");
        generation.store(2, Ordering::Relaxed);
        let again = Notes::load(Some(&store), "S1");
        assert_eq!((again.punches_mark.as_str(), again.firmware.as_str()), ("0", "Ver 6"));
    }
}
