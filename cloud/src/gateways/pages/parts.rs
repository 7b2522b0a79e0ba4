//! What several pages of gateways begin with.

use uuid::Uuid;

use super::views::{self, GatewayView};
use crate::gateways::sql::lists;
use crate::web::{Error, Request, Response, Result};

/// The gateway the path names; 404 when the company has none of that id.
pub(super) async fn read_gateway(request: &Request) -> Result<GatewayView> {
    let gateway_id: Uuid = request.param("gateway_id")?;
    let mut found = read_gateways(request, Some(gateway_id)).await?;
    found.pop().ok_or(Error::NotFound)
}

/// One gateway, or all of the company, with its devices.
pub(super) async fn read_gateways(
    request: &Request,
    only: Option<Uuid>,
) -> Result<Vec<GatewayView>> {
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let rows = lists::gateways(scope.connection(), company, only).await?;
    let devices = lists::devices(scope.connection(), company, only).await?;
    let texts = request.texts();
    let now = request.app().time.now();
    Ok(rows.iter().map(|row| views::gateway(row, &devices, now, &texts)).collect())
}

/// The answer to who has seen the newest already.
pub(super) fn nothing_new() -> Response {
    Response::text(String::new()).with_status(204)
}
