//! What people do with a gateway: ask its devices, print a test page, call a command
//! back, end a doubt, give it a name, end it.

use chrono::TimeDelta;
use fournil_protocol::command::{Body, Print, ReadClock, ReadStatus, SendDiagnostics};
use fournil_protocol::document::{Align, Document};
use fournil_protocol::limits::TRANSFER_BYTES_MAX;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::MANAGE;
use super::parts::read_gateway;
use super::views::{GatewayView, too_late};
use crate::db::{Act, Begun, DbError};
use crate::gateways::enrol;
use crate::gateways::outbox::{self, CancelOutcome, DoubtOutcome, GiveUpOutcome, NewCommand};
use crate::i18n::{Message, Texts};
use crate::time::french_minute;
use crate::web::{Error, Request, Response, Result, Route, post};

/// A wish made by hand is of no use later.
const ASKED_LIFE: TimeDelta = TimeDelta::minutes(10);
/// A diagnostic may have to wait for a line, and to come up a thin one.
const DIAGNOSTICS_LIFE: TimeDelta = TimeDelta::hours(2);

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/gateways/{gateway_id}/ask", MANAGE, ask),
        post("/gateways/{gateway_id}/rename", MANAGE, rename),
        post("/gateways/{gateway_id}/revoke", MANAGE, revoke),
        post("/gateways/{gateway_id}/clear", MANAGE, clear),
        post("/gateways/{gateway_id}/commands/{command_id}/cancel", MANAGE, cancel),
        post("/gateways/{gateway_id}/commands/{command_id}/give-up", MANAGE, give_up),
        post("/gateways/{gateway_id}/commands/{command_id}/settle", MANAGE, settle),
    ]
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct AskForm {
    what: What,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    ReadStatus,
    ReadClock,
    TestPage,
    Diagnostics,
}

async fn ask(request: Request) -> Result<Response> {
    let form: AskForm = request.form()?;
    let gateway = read_gateway(&request).await?;
    if !gateway.is_active() {
        return Err(Error::Refused(Message::new("gateways-not-active")));
    }
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let input = (gateway.gateway_id, &form);
    let begun = request.app().db.begin_once::<_, Uuid>(&actor, key, "gateways.ask", &input).await?;
    if let Begun::Fresh(mut act) = begun {
        let command_id = enqueue(&mut act, &gateway, form.what, key.0, &request.texts()).await?;
        let details = serde_json::json!({ "command_id": command_id, "what": form.what });
        let subject = gateway.gateway_id.to_string();
        act.audit("gateways.command", "gateway", &subject, details).await?;
        act.commit_with(&command_id).await?;
    }
    Ok(back_to(gateway.gateway_id))
}

async fn enqueue(
    act: &mut Act,
    gateway: &GatewayView,
    what: What,
    key: Uuid,
    texts: &Texts,
) -> std::result::Result<Uuid, DbError> {
    let (body, title) = match what {
        What::ReadStatus => (Body::ReadStatus(ReadStatus {}), String::new()),
        What::ReadClock => (Body::ReadClock(ReadClock::default()), String::new()),
        What::TestPage => {
            let document = test_page(act, gateway, texts);
            let title = document.title.clone();
            (Body::Print(Print { document, copy_of: Vec::new() }), title)
        }
        What::Diagnostics => {
            let body = SendDiagnostics { bytes_max: TRANSFER_BYTES_MAX };
            (Body::SendDiagnostics(body), String::new())
        }
    };
    let life = if matches!(what, What::Diagnostics) { DIAGNOSTICS_LIFE } else { ASKED_LIFE };
    let new = NewCommand {
        gateway_id: gateway.gateway_id,
        device: "",
        title: &title,
        body,
        not_after: Some(act.now() + life),
        source_kind: "gateway-page",
        source_id: key,
        purpose: "asked",
        copy_of: None,
    };
    outbox::enqueue(act, new).await
}

