//! Signing in and out.

use askama::Template;
use serde::Deserialize;

use crate::identity::model::{Email, safe_next};
use crate::identity::service::{self, SignIn};
use crate::web::{Access, Allowance, Page, Request, Response, Result, Route, get, post};

/// Tries for one e-mail, whatever addresses they come from; a success gives them back.
const TRIES: Allowance = Allowance { burst: 10, refill_ms: 90_000 };

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/login", Access::Public, show),
        post("/login", Access::Public, sign_in).guarded(),
        post("/logout", Access::SignedIn, sign_out),
    ]
}

#[derive(Template)]
#[template(path = "identity/templates/login.html")]
struct LoginPage {
    page: Page,
    email: String,
    next: String,
    is_refused: bool,
}

#[derive(Deserialize)]
struct Way {
    #[serde(default)]
    next: String,
}

async fn show(request: Request) -> Result<Response> {
    let way: Way = request.query()?;
    let next = safe_next(&way.next);
    if request.session().is_ok() {
        return Ok(Response::see_other(next));
    }
    let (page, next) = (request.page("identity-login-title"), next.to_owned());
    Response::html(&LoginPage { page, email: String::new(), next, is_refused: false })
}

#[derive(Deserialize)]
struct LoginForm {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(request: Request) -> Result<Response> {
    let form: LoginForm = request.form()?;
    let next = safe_next(&form.next).to_owned();
    let token = match Email::parse(&form.email) {
        Some(email) => {
            let tries = format!("login:{}", email.as_str());
            request.take_try(&tries, TRIES)?;
            let asked = SignIn {
                email,
                password: form.password,
                peer: request.peer().0.to_string(),
                user_agent: request.header("user-agent").unwrap_or_default().to_owned(),
            };
            let token = service::sign_in(&request.app().db, asked).await?;
            if token.is_some() {
                request.forgive_tries(&tries);
            }
            token
        }
        None => None,
    };
    let Some(token) = token else {
        let page = request.page("identity-login-title");
        let shown = LoginPage { page, email: form.email, next, is_refused: true };
        return Ok(Response::html(&shown)?.with_status(401));
    };
    Ok(Response::see_other(&next).with_session(&token, request.is_secure()))
}

async fn sign_out(request: Request) -> Result<Response> {
    if let Some(cookie) = request.session_cookie() {
        service::sign_out(&request.app().db, request.session()?, cookie).await?;
    }
    Ok(Response::see_other("/login").without_session(request.is_secure()))
}
