//! Crashes: whatever was answered survives, whatever was not leaves no half.

use std::collections::HashSet;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use fournil_protocol::event::CommandState;
use proptest::prelude::*;

use super::{Bench, DOWN_EPOCH, command, id, kept_events, punch, report};
use crate::journal::engine::Engine;

/// What a caller may do, and what may befall him.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Append(u8),
    Accept(u8),
    AcceptAgain,
    Begin(u8),
    Settle(u8),
    Ack(u8),
    Commit,
    Crash { cut: u16, how: How },
}

/// What the disk holds of a write that was cut short.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    Truncated,
    Zeroed,
    Garbled,
}

/// One record's worth of change.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Event(String),
    Accepted { number: u32, seq: u64 },
    Begun { number: u32, attempt: u32 },
    Settled(u32),
    Passed(u64),
    Acked(u64),
}

/// What the journal must know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Model {
    events: Vec<String>,
    acked: u64,
    down_durable: u64,
    pending: BTreeMap<u32, Option<u32>>,
    settled: BTreeSet<u32>,
}

impl Model {
    fn of(steps: &[Step]) -> Self {
        let mut model = Self::default();
        for step in steps {
            match step.clone() {
                Step::Event(text) => model.events.push(text),
                Step::Accepted { number, seq } => {
                    model.down_durable = seq;
                    model.pending.insert(number, None);
                }
                Step::Begun { number, attempt } => {
                    model.pending.insert(number, Some(attempt));
                }
                Step::Settled(number) => {
                    model.pending.remove(&number);
                    model.settled.insert(number);
                }
                Step::Passed(seq) => model.down_durable = seq,
                Step::Acked(seq) => model.acked = seq,
            }
        }
        model
    }
}

/// The engine beside the list of everything done to it.
pub(super) struct Play {
    pub(super) bench: Bench,
    pub(super) engine: Option<Engine>,
    pub(super) steps: Vec<Step>,
    /// Steps that were answered for.
    durable: usize,
    next: u32,
}

impl Play {
    pub(super) fn new(acked_kept_bytes_max: u64) -> Self {
        let mut bench = Bench::new();
        bench.config.acked_kept_bytes_max = acked_kept_bytes_max;
        bench.config.seen_ids_min = 10_000;
        let engine = Some(bench.open());
        Self { bench, engine, steps: Vec::new(), durable: 0, next: 1 }
    }

