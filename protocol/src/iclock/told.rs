//! What a clock tells: lines to punches, operations and users.

use std::collections::HashMap;

use super::body::lines;
use crate::clock::{ClockTime, identity_text};
use crate::event::{ClockOperation, ClockUser, Punch, PunchSource};
use crate::words::anomaly;

/// The layout word of punches told this way.
pub const LAYOUT: &str = "push";
/// Bytes of a line that are kept beside what was read of it.
const RAW_BYTES_MAX: usize = 512;
/// Letters of a text in a column that are kept.
const TEXT_CHARS_MAX: usize = 64;
/// A punch further ahead than this is dated in the future, milliseconds.
const FUTURE_MS: i64 = 3_600_000;
/// Columns of an operation after its time.
const PARAMETERS_MAX: usize = 8;

/// A wall time as an instant in Unix milliseconds; and the anomaly, where there is one.
pub type Instant = (Option<i64>, Option<&'static str>);

/// What the host knows of the clock that tells.
pub struct Setting<'s> {
    pub serial: &'s str,
    /// IANA name of the zone it hangs in.
    pub zone: &'s str,
    /// True time, Unix milliseconds.
    pub now_ms: i64,
    /// What instant a wall time of its zone is.
    pub instant: &'s dyn Fn(ClockTime) -> Instant,
}

impl std::fmt::Debug for Setting<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Setting").field("serial", &self.serial).finish_non_exhaustive()
    }
}

/// What a body told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    pub punches: Vec<Punch>,
    pub operations: Vec<ClockOperation>,
    pub users: Vec<ClockUser>,
    /// Templates, photographs and what else was dropped unread.
    pub dropped: usize,
}

impl Told {
    /// How many lines it was, which is what a clock waits to hear.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.punches.len() + self.operations.len() + self.users.len() + self.dropped
    }

    /// Punches, one a line. A line that is no punch is kept as one that is odd: the clock
    /// will not send it again.
    #[must_use]
    pub fn punches(body: &[u8], setting: &Setting<'_>) -> Self {
        let mut repeats: HashMap<(String, String, u32, u32), u32> = HashMap::new();
        let mut punches = Vec::new();
        for line in lines(body) {
            let mut punch = punch(line, setting);
            let key = (punch.user_id.clone(), punch.local_time.clone(), punch.state, punch.verify);
            let repeat = repeats.entry(key).or_default();
            punch.occurrence = *repeat;
            *repeat += 1;
            punches.push(punch);
        }
        Self { punches, ..Self::default() }
    }

    /// Operations and users, one a line, by their first word.
    #[must_use]
    pub fn operations(body: &[u8], setting: &Setting<'_>) -> Self {
        let mut told = Self::default();
        let mut repeats: HashMap<(String, u32, String, Vec<String>), u32> = HashMap::new();
        for line in lines(body) {
            let (word, rest) = first_word(line);
            match word.to_ascii_uppercase().as_slice() {
                b"OPLOG" => {
                    let mut operation = operation(rest, line, setting);
                    let key = (
                        operation.local_time.clone(),
                        operation.operation,
                        operation.admin.clone(),
                        operation.parameters.clone(),
                    );
                    let repeat = repeats.entry(key).or_default();
                    operation.occurrence = *repeat;
                    *repeat += 1;
                    told.operations.push(operation);
                }
                b"USER" => match user(rest) {
                    Some(user) => told.users.push(user),
                    None => told.dropped += 1,
                },
                _ => told.dropped += 1,
            }
        }
        told
    }

    /// Answers to a query for users of a newer clock: lines of `name=value` by tabs, with the
    /// table's name before the first or not.
    #[must_use]
    pub fn users(body: &[u8]) -> Self {
        let mut told = Self::default();
        for line in lines(body) {
            let (word, rest) = first_word(line);
            let fields = if word.contains(&b'=') { line } else { rest };
            match user(fields) {
                Some(user) => told.users.push(user),
                None => told.dropped += 1,
            }
        }
        told
    }
}

/// What a clock is, from its list of properties: `~DeviceName=K20,FirmVer=Ver 6.60,...`, and
/// from `INFO`, whose first value is the firmware.
#[must_use]
pub fn property(body: &[u8], wanted: &str) -> Option<String> {
    let text = String::from_utf8_lossy(body).into_owned();
    let mut pairs =
        text.split([',', '\n', '\r', '&', '\t']).filter_map(|pair| pair.split_once('='));
    let is_it = |name: &str| name.trim().trim_start_matches('~').eq_ignore_ascii_case(wanted);
    pairs.find(|(name, _)| is_it(name)).map(|(_, value)| short(value)).filter(|v| !v.is_empty())
}

