//! The simulated clock's mind: what it answers to each request. No I/O.
//!
//! One session at a time: while somebody holds it, the CONNECT of anybody else gets no
//! answer. The read buffer belongs to the clock and not to the session, so a reader
//! that dies leaves its table behind, and the next one gets it unless it asks to free
//! the buffer first.

use chrono::{NaiveDateTime, TimeDelta};
use fournil_gateway::clock::layout::{AttendanceLayout, Calendar as _, ClockTime};
use fournil_gateway::clock::wire::{EVENT_PUNCH, Frame, code, scramble_comm_key, u16_at, u32_at};

use super::fault::{Fault, Faults};
use super::model::Model;
use super::store::{SimPunch, Store};
use super::write::{LOG_CLEARED, PIN_WIDTH, TIME_SET};

/// Data bytes in one datagram.
const DATAGRAM_DATA_MAX: usize = 1024;

/// What has happened so far; tests look here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counters {
    pub connections: u64,
    pub requests: u64,
    /// Frames dropped because of their checksum.
    pub bad_frames: u64,
    pub refused_keys: u64,
    /// CONNECTs left unanswered because somebody else held the session.
    pub refused_sessions: u64,
    /// Requests for live events.
    pub listeners: u64,
    pub event_acks: u64,
    pub events_sent: u64,
    pub enables: u64,
    pub disables: u64,
    pub frees: u64,
    pub exits: u64,
    /// Tables put into the buffer or sent directly, users and logs.
    pub tables: u64,
    /// Commands that clear or write something.
    pub destructive: u64,
}

/// What one connection has reached.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    id: u64,
    /// How often the power had gone when it came.
    era: u64,
    pub(super) session: u16,
    is_connected: bool,
    is_known: bool,
    event_mask: u32,
    /// Largest data frame of the way it came, where that is less than the clock's.
    pub(super) packet_bytes_max: Option<usize>,
}

impl Visitor {
    pub(super) fn new(id: u64) -> Visitor {
        Visitor { id, ..Visitor::default() }
    }

    /// One that speaks UDP.
    pub(super) fn by_datagrams(id: u64) -> Visitor {
        Visitor { packet_bytes_max: Some(DATAGRAM_DATA_MAX), ..Visitor::new(id) }
    }
}

/// Why a punch was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PunchError {
    #[error("the clock is locked: a program is reading it")]
    Locked,
    #[error("the clock has no user {0:?}")]
    UnknownUser(String),
    #[error("the clock cannot keep the punch: {0}")]
    State(String),
}

#[derive(Debug)]
pub(super) struct Device {
    pub(super) store: Store,
    pub(super) faults: Faults,
    pub(super) counters: Counters,
    pub(super) model: Model,
    pub(super) layout: AttendanceLayout,
    pub(super) packet_bytes: usize,
    comm_key: u32,
    serial: String,
    /// The clock's time minus this machine's when it was last set.
    offset: TimeDelta,
    /// When that was.
    set_at: Option<NaiveDateTime>,
    drift_ppm: i32,
    era: u64,
    holder: Option<u64>,
    next_session: u16,
    pub(super) buffer: Option<Vec<u8>>,
    /// Until when nobody can punch; the end of time if no end was asked for.
    locked_until: Option<NaiveDateTime>,
}

/// What a clock is made of.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) store: Store,
    pub(super) faults: Faults,
    pub(super) model: Model,
    pub(super) layout: AttendanceLayout,
    pub(super) packet_bytes: usize,
    pub(super) comm_key: u32,
    pub(super) serial: String,
    pub(super) drift_ppm: i32,
}

impl Device {
    pub(super) fn new(build: Build) -> Device {
        let Build { store, faults, model, layout, packet_bytes, comm_key, serial, drift_ppm } =
            build;
        let mut device = Device {
            store,
            faults,
            counters: Counters::default(),
            model,
            layout,
            packet_bytes: packet_bytes.clamp(8, 1 << 16),
            comm_key,
            serial,
            offset: TimeDelta::zero(),
            set_at: None,
            drift_ppm,
            era: 0,
            holder: None,
            next_session: 0x1f2e,
            buffer: None,
            locked_until: None,
        };
        if device.faults.strikes(Fault::ImpossibleDate)
            && let Some(first) = device.store.punches.first_mut()
        {
            let mut time = ClockTime::decode(first.encoded_time);
            (time.month, time.day) = (2, 30);
            first.encoded_time = time.encode();
        }
        device
    }

    pub(super) fn serial(&self) -> &str {
        &self.serial
    }

    pub(super) fn shift(&mut self, by: TimeDelta) {
        self.offset += by;
    }

    pub(super) fn time(&self, now: NaiveDateTime) -> NaiveDateTime {
        let since = self.set_at.map_or(TimeDelta::zero(), |set_at| now - set_at);
        let drift_ms = since.num_milliseconds() * i64::from(self.drift_ppm) / 1_000_000;
        now + self.offset + TimeDelta::milliseconds(drift_ms)
    }

    pub(super) fn set_time(&mut self, time: NaiveDateTime, now: NaiveDateTime) {
        self.offset = time - now;
        self.set_at = Some(now);
    }

