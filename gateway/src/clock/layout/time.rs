//! The clock's own wall time: no zone, no daylight saving, months of 31 days.
//!
//! Dates that do not exist can be written in it and occur after flash damage; they
//! are kept as they are and only `to_naive` says that there is no such moment.

use std::fmt;

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

/// Date and time as the clock holds them, real or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockTime {
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

impl ClockTime {
    /// Seconds in the clock's calendar of 31-day months and 372-day years.
    pub fn decode(encoded: u32) -> ClockTime {
        // Each remainder is below 100, so the conversions cannot lose anything.
        let part = |divisor: u32, modulus: u32| {
            u8::try_from(encoded / divisor % modulus).unwrap_or(u8::MAX)
        };
        ClockTime {
            year: 2000 + u16::try_from(encoded / (86_400 * 372)).unwrap_or(u16::MAX - 2000),
            month: part(86_400 * 31, 12) + 1,
            day: part(86_400, 31) + 1,
            hour: part(3600, 24),
            minute: part(60, 60),
            second: part(1, 60),
        }
    }

    pub fn encode(self) -> u32 {
        let years = u32::from(self.year % 100);
        let months = years * 12 + u32::from(self.month.saturating_sub(1));
        let days = months * 31 + u32::from(self.day.saturating_sub(1));
        let (hour, minute) = (u32::from(self.hour), u32::from(self.minute));
        days * 86_400 + hour * 3600 + minute * 60 + u32::from(self.second)
    }

    /// Six plain bytes, as events carry it.
    pub fn from_six(bytes: [u8; 6]) -> ClockTime {
        let [year, month, day, hour, minute, second] = bytes;
        ClockTime { year: 2000 + u16::from(year), month, day, hour, minute, second }
    }

    pub fn to_six(self) -> [u8; 6] {
        let year = u8::try_from(self.year % 100).unwrap_or_default();
        [year, self.month, self.day, self.hour, self.minute, self.second]
    }

    /// `None` when there is no such date or time.
    pub fn to_naive(self) -> Option<NaiveDateTime> {
        NaiveDate::from_ymd_opt(self.year.into(), self.month.into(), self.day.into())?.and_hms_opt(
            self.hour.into(),
            self.minute.into(),
            self.second.into(),
        )
    }

    /// Whole seconds; years outside 2000..=2099 cannot be held and are clamped.
    pub fn from_naive(time: NaiveDateTime) -> ClockTime {
        let byte = |value: u32| u8::try_from(value).unwrap_or(u8::MAX);
        ClockTime {
            year: u16::try_from(time.year().clamp(2000, 2099)).unwrap_or(2000),
            month: byte(time.month()),
            day: byte(time.day()),
            hour: byte(time.hour()),
            minute: byte(time.minute()),
            second: byte(time.second()),
        }
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClockTime { year, month, day, hour, minute, second } = self;
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}
