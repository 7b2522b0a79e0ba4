//! Which punches of a clock are already in the journal, and how a record becomes a
//! punch. Pure: time, zone and serial come in as arguments.
//!
//! Identity: serial, user id, local time, state, verify, and a number for exact
//! repeats in the order of the log. What is known outlives the daemon in [`super::index`].
//!
//! Firmware may tell live something else than it stores, which would make two punches of
//! one. So a clock's events only start a reading until a log has confirmed one of them;
//! from then on a live punch is recorded at once when it is the first of its identity, and
//! if a log ever lacks one, events only start a reading for good. An exact repeat may be a
//! second punch or the same event sent twice: only the log knows, so it is read.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use fournil_protocol::event::{Punch, PunchSource};
use fournil_protocol::words::anomaly;
use ring::digest::{Context, SHA256};

use super::layout::{AttendanceLayout, Calendar as _, ClockTime, LiveRecord, LogRecord, UserTable};

/// Memory is pruned to the log only past this many identities beyond twice the log.
const PRUNE_SLACK: usize = 10_000;
/// Unproven events remembered until the next reading.
const ANNOUNCED_MAX: usize = 1_000;

/// 128 bits of a digest over everything in an identity but the number of repeats.
pub(super) type Key = [u8; 16];

/// What stays the same for all punches of one session.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) serial: String,
    pub(super) zone: Tz,
}

/// What to do about a live event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LiveVerdict {
    Record(Box<Punch>),
    /// The log has to tell.
    ReadLog(&'static str),
}

/// One reading of the log, record by record, so that a long log is never held as
/// punches all at once.
#[derive(Debug)]
pub(super) struct Pass {
    layout: String,
    /// Different identities so far.
    distinct: usize,
    /// Live punches recorded before the reading began: the log must have them.
    awaited: HashSet<Key>,
}

/// How far a clock's events are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Trust {
    #[default]
    Unproven,
    Trusted,
    /// A log lacked what an event had told.
    Differs,
}

impl Trust {
    pub(super) fn number(self) -> u32 {
        match self {
            Trust::Unproven => 0,
            Trust::Trusted => 1,
            Trust::Differs => 2,
        }
    }

    pub(super) fn from_number(number: u32) -> Trust {
        match number {
            1 => Trust::Trusted,
            2 => Trust::Differs,
            _ => Trust::Unproven,
        }
    }
}

/// What a whole reading of the log said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Finding {
    /// Recorded live punches that the log does not have.
    pub(super) unconfirmed: usize,
    pub(super) is_trust_changed: bool,
    /// Identities that the clock no longer holds were forgotten.
    pub(super) is_pruned: bool,
}

/// What is known of one identity. One map for both numbers: a long log has many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Repeats {
    /// In the journal.
    recorded: u32,
    /// In the log, as far as it was read this time.
    met: u32,
}

/// The memory of one clock.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    known: HashMap<Key, Repeats>,
    /// Live punches that no reading has confirmed yet.
    awaited: HashSet<Key>,
    /// What unproven events told; not recorded, only compared with the next log.
    announced: HashSet<Key>,
    trust: Trust,
}

impl Ledger {
    /// Goes on from what was known.
    pub(super) fn knowing(recorded: HashMap<Key, u32>, trust: Trust) -> Ledger {
        let known = recorded.into_iter();
        let known = known.map(|(key, recorded)| (key, Repeats { recorded, met: 0 })).collect();
        Ledger { known, trust, ..Ledger::default() }
    }

