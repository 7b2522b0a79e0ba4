//! Reads the whole folder into a [`State`] without changing a byte.
//!
//! What is wrong is told in [`Replayed`], for the engine to mend and for
//! `journal verify` to print.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::JournalError;
use super::framing::{Hash, NO_HASH};
use super::record::{Record, SegmentHead};
use super::segment::{Cursor, End, Met, Segment, Walk, read_head};
use super::state::State;
use super::uplog::Place;

/// The folder as it was found.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) state: State,
    pub(super) segments: Vec<Segment>,
    pub(super) next_seq: u64,
    pub(super) chain: Hash,
    /// Where the newest segment ends.
    pub(super) end: End,
    pub(super) damages: Vec<Damage>,
    pub(super) records: u64,
}

/// What is wrong with one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) segment: u64,
    pub(super) text: String,
    /// False when the segment was set aside for it at an earlier start.
    pub(super) is_new: bool,
}

/// Reads everything. `each` sees every record in order, for `journal dump`.
pub(super) fn replay(
    folder: &Path,
    for_writing: bool,
    mut each: impl FnMut(u64, &Record, Place),
) -> Result<Replayed, JournalError> {
    let mut segments = open_all(folder, for_writing)?;
    let heads: Vec<_> = segments.iter().map(|one| (one.number, one.read_head())).collect();
    let mut found = Replayed {
        state: State::default(),
        segments: Vec::new(),
        next_seq: 1,
        chain: NO_HASH,
        end: End { offset: 0, is_torn: false },
        damages: Vec::new(),
        records: 0,
    };
    let mut cursor = Cursor::default();
    for (index, segment) in segments.iter_mut().enumerate() {
        // Only the very next segment says where this one ends: if that one is gone, this one
        // may be whole all the same.
        let next = heads.get(index + 1).filter(|next| next.0 == segment.number + 1);
        let next = next.and_then(|next| next.1.as_ref());
        segment.closed_at_ms = next.map(|head| head.lived_ms);
        let is_last = index + 1 == heads.len() && !segment.is_bad;
        let until = next.map(|head| head.first_seq);
        found.end = walk(segment, until, is_last, &mut cursor, &mut found, &mut each)?;
    }
    found.state.finish_replay();
    found.segments = segments;
    found.next_seq = cursor.next_seq;
    found.chain = cursor.hash;
    Ok(found)
}

fn walk(
    segment: &Segment,
    until: Option<u64>,
    is_last: bool,
    cursor: &mut Cursor,
    found: &mut Replayed,
    each: &mut impl FnMut(u64, &Record, Place),
) -> Result<End, JournalError> {
    let bytes = segment.read_all().map_err(JournalError::reading(&segment.path))?;
    let is_new = !segment.is_bad;
    let number = segment.number;
    let Replayed { state, damages, records, .. } = found;
    let head = read_head(&bytes);
    // Without its head nothing can be appended, so its tail is not cut either.
    let is_last = is_last && head.is_some();
    let start = if let Some((head, length)) = head {
        enter(number, &head, cursor, state, |text| {
            damages.push(Damage { segment: number, text, is_new });
        });
        let place = Place { segment: number, offset: 0 };
        each(head.first_seq, &Record::from(head), place);
        length
    } else {
        damages.push(Damage { segment: number, text: "its head is damaged".into(), is_new });
        cursor.is_chained = false;
        0
    };
    let walk = Walk { number, bytes: &bytes, start, until, is_last };
    Ok(walk.run(cursor, |met| match met {
        Met::Record { record, frame, place } => {
            *records += 1;
            state.apply(&record, frame.seq, place, frame.bytes.len());
            each(frame.seq, &record, place);
        }
        Met::Damage { text, lost_records } => {
            damages.push(Damage { segment: number, text, is_new });
            state.up.interrupt();
            if lost_records {
                state.note_gap();
            }
        }
    }))
}

/// Goes over the border between two segments.
fn enter(
    number: u64,
    head: &SegmentHead,
    cursor: &mut Cursor,
    state: &mut State,
    mut damaged: impl FnMut(String),
) {
    // What stood before the oldest segment kept is meant to be gone.
    let is_oldest = state.incarnation == 0;
    if !is_oldest && head.first_seq > cursor.next_seq {
        let (first, last) = (cursor.next_seq, head.first_seq - 1);
        damaged(format!("records {first} to {last} are missing before it"));
        state.note_gap();
    } else if !is_oldest && cursor.is_chained && !head.chain.starts_with(&cursor.hash) {
        damaged("it does not follow the segment before it".to_owned());
    }
    let place = Place { segment: number, offset: 0 };
    state.apply(&Record::from(head.clone()), head.first_seq, place, 0);
    cursor.next_seq = cursor.next_seq.max(head.first_seq);
    if let Some(chain) = head.chain.first_chunk() {
        cursor.hash = *chain;
        cursor.is_chained = true;
    }
}

fn open_all(folder: &Path, for_writing: bool) -> Result<Vec<Segment>, JournalError> {
    let mut names: Vec<(u64, bool, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(JournalError::reading(folder))? {
        let entry = entry.map_err(JournalError::reading(folder))?;
        let name = entry.file_name();
        if let Some((number, is_bad)) = name.to_str().and_then(Segment::is_segment) {
            names.push((number, is_bad, entry.path()));
        }
    }
    names.sort();
    let mut segments = Vec::new();
    for (number, is_bad, path) in names {
        match Segment::open(path.clone(), number, is_bad, for_writing) {
            Ok(segment) => segments.push(segment),
            // The daemon, running beside, let it go just now.
            Err(error) if error.kind() == ErrorKind::NotFound && !for_writing => {}
            Err(error) => return Err(JournalError::reading(&path)(error)),
        }
    }
    Ok(segments)
}
