//! One reading of a clock over an open session: sizes, users, log, in the order that
//! survives what clocks do.
//!
//! The log is a snapshot, the count beside it is not: a punch between the two makes
//! them differ. When the layout stays open for that reason, the sizes and the log are
//! read once more before anybody is told.
//!
//! A long log is not held: its ends decide how it is laid out, then it is read from the
//! clock's buffer and given out part by part.

use std::sync::Arc;

use chrono::NaiveDateTime;
use tokio::sync::mpsc;

use super::client::{Buffered, ClientError, LogBytes, Session, Step, StoredLog, Table};
use super::layout::{
    AttendanceLayout, END_BYTES, LayoutChoice, LogEnds, LogFacts, Sizes, UserTable, choose_by_ends,
    choose_users_layout,
};

use super::wire::code;
use crate::i18n::say;

/// A locked keypad unlocks by itself after this time, whatever becomes of us.
const LOCK_S: u32 = 120;

/// How to read.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Layout of an earlier reading.
    pub(super) known: Option<AttendanceLayout>,
    /// Layout that the operator set; it is not questioned.
    pub(super) forced: Option<AttendanceLayout>,
    /// The last user table that could be read: slots are better told by an old table than
    /// by none.
    pub(super) users: Option<Arc<UserTable>>,
    /// Records may name a slot instead of a person (a look, nothing is recorded).
    pub(super) are_slots_enough: bool,
    /// Do not read the log if the clock holds just so many records.
    pub(super) skip_at_count: Option<u32>,
    pub(super) chunk_bytes: u32,
    pub(super) lock: bool,
    /// Now, in the clock's zone.
    pub(super) now: NaiveDateTime,
}

/// What was read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) sizes: Sizes,
    /// Read anew with each log, because slots are given to other people; `None` when
    /// the log was not read either, or the table could not be.
    pub(super) users: Option<Arc<UserTable>>,
    pub(super) log: Log,
    pub(super) warnings: Vec<String>,
}

/// A part of a long log: whole records, in the order of the log.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) layout: AttendanceLayout,
    pub(super) users: Arc<UserTable>,
    pub(super) bytes: Vec<u8>,
}

/// The log, or why there is none.
#[derive(Debug, Clone)]
pub(super) enum Log {
    Unchanged,
    Empty,
    /// Whole records of this layout, not yet decoded: a long log is large.
    Records {
        layout: AttendanceLayout,
        bytes: Vec<u8>,
    },
    /// So many records were given out part by part.
    Poured {
        layout: AttendanceLayout,
        records: usize,
    },
    /// Nothing can be said about the bytes, of a long log its beginning; the clock still holds
    /// them.
    Ambiguous {
        candidates: Vec<AttendanceLayout>,
        bytes: Vec<u8>,
    },
}

/// Reads the clock. The keypad is unlocked again whatever happens, as long as the
/// connection lives. A long log goes to `parts` where there are some, else it is gathered too.
pub(super) async fn read(
    session: &mut Session,
    plan: &Plan,
    parts: Option<mpsc::Sender<Part>>,
) -> Result<Reading, ClientError> {
    if plan.lock {
        session.lock(LOCK_S).await?;
    }
    let reading = read_unlocked(session, plan, parts).await;
    if plan.lock && !session.is_broken() {
        session.enable().await?;
    }
    reading
}

async fn read_unlocked(
    session: &mut Session,
    plan: &Plan,
    parts: Option<mpsc::Sender<Part>>,
) -> Result<Reading, ClientError> {
    let mut sizes = session.sizes().await?;
    let mut warnings = Vec::new();
    if plan.skip_at_count.is_some_and(|count| count == sizes.records) {
        return Ok(Reading { sizes, users: None, log: Log::Unchanged, warnings });
    }
    let read = read_users(session, plan, &sizes, &mut warnings).await?.map(Arc::new);
    let known = read.clone().or_else(|| plan.users.clone());
    let are_users_known = known.is_some();
    let users = known.unwrap_or_default();
    let gathered = match parts {
        None => session.read_table(Table::Log, plan.chunk_bytes).await?,
        Some(parts) => match session.open_log(plan.chunk_bytes).await? {
            StoredLog::Gathered(log) => log,
            StoredLog::Buffered(buffered) => {
                let long = Long { plan, sizes: &sizes, users: &users, are_users_known };
                let log = long.pour(session, buffered, parts).await?;
                return Ok(Reading { sizes, users: read, log, warnings });
            }
        },
    };
    let LogBytes { mut records, warnings: odd } = gathered;
    warnings.extend(odd);
    let mut choice = choose(&records, plan, &sizes, &users);
    if matches!(choice, LayoutChoice::Ambiguous(_)) {
        sizes = session.sizes().await?;
        records = session.read_table(Table::Log, plan.chunk_bytes).await?.records;
        choice = choose(&records, plan, &sizes, &users);
    }
    need_users(&choice, plan, are_users_known)?;
    let log = match choice {
        LayoutChoice::Empty => Log::Empty,
        LayoutChoice::Certain(layout) => {
            let held = records.len() / layout.stride();
            if sizes.records as usize != held {
                let counted = sizes.records;
                warnings
                    .push(say("clock-count-differs", &[("counted", &counted), ("held", &held)]));
            }
            Log::Records { layout, bytes: records }
        }
        LayoutChoice::Ambiguous(candidates) => Log::Ambiguous { candidates, bytes: records },
    };
    Ok(Reading { sizes, users: read, log, warnings })
}

