//! How the shop fares, told to the cloud: at start, when something changes, every five
//! minutes, and when asked.

use std::path::PathBuf;
use std::time::Duration;

use fournil_protocol::event::{Body, CommandReport, CommandState, Health};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::devices::Roster;
use crate::journal::{Journal, JournalStat};
use crate::seam::RecordError;
use crate::tunnel::state::TunnelState;

/// Between two reports when nothing changes.
const EVERY: Duration = Duration::from_mins(5);
/// A printer that runs out of paper changes several things within a moment.
const SETTLE: Duration = Duration::from_millis(300);
/// Between two reports of changes: a device that flutters must not fill the journal.
const CHANGE_SPACING: Duration = Duration::from_secs(5);
/// For the first words of the devices.
const FIRST_WAIT: Duration = Duration::from_secs(3);

/// Gathers and tells.
#[derive(Debug)]
pub(super) struct HealthReporter {
    pub(super) journal: Journal,
    pub(super) devices: watch::Receiver<Roster>,
    pub(super) state_dir: PathBuf,
    pub(super) tunnel: watch::Receiver<TunnelState>,
    pub(super) began: Instant,
}

impl HealthReporter {
    /// Tells until told to stop. `asked` are status commands to be answered.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<Uuid>, stop: CancellationToken) {
        tokio::select! {
            () = sleep(FIRST_WAIT) => {}
            () = stop.cancelled() => return,
        }
        let mut devices = self.devices.borrow_and_update().clone();
        let mut told = Vec::new();
        let mut next = Instant::now();
        let mut may_tell_at = Instant::now();
        loop {
            // Cancel safe: a change that is not waited for is still seen by `material`.
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(next) => {}
                Ok(()) = self.devices.changed() => {
                    devices.clone_from(&self.devices.borrow_and_update());
                }
                () = changed(&mut devices) => {
                    sleep(SETTLE).await;
                    if material(&devices) == told {
                        continue;
                    }
                    sleep_until(may_tell_at).await;
                }
                Some(id) = asked.recv() => {
                    if let Err(error) = self.answer(id).await {
                        tracing::warn!(%error, "status could not be answered");
                    }
                    continue;
                }
            }
            told = material(&devices);
            if let Err(error) = self.tell().await {
                tracing::warn!(%error, "health could not be recorded");
            }
            next = Instant::now() + EVERY;
            may_tell_at = Instant::now() + CHANGE_SPACING;
        }
    }

    async fn tell(&self) -> Result<(), RecordError> {
        let stat = self.journal.stat().await?;
        let health = self.health(&stat);
        self.journal.append(vec![Body::Health(health)]).await?;
        Ok(())
    }

    /// Both at once and in this order: one write to the disk, one batch to the cloud.
    async fn answer(&self, id: Uuid) -> Result<(), RecordError> {
        let report = CommandReport {
            command_id: id.as_bytes().to_vec(),
            state: CommandState::Done as i32,
            ..CommandReport::default()
        };
        let stat = self.journal.stat().await?;
        let health = self.journal.append(vec![Body::Health(self.health(&stat))]);
        let (told, reported) = tokio::join!(biased; health, self.journal.report(report));
        told.map(drop).and(reported)
    }

    fn health(&self, stat: &JournalStat) -> Health {
        Health {
            devices: self.devices.borrow().iter().map(|one| one.borrow().clone()).collect(),
            journal_pending: stat.unacked_events,
            journal_bytes: stat.segment_bytes,
            disk_free_bytes: disk_free_bytes(&self.state_dir).unwrap_or(0),
            uptime_s: self.began.elapsed().as_secs(),
            resident_bytes: resident_bytes().unwrap_or(0),
            software: env!("CARGO_PKG_VERSION").to_owned(),
            server_certificate_until_ms: self.tunnel.borrow().certificate_until_ms,
        }
    }
}

/// What makes a change worth telling: counts and drift move all the time.
fn material(devices: &Roster) -> Vec<(i32, String, String)> {
    let devices = devices.iter().map(|device| device.borrow());
    devices.map(|told| (told.state, told.code.clone(), told.serial.clone())).collect()
}

/// The first change of any device; never, when there is none left to change.
async fn changed(devices: &mut Roster) {
    let changes = devices.iter_mut().map(|device| Box::pin(device.changed()));
    let changes: Vec<_> = changes.collect();
    if changes.is_empty() {
        return std::future::pending().await;
    }
    let (first, _, _) = futures_util::future::select_all(changes).await;
    if first.is_err() {
        // The sender is gone: while stopping, or until the roster says so.
        std::future::pending::<()>().await;
    }
}

/// Room for this process on the disk of a folder.
pub fn disk_free_bytes(folder: &std::path::Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// What this process holds in memory.
pub fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}
