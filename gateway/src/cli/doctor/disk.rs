//! Room for the journal, and whether the disk really takes what is written to it: a
//! small file is written, forced to disk and removed.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::StatVfsMountFlags;
use tokio::time::{Instant, timeout_at};

use super::finding::Finding;
use crate::config::Config;

const CHECK: &str = "disk";
const PROBE_TIMEOUT: Duration = Duration::from_secs(8);
const MIB: u64 = 1024 * 1024;
/// Below this the journal may fill the disk in a long time without a cloud.
const FREE_WANTED: u64 = 256 * MIB;
/// Below this it soon cannot write.
const FREE_NEEDED: u64 = 16 * MIB;
const FILES_WANTED: u64 = 1_000;
const FILES_NEEDED: u64 = 32;
/// A command waits for two of these.
const SYNC_WANTED: Duration = Duration::from_millis(250);
/// The journal removes files of this ending when it opens.
const PROBE_NAME: &str = "doctor-probe.partial";
const PROBE_BYTES: usize = 4_096;

/// Looks at the disk under the journal, or where it will be.
pub(super) async fn examine(config: &Config, deadline: Instant) -> Finding {
    let folder = nearest(&config.journal_dir());
    let shown = folder.display().to_string();
    let until = deadline.min(Instant::now() + PROBE_TIMEOUT);
    // A disk that hangs keeps the thread, not us.
    let probing = tokio::task::spawn_blocking(move || look(&folder));
    match timeout_at(until, probing).await {
        Ok(Ok(finding)) => finding,
        Ok(Err(error)) => Finding::new(CHECK, "broken").with("folder", shown).with("why", error),
        Err(_) => Finding::new(CHECK, "silent").with("folder", shown),
    }
}

/// The folder itself, or the nearest above it that exists.
fn nearest(folder: &Path) -> PathBuf {
    folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn look(folder: &Path) -> Finding {
    let shown = folder.display().to_string();
    let failed = |error: &io::Error| {
        let code = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "full",
            ErrorKind::ReadOnlyFilesystem => "read-only",
            ErrorKind::PermissionDenied => "not-writable",
            _ => "broken",
        };
        Finding::new(CHECK, code).with("folder", &shown).with("free", 0).with("why", error)
    };
    let stat = match rustix::fs::statvfs(folder) {
        Ok(stat) => stat,
        Err(error) => return failed(&error.into()),
    };
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return failed(&ErrorKind::ReadOnlyFilesystem.into());
    }
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    // File systems without a fixed number of files say that they have none.
    let files = (stat.f_files > 0).then_some(stat.f_favail);
    if files.is_some_and(|files| files < FILES_NEEDED) {
        return Finding::new(CHECK, "no-files-left").with("folder", &shown);
    }
    let told = |code| Finding::new(CHECK, code).with("folder", &shown).with("free", free / MIB);
    if free < FREE_NEEDED {
        return told("full");
    }
    let took = match probe(folder) {
        Ok(took) => took,
        Err(error) => return failed(&error),
    };
    let code = match files {
        _ if free < FREE_WANTED => "nearly-full",
        Some(files) if files < FILES_WANTED => "few-files-left",
        _ if took > SYNC_WANTED => "slow",
        _ => "roomy",
    };
    told(code)
        .with("wanted", FREE_WANTED / MIB)
        .with("files", files.unwrap_or_default())
        .with("sync_ms", took.as_millis())
}

/// Writes a file, forces it to disk, removes it; gives how long the forcing took.
fn probe(folder: &Path) -> io::Result<Duration> {
    let path = folder.join(PROBE_NAME);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    let forced = file.write_all(&[0x55; PROBE_BYTES]).and_then(|()| {
        let began = Instant::now();
        file.sync_data()?;
        Ok(began.elapsed())
    });
    // The daemon may just have removed it.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => forced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        probe(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(nearest(&folder.path().join("a/b/c")), folder.path());
    }
}
