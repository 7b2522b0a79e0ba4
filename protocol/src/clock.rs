//! What an attendance clock means, whichever way it is heard: read over its own port, or
//! calling by itself ([`crate::iclock`]). The same punch must get the same identity by both.

use std::fmt;

/// Date and time as a clock holds them, real or not: no zone, no daylight saving. Dates that
/// do not exist occur after flash damage and are kept as they are.
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
    #[must_use]
    pub fn decode(encoded: u32) -> Self {
        // Each remainder is below 100, so the conversions cannot lose anything.
        let part = |divisor: u32, modulus: u32| {
            u8::try_from(encoded / divisor % modulus).unwrap_or(u8::MAX)
        };
        Self {
            year: 2000 + u16::try_from(encoded / (86_400 * 372)).unwrap_or(u16::MAX - 2000),
            month: part(86_400 * 31, 12) + 1,
            day: part(86_400, 31) + 1,
            hour: part(3600, 24),
            minute: part(60, 60),
            second: part(1, 60),
        }
    }

    #[must_use]
    pub fn encode(self) -> u32 {
        let years = u32::from(self.year % 100);
        let months = years * 12 + u32::from(self.month.saturating_sub(1));
        let days = months * 31 + u32::from(self.day.saturating_sub(1));
        let (hour, minute) = (u32::from(self.hour), u32::from(self.minute));
        days * 86_400 + hour * 3600 + minute * 60 + u32::from(self.second)
    }

    /// Six plain bytes, as events carry it.
    #[must_use]
    pub fn from_six(bytes: [u8; 6]) -> Self {
        let [year, month, day, hour, minute, second] = bytes;
        Self { year: 2000 + u16::from(year), month, day, hour, minute, second }
    }

    #[must_use]
    pub fn to_six(self) -> [u8; 6] {
        let year = u8::try_from(self.year % 100).unwrap_or_default();
        [year, self.month, self.day, self.hour, self.minute, self.second]
    }

    /// Reads `2026-11-23 08:01:02`, with a `T` or a space between.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (date, time) = text.trim().split_once([' ', 'T'])?;
        let [year, month, day] = numbers(date, '-')?;
        let [hour, minute, second] = numbers(time.trim(), ':')?;
        let small = |number: u16| u8::try_from(number).ok();
        Some(Self {
            year,
            month: small(month)?,
            day: small(day)?,
            hour: small(hour)?,
            minute: small(minute)?,
            second: small(second)?,
        })
    }
}

impl fmt::Display for ClockTime {
    /// As punches carry it: `2026-11-23T08:01:02`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

fn numbers(text: &str, between: char) -> Option<[u16; 3]> {
    let mut parts = text.split(between);
    let mut next = || {
        let part = parts.next()?;
        let is_number = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| part.parse().ok())?
    };
    let read = [next()?, next()?, next()?];
    parts.next().is_none().then_some(read)
}

/// A user id as text, up to the first NUL. Bytes that are not printable ASCII are kept as
/// `\xNN`, so that different bytes never become the same identity. The flag says that some
/// were, or that there is no text at all.
#[must_use]
pub fn identity_text(bytes: &[u8]) -> (String, bool) {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut text = String::with_capacity(bytes.len());
    let mut is_odd = bytes.is_empty();
    for &byte in bytes {
        if (byte.is_ascii_graphic() && byte != b'\\') || byte == b' ' {
            text.push(char::from(byte));
        } else {
            is_odd = true;
            text.extend([r"\x".to_owned(), format!("{byte:02x}")]);
        }
    }
    (text, is_odd)
}
