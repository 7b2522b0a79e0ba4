//! Documents on their way to paper: a business fact asks for a page inside its own
//! transaction, the command in the outbox is that wish, and its state says how it fared.
//!
//! Invariants: a sale never waits for paper; asked twice for one fact and purpose, one
//! page; a copy is a new command that names the old one, and its page says DUPLICATA;
//! nothing is called printed without saying how that is known.
//!
//! Door: [`enqueue`], [`open_drawer`], [`reprint`], [`states_of`], [`record_result`].

mod model;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use chrono::TimeDelta;
use fournil_protocol::command::{Body, OpenDrawer, Print};
use fournil_protocol::document::Document;
use uuid::Uuid;

use crate::db::{Act, CompanyId, DbError, Scope};
use crate::gateways::outbox::{self, NewCommand};
use crate::gateways::{Kind, Reported};

pub use model::{PrintState, Proof};

/// The hint that the state of a printed document changed; its subject is the document.
pub const TOPIC: &str = "prints";

/// A page nobody wants any more after this long: printed the next morning it confuses.
const PAGE_LIFE: TimeDelta = TimeDelta::hours(4);
/// A drawer that opens later than this opens for nobody.
const DRAWER_LIFE: TimeDelta = TimeDelta::seconds(20);
const DRAWER_PURPOSE: &str = "drawer";
const COPY_SOURCE: &str = "copy";

/// Asks for a page at a shop. `source_*` names the business fact: asked twice for the
/// same fact and `purpose`, one command exists. `None` when the shop has no gateway:
/// the fact stands all the same.
pub async fn enqueue(
    act: &mut Act,
    store_id: Uuid,
    source_kind: &'static str,
    source_id: Uuid,
    purpose: &'static str,
    document: Document,
) -> Result<Option<Uuid>, DbError> {
    let Some(gateway_id) = outbox::gateway_of_store(act, store_id).await? else {
        return Ok(None);
    };
    let title = document.title.clone();
    let new = NewCommand {
        gateway_id,
        device: "",
        title: &title,
        body: Body::Print(Print { document, copy_of: Vec::new() }),
        not_after: Some(act.now() + PAGE_LIFE),
        source_kind,
        source_id,
        purpose,
        copy_of: None,
    };
    outbox::enqueue(act, new).await.map(Some)
}

/// Asks for the drawer at a shop; expires in seconds, never twice.
pub async fn open_drawer(
    act: &mut Act,
    store_id: Uuid,
    source_kind: &'static str,
    source_id: Uuid,
) -> Result<Option<Uuid>, DbError> {
    let Some(gateway_id) = outbox::gateway_of_store(act, store_id).await? else {
        return Ok(None);
    };
    let new = NewCommand {
        gateway_id,
        device: "",
        title: "",
        body: Body::OpenDrawer(OpenDrawer { pin: 0 }),
        not_after: Some(act.now() + DRAWER_LIFE),
        source_kind,
        source_id,
        purpose: DRAWER_PURPOSE,
        copy_of: None,
    };
    outbox::enqueue(act, new).await.map(Some)
}

/// What came of asking for a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    /// The command that prints it.
    Asked(Uuid),
    /// There is no such page to repeat.
    NoPage,
    /// The shop has no gateway in service: nobody would print it.
    NoGateway,
}

/// Prints a page again at a shop: a new command that names the old one. It goes to the
/// gateway the shop has now; the one that had the first page may be long revoked. The shop
/// marks the paper DUPLICATA, because only there it is certain to be on it. Each call is a
/// copy of its own: the caller's idempotency key keeps it one.
pub async fn reprint(act: &mut Act, store_id: Uuid, command_id: Uuid) -> Result<Copy, DbError> {
    let Some((_, print)) = outbox::printed_document(act, command_id).await? else {
        return Ok(Copy::NoPage);
    };
    let Some(gateway_id) = outbox::gateway_of_store(act, store_id).await? else {
        return Ok(Copy::NoGateway);
    };
    let title = print.document.title.clone();
    let new = NewCommand {
        gateway_id,
        device: "",
        title: &title,
        body: Body::Print(Print {
            document: print.document,
            copy_of: command_id.as_bytes().to_vec(),
        }),
        not_after: Some(act.now() + PAGE_LIFE),
        source_kind: COPY_SOURCE,
        source_id: Uuid::now_v7(),
        purpose: COPY_SOURCE,
        copy_of: Some(command_id),
    };
    let copy_id = outbox::enqueue(act, new).await?;
    let details = serde_json::json!({ "copy_id": copy_id });
    act.audit("print.reprint", "command", &command_id.to_string(), details).await?;
    Ok(Copy::Asked(copy_id))
}

/// What the shop said of a page: whoever shows it looks again.
pub fn record_result(act: &mut Act, reported: &Reported) {
    if matches!(reported.kind, Kind::Print | Kind::Drawer) {
        act.hint(TOPIC, Some(reported.source_id));
    }
}

/// How a document's page fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageState {
    /// The command, to print it again; none where the shop had no gateway.
    pub command_id: Option<Uuid>,
    pub state: PrintState,
    pub copies: i64,
    /// How the newest copy fares, if one was asked for.
    pub newest_copy: Option<PrintState>,
}

impl PageState {
    /// What is said of a document no page was asked for.
    pub const NONE: Self =
        Self { command_id: None, state: PrintState::NoGateway, copies: 0, newest_copy: None };

    /// True when paper was asked for and neither the page nor its newest copy is known to
    /// have come out.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        let is_out = |state: &PrintState| matches!(state, PrintState::Printed(_));
        self.command_id.is_some()
            && !is_out(&self.state)
            && !self.newest_copy.as_ref().is_some_and(is_out)
    }
}

/// How the pages of documents of one kind fare. Every id asked for has an answer.
pub async fn states_of(
    scope: &mut Scope,
    company: CompanyId,
    source_kind: &str,
    source_ids: &[Uuid],
    purpose: &str,
) -> Result<HashMap<Uuid, PageState>, DbError> {
    let mut states: HashMap<Uuid, PageState> =
        source_ids.iter().map(|id| (*id, PageState::NONE)).collect();
    let commands = outbox::of_sources(scope, company, source_kind, source_ids, purpose).await?;
    for command in commands {
        let state = PrintState::of(command.state, &command.reason, command.evidence);
        let newest_copy =
            command.newest_copy.map(|copy| PrintState::of(copy.state, &copy.reason, copy.evidence));
        let (command_id, copies) = (Some(command.command_id), command.copies);
        let page = PageState { command_id, state, copies, newest_copy };
        states.insert(command.source_id, page);
    }
    Ok(states)
}
