//! Whose facts the journal holds. A folder that belongs to another gateway is set aside
//! whole, so that after a new enrolment neither its punches nor its open receipts reach
//! somebody else's cloud. Nothing of it is deleted.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::JournalError;
use super::disk::{lock_folder, sync_folder_of};
use crate::tunnel::identity::write_whole;

const OWNER_NAME: &str = "owner";
/// Names tried for a folder set aside; two in one second are rare already.
const ASIDE_NAMES_MAX: u32 = 100;

/// Makes the folder the gateway's. Gives where the folder of another gateway went. A
/// folder without a name, of a build that wrote none, is taken over.
pub fn claim(
    folder: &Path,
    gateway: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<PathBuf>, JournalError> {
    let lock = lock_folder(folder)?;
    let path = folder.join(OWNER_NAME);
    let aside = match std::fs::read_to_string(&path) {
        Ok(text) if text.trim() == gateway.to_string() => return Ok(None),
        // What cannot be read as an id is not ours either.
        Ok(text) => Some(set_aside(folder, &text, now)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(JournalError::reading(&path)(error)),
    };
    drop(lock);
    let lock = lock_folder(folder)?;
    write_whole(&path, format!("{gateway}\n").as_bytes()).map_err(|source| JournalError::Io {
        what: "write",
        path,
        source,
    })?;
    drop(lock);
    Ok(aside)
}

fn set_aside(folder: &Path, owner: &str, now: DateTime<Utc>) -> Result<PathBuf, JournalError> {
    let short: String = owner.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let date = now.format("%Y%m%d-%H%M%S");
    let names = (1..=ASIDE_NAMES_MAX).map(|number| match number {
        1 => format!("{name}-{date}-{short}"),
        _ => format!("{name}-{date}-{short}-{number}"),
    });
    let free = names.map(|name| folder.with_file_name(name)).find(|path| !path.exists());
    let failed = |source| JournalError::Io { what: "set aside", path: folder.to_owned(), source };
    let aside = free.ok_or_else(|| failed(io::ErrorKind::AlreadyExists.into()))?;
    std::fs::rename(folder, &aside).and_then(|()| sync_folder_of(&aside)).map_err(failed)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-25T22:30:00Z").unwrap().to_utc()
    }

    #[test]
    fn the_journal_of_another_gateway_is_set_aside_whole() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("journal");
        let (ours, other) = (Uuid::from_u128(1), Uuid::from_u128(0xabcd << 112));
        assert_eq!(claim(&folder, other, now()).unwrap(), None);
        std::fs::write(folder.join("000001.seg"), b"facts").unwrap();
        assert_eq!(claim(&folder, other, now()).unwrap(), None, "it is still theirs");
        let aside = claim(&folder, ours, now()).unwrap().unwrap();
        assert_eq!(aside, state.path().join("journal-20261125-223000-abcd0000"));
        assert_eq!(std::fs::read(aside.join("000001.seg")).unwrap(), b"facts");
        assert!(!folder.join("000001.seg").exists());
        assert_eq!(claim(&folder, ours, now()).unwrap(), None);
        // Back and forth within one second.
        assert!(claim(&folder, other, now()).unwrap().is_some());
        let again = claim(&folder, ours, now()).unwrap().unwrap();
        assert_ne!(again, aside);
    }

    #[test]
    fn a_journal_that_names_nobody_is_taken_over() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("journal");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("000001.seg"), b"facts").unwrap();
        assert_eq!(claim(&folder, Uuid::from_u128(1), now()).unwrap(), None);
        assert!(folder.join("000001.seg").exists());
    }

    #[test]
    fn a_journal_in_use_is_not_moved() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("journal");
        claim(&folder, Uuid::from_u128(1), now()).unwrap();
        let held = lock_folder(&folder).unwrap();
        let refused = claim(&folder, Uuid::from_u128(2), now());
        assert!(matches!(refused, Err(JournalError::Locked { .. })), "{refused:?}");
        drop(held);
    }
}
