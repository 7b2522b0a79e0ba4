//! One reading of a clock over an open session: sizes, users, log, in the order that
//! survives what clocks do.
//!
//! The log is a snapshot, the count beside it is not: a punch between the two makes
//! them differ. When the layout stays open for that reason, the sizes and the log are
//! read once more before anybody is told.

use std::sync::Arc;

use chrono::NaiveDateTime;

use super::client::{ClientError, LogBytes, Session, Step, Table};
use super::layout::{
    AttendanceLayout, LayoutChoice, LogFacts, Sizes, UserTable, choose_layout, choose_users_layout,
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
    /// Nothing can be said about the bytes; the clock still holds them.
    Ambiguous {
        candidates: Vec<AttendanceLayout>,
        bytes: Vec<u8>,
    },
}

/// Reads the clock. The keypad is unlocked again whatever happens, as long as the
/// connection lives.
pub(super) async fn read(session: &mut Session, plan: &Plan) -> Result<Reading, ClientError> {
    if plan.lock {
        session.lock(LOCK_S).await?;
    }
    let reading = read_unlocked(session, plan).await;
    if plan.lock && !session.is_broken() {
        session.enable().await?;
    }
    reading
}

async fn read_unlocked(session: &mut Session, plan: &Plan) -> Result<Reading, ClientError> {
    let mut sizes = session.sizes().await?;
    let mut warnings = Vec::new();
    if plan.skip_at_count.is_some_and(|count| count == sizes.records) {
        return Ok(Reading { sizes, users: None, log: Log::Unchanged, warnings });
    }
    let read = read_users(session, plan, &sizes, &mut warnings).await?.map(Arc::new);
    let known = read.clone().or_else(|| plan.users.clone());
    let are_users_known = known.is_some();
    let users = known.unwrap_or_default();
    let LogBytes { mut records, warnings: odd } =
        session.read_table(Table::Log, plan.chunk_bytes).await?;
    warnings.extend(odd);
    let mut choice = choose(&records, plan, &sizes, &users);
    if matches!(choice, LayoutChoice::Ambiguous(_)) {
        sizes = session.sizes().await?;
        records = session.read_table(Table::Log, plan.chunk_bytes).await?.records;
        choice = choose(&records, plan, &sizes, &users);
    }
    if let LayoutChoice::Certain(AttendanceLayout::EightA | AttendanceLayout::EightB) = choice
        && !are_users_known
        && !plan.are_slots_enough
    {
        // Every punch would get another identity than with the table, and be doubled.
        return Err(ClientError::Refused { step: Step::Users, answer: code::ACK_ERROR });
    }
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

fn choose(records: &[u8], plan: &Plan, sizes: &Sizes, users: &UserTable) -> LayoutChoice {
    match plan.forced {
        Some(_) if records.is_empty() => LayoutChoice::Empty,
        Some(layout) if records.len().is_multiple_of(layout.stride()) => {
            LayoutChoice::Certain(layout)
        }
        Some(_) => LayoutChoice::Ambiguous(Vec::new()),
        None => {
            let facts = LogFacts { count: sizes.records, known: plan.known, users, now: plan.now };
            choose_layout(records, &facts)
        }
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
