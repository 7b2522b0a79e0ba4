//! Every outcome other than success becomes a response here: a page, JSON or a part
//! for htmx, by what the request accepts. Causes go to the log under a reference that
//! the page shows.

use askama::Template;
use serde::Serialize;
use uuid::Uuid;

use super::error::Error;
use super::page::Page;
use super::request::Request;
use super::response::Response;

#[derive(Template)]
#[template(path = "web/layout/error.html")]
struct ErrorPage {
    page: Page,
    status: u16,
    message: String,
    reference: Option<String>,
}

#[derive(Template)]
#[template(path = "web/layout/error_part.html")]
struct ErrorPart {
    page: Page,
    message: String,
    reference: Option<String>,
}

#[derive(Serialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Serialize)]
struct ErrorDetail {
    status: u16,
    /// Stable word for programs.
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<ErrorField>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
}

#[derive(Serialize)]
struct ErrorField {
    field: &'static str,
    code: &'static str,
    message: String,
}

/// The response to a request that did not succeed.
pub(super) fn response(request: &Request, error: &Error) -> Response {
    if let (Error::SignInNeeded, Some(way)) = (error, sign_in(request)) {
        return way;
    }
    let reference = logged(request, error);
    let response = if request.wants_json() {
        json(request, error, reference)
    } else if request.wants_part() {
        part(request, error, reference)
    } else {
        page(request, error, reference)
    };
    let response = response.unwrap_or_else(|fault| {
        tracing::error!(error = ?fault, "an error page could not be rendered");
        Response::text(request.texts().say(&error.message()))
    });
    with_details(response.with_status(error.status()), error)
}

/// The way to the login: a redirect for a browser, an order to htmx, none for programs.
fn sign_in(request: &Request) -> Option<Response> {
    if request.wants_part() {
        let shown = request.header("hx-current-url").and_then(path_of_url).unwrap_or("/");
        let order = Response::text(String::new()).with_status(401);
        return Some(order.with_header("hx-redirect", &login(shown)));
    }
    if request.wants_json() || !request.wants_html() {
        return None;
    }
    let next = match request.method() {
        super::Method::Get => request.path_and_query(),
        // What was sent is lost anyway; do not lead the browser to a form's target.
        _ => "/".to_owned(),
    };
    Some(Response::see_other(&login(&next)))
}

fn login(next: &str) -> String {
    let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
    if next == "/" { "/login".to_owned() } else { format!("/login?{query}") }
}

fn path_of_url(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    rest.find('/').and_then(|start| rest.get(start..))
}

fn page(request: &Request, error: &Error, reference: Option<String>) -> super::Result<Response> {
    let page = request.page("error-title");
    let message = page.texts.say(&error.message());
    Response::html(&ErrorPage { page, status: error.status(), message, reference })
}

fn part(request: &Request, error: &Error, reference: Option<String>) -> super::Result<Response> {
    let page = request.page("error-title");
    let message = page.texts.say(&error.message());
    let part = Response::html(&ErrorPart { page, message, reference })?;
    // Whatever the request aimed at stays as it is; the strip under the top bar tells.
    Ok(part.with_header("hx-retarget", "#notices").with_header("hx-reswap", "innerHTML"))
}

fn json(request: &Request, error: &Error, reference: Option<String>) -> super::Result<Response> {
    let texts = request.texts();
    let fields = match error {
        Error::Invalid(faults) => faults
            .iter()
            .map(|fault| ErrorField {
                field: fault.field,
                code: fault.message.id,
                message: texts.say(&fault.message),
            })
            .collect(),
        _ => Vec::new(),
    };
    let message = error.message();
    let detail = ErrorDetail {
        status: error.status(),
        code: message.id,
        message: texts.say(&message),
        fields,
        reference,
    };
    Response::json(&ErrorBody { error: detail })
}

fn with_details(response: Response, error: &Error) -> Response {
    match error {
        Error::MethodNotAllowed(methods) => {
            let mut allowed = methods.join(", ");
            if methods.contains(&"GET") {
                allowed.push_str(", HEAD");
            }
            response.with_header("allow", &allowed)
        }
        Error::TooMany(seconds) => response.with_header("retry-after", &seconds.to_string()),
        Error::Unavailable => response.with_header("retry-after", "5"),
        // The rest of a body nobody reads must not be taken for the next request.
        Error::TooLarge(_) | Error::TooSlow => response.with_header("connection", "close"),
        _ => response,
    }
}

/// Logs a fault of ours and gives the reference under which it stands.
fn logged(request: &Request, error: &Error) -> Option<String> {
    let Error::Internal(cause) = error else { return None };
    let reference = Uuid::new_v4().simple().to_string().get(..8).unwrap_or_default().to_owned();
    tracing::error!(
        web.reference = reference,
        web.path = request.path(),
        error = format!("{cause:#}"),
        "a request failed through a fault of the program"
    );
    Some(reference)
}
