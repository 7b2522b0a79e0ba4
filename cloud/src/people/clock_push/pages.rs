//! The page of clocks that call by themselves: let one in, see when it last called, ask it for
//! a range again, send it away.

use askama::Template;
use chrono::{DateTime, Utc};
use fournil_protocol::iclock::Command;
use fournil_protocol::iclock::ask::is_serial;
use serde::{Deserialize, Serialize};

use super::model;
use super::service::{self, Asked};
use super::sql::{self, ClockRow, CommandRow};
use super::talk;
use crate::db::Begun;
use crate::i18n::{Message, Texts};
use crate::identity::permission::{GATEWAYS_MANAGE, PUNCHES_ASSIGN, PUNCHES_VIEW};
use crate::people::clocks::{asked_range, is_away};
use crate::time::{At, DEFAULT_ZONE, at};
use crate::web::{Access, Error, Page, Request, Response, Result, Route, get, post};

const HOME: &str = "/clocks/push";

/// The area's routes.
#[must_use]
pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        get(HOME, Access::Needs(PUNCHES_VIEW), list),
        post(HOME, Access::Needs(GATEWAYS_MANAGE), allow),
        post("/clocks/push/revoke", Access::Needs(GATEWAYS_MANAGE), revoke),
        post("/clocks/push/ask", Access::Needs(PUNCHES_ASSIGN), ask),
    ];
    routes.extend(talk::routes());
    routes
}

/// A clock on its card.
#[derive(Debug, Clone)]
struct ClockView {
    clock_serial: String,
    label: String,
    href: String,
    zone: String,
    has_key: bool,
    is_allowed: bool,
    badge: &'static str,
    state: String,
    /// What is wrong, and what to do.
    fault: Option<String>,
    heard: Option<At>,
    heard_from: Option<String>,
    firmware: String,
    allowed: At,
    allowed_by: String,
}

fn view(row: ClockRow, texts: &Texts, now: DateTime<Utc>) -> ClockView {
    let is_silent = row.heard_at.is_some() && is_away(row.heard_at, now);
    let (badge, state) = match (row.is_allowed, row.heard_at) {
        (false, _) => ("badge--idle", "clock-push-state-away"),
        (true, None) => ("badge--unknown", "clock-push-state-never"),
        (true, Some(_)) if is_silent => ("badge--warn", "clock-push-state-silent"),
        (true, Some(_)) => ("badge--ok", "clock-push-state-ok"),
    };
    let fault = match (row.is_allowed, row.refused.as_deref()) {
        (true, Some("key")) => Some("clock-push-fault-key"),
        (true, Some("body")) => Some("clock-push-fault-body"),
        (true, Some("table")) => Some("clock-push-fault-table"),
        (true, Some(_)) => Some("clock-push-fault-no-hello"),
        (true, None) if is_silent => Some("clock-push-fault-silent"),
        _ => None,
    };
    let query = serde_urlencoded::to_string([("serial", &row.clock_serial)]).unwrap_or_default();
    ClockView {
        href: format!("/clocks/one?{query}"),
        badge: if row.is_allowed && row.refused.is_some() { "badge--bad" } else { badge },
        state: texts.get(state),
        fault: fault.map(|id| texts.get(id)),
        heard: row.heard_at.map(|heard| at(heard, DEFAULT_ZONE)),
        heard_from: row.heard_from,
        firmware: row.firmware,
        allowed: at(row.allowed_at, DEFAULT_ZONE),
        allowed_by: row.allowed_by,
        clock_serial: row.clock_serial,
        label: row.label,
        zone: row.zone,
        has_key: row.has_key,
        is_allowed: row.is_allowed,
    }
}

/// Something that was asked.
#[derive(Debug, Clone)]
struct CommandView {
    clock_serial: String,
    what: String,
    range: Option<(String, String)>,
    badge: &'static str,
    state: String,
    asked: At,
    asked_by: String,
}

fn command_view(row: CommandRow, texts: &Texts) -> CommandView {
    let badge = match row.state.as_str() {
        "done" => "badge--ok",
        "failed" => "badge--bad",
        "expired" => "badge--idle",
        _ => "badge--warn",
    };
    let result = row.result.filter(|result| *result < 0);
    let state = match result {
        Some(code) => texts.with("clock-push-refused-code", &[("code", code.to_string())]),
        None => texts.get(&format!("clock-push-command-{}", row.state)),
    };
    let day = |local: String| local.get(..10).unwrap_or(&local).to_owned();
    CommandView {
        what: texts.get(&format!("clock-push-kind-{}", row.kind)),
        range: row.from_local.map(day).zip(row.to_local.map(day)),
        badge,
        state,
        asked: at(row.asked_at, DEFAULT_ZONE),
        asked_by: row.asked_by,
        clock_serial: row.clock_serial,
    }
}