    /// How many repeats of each identity are in the journal.
    pub(super) fn recorded(&self) -> impl Iterator<Item = (Key, u32)> + '_ {
        let known = self.known.iter().map(|(key, repeats)| (*key, repeats.recorded));
        known.filter(|(_, recorded)| *recorded > 0)
    }

    pub(super) fn trust(&self) -> Trust {
        self.trust
    }

    /// Decides about a live event. Call [`Ledger::mark`] once the punch is durable.
    pub(super) fn judge_live(
        &mut self,
        live: &LiveRecord,
        users: &UserTable,
        origin: &Origin,
        now: DateTime<Utc>,
    ) -> LiveVerdict {
        if self.trust == Trust::Differs {
            return LiveVerdict::ReadLog("this clock's events do not match its log");
        }
        let Some(user_id) = live.user.resolve(users) else {
            return LiveVerdict::ReadLog("the event does not say for certain who punched");
        };
        let record = LogRecord {
            uid: None,
            is_user_id_odd: false,
            is_user_unknown: false,
            is_form_odd: false,
            user_id,
            time: live.time,
            state: live.state,
            verify: live.verify,
            raw: live.raw.clone(),
        };
        let mut punch = to_punch(&record, 0, origin, &live.layout, now);
        punch.source = PunchSource::Live.into();
        let key = key_of(&punch);
        if self.known.get(&key).is_some_and(|repeats| repeats.recorded > 0) {
            return LiveVerdict::ReadLog("an exact repeat of a recorded punch");
        }
        if self.trust == Trust::Unproven {
            if self.announced.len() < ANNOUNCED_MAX {
                self.announced.insert(key);
            }
            return LiveVerdict::ReadLog("no log has confirmed an event of this clock yet");
        }
        LiveVerdict::Record(Box::new(punch))
    }

    /// Notes that a punch is in the journal; gives its identity and how many there are.
    pub(super) fn mark(&mut self, punch: &Punch) -> (Key, u32) {
        let key = key_of(punch);
        let repeats = self.known.entry(key).or_default();
        repeats.recorded = repeats.recorded.max(punch.occurrence + 1);
        let count = repeats.recorded;
        if punch.source == i32::from(PunchSource::Live) {
            self.awaited.insert(key);
        }
        (key, count)
    }

    /// What events have told so far: a reading begun now must contain it.
    pub(super) fn awaited(&self) -> HashSet<Key> {
        self.awaited.union(&self.announced).copied().collect()
    }

    /// Begins to compare a log with the memory. `awaited` is [`Ledger::awaited`] as it
    /// was before the log was read.
    pub(super) fn pass(&mut self, layout: AttendanceLayout, awaited: HashSet<Key>) -> Pass {
        // One that broke off may have left its numbers.
        self.known.values_mut().for_each(|repeats| repeats.met = 0);
        Pass { layout: layout.to_string(), distinct: 0, awaited }
    }

    /// The next record of the log; a punch if the journal does not have it.
    pub(super) fn meet(
        &mut self,
        pass: &mut Pass,
        record: &LogRecord,
        origin: &Origin,
        now: DateTime<Utc>,
    ) -> Option<Punch> {
        let key = digest(&origin.serial, record);
        let repeats = self.known.entry(key).or_default();
        let occurrence = repeats.met;
        repeats.met += 1;
        pass.distinct += usize::from(occurrence == 0);
        (occurrence >= repeats.recorded)
            .then(|| to_punch(record, occurrence, origin, &pass.layout, now))
    }

    /// Ends the comparison of a whole log.
    pub(super) fn finish(&mut self, pass: &Pass) -> Finding {
        let Pass { distinct, awaited, .. } = pass;
        let before = self.trust;
        let is_met = |key: &Key| self.known.get(key).is_some_and(|repeats| repeats.met > 0);
        let is_confirmed = |key: &&Key| is_met(key);
        let confirmed = awaited.iter().filter(is_confirmed).count();
        if confirmed < awaited.len() {
            self.trust = Trust::Differs;
        } else if confirmed > 0 && before == Trust::Unproven {
            self.trust = Trust::Trusted;
        }
        let recorded = awaited.intersection(&self.awaited);
        let unconfirmed = recorded.filter(|key| !is_met(key)).count();
        self.awaited.retain(|key| !awaited.contains(key));
        self.announced.retain(|key| !awaited.contains(key));
        let is_pruned = *distinct > 0 && self.known.len() > 2 * distinct + PRUNE_SLACK;
        if is_pruned {
            let awaited = &self.awaited;
            self.known.retain(|key, repeats| repeats.met > 0 || awaited.contains(key));
            // A map keeps the room of its largest day.
            self.known.shrink_to_fit();
        }
        Finding { unconfirmed, is_trust_changed: self.trust != before, is_pruned }
    }
}

