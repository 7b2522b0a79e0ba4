//! The options block: how a clock is asked to behave.

use std::fmt::Write as _;

use super::PUSH_VERSION;
use crate::clock::ClockTime;

/// What a clock is told when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options<'o> {
    pub serial: &'o str,
    /// How far its punches were taken, in its own word; `0` asks for all it has.
    pub punches_mark: &'o str,
    pub operations_mark: &'o str,
    /// How far its wall time is from UTC. The clock sets itself by the answer's `Date` and this.
    pub minutes_east: i32,
    /// Seconds between two tries after a failure.
    pub error_delay_s: u32,
    /// Seconds between two requests for commands.
    pub delay_s: u32,
}

impl Options<'_> {
    /// The block. Punches, operations and users are wanted; templates and photographs are not.
    #[must_use]
    pub fn block(&self) -> String {
        let Self { serial, punches_mark, operations_mark, error_delay_s, delay_s, .. } = self;
        let zone = zone(self.minutes_east);
        let mut block = String::new();
        // Writing to a text cannot fail.
        let _ = write!(
            block,
            "GET OPTION FROM: {serial}\n\
             ATTLOGStamp={punches_mark}\n\
             OPERLOGStamp={operations_mark}\n\
             ATTPHOTOStamp=None\n\
             ErrorDelay={error_delay_s}\n\
             Delay={delay_s}\n\
             TransTimes=00:00;14:05\n\
             TransInterval=1\n\
             TransFlag=TransData AttLog\tOpLog\tEnrollUser\tChgUser\n\
             TimeZone={zone}\n\
             Realtime=1\n\
             Encrypt=None\n\
             ServerVer={PUSH_VERSION}\n\
             PushProtVer={PUSH_VERSION}\n\
             PushOptionsFlag=1\n\
             SupportPing=1\n"
        );
        block
    }

    /// The configuration of newer clocks.
    #[must_use]
    pub fn configuration(&self) -> String {
        let Self { serial, error_delay_s, delay_s, .. } = self;
        let registry = registry(serial);
        format!(
            "registry=ok\n{registry}\nServerVersion={PUSH_VERSION}\nServerName=Fournil\n\
             PushProtVer={PUSH_VERSION}\nErrorDelay={error_delay_s}\nRequestDelay={delay_s}\n\
             TransTimes=00:00;14:05\nTransInterval=1\nTransTables=User Transaction\n\
             Realtime=1\nSessionID={serial}\nTimeoutSec=10\n"
        )
    }
}

/// Longest mark a clock may give.
const MARK_BYTES_MAX: usize = 20;

/// A mark as it may be kept, and given back in a line of its own.
#[must_use]
pub fn mark(text: &str) -> Option<&str> {
    let is_fit = (1..=MARK_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_fit.then_some(text)
}

/// Whole hours as hours, others in minutes. A clock takes up to 12 for hours, some up to 25,
/// and all beyond for minutes.
fn zone(minutes_east: i32) -> i32 {
    if minutes_east % 60 == 0 { minutes_east / 60 } else { minutes_east }
}

/// The answer to a newer clock's introduction.
#[must_use]
pub fn registry(serial: &str) -> String {
    format!("RegistryCode={serial}")
}

/// The answer to a newer clock that asks for the time: UTC in the clock's own calendar.
#[must_use]
pub fn time(utc: ClockTime, minutes_east: i32) -> String {
    let sign = if minutes_east < 0 { '-' } else { '+' };
    let minutes = minutes_east.unsigned_abs();
    format!("DateTime={},ServerTZ={sign}{:02}{:02}", utc.encode(), minutes / 60, minutes % 60)
}
