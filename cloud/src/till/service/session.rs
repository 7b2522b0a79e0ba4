//! Opening and closing a drawer: counted, compared, explained, posted.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::super::model::{CashCount, TillError};
use super::super::sql;
use crate::accounting::{self, Journal, Line, Party, Posting, account};
use crate::db::Act;
use crate::i18n::Texts;
use crate::money::Money;
use crate::time;

/// A drawer to open.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenSession {
    pub till_id: Uuid,
    pub count: CashCount,
    /// Why the count is not that of the last closing; empty when it is.
    pub reason: String,
}

/// A drawer to close.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CloseSession {
    pub session_id: Uuid,
    pub count: CashCount,
    /// Why the count is not the theory; empty when it is.
    pub reason: String,
}

/// What a closing found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    pub theoretical: Money,
    pub counted: Money,
    /// Counted less theory: below zero, cash is missing.
    pub difference: Money,
}

/// Opens a till with the cash counted in it. The first float of a till is capital; later
/// the count of the last closing is expected, and a difference is explained and posted.
pub async fn open_session(
    act: &mut Act,
    texts: &Texts,
    open: &OpenSession,
    at: DateTime<Utc>,
) -> Result<Uuid, TillError> {
    let company = act.company();
    let till = sql::lock_till(act.connection(), company, open.till_id)
        .await?
        .ok_or(TillError::UnknownTill)?;
    let last = sql::last_session(act.connection(), company, open.till_id).await?;
    let counted = open.count.total();
    let expected = match last {
        Some(sql::LastSession { counted: None, opened_by }) => {
            return Err(TillError::SessionAlreadyOpen { by: opened_by });
        }
        Some(sql::LastSession { counted: Some(left), .. }) => Some(left),
        None => None,
    };
    let difference = counted - expected.unwrap_or(counted);
    let reason = explained(difference, &open.reason)?;
    let business_date = time::business_date(at, time::zone(&till.zone));
    let session = sql::NewSession {
        id: Uuid::now_v7(),
        till_id: open.till_id,
        at,
        business_date,
        expected: expected.unwrap_or(counted),
        counted,
        reason,
    };
    let actor = act.actor().clone();
    let inserted = sql::insert_session(act.connection(), &actor, &session).await;
    if let Err(error) = inserted {
        return Err(match error.constraint() {
            Some("session_one_open_per_till") => {
                TillError::SessionAlreadyOpen { by: String::new() }
            }
            _ => error.into(),
        });
    }
    sql::insert_count(act.connection(), company, session.id, "opening", &open.count).await?;
    let details = json!({ "till": open.till_id, "float": counted, "difference": difference });
    act.audit("till.open", "cash_session", &session.id.to_string(), details).await?;
    act.hint("till", Some(open.till_id));
    let facts = Facts { till_id: open.till_id, session_id: session.id, business_date };
    let texts = texts.in_language(&till.language);
    if expected.is_none() {
        let label = texts.with("till-entry-float", &[("till", till.name)]);
        post_first_float(act, &facts, label, counted).await?;
    } else {
        let label = texts.with("till-entry-difference", &[("till", till.name)]);
        post_difference(act, &facts, "opening", label, difference).await?;
    }
    Ok(session.id)
}

/// Closes a session with the cash counted; theory, count and difference are kept for ever.
pub async fn close_session(
    act: &mut Act,
    texts: &Texts,
    close: &CloseSession,
    at: DateTime<Utc>,
) -> Result<Closed, TillError> {
    let company = act.company();
    let session = sql::lock_open_session(act.connection(), company, close.session_id)
        .await?
        .ok_or(TillError::SessionNotOpen)?;
    let theoretical = sql::theory(act.connection(), company, close.session_id).await?;
    let counted = close.count.total();
    let difference = counted - theoretical;
    let reason = explained(difference, &close.reason)?;
    let closing =
        sql::Closing { session_id: close.session_id, at, theoretical, counted, difference, reason };
    let actor = act.actor().clone();
    sql::insert_count(act.connection(), company, close.session_id, "closing", &close.count).await?;
    sql::close_session(act.connection(), &actor, &closing).await?;
    let details = json!({
        "theoretical": theoretical, "counted": counted, "difference": difference,
    });
    act.audit("till.close", "cash_session", &close.session_id.to_string(), details).await?;
    act.hint("till", Some(session.till_id));
    let facts = Facts {
        till_id: session.till_id,
        session_id: close.session_id,
        business_date: time::business_date(at, time::zone(&session.zone)),
    };
    let texts = texts.in_language(&session.language);
    let label = texts.with("till-entry-difference", &[("till", session.till)]);
    post_difference(act, &facts, "closing", label, difference).await?;
    Ok(Closed { theoretical, counted, difference })
}

/// The reason to keep; refused when there is a difference and nothing is said about it.
fn explained(difference: Money, reason: &str) -> Result<&str, TillError> {
    let reason = reason.trim();
    if difference.is_zero() || !reason.is_empty() {
        Ok(reason)
    } else {
        Err(TillError::ReasonNeeded { difference })
    }
}

struct Facts {
    till_id: Uuid,
    session_id: Uuid,
    business_date: NaiveDate,
}

impl Facts {
    fn posting(&self, rule: &'static str, label: String, lines: Vec<Line>) -> Posting {
        Posting {
            journal: Journal::Cash,
            date: self.business_date,
            label,
            source_kind: "cash_session",
            source_id: self.session_id,
            rule,
            lines,
        }
    }
}

async fn post_first_float(
    act: &mut Act,
    facts: &Facts,
    label: String,
    amount: Money,
) -> Result<(), TillError> {
    let cash = Line::debit(account::CASH, amount).of(Party::Till(facts.till_id));
    let lines = vec![cash, Line::credit(account::CAPITAL, amount)];
    let posting = facts.posting("float", label, lines);
    accounting::post(act, posting).await?;
    Ok(())
}

/// Short: 658 to cash. Over: cash to 758.
async fn post_difference(
    act: &mut Act,
    facts: &Facts,
    rule: &'static str,
    label: String,
    difference: Money,
) -> Result<(), TillError> {
    let party = Party::Till(facts.till_id);
    let lines = if difference.is_negative() {
        let missing = -difference;
        vec![
            Line::debit(account::OTHER_CHARGES, missing),
            Line::credit(account::CASH, missing).of(party),
        ]
    } else {
        vec![
            Line::debit(account::CASH, difference).of(party),
            Line::credit(account::OTHER_INCOME, difference),
        ]
    };
    let posting = facts.posting(rule, label, lines);
    accounting::post(act, posting).await?;
    Ok(())
}
