//! What waits to go up in chunks. Shared by the part that makes it and the session that
//! sends it. It outlives sessions: the next one goes on where the cloud says.
//!
//! At most [`TRANSFERS_OPEN_MAX`] at a time, each in memory and at most
//! [`TRANSFER_BYTES_MAX`] long. A daemon that starts again has none: what was asked for
//! lies in the journal and is made anew.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fournil_protocol::limits::{DIGEST_BYTES, TRANSFER_BYTES_MAX, TRANSFERS_OPEN_MAX};
use ring::digest;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

/// All of it, ready to be sent.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The command that asked for it.
    pub id: Uuid,
    pub bytes: Arc<[u8]>,
    pub sha256: [u8; DIGEST_BYTES],
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The cloud has it, whole.
    Stored,
    /// The cloud does not take it; the word says why.
    Refused(String),
    Cancelled,
}

/// Why nothing was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotBegun {
    #[error("it is under way already")]
    Known,
    #[error("{TRANSFERS_OPEN_MAX} transfers are open already")]
    TooMany,
}

/// Too long, or empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an upload of {0} bytes is none")]
pub struct BadLength(pub usize);

/// The uploads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Uploads(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    entries: Mutex<Vec<Entry>>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct Entry {
    id: Uuid,
    /// `None` while it is being made.
    ready: Option<Upload>,
    outcome: oneshot::Sender<Outcome>,
}

/// One that is begun. Dropped, it is withdrawn.
#[derive(Debug)]
pub struct Begun {
    uploads: Uploads,
    id: Uuid,
    outcome: oneshot::Receiver<Outcome>,
}

impl Default for Uploads {
    fn default() -> Self {
        let changed = watch::channel(()).0;
        Self(Arc::new(Shared { entries: Mutex::default(), changed }))
    }
}

impl Uploads {
    /// Takes a place for what a command asked for, so that it can be called back from now on.
    pub fn begin(&self, id: Uuid) -> Result<Begun, NotBegun> {
        let mut entries = self.entries();
        if entries.iter().any(|entry| entry.id == id) {
            return Err(NotBegun::Known);
        }
        if entries.len() >= TRANSFERS_OPEN_MAX {
            return Err(NotBegun::TooMany);
        }
        let (told, outcome) = oneshot::channel();
        entries.push(Entry { id, ready: None, outcome: told });
        Ok(Begun { uploads: self.clone(), id, outcome })
    }

    /// Calls one back; false when there is none of that name (any more).
    pub fn cancel(&self, id: Uuid) -> bool {
        self.settle(id, Outcome::Cancelled)
    }

    /// Told whenever the list changes.
    pub fn changed(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// Those that are ready, the oldest first.
    pub(super) fn ready(&self) -> Vec<Upload> {
        self.entries().iter().filter_map(|entry| entry.ready.clone()).collect()
    }

    /// Ends one; false when it is gone already.
    pub(super) fn settle(&self, id: Uuid, outcome: Outcome) -> bool {
        let Some(entry) = self.take(id) else { return false };
        // Whoever asked may be gone by now.
        let _: Result<(), Outcome> = entry.outcome.send(outcome);
        true
    }

    fn take(&self, id: Uuid) -> Option<Entry> {
        let mut entries = self.entries();
        let at = entries.iter().position(|entry| entry.id == id)?;
        let entry = entries.remove(at);
        drop(entries);
        self.0.changed.send_replace(());
        Some(entry)
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        // Nothing panics while it is held, and the list is whole at any moment.
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Begun {
    /// Hands it to the session, this one or the next. One that was called back stays so.
    pub fn send(&self, bytes: Vec<u8>) -> Result<(), BadLength> {
        if bytes.is_empty() || bytes.len() as u64 > TRANSFER_BYTES_MAX {
            return Err(BadLength(bytes.len()));
        }
        let mut sha256 = [0; DIGEST_BYTES];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, &bytes).as_ref());
        let upload = Upload { id: self.id, bytes: bytes.into(), sha256 };
        let mut entries = self.uploads.entries();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.id == self.id) {
            entry.ready = Some(upload);
        }
        drop(entries);
        self.uploads.0.changed.send_replace(());
        Ok(())
    }

    /// Waits for the end of it. Cancel safe.
    pub async fn outcome(&mut self) -> Outcome {
        (&mut self.outcome).await.unwrap_or(Outcome::Cancelled)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.uploads.take(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_is_begun_once_and_only_so_many_at_a_time() {
        let uploads = Uploads::default();
        let all: Vec<Begun> =
            (0..4).map(|id| uploads.begin(Uuid::from_u128(id)).unwrap()).collect();
        assert_eq!(uploads.begin(Uuid::from_u128(1)).unwrap_err(), NotBegun::Known);
        assert_eq!(uploads.begin(Uuid::from_u128(9)).unwrap_err(), NotBegun::TooMany);
        drop(all);
        assert!(uploads.begin(Uuid::from_u128(9)).is_ok());
    }

    #[tokio::test]
    async fn what_was_called_back_while_it_was_made_is_never_sent() {
        let uploads = Uploads::default();
        let mut begun = uploads.begin(Uuid::from_u128(1)).unwrap();
        assert!(uploads.cancel(Uuid::from_u128(1)));
        begun.send(vec![1]).unwrap();
        assert!(uploads.ready().is_empty());
        assert_eq!(begun.outcome().await, Outcome::Cancelled);
    }

    #[test]
    fn neither_nothing_nor_too_much_is_sent() {
        let uploads = Uploads::default();
        let begun = uploads.begin(Uuid::from_u128(1)).unwrap();
        assert_eq!(begun.send(Vec::new()), Err(BadLength(0)));
        let over = usize::try_from(TRANSFER_BYTES_MAX).unwrap() + 1;
        assert_eq!(begun.send(vec![0; over]), Err(BadLength(over)));
    }
}
