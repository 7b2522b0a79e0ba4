//! An outcome that is asked for again is told or not acknowledged.

use std::os::unix::fs::FileExt;

use fournil_protocol::event::CommandState;

use super::{Bench, DOWN_EPOCH, command, id, kept_events, report};
use crate::journal::engine::{Engine, Need};
use crate::journal::open::Why;
use crate::journal::record::DownCursor;

/// One command that ended, in the only segment.
fn with_outcome(bench: &Bench) -> Engine {
    let mut engine = bench.open();
    engine.accept(DOWN_EPOCH, vec![command(1, 1)]).unwrap();
    engine.begin(id(1), 1, "till".into()).unwrap();
    engine.report(&report(1, CommandState::Done)).unwrap();
    engine.commit().unwrap();
    engine
}

#[test]
fn an_outcome_that_cannot_be_told_again_for_want_of_room_is_not_acknowledged() {
    let bench = Bench::new();
    let mut engine = with_outcome(&bench);
    // Room for a cursor, and for no report.
    bench.disk.set(|faults| faults.quota_bytes = Some(0));
    engine.has_reserve = false;
    while engine.position() + 100 < bench.config.segment_bytes {
        engine.stage(DownCursor { down_epoch: DOWN_EPOCH, down_durable: 1 }, Need::Vital).unwrap();
    }
    let accepted = engine.accept(DOWN_EPOCH, vec![command(2, 1)]);
    assert!(accepted.is_err(), "{accepted:?}");
    assert_eq!(engine.down_head().durable, 1);

    bench.disk.set(|faults| faults.quota_bytes = None);
    let accepted = engine.accept(DOWN_EPOCH, vec![command(2, 1)]).unwrap();
    engine.commit().unwrap();
    assert_eq!((accepted.down_durable, accepted.fresh.len()), (2, 0));
    assert_eq!(kept_events(&mut engine), ["Started 1", "Done 1", "Done 1"]);
}

#[test]
fn an_outcome_that_rotted_is_told_as_a_doubt_and_never_printed_again() {
    let bench = Bench::new();
    let mut engine = with_outcome(&bench);
    let place = engine.state.settled[&id(1)].place;
    let path = &engine.segment(place.segment).unwrap().path;
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&[0xff; 4], place.offset + 30).unwrap();

    let accepted = engine.accept(DOWN_EPOCH, vec![command(2, 1)]).unwrap();
    engine.commit().unwrap();
    assert_eq!((accepted.down_durable, accepted.fresh.len()), (2, 0));
    assert!(engine.state.has_seen(id(1)));
    drop(engine);
    let (mut engine, opened) = bench.setting().open(Why::Recovery).unwrap();
    assert_eq!(opened.quarantined.len(), 1);
    assert_eq!(engine.down_head().durable, 2);
    assert!(kept_events(&mut engine).contains(&"InDoubt 1".to_owned()));
}