fn digest(serial: &str, record: &LogRecord) -> Key {
    let LogRecord { user_id, time, state, verify, .. } = record;
    key(serial, user_id, &time.to_string(), (*state).into(), (*verify).into())
}

pub(super) fn key_of(punch: &Punch) -> Key {
    key(&punch.clock_serial, &punch.user_id, &punch.local_time, punch.state, punch.verify)
}

fn key(serial: &str, user_id: &str, local_time: &str, state: u32, verify: u32) -> Key {
    let mut context = Context::new(&SHA256);
    for text in [serial, user_id, local_time] {
        context.update(text.as_bytes());
        context.update(&[0]);
    }
    context.update(&state.to_le_bytes());
    context.update(&verify.to_le_bytes());
    let mut key = Key::default();
    for (place, byte) in key.iter_mut().zip(context.finish().as_ref()) {
        *place = *byte;
    }
    key
}

/// Eight bytes of a digest in hex: a name for a file that any text may ask for.
pub(super) fn short_digest(text: &str) -> String {
    let digest = ring::digest::digest(&SHA256, text.as_bytes());
    let bytes = digest.as_ref();
    data_encoding::HEXLOWER.encode(bytes.get(..8).unwrap_or(bytes))
}

/// A record of the log as the fact that goes to the cloud.
pub(super) fn to_punch(
    record: &LogRecord,
    occurrence: u32,
    origin: &Origin,
    layout: &str,
    now: DateTime<Utc>,
) -> Punch {
    let (instant, time_anomaly) = instant_of(record.time, origin.zone);
    let mut anomalies: Vec<String> = anomalies_of(record).map(str::to_owned).collect();
    anomalies.extend(time_anomaly.map(str::to_owned));
    if instant.is_some_and(|instant| instant > now + TimeDelta::hours(1)) {
        anomalies.push(anomaly::FUTURE.to_owned());
    }
    Punch {
        clock_serial: origin.serial.clone(),
        user_id: record.user_id.clone(),
        local_time: record.time.to_string(),
        zone: origin.zone.name().to_owned(),
        instant_ms: instant.map(|instant| instant.timestamp_millis()),
        state: record.state.into(),
        verify: record.verify.into(),
        occurrence,
        raw: record.raw.clone(),
        layout: layout.to_owned(),
        source: PunchSource::Poll.into(),
        anomalies,
    }
}

fn anomalies_of(record: &LogRecord) -> impl Iterator<Item = &'static str> {
    let is_reset = record.time.to_naive().is_some() && record.time.year == 2000;
    let found = [
        (record.is_user_id_odd, anomaly::ODD_USER_ID),
        (record.is_user_unknown, anomaly::UNKNOWN_USER),
        (record.is_form_odd, anomaly::ODD_FORM),
        (record.state > 5 && record.state != 255, anomaly::ODD_STATE),
        // A clock that lost its battery starts again at 2000-01-01.
        (is_reset, anomaly::CLOCK_RESET),
    ];
    found.into_iter().filter(|(is_so, _)| *is_so).map(|(_, name)| name)
}

/// The instant of a wall time in a zone. An hour that occurs twice is taken as the
/// first of the two, and said so.
pub(super) fn instant_of(
    time: ClockTime,
    zone: Tz,
) -> (Option<DateTime<Utc>>, Option<&'static str>) {
    let Some(naive) = time.to_naive() else {
        return (None, Some(anomaly::IMPOSSIBLE_DATE));
    };
    match zone.from_local_datetime(&naive) {
        LocalResult::Single(instant) => (Some(instant.to_utc()), None),
        LocalResult::Ambiguous(first, _) => (Some(first.to_utc()), Some(anomaly::AMBIGUOUS_HOUR)),
        LocalResult::None => (None, Some(anomaly::SKIPPED_HOUR)),
    }
}

/// Clock minus gateway in milliseconds; `None` when the clock shows no real time. The
/// clock cuts off its fraction of a second, half a second on average.
pub(super) fn drift_ms(time: ClockTime, now_local: NaiveDateTime) -> Option<i64> {
    let clock = time.to_naive()? + TimeDelta::milliseconds(500);
    Some((clock - now_local).num_milliseconds())
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
