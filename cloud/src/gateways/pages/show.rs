//! The list of gateways, one gateway, its commands and the life of one of them.
//!
//! Parts that refresh carry a mark of what they show; while nothing changed the answer is
//! 204 and the page stays as it is, focus and all.

use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::VIEW;
use super::bundles::{self, BundleList};
use super::parts::{nothing_new, read_gateway, read_gateways};
use super::views::{
    self, CommandView, ExpiryView, GatewayView, KeyView, NoticeView, StepView, mark_of,
};
use crate::db::Scope;
use crate::gateways::sql::{keys, lists};
use crate::web::{Error, Page, Request, Response, Result, Route, get};

const COMMANDS_PER_PAGE: i64 = 25;
const NOTICES_SHOWN: i64 = 20;
const KEYS_SHOWN: i64 = 10;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/gateways", VIEW, list),
        get("/gateways/cards", VIEW, cards),
        get("/gateways/{gateway_id}", VIEW, show),
        get("/gateways/{gateway_id}/state", VIEW, state),
        get("/gateways/{gateway_id}/commands", VIEW, commands),
        get("/gateways/{gateway_id}/commands/{command_id}", VIEW, command),
    ]
}

#[derive(Template)]
#[template(path = "gateways/templates/list.html")]
struct ListPage {
    page: Page,
    served: Vec<ExpiryView>,
    gateways: Vec<GatewayView>,
    mark: String,
}

#[derive(Template)]
#[template(path = "gateways/templates/cards.html")]
struct Cards {
    page: Page,
    gateways: Vec<GatewayView>,
    mark: String,
}

/// What the reader already has.
#[derive(Deserialize)]
struct Seen {
    #[serde(default)]
    seen: String,
}

async fn list(request: Request) -> Result<Response> {
    let gateways = read_gateways(&request, None).await?;
    let mark = mark_of(&gateways);
    let served = read_served(&request).await?;
    Response::html(&ListPage { page: request.page("gateways-title"), served, gateways, mark })
}

async fn cards(request: Request) -> Result<Response> {
    let gateways = read_gateways(&request, None).await?;
    let mark = mark_of(&gateways);
    if request.query::<Seen>()?.seen == mark {
        return Ok(nothing_new());
    }
    Response::html(&Cards { page: request.page("gateways-title"), gateways, mark })
}

#[derive(Template)]
#[template(path = "gateways/templates/show.html")]
struct ShowPage {
    page: Page,
    gateway: GatewayView,
    mark: String,
    notices: Vec<NoticeView>,
    diagnostics: BundleList,
    keys: Vec<KeyView>,
    list: CommandList,
}

#[derive(Template)]
#[template(path = "gateways/templates/state.html")]
struct StatePart {
    page: Page,
    gateway: GatewayView,
    mark: String,
}

/// One page of commands.
struct CommandList {
    commands: Vec<CommandView>,
    /// Where the page of older ones begins.
    older: Option<i64>,
    is_newest: bool,
    mark: String,
}

#[derive(Template)]
#[template(path = "gateways/templates/commands.html")]
struct CommandsPart {
    page: Page,
    gateway: GatewayView,
    list: CommandList,
}

async fn show(request: Request) -> Result<Response> {
    let gateway = read_gateway(&request).await?;
    let mut scope = request.app().db.read(request.company()?).await?;
    let list = read_commands(&request, &mut scope, &gateway).await?;
    let diagnostics = bundles::read(&request, &mut scope, &gateway).await?;
    let company = request.company()?;
    let lines =
        lists::notices(scope.connection(), company, gateway.gateway_id, NOTICES_SHOWN).await?;
    let texts = request.texts();
    let notices = lines.iter().map(|line| views::notice(line, gateway.zone, &texts)).collect();
    let lines = keys::list(scope.connection(), company, gateway.gateway_id, KEYS_SHOWN).await?;
    let keys = lines.iter().map(|line| views::key(line, gateway.zone, &texts)).collect();
    let mark = mark_of(&gateway);
    let page = request.page("gateways-title");
    Response::html(&ShowPage { page, gateway, mark, notices, diagnostics, keys, list })
}

async fn state(request: Request) -> Result<Response> {
    let gateway = read_gateway(&request).await?;
    let mark = mark_of(&gateway);
    if request.query::<Seen>()?.seen == mark {
        return Ok(nothing_new());
    }
    Response::html(&StatePart { page: request.page("gateways-title"), gateway, mark })
}

async fn commands(request: Request) -> Result<Response> {
    let gateway = read_gateway(&request).await?;
    let mut scope = request.app().db.read(request.company()?).await?;
    let list = read_commands(&request, &mut scope, &gateway).await?;
    if request.query::<Seen>()?.seen == list.mark {
        return Ok(nothing_new());
    }
    let page = request.page("gateways-title");
    Response::html(&CommandsPart { page, gateway, list })
}

#[derive(Template)]
#[template(path = "gateways/templates/command.html")]
struct CommandPage {
    page: Page,
    gateway: GatewayView,
    steps: Vec<StepView>,
}

async fn command(request: Request) -> Result<Response> {
    let gateway = read_gateway(&request).await?;
    let command_id: Uuid = request.param("command_id")?;
    let mut scope = request.app().db.read(request.company()?).await?;
    let lines = lists::steps(scope.connection(), request.company()?, command_id).await?;
    if lines.is_empty() {
        return Err(Error::NotFound);
    }
    let texts = request.texts();
    let steps = lines.iter().map(|line| views::step(line, gateway.zone, &texts)).collect();
    let page = request.page("gateways-command-steps");
    Response::html(&CommandPage { page, gateway, steps })
}

/// What is to be said of the certificates this cloud serves.
async fn read_served(request: &Request) -> Result<Vec<ExpiryView>> {
    let mut scope = request.app().db.read(request.company()?).await?;
    let lines = keys::served(scope.connection()).await?;
    let (now, texts) = (request.app().time.now(), request.texts());
    let told = lines.iter().map(|line| views::expiry(&line.kind, Some(line.until), now, &texts));
    Ok(told.flatten().collect())
}

#[derive(Deserialize)]
struct Place {
    before: Option<i64>,
}

async fn read_commands(
    request: &Request,
    scope: &mut Scope,
    gateway: &GatewayView,
) -> Result<CommandList> {
    let before = request.query::<Place>()?.before;
    let start = before.unwrap_or(i64::MAX);
    let (company, at_most) = (request.company()?, COMMANDS_PER_PAGE + 1);
    let mut lines =
        lists::commands(scope.connection(), company, gateway.gateway_id, start, at_most).await?;
    let has_older = lines.len() > usize::try_from(COMMANDS_PER_PAGE).unwrap_or(usize::MAX);
    if has_older {
        lines.pop();
    }
    let texts = request.texts();
    let now = request.app().time.now();
    let views: Vec<CommandView> =
        lines.iter().map(|line| views::command(line, now, gateway.zone, &texts)).collect();
    let overdue = views.iter().filter(|view| view.overdue.is_some()).count();
    Ok(CommandList {
        mark: mark_of(&(&lines, overdue)),
        older: lines.last().filter(|_| has_older).map(|line| line.queue_no),
        is_newest: before.is_none(),
        commands: views,
    })
}
