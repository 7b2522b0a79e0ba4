//! One's own account: name, role, password.

use askama::Template;
use serde::Deserialize;

use crate::db::Begun;
use crate::i18n::Message;
use crate::identity::model::password_fault;
use crate::identity::{password, service};
use crate::web::{
    Access, Allowance, Faults, FieldFault, Page, Request, Response, Result, Route, Session, get,
    post,
};

/// Wrong current passwords: somebody sits at an open screen.
const TRIES: Allowance = Allowance { burst: 5, refill_ms: 60_000 };

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/account", Access::SignedIn, show),
        post("/account/password", Access::SignedIn, change_password),
    ]
}

#[derive(Template)]
#[template(path = "identity/templates/account.html")]
struct AccountPage {
    page: Page,
    session: Session,
    faults: Faults,
    is_changed: bool,
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    changed: bool,
}

async fn show(request: Request) -> Result<Response> {
    let shown: Shown = request.query()?;
    account_page(&request, Faults::default(), shown.changed)
}

fn account_page(request: &Request, faults: Faults, is_changed: bool) -> Result<Response> {
    let page = request.page("identity-account-title");
    Response::html(&AccountPage { page, session: request.session()?.clone(), faults, is_changed })
}

#[derive(Deserialize)]
struct PasswordForm {
    current: String,
    new: String,
    again: String,
}

async fn change_password(request: Request) -> Result<Response> {
    let form: PasswordForm = request.form()?;
    let (session, key) = (request.session()?, request.idempotency_key()?);
    let db = &request.app().db;
    let tries = format!("password:{}", session.user_id);
    request.take_try(&tries, TRIES)?;
    let is_known = service::has_password(db, session.company, session.user_id, form.current);
    let mut faults = Vec::new();
    if !is_known.await? {
        let message = Message::new("identity-fault-current");
        faults.push(FieldFault { field: "current", message });
    }
    if let Some(message) = password_fault(&form.new, &session.email) {
        faults.push(FieldFault { field: "new", message });
    } else if form.new != form.again {
        faults.push(FieldFault { field: "again", message: Message::new("identity-fault-again") });
    }
    if !faults.is_empty() {
        return Ok(account_page(&request, Faults(faults), false)?.with_status(422));
    }
    request.forgive_tries(&tries);
    let hash = password::hash(form.new).await?;
    let (actor, cookie) = (session.actor(), request.session_cookie().unwrap_or_default());
    if let Begun::Fresh(mut act) =
        db.begin_once::<_, ()>(&actor, key, "identity.password_change", &session.user_id).await?
    {
        service::change_password(&mut act, session.user_id, &hash, cookie).await?;
        act.commit_with(&()).await?;
    }
    Ok(Response::see_other("/account?changed=true"))
}
