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
use super::store::{SimPunch, Store, event_data};
use super::write::{LOG_CLEARED, PIN_WIDTH, TIME_SET};

/// Up to here a table comes at once, without the buffer.
const DIRECT_BYTES_MAX: usize = 1024;
/// No frame may reach the 16-bit length that some clients keep.
const PACKET_BYTES_MAX: usize = 0xffc0;
/// Data bytes in one datagram.
const DATAGRAM_DATA_MAX: usize = 1024;
const RECORDS_CAPACITY: u32 = 50_000;

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
    session: u16,
    is_connected: bool,
    is_known: bool,
    event_mask: u32,
    /// Largest data frame of the way it came, where that is less than the clock's.
    packet_bytes_max: Option<usize>,
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
    layout: AttendanceLayout,
    packet_bytes: usize,
    comm_key: u32,
    serial: String,
    /// The clock's time minus this machine's.
    offset: TimeDelta,
    holder: Option<u64>,
    next_session: u16,
    buffer: Option<Vec<u8>>,
    /// Until when nobody can punch; the end of time if no end was asked for.
    locked_until: Option<NaiveDateTime>,
}

/// What a clock is made of.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) store: Store,
    pub(super) faults: Faults,
    pub(super) layout: AttendanceLayout,
    pub(super) packet_bytes: usize,
    pub(super) comm_key: u32,
    pub(super) serial: String,
}

impl Device {
    pub(super) fn new(build: Build) -> Device {
        let Build { store, faults, layout, packet_bytes, comm_key, serial } = build;
        let mut device = Device {
            store,
            faults,
            counters: Counters::default(),
            layout,
            packet_bytes: packet_bytes.clamp(8, 1 << 16),
            comm_key,
            serial,
            offset: TimeDelta::zero(),
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
        now + self.offset
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
        self.store.add(punch).map_err(|error| PunchError::State(format!("{error:#}")))
    }

    /// The event frame for this visitor, if it asked for punches.
    pub(super) fn event(&mut self, visitor: &Visitor, punch: &SimPunch) -> Option<Frame> {
        let is_wanted = visitor.event_mask & u32::from(EVENT_PUNCH) != 0;
        is_wanted.then(|| {
            self.counters.events_sent += 1;
            let data = event_data(punch);
            Frame { command: code::EVENT, session: EVENT_PUNCH, reply: 0, data }
        })
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
                    self.offset = time - now;
                    self.note(TIME_SET, 0, now);
                }
                ok(Vec::new())
            }
            code::TIME_READ => {
                let time = ClockTime::from_naive(self.time(now));
                ok(time.encode().to_le_bytes().to_vec())
            }
            code::SIZES => ok(self.sizes()),
            code::VERSION => ok(b"Ver 6.60 Apr 28 2017\0".to_vec()),
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
            "~DeviceName" => "FOURNIL-SIM",
            "~Platform" => "ZMM220_TFT",
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

    fn sizes(&mut self) -> Vec<u8> {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (mut users, mut records) =
            (count(self.store.users.len()), count(self.store.punches.len()));
        if self.faults.strikes(Fault::CountZero) {
            (users, records) = (0, 0);
        }
        if self.faults.strikes(Fault::CountLow) {
            records = records.saturating_sub(1);
        }
        let mut fields = [0_u32; 23];
        fields[4] = users;
        fields[6] = users;
        fields[8] = records;
        fields[10] = count(self.store.operations.len());
        fields[12] = 1;
        fields[14..17].copy_from_slice(&[500, 500, RECORDS_CAPACITY]);
        fields[17] = 500_u32.saturating_sub(users);
        fields[18] = 500_u32.saturating_sub(users);
        fields[19] = RECORDS_CAPACITY.saturating_sub(records);
        fields.iter().flat_map(|field| field.to_le_bytes()).collect()
    }

