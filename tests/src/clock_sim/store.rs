//! What the simulated clock holds: users, punches, its time. The same seed gives the
//! same people and the same history.
//!
//! With a state file everything survives a restart; the file is replaced whole after
//! each change.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime};
use fournil_gateway::clock::layout::{AttendanceLayout, Calendar as _, ClockTime, UsersLayout};
use serde::{Deserialize, Serialize};

use super::write::SimOperation;

const NAMES: [&str; 20] = [
    "Amine Bensaïd",
    "Nadia Khelifi",
    "Karim Ouali",
    "Samira Haddad",
    "Yacine Merabet",
    "Leïla Cherif",
    "Farid Boudiaf",
    "Meriem Saadi",
    "Sofiane Ziani",
    "Houria Belkacem",
    "Rachid Mansouri",
    "Imène Touati",
    "Bilal Guerfi",
    "Djamila Rahmani",
    "Omar Slimani",
    "Lynda Aït Ahmed",
    "Mourad Ferhat",
    "Assia Brahimi",
    "Walid Hamdi",
    "Zohra Kaci",
];

/// A user of the simulated clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimUser {
    pub uid: u16,
    pub user_id: String,
    pub name: String,
    pub privilege: u8,
    pub card: u32,
}

/// A punch the simulated clock holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimPunch {
    pub uid: u16,
    pub user_id: String,
    /// As the clock encodes it; may be a date that does not exist.
    pub encoded_time: u32,
    pub state: u8,
    pub verify: u8,
}

impl SimPunch {
    /// `YYYY-MM-DDTHH:MM:SS`.
    pub fn local_time(&self) -> String {
        ClockTime::decode(self.encoded_time).to_string()
    }
}

/// Everything that survives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Store {
    pub(super) users: Vec<SimUser>,
    pub(super) punches: Vec<SimPunch>,
    #[serde(default)]
    pub(super) operations: Vec<SimOperation>,
    #[serde(skip)]
    file: Option<PathBuf>,
}

impl Store {
    /// People and a history that ends on `last_day`, oldest first.
    pub(super) fn generate(users: u16, punches: usize, last_day: NaiveDate, seed: u64) -> Store {
        let users: Vec<SimUser> = (1..=users).map(|uid| user(uid, seed)).collect();
        let punches = if users.is_empty() { 0 } else { punches };
        let per_day = users.len().max(1) * 2;
        let days = punches.div_ceil(per_day);
        let mut made: Vec<SimPunch> = (0..punches)
            .map(|at| {
                let days_back = days - 1 - at / per_day;
                let user = &users[at % users.len()];
                let is_leaving = at % per_day >= users.len();
                let day = last_day.checked_sub_days(Days::new(days_back as u64));
                punch(user, day.unwrap_or(last_day), is_leaving, noise(seed, at as u64))
            })
            .collect();
        made.sort_by_key(|punch| punch.encoded_time);
        Store { users, punches: made, operations: Vec::new(), file: None }
    }

    /// Takes up the state of the file if there is one, else this one from now on.
    pub(super) fn kept_in(mut self, file: &Path) -> anyhow::Result<Store> {
        if file.exists() {
            let text = std::fs::read(file)
                .with_context(|| format!("cannot read the state in {}", file.display()))?;
            self = serde_json::from_slice(&text).with_context(|| {
                format!("{} is no clock state: delete it to start anew", file.display())
            })?;
        }
        self.file = Some(file.to_owned());
        self.save()?;
        Ok(self)
    }

    pub(super) fn user(&self, user_id: &str) -> Option<&SimUser> {
        self.users.iter().find(|user| user.user_id == user_id)
    }

    /// A full log loses its oldest punch.
    pub(super) fn add(&mut self, punch: SimPunch, capacity: usize) -> anyhow::Result<()> {
        if self.punches.len() >= capacity && !self.punches.is_empty() {
            self.punches.remove(0);
        }
        self.punches.push(punch);
        self.save()
    }

    pub(super) fn clear_punches(&mut self) -> anyhow::Result<()> {
        self.punches.clear();
        self.save()
    }

    pub(super) fn save(&self) -> anyhow::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let new = file.with_extension("new");
        let text = serde_json::to_vec(self)?;
        std::fs::write(&new, text)
            .and_then(|()| std::fs::rename(&new, file))
            .with_context(|| format!("cannot write the state to {}", file.display()))
    }

    /// The user table as the clock sends it.
    pub(super) fn users_table(&self, layout: UsersLayout) -> Vec<u8> {
        let record = match layout {
            UsersLayout::SeventyTwo => user_record,
            UsersLayout::TwentyEight => short_user_record,
        };
        self.users.iter().flat_map(record).collect()
    }

    /// What was done to the clock, as it sends it.
    pub(super) fn operations_table(&self) -> Vec<u8> {
        self.operations.iter().flat_map(SimOperation::record).collect()
    }

    /// The log as the clock sends it.
    pub(super) fn log(&self, layout: AttendanceLayout) -> Vec<u8> {
        self.punches.iter().flat_map(|punch| log_record(layout, punch)).collect()
    }
}

