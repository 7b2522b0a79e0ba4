//! The route table and its one dispatcher.
//!
//! Order of checks: path (404), method (405), session once, rate (429), sign-in (401),
//! permission (403), body to the route's limit (413), handler. A panic in a handler
//! becomes a 500 page.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use super::error::{Error, Result};
use super::request::Request;
use super::response::Response;
use super::session::Permission;

/// The methods the table knows. HEAD is answered as GET without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) fn parse(method: &hyper::Method) -> Option<Self> {
        match method.as_str() {
            "GET" | "HEAD" => Some(Self::Get),
            "POST" => Some(Self::Post),
            "PUT" => Some(Self::Put),
            "DELETE" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody. Each such route stands in a named list that a test holds.
    Public,
    /// Anybody signed in.
    SignedIn,
    /// Whoever holds the permission.
    Needs(Permission),
}

/// How often one caller may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateClass {
    /// Pages and forms: generous.
    Normal,
    /// Login: a few a minute per address, for a shop's people share one.
    Guarded,
    /// Enrolment: a few an hour per address; nobody has many machines to enrol.
    Scarce,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;
type Handler = Box<dyn Fn(Request) -> Answer + Send + Sync>;

/// One line of an area's table.
pub struct Route {
    pub method: Method,
    /// `/till/tickets/{ticket_id}`; matchit's syntax.
    pub path: &'static str,
    pub access: Access,
    pub rate: RateClass,
    /// Largest body it takes.
    pub body_bytes_max: usize,
    /// Its path is the same in capitals: machines call it that have their own idea of it.
    pub(super) is_any_case: bool,
    pub(super) handler: Handler,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {} {:?}", self.method.as_str(), self.path, self.access)
    }
}

/// Largest body unless a route says otherwise.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

impl Route {
    /// Guards a route against guessing.
    #[must_use]
    pub const fn guarded(mut self) -> Self {
        self.rate = RateClass::Guarded;
        self
    }

    /// Guards a route that is needed a few times in a gateway's life.
    #[must_use]
    pub const fn scarce(mut self) -> Self {
        self.rate = RateClass::Scarce;
        self
    }

    /// Takes its path in capitals too.
    #[must_use]
    pub const fn in_any_case(mut self) -> Self {
        self.is_any_case = true;
        self
    }

    #[must_use]
    pub const fn with_body_bytes_max(mut self, bytes: usize) -> Self {
        self.body_bytes_max = bytes;
        self
    }
}

fn route<H, F>(method: Method, path: &'static str, access: Access, handler: H) -> Route
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response>> + Send + 'static,
{
    Route {
        method,
        path,
        access,
        rate: RateClass::Normal,
        body_bytes_max: BODY_BYTES_MAX,
        is_any_case: false,
        handler: Box::new(move |request| Box::pin(handler(request))),
    }
}

/// A route that shows something.
pub fn get<H, F>(path: &'static str, access: Access, handler: H) -> Route
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response>> + Send + 'static,
{
    route(Method::Get, path, access, handler)
}

/// A route that does something.
pub fn post<H, F>(path: &'static str, access: Access, handler: H) -> Route
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response>> + Send + 'static,
{
    route(Method::Post, path, access, handler)
}

/// A route that replaces something.
pub fn put<H, F>(path: &'static str, access: Access, handler: H) -> Route
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response>> + Send + 'static,
{
    route(Method::Put, path, access, handler)
}

/// A route that takes something away.
pub fn delete<H, F>(path: &'static str, access: Access, handler: H) -> Route
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response>> + Send + 'static,
{
    route(Method::Delete, path, access, handler)
}

/// All routes of the program.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Route>,
    /// Path to the routes of that path, by method.
    paths: matchit::Router<HashMap<Method, usize>>,
}

/// Why the routes do not make a table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("route {method} {path} is there twice")]
    Twice { method: &'static str, path: &'static str },
    #[error("route {path} clashes with another")]
    Clash { path: &'static str, source: matchit::InsertError },
}

/// What the path and method led to.
pub(crate) struct Found<'t> {
    pub(crate) route: &'t Route,
    /// Percent-decoded path parameters.
    pub(crate) params: Vec<(String, String)>,
}

impl Table {
    /// Builds the table; a clash is a fault of the program and shows at start.
    pub fn new(routes: Vec<Route>) -> std::result::Result<Self, TableError> {
        let mut by_path: HashMap<&'static str, HashMap<Method, usize>> = HashMap::new();
        for (index, route) in routes.iter().enumerate() {
            let methods = by_path.entry(route.path).or_default();
            if methods.insert(route.method, index).is_some() {
                let (method, path) = (route.method.as_str(), route.path);
                return Err(TableError::Twice { method, path });
            }
        }
        let mut paths = matchit::Router::new();
        for (path, methods) in by_path {
            paths.insert(path, methods).map_err(|source| TableError::Clash { path, source })?;
        }
        Ok(Self { routes, paths })
    }

    /// Every route, for tests, metrics and documents.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The route of a path and method: 404 before 405.
    pub(crate) fn find(&self, method: Option<Method>, path: &str) -> Result<Found<'_>> {
        match self.find_exact(method, path) {
            Err(Error::NotFound) if path.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                let found = self.find_exact(method, &path.to_ascii_lowercase());
                found.ok().filter(|found| found.route.is_any_case).ok_or(Error::NotFound)
            }
            found => found,
        }
    }

    fn find_exact(&self, method: Option<Method>, path: &str) -> Result<Found<'_>> {
        let matched = self.paths.at(path).map_err(|_| Error::NotFound)?;
        let allowed = || {
            let mut names: Vec<_> = matched.value.keys().map(|method| method.as_str()).collect();
            names.sort_unstable();
            Error::MethodNotAllowed(names)
        };
        let index = method.and_then(|method| matched.value.get(&method)).ok_or_else(allowed)?;
        let route = self.routes.get(*index).ok_or(Error::NotFound)?;
        let mut params = Vec::new();
        for (name, value) in matched.params.iter() {
            params.push((name.to_owned(), percent_decoded(value).ok_or(Error::NotFound)?));
        }
        Ok(Found { route, params })
    }
}

/// Decodes `%41` and the like; `None` when it is not valid UTF-8 or cut short.
fn percent_decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
