//! What people ask of a clock: read it, set its time, write its users, empty its log.

use fournil_protocol::clock::ClockTime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::read_clock;
use crate::db::Begun;
use crate::i18n::Message;
use crate::identity::permission::{GATEWAYS_MANAGE, PUNCHES_ASSIGN};
use crate::people::clocks::model::{RangeFault, range};
use crate::people::clocks::service::{self, Served, Wish};
use crate::web::{Access, Error, Request, Response, Result, Route, post};

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/clocks/ask", Access::Needs(PUNCHES_ASSIGN), ask),
        post("/clocks/reread", Access::Needs(PUNCHES_ASSIGN), reread),
        post("/clocks/users", Access::Needs(PUNCHES_ASSIGN), write_users),
        // What cannot be undone is the owner's.
        post("/clocks/clear", Access::Needs(GATEWAYS_MANAGE), clear),
    ]
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct AskForm {
    serial: String,
    what: Wish,
}

async fn ask(request: Request) -> Result<Response> {
    let form: AskForm = request.form()?;
    let clock = served(&request, &form.serial).await?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let begun = request.app().db.begin_once::<_, Uuid>(&actor, key, "clocks.ask", &form).await?;
    if let Begun::Fresh(mut act) = begun {
        let id = service::ask(&mut act, &clock, form.what, key.0).await?;
        act.commit_with(&id).await?;
    }
    Ok(back_to(&clock))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct RereadForm {
    serial: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

/// Asks for the punches of some days again.
async fn reread(request: Request) -> Result<Response> {
    let form: RereadForm = request.form()?;
    let range = asked_range(&form.from, &form.to)?;
    let clock = served(&request, &form.serial).await?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let begun = request.app().db.begin_once::<_, Uuid>(&actor, key, "clocks.reread", &form).await?;
    if let Begun::Fresh(mut act) = begun {
        let id = service::reread(&mut act, &clock, range, key.0).await?;
        act.commit_with(&id).await?;
    }
    Ok(back_to(&clock))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ClearForm {
    serial: String,
    records: u32,
    /// The serial number again, typed by hand.
    #[serde(default)]
    confirmed: String,
}

async fn clear(request: Request) -> Result<Response> {
    let form: ClearForm = request.form()?;
    let clock = served(&request, &form.serial).await?;
    if form.confirmed.trim() != clock.clock.clock_serial {
        return Err(Error::field("confirmed", Message::new("clocks-fault-confirm")));
    }
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let begun = request.app().db.begin_once::<_, Uuid>(&actor, key, "clocks.clear", &form).await?;
    if let Begun::Fresh(mut act) = begun {
        let id = service::clear(&mut act, &clock, form.records, key.0).await?;
        act.commit_with(&id).await?;
    }
    Ok(back_to(&clock))
}

/// The clock, and which of its numbers: a field for each that is ticked.
#[derive(Debug, Clone, Default, Serialize)]
struct UsersForm {
    serial: String,
    numbers: Vec<String>,
}

async fn write_users(request: Request) -> Result<Response> {
    let fields = request.form_fields()?;
    let mut form = UsersForm::default();
    for (name, value) in fields {
        match name.as_str() {
            "serial" => form.serial = value,
            "number" => form.numbers.push(value),
            _ => {}
        }
    }
    let clock = served(&request, &form.serial).await?;
    let nothing = || Error::Refused(Message::new("clocks-fault-nothing-to-write"));
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let begun = request.app().db.begin_once::<_, Uuid>(&actor, key, "clocks.users", &form).await?;
    if let Begun::Fresh(mut act) = begun {
        let written = service::write_users(&mut act, &clock, &form.numbers, key.0).await?;
        act.commit_with(&written.ok_or_else(nothing)?).await?;
    }
    Ok(back_to(&clock))
}

/// The days of a form with the fields `from` and `to`.
pub fn asked_range(from: &str, to: &str) -> Result<(ClockTime, ClockTime)> {
    range(from, to).map_err(|fault| {
        let (field, text) = match fault {
            RangeFault::NoTime => ("from", "clocks-fault-range"),
            RangeFault::Backwards => ("to", "clocks-fault-backwards"),
            RangeFault::TooLong => ("to", "clocks-fault-too-long"),
        };
        Error::field(field, Message::new(text))
    })
}

/// The clock, if a gateway serves it: one that calls by itself is asked on its own page.
async fn served(request: &Request, serial: &str) -> Result<Served> {
    let mut scope = request.app().db.read(request.company()?).await?;
    let clock = read_clock(request, &mut scope, serial).await?;
    Served::of(clock).ok_or_else(|| Error::Refused(Message::new("clocks-fault-not-served")))
}

fn back_to(clock: &Served) -> Response {
    let serial = [("serial", &clock.clock.clock_serial)];
    let query = serde_urlencoded::to_string(serial).unwrap_or_default();
    Response::see_other(&format!("/clocks/one?{query}"))
}
