//! The journal's tests: builders, a disk that can be filled and broken, and a way to
//! see everything an engine knows.

mod again;
mod clocks;
mod crash;
mod damage;
mod faults;
mod format;
mod full;
mod handle;
mod kill;
mod power;
mod real;
mod renewal;
mod retain;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use fournil_protocol::command::{self, Command, OpenDrawer};
use fournil_protocol::event::{Body, CommandReport, CommandState, Event, Health, Punch};
use prost::Message;
use tempfile::TempDir;
use uuid::Uuid;

use super::config::JournalConfig;
use super::disk::Disk;
use super::engine::Engine;
use super::open::{Setting, Why};
use super::time::TimeSource;
use super::uplink::ReadLimit;
use super::{JournalError, Opened};

pub(super) const DOWN_EPOCH: u64 = 77;

/// What goes wrong, shared with the test.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Bytes of all files together; `None` is endless.
    pub(super) quota_bytes: Option<u64>,
    pub(super) failing_syncs: u32,
    pub(super) failing_writes: u32,
    /// Nothing works any more.
    pub(super) is_dead: bool,
    /// Operations so far.
    pub(super) operations: u64,
    /// From which operation on, how many of them, and how they fail.
    pub(super) plan: Option<(u64, u64, Failure)>,
    /// When set: what unsynced writes replaced, oldest first.
    pub(super) unsynced: Option<Vec<Replaced>>,
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Io,
    Full,
    ReadOnly,
    /// Half of the bytes are written, the rest is not.
    Short,
}

impl Failure {
    fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Io | Self::Short => 5,
            Self::Full => 28,
            Self::ReadOnly => 30,
        })
    }
}

/// What a write that was not synced replaced.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) file: File,
    pub(super) offset: u64,
    pub(super) before: Vec<u8>,
}

/// A disk without fsync (fast) and with faults.
#[derive(Debug, Clone, Default)]
pub(super) struct FaultyDisk(pub(super) Arc<Mutex<Faults>>);

impl FaultyDisk {
    pub(super) fn set(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.0.lock().unwrap());
    }

    fn check(&self) -> io::Result<()> {
        self.fate().map_or(Ok(()), |failure| Err(failure.error()))
    }

    /// Whether the next operation fails, and how.
    fn fate(&self) -> Option<Failure> {
        let mut faults = self.0.lock().unwrap();
        let number = faults.operations;
        faults.operations += 1;
        let planned = faults
            .plan
            .filter(|(from, many, _)| number >= *from && number < from.saturating_add(*many));
        faults.is_dead.then_some(Failure::Io).or(planned.map(|(_, _, failure)| failure))
    }

    /// Keeps what a write is about to replace, as long as somebody wants to know.
    fn remember(&self, file: &File, length: usize, offset: u64) -> io::Result<()> {
        let mut faults = self.0.lock().unwrap();
        let Some(unsynced) = &mut faults.unsynced else { return Ok(()) };
        let mut before = vec![0; length];
        file.read_exact_at(&mut before, offset)?;
        unsynced.push(Replaced { file: file.try_clone()?, offset, before });
        Ok(())
    }
}

fn used_bytes(folder: &Path) -> io::Result<u64> {
    Ok(std::fs::read_dir(folder)?.map(|entry| entry.unwrap().metadata().unwrap().len()).sum())
}

fn eio() -> io::Error {
    Failure::Io.error()
}

fn number_of(file: &File) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap())
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path, content: &[u8], bytes: u64) -> io::Result<File> {
        self.check()?;
        let used = used_bytes(path.parent().unwrap())?;
        if self.0.lock().unwrap().quota_bytes.is_some_and(|quota| used + bytes > quota) {
            return Err(io::Error::from_raw_os_error(28));
        }
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        file.write_all_at(content, 0)?;
        file.set_len(bytes)?;
        Ok(file)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Some(failure) = self.fate() {
            if failure == Failure::Short {
                file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            }
            return Err(failure.error());
        }
        self.remember(file, bytes.len(), offset)?;
        let failing = &mut self.0.lock().unwrap().failing_writes;
        if *failing > 0 {
            *failing -= 1;
            return Err(eio());
        }
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.check()?;
        let mut faults = self.0.lock().unwrap();
        if faults.failing_syncs > 0 {
            faults.failing_syncs -= 1;
            return Err(eio());
        }
        if let Some(unsynced) = &mut faults.unsynced {
            unsynced.retain(|replaced| number_of(&replaced.file) != number_of(file));
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check()?;
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        std::fs::remove_file(path)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        let used = used_bytes(folder)?;
        let quota = self.0.lock().unwrap().quota_bytes;
        Ok(quota.map_or(u64::MAX, |quota| quota.saturating_sub(used)))
    }
}

