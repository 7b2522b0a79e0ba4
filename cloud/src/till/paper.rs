//! Tickets and paper: the one place where the till speaks with the print area.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use uuid::Uuid;

use super::model::TillError;
use super::{receipt, sql};
use crate::db::{Act, CompanyId, DbError, Scope};
use crate::i18n::{Message, Texts};
use crate::print::{self, Copy, PageState, PrintState};

/// The fact behind a receipt, and what the page is for.
const SOURCE: &str = "ticket";
const PURPOSE: &str = "receipt";

/// How a ticket's page fares, in words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Paper {
    /// For `data-print-state`: `none`, `waiting`, `printed`, `unknown` or `failed`.
    pub(super) word: &'static str,
    /// The class of its badge.
    pub(super) badge: &'static str,
    pub(super) label: String,
    /// What to do, where something must be done.
    pub(super) remedy: Option<String>,
    pub(super) copies: i64,
    /// The newest copy, where there is one.
    pub(super) copy: Option<PaperCopy>,
    /// True while the page or its newest copy may still change by itself.
    pub(super) is_moving: bool,
    pub(super) command_id: Option<Uuid>,
}

/// How a copy fares, in words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PaperCopy {
    pub(super) word: &'static str,
    pub(super) badge: &'static str,
    pub(super) label: String,
    pub(super) remedy: Option<String>,
}

impl PaperCopy {
    fn new(state: &PrintState, texts: &Texts) -> Self {
        let (word, badge) = match state {
            PrintState::NoGateway => ("none", "badge--idle"),
            PrintState::OnItsWay | PrintState::Waiting(_) | PrintState::Printing => {
                ("waiting", "badge--warn")
            }
            PrintState::Printed(_) => ("printed", "badge--ok"),
            PrintState::Unknown => ("unknown", "badge--unknown"),
            PrintState::Failed(_) => ("failed", "badge--bad"),
        };
        let label = texts.say(&state.message());
        Self { word, badge, label, remedy: state.remedy().map(|remedy| texts.say(&remedy)) }
    }
}

impl Paper {
    fn new(page: &PageState, texts: &Texts) -> Self {
        let PaperCopy { word, badge, label, remedy } = PaperCopy::new(&page.state, texts);
        let copy = page.newest_copy.as_ref();
        let is_settled = page.state.is_settled() && copy.is_none_or(PrintState::is_settled);
        Self {
            word,
            badge,
            label,
            remedy,
            copies: page.copies,
            copy: copy.map(|state| PaperCopy::new(state, texts)),
            is_moving: !is_settled,
            command_id: page.command_id,
        }
    }

    /// Another one when anything that is shown has changed, so that a page is not read
    /// aloud again for nothing. Compared within one process only.
    pub(super) fn stamp(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

/// How the receipt of a ticket fares.
pub(super) async fn of_ticket(
    scope: &mut Scope,
    company: CompanyId,
    texts: &Texts,
    ticket_id: Uuid,
) -> Result<Paper, DbError> {
    let mut papers = of_tickets(scope, company, texts, &[ticket_id]).await?;
    Ok(papers.remove(&ticket_id).unwrap_or_else(|| Paper::new(&PageState::NONE, texts)))
}

/// How the receipts of tickets fare. Every ticket asked for has an answer.
pub(super) async fn of_tickets(
    scope: &mut Scope,
    company: CompanyId,
    texts: &Texts,
    tickets: &[Uuid],
) -> Result<HashMap<Uuid, Paper>, DbError> {
    let states = print::states_of(scope, company, SOURCE, tickets, PURPOSE).await?;
    Ok(states.iter().map(|(id, page)| (*id, Paper::new(page, texts))).collect())
}

/// How many of a session's newest receipts are not on paper; `None` when all are.
pub(super) async fn unprinted(
    scope: &mut Scope,
    company: CompanyId,
    session_id: Uuid,
) -> Result<Option<Message>, DbError> {
    let tickets = sql::newest_tickets(scope.connection(), company, session_id).await?;
    let states = print::states_of(scope, company, SOURCE, &tickets, PURPOSE).await?;
    let missing = states.values().filter(|page| page.is_missing()).count();
    Ok((missing > 0).then(|| Message::new("till-unprinted").with("count", missing)))
}

/// Asks for a ticket's receipt and for the drawer, in the sale's own transaction.
pub(super) async fn ask_receipt(
    act: &mut Act,
    texts: &Texts,
    store_id: Uuid,
    ticket_id: Uuid,
) -> Result<(), TillError> {
    // A sale never waits for paper: without a gateway it stands all the same.
    ask_page(act, texts, store_id, ticket_id).await?;
    print::open_drawer(act, store_id, SOURCE, ticket_id).await?;
    Ok(())
}

/// Asks for a copy of the page `command_id`. A ticket sold while the shop had no gateway
/// has no page yet: it gets its first.
pub(super) async fn ask_copy(
    act: &mut Act,
    texts: &Texts,
    store_id: Uuid,
    ticket_id: Uuid,
    command_id: Option<Uuid>,
) -> Result<(), TillError> {
    let asked = if let Some(command_id) = command_id {
        print::reprint(act, store_id, command_id).await?
    } else {
        let first = ask_page(act, texts, store_id, ticket_id).await?;
        first.map_or(Copy::NoGateway, Copy::Asked)
    };
    match asked {
        Copy::Asked(_) => Ok(()),
        Copy::NoPage => Err(TillError::UnknownTicket),
        Copy::NoGateway => Err(TillError::NoGateway),
    }
}

async fn ask_page(
    act: &mut Act,
    texts: &Texts,
    store_id: Uuid,
    ticket_id: Uuid,
) -> Result<Option<Uuid>, TillError> {
    let company = act.company();
    let facts = sql::receipt(act.connection(), company, ticket_id)
        .await?
        .ok_or(TillError::UnknownTicket)?;
    let document = receipt::document(&facts, &texts.in_language(&facts.language));
    Ok(print::enqueue(act, store_id, SOURCE, ticket_id, PURPOSE, document).await?)
}
