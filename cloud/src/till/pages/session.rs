//! Counting a drawer at opening and at closing.

use askama::Template;
use uuid::Uuid;

use super::super::model::{CashCount, DENOMINATIONS, TillError};
use super::super::service::{self, CloseSession, Closed, OpenSession};
use super::super::sql::{self, ShownTill};
use crate::db::Begun;
use crate::i18n::Message;
use crate::money::Money;
use crate::web::{Error, Page, Request, Response, Result};

#[derive(Template)]
#[template(path = "till/templates/count.html")]
struct CountPage {
    page: Page,
    key: Uuid,
    till_id: Uuid,
    till: String,
    form: Form,
    rows: Vec<CountRow>,
    reason: String,
    fault: Option<String>,
    reason_fault: Option<String>,
}

/// What opening and closing have apart.
struct Form {
    action: String,
    lead: String,
    /// Text id of the button.
    submit: &'static str,
    /// The session being closed: a repeated request no longer finds it open.
    session_id: Option<Uuid>,
    /// What the count is compared with: the last closing, or the theory.
    expected: Option<Expected>,
}

struct Expected {
    label: &'static str,
    /// `11900.00`, for the script.
    amount: String,
    shown: String,
}

struct CountRow {
    denomination: i32,
    pieces: String,
}

/// A count as it was sent: notes by `pieces-<denomination>`, and the reason.
struct Sent {
    pieces: Vec<(i32, String)>,
    reason: String,
    session_id: Option<Uuid>,
}

impl Sent {
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut sent = Self { pieces: Vec::new(), reason: String::new(), session_id: None };
        for (name, value) in fields {
            if let Some(note) = name.strip_prefix("pieces-").and_then(|note| note.parse().ok()) {
                sent.pieces.push((note, value));
            } else if name == "reason" {
                sent.reason = value.chars().take(300).collect();
            } else if name == "session_id" {
                sent.session_id = value.parse().ok();
            }
        }
        sent
    }

    fn count(&self) -> Result<CashCount, TillError> {
        let mut pieces = Vec::new();
        for (note, typed) in &self.pieces {
            let typed = typed.trim();
            let number = if typed.is_empty() { Ok(0) } else { typed.parse() };
            pieces.push((*note, number.map_err(|_| TillError::BadCount)?));
        }
        CashCount::new(&pieces)
    }

    fn rows(&self) -> Vec<CountRow> {
        let typed = |note| self.pieces.iter().find(|(known, _)| *known == note);
        DENOMINATIONS
            .into_iter()
            .map(|note| CountRow {
                denomination: note,
                pieces: typed(note).map(|(_, typed)| typed.clone()).unwrap_or_default(),
            })
            .collect()
    }
}

async fn till_of(request: &Request) -> Result<ShownTill> {
    let till_id: Uuid = request.param("till_id")?;
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let tills = sql::list_tills(scope.connection(), company).await?;
    tills.into_iter().find(|till| till.till_id == till_id).ok_or(Error::NotFound)
}

/// The opening count.
pub(super) async fn show_open(request: Request) -> Result<Response> {
    let till = till_of(&request).await?;
    if till.session.is_some() {
        return Ok(Response::see_other(&format!("/till?till={}", till.till_id)));
    }
    opening_page(&request, &till, &Sent::read(Vec::new()), None)
}

fn opening_page(
    request: &Request,
    till: &ShownTill,
    sent: &Sent,
    fault: Option<&Error>,
) -> Result<Response> {
    let page = request.page("till-open-title");
    let form = Form {
        action: format!("/till/{}/open", till.till_id),
        lead: page.t("till-open-lead"),
        submit: "till-open-submit",
        session_id: None,
        expected: till.last_counted.map(|amount| expected("till-expected-opening", amount)),
    };
    count_page(page, till, sent, fault, form)
}

fn expected(label: &'static str, amount: Money) -> Expected {
    Expected { label, amount: amount.to_string(), shown: amount.french() }
}

fn count_page(
    page: Page,
    till: &ShownTill,
    sent: &Sent,
    fault: Option<&Error>,
    form: Form,
) -> Result<Response> {
    let said = |field: &str| match fault {
        Some(Error::Invalid(faults)) => {
            let found = faults.iter().find(|fault| fault.field == field);
            found.map(|fault| page.texts.say(&fault.message))
        }
        _ => None,
    };
    let status = fault.map_or(200, Error::status);
    let (count_fault, reason_fault) = (said("count"), said("reason"));
    let view = CountPage {
        key: Uuid::now_v7(),
        till_id: till.till_id,
        till: till.name.clone(),
        form,
        rows: sent.rows(),
        reason: sent.reason.clone(),
        fault: count_fault,
        reason_fault,
        page,
    };
    Ok(Response::html(&view)?.with_status(status))
}

