//! Damage: found wherever it is, told, and survived with everything that can be read.

use std::collections::HashSet;
use std::os::unix::fs::FileExt;
use std::path::Path;

use fournil_protocol::event::CommandState;

use super::{Bench, DOWN_EPOCH, command, id, kept_events, punch, report};
use crate::journal::inspect;

const PUNCHES: u32 = 40;

/// Several closed segments of punches, one unit each, none acknowledged.
fn filled() -> Bench {
    let bench = Bench::new();
    let mut engine = bench.open();
    for number in 0..PUNCHES {
        engine.append(vec![punch(number)]).unwrap();
        engine.commit().unwrap();
    }
    assert!(engine.segments.len() >= 3);
    bench
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[offset] ^= 1 << (offset % 8);
    std::fs::write(path, bytes).unwrap();
}

fn copy_of(bench: &Bench) -> Bench {
    let copy = Bench::new();
    for name in bench.segment_names() {
        std::fs::copy(bench.folder.path().join(&name), copy.folder.path().join(&name)).unwrap();
    }
    copy
}

/// Bytes of records in a segment, without the unused rest.
fn used_bytes(path: &Path) -> usize {
    let bytes = std::fs::read(path).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_closed_segment_is_found_and_the_rest_is_served() {
    let whole = filled();
    let name = whole.segment_names()[1].clone();
    for offset in 0..used_bytes(&whole.folder.path().join(&name)) {
        let bench = copy_of(&whole);
        flip(&bench.folder.path().join(&name), offset);

        let report = inspect(bench.folder.path()).unwrap();
        assert!(!report.damages.is_empty(), "not found at byte {offset}");
        let (mut engine, opened) = bench.try_open().unwrap();
        assert!(!opened.quarantined.is_empty());
        assert!(bench.segment_names().contains(&format!("{name}.bad")), "byte {offset}");
        let events = kept_events(&mut engine);
        let bad = bench.segment_names().iter().filter(|name| name.contains(".bad")).count();
        assert_eq!(bad, 1, "byte {offset}: {:?}", opened.quarantined);
        let punches: Vec<_> = events.iter().filter(|text| text.starts_with("punch")).collect();
        assert!(punches.len() >= PUNCHES as usize - 1, "{} left, byte {offset}", punches.len());
        // A lost event that the cloud never had must not leave its sequence to another.
        assert_eq!(opened.epoch_renewed, punches.len() < PUNCHES as usize, "byte {offset}");
        assert!(events.contains(&"journal-quarantined".to_owned()));
        let in_order: Vec<u32> = punches.iter().map(|text| text[6..].parse().unwrap()).collect();
        assert!(in_order.is_sorted());

        // It is told once.
        drop(engine);
        let again = bench.try_open().unwrap().1;
        assert!(again.quarantined.is_empty() && !again.epoch_renewed, "byte {offset}");
    }
}

#[test]
fn damage_before_a_later_fsync_in_the_newest_segment_is_not_a_torn_tail() {
    let bench = Bench::new();
    let mut engine = bench.open();
    let mut starts = Vec::new();
    for number in 0..3 {
        starts.push(engine.position());
        engine.append(vec![punch(number)]).unwrap();
        engine.commit().unwrap();
    }
    drop(engine);
    let name = bench.segment_names()[0].clone();
    flip(&bench.folder.path().join(&name), usize::try_from(starts[1]).unwrap() + 20);

    let (mut engine, opened) = bench.try_open().unwrap();
    assert_eq!(opened.torn_bytes_cut, 0);
    assert!(opened.epoch_renewed);
    let events = kept_events(&mut engine);
    assert_eq!(events[..2], ["punch 0".to_owned(), "punch 2".to_owned()]);
}

#[test]
fn damage_to_acknowledged_events_keeps_the_epoch_and_shortens_the_rewind() {
    let whole = filled();
    let mut engine = whole.open();
    let (epoch, last) = (engine.state.up.epoch, engine.state.up.last);
    engine.ack_up(epoch, last).unwrap();
    engine.commit().unwrap();
    drop(engine);
    let path = whole.folder.path().join(&whole.segment_names()[0]);
    flip(&path, used_bytes(&path) - 3);

    let (mut engine, opened) = whole.try_open().unwrap();
    assert!(!opened.epoch_renewed);
    assert_eq!(engine.state.up.epoch, epoch);
    assert!(engine.state.up.first_kept() > 1);
    assert_eq!(kept_events(&mut engine).last().unwrap(), "journal-quarantined");
}

#[test]
fn an_open_command_counts_as_begun_when_records_after_it_are_lost() {
    let bench = Bench::new();
    let mut engine = bench.open();
    engine.accept(DOWN_EPOCH, vec![command(1, 1), command(2, 2)]).unwrap();
    engine.report(&report(1, CommandState::Done)).unwrap();
    engine.commit().unwrap();
    let lost = engine.position();
    engine.begin(id(2), 1, "till".into()).unwrap();
    engine.commit().unwrap();
    let end = engine.position();
    engine.append(vec![punch(1)]).unwrap();
    engine.commit().unwrap();
    let path = engine.segments[0].path.clone();
    drop(engine);
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let zeros = vec![0; usize::try_from(end - lost).unwrap()];
    file.write_all_at(&zeros, lost).unwrap();

    let engine = bench.open();
    let jobs = engine.pending_jobs(&HashSet::new(), 9).unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].interrupted_attempt, Some(1), "it could have been printed twice");
}

