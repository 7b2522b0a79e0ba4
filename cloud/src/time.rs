//! The only place that asks what time it is, and the shop's zone at the edge.
//!
//! Instants are UTC; a business date is computed once, from the shop's zone, and stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;

/// The zone of a shop whose own zone cannot be read.
pub const DEFAULT_ZONE: Tz = Tz::Africa__Algiers;

/// Where the time comes from: the machine, or a hand that a test moves.
#[derive(Debug, Clone, Default)]
pub struct TimeSource {
    /// Unix milliseconds when fixed.
    fixed: Option<Arc<AtomicI64>>,
    /// A simulation's clock, Unix milliseconds.
    #[cfg(any(test, feature = "testing"))]
    told: Option<fn() -> i64>,
}

impl TimeSource {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `now` until it is moved.
    #[must_use]
    pub fn fixed(now: DateTime<Utc>) -> Self {
        let fixed = Some(Arc::new(AtomicI64::new(now.timestamp_millis())));
        Self { fixed, ..Self::default() }
    }

    /// The clock of a simulation; `read` gives Unix milliseconds.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn told(read: fn() -> i64) -> Self {
        Self { told: Some(read), ..Self::default() }
    }

    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        #[cfg(any(test, feature = "testing"))]
        if let Some(read) = self.told {
            return instant(read());
        }
        match &self.fixed {
            Some(fixed) => instant(fixed.load(Ordering::Relaxed)),
            None => Utc::now(),
        }
    }

    /// Moves a fixed clock; the machine's clock cannot be moved.
    pub fn advance(&self, by: TimeDelta) {
        if let Some(fixed) = &self.fixed {
            fixed.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
        }
    }
}

/// Unix milliseconds as an instant; values no calendar holds become the epoch.
#[must_use]
pub fn instant(unix_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(unix_ms).unwrap_or_default()
}

/// A zone by its IANA name.
#[must_use]
pub fn zone(name: &str) -> Tz {
    name.parse().unwrap_or(DEFAULT_ZONE)
}

/// The day a shop books an instant to.
#[must_use]
pub fn business_date(at: DateTime<Utc>, zone: Tz) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// `24/11/2026 08:05`, in the shop's zone.
#[must_use]
pub fn french_minute(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%d/%m/%Y %H:%M").to_string()
}

/// An instant, for machines and for people.
#[derive(Debug, Clone)]
pub struct At {
    pub iso: String,
    pub shown: String,
}

/// An instant as pages show it.
#[must_use]
pub fn at(instant: DateTime<Utc>, zone: Tz) -> At {
    At {
        iso: instant.to_rfc3339_opts(SecondsFormat::Secs, true),
        shown: french_minute(instant, zone),
    }
}

/// `24/11/2026`.
#[must_use]
pub fn french_date(date: NaiveDate) -> String {
    format!("{:02}/{:02}/{}", date.day(), date.month(), date.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sale_after_midnight_in_algiers_belongs_to_the_new_day() {
        let before = instant(1_764_025_140_000); // 2025-11-24 22:59 UTC
        let after = before + TimeDelta::minutes(2);
        assert_eq!(business_date(before, DEFAULT_ZONE).to_string(), "2025-11-24");
        assert_eq!(business_date(after, DEFAULT_ZONE).to_string(), "2025-11-25");
    }

    #[test]
    fn a_fixed_clock_stands_until_moved() {
        let clock = TimeSource::fixed(instant(0));
        assert_eq!(clock.now(), instant(0));
        clock.advance(TimeDelta::seconds(5));
        assert_eq!(clock.now(), instant(5_000));
    }
}
