//! Notices that somebody enrolled this gateway again beside the running daemon.
//!
//! A new key for the same gateway is taken over while running. Another gateway, cloud or
//! authority ends the daemon: its journal belongs to the old one, and only a start sets
//! that aside.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::tunnel::identity::{self, Enrolled, Identity};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// An enrolment writes two files one after the other.
const SETTLE: Duration = Duration::from_secs(1);

/// Which version of a file it is: each enrolment makes a new one.
type Version = (u64, i64, i64);

/// Watches until told to stop, or until the daemon must start again.
pub(super) async fn watch(
    (state_dir, credential): (PathBuf, Option<PathBuf>),
    newest: watch::Sender<Arc<Identity>>,
    stop: CancellationToken,
) {
    let mut seen = version(&state_dir).ok();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(LOOK_EVERY) => {}
        }
        let found = version(&state_dir).ok();
        if found == seen || found.is_none() {
            continue;
        }
        sleep(SETTLE).await;
        let read = match Identity::load_with(&state_dir, credential.as_deref()) {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, "la nouvelle identité n'est pas utilisable");
                seen = found;
                continue;
            }
        };
        seen = version(&state_dir).ok();
        let known = newest.borrow().clone();
        if !is_same_place(&known.enrolled, &read.enrolled) {
            tracing::warn!(
                gateway = read.enrolled.name,
                company = read.enrolled.company,
                "la passerelle a été enrôlée ailleurs : le service redémarre"
            );
            return;
        }
        if known.fingerprint() != read.fingerprint() {
            tracing::info!(fingerprint = read.fingerprint(), "nouvelle identité prise en compte");
            newest.send_replace(Arc::new(read));
        }
    }
}

/// Whether a session and the journal may go on with it.
fn is_same_place(known: &Enrolled, read: &Enrolled) -> bool {
    known.gateway_id == read.gateway_id && known.url == read.url && known.ca_pem == read.ca_pem
}

fn version(state_dir: &Path) -> io::Result<Version> {
    let found = std::fs::metadata(identity::enrolled_path(state_dir))?;
    Ok((found.ino(), found.mtime(), found.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;
    use uuid::Uuid;

    use super::*;
    use crate::tunnel::identity::PendingKey;

    fn enrol(state: &Path, gateway: u128) -> Identity {
        let key = PendingKey::take_up(state).unwrap();
        let enrolled = Enrolled {
            gateway_id: Uuid::from_u128(gateway),
            name: "Caisse".into(),
            company: "Boulangerie".into(),
            url: "https://cloud.example".into(),
            fingerprint: key.fingerprint(),
            ca_pem: None,
        };
        key.adopt(&enrolled).unwrap();
        Identity::load(state).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_key_is_taken_over_and_another_gateway_ends_the_daemon() {
        let state = tempfile::tempdir().unwrap();
        let (newest, mut told) = watch::channel(Arc::new(enrol(state.path(), 1)));
        let stop = CancellationToken::new();
        let watching = tokio::spawn(watch((state.path().to_owned(), None), newest, stop));
        sleep(LOOK_EVERY * 3).await;
        assert!(!told.has_changed().unwrap());
        let renewed = enrol(state.path(), 1);
        timeout(Duration::from_secs(10), told.changed()).await.unwrap().unwrap();
        assert_eq!(told.borrow().fingerprint(), renewed.fingerprint());
        assert!(!watching.is_finished());
        enrol(state.path(), 2);
        timeout(Duration::from_secs(10), watching).await.unwrap().unwrap();
    }
}
