//! Wall clocks that jump: nothing is lost, doubled or forgotten early, and nothing is kept
//! for ever either.

use std::sync::atomic::Ordering;

use fournil_protocol::event::CommandState;

use super::{Bench, DOWN_EPOCH, command, id, kept_events, punch, report};
use crate::journal::engine::Engine;

const YEAR_MS: i64 = 365 * 86_400_000;
/// Where a box wakes up whose battery is dead.
const EPOCH_MS: i64 = 0;

fn jump(bench: &Bench, ms: i64) {
    bench.now_ms.fetch_add(ms, Ordering::Relaxed);
}

/// The machine goes off and on again; its wall clock says something.
fn reboot(bench: &mut Bench, wall_ms: i64) -> Engine {
    bench.boot += 1;
    bench.boot_ms.store(2_000, Ordering::Relaxed);
    bench.now_ms.store(wall_ms, Ordering::Relaxed);
    bench.open()
}

/// Enough receipts and punches for several segments, all the cloud's.
fn work(engine: &mut Engine, from: u32, count: u32) {
    for number in from..from + count {
        let seq = engine.state.down.durable + 1;
        engine.accept(DOWN_EPOCH, vec![command(seq, number)]).unwrap();
        engine.begin(id(number), 1, "till".into()).unwrap();
        engine.append(vec![punch(number)]).unwrap();
        engine.report(&report(number, CommandState::Done)).unwrap();
        engine.commit().unwrap();
        let (epoch, last) = (engine.state.up.epoch, engine.state.up.last);
        engine.ack_up(epoch, last).unwrap();
        engine.retain().unwrap();
    }
}

fn remembers(engine: &Engine, numbers: impl IntoIterator<Item = u32>) -> bool {
    numbers.into_iter().all(|number| engine.state.has_seen(id(number)))
}

#[test]
fn a_year_forth_and_back_takes_nothing_that_is_kept_for_thirty_days() {
    let mut bench = Bench::new();
    bench.config.seen_ids_min = 0;
    let mut engine = bench.open();
    work(&mut engine, 1, 20);
    let (first_kept, segments) = (engine.state.up.first_kept(), engine.segments.len());
    assert!(segments > 3);
    for step_ms in [YEAR_MS, -2 * YEAR_MS, YEAR_MS] {
        jump(&bench, step_ms);
        engine.retain().unwrap();
        let day = engine.age().lived_ms;
        let config = engine.config.clone();
        engine.state.prune_settled(&config, day);
        assert_eq!(engine.state.up.first_kept(), first_kept, "gone after {step_ms} ms");
        assert!(remembers(&engine, 1..=20), "forgotten after {step_ms} ms");
        // And across a restart of the daemon with the wrong time.
        drop(engine);
        engine = bench.open();
        assert_eq!(engine.state.up.first_kept(), first_kept);
        assert!(remembers(&engine, 1..=20));
    }
}

#[test]
fn a_box_that_wakes_up_in_1970_and_is_set_right_forgets_nothing_and_doubles_nothing() {
    let mut bench = Bench::new();
    bench.config.seen_ids_min = 0;
    let mut engine = bench.open();
    let real_ms = bench.now_ms.load(Ordering::Relaxed);
    work(&mut engine, 1, 10);
    drop(engine);
    let mut engine = reboot(&mut bench, EPOCH_MS);
    work(&mut engine, 11, 10);
    // The time comes over the network: fifty-six years pass at once.
    jump(&bench, real_ms + 3_600_000);
    work(&mut engine, 21, 10);
    drop(engine);
    let mut engine = reboot(&mut bench, real_ms + YEAR_MS);
    engine.retain().unwrap();
    assert!(remembers(&engine, 1..=30));
    // The cloud asks again for each: none is given out a second time.
    let epoch = DOWN_EPOCH + 1;
    let again = (1..=30).map(|number| command(u64::from(number), number)).collect();
    let accepted = engine.accept(epoch, again).unwrap();
    assert!(accepted.fresh.is_empty(), "{:?}", accepted.fresh);
    engine.commit().unwrap();
    let told = kept_events(&mut engine);
    for number in 1..=30 {
        let punches = told.iter().filter(|text| **text == format!("punch {number}")).count();
        assert_eq!(punches, 1, "punch {number}");
    }
}

#[test]
fn thirty_days_that_were_lived_through_end_the_keeping_whatever_the_wall_clock_says() {
    let mut bench = Bench::new();
    bench.config.seen_ids_min = 0;
    let mut engine = bench.open();
    work(&mut engine, 1, 20);
    drop(engine);
    // Nights off count for nothing: 29 days of 16 hours in two boots are not thirty days.
    for _ in 0..2 {
        engine = reboot(&mut bench, EPOCH_MS);
        bench.boot_ms.fetch_add(29 * 16 * 3_600_000 / 2, Ordering::Relaxed);
        engine.retain().unwrap();
        assert!(remembers(&engine, 1..=20));
        assert!(engine.segments.len() > 3);
        drop(engine);
        // A stop in good order would write it down; so does the next start in this boot.
        engine = bench.open();
        drop(engine);
    }
    engine = bench.open();
    bench.boot_ms.fetch_add(11 * 86_400_000, Ordering::Relaxed);
    for _ in 0..4 {
        engine.retain().unwrap();
    }
    assert!(engine.segments.len() <= 2, "{} segments", engine.segments.len());
    assert!(!remembers(&engine, [1]) && engine.state.settled.is_empty());
}

#[test]
fn open_commands_keep_their_order_and_attempts_through_every_jump() {
    let mut bench = Bench::new();
    let mut engine = bench.open();
    engine.accept(DOWN_EPOCH, vec![command(1, 1), command(2, 2), command(3, 3)]).unwrap();
    engine.begin(id(2), 7, "till".into()).unwrap();
    engine.commit().unwrap();
    for wall_ms in [EPOCH_MS, 4 * YEAR_MS, -YEAR_MS, i64::MAX / 2] {
        drop(engine);
        engine = reboot(&mut bench, wall_ms);
        engine.retain().unwrap();
        let jobs = engine.pending_jobs(&std::collections::HashSet::new(), 9).unwrap();
        let seen: Vec<_> = jobs.iter().map(|job| (job.id, job.interrupted_attempt)).collect();
        assert_eq!(seen, [(id(1), None), (id(2), Some(7)), (id(3), None)], "at {wall_ms}");
    }
}

#[test]
fn a_mains_that_is_cut_each_night_costs_the_count_an_hour_a_day() {
    let mut bench = Bench::new();
    bench.config.seen_ids_min = 0;
    let mut engine = bench.open();
    work(&mut engine, 1, 20);
    for _ in 0..33 {
        drop(engine);
        engine = reboot(&mut bench, EPOCH_MS);
        // Housekeeping comes by often, here every ten minutes of a day of 23 hours and a half.
        for _ in 0..141 {
            bench.boot_ms.fetch_add(600_000, Ordering::Relaxed);
            engine.note_age().unwrap();
        }
    }
    let days = engine.age().lived_ms / 86_400_000;
    assert!((31..33).contains(&days), "{days} days");
    let records = engine.next_seq;
    engine.note_age().unwrap();
    assert_eq!(engine.next_seq, records, "written only when an hour has gone by");
    engine.retain().unwrap();
    assert!(!remembers(&engine, 1..=20));
}
