//! What is known of one clock, by serial number, and outlives the daemon: who it is, how its
//! log is laid out, which users and operations were told. A file of a few hundred bytes
//! beside the index of punches.
//!
//! Never a source of truth: without it the clock is learned anew, and what is told again is
//! recognised by the cloud.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::clock::client::Identity;
use crate::clock::index::PunchStore;
use crate::clock::ledger::short_digest;

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Profile {
    pub(super) serial: String,
    pub(super) model: String,
    pub(super) platform: String,
    pub(super) firmware: String,
    /// Layout of the attendance records, by name.
    pub(super) layout: Option<String>,
    /// Letters or digits a user id may have; `None`: not asked yet.
    pub(super) pin_width: Option<u32>,
    /// The up log into which the rest was told: another one has to be told again.
    pub(super) generation: u64,
    /// Digest of the table of users last told.
    pub(super) users_told: String,
    /// Lines of the operation log told, and the digest of the last of them.
    pub(super) operations_told: usize,
    pub(super) last_operation: String,
}

impl Profile {
    /// The profile of a serial number, empty when there is none that can be read.
    pub(super) fn load(store: Option<&PunchStore>, serial: &str) -> Profile {
        let read = |store: &PunchStore| std::fs::read(path(store, serial)).ok();
        let kept = store.and_then(read).and_then(|text| serde_json::from_slice(&text).ok());
        let generation = store.map_or(0, |store| (store.generation)());
        let mut profile: Profile = kept.unwrap_or_default();
        if profile.serial != serial {
            profile = Profile { serial: serial.to_owned(), ..Profile::default() };
        }
        profile.follow(generation);
        profile
    }

    /// Forgets what was told to another up log.
    pub(super) fn follow(&mut self, generation: u64) {
        if self.generation != generation {
            self.generation = generation;
            self.users_told.clear();
            self.operations_told = 0;
            self.last_operation.clear();
        }
    }

    /// Takes up who the clock says it is. What it was before, when that was something else.
    pub(super) fn meet(&mut self, identity: &Identity) -> Option<String> {
        let Identity { model, platform, firmware, .. } = identity;
        let is_known = !self.model.is_empty() || !self.firmware.is_empty();
        let is_same = (&self.model, &self.platform, &self.firmware) == (model, platform, firmware);
        let before = format!("{} {} {}", self.model, self.platform, self.firmware);
        if !is_same {
            (self.model, self.platform, self.firmware) =
                (model.clone(), platform.clone(), firmware.clone());
            // Another firmware may lay its records out in another way.
            (self.layout, self.pin_width) = (None, None);
        }
        (is_known && !is_same).then_some(before)
    }

    pub(super) fn save(&self, store: &PunchStore) -> io::Result<()> {
        let path = path(store, &self.serial);
        let beside = path.with_extension("new");
        std::fs::write(&beside, serde_json::to_vec(self)?)?;
        std::fs::rename(beside, path)
    }
}

fn path(store: &PunchStore, serial: &str) -> PathBuf {
    store.folder.join(format!("clock-{}.profile", short_digest(serial)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn store(folder: &std::path::Path, generation: &Arc<AtomicU64>) -> PunchStore {
        let generation = Arc::clone(generation);
        PunchStore {
            folder: folder.to_owned(),
            generation: Arc::new(move || generation.load(Ordering::Relaxed)),
            recall: Arc::new(|_, _| Ok(())),
            is_tail_doubtful: false,
        }
    }

    #[test]
    fn what_was_told_is_told_again_to_another_up_log_only() {
        let folder = tempfile::tempdir().unwrap();
        let generation = Arc::new(AtomicU64::new(1));
        let store = store(folder.path(), &generation);
        let mut profile = Profile::load(Some(&store), "S1");
        (profile.users_told, profile.operations_told) = ("ab".to_owned(), 7);
        profile.layout = Some("40".to_owned());
        profile.save(&store).unwrap();
        assert_eq!(Profile::load(Some(&store), "S1"), profile);
        assert_eq!(Profile::load(Some(&store), "S2").operations_told, 0, "another clock");
        generation.store(2, Ordering::Relaxed);
        let again = Profile::load(Some(&store), "S1");
        assert_eq!((again.users_told.as_str(), again.operations_told), ("", 0));
        assert_eq!(again.layout.as_deref(), Some("40"));
    }

    #[test]
    fn a_new_firmware_is_noticed_and_its_layout_learned_anew() {
        let mut profile = Profile { layout: Some("40".to_owned()), ..Profile::default() };
        let old = Identity { firmware: "Ver 6.60".to_owned(), ..Identity::default() };
        assert_eq!(profile.meet(&old), None, "the first contact is no change");
        profile.layout = Some("40".to_owned());
        assert_eq!(profile.meet(&old), None);
        assert_eq!(profile.layout.as_deref(), Some("40"));
        let new = Identity { firmware: "Ver 8.0".to_owned(), ..Identity::default() };
        assert_eq!(profile.meet(&new).as_deref(), Some("  Ver 6.60"));
        assert_eq!(profile.layout, None);
    }

    #[test]
    fn a_damaged_file_is_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), &Arc::new(AtomicU64::new(1)));
        std::fs::write(path(&store, "S1"), b"{\"serial\":").unwrap();
        let profile = Profile::load(Some(&store), "S1");
        assert_eq!((profile.serial.as_str(), profile.users_told.as_str()), ("S1", ""));
    }
}