fn user(uid: u16, seed: u64) -> SimUser {
    let at = usize::from(uid - 1);
    let name = NAMES.get(at).map_or_else(|| format!("Employé {uid}"), |name| (*name).to_owned());
    let card = noise(seed, 1_000_000 + u64::from(uid)) % 10_000_000;
    SimUser {
        uid,
        user_id: uid.to_string(),
        name,
        privilege: if uid == 1 { 14 } else { 0 },
        card: u32::try_from(card).unwrap_or_default(),
    }
}

/// Coming about 5 in the morning, leaving about 13: a bakery.
fn punch(user: &SimUser, day: NaiveDate, is_leaving: bool, noise: u64) -> SimPunch {
    let start = if is_leaving { 13 * 3600 } else { 4 * 3600 + 45 * 60 };
    let second = u32::try_from(start + noise % 2400).unwrap_or_default();
    let time = NaiveTime::from_num_seconds_from_midnight_opt(second, 0).unwrap_or_default();
    SimPunch {
        uid: user.uid,
        user_id: user.user_id.clone(),
        encoded_time: ClockTime::from_naive(NaiveDateTime::new(day, time)).encode(),
        state: u8::from(is_leaving),
        verify: 1,
    }
}

/// A number that looks random and depends on nothing else (splitmix64).
pub(super) fn noise(seed: u64, at: u64) -> u64 {
    let mut value = seed.wrapping_add(at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

pub(super) fn put(record: &mut [u8], at: usize, part: &[u8]) {
    let room = record.iter_mut().skip(at);
    room.zip(part).for_each(|(place, byte)| *place = *byte);
}

/// As much of a text as fits, cut between characters.
pub(super) fn fitting(text: &str, bytes_max: usize) -> &[u8] {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text.as_bytes()[..end]
}

fn user_record(user: &SimUser) -> Vec<u8> {
    let mut record = vec![0; 72];
    put(&mut record, 0, &user.uid.to_le_bytes());
    put(&mut record, 2, &[user.privilege]);
    // Bytes behind a password's end are whatever was there before.
    put(&mut record, 3, &[0, 0x7c, 0xc6]);
    put(&mut record, 11, fitting(&user.name, 23));
    put(&mut record, 35, &user.card.to_le_bytes());
    put(&mut record, 39, &[1]);
    put(&mut record, 48, fitting(&user.user_id, 23));
    record
}

/// Of black-and-white clocks: a number for an id, eight letters for a name.
fn short_user_record(user: &SimUser) -> Vec<u8> {
    let mut record = vec![0; 28];
    put(&mut record, 0, &user.uid.to_le_bytes());
    put(&mut record, 2, &[user.privilege]);
    put(&mut record, 8, fitting(&user.name, 8));
    put(&mut record, 16, &user.card.to_le_bytes());
    put(&mut record, 21, &[1]);
    let number: u32 = user.user_id.parse().unwrap_or_default();
    put(&mut record, 24, &number.to_le_bytes());
    record
}

fn log_record(layout: AttendanceLayout, punch: &SimPunch) -> Vec<u8> {
    let mut record = vec![0; layout.stride()];
    let time = punch.encoded_time.to_le_bytes();
    match layout {
        AttendanceLayout::Text { .. } => {
            put(&mut record, 0, &punch.uid.to_le_bytes());
            put(&mut record, 2, fitting(&punch.user_id, 23));
            put(&mut record, 26, &[punch.verify]);
            put(&mut record, 27, &time);
            put(&mut record, 31, &[punch.state]);
            put(&mut record, 36, &[0xff]);
            put(&mut record, 40, &[0xff, b'2', b'5', b'5']);
        }
        AttendanceLayout::Sixteen => {
            let pin: u32 = punch.user_id.parse().unwrap_or_default();
            put(&mut record, 0, &pin.to_le_bytes());
            put(&mut record, 4, &time);
            put(&mut record, 8, &[punch.state, punch.verify]);
        }
        AttendanceLayout::EightA => {
            put(&mut record, 0, &punch.uid.to_le_bytes());
            put(&mut record, 2, &[punch.verify]);
            put(&mut record, 3, &time);
            put(&mut record, 7, &[punch.state]);
        }
        AttendanceLayout::EightB => {
            put(&mut record, 0, &punch.uid.to_le_bytes());
            put(&mut record, 2, &[0x20 | (punch.verify & 3) << 3 | (punch.state & 7)]);
            put(&mut record, 4, &time);
        }
    }
    record
}
