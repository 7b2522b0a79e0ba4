//! Start of the journal: read the folder, mend what a crash left, say what was wrong.
//!
//! The same path serves a start of the daemon and the recovery of an engine whose
//! disk failed under it; only the incarnation differs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::JournalConfig;
use super::disk::Disk;
use super::engine::{Engine, Found, Need, wipe};
use super::notice::OwnNotice;
use super::record::Opened as OpenedRecord;
use super::replay::{Damage, Replayed, replay};
use super::segment::Segment;
use super::time::TimeSource;
use super::uplink::new_epoch;
use super::{JournalError, Opened, Outcome};

/// What an engine needs besides what it finds on disk.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) folder: PathBuf,
    pub(super) config: JournalConfig,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) time: TimeSource,
}

/// Why the folder is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The daemon starts: the incarnation grows.
    Start,
    /// The disk failed while running and is tried again.
    Recovery,
}

impl Setting {
    /// Opens the folder, which must be locked by the caller.
    pub(super) fn open(&self, why: Why) -> Result<(Engine, Opened), JournalError> {
        remove_partial_files(&self.folder)?;
        let mut replayed = replay(&self.folder, true, |_, _, _| {})?;
        let torn_bytes_cut = self.mend_tail(&mut replayed)?;
        let quarantined = self.quarantine(&mut replayed)?;
        let Replayed { mut state, segments, next_seq, chain, end, damages, .. } = replayed;
        if why == Why::Start || state.incarnation == 0 {
            state.incarnation += 1;
        }
        if state.up.epoch == 0 {
            state.up.epoch = new_epoch()?;
        }
        let is_usable = segments
            .last()
            .is_some_and(|newest| !newest.is_bad && newest.bytes >= self.config.segment_bytes);
        let found =
            Found { state, segments, next_seq, chain, end: is_usable.then_some(end.offset) };
        let mut engine = Engine::on(
            &self.folder,
            self.config.clone(),
            self.disk.clone(),
            self.time.clone(),
            found,
        )?;
        engine.write_opening()?;
        let epoch_renewed = engine.mend_up_log()?;
        for text in &quarantined {
            engine.note(OwnNotice::quarantined(text.clone()));
        }
        engine.tell();
        engine.commit()?;
        if let Err(error) = engine.retain() {
            tracing::warn!(error = %error, "old segments stay for now");
        }
        report_damage(&damages);
        let opened = Opened {
            incarnation: engine.state.incarnation,
            up_epoch: engine.state.up.epoch,
            torn_bytes_cut,
            quarantined,
            epoch_renewed,
            commands_pending: engine.state.pending.len(),
        };
        Ok((engine, opened))
    }

    /// Cuts what an interrupted write left at the end of the newest segment. Nobody was
    /// ever told that it was written.
    fn mend_tail(&self, replayed: &mut Replayed) -> Result<u64, JournalError> {
        let end = replayed.end;
        let Some(newest) = replayed.segments.last_mut().filter(|newest| !newest.is_bad) else {
            return Ok(0);
        };
        let found_bytes = newest.bytes;
        if end.is_torn {
            wipe(&*self.disk, newest, end.offset, found_bytes).map_err(|source| {
                let path = newest.path.clone();
                JournalError::Io { what: "cut the torn tail of", path, source }
            })?;
        }
        // A file system that lost the end of the file lost the room for what comes next.
        // On a full disk it stays short, and a new segment is begun.
        let wanted_bytes = self.config.segment_bytes;
        if found_bytes < wanted_bytes
            && wipe(&*self.disk, newest, found_bytes, wanted_bytes).is_ok()
        {
            newest.bytes = wanted_bytes;
        }
        Ok(if end.is_torn { found_bytes.saturating_sub(end.offset) } else { 0 })
    }

    /// Sets damaged segments aside under another name. What can be read of them stays in
    /// use; nothing is written to them any more.
    fn quarantine(&self, replayed: &mut Replayed) -> Result<Vec<String>, JournalError> {
        let mut told: Vec<String> = Vec::new();
        for damage in replayed.damages.iter().filter(|damage| damage.is_new) {
            let text = format!("segment {}: {}", damage.segment, damage.text);
            let segment = replayed
                .segments
                .iter_mut()
                .find(|segment| segment.number == damage.segment && !segment.is_bad);
            if let Some(segment) = segment {
                let path = Segment::bad_path_in(&self.folder, segment.number);
                self.disk.rename(&segment.path, &path).map_err(|source| JournalError::Io {
                    what: "set aside",
                    path: segment.path.clone(),
                    source,
                })?;
                segment.path = path;
                segment.is_bad = true;
            }
            told.push(text);
        }
        Ok(told)
    }
}

impl Engine {
    fn write_opening(&mut self) -> Outcome {
        let age = self.age();
        let opened = OpenedRecord {
            up_epoch: self.state.up.epoch,
            incarnation: self.state.incarnation,
            boot_id: age.boot_id.to_vec(),
            wall_ms: self.time.wall_ms(),
            lived_ms: age.lived_ms,
            boot_ms: age.boot_ms,
        };
        self.stage(opened, Need::Vital)?;
        self.commit()
    }

    /// Begins a new epoch when events were lost that the cloud does not have, or when the
    /// last such beginning was cut short.
    fn mend_up_log(&mut self) -> Result<bool, JournalError> {
        if let Some(before) = self.state.up_before.take() {
            self.state.up = before;
        } else if !self.state.up.lost_unacked() {
            return Ok(false);
        }
        let carry_from = self.state.up.acked + 1;
        self.renew_epoch(carry_from, "events were lost to damage")?;
        Ok(true)
    }
}

fn remove_partial_files(folder: &Path) -> Result<(), JournalError> {
    for entry in std::fs::read_dir(folder).map_err(JournalError::reading(folder))? {
        let path = entry.map_err(JournalError::reading(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "partial") {
            std::fs::remove_file(&path).map_err(JournalError::reading(&path))?;
        }
    }
    Ok(())
}

fn report_damage(damages: &[Damage]) {
    for damage in damages.iter().filter(|damage| damage.is_new) {
        tracing::error!(
            journal.segment = damage.segment,
            what = damage.text,
            "une partie du journal est abîmée et mise de côté : vérifiez le disque (dmesg, smartctl)"
        );
    }
}
