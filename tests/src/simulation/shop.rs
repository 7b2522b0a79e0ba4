//! The shop: the real daemon's parts on a disk that can die in mid-write, a simulated
//! printer whose paper takes time, and a clock that remembers its punches.

use std::fs::File;
use std::io;
use std::path::Path as FsPath;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fournil_gateway::app::testing::Parts;
use fournil_gateway::journal::disk::{Disk, LocalDisk};
use fournil_gateway::journal::here::Desk;
use fournil_gateway::journal::{Journal, JournalConfig, TimeSource};
use fournil_gateway::printer::PrinterConfig;
use fournil_gateway::printer::config::Target;
use fournil_gateway::printer::transport::memory::Plug;
use fournil_gateway::seam::{CloudOffset, Recorder};
use fournil_gateway::supervise::Pulse;
use fournil_gateway::tunnel::ambient::Ambient;
use fournil_gateway::tunnel::identity::Identity;
use fournil_gateway::tunnel::session::Terms;
use fournil_gateway::tunnel::state::TunnelState;
use fournil_gateway::tunnel::uploads::Uploads;
use fournil_protocol::Versions;
use fournil_protocol::event::{Body, Punch, PunchSource};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::auditor::{Audited, Books};
use super::clock;
use super::node::{PUBLIC_NAME, Path};
use crate::printer_sim::{Args, PrinterSim};

/// Punches a clock hands over at once.
const PUNCHES_AT_ONCE: usize = 20;
/// How often a clock is looked at when nobody says that it has something.
const POLL_EVERY: Duration = Duration::from_secs(5);

/// What is in the shop, whether the daemon runs or not.
#[derive(Debug)]
pub(super) struct Shop {
    folder: tempfile::TempDir,
    path: Path,
    books: Books,
    boots: u8,
    booted_at_ms: u64,
    pub(super) printer: Arc<PrinterSim>,
    plug: Plug,
    pub(super) is_reachable: Arc<std::sync::atomic::AtomicBool>,
    pub(super) clock: Arc<ClockLog>,
    running: Option<Running>,
}

/// A clock's memory.
#[derive(Debug, Default)]
pub(super) struct ClockLog {
    punches: Mutex<(Vec<Punch>, usize)>,
    has_new: Notify,
}

impl ClockLog {
    pub(super) fn punch(&self, punch: Punch) {
        self.lock().0.push(punch);
        self.has_new.notify_one();
    }

