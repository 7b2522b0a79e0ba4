//! Real file systems, which only root can mount: full, unchangeable under the open
//! journal, and given up by the kernel.

use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Bench, DOWN_EPOCH, command, id, punch, told};
use crate::journal::disk::LocalDisk;
use crate::journal::open::{Setting, Why};
use crate::journal::{AcceptError, Journal, JournalConfig};
use crate::seam::RecordError;

const MIB: u64 = 1024 * 1024;

/// A file system of a few MiB, unmounted at the end.
struct Small {
    bench: Bench,
    mount: PathBuf,
}

impl Drop for Small {
    fn drop(&mut self) {
        // A process that another test starts at this moment may hold a file of it for an instant.
        run("umount", &["--lazy", self.mount.to_str().unwrap()]).unwrap();
    }
}

fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let done = Process::new(program).args(args).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    if done.status.success() { Ok(said) } else { Err(format!("{program} {args:?}: {said}")) }
}

/// A test that cannot mount says so; where root runs the tests for CI it fails instead.
fn skipped(what: &str, error: &str) {
    let is_root = rustix::process::geteuid().is_root();
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!(is_root && is_ci), "{what} could not be mounted: {error}");
    println!("SKIPPED: no {what} here ({error}); the simulated disk of faults.rs stands in for it");
}

impl Small {
    fn tmpfs(mib: u64) -> Option<Self> {
        let size = format!("size={mib}m");
        Self::mount("tmpfs", |_, mount| {
            run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", mount]).map(drop)
        })
    }

    /// On a loop device, giving itself up at the first error.
    fn ext4(mib: u64) -> Option<Self> {
        Self::mount("ext4 on a loop device", |image, mount| {
            let file = std::fs::File::create(image).unwrap();
            file.set_len(mib * MIB).unwrap();
            let image = image.to_str().unwrap();
            run("mkfs.ext4", &["-q", "-m", "0", image])?;
            run("mount", &["-o", "loop,errors=remount-ro", image, mount]).map(drop)
        })
    }

    fn mount(what: &str, mount_on: impl FnOnce(&Path, &str) -> Result<(), String>) -> Option<Self> {
        let mut bench = Bench::new();
        bench.config.segment_bytes = 256 * 1024;
        bench.config.reserve_bytes = MIB;
        let mount = bench.folder.path().join("small");
        std::fs::create_dir(&mount).unwrap();
        match mount_on(&bench.folder.path().join("image"), mount.to_str().unwrap()) {
            Ok(()) => Some(Self { bench, mount }),
            Err(error) => {
                skipped(what, &error);
                None
            }
        }
    }

    fn folder(&self) -> PathBuf {
        self.mount.join("journal")
    }

    fn setting(&self) -> Setting {
        let mut setting = self.bench.setting();
        setting.folder = self.folder();
        setting.disk = Arc::new(LocalDisk);
        std::fs::create_dir_all(&setting.folder).unwrap();
        setting
    }

    fn open(&self) -> Journal {
        let config =
            JournalConfig { segment_bytes: 256 * 1024, reserve_bytes: MIB, ..Default::default() };
        let disk = Arc::new(LocalDisk);
        Journal::open_on(&self.folder(), config, self.bench.time(), disk).unwrap().0
    }

    fn remount(&self, how: &str) -> Result<String, String> {
        run("mount", &["-o", &format!("remount,{how}"), self.mount.to_str().unwrap()])
    }
}

/// Opens the journal, looks and closes it.
async fn punches_found(small: &Small) -> Vec<String> {
    let journal = small.open();
    let found = punches_in(&journal).await;
    journal.close().await.unwrap();
    found
}

async fn punches_in(journal: &Journal) -> Vec<String> {
    let run = journal.read_events(1, usize::MAX, usize::MAX).await.unwrap();
    let texts = run.events.iter().map(|bytes| told(bytes));
    texts.filter(|text| text.starts_with("punch")).collect()
}

