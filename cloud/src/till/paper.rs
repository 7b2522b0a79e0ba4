//! Tickets and paper: the one place where the till speaks with the print area.

use uuid::Uuid;

use super::model::TillError;
use super::{receipt, sql};
use crate::db::{Act, CompanyId, DbError, Scope};
use crate::i18n::Texts;
use crate::print::{self, PageState, PrintState};

/// The fact behind a receipt, and what the page is for.
const SOURCE: &str = "ticket";
const PURPOSE: &str = "receipt";

/// How a ticket's page fares, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paper {
    /// For `data-print-state`: `none`, `waiting`, `printed`, `unknown` or `failed`.
    pub(super) word: &'static str,
    /// The class of its badge.
    pub(super) badge: &'static str,
    pub(super) label: String,
    /// What to do, where something must be done.
    pub(super) remedy: Option<String>,
    pub(super) copies: i64,
    /// True while it may still change by itself.
    pub(super) is_moving: bool,
    pub(super) command_id: Option<Uuid>,
}

impl Paper {
    fn new(page: &PageState, texts: &Texts) -> Self {
        let (word, badge) = match page.state {
            PrintState::NoGateway => ("none", "badge--idle"),
            PrintState::OnItsWay | PrintState::Waiting(_) | PrintState::Printing => {
                ("waiting", "badge--warn")
            }
            PrintState::Printed(_) => ("printed", "badge--ok"),
            PrintState::Unknown => ("unknown", "badge--unknown"),
            PrintState::Failed(_) => ("failed", "badge--bad"),
        };
        Self {
            word,
            badge,
            label: texts.say(&page.state.message()),
            remedy: page.state.remedy().map(|remedy| texts.say(&remedy)),
            copies: page.copies,
            is_moving: word == "waiting",
            command_id: page.command_id,
        }
    }
}

/// How the receipt of a ticket fares.
pub(super) async fn of_ticket(
    scope: &mut Scope,
    company: CompanyId,
    texts: &Texts,
    ticket_id: Uuid,
) -> Result<Paper, DbError> {
    let states = print::states_of(scope, company, SOURCE, &[ticket_id], PURPOSE).await?;
    let none = PageState { command_id: None, state: PrintState::NoGateway, copies: 0 };
    Ok(Paper::new(states.get(&ticket_id).unwrap_or(&none), texts))
}

/// Asks for a ticket's receipt and for the drawer, in the sale's own transaction.
pub(super) async fn ask_receipt(
    act: &mut Act,
    texts: &Texts,
    store_id: Uuid,
    ticket_id: Uuid,
) -> Result<(), TillError> {
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
    match command_id {
        Some(command_id) => print::reprint(act, command_id).await.map(drop)?,
        None => ask_page(act, texts, store_id, ticket_id).await?,
    }
    Ok(())
}

async fn ask_page(
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
    print::enqueue(act, store_id, SOURCE, ticket_id, PURPOSE, document).await?;
    Ok(())
}