    pub(super) fn all(&self) -> Vec<Punch> {
        self.lock().0.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Vec<Punch>, usize)> {
        self.punches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records what the journal has not confirmed, in the clock's order.
    async fn tell(self: Arc<Self>, recorder: Recorder) {
        loop {
            let bodies: Vec<Body> = {
                let log = self.lock();
                log.0.iter().skip(log.1).take(PUNCHES_AT_ONCE).cloned().map(Body::Punch).collect()
            };
            let count = bodies.len();
            if count == 0 {
                tokio::select! {
                    biased;
                    () = self.has_new.notified() => {}
                    () = sleep(POLL_EVERY) => {}
                }
            } else if recorder.record(bodies).await.is_ok() {
                self.lock().1 += count;
            } else {
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// The daemon.
#[derive(Debug)]
struct Running {
    tasks: JoinSet<()>,
    desk: Desk,
    stop: CancellationToken,
    journal: Journal,
    disk: Arc<DyingDisk>,
}

impl Shop {
    /// A shop whose machine is enrolled in `folder` and off.
    pub(super) fn new(folder: tempfile::TempDir, path: Path, books: Books) -> Self {
        let args = Args { tcp: None, speed_mm_s: 100, ..Args::for_tests() };
        let printer = Arc::new(PrinterSim::unplugged(args));
        let is_reachable = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let (device, reachable) = (Arc::downgrade(&printer), is_reachable.clone());
        let plug = Plug::new(move || {
            let device = device.upgrade().filter(|_| reachable.load(Ordering::Relaxed))?;
            // A socket's small buffer.
            let (ours, theirs) = tokio::io::duplex(256);
            device.plug(theirs);
            Some(ours)
        });
        Self {
            folder,
            path,
            books,
            boots: 0,
            booted_at_ms: 0,
            printer,
            plug,
            is_reachable,
            clock: Arc::default(),
            running: None,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Starts the daemon; after a power cut the machine boots first.
    pub(super) async fn start(&mut self, boots: bool) -> anyhow::Result<()> {
        if boots || self.boots == 0 {
            self.boots += 1;
            self.booted_at_ms = clock::elapsed_ms();
        }
        let booted_at_ms = self.booted_at_ms;
        let boot_id = [self.boots; 16];
        let time = TimeSource::new(boot_id, move || {
            (clock::shop_ms(), clock::elapsed_ms().saturating_sub(booted_at_ms))
        });
        let disk = Arc::new(DyingDisk::default());
        let desk = Desk::new(Arc::new(|| Box::pin(sleep(disk_time()))));
        let config = JournalConfig {
            segment_bytes: 256 * 1024,
            reserve_bytes: 512 * 1024,
            ..JournalConfig::default()
        };
        let place = self.folder.path().join("journal");
        let (journal, opened) =
            Journal::open_here(&place, config, time, disk.clone(), desk.clone())?;
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let ambient = Ambient { wall_ms: clock::shop_ms, random: clock::random };
        let (cloud_offset, uploads) = (CloudOffset::default(), Uploads::default());
        let printer = PrinterConfig::at("caisse", Target::Memory(self.plug.clone()), "epson-58");
        let parts = Parts {
            journal: journal.clone(),
            printers: vec![printer],
            ambient,
            cloud_offset: cloud_offset.clone(),
            uploads: uploads.clone(),
            stop: stop.clone(),
        };
        let (jobs, recorder) = parts.start(&mut tasks).await?;
        tasks.spawn(self.clock.clone().tell(recorder));
        let (_, identity) = watch::channel(Arc::new(Identity::load(self.folder.path())?));
        let (state, _) = watch::channel(TunnelState::default());
        let terms = Terms {
            log: Audited { journal: journal.clone(), books: self.books.clone() },
            identity,
            server_name: PUBLIC_NAME.to_owned(),
            incarnation: opened.incarnation,
            boot_id,
            ambient,
            jobs,
            cloud_offset,
            state,
            pulse: Pulse::new(Duration::from_mins(1)),
            versions: Versions::BUILT,
            uploads,
        };
        let (path, token) = (self.path.clone(), stop.clone());
        tasks.spawn(async move {
            fournil_gateway::tunnel::keep(&path, PUBLIC_NAME, terms, token).await;
        });
        self.running = Some(Running { tasks, desk, stop, journal, disk });
        Ok(())
    }

    /// Ends the daemon between two moments.
    pub(super) async fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.desk.kill();
            running.tasks.shutdown().await;
        }
    }

    /// Stops it in good order.
    pub(super) async fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.stop.cancel();
            let ended = async { while running.tasks.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(Duration::from_secs(4), ended).await;
            let _ = running.journal.close().await;
            running.desk.kill();
            running.tasks.shutdown().await;
        }
    }

    /// The disk takes so many more bytes, the last write in part, and then none.
    pub(super) fn doom(&self, bytes: i64) {
        if let Some(running) = &self.running {
            running.disk.left_bytes.store(bytes, Ordering::Relaxed);
        }
    }

    /// What the cloud said that was not so.
    pub(super) fn lies(&self) -> Vec<String> {
        self.books.lies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Events the cloud has not acknowledged; `None` while the daemon is down.
    pub(super) async fn unacked(&self) -> Option<u64> {
        let stat = self.running.as_ref()?.journal.stat().await.ok()?;
        Some(stat.unacked_events + stat.commands_pending as u64)
    }
}

fn disk_time() -> Duration {
    Duration::from_micros(clock::dice(|dice| match dice.between(0, 200) {
        0 => dice.between(1, 300_000),
        _ => dice.between(20, 2_000),
    }))
}

/// The local disk until its bytes are used up; then it writes nothing more.
#[derive(Debug)]
struct DyingDisk {
    left_bytes: AtomicI64,
}

impl Default for DyingDisk {
    fn default() -> Self {
        Self { left_bytes: AtomicI64::new(i64::MAX) }
    }
}

impl DyingDisk {
    /// How many of `bytes` still reach the disk.
    fn take(&self, bytes: usize) -> usize {
        let wanted = i64::try_from(bytes).unwrap_or(i64::MAX);
        let before = self.left_bytes.fetch_sub(wanted.max(1), Ordering::Relaxed);
        usize::try_from(before.clamp(0, wanted)).unwrap_or(0)
    }

    fn live(&self) -> io::Result<()> {
        if self.left_bytes.load(Ordering::Relaxed) > 0 { Ok(()) } else { Err(dead()) }
    }
}

fn dead() -> io::Error {
    io::Error::other("the simulated disk is dead")
}

impl Disk for DyingDisk {
    fn create(&self, path: &FsPath, content: &[u8], bytes: u64) -> io::Result<File> {
        self.live()?;
        LocalDisk.create(path, content, bytes)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let count = self.take(bytes.len());
        LocalDisk.write_at(file, &bytes[..count], offset)?;
        if count < bytes.len() { Err(dead()) } else { Ok(()) }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.live()?;
        LocalDisk.sync(file)
    }

    fn rename(&self, from: &FsPath, to: &FsPath) -> io::Result<()> {
        self.live()?;
        LocalDisk.rename(from, to)
    }

    fn remove(&self, path: &FsPath) -> io::Result<()> {
        self.live()?;
        LocalDisk.remove(path)
    }
}

/// The `number`th punch of a shop's clock.
pub(super) fn punch(serial: &str, number: usize, instant_ms: i64) -> Punch {
    let at = chrono::DateTime::from_timestamp_millis(instant_ms).unwrap_or_default();
    let local = at.with_timezone(&chrono_tz::Africa::Algiers);
    Punch {
        clock_serial: serial.to_owned(),
        // The number makes the identity unique however many come within a second.
        user_id: number.to_string(),
        local_time: local.format("%Y-%m-%dT%H:%M:%S").to_string(),
        zone: "Africa/Algiers".to_owned(),
        instant_ms: Some(instant_ms),
        layout: "40".to_owned(),
        source: PunchSource::Poll as i32,
        ..Punch::default()
    }
}