#[test]
fn a_segment_that_vanished_is_noticed() {
    let bench = filled();
    std::fs::remove_file(bench.folder.path().join(&bench.segment_names()[1])).unwrap();
    let (mut engine, opened) = bench.try_open().unwrap();
    assert!(opened.epoch_renewed);
    let text = &opened.quarantined[0];
    assert!(text.contains("are missing before it"), "{text}");
    assert!(kept_events(&mut engine).len() > PUNCHES as usize / 2);
}

#[test]
fn a_record_moved_from_elsewhere_breaks_the_chain() {
    let (bench, other) = (filled(), filled());
    let name = bench.segment_names()[1].clone();
    let foreign = std::fs::read(other.folder.path().join(&name)).unwrap();
    std::fs::write(bench.folder.path().join(&name), foreign).unwrap();
    let damages = inspect(bench.folder.path()).unwrap().damages;
    assert!(damages.iter().any(|text| text.contains("does not follow")), "{damages:?}");
}

/// Everything a small journal was told, one unit each.
fn small() -> (Bench, Vec<String>) {
    let mut bench = Bench::new();
    // Everything in two segments, the first closed.
    bench.config.segment_bytes = 1_024;
    let mut engine = bench.open();
    engine.accept(DOWN_EPOCH, vec![command(1, 1), command(2, 2)]).unwrap();
    engine.commit().unwrap();
    for number in 0..3 {
        engine.append(vec![punch(number)]).unwrap();
        engine.commit().unwrap();
    }
    engine.begin(id(1), 1, "till".into()).unwrap();
    engine.commit().unwrap();
    engine.report(&report(1, CommandState::Done)).unwrap();
    engine.commit().unwrap();
    assert_eq!(engine.segments.len(), 2);
    let told = kept_events(&mut engine);
    (bench, told)
}

fn copy_small(bench: &Bench) -> Bench {
    let mut copy = copy_of(bench);
    copy.config.segment_bytes = bench.config.segment_bytes;
    copy
}

/// What may be served: what was written, in its order, and the journal's own words.
fn check_served(served: &[String], written: &[String], case: &str) {
    let mut rest = written.iter();
    for text in served.iter().filter(|text| !text.starts_with("journal-")) {
        assert!(rest.any(|known| known == text), "{case}: {text} was never written so");
    }
}

/// One bit of each byte, another one from byte to byte; all eight of them where a long run
/// is asked for (`FOURNIL_ALL_BITS=1`).
fn bits_of(offset: usize) -> std::ops::Range<usize> {
    if std::env::var_os("FOURNIL_ALL_BITS").is_some() { 0..8 } else { offset % 8..offset % 8 + 1 }
}

#[test]
fn any_flipped_bit_anywhere_is_told_and_no_wrong_record_is_ever_served() {
    let (whole, written) = small();
    let names = whole.segment_names();
    for name in &names {
        let path = whole.folder.path().join(name);
        let is_newest = name == names.last().unwrap();
        let end = if is_newest { 1_024 } else { used_bytes(&path) };
        let flips = (0..end).flat_map(|offset| bits_of(offset).map(move |bit| (offset, bit)));
        for (offset, bit) in flips {
            let case = format!("bit {bit} of byte {offset} of {name}");
            let bench = copy_small(&whole);
            let path = bench.folder.path().join(name);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[offset] ^= 1 << bit;
            std::fs::write(&path, bytes).unwrap();

            let report = inspect(bench.folder.path()).unwrap();
            assert!(report.has_torn_tail || !report.damages.is_empty(), "{case}: not seen");
            let (mut engine, opened) = bench.try_open().unwrap();
            let is_told = opened.torn_bytes_cut > 0 || !opened.quarantined.is_empty();
            assert!(is_told, "{case}: not told");
            let served = kept_events(&mut engine);
            check_served(&served, &written, &case);
            // Whatever is lost, a receipt that began is never taken for a new one.
            let jobs = engine.pending_jobs(&HashSet::new(), 9).unwrap();
            let first = jobs.iter().find(|job| job.id == id(1));
            let is_new = first.is_some_and(|job| job.interrupted_attempt.is_none());
            assert!(!is_new, "{case}: printed again");
        }
    }
}

#[test]
fn the_newest_segment_cut_at_any_byte_loses_what_stood_behind_the_cut_and_no_more() {
    let (whole, written) = small();
    let name = whole.segment_names().last().unwrap().clone();
    let path = whole.folder.path().join(&name);
    let end = used_bytes(&path);
    let mut lengths = Vec::new();
    for cut in 0..=1_024 {
        let bench = copy_small(&whole);
        let path = bench.folder.path().join(&name);
        std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(cut).unwrap();
        let (mut engine, opened) = bench.try_open().unwrap();
        let served = kept_events(&mut engine);
        let case = format!("cut at byte {cut}");
        check_served(&served, &written, &case);
        let facts = served.iter().filter(|text| !text.starts_with("journal-")).count();
        lengths.push(facts);
        if cut >= end as u64 {
            assert_eq!(facts, written.len(), "{case}");
            assert!(opened.quarantined.is_empty(), "{case}");
        }
        // It goes on, and what comes next is there after another start.
        engine.append(vec![punch(77)]).unwrap();
        engine.commit().unwrap();
        drop(engine);
        let served = kept_events(&mut bench.open());
        assert!(served.contains(&"punch 77".to_owned()), "{case}");
    }
    assert!(lengths.is_sorted(), "a longer file kept less: {lengths:?}");
}
