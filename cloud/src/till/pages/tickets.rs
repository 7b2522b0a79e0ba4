//! The list of tickets, and one ticket with the story of its paper.

use askama::Template;
use chrono::NaiveDate;
use serde::Deserialize;
use uuid::Uuid;

use super::super::{paper, service, sql};
use crate::db::{Begun, Scope};
use crate::time;
use crate::web::{Error, Page, Request, Response, Result};

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    day: String,
    #[serde(default)]
    code: String,
    /// `<unix microseconds>.<ticket id>` of the last row of the page before.
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "till/templates/tickets.html")]
struct TicketsPage {
    page: Page,
    day: String,
    code: String,
    tickets: Vec<TicketRow>,
    next: Option<String>,
}

struct TicketRow {
    ticket_id: Uuid,
    code: String,
    sold_at: String,
    till: String,
    cashier: String,
    total: String,
    paper: String,
    paper_badge: &'static str,
}

/// Tickets, newest first.
pub(super) async fn list(request: Request) -> Result<Response> {
    let filter: Filter = request.query()?;
    let company = request.company()?;
    let day = filter.day.parse::<NaiveDate>().ok();
    let before = filter.before.as_deref().and_then(read_cursor);
    let mut scope = request.app().db.read(company).await?;
    let code = filter.code.trim();
    let mut tickets = sql::list_tickets(scope.connection(), company, day, code, before).await?;
    let rows = usize::try_from(sql::PAGE_TICKETS).unwrap_or(usize::MAX);
    let has_more = tickets.len() > rows;
    tickets.truncate(rows);
    let last = tickets.last().filter(|_| has_more);
    let day_word = day.map(|day| day.to_string()).unwrap_or_default();
    let next = last.and_then(|last| {
        let before = format!("{}.{}", last.sold_at.timestamp_micros(), last.ticket_id);
        serde_urlencoded::to_string([("day", &*day_word), ("code", code), ("before", &before)]).ok()
    });
    let ids: Vec<Uuid> = tickets.iter().map(|ticket| ticket.ticket_id).collect();
    let papers = paper::of_tickets(&mut scope, company, &request.texts(), &ids).await?;
    let paper_of = |id: &Uuid| papers.get(id).map(|paper| (paper.label.clone(), paper.badge));
    let tickets = tickets
        .into_iter()
        .map(|ticket| (paper_of(&ticket.ticket_id).unwrap_or_default(), ticket))
        .map(|((paper, paper_badge), ticket)| TicketRow {
            paper,
            paper_badge,
            sold_at: time::french_minute(ticket.sold_at, time::zone(&ticket.zone)),
            total: ticket.total.french(),
            ticket_id: ticket.ticket_id,
            code: ticket.code,
            till: ticket.till,
            cashier: ticket.cashier,
        })
        .collect();
    let page = request.page("till-tickets-title");
    Response::html(&TicketsPage { page, day: day_word, code: code.to_owned(), tickets, next })
}

fn read_cursor(cursor: &str) -> Option<(chrono::DateTime<chrono::Utc>, Uuid)> {
    let (at, id) = cursor.split_once('.')?;
    let at = chrono::DateTime::from_timestamp_micros(at.parse().ok()?)?;
    Some((at, id.parse().ok()?))
}

#[derive(Template)]
#[template(path = "till/templates/ticket.html")]
struct TicketPage {
    page: Page,
    ticket_id: Uuid,
    key: Uuid,
    receipt: ReceiptView,
    paper: PaperView,
}

struct ReceiptView {
    code: String,
    store: String,
    till: String,
    sold_at: String,
    cashier: String,
    lines: Vec<[String; 4]>,
    total: String,
    /// Rounding of the cash and what was due, where it is not the total.
    rounded: Option<(String, String)>,
    received: String,
    change: String,
}

/// Also rendered alone, for the poll.
#[derive(Template)]
#[template(path = "till/templates/paper.html")]
struct PaperView {
    page: Page,
    ticket_id: Uuid,
    paper: paper::Paper,
}

/// One ticket.
pub(super) async fn show(request: Request) -> Result<Response> {
    let ticket_id: Uuid = request.param("ticket_id")?;
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let facts = sql::receipt(scope.connection(), company, ticket_id).await?;
    let facts = facts.ok_or(Error::NotFound)?;
    let paper = paper_view(&request, &mut scope, ticket_id).await?;
    let texts = request.texts();
    let lines = facts.lines.into_iter().map(|line| {
        let quantity = texts.say(&line.unit.quantity(line.quantity));
        [line.name, quantity, line.unit_price.french(), line.total.french()]
    });
    let due = facts.total + facts.rounding;
    let receipt = ReceiptView {
        lines: lines.collect(),
        rounded: (!facts.rounding.is_zero()).then(|| (facts.rounding.french(), due.french())),
        total: facts.total.french(),
        received: facts.received.french(),
        change: facts.change.french(),
        code: facts.code,
        store: facts.store,
        till: facts.till,
        sold_at: facts.sold_at,
        cashier: facts.cashier,
    };
    let page = request.page("till-ticket-title");
    Response::html(&TicketPage { page, ticket_id, key: Uuid::now_v7(), receipt, paper })
}

#[derive(Deserialize)]
struct Seen {
    #[serde(default)]
    seen: String,
}

/// The story of a ticket's paper, alone; nothing when it is what the page has.
pub(super) async fn paper(request: Request) -> Result<Response> {
    let ticket_id: Uuid = request.param("ticket_id")?;
    let Seen { seen } = request.query()?;
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let known = sql::store_of_ticket(scope.connection(), company, ticket_id).await?;
    known.ok_or(Error::NotFound)?;
    let view = paper_view(&request, &mut scope, ticket_id).await?;
    if view.paper.stamp() == seen {
        return Ok(Response::text(String::new()).with_status(204));
    }
    Response::html(&view)
}

async fn paper_view(request: &Request, scope: &mut Scope, ticket_id: Uuid) -> Result<PaperView> {
    let paper = paper::of_ticket(scope, request.company()?, &request.texts(), ticket_id).await?;
    Ok(PaperView { page: request.page("till-ticket-title"), ticket_id, paper })
}

/// Asks for a copy.
pub(super) async fn reprint(request: Request) -> Result<Response> {
    let ticket_id: Uuid = request.param("ticket_id")?;
    let _: Vec<(String, String)> = request.form_fields()?;
    let (company, texts) = (request.company()?, request.texts());
    let mut scope = request.app().db.read(company).await?;
    let paper = paper::of_ticket(&mut scope, company, &texts, ticket_id).await?;
    drop(scope);
    let (actor, key, app) = (request.actor()?, request.idempotency_key()?, request.app());
    let begun = app.db.begin_once::<_, ()>(&actor, key, "till.reprint", &ticket_id).await?;
    if let Begun::Fresh(mut act) = begun {
        service::reprint(&mut act, &texts, ticket_id, paper.command_id).await?;
        act.commit_with(&()).await?;
    }
    Ok(Response::see_other(&format!("/tickets/{ticket_id}")))
}