    /// What a clock without power forgets.
    pub(super) fn forget_sessions(&mut self) {
        self.era += 1;
        self.holder = None;
        self.buffer = None;
        self.locked_until = None;
    }

    /// Takes a punch of a user now; the clock keeps it and tells whoever listens.
    pub(super) fn punch(
        &mut self,
        user_id: &str,
        state: u8,
        now: NaiveDateTime,
    ) -> Result<SimPunch, PunchError> {
        if self.locked_until.is_some_and(|until| now < until) {
            return Err(PunchError::Locked);
        }
        let user = self.store.user(user_id);
        let uid = user.ok_or_else(|| PunchError::UnknownUser(user_id.to_owned()))?.uid;
        let punch = SimPunch {
            uid,
            user_id: user_id.to_owned(),
            encoded_time: ClockTime::from_naive(self.time(now)).encode(),
            state,
            verify: 1,
        };
        self.add(punch.clone())?;
        Ok(punch)
    }

    pub(super) fn add(&mut self, punch: SimPunch) -> Result<(), PunchError> {
        let capacity = usize::try_from(self.model.capacity).unwrap_or(usize::MAX);
        self.store.add(punch, capacity).map_err(|error| PunchError::State(format!("{error:#}")))
    }

    /// The event frame for this visitor, if it asked for punches.
    pub(super) fn event(&mut self, visitor: &Visitor, punch: &SimPunch) -> Option<Frame> {
        let is_wanted = visitor.event_mask & u32::from(EVENT_PUNCH) != 0;
        is_wanted.then(|| {
            self.counters.events_sent += 1;
            let data = self.model.event_data(punch);
            Frame { command: code::EVENT, session: EVENT_PUNCH, reply: 0, data }
        })
    }

    /// Whether the power went since it came: then its connection is one no more.
    pub(super) fn has_forgotten(&self, visitor: &Visitor) -> bool {
        visitor.is_connected && visitor.era != self.era
    }

    /// The connection is gone; a locked clock stays locked, a held buffer held.
    pub(super) fn leave(&mut self, visitor: &Visitor) {
        if self.holder == Some(visitor.id) {
            self.holder = None;
        }
    }

    /// The frames that answer a request, none if the clock keeps silent.
    pub(super) fn answer(
        &mut self,
        visitor: &mut Visitor,
        request: &Frame,
        now: NaiveDateTime,
    ) -> Vec<Frame> {
        self.counters.requests += 1;
        if request.command == code::ACK_OK && request.reply == 0 {
            self.counters.event_acks += 1;
            return Vec::new();
        }
        if self.faults.strikes(Fault::Silent) {
            return Vec::new();
        }
        let simple = |command| vec![frame(command, visitor.session, request.reply, Vec::new())];
        match request.command {
            code::CONNECT => self.connect(visitor, request),
            code::AUTH if visitor.is_connected => self.authenticate(visitor, request),
            _ if !visitor.is_known => simple(code::ACK_UNAUTH),
            _ if is_dispensable(request) && self.faults.strikes(Fault::Stubborn) => {
                simple(code::ACK_ERROR)
            }
            _ if is_for_users(request) && self.faults.strikes(Fault::NoUsers) => {
                simple(code::ACK_ERROR)
            }
            code::OPTION_READ
                if request.data.starts_with(b"~SerialNumber")
                    && self.faults.strikes(Fault::NoSerial) =>
            {
                simple(code::ACK_ERROR)
            }
            code::BUFFER_PREPARE => self.prepare(visitor, request),
            code::BUFFER_READ => self.read_buffer(visitor, request),
            code::USERS_READ | code::LOG_READ | code::OPERATIONS_READ => {
                self.read_plain(visitor, request)
            }
            code::EXIT => {
                self.counters.exits += 1;
                self.leave(visitor);
                let answer = simple(code::ACK_OK);
                let packet_bytes_max = visitor.packet_bytes_max;
                *visitor = Visitor { packet_bytes_max, ..Visitor::new(visitor.id) };
                answer
            }
            _ => self.answer_simple(visitor, request, now),
        }
    }

    fn connect(&mut self, visitor: &mut Visitor, request: &Frame) -> Vec<Frame> {
        if self.holder.is_some_and(|holder| holder != visitor.id) {
            self.counters.refused_sessions += 1;
            return Vec::new();
        }
        self.holder = Some(visitor.id);
        visitor.era = self.era;
        if !visitor.is_connected {
            visitor.session = self.next_session;
            self.next_session = self.next_session.wrapping_add(0x6b).max(1);
        }
        visitor.is_connected = true;
        visitor.is_known = self.comm_key == 0;
        let command = if visitor.is_known { code::ACK_OK } else { code::ACK_UNAUTH };
        vec![frame(command, visitor.session, request.reply, Vec::new())]
    }

