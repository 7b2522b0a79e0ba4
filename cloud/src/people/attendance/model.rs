//! Words and rules of punches, without I/O.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use fournil_protocol::event::{Punch, PunchSource, Stamp};

use crate::time;

/// A clock user, by the clock it is known on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ClockUser {
    pub clock_serial: String,
    pub user_id: String,
}

/// A punch as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewPunch {
    pub(super) clock_serial: String,
    pub(super) user_id: String,
    pub(super) local_time: String,
    pub(super) state: i64,
    pub(super) verify: i64,
    pub(super) occurrence: i64,
    pub(super) zone: String,
    pub(super) instant: Option<DateTime<Utc>>,
    pub(super) business_date: Option<NaiveDate>,
    pub(super) raw: Vec<u8>,
    pub(super) layout: String,
    pub(super) source: &'static str,
    pub(super) anomalies: Vec<String>,
    pub(super) recorded_at: Option<DateTime<Utc>>,
}

/// Brings a told punch into the stored form. Texts lose the one letter PostgreSQL
/// cannot hold, always in the same way, so that the identity stays the same.
pub(super) fn stored(punch: &Punch, recorded: Option<&Stamp>) -> NewPunch {
    let instant = punch.instant_ms.map(time::instant);
    NewPunch {
        clock_serial: storable(&punch.clock_serial),
        user_id: storable(&punch.user_id),
        local_time: storable(&punch.local_time),
        state: i64::from(punch.state),
        verify: i64::from(punch.verify),
        occurrence: i64::from(punch.occurrence),
        zone: storable(&punch.zone),
        instant,
        business_date: business_date(punch, instant),
        raw: punch.raw.clone(),
        layout: storable(&punch.layout),
        source: match PunchSource::try_from(punch.source).unwrap_or(PunchSource::Unknown) {
            PunchSource::Unknown => "unknown",
            PunchSource::Poll => "poll",
            PunchSource::Live => "live",
            PunchSource::Push => "push",
        },
        anomalies: punch.anomalies.iter().map(|word| storable(word)).collect(),
        recorded_at: recorded.map(recorded_at),
    }
}

/// The shop's day of a punch: of its instant in the clock's zone, or the date the clock
/// shows where there is no such instant; none where the date does not exist.
fn business_date(punch: &Punch, instant: Option<DateTime<Utc>>) -> Option<NaiveDate> {
    if let Some(instant) = instant {
        return Some(time::business_date(instant, time::zone(&punch.zone)));
    }
    let date = punch.local_time.get(..10)?;
    NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()
}

/// When the gateway wrote it down, set right by the offset it had measured.
fn recorded_at(stamp: &Stamp) -> DateTime<Utc> {
    let offset = TimeDelta::milliseconds(stamp.cloud_offset_ms.unwrap_or(0));
    let wall = time::instant(stamp.wall_ms);
    wall.checked_add_signed(offset).unwrap_or(wall)
}

fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Text id of an in/out key.
pub(super) const fn state_text(state: i64) -> &'static str {
    match state {
        0 => "attendance-state-in",
        1 => "attendance-state-out",
        2 => "attendance-state-break-out",
        3 => "attendance-state-break-in",
        4 => "attendance-state-overtime-in",
        5 => "attendance-state-overtime-out",
        255 => "attendance-state-none",
        _ => "attendance-state-other",
    }
}

/// `24/11/2026 08:05:12` from the clock's own `2026-11-24T08:05:12`; what has another
/// form is shown as it is.
pub(super) fn french_local_time(local_time: &str) -> String {
    let Some((date, clock)) = local_time.split_once('T') else { return local_time.to_owned() };
    let parts: Vec<&str> = date.split('-').collect();
    match parts.as_slice() {
        [year, month, day] => format!("{day}/{month}/{year} {clock}"),
        _ => local_time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn punch() -> Punch {
        Punch {
            clock_serial: "CKUL1".into(),
            user_id: "12".into(),
            local_time: "2026-11-24T00:30:00".into(),
            zone: "Africa/Algiers".into(),
            // 2026-11-23 23:30 UTC.
            instant_ms: Some(1_795_476_600_000),
            ..Punch::default()
        }
    }

    #[test]
    fn the_shops_day_is_that_of_the_clocks_zone() {
        let day = stored(&punch(), None).business_date.map(|day| day.to_string());
        assert_eq!(day.as_deref(), Some("2026-11-24"));
    }

    #[test]
    fn a_time_that_does_not_exist_still_has_its_date_if_there_is_one() {
        let odd = Punch { instant_ms: None, local_time: "2026-02-28T25:61:00".into(), ..punch() };
        assert_eq!(
            stored(&odd, None).business_date.map(|day| day.to_string()).as_deref(),
            Some("2026-02-28")
        );
        let none = Punch { instant_ms: None, local_time: "2026-02-31T08:00:00".into(), ..punch() };
        assert_eq!(stored(&none, None).business_date, None);
        let cut = Punch { instant_ms: None, local_time: "2026é".into(), ..punch() };
        assert_eq!(stored(&cut, None).business_date, None);
    }

    #[test]
    fn a_letter_the_database_cannot_hold_is_replaced() {
        let odd = Punch { user_id: "1\0".into(), ..punch() };
        assert_eq!(stored(&odd, None).user_id, "1\u{fffd}");
    }

    #[test]
    fn the_clocks_time_is_shown_in_french() {
        assert_eq!(french_local_time("2026-11-24T08:05:12"), "24/11/2026 08:05:12");
        assert_eq!(french_local_time("nonsense"), "nonsense");
    }
}
