//! How a clock fares, in one code word and one sentence that says what to do.

use fournil_protocol::event::{DeviceHealth, DeviceKind, DeviceState};
use fournil_protocol::words;
use tokio::sync::watch;

use super::client::{ClientError, Identity};
use super::layout::Sizes;
use crate::i18n::say;

/// Everything the verdict depends on.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    pub(super) identity: Identity,
    pub(super) sizes: Sizes,
    pub(super) drift_ms: Option<i64>,
    pub(super) drift_warn_s: u32,
    /// What is unclear about the log's layout.
    pub(super) layout_unclear: Option<String>,
    pub(super) fault: Option<Fault>,
}

/// Why the clock is not read.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl From<&ClientError> for Fault {
    fn from(error: &ClientError) -> Fault {
        let code = match error {
            ClientError::KeyRefused { .. } => words::COMM_KEY_REFUSED,
            ClientError::Busy { .. } | ClientError::Refused { .. } => words::BUSY,
            ClientError::NotAClock { .. } => words::NOT_A_CLOCK,
            ClientError::Unreachable { .. }
            | ClientError::NoAnswer { .. }
            | ClientError::Lost { .. }
            | ClientError::Ended { .. }
            | ClientError::Senseless { .. }
            | ClientError::Forbidden(_) => words::UNREACHABLE,
        };
        Fault { code, detail: error.to_string() }
    }
}

impl Fault {
    pub(super) fn serial_mismatch(expected: &str, found: &str) -> Fault {
        let detail = say("clock-serial-mismatch", &[("found", &found), ("expected", &expected)]);
        Fault { code: words::SERIAL_MISMATCH, detail }
    }
}

impl Fault {
    pub(super) fn read_twice(other: &str, serial: &str) -> Fault {
        let detail = say("clock-twice", &[("other", &other), ("serial", &serial)]);
        Fault { code: words::BUSY, detail }
    }
}

impl Condition {
    fn verdict(&self) -> (DeviceState, &'static str, String) {
        if let Some(Fault { code, detail }) = &self.fault {
            return (DeviceState::Down, code, detail.clone());
        }
        if let Some(detail) = &self.layout_unclear {
            return (DeviceState::Warning, words::LAYOUT_AMBIGUOUS, detail.clone());
        }
        let Sizes { records, records_capacity, .. } = self.sizes;
        let counts = [("records", &records as _), ("capacity", &records_capacity as _)];
        if self.sizes.is_log_full() {
            return (DeviceState::Warning, words::LOG_FULL, say("clock-log-full", &counts));
        }
        if let Some(days) = self.days_off() {
            let detail = say("clock-time-lost", &[("days", &days)]);
            return (DeviceState::Warning, words::CLOCK_TIME_LOST, detail);
        }
        if self.sizes.is_log_nearly_full() {
            let detail = say("clock-log-nearly-full", &counts);
            return (DeviceState::Warning, words::LOG_NEARLY_FULL, detail);
        }
        let warn_ms = u64::from(self.drift_warn_s) * 1000;
        if let Some(drift_ms) = self.drift_ms.filter(|drift| drift.unsigned_abs() > warn_ms) {
            let direction = if drift_ms > 0 { "fast" } else { "slow" };
            let seconds = drift_ms.unsigned_abs() / 1000;
            let detail = say("clock-drift", &[("direction", &direction), ("seconds", &seconds)]);
            return (DeviceState::Warning, words::CLOCK_DRIFT, detail);
        }
        let Identity { model, platform, firmware, .. } = &self.identity;
        (DeviceState::Ok, words::OK, [model, platform, firmware].map(String::as_str).join(" "))
    }

    /// How many days the clock's date is off, where that is one or more.
    fn days_off(&self) -> Option<u64> {
        let days = self.drift_ms?.unsigned_abs() / 86_400_000;
        (days > 0).then_some(days)
    }

    /// Writes the verdict where the app reads it. Watchers wake only when something
    /// they would tell has changed; counts and drift are refreshed silently.
    pub(super) fn publish(&self, device: &str, health: &watch::Sender<DeviceHealth>) {
        let (state, code, detail) = self.verdict();
        let next = DeviceHealth {
            device: device.to_owned(),
            kind: DeviceKind::Clock.into(),
            state: state.into(),
            code: code.to_owned(),
            detail,
            serial: self.identity.serial.clone(),
            drift_ms: self.drift_ms,
            records: self.sizes.records,
            records_capacity: self.sizes.records_capacity,
        };
        health.send_if_modified(|current| {
            let is_news = current.code != next.code
                || current.state != next.state
                || current.serial != next.serial
                || current.device != next.device;
            if is_news {
                tracing::info!(
                    clock.name = device,
                    clock.code = next.code,
                    clock.detail = next.detail,
                    "the clock's condition changed"
                );
            }
            *current = next;
            is_news
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> Condition {
        let sizes = Sizes { records: 100, records_capacity: 1000, ..Sizes::default() };
        Condition { sizes, drift_ms: Some(-900), drift_warn_s: 60, ..Condition::default() }
    }

    fn code(condition: &Condition) -> &'static str {
        condition.verdict().1
    }

    #[test]
    fn the_gravest_condition_is_told_first() {
        let mut condition = healthy();
        assert_eq!(code(&condition), "ok");
        condition.drift_ms = Some(-61_000);
        assert!(condition.verdict().2.contains("retarde de 61 s"));
        assert_eq!(code(&condition), "clock-drift");
        condition.sizes.records = 800;
        assert_eq!(code(&condition), "log-nearly-full");
        condition.drift_ms = Some(-26 * 365 * 86_400_000);
        assert_eq!(code(&condition), "clock-time-lost");
        assert!(condition.verdict().2.contains("9490 jours"), "{}", condition.verdict().2);
        condition.sizes.records = 950;
        assert_eq!(code(&condition), "log-full");
        condition.layout_unclear = Some("40 or 8a".to_owned());
        assert_eq!(code(&condition), "layout-ambiguous");
        let refused = ClientError::KeyRefused { target: "x".to_owned() };
        condition.fault = Some(Fault::from(&refused));
        assert_eq!(code(&condition), "comm-key-refused");
    }

    #[test]
    fn watchers_wake_for_news_and_not_for_every_punch() {
        let (health, mut watcher) = watch::channel(DeviceHealth::default());
        let mut condition = healthy();
        condition.publish("pointeuse", &health);
        assert!(watcher.has_changed().unwrap());
        watcher.mark_unchanged();
        condition.sizes.records = 101;
        condition.drift_ms = Some(-400);
        condition.publish("pointeuse", &health);
        assert!(!watcher.has_changed().unwrap());
        assert_eq!(watcher.borrow_and_update().records, 101);
        condition.fault = Some(Fault { code: "unreachable", detail: String::new() });
        condition.publish("pointeuse", &health);
        assert!(watcher.has_changed().unwrap());
    }
}
