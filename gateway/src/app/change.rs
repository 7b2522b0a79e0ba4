//! What a new configuration changes while the daemon runs: devices that came, went or
//! changed, and the way to the cloud. Only their parts end and start; the others do not
//! notice.
//!
//! A part that goes finishes what it has begun. Only when it has ended does its successor
//! start, and does the router learn that a device is gone: a receipt on its way to paper
//! must not be called impossible meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::devices::{self, Device, Roster, Shared};
use super::rotation::Way;
use super::route::SeatName;
use crate::config::Config;
use crate::journal::Journal;
use crate::supervise::{Kept, Supervisor};
use crate::tunnel::identity::Identity;
use crate::tunnel::session::Terms;
use crate::tunnel::target::Target;
use crate::tunnel::trust::Trust;
use crate::tunnel::{self, Tunnel};

/// The tunnel's part.
#[derive(Debug)]
pub(super) struct Line {
    kept: Kept,
    tunnel: Tunnel<Journal>,
}

impl Line {
    pub(super) fn start(supervisor: &mut Supervisor, tunnel: Tunnel<Journal>) -> Self {
        Self::after(None, supervisor, tunnel)
    }

    fn after(before: Option<&Kept>, supervisor: &mut Supervisor, tunnel: Tunnel<Journal>) -> Self {
        let ended = before.map(Kept::ended);
        let (pulse, terms) = (tunnel.terms.pulse.clone(), tunnel.clone());
        let kept = supervisor.moving("tunnel", pulse, move |stop| {
            let (tunnel, ended) = (terms.clone(), ended.clone());
            async move {
                if let Some(ended) = ended {
                    ended.cancelled().await;
                }
                tunnel::run(tunnel, stop).await;
                Ok(())
            }
        });
        Self { kept, tunnel }
    }
}

/// What runs and can be changed.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) config: Config,
    /// The same for whoever shows it.
    pub(super) in_force: watch::Sender<Config>,
    pub(super) identity: watch::Receiver<Arc<Identity>>,
    pub(super) line: Option<Line>,
    /// Of whoever changes the key.
    pub(super) way: Option<watch::Sender<Way>>,
    pub(super) devices: Vec<Device>,
    pub(super) shared: Shared,
    pub(super) seats: watch::Sender<Vec<SeatName>>,
    pub(super) roster: watch::Sender<Roster>,
    pub(super) ending: Ending,
}

/// Device parts that were told to end.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// Of those that may not have ended, of whichever change: one that was itself still
    /// waiting for its turn ends at once, and the one before it may go on.
    parts: Vec<CancellationToken>,
    /// Counts the changes, so that only the newest one seats devices.
    newest: Arc<AtomicU64>,
}

impl Running {
    /// Applies what can be applied and says what cannot. A cloud that cannot be used leaves
    /// everything as it was.
    pub(super) fn change(&mut self, supervisor: &mut Supervisor, new: Config) {
        let way = match super::cloud(&new, &self.identity.borrow()) {
            Ok(way) => way,
            Err(error) => {
                tracing::error!(
                    %error,
                    "configuration refusée : corrigez-la, le service garde la précédente"
                );
                return;
            }
        };
        let mut applied = Vec::new();
        if let (Some(tell), Some(way)) = (&self.way, new_way(&self.config, &new, &way)) {
            tell.send_replace(way);
        }
        if new.identity != self.config.identity {
            let days = new.identity.rotate_every_days;
            applied.push(format!("identity.rotate_every_days {days}"));
        }
        if new.cloud != self.config.cloud
            && let Some(Line { kept, tunnel }) = self.line.take()
        {
            let (target, trust) = way;
            applied.push(format!("cloud {target}"));
            let server_name = target.host.clone();
            let terms = Terms { server_name, ..tunnel.terms };
            kept.stop();
            let tunnel = Tunnel { target, trust, terms };
            self.line = Some(Line::after(Some(&kept), supervisor, tunnel));
        }
        applied.extend(self.change_devices(supervisor, &new));
        if new.log.level != self.config.log.level {
            applied.push(format!("log.level {}", new.log.level));
        }
        let waiting = self.needs_restart(&new);
        self.keep_what_stays(new);
        if applied.is_empty() && waiting.is_empty() {
            tracing::info!("configuration relue : rien n'a changé");
        }
        if !applied.is_empty() {
            tracing::info!(changes = applied.join(", "), "configuration appliquée");
        }
        if !waiting.is_empty() {
            tracing::warn!(
                sections = waiting.join(", "),
                "configuration modifiée : relancez le service pour appliquer ces sections \
                 (systemctl restart fournil-gateway)"
            );
        }
    }