    fn table(&mut self, command: u16) -> Option<Vec<u8>> {
        let records = match command {
            code::USERS_READ => self.store.users_table(),
            code::LOG_READ => self.store.log(self.layout),
            code::OPERATIONS_READ => self.store.operations_table(),
            _ => return None,
        };
        self.counters.tables += 1;
        let total = u32::try_from(records.len()).unwrap_or(u32::MAX);
        Some([total.to_le_bytes().to_vec(), records].concat())
    }

    /// Puts a table into the buffer, or sends it at once when it is small.
    fn prepare(&mut self, visitor: &Visitor, request: &Frame) -> Vec<Frame> {
        let (session, reply) = (visitor.session, request.reply);
        if self.faults.strikes(Fault::NoBuffer) {
            return vec![frame(code::ACK_ERROR, session, reply, Vec::new())];
        }
        let stream = match self.buffer.take() {
            // What a dead reader left behind.
            Some(held) => held,
            None => match self.table(u16_at(&request.data, 1).unwrap_or_default()) {
                Some(table) => table,
                None => return vec![frame(code::ACK_ERROR, session, reply, Vec::new())],
            },
        };
        if stream.len() <= DIRECT_BYTES_MAX || self.faults.strikes(Fault::Direct) {
            return vec![frame(code::DATA, session, reply, stream)];
        }
        let mut announced = u32::try_from(stream.len()).unwrap_or(u32::MAX);
        if self.faults.strikes(Fault::SizeLarger) {
            announced += 1000;
        }
        self.buffer = Some(stream);
        let size = announced.to_le_bytes();
        let data = [&[0][..], &size, &size, &0x0023_efcd_u32.to_le_bytes()].concat();
        vec![frame(code::ACK_OK, session, reply, data)]
    }

    fn read_buffer(&mut self, visitor: &Visitor, request: &Frame) -> Vec<Frame> {
        let at = |place| u32_at(&request.data, place).and_then(|part| usize::try_from(part).ok());
        let part =
            self.buffer.as_ref().zip(at(0).zip(at(4))).and_then(|(stream, (start, bytes))| {
                let end = stream.len().min(start.checked_add(bytes)?);
                stream.get(start..end).filter(|part| !part.is_empty()).map(<[u8]>::to_vec)
            });
        match part {
            Some(part) => self.stream(visitor, request.reply, &part),
            None => vec![frame(code::ACK_ERROR, visitor.session, request.reply, Vec::new())],
        }
    }

    /// The old way: the whole table as an answer to the plain command.
    fn read_plain(&mut self, visitor: &Visitor, request: &Frame) -> Vec<Frame> {
        match self.table(request.command) {
            Some(table) => self.stream(visitor, request.reply, &table),
            None => vec![frame(code::ACK_ERROR, visitor.session, request.reply, Vec::new())],
        }
    }

    /// PREPARE_DATA, the data in packets, and the acknowledgement behind them. Here the
    /// session field counts the packets.
    fn stream(&mut self, visitor: &Visitor, reply: u16, part: &[u8]) -> Vec<Frame> {
        let bytes = u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes();
        let most = visitor.packet_bytes_max.unwrap_or(usize::MAX);
        let packet_bytes = self.packet_bytes.min(most);
        let packet = u32::try_from(packet_bytes).unwrap_or(u32::MAX).to_le_bytes();
        let mut prepare = [bytes, packet].concat();
        if self.faults.strikes(Fault::ShortPrepare) {
            prepare.truncate(4);
        }
        let mut frames = vec![frame(code::PREPARE_DATA, 0, reply, prepare)];
        let packets = part.chunks(packet_bytes.min(PACKET_BYTES_MAX));
        let numbered = (0..).zip(packets);
        frames.extend(numbered.map(|(at, data)| frame(code::DATA, at, reply, data.to_vec())));
        let last = u16::try_from(frames.len().saturating_sub(2)).unwrap_or(u16::MAX);
        frames.push(frame(code::ACK_OK, last, reply, Vec::new()));
        frames
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

fn frame(command: u16, session: u16, reply: u16, data: Vec<u8>) -> Frame {
    Frame { command, session, reply, data }
}
