//! What the ledger knows, on disk, so that a restart does not record a clock's whole log
//! once more. One small file per serial number beside the journal's segments.
//!
//! Never a source of truth: it is written after the journal and not synced, so it may lack
//! punches (they are recorded again, which the cloud recognises), never hold one that the
//! journal does not. Where that cannot be certain (a torn end of the journal, a new up
//! log, a damaged file) the journal is asked what it holds.
//!
//! `magic 8 | generation u64 | length u16 | serial | crc32c u32`, then entries of
//! `key 16 | number u32 | crc32c u32`, little endian; the last entry of a key counts.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fournil_protocol::event::Punch;

use super::ledger::{Key, Trust, key_of, short_digest};

const MAGIC: &[u8; 8] = b"FNPUNCH1";
const ENTRY_BYTES: usize = 24;
/// No punch has this key.
const TRUST_KEY: Key = [0; 16];
/// Punches that a torn end of the journal may have held: more than fit into one write.
const DOUBTFUL_ENTRIES: usize = 2_048;
/// A file with so many superseded entries is written anew.
const SURPLUS_MAX: usize = 50_000;

/// Asks the journal for the punches of a serial number that it holds.
pub type Recall = dyn Fn(&str, &mut dyn FnMut(&Punch)) -> io::Result<()> + Send + Sync;

/// Where the indexes lie, and what the journal says of itself.
#[derive(Clone)]
pub struct PunchStore {
    pub folder: PathBuf,
    /// Changes when the journal begins a new up log: then what was recorded before may be
    /// missing in the cloud.
    pub generation: Arc<dyn Fn() -> u64 + Send + Sync>,
    pub recall: Arc<Recall>,
    /// The journal's end was cut at this start.
    pub is_tail_doubtful: bool,
}

impl fmt::Debug for PunchStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PunchStore").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// What was known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) recorded: HashMap<Key, u32>,
    pub(super) trust: Trust,
}

/// An open file.
#[derive(Debug)]
pub(super) struct Index {
    file: File,
    path: PathBuf,
    serial: String,
    generation: u64,
    /// In the file, superseded ones included.
    entries: usize,
}

impl PunchStore {
    /// The serial number a configured clock showed last.
    pub(super) fn last_serial(&self, clock: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.serial_path(clock)).ok()?;
        Some(text.trim().to_owned()).filter(|serial| !serial.is_empty())
    }

    pub(super) fn remember_serial(&self, clock: &str, serial: &str) -> io::Result<()> {
        let path = self.serial_path(clock);
        let beside = path.with_extension("new");
        std::fs::write(&beside, serial)?;
        std::fs::rename(beside, path)
    }

    fn serial_path(&self, clock: &str) -> PathBuf {
        self.folder.join(format!("clock-{}.serial", short_digest(clock)))
    }
}

impl Index {
    /// Opens the index of a serial number; makes it from the journal where it is missing or
    /// cannot be relied on. Blocks: up to a second on a long journal.
    pub(super) fn open(store: &PunchStore, serial: &str) -> io::Result<(Index, Known)> {
        let path = store.folder.join(format!("punches-{}.idx", short_digest(serial)));
        let generation = (store.generation)();
        let head = head(generation, serial);
        let found = read(&path, &head)?;
        let is_whole = found.as_ref().is_some_and(|found| !found.is_damaged);
        let mut entries = found.map(|found| found.entries).unwrap_or_default();
        if store.is_tail_doubtful {
            entries.truncate(entries.len().saturating_sub(DOUBTFUL_ENTRIES));
        }
        let count = entries.len();
        let mut known = Known::default();
        for (key, number) in entries {
            match key {
                TRUST_KEY => known.trust = Trust::from_number(number),
                key => drop(known.recorded.insert(key, number)),
            }
        }
        let is_reliable = is_whole && !store.is_tail_doubtful;
        if !is_reliable {
            (store.recall)(serial, &mut |punch| {
                let number = known.recorded.entry(key_of(punch)).or_default();
                *number = (*number).max(punch.occurrence + 1);
            })?;
        }
        let serial = serial.to_owned();
        if is_reliable && count <= known.recorded.len() + SURPLUS_MAX {
            let file = OpenOptions::new().append(true).open(&path)?;
            return Ok((Index { file, path, serial, generation, entries: count }, known));
        }
        let file = write_whole(&path, &head, &known)?;
        let entries = known.recorded.len() + 1;
        Ok((Index { file, path, serial, generation, entries }, known))
    }

    /// Whether it is the one of this serial number and this up log.
    pub(super) fn is_of(&self, serial: &str, generation: u64) -> bool {
        self.serial == serial && self.generation == generation
    }

    /// Notes punches that the journal has.
    pub(super) fn add(&mut self, numbers: &[(Key, u32)]) -> io::Result<()> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|(key, number)| entry(key, *number)).collect();
        self.entries += numbers.len();
        self.file.write_all(&bytes)
    }

    pub(super) fn set_trust(&mut self, trust: Trust) -> io::Result<()> {
        self.add(&[(TRUST_KEY, trust.number())])
    }

    /// Writes the file anew with what is known now.
    pub(super) fn replace(
        &mut self,
        recorded: impl Iterator<Item = (Key, u32)>,
        trust: Trust,
    ) -> io::Result<()> {
        let known = Known { recorded: recorded.collect(), trust };
        self.file = write_whole(&self.path, &head(self.generation, &self.serial), &known)?;
        self.entries = known.recorded.len() + 1;
        Ok(())
    }
}

struct Found {
    entries: Vec<(Key, u32)>,
    is_damaged: bool,
}

/// `None` where there is no file of this head.
fn read(path: &Path, head: &[u8]) -> io::Result<Option<Found>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(body) = bytes.strip_prefix(head) else { return Ok(None) };
    let (whole, rest) = body.as_chunks::<ENTRY_BYTES>();
    let entries: Vec<_> = whole.iter().filter_map(decode).collect();
    let is_damaged = !rest.is_empty() || entries.len() != whole.len();
    Ok(Some(Found { entries, is_damaged }))
}

fn decode(bytes: &[u8; ENTRY_BYTES]) -> Option<(Key, u32)> {
    let (said, check) = bytes.split_last_chunk::<4>()?;
    let (key, number) = said.split_first_chunk::<16>()?;
    let is_good = u32::from_le_bytes(*check) == crc32c::crc32c(said);
    Some((*key, u32::from_le_bytes(*number.first_chunk()?))).filter(|_| is_good)
}

fn entry(key: &Key, number: u32) -> Vec<u8> {
    let said = [&key[..], &number.to_le_bytes()].concat();
    let check = crc32c::crc32c(&said).to_le_bytes();
    [&said[..], &check].concat()
}

fn head(generation: u64, serial: &str) -> Vec<u8> {
    let length = u16::try_from(serial.len()).unwrap_or(u16::MAX).to_le_bytes();
    let said = [&MAGIC[..], &generation.to_le_bytes(), &length, serial.as_bytes()].concat();
    let check = crc32c::crc32c(&said).to_le_bytes();
    [&said[..], &check].concat()
}

/// Replaces the file and gives it open for adding.
fn write_whole(path: &Path, head: &[u8], known: &Known) -> io::Result<File> {
    let beside = path.with_extension("new");
    let mut bytes = head.to_vec();
    bytes.extend(entry(&TRUST_KEY, known.trust.number()));
    bytes.extend(known.recorded.iter().flat_map(|(key, number)| entry(key, *number)));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(&bytes)?;
    std::fs::rename(&beside, path)?;
    OpenOptions::new().append(true).open(path)
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
