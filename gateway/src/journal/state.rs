//! What the journal's records add up to. Built by replay at start and kept up by the
//! same function at run time, so that both always agree.
//!
//! Bodies stay on disk: memory holds places. Invariants: events of the current
//! epoch are indexed by contiguous spans; a command id is either pending or settled,
//! never both.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use super::age::{Age, DAY_MS};
use super::config::JournalConfig;
use super::record::{CommandBegun, Record, SegmentHead};
use super::uplog::{Place, UpLog};

/// Where the down log stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct DownLog {
    pub(super) epoch: u64,
    pub(super) durable: u64,
}

/// A command that was accepted and has not ended.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) place: Place,
    pub(super) bytes: u64,
    /// Sequence of the record that accepted it first: the order of acceptance.
    pub(super) order: u64,
    pub(super) begun: Option<CommandBegun>,
}

/// A command that ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    pub(super) place: Place,
    pub(super) bytes: u64,
    /// The journal's age when it ended.
    pub(super) lived_ms: u64,
}

/// Everything the journal knows without reading the disk.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) incarnation: u64,
    pub(super) up: UpLog,
    /// The log before, while its readable events are being taken over.
    pub(super) up_before: Option<UpLog>,
    pub(super) down: DownLog,
    pub(super) pending: HashMap<Uuid, Pending>,
    pub(super) settled: HashMap<Uuid, Settled>,
    /// Settled ids, oldest first.
    settled_order: VecDeque<Uuid>,
    /// Bytes of their records.
    settled_bytes: u64,
    /// As the newest record that tells it says.
    pub(super) age: Age,
}

impl State {
    /// Takes in one record that stands at `place` and fills `bytes` of the disk.
    pub(super) fn apply(&mut self, record: &Record, seq: u64, place: Place, bytes: usize) {
        let bytes = bytes as u64;
        match record {
            Record::SegmentHead(head) => self.apply_head(head),
            Record::Opened(opened) => {
                self.incarnation = self.incarnation.max(opened.incarnation);
                self.age.note(opened.lived_ms, &opened.boot_id, opened.boot_ms);
                if self.up.epoch == 0 {
                    self.up.epoch = opened.up_epoch;
                }
            }
            Record::EventWritten(event) => {
                self.enter_epoch(event.up_epoch);
                self.up.add(event.up_seq, place, bytes);
            }
            Record::CommandAccepted(accepted) => {
                self.down = DownLog { epoch: accepted.down_epoch, durable: accepted.down_seq };
                let pending = Pending { place, bytes, order: seq, begun: None };
                self.add_pending(&accepted.command_id, pending);
            }
            Record::CommandBegun(begun) => {
                let id = id_of(&begun.command_id);
                if let Some(pending) = self.pending.get_mut(&id) {
                    pending.begun = Some(begun.clone());
                }
            }
            Record::CommandSettled(settled) => {
                let entry = Settled { place, bytes, lived_ms: settled.lived_ms };
                self.settle(id_of(&settled.command_id), entry);
            }
            Record::UpAcked(acked) => {
                if acked.up_epoch == self.up.epoch {
                    self.up.acked = acked.up_seq;
                }
            }
            Record::UpEpochRenewed(renewed) => {
                let mut before = std::mem::replace(&mut self.up, UpLog::new(renewed.up_epoch));
                before.acked = renewed.carry_from.saturating_sub(1);
                // A renewal cut short by a crash: the log with the facts is the one before.
                self.up_before.get_or_insert(before);
            }
            Record::UpEpochCarried(_) => self.up_before = None,
            Record::DownCursor(cursor) => {
                self.down = DownLog { epoch: cursor.down_epoch, durable: cursor.down_durable };
            }
            Record::CarriedCommand(carried) => {
                let begun = carried.begun.clone();
                let pending = Pending { place, bytes, order: carried.order, begun };
                self.add_pending(&carried.accepted.command_id, pending);
            }
            Record::Closed(closed) => {
                self.age.note(closed.lived_ms, &closed.boot_id, closed.boot_ms);
            }
            Record::Aged(aged) => {
                self.age.note(aged.lived_ms, &aged.boot_id, aged.boot_ms);
            }
        }
    }

    fn apply_head(&mut self, head: &SegmentHead) {
        self.incarnation = self.incarnation.max(head.incarnation);
        self.age.note(head.lived_ms, &head.boot_id, head.boot_ms);
        self.enter_epoch(head.up_epoch);
        self.up.last = self.up.last.max(head.up_last);
        self.up.acked = head.up_acked;
        self.down = DownLog { epoch: head.down_epoch, durable: head.down_durable };
    }