#[test]
fn a_real_file_system_that_fills_up_behaves_like_the_simulated_one() {
    for small in [Small::tmpfs(5), Small::ext4(8)].into_iter().flatten() {
        let setting = small.setting();
        let ballast = setting.folder.join("ballast");
        std::fs::write(&ballast, vec![1; 1024 * 1024]).unwrap();
        let mut engine = setting.open(Why::Start).unwrap().0;
        engine.accept(DOWN_EPOCH, vec![command(1, 1)]).unwrap();
        let mut taken = 0;
        while engine.append((0..50).map(punch).collect()).and_then(|_| engine.commit()).is_ok() {
            taken += 1;
        }
        assert!(taken > 50, "{taken}");
        for _ in 0..2_000 {
            engine.begin(id(1), 1, "till".into()).unwrap();
            engine.commit().unwrap();
        }
        assert!(!engine.has_reserve);
        std::fs::remove_file(ballast).unwrap();
        engine.append(vec![punch(1)]).unwrap();
        engine.commit().unwrap();
        assert!(engine.has_reserve);
        let last = engine.state.up.last;
        drop(engine);
        let (engine, opened) = setting.open(Why::Start).unwrap();
        assert!(opened.quarantined.is_empty() && opened.torn_bytes_cut == 0);
        assert_eq!((engine.state.up.first_kept(), engine.state.up.last), (1, last));
    }
}

#[tokio::test]
async fn a_file_system_that_refuses_writes_under_the_open_journal_is_told_and_waited_out() {
    let Some(small) = Small::ext4(8) else { return };
    let journal = small.open();
    journal.append(vec![punch(1)]).await.unwrap();
    // The system does not let anybody take writing away from an open journal so.
    assert!(small.remount("ro").is_err());
    let folder = small.folder();
    let folder = folder.to_str().unwrap();
    run("chattr", &["-R", "+i", folder]).unwrap();
    let refused = journal.append(vec![punch(2)]).await;
    assert!(matches!(refused, Err(RecordError::Broken(_))), "{refused:?}");
    let refused = journal.accept(DOWN_EPOCH, vec![command(1, 1)]).await;
    assert!(matches!(refused, Err(AcceptError::Record(_))), "{refused:?}");
    assert!(journal.probe().await.is_err(), "an idle shop is not told");
    run("chattr", &["-R", "-i", folder]).unwrap();
    let patience = Instant::now() + Duration::from_secs(20);
    while journal.append(vec![punch(3)]).await.is_err() {
        assert!(Instant::now() < patience, "it never came back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(punches_in(&journal).await, ["punch 1", "punch 3"]);
    journal.close().await.unwrap();
    drop(journal);

    // Closed, it can be made read-only, and then is not opened as if nothing were.
    small.remount("ro").unwrap();
    let refused = Journal::open(&small.folder(), JournalConfig::default(), small.bench.time());
    assert!(refused.is_err());
    small.remount("rw").unwrap();
    assert_eq!(punches_found(&small).await, ["punch 1", "punch 3"]);
}

#[tokio::test]
async fn a_file_system_that_the_kernel_gives_up_costs_nothing_that_was_answered() {
    let Some(small) = Small::ext4(8) else { return };
    let journal = small.open();
    for number in 1..=20 {
        journal.append(vec![punch(number)]).await.unwrap();
    }
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    let mount = small.mount.to_str().unwrap();
    let row = mounts.lines().find(|row| row.contains(mount)).unwrap();
    let device = row.split(' ').next().unwrap().rsplit('/').next().unwrap().to_owned();
    let trigger = format!("/sys/fs/ext4/{device}/trigger_fs_error");
    if let Err(error) = std::fs::write(trigger, "the disk of a test") {
        return skipped("way to fail a file system", &error.to_string());
    }
    let refused = journal.append(vec![punch(21)]).await;
    assert!(refused.is_err(), "answered for what the disk did not take: {refused:?}");
    let refused = journal.accept(DOWN_EPOCH, vec![command(1, 1)]).await;
    assert!(refused.is_err(), "{refused:?}");
    let _ = journal.close().await;
    drop(journal);
    // What a person does then: check it and mount it again.
    let image = small.bench.folder.path().join("image");
    let image = image.to_str().unwrap();
    run("umount", &[mount]).unwrap();
    let checked = Process::new("e2fsck").args(["-fy", image]).output().unwrap();
    assert!(checked.status.code().is_some_and(|code| code <= 1), "{checked:?}");
    run("mount", &["-o", "loop", image, mount]).unwrap();
    let expected: Vec<_> = (1..=20).map(|number| format!("punch {number}")).collect();
    let found = punches_found(&small).await;
    // What was refused may be there all the same; what was answered must.
    assert_eq!(found[..20], expected);
}
