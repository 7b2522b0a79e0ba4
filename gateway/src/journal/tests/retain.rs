//! What is kept and what goes.

use std::collections::HashSet;

use fournil_protocol::event::CommandState;

use super::{Bench, DOWN_EPOCH, command, id, kept_events, punch, report};
use crate::journal::engine::Engine;
use crate::journal::{AcceptError, UpError};

fn add_acked(engine: &mut Engine, count: u32) {
    for number in 0..count {
        engine.append(vec![punch(number)]).unwrap();
        engine.commit().unwrap();
        let (epoch, last) = (engine.state.up.epoch, engine.state.up.last);
        engine.ack_up(epoch, last).unwrap();
        engine.retain().unwrap();
    }
}

#[test]
fn acknowledged_events_stay_up_to_the_bound_in_bytes() {
    let mut bench = Bench::new();
    bench.config.acked_kept_bytes_max = 5 * 2_048;
    let mut engine = bench.open();
    add_acked(&mut engine, 300);
    assert!(engine.segments.len() <= 6);
    assert!(engine.segments.len() >= 5, "less was kept than may be");
    let first_kept = engine.state.up.first_kept();
    assert!(first_kept > 200 && first_kept < 300);
    drop(engine);
    let mut engine = bench.open();
    assert_eq!(engine.state.up.first_kept(), first_kept);
    assert_eq!(kept_events(&mut engine).len() as u64, 301 - first_kept);
}

#[test]
fn acknowledged_events_go_after_thirty_days_and_unacknowledged_ones_never() {
    let bench = Bench::new();
    let mut engine = bench.open();
    add_acked(&mut engine, 60);
    let segments = engine.segments.len();
    bench.pass_days(29);
    engine.retain().unwrap();
    assert_eq!(engine.segments.len(), segments);
    bench.pass_days(2);
    engine.retain().unwrap();
    assert_eq!(engine.segments.len(), 1);

    engine.append((0..60).map(punch).collect()).unwrap();
    engine.commit().unwrap();
    bench.pass_days(400);
    engine.retain().unwrap();
    let first_kept = engine.state.up.first_kept();
    assert!(first_kept <= 61, "unacknowledged events went: {first_kept}");
}

#[test]
fn seen_ids_outcomes_and_open_commands_outlive_their_segments() {
    let mut bench = Bench::new();
    bench.config.acked_kept_bytes_max = 3 * 2_048;
    let mut engine = bench.open();
    let run = vec![command(1, 1), command(2, 2), command(3, 3)];
    engine.accept(DOWN_EPOCH, run).unwrap();
    engine.report(&report(1, CommandState::Failed)).unwrap();
    engine.begin(id(2), 4, "till".into()).unwrap();
    engine.commit().unwrap();
    for _ in 0..3 {
        add_acked(&mut engine, 100);
        drop(engine);
        engine = bench.open();
    }
    assert!(engine.segments[0].number > 10);

    let jobs = engine.pending_jobs(&HashSet::new(), 9).unwrap();
    let seen: Vec<_> = jobs.iter().map(|job| (job.id, job.interrupted_attempt)).collect();
    assert_eq!(seen, [(id(2), Some(4)), (id(3), None)]);
    assert_eq!(jobs[1].command, command(3, 3));
    // A cloud with a new down log sends the settled one again.
    let accepted = engine.accept(DOWN_EPOCH + 1, vec![command(1, 1), command(2, 9)]).unwrap();
    assert_eq!(accepted.down_durable, 2);
    let fresh: Vec<_> = accepted.fresh.iter().map(|job| job.id).collect();
    assert_eq!(fresh, [id(9)]);
    engine.commit().unwrap();
    assert_eq!(kept_events(&mut engine).last().unwrap(), "Failed 1");
}