/// Records of 8 bytes name a slot: without the table every punch would get another identity
/// than with it, and be doubled.
fn need_users(
    choice: &LayoutChoice,
    plan: &Plan,
    are_users_known: bool,
) -> Result<(), ClientError> {
    let is_by_slot = matches!(
        choice,
        LayoutChoice::Certain(AttendanceLayout::EightA | AttendanceLayout::EightB)
    );
    if is_by_slot && !are_users_known && !plan.are_slots_enough {
        return Err(ClientError::Refused { step: Step::Users, answer: code::ACK_ERROR });
    }
    Ok(())
}

fn choose(records: &[u8], plan: &Plan, sizes: &Sizes, users: &UserTable) -> LayoutChoice {
    let ends = LogEnds { bytes: records.len(), head: records, tail: &[] };
    choose_from(&ends, plan, sizes, users)
}

fn choose_from(ends: &LogEnds<'_>, plan: &Plan, sizes: &Sizes, users: &UserTable) -> LayoutChoice {
    match plan.forced {
        Some(_) if ends.bytes == 0 => LayoutChoice::Empty,
        Some(layout) if ends.bytes.is_multiple_of(layout.stride()) => LayoutChoice::Certain(layout),
        Some(_) => LayoutChoice::Ambiguous(Vec::new()),
        None => {
            let facts = LogFacts { count: sizes.records, known: plan.known, users, now: plan.now };
            choose_by_ends(ends, &facts)
        }
    }
}

/// A log that is too long to be held.
struct Long<'l> {
    plan: &'l Plan,
    sizes: &'l Sizes,
    users: &'l Arc<UserTable>,
    are_users_known: bool,
}

impl Long<'_> {
    /// Decides by its ends, then gives it out. The buffer is freed whatever came of it.
    async fn pour(
        &self,
        session: &mut Session,
        buffered: Buffered,
        parts: mpsc::Sender<Part>,
    ) -> Result<Log, ClientError> {
        let (choice, head) = self.look(session, buffered).await?;
        need_users(&choice, self.plan, self.are_users_known)?;
        let log = match choice {
            LayoutChoice::Empty => Log::Empty,
            LayoutChoice::Certain(layout) => {
                let bytes = self.give_out(session, buffered, layout, &parts).await?;
                Log::Poured { layout, records: bytes / layout.stride() }
            }
            LayoutChoice::Ambiguous(candidates) => Log::Ambiguous { candidates, bytes: head },
        };
        session.free_buffer().await?;
        Ok(log)
    }

    /// How it is laid out, and its beginning. Where its beginning reads as before, its end
    /// needs no look.
    async fn look(
        &self,
        session: &mut Session,
        buffered: Buffered,
    ) -> Result<(LayoutChoice, Vec<u8>), ClientError> {
        let Self { plan, sizes, users, .. } = *self;
        let mut passage = buffered.passage();
        let (mut head, mut tail): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
        while let Some(part) = session.next_part(&mut passage).await? {
            let room = END_BYTES.saturating_sub(head.len()).min(part.len());
            head.extend_from_slice(part.get(..room).unwrap_or_default());
            tail.extend_from_slice(&part);
            tail.drain(..tail.len().saturating_sub(END_BYTES));
            let bytes = passage.total().unwrap_or_default();
            if head.len() == END_BYTES && (plan.known.is_some() || plan.forced.is_some()) {
                let begin = LogEnds { bytes, head: &head, tail: &[] };
                let choice = choose_from(&begin, plan, sizes, users);
                let expected = plan.forced.or(plan.known).map(LayoutChoice::Certain);
                if Some(&choice) == expected.as_ref() {
                    return Ok((choice, head));
                }
            }
        }
        let ends = LogEnds { bytes: passage.total().unwrap_or_default(), head: &head, tail: &tail };
        Ok((choose_from(&ends, plan, sizes, users), head))
    }

    /// Gives out whole records; how many bytes they were.
    async fn give_out(
        &self,
        session: &mut Session,
        buffered: Buffered,
        layout: AttendanceLayout,
        parts: &mpsc::Sender<Part>,
    ) -> Result<usize, ClientError> {
        let mut passage = buffered.passage();
        let (mut held, mut given): (Vec<u8>, usize) = (Vec::new(), 0);
        while let Some(part) = session.next_part(&mut passage).await? {
            held.extend_from_slice(&part);
            let rest = held.split_off(held.len() - held.len() % layout.stride());
            let bytes = std::mem::replace(&mut held, rest);
            given += bytes.len();
            let users = Arc::clone(self.users);
            // Whoever took them is gone: so is the reading.
            let _ = parts.send(Part { layout, users, bytes }).await;
        }
        Ok(given)
    }
}

/// Users are a help, not a condition, except where records name a slot only. `None` when
/// the table cannot be read.
async fn read_users(
    session: &mut Session,
    plan: &Plan,
    sizes: &Sizes,
    warnings: &mut Vec<String>,
) -> Result<Option<UserTable>, ClientError> {
    let table = match session.read_table(Table::Users, plan.chunk_bytes).await {
        Ok(table) => table,
        Err(error @ (ClientError::Refused { .. } | ClientError::Senseless { .. })) => {
            warnings.push(error.to_string());
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    warnings.extend(table.warnings);
    if table.records.is_empty() {
        return Ok(Some(UserTable::default()));
    }
    let Some(layout) = choose_users_layout(&table.records, sizes.users) else {
        let bytes = table.records.len();
        warnings.push(say("clock-users-unknown", &[("bytes", &bytes)]));
        return Ok(None);
    };
    Ok(Some(UserTable::new(layout.decode_all(&table.records))))
}