fn test_page(act: &Act, gateway: &GatewayView, texts: &Texts) -> Document {
    let title = texts.get("gateways-test-page-title");
    let when = french_minute(act.now(), gateway.zone);
    let page = Document {
        language: texts.language.to_owned(),
        title: title.clone(),
        ..Document::default()
    };
    page.heading(title)
        .rule()
        .pair(texts.get("gateways-test-page-gateway"), gateway.name.clone(), false)
        .pair(texts.get("gateways-test-page-when"), when, false)
        .pair(texts.get("gateways-test-page-who"), act.actor().label.clone(), false)
        .rule()
        .text(texts.get("gateways-test-page-accents"), Align::Start)
        .text(texts.get("gateways-test-page-end"), Align::Start)
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct RenameForm {
    name: String,
}

async fn rename(request: Request) -> Result<Response> {
    let form: RenameForm = request.form()?;
    let gateway_id: Uuid = request.param("gateway_id")?;
    if !(1..=80).contains(&form.name.trim().chars().count()) {
        return Err(Error::field("name", Message::new("gateways-fault-name")));
    }
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let input = (gateway_id, &form);
    let begun =
        request.app().db.begin_once::<_, ()>(&actor, key, "gateways.rename", &input).await?;
    if let Begun::Fresh(mut act) = begun {
        let found = enrol::rename(&mut act, gateway_id, &form.name).await.map_err(|error| {
            match error.constraint() {
                Some("gateway_name_unique") => {
                    Error::field("name", Message::new("gateways-fault-name-taken"))
                }
                _ => error.into(),
            }
        })?;
        if !found {
            return Err(Error::NotFound);
        }
        act.commit_with(&()).await?;
    }
    Ok(back_to(gateway_id))
}

async fn revoke(request: Request) -> Result<Response> {
    let gateway = read_gateway(&request).await?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let begun = request
        .app()
        .db
        .begin_once::<_, ()>(&actor, key, "gateways.revoke", &gateway.gateway_id)
        .await?;
    if let Begun::Fresh(mut act) = begun {
        enrol::revoke(&mut act, gateway.gateway_id).await?;
        act.commit_with(&()).await?;
    }
    Ok(back_to(gateway.gateway_id))
}

async fn clear(request: Request) -> Result<Response> {
    let gateway = read_gateway(&request).await?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let begun = request
        .app()
        .db
        .begin_once::<_, ()>(&actor, key, "gateways.clear", &gateway.gateway_id)
        .await?;
    if let Begun::Fresh(mut act) = begun {
        enrol::clear_suspicion(&mut act, gateway.gateway_id).await?;
        act.commit_with(&()).await?;
    }
    Ok(back_to(gateway.gateway_id))
}

async fn cancel(request: Request) -> Result<Response> {
    let (gateway_id, command_id) = named_command(&request)?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let begun =
        request.app().db.begin_once::<_, ()>(&actor, key, "gateways.cancel", &command_id).await?;
    if let Begun::Fresh(mut act) = begun {
        match outbox::cancel(&mut act, command_id).await? {
            CancelOutcome::Cancelled | CancelOutcome::Asked => {}
            CancelOutcome::NotFound => return Err(Error::NotFound),
            CancelOutcome::TooLate(state) => {
                let id = "gateways-command-cancel-too-late";
                return Err(Error::Refused(too_late(id, state, &request.texts())));
            }
        }
        let details = serde_json::json!({});
        act.audit("gateways.cancel", "command", &command_id.to_string(), details).await?;
        act.commit_with(&()).await?;
    }
    Ok(back_to(gateway_id))
}

async fn give_up(request: Request) -> Result<Response> {
    let (gateway_id, command_id) = named_command(&request)?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let begun =
        request.app().db.begin_once::<_, ()>(&actor, key, "gateways.give-up", &command_id).await?;
    if let Begun::Fresh(mut act) = begun {
        let state = match outbox::give_up(&mut act, command_id).await? {
            GiveUpOutcome::GivenUp(state) => state,
            GiveUpOutcome::NotFound => return Err(Error::NotFound),
            GiveUpOutcome::NotOverdue => {
                return Err(Error::Refused(Message::new("gateways-command-not-overdue")));
            }
            GiveUpOutcome::TooLate(state) => {
                let id = "gateways-command-give-up-too-late";
                return Err(Error::Refused(too_late(id, state, &request.texts())));
            }
        };
        let details = serde_json::json!({ "state": state.word() });
        act.audit("gateways.give-up", "command", &command_id.to_string(), details).await?;
        act.commit_with(&()).await?;
    }
    Ok(back_to(gateway_id))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SettleForm {
    happened: Happened,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Happened {
    Yes,
    No,
}

async fn settle(request: Request) -> Result<Response> {
    let form: SettleForm = request.form()?;
    let (gateway_id, command_id) = named_command(&request)?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let input = (command_id, &form);
    let begun =
        request.app().db.begin_once::<_, ()>(&actor, key, "gateways.settle", &input).await?;
    if let Begun::Fresh(mut act) = begun {
        let has_happened = form.happened == Happened::Yes;
        match outbox::settle_doubt(&mut act, command_id, has_happened).await? {
            DoubtOutcome::Settled => {}
            DoubtOutcome::NotFound => return Err(Error::NotFound),
            DoubtOutcome::NotInDoubt(state) => {
                let id = "gateways-command-not-in-doubt";
                return Err(Error::Refused(too_late(id, state, &request.texts())));
            }
        }
        let details = serde_json::json!({ "happened": has_happened });
        act.audit("gateways.settle", "command", &command_id.to_string(), details).await?;
        act.commit_with(&()).await?;
    }
    Ok(back_to(gateway_id))
}

fn named_command(request: &Request) -> Result<(Uuid, Uuid)> {
    Ok((request.param("gateway_id")?, request.param("command_id")?))
}

fn back_to(gateway_id: Uuid) -> Response {
    Response::see_other(&format!("/gateways/{gateway_id}"))
}
