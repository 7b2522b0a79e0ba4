//! Which layout a log has: from the count when it divides, from the content always,
//! and from neither when they do not agree.
//!
//! A layout taken wrongly invents punches without any error: with a count one too
//! low, three records of 40 bytes divide into two of 60. So a layout counts only if
//! the records read as records under it, and if two layouts read equally well nobody
//! guesses: the log stays on the clock and somebody is told.

use chrono::{Days, NaiveDate, NaiveDateTime};

use super::{AttendanceLayout, Calendar as _, LogRecord, UserTable};

/// Records looked at on either end of the log.
const SAMPLE_RECORDS: usize = 50;
/// From this part of good records (percent) a layout stands on its content alone.
const CERTAIN_PERCENT: u32 = 90;
/// From this part a layout stands if the count or an earlier reading supports it.
const SUPPORTED_PERCENT: u32 = 50;

/// What is known about a log besides its bytes.
#[derive(Debug, Clone, Copy)]
pub struct LogFacts<'a> {
    /// Records the clock says it has; 0 when it does not say.
    pub count: u32,
    /// The layout of an earlier reading of this clock.
    pub known: Option<AttendanceLayout>,
    pub users: &'a UserTable,
    /// Now, in the clock's zone.
    pub now: NaiveDateTime,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayoutChoice {
    /// There is nothing to read.
    Empty,
    Certain(AttendanceLayout),
    /// None or several fit; these do.
    Ambiguous(Vec<AttendanceLayout>),
}

/// So many bytes of a log on either end are enough to decide.
pub const END_BYTES: usize = SAMPLE_RECORDS * 64;

/// What is looked at of a log, the records without the total in front of them: how long it is,
/// and its ends. A log that is too long to be held at once needs no more.
#[derive(Debug, Clone, Copy)]
pub struct LogEnds<'l> {
    pub bytes: usize,
    pub head: &'l [u8],
    /// Empty while only the beginning is known.
    pub tail: &'l [u8],
}

impl<'l> LogEnds<'l> {
    fn record(&self, at: usize, stride: usize) -> Option<&'l [u8]> {
        let start = at * stride;
        let in_tail = || {
            let start = start.checked_sub(self.bytes.checked_sub(self.tail.len())?)?;
            self.tail.get(start..start + stride)
        };
        self.head.get(start..start + stride).or_else(in_tail)
    }
}

/// Decides how to read a log.
pub fn choose_layout(log: &[u8], facts: &LogFacts<'_>) -> LayoutChoice {
    choose_by_ends(&LogEnds { bytes: log.len(), head: log, tail: &[] }, facts)
}

/// Decides how to read a log of which only the ends are held.
pub fn choose_by_ends(log: &LogEnds<'_>, facts: &LogFacts<'_>) -> LayoutChoice {
    if log.bytes == 0 {
        return LayoutChoice::Empty;
    }
    let graded: Vec<(AttendanceLayout, u32)> =
        candidates(log.bytes).map(|layout| (layout, percent_good(log, layout, facts))).collect();
    let best = graded.iter().map(|(_, percent)| *percent).max().unwrap_or_default();
    let supported = |layout: AttendanceLayout| {
        facts.known == Some(layout) || divides_into(log.bytes, layout, facts.count)
    };
    let mut backed = graded
        .iter()
        .filter(|(layout, percent)| supported(*layout) && *percent == best)
        .filter(|(_, percent)| *percent >= SUPPORTED_PERCENT)
        .map(|(layout, _)| *layout);
    match (backed.next(), backed.next()) {
        (Some(layout), None) => return LayoutChoice::Certain(layout),
        (Some(one), Some(other)) => {
            // The count speaks for both A and B of 8 bytes; an earlier reading decides.
            let rest = [one, other].into_iter().chain(backed);
            let known = rest.clone().find(|layout| facts.known == Some(*layout));
            return match known {
                Some(layout) => LayoutChoice::Certain(layout),
                None => LayoutChoice::Ambiguous(rest.collect()),
            };
        }
        (None, _) => {}
    }
    let by_content: Vec<AttendanceLayout> = graded
        .iter()
        .filter(|(_, percent)| *percent >= CERTAIN_PERCENT)
        .map(|(layout, _)| *layout)
        .collect();
    match by_content.as_slice() {
        [only] => LayoutChoice::Certain(*only),
        _ => LayoutChoice::Ambiguous(by_content),
    }
}

fn candidates(bytes: usize) -> impl Iterator<Item = AttendanceLayout> {
    let short =
        [AttendanceLayout::Sixteen, AttendanceLayout::EightA, AttendanceLayout::EightB].into_iter();
    let long = (40..=64).map(|stride| AttendanceLayout::Text { stride });
    short.chain(long).filter(move |layout| bytes.is_multiple_of(layout.stride()))
}

fn divides_into(bytes: usize, layout: AttendanceLayout, count: u32) -> bool {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    count > 0 && layout.stride().checked_mul(count) == Some(bytes)
}

/// How many of the first and last records read as records. An odd time costs half,
/// because clocks with an empty battery do write such times.
fn percent_good(log: &LogEnds<'_>, layout: AttendanceLayout, facts: &LogFacts<'_>) -> u32 {
    let stride = layout.stride();
    let records = log.bytes / stride;
    let sample = (0..records)
        .filter(|at| *at < SAMPLE_RECORDS || *at >= records.saturating_sub(SAMPLE_RECORDS));
    let (mut points, mut most) = (0, 0);
    for at in sample {
        let Some(raw) = log.record(at, stride) else { continue };
        most += 2;
        points += layout.decode(raw, facts.users).map_or(0, |record| points_of(&record, facts));
    }
    (points * 100).checked_div(most).unwrap_or_default()
}

/// 2 for a record without fault, 1 for one with an odd time or an unknown user,
/// 0 for what is no record.
fn points_of(record: &LogRecord, facts: &LogFacts<'_>) -> u32 {
    let is_state_known = record.state <= 5 || record.state == 255;
    let is_verify_known = record.verify <= 30 || matches!(record.verify, 200 | 255);
    let is_broken = record.is_user_id_odd || record.is_form_odd;
    if is_broken || !is_state_known || !is_verify_known {
        return 0;
    }
    let first = NaiveDate::from_ymd_opt(2000, 1, 2).unwrap_or_default();
    let last = facts.now.checked_add_days(Days::new(2)).unwrap_or(facts.now);
    let is_time_likely =
        record.time.to_naive().is_some_and(|time| time.date() >= first && time <= last);
    let is_user_likely = facts.users.is_empty()
        || (!record.is_user_unknown && facts.users.by_user_id(&record.user_id).is_some());
    match (is_time_likely, is_user_likely) {
        (true, true) => 2,
        (true, false) | (false, true) => 1,
        (false, false) => 0,
    }
}
