//! Users: list, create, role and state, another password.

use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use crate::db::Begun;
use crate::i18n::Message;
use crate::identity::model::{
    Email, IdentityError, NewUser, RoleSummary, UserSummary, name_fault, password_fault,
};
use crate::identity::permission::USERS_MANAGE;
use crate::identity::{password, service};
use crate::time::{DEFAULT_ZONE, french_minute};
use crate::web::{
    Access, Error, Faults, FieldFault, Page, Request, Response, Result, Route, get, post,
};

const NEEDED: Access = Access::Needs(USERS_MANAGE);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/users", NEEDED, list),
        get("/users/new", NEEDED, show_new),
        post("/users/new", NEEDED, create),
        get("/users/{user_id}", NEEDED, show),
        post("/users/{user_id}/access", NEEDED, set_access),
        post("/users/{user_id}/password", NEEDED, reset_password),
    ]
}

#[derive(Template)]
#[template(path = "identity/templates/users.html")]
struct UsersPage {
    page: Page,
    users: Vec<UserSummary>,
}

async fn list(request: Request) -> Result<Response> {
    let (users, _) = service::list_users(&request.app().db, request.company()?).await?;
    Response::html(&UsersPage { page: request.page("identity-users-title"), users })
}

#[derive(Debug, Clone, Default, Deserialize)]
struct NewForm {
    name: String,
    email: String,
    role: String,
    password: String,
}

#[derive(Template)]
#[template(path = "identity/templates/user_new.html")]
struct NewPage {
    page: Page,
    roles: Vec<RoleSummary>,
    form: NewForm,
    faults: Faults,
}

async fn show_new(request: Request) -> Result<Response> {
    let form =
        NewForm { password: password::generated().unwrap_or_default(), ..NewForm::default() };
    new_page(&request, form, Faults::default()).await
}

async fn new_page(request: &Request, form: NewForm, faults: Faults) -> Result<Response> {
    let (_, roles) = service::list_users(&request.app().db, request.company()?).await?;
    let status = if faults.0.is_empty() { 200 } else { 422 };
    let page = request.page("identity-user-new-title");
    Ok(Response::html(&NewPage { page, roles, form, faults })?.with_status(status))
}

fn parsed(form: &NewForm) -> std::result::Result<NewUser, Faults> {
    let mut faults: Vec<FieldFault> = name_fault(&form.name).into_iter().collect();
    let email = Email::parse(&form.email);
    if email.is_none() {
        faults.push(FieldFault { field: "email", message: Message::new("identity-fault-email") });
    }
    if let Some(message) = password_fault(&form.password, &form.email) {
        faults.push(FieldFault { field: "password", message });
    }
    match email {
        Some(email) if faults.is_empty() => Ok(NewUser {
            email,
            name: form.name.clone(),
            role: form.role.clone(),
            password_hash: String::new(),
        }),
        _ => Err(Faults(faults)),
    }
}

async fn create(request: Request) -> Result<Response> {
    let form: NewForm = request.form()?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let mut new = match parsed(&form) {
        Ok(new) => new,
        Err(faults) => return new_page(&request, form, faults).await,
    };
    new.password_hash = password::hash(form.password.clone()).await?;
    let user_id: Uuid =
        match request.app().db.begin_once(&actor, key, "identity.user_create", &new).await? {
            Begun::Replayed(user_id) => user_id,
            Begun::Fresh(mut act) => match service::create_user(&mut act, &new).await {
                Ok(user_id) => {
                    act.commit_with(&user_id).await?;
                    user_id
                }
                Err(error) => {
                    // The page reads by a connection of its own: with the act still open
                    // a full pool would wait for itself.
                    drop(act);
                    return told_on_form(&request, form, error).await;
                }
            },
        };
    Ok(Response::see_other(&format!("/users/{user_id}?saved=true")))
}

async fn told_on_form(request: &Request, form: NewForm, error: IdentityError) -> Result<Response> {
    match error.into() {
        Error::Invalid(faults) => new_page(request, form, Faults(faults)).await,
        other => Err(other),
    }
}

#[derive(Template)]
#[template(path = "identity/templates/user.html")]
struct UserPage {
    page: Page,
    user: UserSummary,
    roles: Vec<RoleSummary>,
    faults: Faults,
    is_self: bool,
    is_saved: bool,
    last_seen: Option<String>,
    suggestion: String,
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    saved: bool,
}

async fn show(request: Request) -> Result<Response> {
    let shown: Shown = request.query()?;
    user_page(&request, Faults::default(), shown.saved).await
}

async fn user_page(request: &Request, faults: Faults, is_saved: bool) -> Result<Response> {
    let user_id: Uuid = request.param("user_id")?;
    let (user, roles) = service::show_user(&request.app().db, request.company()?, user_id).await?;
    let status = if faults.0.is_empty() { 200 } else { 422 };
    let page = UserPage {
        page: request.page("identity-user-title"),
        is_self: request.session()?.user_id == user.user_id,
        last_seen: user.last_seen_at.map(|at| french_minute(at, DEFAULT_ZONE)),
        user,
        roles,
        faults,
        is_saved,
        suggestion: password::generated().unwrap_or_default(),
    };
    Ok(Response::html(&page)?.with_status(status))
}

#[derive(Deserialize)]
struct AccessForm {
    role: String,
    #[serde(default)]
    active: bool,
}

async fn set_access(request: Request) -> Result<Response> {
    let form: AccessForm = request.form()?;
    let user_id: Uuid = request.param("user_id")?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let input = (user_id, &form.role, form.active);
    let begun = request.app().db.begin_once::<_, ()>(&actor, key, "identity.access_change", &input);
    if let Begun::Fresh(mut act) = begun.await? {
        service::set_access(&mut act, user_id, &form.role, form.active).await?;
        act.commit_with(&()).await?;
    }
    Ok(Response::see_other(&format!("/users/{user_id}?saved=true")))
}

#[derive(Deserialize)]
struct ResetForm {
    password: String,
}

async fn reset_password(request: Request) -> Result<Response> {
    let form: ResetForm = request.form()?;
    let user_id: Uuid = request.param("user_id")?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    if let Some(message) = password_fault(&form.password, "") {
        let faults = Faults(vec![FieldFault { field: "password", message }]);
        return user_page(&request, faults, false).await;
    }
    let hash = password::hash(form.password).await?;
    let begun =
        request.app().db.begin_once::<_, ()>(&actor, key, "identity.password_reset", &user_id);
    if let Begun::Fresh(mut act) = begun.await? {
        service::reset_password(&mut act, user_id, &hash).await?;
        act.commit_with(&()).await?;
    }
    Ok(Response::see_other(&format!("/users/{user_id}?saved=true")))
}
