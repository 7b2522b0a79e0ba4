//! `/`.

use askama::Template;
use chrono::Timelike as _;

use crate::time::DEFAULT_ZONE;
use crate::web::{Access, Page, Request, Response, Result, Route, get};

#[must_use]
pub fn routes() -> Vec<Route> {
    vec![get("/", Access::SignedIn, show)]
}

#[derive(Template)]
#[template(path = "home/templates/home.html")]
struct HomePage {
    page: Page,
    greeting: String,
}

async fn show(request: Request) -> Result<Response> {
    let page = request.page("home-title");
    let hour = request.app().time.now().with_timezone(&DEFAULT_ZONE).hour();
    let id = if (5..18).contains(&hour) { "home-good-day" } else { "home-good-evening" };
    let greeting = page.t1(id, "name", &request.session()?.user_name);
    Response::html(&HomePage { page, greeting })
}