#[test]
fn ids_are_kept_for_days_and_for_a_number_whichever_is_more() {
    let bench = Bench::new();
    let mut engine = bench.open();
    for number in 1..=10 {
        engine.accept(DOWN_EPOCH, vec![command(u64::from(number), number)]).unwrap();
        engine.report(&report(number, CommandState::Done)).unwrap();
    }
    engine.commit().unwrap();
    let config = engine.config.clone();
    engine.state.prune_settled(&config, engine.age().lived_ms);
    assert_eq!(engine.state.settled.len(), 10);
    bench.pass_days(31);
    engine.state.prune_settled(&config, engine.age().lived_ms);
    assert_eq!(engine.state.settled.len(), 4);
    assert!(engine.state.has_seen(id(10)) && !engine.state.has_seen(id(1)));
}

#[test]
fn a_hole_in_the_down_log_is_refused_and_a_new_epoch_moves_the_cursor() {
    let bench = Bench::new();
    let mut engine = bench.open();
    let gap = engine.accept(DOWN_EPOCH, vec![command(1, 1), command(3, 3)]);
    assert_eq!(gap, Err(AcceptError::Gap { expected: 2, got: 3 }));
    assert!(!engine.state.has_seen(id(1)), "nothing of a run with a hole is taken");
    engine.accept(DOWN_EPOCH, vec![command(1, 1)]).unwrap();
    let ahead = engine.resume_down(DOWN_EPOCH, 3);
    assert_eq!(ahead, Err(AcceptError::Gap { expected: 2, got: 3 }));
    engine.resume_down(DOWN_EPOCH + 1, 5).unwrap();
    let accepted = engine.accept(DOWN_EPOCH + 1, vec![command(5, 5)]).unwrap();
    assert_eq!(accepted.down_durable, 5);
    engine.commit().unwrap();
    drop(engine);
    let engine = bench.open();
    assert_eq!((engine.down_head().epoch, engine.down_head().durable), (DOWN_EPOCH + 1, 5));
}

#[test]
fn a_restored_cloud_rewinds_and_a_cloud_that_claims_too_much_is_refused() {
    let mut bench = Bench::new();
    bench.config.acked_kept_bytes_max = 4 * 2_048;
    let mut engine = bench.open();
    add_acked(&mut engine, 100);
    let up = engine.up_head();
    let claimed = engine.resume_up(up.epoch, up.last + 1);
    assert_eq!(claimed, Err(UpError::Ahead { last: up.last, claimed: up.last + 1 }));
    assert_eq!(engine.resume_up(1, 1), Err(UpError::Epoch { ours: up.epoch }));
    assert_eq!(engine.resume_up(up.epoch, 0), Err(UpError::Gone { first_kept: up.first_kept }));

    engine.resume_up(up.epoch, up.first_kept + 2).unwrap();
    engine.commit().unwrap();
    engine.retain().unwrap();
    drop(engine);
    let mut engine = bench.open();
    assert_eq!(engine.up_head().acked, up.first_kept + 2);

    engine.renew_epoch(up.first_kept, "test").unwrap();
    let head = engine.up_head();
    assert_ne!(head.epoch, up.epoch);
    assert_eq!((head.first_kept, head.acked), (1, 0));
    let events = kept_events(&mut engine);
    assert_eq!(events.len() as u64, up.last - up.first_kept + 1);
    assert_eq!(events.last().unwrap(), "punch 99");
}

#[test]
fn the_heads_hash_is_that_of_the_newest_event_and_of_nothing_else() {
    let bench = Bench::new();
    let mut engine = bench.open();
    assert_eq!(engine.up_head().head_hash, Vec::<u8>::new(), "an empty log has none");
    add_acked(&mut engine, 3);
    let head = engine.up_head();
    assert_eq!(head.head_hash.len(), 32);

    // Acknowledgements, commands and starts are records, and move nothing of the up log.
    engine.accept(DOWN_EPOCH, vec![command(1, 1)]).unwrap();
    engine.resume_up(head.epoch, head.last - 1).unwrap();
    engine.ack_up(head.epoch, head.last).unwrap();
    engine.commit().unwrap();
    assert_eq!(engine.up_head().head_hash, head.head_hash);
    drop(engine);
    let mut engine = bench.open();
    assert_eq!(
        (engine.up_head().last, engine.up_head().head_hash),
        (head.last, head.head_hash.clone())
    );

    add_acked(&mut engine, 1);
    assert_ne!(engine.up_head().head_hash, head.head_hash);
}
