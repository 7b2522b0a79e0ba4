//! A disk that fails at each of its operations in turn, in every way, for one moment, for
//! a while, or until it is mended: what was answered is there, nothing is acted on without
//! a record, and it goes on by itself.

use std::collections::BTreeMap;

use fournil_protocol::event::CommandState;

use super::{Bench, DOWN_EPOCH, Failure, command, id, kept_events, punch, report};
use crate::journal::engine::Engine;
use crate::journal::open::Why;
use crate::seam::RecordError;

const FAILURES: [Failure; 4] = [Failure::Io, Failure::Full, Failure::ReadOnly, Failure::Short];
const RECEIPTS: u32 = 12;

/// A shop's day on a disk with a plan.
struct Day {
    bench: Bench,
    engine: Option<Engine>,
    /// What was answered, in order.
    answered: Vec<String>,
    /// Receipts whose begin was answered: bytes may have left.
    begun: BTreeMap<u32, bool>,
    refused: usize,
}

impl Day {
    fn new() -> Self {
        let mut bench = Bench::new();
        bench.config.acked_kept_bytes_max = 3 * 2_048;
        let engine = Some(bench.open());
        Self { bench, engine, answered: Vec::new(), begun: BTreeMap::new(), refused: 0 }
    }

    /// As the writer's thread does it: one act, one commit, one answer; after a failure
    /// the disk is read again first.
    fn ask(&mut self, act: impl FnOnce(&mut Engine) -> Result<(), RecordError>) -> bool {
        if self.engine.as_ref().is_none_or(|engine| engine.failed.is_some()) {
            let opened = self.bench.setting().open(Why::Recovery);
            self.engine = opened.ok().map(|(engine, _)| engine);
        }
        let Some(engine) = &mut self.engine else {
            self.refused += 1;
            return false;
        };
        let done = act(engine).and_then(|()| engine.commit());
        engine.tell();
        let _ = engine.commit();
        let _ = engine.retain();
        self.refused += usize::from(done.is_err());
        done.is_ok()
    }

    fn live(&mut self) {
        for number in 1..=RECEIPTS {
            if self.ask(|engine| engine.append(vec![punch(number)]).map(drop)) {
                self.answered.push(format!("punch {number}"));
            }
            let is_ours = self.ask(|engine| {
                let run = vec![command(engine.state.down.durable + 1, number)];
                let accepted = engine.accept(DOWN_EPOCH, run);
                accepted.map(drop).map_err(|error| RecordError::Broken(error.to_string()))
            });
            if !is_ours {
                continue;
            }
            // No byte leaves before this is answered.
            if !self.ask(|engine| engine.begin(id(number), 1, "till".into())) {
                continue;
            }
            self.answered.push(format!("Started {number}"));
            let is_told = self.ask(|engine| engine.report(&report(number, CommandState::Done)));
            if is_told {
                self.answered.push(format!("Done {number}"));
            }
            self.begun.insert(number, is_told);
            self.ask(|engine| {
                let (epoch, last) = (engine.state.up.epoch, engine.state.up.last);
                let seq = last.saturating_sub(3).max(engine.state.up.acked);
                engine.ack_up(epoch, seq).map_err(|error| RecordError::Broken(error.to_string()))
            });
        }
    }

    /// The disk is well again and the daemon starts.
    fn check(mut self, case: &str) {
        self.bench.disk.set(|faults| faults.plan = None);
        // In the same process first.
        assert!(self.ask(|engine| engine.append(vec![punch(999)]).map(drop)), "{case}: no return");
        drop(self.engine.take());
        let (mut engine, opened) = self.bench.try_open().unwrap();
        assert!(!opened.epoch_renewed, "{case}: events lost");
        assert!(opened.quarantined.is_empty(), "{case}: {:?}", opened.quarantined);
        let kept = kept_events(&mut engine);
        // What the cloud has may be gone; the rest is there, in its order.
        let missing = usize::try_from(engine.state.up.first_kept() - 1).unwrap();
        let mut from = 0;
        for (index, text) in self.answered.iter().enumerate() {
            match kept[from..].iter().position(|other| other == text) {
                Some(at) => from += at + 1,
                None => assert!(index < missing, "{case}: {text} is lost; kept {kept:?}"),
            }
        }
        for (number, is_told) in &self.begun {
            let pending = engine.state.pending.get(&id(*number));
            let is_settled = engine.state.settled.contains_key(&id(*number));
            let is_begun = pending.is_some_and(|pending| pending.begun.is_some());
            assert!(is_settled || !is_told, "{case}: the outcome of {number} is lost");
            assert!(is_settled || is_begun, "{case}: {number} would be printed again");
        }
    }
}

#[test]
fn whatever_fails_at_whichever_operation_nothing_answered_is_lost() {
    let mut healthy = Day::new();
    let before = healthy.bench.disk.0.lock().unwrap().operations;
    healthy.live();
    let operations = healthy.bench.disk.0.lock().unwrap().operations - before;
    assert_eq!(healthy.refused, 0);
    assert!(operations > 60, "{operations}");
    healthy.check("healthy");

    let mut told = 0;
    for at in before..before + operations {
        for failure in FAILURES {
            for many in [1, 2, 5, 40] {
                let mut day = Day::new();
                day.bench.disk.set(|faults| faults.plan = Some((at, many, failure)));
                day.live();
                told += usize::from(day.refused > 0);
                day.check(&format!("{failure:?} at operation {at}, {many} times"));
            }
        }
    }
    assert!(told > 100, "nothing was ever refused: {told}");
}

#[test]
fn a_disk_that_turned_read_only_is_told_nothing_is_done_and_it_comes_back_by_itself() {
    let mut day = Day::new();
    assert!(day.ask(|engine| engine.append(vec![punch(1)]).map(drop)));
    let now = day.bench.disk.0.lock().unwrap().operations;
    day.bench.disk.set(|faults| faults.plan = Some((now, u64::MAX, Failure::ReadOnly)));
    let run = vec![command(1, 1)];
    assert!(!day.ask(|engine| engine.append(vec![punch(2)]).map(drop)));
    assert!(!day.ask(|engine| {
        let accepted = engine.accept(DOWN_EPOCH, run);
        accepted.map(drop).map_err(|error| RecordError::Broken(error.to_string()))
    }));
    assert!(!day.ask(Engine::probe), "an idle shop is told as well");
    day.bench.disk.set(|faults| faults.plan = None);
    assert!(day.ask(|engine| engine.append(vec![punch(3)]).map(drop)));
    let kept = kept_events(day.engine.as_mut().unwrap());
    let punches: Vec<_> = kept.iter().filter(|text| text.starts_with("punch")).collect();
    assert_eq!(punches, ["punch 1", "punch 3"]);
}
