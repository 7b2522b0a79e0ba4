//! The clock's wall time in the calendar people use.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
pub use fournil_protocol::clock::ClockTime;

/// Between the clock's own dates and real ones.
pub trait Calendar: Sized {
    /// `None` when there is no such date or time.
    fn to_naive(self) -> Option<NaiveDateTime>;

    /// Whole seconds; years outside 2000..=2099 cannot be held and are clamped.
    fn from_naive(time: NaiveDateTime) -> Self;
}

impl Calendar for ClockTime {
    fn to_naive(self) -> Option<NaiveDateTime> {
        NaiveDate::from_ymd_opt(self.year.into(), self.month.into(), self.day.into())?.and_hms_opt(
            self.hour.into(),
            self.minute.into(),
            self.second.into(),
        )
    }

    fn from_naive(time: NaiveDateTime) -> Self {
        let byte = |value: u32| u8::try_from(value).unwrap_or(u8::MAX);
        Self {
            year: u16::try_from(time.year().clamp(2000, 2099)).unwrap_or(2000),
            month: byte(time.month()),
            day: byte(time.day()),
            hour: byte(time.hour()),
            minute: byte(time.minute()),
            second: byte(time.second()),
        }
    }
}