fn punch(line: &[u8], setting: &Setting<'_>) -> Punch {
    let mut columns = line.split(|byte| *byte == b'\t');
    let (user_id, is_user_odd) = identity(columns.next().unwrap_or_default());
    let (time, is_time_odd) = text(columns.next().unwrap_or_default());
    let mut number = |missing: u32| match columns.next().map(text) {
        None => (missing, false),
        Some((text, _)) if text.is_empty() => (missing, false),
        Some((text, _)) => text.parse().map_or((missing, true), |number| (number, false)),
    };
    let (state, is_state_odd) = number(255);
    let (verify, is_verify_odd) = number(0);
    let mut anomalies: Vec<&'static str> = Vec::new();
    if is_user_odd {
        anomalies.push(anomaly::ODD_USER_ID);
    }
    if is_time_odd || is_state_odd || is_verify_odd {
        anomalies.push(anomaly::ODD_FORM);
    }
    if state > 5 && state != 255 {
        anomalies.push(anomaly::ODD_STATE);
    }
    let (local_time, instant_ms) = placed(&time, setting, &mut anomalies);
    Punch {
        clock_serial: setting.serial.to_owned(),
        user_id,
        local_time,
        zone: setting.zone.to_owned(),
        instant_ms,
        state,
        verify,
        occurrence: 0,
        raw: raw(line),
        layout: LAYOUT.to_owned(),
        source: PunchSource::Push.into(),
        anomalies: anomalies.into_iter().map(str::to_owned).collect(),
    }
}

/// A wall time in its usual form, or as it came where it has none, and its instant.
fn placed(
    time: &str,
    setting: &Setting<'_>,
    anomalies: &mut Vec<&'static str>,
) -> (String, Option<i64>) {
    let Some(wall) = ClockTime::read(time) else {
        anomalies.push(anomaly::IMPOSSIBLE_DATE);
        return (time.to_owned(), None);
    };
    let (instant_ms, word) = (setting.instant)(wall);
    if wall.year == 2000 && word != Some(anomaly::IMPOSSIBLE_DATE) {
        anomalies.push(anomaly::CLOCK_RESET);
    }
    anomalies.extend(word);
    if instant_ms.is_some_and(|instant| instant > setting.now_ms.saturating_add(FUTURE_MS)) {
        anomalies.push(anomaly::FUTURE);
    }
    (wall.to_string(), instant_ms)
}

/// `op, operator, time, parameters...` by tabs.
fn operation(columns: &[u8], line: &[u8], setting: &Setting<'_>) -> ClockOperation {
    let mut columns = columns.split(|byte| *byte == b'\t').map(|column| text(column).0);
    let operation = columns.next().and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
    let admin = columns.next().filter(|text| !text.is_empty()).unwrap_or_else(|| "0".to_owned());
    let time = columns.next().unwrap_or_default();
    let (local_time, instant_ms) = placed(&time, setting, &mut Vec::new());
    ClockOperation {
        clock_serial: setting.serial.to_owned(),
        local_time,
        zone: setting.zone.to_owned(),
        instant_ms,
        operation,
        admin,
        parameters: columns.take(PARAMETERS_MAX).collect(),
        occurrence: 0,
        raw: raw(line),
        source: PunchSource::Push.into(),
    }
}

/// `PIN=..`, `Name=..`, `Pri=..`, `Card=..`, `Grp=..` by tabs; a password is passed over.
/// `None` without a number.
fn user(fields: &[u8]) -> Option<ClockUser> {
    let mut user = ClockUser::default();
    for field in fields.split(|byte| *byte == b'\t') {
        let at = field.iter().position(|byte| *byte == b'=')?;
        let (name, value) = field.split_at(at);
        let value = value.get(1..).unwrap_or_default();
        let (shown, is_odd) = text(value);
        match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"pin" => user.user_id = identity(value).0,
            b"name" => (user.name, user.is_name_garbled) = (shown, is_odd),
            b"pri" | b"privilege" => user.privilege = shown.parse().unwrap_or_default(),
            b"card" | b"cardno" => user.card = card(&shown),
            b"grp" | b"group" => user.group = shown.parse().unwrap_or_default(),
            _ => {}
        }
    }
    (!user.user_id.is_empty()).then_some(user)
}

/// A card as a number, or as its bytes in hexadecimal, the lowest first: `[15CD5B07]`.
fn card(text: &str) -> u64 {
    let Some(hex) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return text.parse().unwrap_or_default();
    };
    let mut card = 0_u64;
    for at in (0..hex.len().min(16)).step_by(2).rev() {
        let byte = hex.get(at..at + 2).and_then(|pair| u64::from_str_radix(pair, 16).ok());
        let Some(byte) = byte else { return 0 };
        card = card << 8 | byte;
    }
    card
}

/// The first word of a line and what comes after the space.
fn first_word(line: &[u8]) -> (&[u8], &[u8]) {
    let at = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(at).unwrap_or((line, &[]));
    (word, rest.get(1..).unwrap_or_default())
}

/// A column as text, cut to a bound; and whether its bytes were none, or too many.
fn text(column: &[u8]) -> (String, bool) {
    let column = column.trim_ascii();
    let (whole, is_odd) = match std::str::from_utf8(column) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (String::from_utf8_lossy(column).into_owned(), true),
    };
    let shown = short(&whole);
    let is_cut = shown.len() < whole.len();
    (shown, is_odd || is_cut)
}

/// A user id, in the form it has when the clock is read over its own port.
fn identity(column: &[u8]) -> (String, bool) {
    let column = column.trim_ascii();
    let kept = column.get(..TEXT_CHARS_MAX).unwrap_or(column);
    let (text, is_odd) = identity_text(kept);
    (text, is_odd || kept.len() < column.len())
}

/// A text without control letters, cut to a bound.
#[must_use]
pub fn short(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

fn raw(line: &[u8]) -> Vec<u8> {
    line.get(..RAW_BYTES_MAX.min(line.len())).unwrap_or(line).to_vec()
}