#[derive(Template)]
#[template(path = "people/clock_push/templates/list.html")]
struct ListPage {
    page: Page,
    clocks: Vec<ClockView>,
    commands: Vec<CommandView>,
    form: AllowForm,
    /// The field that is wrong, and how to mend it.
    fault: Option<(&'static str, String)>,
    /// Where a clock must call.
    server_name: String,
    server_port: u16,
    is_secure: bool,
    today: String,
    may_manage: bool,
    may_ask: bool,
}

impl ListPage {
    fn fault_of(&self, field: &str) -> &str {
        self.fault.as_ref().filter(|(at, _)| *at == field).map_or("", |(_, text)| text)
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct AllowForm {
    #[serde(default)]
    serial: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    zone: String,
    #[serde(default, skip_serializing)]
    key: String,
}

async fn list(request: Request) -> Result<Response> {
    let form = AllowForm { zone: DEFAULT_ZONE.name().to_owned(), ..AllowForm::default() };
    list_page(&request, form, None).await
}

async fn list_page(
    request: &Request,
    form: AllowForm,
    fault: Option<(&'static str, &'static str)>,
) -> Result<Response> {
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let rows = sql::clocks(scope.connection(), company).await?;
    let commands = sql::commands(scope.connection(), company).await?;
    let (texts, now) = (request.texts(), request.app().time.now());
    let (server_name, server_port, is_secure) = server(&request.app().public_url);
    let session = request.session()?;
    let page = ListPage {
        clocks: rows.into_iter().map(|row| view(row, &texts, now)).collect(),
        commands: commands.into_iter().map(|row| command_view(row, &texts)).collect(),
        form,
        fault: fault.map(|(field, id)| (field, texts.get(id))),
        server_name,
        server_port,
        is_secure,
        today: now.with_timezone(&DEFAULT_ZONE).format("%Y-%m-%d").to_string(),
        may_manage: session.may(GATEWAYS_MANAGE),
        may_ask: session.may(PUNCHES_ASSIGN),
        page: request.page("clock-push-title"),
    };
    let status = if page.fault.is_some() { 422 } else { 200 };
    Ok(Response::html(&page)?.with_status(status))
}

/// Name and port to type into a clock, from the address people use.
fn server(url: &str) -> (String, u16, bool) {
    let is_secure = url.starts_with("https://");
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    let port = if is_secure { 443 } else { 80 };
    match host.rsplit_once(':') {
        Some((name, given)) if !given.ends_with(']') => {
            (name.to_owned(), given.parse().unwrap_or(port), is_secure)
        }
        _ => (host.to_owned(), port, is_secure),
    }
}

async fn allow(request: Request) -> Result<Response> {
    let form: AllowForm = request.form()?;
    let (serial, label) = (form.serial.trim().to_owned(), form.label.trim().to_owned());
    let key_given = Some(form.key.trim()).filter(|key| !key.is_empty());
    let fault = if !is_serial(&serial) {
        Some(("serial", "clock-push-fault-serial"))
    } else if !(1..=80).contains(&label.chars().count()) {
        Some(("label", "clock-push-fault-label"))
    } else if model::zone(&form.zone).is_none() {
        Some(("zone", "clock-push-fault-zone"))
    } else if key_given.is_some_and(|key| !(4..=64).contains(&key.chars().count())) {
        Some(("key", "clock-push-fault-key-form"))
    } else {
        None
    };
    if fault.is_some() {
        return list_page(&request, form, fault).await;
    }
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let input = (&serial, &label, &form.zone);
    let begun =
        request.app().db.begin_once::<_, ()>(&actor, key, "clock_push.allow", &input).await?;
    if let Begun::Fresh(mut act) = begun {
        let zone = form.zone.trim();
        match service::allow(&mut act, &serial, &label, zone, key_given).await {
            Ok(()) => act.commit_with(&()).await?,
            Err(error) if error.constraint() == Some("push_clock_of_one_company") => {
                // The page reads by a connection of its own.
                drop(act);
                let fault = Some(("serial", "clock-push-fault-taken"));
                return list_page(&request, form, fault).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Response::see_other(HOME))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SerialForm {
    serial: String,
}

async fn revoke(request: Request) -> Result<Response> {
    let form: SerialForm = request.form()?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let begun =
        request.app().db.begin_once::<_, ()>(&actor, key, "clock_push.revoke", &form).await?;
    if let Begun::Fresh(mut act) = begun {
        if !service::revoke(&mut act, &form.serial).await? {
            return Err(Error::NotFound);
        }
        act.commit_with(&()).await?;
    }
    Ok(Response::see_other(HOME))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct AskForm {
    serial: String,
    what: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

impl AskForm {
    fn command(&self) -> Result<Command> {
        match self.what.as_str() {
            "read-punches" => {
                let (from, to) = asked_range(&self.from, &self.to)?;
                Ok(Command::ReadPunches { from, to })
            }
            "read-users" => Ok(Command::ReadUsers),
            _ => Ok(Command::Information),
        }
    }
}

async fn ask(request: Request) -> Result<Response> {
    let form: AskForm = request.form()?;
    let command = form.command()?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let begun = request.app().db.begin_once::<_, i64>(&actor, key, "clock_push.ask", &form).await?;
    if let Begun::Fresh(mut act) = begun {
        match service::ask(&mut act, &form.serial, command).await? {
            Asked::Queued(command_no) => act.commit_with(&command_no).await?,
            Asked::NotAllowed => return Err(Error::NotFound),
            Asked::TooMany => {
                return Err(Error::Refused(Message::new("clock-push-fault-too-many")));
            }
        }
    }
    Ok(Response::see_other(HOME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_type_into_a_clock_comes_from_the_address_people_use() {
        assert_eq!(server("https://erp.example.dz"), ("erp.example.dz".into(), 443, true));
        assert_eq!(server("https://erp.example.dz:9443/"), ("erp.example.dz".into(), 9443, true));
        assert_eq!(server("http://10.0.0.1"), ("10.0.0.1".into(), 80, false));
        assert_eq!(server("http://[::1]"), ("[::1]".into(), 80, false));
    }
}
