//! A new up log is taken into use whole or not at all.

use super::{Bench, Failure, kept_events, punch, used_bytes};
use crate::journal::engine::Engine;
use crate::journal::open::Why;
use crate::seam::RecordError;

const PUNCHES: u32 = 150;

fn with_punches(bench: &Bench) -> (Engine, Vec<String>) {
    let mut engine = bench.open();
    engine.append((0..PUNCHES).map(punch).collect()).unwrap();
    engine.commit().unwrap();
    (engine, (0..PUNCHES).map(|number| format!("punch {number}")).collect())
}

#[test]
fn a_renewal_for_which_there_is_no_room_leaves_the_log_as_it_was() {
    let bench = Bench::new();
    let (mut engine, punches) = with_punches(&bench);
    let epoch = engine.state.up.epoch;
    let used = used_bytes(bench.folder.path()).unwrap();
    bench.disk.set(|faults| faults.quota_bytes = Some(used + 2_048));
    let refused = engine.renew_epoch(1, "test");
    assert!(matches!(refused, Err(RecordError::Full(_))), "{refused:?}");
    assert_eq!((engine.failed.as_deref(), engine.state.up.epoch), (None, epoch));
    assert!(engine.has_reserve, "it was used up for nothing");
    assert_eq!(kept_events(&mut engine), punches);

    bench.disk.set(|faults| faults.quota_bytes = None);
    engine.renew_epoch(1, "test").unwrap();
    assert_ne!(engine.state.up.epoch, epoch);
    assert_eq!(kept_events(&mut engine), punches);
}

#[test]
fn a_disk_that_fills_in_the_middle_of_a_renewal_shows_nobody_half_a_log() {
    let mut refusals = 0;
    for operation in 0.. {
        let bench = Bench::new();
        let (mut engine, punches) = with_punches(&bench);
        let epoch = engine.state.up.epoch;
        bench.disk.set(|faults| {
            faults.plan = Some((faults.operations + operation, u64::MAX, Failure::Full));
        });
        let renewed = engine.renew_epoch(1, "test");
        bench.disk.set(|faults| faults.plan = None);
        let is_half = engine.state.up.epoch != epoch && engine.state.up_before.is_some();
        assert!(!is_half || engine.failed.is_some(), "half a log after {operation}");
        if renewed.is_ok() {
            break;
        }
        refusals += 1;
        drop(engine);
        let (mut engine, _) = bench.setting().open(Why::Recovery).unwrap();
        let kept = kept_events(&mut engine);
        assert_eq!(kept[..punches.len()], punches, "after {operation}");
    }
    assert!(refusals > 10, "{refusals}");
}
