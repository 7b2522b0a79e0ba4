//! The state of the simulated printer, shared between its line, its mechanism and its
//! switches. Every change wakes whoever waits; no lock is held across a wait.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::receive::{Realtime, Scanner};

/// Answers on their way to the host; more are dropped, as from a full send buffer.
pub(super) const ANSWERS_MAX: usize = 256;

/// A printed and cut receipt.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub number: u32,
    pub at_ms: u64,
    pub text: String,
    pub png: Vec<u8>,
    /// What the parser did not understand.
    pub errors: Vec<String>,
    /// The printer lost power before the cut.
    pub torn: bool,
}

/// The drawer's solenoid was fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kick {
    pub at_ms: u64,
    pub pin: u8,
    pub on_ms: u32,
    /// Asked for in real time, past the buffer.
    pub realtime: bool,
}

/// Everything a person or a fault can change.
#[derive(Debug, Clone, PartialEq)]
pub struct Switches {
    pub paper: bool,
    pub paper_low: bool,
    pub cover_open: bool,
    pub power: bool,
    pub cutter_jammed: bool,
    /// Never answers anything.
    pub mute: bool,
    /// Knows GS ( H.
    pub tags: bool,
    /// Takes no bytes.
    pub stalled: bool,
    /// The roll ends after so many printed lines.
    pub paper_out_after_lines: Option<u32>,
    /// The line breaks after so many received bytes.
    pub drop_after_bytes: Option<usize>,
    /// The USB cable is in.
    pub usb_plugged: bool,
    /// The USB pipe refuses every transfer until the host clears it.
    pub usb_stall: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            paper: true,
            paper_low: false,
            cover_open: false,
            power: true,
            cutter_jammed: false,
            mute: false,
            tags: true,
            stalled: false,
            paper_out_after_lines: None,
            drop_after_bytes: None,
            usb_plugged: true,
            usb_stall: false,
        }
    }
}

impl Switches {
    pub(super) fn online(&self) -> bool {
        self.power && self.paper && !self.cover_open && !self.cutter_jammed
    }

    /// The answer to DLE EOT n.
    fn realtime(&self, question: u8) -> u8 {
        let bit = |on: bool, mask: u8| if on { mask } else { 0 };
        0x12 | match question {
            1 => bit(!self.online(), 0x08),
            2 => {
                bit(self.cover_open, 0x04) | bit(!self.paper, 0x20) | bit(self.cutter_jammed, 0x40)
            }
            3 => bit(self.cutter_jammed, 0x08),
            _ => bit(self.paper_low || !self.paper, 0x0c) | bit(!self.paper, 0x60),
        }
    }

    /// The four bytes of automatic status.
    fn auto(&self) -> [u8; 4] {
        let bit = |on: bool, mask: u8| if on { mask } else { 0 };
        [
            0x14 | bit(!self.online(), 0x08) | bit(self.cover_open, 0x20),
            bit(self.cutter_jammed, 0x08),
            bit(self.paper_low || !self.paper, 0x03) | bit(!self.paper, 0x0c),
            0x0f,
        ]
    }
}

/// What is behind the lock.
#[derive(Debug, Default)]
pub(super) struct Inner {
    pub switches: Switches,
    pub buffer: VecDeque<u8>,
    pub received_bytes: usize,
    pub receipts: Vec<Receipt>,
    pub kicks: Vec<Kick>,
    pub auto_status: bool,
    /// Counts power cycles, so that work begun before one does not go on after it.
    pub power_epoch: u64,
    pub connections: u32,
    answers: Option<mpsc::Sender<Vec<u8>>>,
    /// The latest tag that found no host; it waits in the send buffer.
    waiting_tag: Option<Vec<u8>>,
    scanner: Scanner,
    clock: Clock,
}

/// When the printer was made, on the wall and by the runtime: in a simulation's own time
/// the wall stands still.
#[derive(Debug)]
struct Clock {
    wall_ms: u64,
    began: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        Self { wall_ms, began: Instant::now() }
    }
}

/// The printer's state.
#[derive(Debug)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
    pub buffer_bytes: usize,
}

impl Shared {
    pub(super) fn new(switches: Switches, buffer_bytes: usize) -> Self {
        let inner = Inner { switches, ..Inner::default() };
        Self { inner: Mutex::new(inner), changed: watch::Sender::new(0), buffer_bytes }
    }

