//! Making a gateway and its code, and the address where the machine redeems it.

use askama::Template;
use fournil_protocol::enrol::{EnrolRefusal, EnrolRequest};
use fournil_protocol::limits::ENROL_BYTES_MAX;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::parts::read_gateway;
use super::views::GatewayView;
use super::{MANAGE, VIEW};
use crate::db::Begun;
use crate::gateways::enrol::{self, EnrolError};
use crate::gateways::sql::lists;
use crate::i18n::Message;
use crate::time::{self, At, at};
use crate::web::{Access, Error, Page, Request, Response, Result, Route, get, post};

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/gateway/enrol", Access::Public, redeem)
            .scarce()
            .with_body_bytes_max(ENROL_BYTES_MAX),
        get("/gateways/new", MANAGE, show_new),
        post("/gateways/new", MANAGE, create),
        post("/gateways/{gateway_id}/code", MANAGE, new_code),
        get("/gateways/{gateway_id}/enrolment", VIEW, enrolment),
    ]
}

/// A machine redeems its code. Answers JSON whatever happens.
async fn redeem(request: Request) -> Result<Response> {
    let outcome = match request.json::<EnrolRequest>() {
        Ok(asked) => enrol::redeem(&request.app().db, &request.app().time, &asked).await,
        Err(_) => Err(EnrolError::BadRequest),
    };
    match outcome {
        Ok(answer) => Response::json(&answer),
        Err(error) => {
            if let EnrolError::Db(cause) = &error {
                tracing::warn!(error = %cause, "an enrolment could not be stored");
            }
            let message = request.texts().say(&error.message());
            let refusal = EnrolRefusal { error: error.word().to_owned(), message };
            Ok(Response::json(&refusal)?.with_status(error.status()))
        }
    }
}

#[derive(Template)]
#[template(path = "gateways/templates/new.html")]
struct NewPage {
    page: Page,
    stores: Vec<(Uuid, String)>,
    form: NewForm,
    name_fault: String,
    store_fault: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct NewForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    store_id: String,
}

async fn show_new(request: Request) -> Result<Response> {
    new_page(&request, NewForm::default(), None).await
}

async fn new_page(
    request: &Request,
    form: NewForm,
    fault: Option<(&'static str, Message)>,
) -> Result<Response> {
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let stores = lists::stores(scope.connection(), company).await?;
    let texts = request.texts();
    let told = |field: &str| match &fault {
        Some((at, message)) if *at == field => texts.say(message),
        _ => String::new(),
    };
    let status = if fault.is_some() { 422 } else { 200 };
    let page = request.page("gateways-create-title");
    let (name_fault, store_fault) = (told("name"), told("store_id"));
    let new = NewPage { page, stores, form, name_fault, store_fault };
    Ok(Response::html(&new)?.with_status(status))
}

async fn create(request: Request) -> Result<Response> {
    let form: NewForm = request.form()?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    if !(1..=80).contains(&form.name.trim().chars().count()) {
        let fault = ("name", Message::new("gateways-fault-name"));
        return new_page(&request, form, Some(fault)).await;
    }
    let Ok(store_id) = Uuid::parse_str(&form.store_id) else {
        let fault = ("store_id", Message::new("gateways-fault-store"));
        return new_page(&request, form, Some(fault)).await;
    };
    let db = &request.app().db;
    let begun = db.begin_once::<_, Uuid>(&actor, key, "gateways.create", &form).await?;
    let Begun::Fresh(mut act) = begun else {
        return shown_before(&request, &begun);
    };
    let created = enrol::create_gateway(&mut act, store_id, &form.name).await;
    let gateway_id = match created {
        Ok(gateway_id) => gateway_id,
        Err(error) => {
            let fault = match error.constraint() {
                Some("gateway_name_unique") => ("name", Message::new("gateways-fault-name-taken")),
                Some("gateways_company_id_store_id_fkey") => {
                    ("store_id", Message::new("gateways-fault-store"))
                }
                _ => return Err(error.into()),
            };
            // The page reads by a connection of its own; see `enrol::new_code`.
            drop(act);
            return new_page(&request, form, Some(fault)).await;
        }
    };
    let code = enrol::new_code(&mut act, gateway_id).await?;
    act.commit_with(&gateway_id).await?;
    code_page(&request, gateway_id, &form.name, code)
}

async fn new_code(request: Request) -> Result<Response> {
    let gateway = read_gateway(&request).await?;
    if gateway.is_revoked() {
        return Err(Error::Refused(Message::new("gateways-not-active")));
    }
    let (actor, key, db) = (request.actor()?, request.idempotency_key()?, &request.app().db);
    let begun = db.begin_once::<_, Uuid>(&actor, key, "gateways.code", &gateway.gateway_id).await?;
    let Begun::Fresh(mut act) = begun else {
        return shown_before(&request, &begun);
    };
    let code = enrol::new_code(&mut act, gateway.gateway_id).await?;
    act.commit_with(&gateway.gateway_id).await?;
    code_page(&request, gateway.gateway_id, &gateway.name, code)
}

/// A form sent twice: the code is not kept anywhere, so it cannot be shown again.
fn shown_before(request: &Request, begun: &Begun<Uuid>) -> Result<Response> {
    let Begun::Replayed(gateway_id) = begun else {
        return Err(Error::Malformed(Message::new("error-idempotency-key")));
    };
    tracing::debug!(gateway.id = %gateway_id, path = request.path(), "a code form came twice");
    Ok(Response::see_other(&format!("/gateways/{gateway_id}?shown=once")))
}

#[derive(Template)]
#[template(path = "gateways/templates/code.html")]
struct CodePage {
    page: Page,
    gateway_id: Uuid,
    name: String,
    code: String,
    /// What to type on the shop's machine.
    command: String,
    /// It names a file that must be brought there first.
    needs_authority: bool,
    expires: At,
}

fn code_page(
    request: &Request,
    gateway_id: Uuid,
    name: &str,
    code: enrol::ShownCode,
) -> Result<Response> {
    let url = request.app().public_url.clone();
    let arguments = [("url", url), ("code", code.code.clone())];
    let needs_authority = request.app().authority_pem.is_some();
    let typed = if needs_authority { "gateways-code-typed-ca" } else { "gateways-code-typed" };
    let command = request.texts().with(typed, &arguments);
    Response::html(&CodePage {
        page: request.page("gateways-code-title"),
        gateway_id,
        name: name.trim().to_owned(),
        code: code.code,
        command,
        needs_authority,
        expires: at(code.expires_at, time::DEFAULT_ZONE),
    })
}

#[derive(Template)]
#[template(path = "gateways/templates/enrolment.html")]
struct EnrolmentPart {
    page: Page,
    gateway: GatewayView,
    is_waiting: bool,
}

/// Whether the machine has come: asked every second or two by the page with the code.
async fn enrolment(request: Request) -> Result<Response> {
    let gateway = read_gateway(&request).await?;
    let is_waiting = gateway.code_expires.is_some();
    let page = request.page("gateways-code-title");
    Response::html(&EnrolmentPart { page, gateway, is_waiting })
}
