//! Full and failing disks: nothing answered is lost, what matters most is still written,
//! and all heals without a restart.

use fournil_protocol::event::CommandState;

use super::{Bench, DOWN_EPOCH, command, health, id, kept_events, punch, report, told};
use crate::journal::{AcceptError, Journal, JournalConfig};
use crate::seam::RecordError;

#[test]
fn a_full_disk_refuses_punches_and_still_takes_begun_and_settled() {
    let bench = Bench::new();
    bench.disk.set(|faults| faults.quota_bytes = Some(8_192 + 4 * 2_048));
    let mut engine = bench.open();
    engine.accept(DOWN_EPOCH, vec![command(1, 1), command(2, 2)]).unwrap();
    engine.commit().unwrap();
    let mut taken = 0;
    let refusal = loop {
        match engine.append(vec![punch(taken)]).and_then(|_| engine.commit()) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refusal, RecordError::Full(_)), "{refusal:?}");
    assert!(taken > 10);
    // Use up what is left of the segment, so that the next steps need the reserve.
    while engine.position() + 200 < 2_048 {
        engine.append(vec![health()]).unwrap();
    }

    engine.begin(id(1), 1, "till".into()).unwrap();
    engine.report(&report(1, CommandState::Done)).unwrap();
    engine.begin(id(2), 1, "till".into()).unwrap();
    engine.report(&report(2, CommandState::Done)).unwrap();
    engine.commit().unwrap();
    assert!(!engine.has_reserve);
    assert!(matches!(engine.append(vec![punch(999)]), Err(RecordError::Full(_))));
    let refused = engine.accept(DOWN_EPOCH, vec![command(3, 3)]);
    assert!(matches!(refused, Err(AcceptError::Record(RecordError::Full(_)))));
    assert_eq!(engine.append(vec![health()]), Ok(engine.state.up.last));

    bench.disk.set(|faults| faults.quota_bytes = None);
    engine.append(vec![punch(taken)]).unwrap();
    assert!(engine.has_reserve);
    assert!(engine.tell());
    engine.commit().unwrap();
    drop(engine);

    let (mut engine, opened) = bench.try_open().unwrap();
    assert!(opened.quarantined.is_empty() && !opened.epoch_renewed);
    let events = kept_events(&mut engine);
    let punches = events.iter().filter(|text| text.starts_with("punch")).count();
    assert_eq!(punches, taken as usize + 1);
    assert!(events.contains(&"Done 2".to_owned()));
    assert_eq!(events.last().unwrap(), "journal-was-full");
}

#[test]
fn a_cloud_away_for_long_costs_health_first_and_no_punch_is_dropped() {
    let mut bench = Bench::new();
    bench.config.low_class_bytes_max = 4_000;
    bench.config.unacked_bytes_max = 8_000;
    let mut engine = bench.open();
    let mut taken = 0;
    while engine.append(vec![punch(taken)]).is_ok() {
        taken += 1;
        engine.append(vec![health()]).unwrap();
    }
    engine.commit().unwrap();
    assert!(engine.losses.dropped > 0);
    engine.accept(DOWN_EPOCH, vec![command(1, 1)]).unwrap();
    engine.begin(id(1), 1, "till".into()).unwrap();
    engine.report(&report(1, CommandState::Done)).unwrap();
    engine.commit().unwrap();

    let (epoch, last) = (engine.state.up.epoch, engine.state.up.last);
    engine.ack_up(epoch, last).unwrap();
    engine.append(vec![punch(taken)]).unwrap();
    assert!(engine.tell());
    engine.commit().unwrap();
    let events = kept_events(&mut engine);
    let punches = events.iter().filter(|text| text.starts_with("punch")).count();
    assert_eq!(punches, taken as usize + 1);
    assert_eq!(events.last().unwrap(), "journal-was-full");
}

#[test]
fn on_a_full_disk_old_copies_go_before_new_facts_are_refused() {
    let bench = Bench::new();
    bench.disk.set(|faults| faults.quota_bytes = Some(8_192 + 4 * 2_048));
    let mut engine = bench.open();
    for number in 0..200 {
        engine.append(vec![punch(number)]).unwrap();
        engine.commit().unwrap();
        let (epoch, last) = (engine.state.up.epoch, engine.state.up.last);
        engine.ack_up(epoch, last).unwrap();
    }
    assert!(engine.has_reserve);
    assert_eq!(engine.losses.refused, 0);
}

