//! What programs may change on the simulated clock, and its own log of what was done to it.

use chrono::{NaiveDate, NaiveDateTime};
use fournil_gateway::clock::layout::{Calendar as _, ClockTime};
use serde::{Deserialize, Serialize};

use super::device::Device;
use super::store::SimUser;

/// Numbers that the clock gives to what is done to it.
const POWER_ON: u8 = 0;
pub(super) const TIME_SET: u8 = 21;
pub(super) const LOG_CLEARED: u8 = 23;
pub(super) const USER_ENROLLED: u8 = 30;

/// The width that the clock's user ids may have, as it says itself.
pub(super) const PIN_WIDTH: usize = 9;

/// One line of the operation log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimOperation {
    pub operation: u8,
    pub encoded_time: u32,
    pub parameters: [u16; 4],
}

impl SimOperation {
    pub(super) fn record(&self) -> Vec<u8> {
        let mut record = vec![0, 0, self.operation, 0];
        record.extend_from_slice(&self.encoded_time.to_le_bytes());
        record.extend(self.parameters.iter().flat_map(|parameter| parameter.to_le_bytes()));
        record
    }
}

impl Device {
    /// Notes in the clock's own log what was done to it.
    pub(super) fn note(&mut self, operation: u8, parameter: u16, now: NaiveDateTime) {
        let encoded_time = ClockTime::from_naive(self.time(now)).encode();
        let parameters = [parameter, 0, 0, 0];
        self.store.operations.push(SimOperation { operation, encoded_time, parameters });
    }

    /// The power was away: sessions, buffer and lock are gone. With a flat battery the clock
    /// begins again with the year 2000.
    pub(super) fn reboot(&mut self, now: NaiveDateTime, has_battery: bool) {
        self.forget_sessions();
        if !has_battery {
            let first = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default();
            self.set_time(first.into(), now);
        }
        self.note(POWER_ON, 0, now);
    }

    /// Takes a user record of the clock's own width; false for any other, for an id longer
    /// than it takes, and for slot 0.
    pub(super) fn write_user(&mut self, record: &[u8], now: NaiveDateTime) -> bool {
        let layout = self.model.users;
        if record.len() != layout.stride() {
            return false;
        }
        let Some(user) = layout.decode(record) else { return false };
        let is_fit = (1..=PIN_WIDTH).contains(&user.user_id.len()) && user.uid != 0;
        if !is_fit || user.is_odd {
            return false;
        }
        let uid = user.uid;
        let user = SimUser {
            uid,
            user_id: user.user_id,
            name: user.name,
            privilege: user.privilege,
            card: user.card,
        };
        // Keyed by slot, as in the real ones: a careless program overwrites somebody.
        match self.store.users.iter_mut().find(|other| other.uid == uid) {
            Some(other) => *other = user,
            None => self.store.users.push(user),
        }
        self.note(USER_ENROLLED, uid, now);
        self.store.save().is_ok()
    }
}