/// Opens the till; a count that needs a reason comes back as it was typed.
pub(super) async fn open(request: Request) -> Result<Response> {
    let till = till_of(&request).await?;
    let sent = Sent::read(request.form_fields()?);
    match try_open(&request, &till, &sent).await {
        Ok(()) => Ok(Response::see_other(&format!("/till?till={}", till.till_id))),
        Err(error @ Error::Invalid(_)) => opening_page(&request, &till, &sent, Some(&error)),
        Err(error) => Err(error),
    }
}

async fn try_open(request: &Request, till: &ShownTill, sent: &Sent) -> Result<()> {
    let open = OpenSession {
        till_id: till.till_id,
        count: sent.count()?,
        reason: sent.reason.trim().to_owned(),
    };
    let (actor, key, app) = (request.actor()?, request.idempotency_key()?, request.app());
    if let Begun::Fresh(mut act) =
        app.db.begin_once::<_, Uuid>(&actor, key, "till.open", &open).await?
    {
        let texts = request.texts();
        let session = service::open_session(&mut act, &texts, &open, app.time.now()).await?;
        act.commit_with(&session).await?;
    }
    Ok(())
}

/// The closing count.
pub(super) async fn show_close(request: Request) -> Result<Response> {
    let till = till_of(&request).await?;
    if till.session.is_none() {
        return Ok(Response::see_other(&format!("/till?till={}", till.till_id)));
    }
    closing_page(&request, &till, &Sent::read(Vec::new()), None).await
}

async fn closing_page(
    request: &Request,
    till: &ShownTill,
    sent: &Sent,
    fault: Option<&Error>,
) -> Result<Response> {
    let page = request.page("till-close-title");
    let company = request.company()?;
    let session = till.session.as_ref().ok_or(Error::NotFound)?;
    let mut scope = request.app().db.read(company).await?;
    let (tickets, sold) =
        sql::session_sales(scope.connection(), company, session.session_id).await?;
    let theory = sql::theory(scope.connection(), company, session.session_id).await?;
    let lead = Message::new("till-close-lead").with("tickets", tickets).with("sold", sold.french());
    let lead = page.texts.say(&lead);
    let form = Form {
        action: format!("/till/{}/close", till.till_id),
        lead,
        submit: "till-close-submit",
        session_id: Some(session.session_id),
        expected: Some(expected("till-expected-closing", theory)),
    };
    count_page(page, till, sent, fault, form)
}

#[derive(Template)]
#[template(path = "till/templates/closed.html")]
struct ClosedPage {
    page: Page,
    till_id: Uuid,
    till: String,
    theoretical: String,
    counted: String,
    difference: String,
    is_exact: bool,
}

/// Closes the till and shows what was found.
pub(super) async fn close(request: Request) -> Result<Response> {
    let till = till_of(&request).await?;
    let sent = Sent::read(request.form_fields()?);
    match try_close(&request, &till, &sent).await {
        Ok(closed) => Response::html(&ClosedPage {
            page: request.page("till-closed-title"),
            till_id: till.till_id,
            till: till.name,
            theoretical: closed.theoretical.french(),
            counted: closed.counted.french(),
            difference: closed.difference.french(),
            is_exact: closed.difference.is_zero(),
        }),
        Err(error @ Error::Invalid(_)) if till.session.is_some() => {
            closing_page(&request, &till, &sent, Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

async fn try_close(request: &Request, till: &ShownTill, sent: &Sent) -> Result<Closed> {
    // A repeated request finds no open session: its key still gives the first answer.
    let open = till.session.as_ref().map(|session| session.session_id);
    let session_id = sent.session_id.or(open).ok_or(TillError::SessionNotOpen)?;
    let close =
        CloseSession { session_id, count: sent.count()?, reason: sent.reason.trim().to_owned() };
    let (actor, key, app) = (request.actor()?, request.idempotency_key()?, request.app());
    match app.db.begin_once(&actor, key, "till.close", &close).await? {
        Begun::Replayed(closed) => Ok(closed),
        Begun::Fresh(mut act) => {
            let texts = request.texts();
            let closed = service::close_session(&mut act, &texts, &close, app.time.now()).await?;
            act.commit_with(&closed).await?;
            Ok(closed)
        }
    }
}