#[test]
fn after_a_failed_fsync_the_tail_is_written_again_elsewhere() {
    for (failing_syncs, failing_writes) in [(1, 0), (0, 1)] {
        let bench = Bench::new();
        let mut engine = bench.open();
        engine.append(vec![punch(0)]).unwrap();
        engine.commit().unwrap();
        engine.accept(DOWN_EPOCH, vec![command(1, 1), command(2, 2)]).unwrap();
        engine.append(vec![punch(1), punch(2)]).unwrap();
        engine.report(&report(1, CommandState::Done)).unwrap();
        bench.disk.set(|faults| {
            faults.failing_syncs = failing_syncs;
            faults.failing_writes = failing_writes;
        });
        engine.commit().unwrap();
        assert_eq!(engine.segments.len(), 2);
        // The id is known, and its outcome is found at its new place.
        let accepted = engine.accept(DOWN_EPOCH, vec![command(3, 1)]).unwrap();
        assert!(accepted.fresh.is_empty());
        assert!(engine.tell());
        engine.commit().unwrap();
        let expected = ["punch 0", "punch 1", "punch 2", "Done 1", "Done 1", "journal-write-error"];
        assert_eq!(kept_events(&mut engine), expected);
        drop(engine);

        let (mut engine, opened) = bench.try_open().unwrap();
        assert!(opened.quarantined.is_empty() && !opened.epoch_renewed, "{opened:?}");
        assert_eq!(kept_events(&mut engine), expected);
        assert_eq!(engine.state.pending.len(), 1);
    }
}

#[tokio::test]
async fn a_disk_that_dies_and_comes_back_needs_no_restart() {
    let mut bench = Bench::new();
    bench.config = JournalConfig { segment_bytes: 4_096, ..bench.config };
    let disk = std::sync::Arc::new(bench.disk.clone());
    let (journal, opened) =
        Journal::open_on(bench.folder.path(), bench.config.clone(), bench.time(), disk).unwrap();
    journal.append(vec![punch(1)]).await.unwrap();
    bench.disk.set(|faults| faults.is_dead = true);
    let refused = journal.append(vec![punch(2)]).await;
    assert!(matches!(refused, Err(RecordError::Broken(_))), "{refused:?}");
    bench.disk.set(|faults| faults.is_dead = false);
    // The first request after the failure already finds it mended.
    assert!(journal.append(vec![punch(2)]).await.is_ok());
    let run = journal.read_events(1, 10, 10_000).await.unwrap();
    assert_eq!(run.epoch, opened.up_epoch);
    let texts: Vec<_> = run.events.iter().map(|bytes| told(bytes)).collect();
    assert_eq!(texts, ["punch 1", "punch 2", "journal-recovered"]);
    let stat = journal.stat().await.unwrap();
    assert_eq!(stat.incarnation, opened.incarnation);
    journal.close().await.unwrap();
}

#[test]
fn copies_with_live_records_in_them_make_room_too() {
    let mut bench = Bench::new();
    bench.disk.set(|faults| faults.quota_bytes = Some(8_192 + 5 * 2_048));
    bench.config.seen_ids_min = 100;
    let mut engine = bench.open();
    // An open command in the oldest segment, and outcomes in every one.
    engine.accept(DOWN_EPOCH, vec![command(1, 1), command(2, 2)]).unwrap();
    engine.begin(id(2), 3, "till".into()).unwrap();
    for number in 3..60 {
        let seq = engine.state.down.durable + 1;
        engine.accept(DOWN_EPOCH, vec![command(seq, number)]).unwrap();
        engine.append(vec![punch(number)]).unwrap();
        if number % 8 == 0 {
            engine.report(&report(number, CommandState::Done)).unwrap();
        } else {
            engine.report(&report(number, CommandState::Cancelled)).unwrap();
        }
        engine.commit().unwrap();
        let (epoch, last) = (engine.state.up.epoch, engine.state.up.last);
        engine.ack_up(epoch, last).unwrap();
        if number > 20 {
            // Nothing older than this need be remembered: most of a copy is dead.
            bench.pass_days(31);
            engine.config.seen_ids_min = 4;
            let (config, age) = (engine.config.clone(), engine.age().lived_ms);
            engine.state.prune_settled(&config, age);
        }
    }
    assert_eq!(engine.losses.refused, 0, "refused while there were old copies");
    assert!(engine.has_reserve);
    assert!(engine.segments[0].number > 5);
    drop(engine);
    let (engine, opened) = bench.try_open().unwrap();
    assert!(opened.quarantined.is_empty(), "{:?}", opened.quarantined);
    let jobs = engine.pending_jobs(&std::collections::HashSet::new(), 9).unwrap();
    let seen: Vec<_> = jobs.iter().map(|job| (job.id, job.interrupted_attempt)).collect();
    assert_eq!(seen, [(id(1), None), (id(2), Some(3))]);
    assert!(engine.state.has_seen(id(59)));
}
