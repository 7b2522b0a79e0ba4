//! The border to the disk: every change to a file goes through [`Disk`].
//!
//! It is a trait only so that tests can fill the disk and break its fsync. Reads
//! are plain reads. What [`Disk::create`] returned is durable: the file, its
//! content and its name.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{
    FallocateFlags, FlockOperation, StatVfsMountFlags, fallocate, flock, fstatvfs, statvfs,
};
use rustix::io::Errno;

use super::JournalError;

static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
const LOCK_NAME: &str = "lock";

/// Everything that changes the folder.
#[cfg_attr(not(feature = "testing"), expect(unreachable_pub, reason = "a simulation has another"))]
pub trait Disk: Send + Sync + Debug {
    /// Makes a file of `bytes` bytes that begins with `content`, all of it allocated
    /// and durable, and appears under its name at once or not at all.
    fn create(&self, path: &Path, content: &[u8], bytes: u64) -> io::Result<File>;
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn sync(&self, file: &File) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Bytes that files in the folder may still take, as far as the disk can say.
    fn free_bytes(&self, _folder: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// The real disk.
#[derive(Debug)]
#[cfg_attr(not(feature = "testing"), expect(unreachable_pub, reason = "a simulation has another"))]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn create(&self, path: &Path, content: &[u8], bytes: u64) -> io::Result<File> {
        let partial = partial_path(path);
        let made = fill_new(&partial, content, bytes)
            .and_then(|file| std::fs::rename(&partial, path).map(|()| file))
            .and_then(|file| sync_folder_of(path).map(|()| file));
        if made.is_err() {
            // Gives the room back at once; what remains is removed at the next start.
            let _ = std::fs::remove_file(&partial);
        }
        made
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()?;
        refuse_read_only(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)?;
        sync_folder_of(to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)?;
        sync_folder_of(path)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        let stat = statvfs(folder)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Zeros are really written: a commit into blocks that were only reserved would have
/// to write file system metadata too, and a command waits for it.
fn fill_new(path: &Path, content: &[u8], bytes: u64) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    file.write_all_at(content, 0)?;
    zero_from(&LocalDisk, &file, content.len() as u64, bytes)?;
    file.sync_all()?;
    Ok(file)
}

/// Overwrites `[from, end)` with zeros.
pub(super) fn zero_from(disk: &dyn Disk, file: &File, from: u64, end: u64) -> io::Result<()> {
    let mut offset = from;
    while offset < end {
        let step = (end - offset).min(ZEROS.len() as u64);
        let step_bytes = usize::try_from(step).unwrap_or(ZEROS.len());
        disk.write_at(file, ZEROS.get(..step_bytes).unwrap_or(&ZEROS), offset)?;
        offset += step;
    }
    Ok(())
}

/// A file system that was made read-only under an open file may say yes to an fsync and
/// write nothing.
fn refuse_read_only(file: &File) -> io::Result<()> {
    let is_read_only = fstatvfs(file)?.f_flag.contains(StatVfsMountFlags::RDONLY);
    if is_read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
}

fn partial_path(path: &Path) -> PathBuf {
    path.with_extension("partial")
}

pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// True for a disk, quota or project limit that is used up.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The folder belongs to this process as long as this value lives.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

/// Makes the folder if need be and takes it for this process alone.
pub(super) fn lock_folder(folder: &Path) -> Result<FolderLock, JournalError> {
    let io = |what: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| JournalError::Io { what, path, source }
    };
    std::fs::create_dir_all(folder)
        .and_then(|()| sync_folder_of(folder))
        .map_err(io("make the folder", folder))?;
    let path = folder.join(LOCK_NAME);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io("open the lock file", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(FolderLock { _file: file }),
        Err(Errno::WOULDBLOCK) => Err(JournalError::Locked { folder: folder.to_owned() }),
        Err(error) => Err(io("lock", &path)(error.into())),
    }
}