    /// Ends the parts of devices that went or changed, and starts those that came or changed
    /// once these have ended.
    fn change_devices(&mut self, supervisor: &mut Supervisor, new: &Config) -> Vec<String> {
        let wanted = devices::sections(new);
        let (kept, gone): (Vec<_>, Vec<_>) =
            self.devices.drain(..).partition(|device| wanted.contains(&device.section));
        self.devices = kept;
        let mut applied = BTreeSet::new();
        for device in &gone {
            device.kept.stop();
            applied.insert(format!("{} arrêté", device.section.name()));
        }
        self.ending.parts.retain(|ended| !ended.is_cancelled());
        self.ending.parts.extend(gone.iter().map(|device| device.kept.ended()));
        let ended = self.ending.parts.clone();
        for section in wanted {
            if self.devices.iter().any(|device| device.section == section) {
                continue;
            }
            let name = section.name().to_owned();
            if applied.remove(&format!("{name} arrêté")) {
                applied.insert(format!("{name} changé"));
            } else {
                applied.insert(format!("{name} ajouté"));
            }
            let device = devices::start_one(section, supervisor, &self.shared, &ended);
            self.devices.push(device);
        }
        if !applied.is_empty() {
            self.roster.send_replace(devices::roster(&self.devices));
            let (seats, names) = (self.seats.clone(), devices::seats(new));
            let newest = self.ending.newest.clone();
            let turn = newest.fetch_add(1, Ordering::SeqCst) + 1;
            supervisor.errand(async move {
                for ended in ended {
                    ended.cancelled().await;
                }
                // Looked at under the lock of the seats: a later change has the last word.
                seats.send_if_modified(|seats| {
                    let is_newest = newest.load(Ordering::SeqCst) == turn;
                    if is_newest {
                        *seats = names;
                    }
                    is_newest
                });
            });
        }
        applied.into_iter().collect()
    }

    fn needs_restart(&self, new: &Config) -> Vec<&'static str> {
        let old = &self.config;
        let sections = [
            ("state_dir", old.state_dir != new.state_dir),
            ("language", old.language != new.language),
            ("identity", old.identity != new.identity),
            ("journal", old.journal != new.journal),
            ("log.format", old.log.format != new.log.format),
        ];
        sections.iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| *name).collect()
    }

    /// What waits for a restart is told again at the next reading.
    fn keep_what_stays(&mut self, new: Config) {
        let old = std::mem::replace(&mut self.config, new);
        self.config.state_dir = old.state_dir;
        self.config.language = old.language;
        self.config.identity = old.identity;
        self.config.journal = old.journal;
        self.config.log.format = old.log.format;
        self.in_force.send_replace(self.config.clone());
    }
}

/// What whoever changes the key is to know of a new configuration, where that differs.
fn new_way(old: &Config, new: &Config, (target, trust): &(Target, Trust)) -> Option<Way> {
    let is_other = new.cloud != old.cloud || new.identity != old.identity;
    is_other.then(|| Way::of(new, target, trust))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Sources};

    #[test]
    fn whoever_changes_the_key_is_told_of_another_cloud_and_another_age() {
        let sources =
            Sources { file: None, state_dir: None, env: &|_| None, env_names: Vec::new() };
        let old = config::load(&sources).unwrap();
        let target = Target::parse("https://other.example").unwrap();
        let way = (target, Trust::public().unwrap());
        assert!(new_way(&old, &old, &way).is_none());
        let mut moved = old.clone();
        moved.cloud.url = Some("https://other.example".into());
        let told = new_way(&old, &moved, &way).unwrap();
        assert_eq!(told.target.host, "other.example");
        let mut older = old.clone();
        older.identity.rotate_every_days = 7;
        assert_eq!(new_way(&old, &older, &way).unwrap().every_days, 7);
    }
}
