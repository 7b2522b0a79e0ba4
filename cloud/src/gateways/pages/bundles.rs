//! Diagnostics of a gateway: how far they are, and the file itself.

use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::parts::{nothing_new, read_gateway};
use super::views::{self, BundleView, GatewayView, mark_of};
use super::{MANAGE, VIEW};
use crate::db::Scope;
use crate::gateways::sql::bundles::{self, Name};
use crate::web::{Error, Page, Request, Response, Result, Route, get};

/// Shown: those that are kept, and a few that failed.
const SHOWN: i64 = 5;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/gateways/{gateway_id}/bundles", VIEW, list),
        // It holds the shop's configuration and log: for those who look after gateways.
        get("/gateways/{gateway_id}/bundles/{command_id}", MANAGE, download),
    ]
}

/// The newest diagnostics.
pub(super) struct BundleList {
    pub(super) bundles: Vec<BundleView>,
    pub(super) mark: String,
}

#[derive(Template)]
#[template(path = "gateways/templates/bundles.html")]
struct BundlesPart {
    page: Page,
    gateway: GatewayView,
    diagnostics: BundleList,
}

#[derive(Deserialize)]
struct Seen {
    #[serde(default)]
    seen: String,
}

async fn list(request: Request) -> Result<Response> {
    let gateway = read_gateway(&request).await?;
    let mut scope = request.app().db.read(request.company()?).await?;
    let diagnostics = read(&request, &mut scope, &gateway).await?;
    if request.query::<Seen>()?.seen == diagnostics.mark {
        return Ok(nothing_new());
    }
    let page = request.page("gateways-title");
    Response::html(&BundlesPart { page, gateway, diagnostics })
}

pub(super) async fn read(
    request: &Request,
    scope: &mut Scope,
    gateway: &GatewayView,
) -> Result<BundleList> {
    let (company, texts) = (request.company()?, request.texts());
    let lines = bundles::newest(scope.connection(), company, gateway.gateway_id, SHOWN).await?;
    let mark = mark_of(&lines);
    let bundles = lines.iter().map(|line| views::bundle(line, gateway.zone, &texts)).collect();
    Ok(BundleList { bundles, mark })
}

/// The file, to be saved and not to be shown: what a shop's machine wrote is not ours.
async fn download(request: Request) -> Result<Response> {
    let gateway = read_gateway(&request).await?;
    let command_id: Uuid = request.param("command_id")?;
    let name = Name { company: request.company()?, gateway_id: gateway.gateway_id, command_id };
    let mut scope = request.app().db.read(name.company).await?;
    let bytes = bundles::whole(scope.connection(), name).await?.ok_or(Error::NotFound)?;
    let attachment = format!("attachment; filename=\"diagnostic-{command_id}.json\"");
    Ok(Response::bytes("application/json", bytes.into())
        .with_header("content-disposition", &attachment)
        .with_header("x-content-type-options", "nosniff"))
}