    pub(super) fn engine(&mut self) -> &mut Engine {
        self.engine.as_mut().unwrap()
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn nth_pending(&self, nth: u8) -> Option<u32> {
        let pending: Vec<u32> = Model::of(&self.steps).pending.into_keys().collect();
        (!pending.is_empty()).then(|| pending[usize::from(nth) % pending.len()])
    }

    pub(super) fn act(&mut self, act: Act) {
        match act {
            Act::Append(count) => {
                let numbers: Vec<u32> = (0..count).map(|_| self.number()).collect();
                let bodies = numbers.iter().map(|number| punch(*number)).collect();
                self.engine().append(bodies).unwrap();
                let texts = numbers.iter().map(|number| Step::Event(format!("punch {number}")));
                self.steps.extend(texts);
            }
            Act::Accept(count) => {
                for _ in 0..count {
                    let (number, seq) = (self.number(), self.engine().state.down.durable + 1);
                    let run = vec![command(seq, number)];
                    let accepted = self.engine().accept(DOWN_EPOCH, run).unwrap();
                    assert_eq!(accepted.fresh.len(), 1);
                    self.steps.push(Step::Accepted { number, seq });
                }
            }
            Act::AcceptAgain => {
                let known = Model::of(&self.steps);
                let settled = known.settled.first().copied();
                let Some(number) = settled.or(known.pending.keys().next().copied()) else {
                    return;
                };
                // Under a new sequence, as a cloud does that forgot it had sent it.
                let seq = known.down_durable + 1;
                let run = vec![command(seq, number)];
                let accepted = self.engine().accept(DOWN_EPOCH, run).unwrap();
                assert!(accepted.fresh.is_empty(), "an id was given out twice");
                // Told before it is acknowledged.
                if settled.is_some() {
                    self.steps.push(Step::Event(format!("Done {number}")));
                }
                self.steps.push(Step::Passed(seq));
            }
            Act::Begin(nth) => {
                let Some(number) = self.nth_pending(nth) else { return };
                let attempt = u32::from(nth) + 1;
                self.engine().begin(id(number), attempt, "till".into()).unwrap();
                self.steps.push(Step::Event(format!("Started {number}")));
                self.steps.push(Step::Begun { number, attempt });
            }
            Act::Settle(nth) => {
                let Some(number) = self.nth_pending(nth) else { return };
                self.engine().report(&report(number, CommandState::Done)).unwrap();
                self.steps.push(Step::Event(format!("Done {number}")));
                self.steps.push(Step::Settled(number));
            }
            Act::Ack(part) => {
                // The cloud knows durable events only.
                self.commit();
                let (epoch, up) = (self.engine().state.up.epoch, self.engine().state.up.clone());
                let seq = up.acked + (up.last - up.acked) * u64::from(part) / 255;
                self.engine().ack_up(epoch, seq).unwrap();
                if seq > up.acked {
                    self.steps.push(Step::Acked(seq));
                }
            }
            Act::Commit => self.commit(),
            Act::Crash { cut, how } => self.crash(cut, how),
        }
    }

    fn commit(&mut self) {
        self.engine().commit().unwrap();
        self.durable = self.steps.len();
        self.engine().retain().unwrap();
    }

    fn crash(&mut self, cut: u16, how: How) {
        self.engine().flush().unwrap();
        let engine = self.engine.take().unwrap();
        let (from, end) = (engine.synced_offset(), engine.position());
        let path = engine.segments.last().unwrap().path.clone();
        drop(engine);
        let at = from + (end - from) * u64::from(cut) / u64::from(u16::MAX);
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        match how {
            How::Truncated => file.set_len(at).unwrap(),
            How::Zeroed => {
                let length = usize::try_from(end - at).unwrap();
                file.write_all_at(&vec![0; length], at).unwrap();
            }
            How::Garbled if at < end => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, at).unwrap();
                file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
            }
            How::Garbled => {}
        }
        self.engine = Some(self.bench.open());
        let engine = self.engine();
        let newest = engine.segments.last().unwrap().read_all().unwrap();
        let unused = &newest[usize::try_from(engine.position()).unwrap()..];
        assert!(unused.iter().all(|byte| *byte == 0), "torn bytes were left behind");
        self.compare();
    }

    /// The engine must know everything up to some step no earlier than the last answer.
    pub(super) fn compare(&mut self) {
        let first_kept = self.engine().state.up.first_kept();
        let events = kept_events(self.engine());
        let engine = self.engine();
        let number_of = |id: &uuid::Uuid| u32::try_from(id.as_u128() & 0xffff_ffff).unwrap();
        let jobs = engine.pending_jobs(&HashSet::new(), usize::MAX).unwrap();
        let pending: BTreeMap<u32, Option<u32>> =
            jobs.iter().map(|job| (number_of(&job.id), job.interrupted_attempt)).collect();
        let settled = engine.state.settled.keys().map(number_of).collect();
        let (acked, down_durable) = (engine.state.up.acked, engine.state.down.durable);
        assert!(first_kept <= acked + 1, "an unacknowledged event is gone");
        let skipped = usize::try_from(first_kept - 1).unwrap();
        let seen = Model { events, acked, down_durable, pending, settled };
        let reached = (self.durable..=self.steps.len()).rev().find(|count| {
            let mut model = Model::of(&self.steps[..*count]);
            if model.events.len() < skipped {
                return false;
            }
            model.events.drain(..skipped);
            model == seen
        });
        let Some(reached) = reached else {
            let least = Model::of(&self.steps[..self.durable]);
            panic!("after the crash: {seen:#?}\nat least expected: {least:#?}");
        };
        self.steps.truncate(reached);
        self.durable = reached;
    }
}