    /// The first record kept, or the first behind damage, may belong to another epoch
    /// without saying so.
    fn enter_epoch(&mut self, epoch: u64) {
        if self.up.epoch != epoch {
            self.up = UpLog::new(epoch);
        }
    }

    fn add_pending(&mut self, id: &[u8], pending: Pending) {
        let id = id_of(id);
        if !self.settled.contains_key(&id) {
            self.pending.insert(id, pending);
        }
    }

    fn settle(&mut self, id: Uuid, entry: Settled) {
        self.pending.remove(&id);
        self.settled_bytes += entry.bytes;
        match self.settled.insert(id, entry) {
            Some(before) => self.settled_bytes -= before.bytes,
            None => self.settled_order.push_back(id),
        }
    }

    /// Records are missing. Any command that is still open may have begun in them, so
    /// that none may be acted on as if it were new.
    pub(super) fn note_gap(&mut self) {
        for (id, pending) in &mut self.pending {
            let begun = pending.begun.get_or_insert_with(|| CommandBegun {
                command_id: id.as_bytes().to_vec(),
                attempt: 1,
                ..CommandBegun::default()
            });
            begun.incarnation = 0;
        }
    }

    /// Replay is over: carried outcomes go back to their place in time.
    pub(super) fn finish_replay(&mut self) {
        let settled = &self.settled;
        self.settled_order
            .make_contiguous()
            .sort_by_key(|id| settled.get(id).map_or(0, |entry| entry.lived_ms));
    }

    /// Forgets outcomes that nobody may ask for any more.
    pub(super) fn prune_settled(&mut self, config: &JournalConfig, lived_ms: u64) {
        let oldest_ms = lived_ms.saturating_sub(u64::from(config.seen_days_min) * DAY_MS);
        while let Some(id) = self.settled_order.front().copied() {
            let count = self.settled_order.len();
            let is_old = self.settled.get(&id).is_none_or(|entry| entry.lived_ms < oldest_ms);
            if count <= config.seen_ids_min || (!is_old && count <= config.seen_ids_max) {
                return;
            }
            self.settled_order.pop_front();
            let gone = self.settled.remove(&id);
            self.settled_bytes -= gone.map_or(0, |entry| entry.bytes);
        }
    }

    /// Whether the id was ever accepted, as far as ids are kept.
    pub(super) fn has_seen(&self, id: Uuid) -> bool {
        self.pending.contains_key(&id) || self.settled.contains_key(&id)
    }

    pub(super) fn pending_bytes(&self) -> u64 {
        self.pending.values().map(|pending| pending.bytes).sum()
    }

    /// Bytes of what must be written again before its segment may go.
    pub(super) fn live_bytes(&self) -> u64 {
        self.pending_bytes() + self.settled_bytes
    }

    /// Unsettled commands in the order they were accepted.
    pub(super) fn pending_in_order(&self) -> Vec<(Uuid, Pending)> {
        let mut pending: Vec<_> =
            self.pending.iter().map(|(id, pending)| (*id, pending.clone())).collect();
        pending.sort_by_key(|(_, pending)| pending.order);
        pending
    }

    /// The commands' records at `from` and behind it moved to `to`; the index of events is
    /// mended by the caller, who has them at hand.
    pub(super) fn move_commands(&mut self, from: Place, to: Place) {
        let shift = |place: &mut Place| {
            if place.segment == from.segment && place.offset >= from.offset {
                place.segment = to.segment;
                place.offset = place.offset - from.offset + to.offset;
            }
        };
        self.pending.values_mut().for_each(|pending| shift(&mut pending.place));
        self.settled.values_mut().for_each(|settled| shift(&mut settled.place));
    }

    /// The numbers that every segment repeats at its head.
    pub(super) fn head(&self, segment: u64, first_seq: u64, wall_ms: i64, age: Age) -> SegmentHead {
        SegmentHead {
            segment,
            first_seq,
            chain: Vec::new(),
            wall_ms,
            incarnation: self.incarnation,
            up_epoch: self.up.epoch,
            up_last: self.up.last,
            up_acked: self.up.acked,
            down_epoch: self.down.epoch,
            down_durable: self.down.durable,
            lived_ms: age.lived_ms,
            boot_id: age.boot_id.to_vec(),
            boot_ms: age.boot_ms,
        }
    }
}

/// The id in a record. Ids are checked before they are written; another length can
/// only come from another build and maps to the nil id.
pub(super) fn id_of(bytes: &[u8]) -> Uuid {
    Uuid::from_slice(bytes).unwrap_or_default()
}
