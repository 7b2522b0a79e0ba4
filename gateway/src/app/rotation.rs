//! When the key of this gateway gives way to another: after so many days, or when the cloud
//! asks. What comes of it is noticed by [`super::enrolment`], as an enrolment beside the
//! running daemon is.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::tunnel::identity;
use crate::tunnel::rotate::{self, Place, RotateError};
use crate::tunnel::state::TunnelState;
use crate::tunnel::target::Target;
use crate::tunnel::trust::Trust;

/// How often the key's age is looked at.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// After the first try that failed; each one after it waits twice as long, up to the most: a
/// cloud of the release before does not know how.
const RETRY: Duration = Duration::from_mins(5);
const RETRY_MAX: Duration = Duration::from_hours(6);

/// Changes the key in time.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    pub(super) state_dir: PathBuf,
    pub(super) credential: Option<PathBuf>,
    /// 0 for never by itself.
    pub(super) every_days: u32,
    pub(super) target: Target,
    pub(super) trust: Trust,
    pub(super) tunnel: watch::Receiver<TunnelState>,
    pub(super) now: fn() -> DateTime<Utc>,
}

/// What the cloud has said of our key, counted: a wish between two looks is not missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    asked: u64,
    refused: u64,
}

impl Told {
    fn by(state: &TunnelState) -> Self {
        Self { asked: state.rotations_asked, refused: state.keys_refused }
    }
}

impl Rotation {
    /// Watches until told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut seen = Told::by(&self.tunnel.borrow_and_update());
        let mut is_wanted = self.is_old();
        let mut retry = RETRY;
        loop {
            let mut wait = LOOK_EVERY;
            if is_wanted {
                is_wanted = !self.rotate().await;
                (wait, retry) = if is_wanted {
                    (retry, (retry * 2).min(RETRY_MAX))
                } else {
                    (LOOK_EVERY, RETRY)
                };
            }
            // Cancel safe: counts that are not waited for are compared next time.
            let told = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep(wait) => seen,
                told = changed(&mut self.tunnel, seen) => told,
            };
            if told.refused > seen.refused {
                self.reintroduce().await;
            }
            is_wanted |= told.asked > seen.asked || self.is_old();
            seen = told;
        }
    }

    fn is_old(&self) -> bool {
        let every = TimeDelta::days(self.every_days.into());
        let made = identity::key_made_at(&self.state_dir).filter(|_| self.credential.is_none());
        !every.is_zero() && made.is_some_and(|made| (self.now)() - made >= every)
    }

    /// False when it is to be tried again.
    async fn rotate(&self) -> bool {
        match rotate::run(self.place()).await {
            Ok(fingerprint) => {
                tracing::info!(fingerprint, "la clé de cette passerelle est changée");
                true
            }
            Err(error @ RotateError::Credential) => {
                tracing::warn!(%error, "la clé n'est pas changée");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "la clé n'est pas encore changée");
                false
            }
        }
    }

    /// The cloud does not know our key: it may have come back from a backup made before it.
    async fn reintroduce(&self) {
        match rotate::reintroduce(self.place()).await {
            Ok(true) => tracing::info!("le cloud connaît de nouveau la clé de cette passerelle"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "le cloud ne reprend pas cette clé"),
        }
    }

    fn place(&self) -> Place<'_> {
        Place {
            state_dir: &self.state_dir,
            credential: self.credential.as_deref(),
            target: &self.target,
            trust: &self.trust,
        }
    }
}

/// Waits for the cloud to say something about our key.
async fn changed(tunnel: &mut watch::Receiver<TunnelState>, seen: Told) -> Told {
    let told = tunnel.wait_for(|state| Told::by(state) != seen).await.map(|state| Told::by(&state));
    match told {
        Ok(told) => told,
        // The tunnel's end is the daemon's.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tunnel::identity::{Enrolled, PendingKey};

    fn rotation(state_dir: PathBuf, every_days: u32, now: fn() -> DateTime<Utc>) -> Rotation {
        Rotation {
            state_dir,
            credential: None,
            every_days,
            target: Target::parse("https://localhost:1").unwrap(),
            trust: Trust::public().unwrap(),
            tunnel: watch::channel(TunnelState::default()).1,
            now,
        }
    }

    #[test]
    fn a_key_is_old_after_so_many_days_unless_it_is_kept_elsewhere() {
        let state = tempfile::tempdir().unwrap();
        let key = PendingKey::take_up(state.path()).unwrap();
        let enrolled = Enrolled {
            gateway_id: uuid::Uuid::from_u128(1),
            name: "Caisse".into(),
            company: "Boulangerie".into(),
            url: "https://localhost:1".into(),
            fingerprint: key.fingerprint(),
            ca_pem: None,
        };
        key.adopt(&enrolled).unwrap();
        let folder = || state.path().to_owned();
        assert!(!rotation(folder(), 90, || crate::time::now() + TimeDelta::days(89)).is_old());
        let late = || crate::time::now() + TimeDelta::days(90);
        assert!(rotation(folder(), 90, late).is_old());
        assert!(!rotation(folder(), 0, late).is_old(), "never by itself");
        // A clock that was set back says nothing about age.
        assert!(!rotation(folder(), 90, || crate::time::now() - TimeDelta::days(999)).is_old());
        let kept_elsewhere =
            Rotation { credential: Some("/run/key".into()), ..rotation(folder(), 90, late) };
        assert!(!kept_elsewhere.is_old());
    }
}