    fn authenticate(&mut self, visitor: &mut Visitor, request: &Frame) -> Vec<Frame> {
        let expected = request
            .data
            .get(2)
            .map(|tick| scramble_comm_key(self.comm_key, visitor.session, *tick));
        visitor.is_known = expected.is_some_and(|expected| expected[..] == request.data[..]);
        if !visitor.is_known {
            self.counters.refused_keys += 1;
        }
        let command = if visitor.is_known { code::ACK_OK } else { code::ACK_UNAUTH };
        vec![frame(command, visitor.session, request.reply, Vec::new())]
    }

    /// Requests with one frame for an answer.
    fn answer_simple(
        &mut self,
        visitor: &mut Visitor,
        request: &Frame,
        now: NaiveDateTime,
    ) -> Vec<Frame> {
        let ok = |data| Some((code::ACK_OK, data));
        let answer = match request.command {
            code::ENABLE => {
                self.counters.enables += 1;
                self.locked_until = None;
                ok(Vec::new())
            }
            code::DISABLE => {
                self.counters.disables += 1;
                let seconds = u32_at(&request.data, 0).filter(|seconds| *seconds > 0);
                self.locked_until = Some(match seconds {
                    Some(seconds) => now + TimeDelta::seconds(seconds.into()),
                    None => NaiveDateTime::MAX,
                });
                ok(Vec::new())
            }
            code::FREE_DATA => {
                self.counters.frees += 1;
                self.buffer = None;
                ok(Vec::new())
            }
            code::EVENT => {
                visitor.event_mask = u32_at(&request.data, 0).unwrap_or_default();
                self.counters.listeners += u64::from(visitor.event_mask != 0);
                ok(Vec::new())
            }
            code::TIME_SET => {
                if let Some(encoded) = u32_at(&request.data, 0)
                    && let Some(time) = ClockTime::decode(encoded).to_naive()
                {
                    self.set_time(time, now);
                    self.note(TIME_SET, 0, now);
                }
                ok(Vec::new())
            }
            code::TIME_READ => {
                let time = ClockTime::from_naive(self.time(now));
                ok(time.encode().to_le_bytes().to_vec())
            }
            code::SIZES => ok(self.sizes()),
            code::VERSION => ok(format!("{}\0", self.model.firmware).into_bytes()),
            code::OPTION_READ => match self.option(&request.data) {
                Some(text) => ok(text),
                None => Some((code::ACK_ERROR, Vec::new())),
            },
            // Cancel, verify, refresh, option writes: taken and without effect here.
            60 | 62 | 1013 | 1014 | 12 => ok(Vec::new()),
            // Length of the user ids.
            code::PIN_WIDTH => ok(vec![u8::try_from(PIN_WIDTH).unwrap_or(u8::MAX)]),
            code::USER_WRITE => {
                let is_taken = self.write_user(&request.data, now);
                Some((if is_taken { code::ACK_OK } else { code::ACK_ERROR }, Vec::new()))
            }
            // Clearing really clears: a client that sends it shall be found out.
            14 | 15 => {
                self.counters.destructive += 1;
                let cleared = self.store.clear_punches();
                self.note(LOG_CLEARED, 0, now);
                Some((if cleared.is_ok() { code::ACK_OK } else { code::ACK_ERROR }, Vec::new()))
            }
            10 | 18..=20 | 32 | 33 | 110 | 134 | 1004 | 1005 => {
                self.counters.destructive += 1;
                Some((code::ACK_ERROR, Vec::new()))
            }
            _ => None,
        };
        let (command, data) = answer.unwrap_or((code::ACK_UNKNOWN, Vec::new()));
        // The state stands where the session usually does; 0 is "waiting".
        let is_state = request.command == code::STATE;
        let (command, session) =
            if is_state { (code::ACK_OK, 0) } else { (command, visitor.session) };
        vec![frame(command, session, request.reply, data)]
    }

    fn option(&self, data: &[u8]) -> Option<Vec<u8>> {
        let name = data.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = std::str::from_utf8(name).ok()?;
        let value = match name {
            "~SerialNumber" => &self.serial,
            "~DeviceName" => self.model.device_name,
            "~Platform" => self.model.platform,
            "~OS" | "FingerFunOn" | "CompatOldFirmware" => "1",
            "~ZKFPVersion" => "10",
            "ZKFaceVersion" | "FaceFunOn" | "~ExtendFmt" | "~UserExtFmt" | "WorkCode" => "0",
            "~PIN2Width" => "9",
            "MAC" => "00:17:61:00:00:01",
            "IPAddress" => "127.0.0.1",
            "NetMask" => "255.255.255.0",
            "GATEIPAddress" => "127.0.0.254",
            _ => return None,
        };
        Some(format!("{name}={value}\0").into_bytes())
    }
}

/// What a reader of the log can do without.
fn is_dispensable(request: &Frame) -> bool {
    is_for_users(request)
        || matches!(
            request.command,
            code::ENABLE | code::TIME_READ | code::SIZES | code::EVENT | code::VERSION
        )
}

fn is_for_users(request: &Frame) -> bool {
    request.command == code::USERS_READ
        || (request.command == code::BUFFER_PREPARE
            && u16_at(&request.data, 1) == Some(code::USERS_READ))
}

pub(super) fn frame(command: u16, session: u16, reply: u16, data: Vec<u8>) -> Frame {
    Frame { command, session, reply, data }
}