    /// The state; a poisoned lock is taken all the same, since no invariant spans it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn wake(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    /// Changes switches; the printer speaks up if it was told to.
    pub(super) fn switch(&self, change: impl FnOnce(&mut Switches)) {
        {
            let mut inner = self.lock();
            let before = inner.switches.clone();
            change(&mut inner.switches);
            if before.power && !inner.switches.power {
                inner.lose_power();
            }
            if inner.auto_status && before.auto() != inner.switches.auto() {
                let status = inner.switches.auto();
                inner.answer(&status);
            }
        }
        self.wake();
    }

    /// How many bytes the printer takes now.
    pub(super) fn room(&self) -> usize {
        let inner = self.lock();
        if inner.switches.stalled || !inner.switches.power {
            return 0;
        }
        let room = self.buffer_bytes.saturating_sub(inner.buffer.len());
        inner.switches.drop_after_bytes.map_or(room, |left| room.min(left))
    }

    /// Takes bytes off the line that was opened in `epoch`; `false` when it is to break
    /// now. What was read before the current failed dies with it.
    pub(super) fn receive(&self, epoch: u64, bytes: &[u8]) -> bool {
        let goes_on = {
            let mut inner = self.lock();
            if inner.power_epoch != epoch {
                return false;
            }
            inner.received_bytes += bytes.len();
            for byte in bytes {
                let realtime = inner.take(*byte);
                if let Some(realtime) = realtime {
                    inner.act(realtime);
                }
            }
            match &mut inner.switches.drop_after_bytes {
                Some(left) => {
                    *left = left.saturating_sub(bytes.len());
                    let goes_on = *left > 0;
                    if !goes_on {
                        inner.switches.drop_after_bytes = None;
                    }
                    goes_on
                }
                None => true,
            }
        };
        self.wake();
        goes_on
    }

    /// A host has connected: what waited for one goes out. Gives the power epoch of the
    /// line and its answers; none without current.
    pub(super) fn connect(&self) -> Option<(u64, mpsc::Receiver<Vec<u8>>)> {
        let (sender, receiver) = mpsc::channel(ANSWERS_MAX);
        let mut inner = self.lock();
        if !inner.switches.power {
            return None;
        }
        inner.connections += 1;
        inner.answers = Some(sender);
        if let Some(tag) = inner.waiting_tag.take() {
            inner.answer(&tag);
        }
        Some((inner.power_epoch, receiver))
    }

    pub(super) fn disconnect(&self) {
        self.lock().answers = None;
        self.wake();
    }
}

impl Inner {
    fn take(&mut self, byte: u8) -> Option<Realtime> {
        let (forwarded, realtime) = self.scanner.push(byte);
        self.buffer.extend(forwarded);
        realtime
    }

    fn act(&mut self, realtime: Realtime) {
        match realtime {
            Realtime::Status(question) => {
                let answer = self.switches.realtime(question);
                self.answer(&[answer]);
            }
            Realtime::Drawer { pin, on_ms } => {
                let at_ms = self.now_ms();
                self.kicks.push(Kick { at_ms, pin, on_ms, realtime: true });
            }
            Realtime::Clear => {
                self.buffer.clear();
                self.answer(&[0x37, 0x25, 0x00]);
            }
            Realtime::Recover => self.switches.cutter_jammed = false,
        }
    }

    /// Sends to the host, if one is there and the printer has a voice.
    pub(super) fn answer(&mut self, bytes: &[u8]) {
        if self.switches.mute || !self.switches.power {
            return;
        }
        if let Some(answers) = &self.answers {
            // A full send buffer drops, as the real one does.
            let _ = answers.try_send(bytes.to_vec());
        }
    }

    /// Sends a tag; without a host the latest one waits.
    pub(super) fn answer_tag(&mut self, tag: [u8; 4]) {
        if !self.switches.tags {
            return;
        }
        let bytes = [&[0x37, 0x22][..], &tag, &[0x00]].concat();
        if self.answers.as_ref().is_some_and(|answers| !answers.is_closed()) {
            self.answer(&bytes);
        } else {
            self.waiting_tag = Some(bytes);
        }
    }

    pub(super) fn auto_status(&mut self, mask: u8) {
        self.auto_status = mask != 0;
        if self.auto_status {
            let status = self.switches.auto();
            self.answer(&status);
        }
    }

    /// Wall clock, Unix milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        let elapsed_ms = u64::try_from(self.clock.began.elapsed().as_millis());
        self.clock.wall_ms.saturating_add(elapsed_ms.unwrap_or(0))
    }

    fn lose_power(&mut self) {
        self.buffer.clear();
        self.waiting_tag = None;
        self.auto_status = false;
        self.scanner = Scanner::default();
        self.power_epoch += 1;
    }
}
