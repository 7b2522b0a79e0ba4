//! What a handler gets: typed access to a request that was already let in.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::HeaderMap;
use ring::digest;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::{Error, Result};
use super::rate::{Allowance, RateLimits};
use super::session::Session;
use crate::app::App;
use crate::db::{Actor, CompanyId, IdempotencyKey};
use crate::i18n::{Message, Texts};

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(pub IpAddr);

/// A request past routing, rate limit, session and permission.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) app: Arc<App>,
    pub(super) method: super::Method,
    pub(super) path: String,
    pub(super) params: Vec<(String, String)>,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) peer: Peer,
    /// True when the browser reached us by TLS, also through a proxy.
    pub(super) secure: bool,
    pub(super) limits: Arc<RateLimits>,
    pub(super) session: Option<Session>,
    /// Token of a form shown before anybody signed in (the login).
    pub(super) visitor_csrf: Option<String>,
    pub(super) body: Bytes,
}

/// The name of the hidden field that carries the CSRF token.
pub(crate) const CSRF_FIELD: &str = "csrf_token";
/// The header that carries it for scripts.
pub(crate) const CSRF_HEADER: &str = "x-csrf-token";

impl Request {
    #[must_use]
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    #[must_use]
    pub const fn method(&self) -> super::Method {
        self.method
    }

    /// The path as asked, still percent-encoded.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What follows the `?`, still percent-encoded.
    #[must_use]
    pub fn query_text(&self) -> &str {
        &self.query
    }

    /// The body's bytes, for routes whose body is no form.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The path with its query, as asked.
    #[must_use]
    pub fn path_and_query(&self) -> String {
        let query = &self.query;
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }

    #[must_use]
    pub const fn peer(&self) -> Peer {
        self.peer
    }

    /// True when the browser reached us by TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Takes one try of what `key` names (`login:someone@example.dz`); 429 when there
    /// is none left.
    pub fn take_try(&self, key: &str, allowance: Allowance) -> Result<()> {
        self.limits.take(key, allowance, self.app.time.now()).map_err(Error::TooMany)
    }

    /// Gives all tries back, after a success.
    pub fn forgive_tries(&self, key: &str) {
        self.limits.forgive(key, self.app.time.now());
    }

    /// The session cookie as the browser sent it.
    #[must_use]
    pub fn session_cookie(&self) -> Option<&str> {
        self.cookie(super::cookies::session_name(self.secure))
    }

    /// The session. Routes that need a permission or a sign-in always have one.
    pub fn session(&self) -> Result<&Session> {
        self.session.as_ref().ok_or(Error::SignInNeeded)
    }

    /// The signed-in user as an actor.
    pub fn actor(&self) -> Result<Actor> {
        Ok(self.session()?.actor())
    }

    pub fn company(&self) -> Result<CompanyId> {
        Ok(self.session()?.company)
    }

    /// A path parameter; 404 when it does not parse.
    pub fn param<T: std::str::FromStr>(&self, name: &str) -> Result<T> {
        let value = self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        value.and_then(|value| value.parse().ok()).ok_or(Error::NotFound)
    }

    /// The query string as a struct; unknown fields are left out, wrong ones are 400.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T> {
        serde_urlencoded::from_str(&self.query).map_err(|error| malformed(&error.to_string()))
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A cookie by name.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        super::cookies::read(&self.headers, name)
    }

    /// A form as a struct, after its CSRF token was checked against the session (or
    /// against the visitor's token before sign-in).
    pub fn form<T: DeserializeOwned>(&self) -> Result<T> {
        self.check_csrf()?;
        serde_urlencoded::from_bytes(&self.body).map_err(|error| malformed(&error.to_string()))
    }

    /// A form's fields in order, repeats included, after the CSRF check.
    pub fn form_fields(&self) -> Result<Vec<(String, String)>> {
        self.form()
    }

    /// A JSON body as a struct. From a browser session it needs the CSRF header.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        if self.session.is_some() {
            self.check_csrf()?;
        }
        serde_json::from_slice(&self.body).map_err(|error| malformed(&error.to_string()))
    }

    /// The key of this act: the `Idempotency-Key` header or the hidden field
    /// `idempotency_key`, a UUID made when the form was shown.
    pub fn idempotency_key(&self) -> Result<IdempotencyKey> {
        let in_header = self.header("idempotency-key").map(str::to_owned);
        let key = in_header.or_else(|| self.field_unchecked("idempotency_key"));
        key.and_then(|key| Uuid::parse_str(&key).ok())
            .map(IdempotencyKey)
            .ok_or_else(|| Error::Malformed(Message::new("error-idempotency-key")))
    }

    /// The texts in the reader's language.
    #[must_use]
    pub fn texts(&self) -> Texts {
        let language = self.session.as_ref().map_or("fr", |session| session.language.as_str());
        self.app.texts.in_language(language)
    }

    /// True when htmx asks for a part of a page.
    #[must_use]
    pub fn wants_part(&self) -> bool {
        self.header("hx-request") == Some("true")
    }

    /// True when a program asks, not a browser.
    #[must_use]
    pub fn wants_json(&self) -> bool {
        self.path.starts_with("/api/")
            || self.header("accept").is_some_and(|accept| accept.starts_with("application/json"))
    }

    /// True when the visitor's cookie does not hold this token yet.
    pub(super) fn cookie_is_other(&self, token: &str) -> bool {
        self.cookie(super::cookies::visitor_name(self.secure)) != Some(token)
    }

    /// The CSRF token forms of this request must carry.
    pub(super) fn csrf_token(&self) -> &str {
        let session = self.session.as_ref().map(|session| session.csrf_token.as_str());
        session.or(self.visitor_csrf.as_deref()).unwrap_or_default()
    }

    /// True when a browser navigates.
    pub(super) fn wants_html(&self) -> bool {
        self.header("accept").is_some_and(|accept| accept.contains("text/html"))
    }

    pub(super) fn check_csrf(&self) -> Result<()> {
        let sent = self.header(CSRF_HEADER).map(str::to_owned);
        let sent = sent.or_else(|| self.field_unchecked(CSRF_FIELD)).unwrap_or_default();
        let expected = self.csrf_token();
        if !expected.is_empty() && same(&sent, expected) { Ok(()) } else { Err(Error::StaleForm) }
    }

    fn field_unchecked(&self, name: &str) -> Option<String> {
        let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(&self.body).ok()?;
        fields.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

fn malformed(detail: &str) -> Error {
    Error::Malformed(Message::new("error-malformed").with("detail", detail))
}

/// Compares secrets through their digests, so that the time taken says nothing of them.
pub(crate) fn same(left: &str, right: &str) -> bool {
    let digest = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
    digest(left).as_ref() == digest(right).as_ref()
}