/// A folder with its disk, clock and configuration.
pub(super) struct Bench {
    pub(super) folder: TempDir,
    pub(super) disk: FaultyDisk,
    /// The wall clock.
    pub(super) now_ms: Arc<AtomicI64>,
    /// Milliseconds since boot.
    pub(super) boot_ms: Arc<AtomicI64>,
    /// Which boot it is.
    pub(super) boot: u8,
    pub(super) config: JournalConfig,
}

impl Bench {
    /// Segments so small that a few dozen records fill several.
    pub(super) fn new() -> Self {
        let config = JournalConfig {
            segment_bytes: 2_048,
            reserve_bytes: 8_192,
            seen_ids_min: 4,
            seen_ids_max: 10_000,
            ..JournalConfig::default()
        };
        let now_ms = Arc::new(AtomicI64::new(1_770_000_000_000));
        let boot_ms = Arc::new(AtomicI64::new(5_000));
        let folder = TempDir::new().unwrap();
        Self { folder, disk: FaultyDisk::default(), now_ms, boot_ms, boot: 9, config }
    }

    pub(super) fn time(&self) -> TimeSource {
        let (now_ms, boot_ms) = (self.now_ms.clone(), self.boot_ms.clone());
        TimeSource::new([self.boot; 16], move || {
            let boot_ms = u64::try_from(boot_ms.load(Ordering::Relaxed)).unwrap();
            (now_ms.load(Ordering::Relaxed), boot_ms)
        })
    }

    pub(super) fn setting(&self) -> Setting {
        Setting {
            folder: self.folder.path().to_owned(),
            config: self.config.clone(),
            disk: Arc::new(self.disk.clone()),
            time: self.time(),
        }
    }

    pub(super) fn try_open(&self) -> Result<(Engine, Opened), JournalError> {
        self.setting().open(Why::Start)
    }

    pub(super) fn open(&self) -> Engine {
        self.try_open().unwrap().0
    }

    pub(super) fn pass_days(&self, days: i64) {
        self.now_ms.fetch_add(days * 86_400_000, Ordering::Relaxed);
        self.boot_ms.fetch_add(days * 86_400_000, Ordering::Relaxed);
    }

    /// Segment files by name.
    pub(super) fn segment_names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.contains(".seg")).collect();
        names.sort();
        names
    }
}

pub(super) fn id(number: u32) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number))
}

pub(super) fn punch(number: u32) -> Body {
    Body::Punch(Punch {
        clock_serial: "CLK1".into(),
        user_id: number.to_string(),
        local_time: "2026-02-02T08:00:00".into(),
        raw: vec![7; 40],
        ..Punch::default()
    })
}

pub(super) fn health() -> Body {
    Body::Health(Health { software: "0.1.0".into(), ..Health::default() })
}

pub(super) fn command(seq: u64, number: u32) -> Command {
    Command {
        seq,
        command_id: id(number).as_bytes().to_vec(),
        device: "till".into(),
        body: Some(command::Body::OpenDrawer(OpenDrawer { pin: 2 })),
        ..Command::default()
    }
}

pub(super) fn report(number: u32, state: CommandState) -> CommandReport {
    CommandReport {
        command_id: id(number).as_bytes().to_vec(),
        state: state.into(),
        attempt: 1,
        ..CommandReport::default()
    }
}

/// Short text of an event, by which tests compare them.
pub(super) fn told(bytes: &[u8]) -> String {
    match Event::decode(bytes).unwrap().body.unwrap() {
        Body::Punch(punch) => format!("punch {}", punch.user_id),
        Body::CommandReport(report) => {
            let id = Uuid::from_slice(&report.command_id).unwrap();
            format!("{:?} {}", report.state(), id.as_u128() & 0xffff_ffff)
        }
        Body::Health(_) => "health".into(),
        Body::Notice(notice) => notice.code,
        Body::ClockState(_) | Body::ClockUsers(_) | Body::ClockOperation(_) => "clock".to_owned(),
    }
}

/// Every event still kept, read in small runs, sequences checked.
pub(super) fn kept_events(engine: &mut Engine) -> Vec<String> {
    let (mut from, mut events) = (engine.state.up.first_kept(), Vec::new());
    loop {
        let limit = ReadLimit { events_max: 7, bytes_max: 600 };
        let run = engine.read_events(from, limit).unwrap();
        assert_eq!(run.first_seq, from);
        if run.events.is_empty() {
            assert_eq!(from, engine.state.up.last + 1, "events missing at the end");
            return events;
        }
        for bytes in run.events {
            assert_eq!(Event::decode(bytes.as_slice()).unwrap().seq, from);
            events.push(told(&bytes));
            from += 1;
        }
    }
}