pub(super) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let how = prop_oneof![Just(How::Truncated), Just(How::Zeroed), Just(How::Garbled)];
    let act = prop_oneof![
        4 => (1..6_u8).prop_map(Act::Append),
        2 => (1..4_u8).prop_map(Act::Accept),
        1 => Just(Act::AcceptAgain),
        2 => any::<u8>().prop_map(Act::Begin),
        2 => any::<u8>().prop_map(Act::Settle),
        2 => any::<u8>().prop_map(Act::Ack),
        3 => Just(Act::Commit),
        2 => (any::<u16>(), how).prop_map(|(cut, how)| Act::Crash { cut, how }),
    ];
    proptest::collection::vec(act, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_answered_record_survives_any_crash(acts in acts()) {
        let mut play = Play::new(u64::MAX);
        for act in acts {
            play.act(act);
        }
        play.crash_and_compare();
    }

    #[test]
    fn compaction_between_crashes_loses_nothing_alive(acts in acts()) {
        let mut play = Play::new(6_000);
        for act in acts {
            play.act(act);
        }
        play.crash_and_compare();
    }
}

impl Play {
    fn crash_and_compare(&mut self) {
        self.act(Act::Crash { cut: u16::MAX, how: How::Zeroed });
    }
}

#[test]
fn a_tail_torn_at_any_byte_of_the_last_record_is_cut_and_the_rest_stays() {
    for how in [How::Truncated, How::Zeroed, How::Garbled] {
        let mut cut = 0;
        loop {
            let mut play = Play::new(u64::MAX);
            play.act(Act::Append(3));
            play.act(Act::Commit);
            play.act(Act::Append(1));
            let length = play.engine().position() - play.engine().synced_offset();
            if cut > length {
                break;
            }
            let scaled = (cut * u64::from(u16::MAX)).div_ceil(length);
            play.act(Act::Crash { cut: u16::try_from(scaled).unwrap(), how });
            let expected = if cut == length { 4 } else { 3 };
            assert_eq!(play.steps.len(), expected, "cut at byte {cut} of {length}, {how:?}");
            play.act(Act::Append(2));
            play.act(Act::Commit);
            play.crash_and_compare();
            assert_eq!(play.steps.len(), expected + 2);
            cut += 1;
        }
    }
}

#[test]
fn the_incarnation_grows_by_one_at_each_start_and_the_epoch_stays() {
    let bench = Bench::new();
    let first = bench.try_open().unwrap().1;
    let second = bench.try_open().unwrap().1;
    assert_eq!((first.incarnation, second.incarnation), (1, 2));
    assert_eq!(first.up_epoch, second.up_epoch);
    assert_ne!(first.up_epoch, 0);
}

#[test]
fn a_renewal_of_the_epoch_cut_short_is_done_over() {
    let bench = Bench::new();
    let mut engine = bench.open();
    engine.append((0..30).map(punch).collect()).unwrap();
    engine.commit().unwrap();
    let old = engine.state.up.epoch;
    let renewed = crate::journal::record::UpEpochRenewed { up_epoch: 5, carry_from: 1 };
    engine.stage(renewed, crate::journal::engine::Need::Vital).unwrap();
    engine.commit().unwrap();
    drop(engine);

    let (mut engine, opened) = bench.try_open().unwrap();
    assert!(opened.epoch_renewed);
    assert!(![old, 5].contains(&opened.up_epoch));
    let events = kept_events(&mut engine);
    let punches: Vec<String> = (0..30).map(|number| format!("punch {number}")).collect();
    assert_eq!(events[..30], punches[..]);
    drop(engine);
    assert!(!bench.try_open().unwrap().1.epoch_renewed);
}
