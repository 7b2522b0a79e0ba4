//! When the key of this gateway gives way to another: after so many days, or when the cloud
//! asks. What comes of it is noticed by [`super::enrolment`], as an enrolment beside the
//! running daemon is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::tunnel::backoff::SLOW_LANE;
use crate::tunnel::identity::{self, Identity};
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

/// What a new configuration changes for whoever changes the key.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) target: Target,
    pub(super) trust: Trust,
    /// 0 for never by itself.
    pub(super) every_days: u32,
}

impl Way {
    pub(super) fn of(config: &Config, target: &Target, trust: &Trust) -> Self {
        let every_days = config.identity.rotate_every_days;
        Self { target: target.clone(), trust: trust.clone(), every_days }
    }
}

/// Changes the key in time.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    pub(super) state_dir: PathBuf,
    pub(super) credential: Option<PathBuf>,
    pub(super) way: watch::Receiver<Way>,
    pub(super) tunnel: watch::Receiver<TunnelState>,
    /// The identity the tunnel opens with: to be told of is to try again at once.
    pub(super) newest: watch::Sender<Arc<Identity>>,
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
        let mut woken_at: Option<Instant> = None;
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
                () = renewed(&mut self.way) => {
                    retry = RETRY;
                    seen
                }
            };
            if told.refused > seen.refused && self.reintroduce().await {
                // Its own wait after a refusal is long. Not more often than that: there are
                // refusals that no key mends.
                if woken_at.is_none_or(|at| at.elapsed() >= SLOW_LANE) {
                    self.newest.send_modify(|_| {});
                    woken_at = Some(Instant::now());
                }
            }
            is_wanted |= told.asked > seen.asked || self.is_old();
            seen = told;
        }
    }

    fn is_old(&self) -> bool {
        let every = TimeDelta::days(self.way.borrow().every_days.into());
        let made = identity::key_made_at(&self.state_dir).filter(|_| self.credential.is_none());
        !every.is_zero() && made.is_some_and(|made| (self.now)() - made >= every)
    }

    /// False when it is to be tried again.
    async fn rotate(&self) -> bool {
        let way = self.way.borrow().clone();
        match rotate::run(self.place(&way)).await {
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
    /// True when it knows it now.
    async fn reintroduce(&self) -> bool {
        let way = self.way.borrow().clone();
        match rotate::reintroduce(self.place(&way)).await {
            Ok(true) => {
                tracing::info!("le cloud connaît de nouveau la clé de cette passerelle");
                true
            }
            Ok(false) => false,
            Err(error) => {
                tracing::warn!(%error, "le cloud ne reprend pas cette clé");
                false
            }
        }
    }

    fn place<'p>(&'p self, way: &'p Way) -> Place<'p> {
        Place {
            state_dir: &self.state_dir,
            credential: self.credential.as_deref(),
            target: &way.target,
            trust: &way.trust,
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

/// Waits for a new configuration.
async fn renewed(way: &mut watch::Receiver<Way>) {
    if way.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::tunnel::identity::{Enrolled, PendingKey};
    use crate::tunnel::rotate_tests::Site;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Where nobody listens.
    fn nowhere(every_days: u32) -> Way {
        let target = Target::parse("https://localhost:1").unwrap();
        Way { target, trust: Trust::public().unwrap(), every_days }
    }

    fn rotation(state_dir: PathBuf, every_days: u32, now: fn() -> DateTime<Utc>) -> Rotation {
        let identity = Identity::load(&state_dir).unwrap();
        Rotation {
            state_dir,
            credential: None,
            way: watch::channel(nowhere(every_days)).1,
            tunnel: watch::channel(TunnelState::default()).1,
            newest: watch::channel(Arc::new(identity)).0,
            now,
        }
    }

    #[tokio::test]
    async fn a_new_way_and_another_age_are_taken_over_while_running() {
        let site = Site::new().await;
        let first = site.good_key().fingerprint();
        let late = || crate::time::now() + TimeDelta::days(90);
        let (tell, way) = watch::channel(nowhere(0));
        let running = Rotation { way, ..rotation(site.state_dir().to_owned(), 0, late) };
        let running = tokio::spawn(running.run(CancellationToken::new()));
        tokio::task::yield_now().await;
        let (target, trust) = site.way();
        tell.send_replace(Way { target, trust, every_days: 90 });
        let changes = async {
            while site.good_key().fingerprint() == first {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, changes).await.unwrap();
        running.abort();
    }

    #[tokio::test]
    async fn a_key_that_is_known_again_wakes_the_tunnel_but_not_for_ever() {
        let site = Site::new().await;
        let backup = site.backup();
        site.rotate().await.unwrap();
        site.restore(backup);
        let (refused, tunnel) = watch::channel(TunnelState::default());
        let (target, trust) = site.way();
        let way = watch::channel(Way { target, trust, every_days: 0 }).1;
        let running =
            Rotation { way, tunnel, ..rotation(site.state_dir().to_owned(), 0, crate::time::now) };
        let mut woken = running.newest.subscribe();
        let running = tokio::spawn(running.run(CancellationToken::new()));
        tokio::task::yield_now().await;
        refused.send_modify(|state| state.keys_refused += 1);
        timeout(PATIENCE, woken.changed()).await.unwrap().unwrap();
        assert_eq!(woken.borrow_and_update().fingerprint(), site.good_key().fingerprint());
        // Refused for something else, though the cloud says that it knows the key.
        refused.send_modify(|state| state.keys_refused += 1);
        let again = timeout(Duration::from_millis(500), woken.changed()).await;
        assert!(again.is_err(), "the way into a circle");
        running.abort();
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
