//! What systemd is told, where it is there.

use std::time::Duration;

use sd_notify::NotifyState;

/// How often promises are looked at when systemd does not say.
const WATCH_EVERY: Duration = Duration::from_secs(10);
const WATCH_EVERY_MIN: Duration = Duration::from_millis(100);

/// How often promises are looked at: a third of what the unit's `WatchdogSec=` allows.
pub fn watch_every() -> Duration {
    let asked = sd_notify::watchdog_enabled().map(|period| period / 3);
    asked.unwrap_or(WATCH_EVERY).max(WATCH_EVERY_MIN)
}

pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Followed by [`ready`] when it is done.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "systemd was not told of the reload"),
    }
}

pub(super) fn alive(status: &str) {
    tell(&[NotifyState::Watchdog, NotifyState::Status(status)]);
}

pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

pub(super) fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// systemd may not be there; then there is nobody to tell.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
