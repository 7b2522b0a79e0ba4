//! What the selling screen asks again and again: the counter, and the paper of a ticket.

use serde::Serialize;
use uuid::Uuid;

use super::super::{paper, sql};
use crate::catalog;
use crate::quantity::Quantity;
use crate::stock;
use crate::web::{Error, Request, Response, Result};

#[derive(Serialize)]
struct CounterBody {
    goods: Vec<OnCounter>,
    /// Receipts not on paper, in words.
    unprinted: Option<String>,
}

#[derive(Serialize)]
struct OnCounter {
    product_id: Uuid,
    available: Quantity,
    shown: String,
}

/// What the counter holds now, for the badges of the grid.
pub(super) async fn counter(request: Request) -> Result<Response> {
    let till_id: Uuid = request.param("till_id")?;
    let company = request.company()?;
    let texts = request.texts();
    let mut scope = request.app().db.read(company).await?;
    let tills = sql::list_tills(scope.connection(), company).await?;
    let till = tills.into_iter().find(|till| till.till_id == till_id).ok_or(Error::NotFound)?;
    let sold = catalog::products_sold(scope.connection(), company).await?;
    let ids: Vec<Uuid> = sold.iter().map(|product| product.id).collect();
    let stocked = stock::available_at(scope.connection(), company, till.location_id, &ids).await?;
    let goods = sold
        .iter()
        .map(|product| {
            let index = stocked.binary_search_by_key(&product.id, |(id, _)| *id).ok();
            let there = index.and_then(|index| stocked.get(index)).map_or(Quantity::ZERO, |r| r.1);
            let available = product.in_sale_unit(there);
            let shown = texts.say(&product.sale_unit.quantity(available));
            OnCounter { product_id: product.id, available, shown }
        })
        .collect();
    let missing = match &till.session {
        Some(session) => paper::unprinted(&mut scope, company, session.session_id).await?,
        None => None,
    };
    Response::json(&CounterBody { goods, unprinted: missing.map(|message| texts.say(&message)) })
}

#[derive(Serialize)]
struct PrintBody {
    state: &'static str,
    label: String,
    remedy: Option<String>,
    is_moving: bool,
}

/// How the receipt of a ticket fares.
pub(super) async fn print_state(request: Request) -> Result<Response> {
    let ticket_id: Uuid = request.param("ticket_id")?;
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let known = sql::store_of_ticket(scope.connection(), company, ticket_id).await?;
    known.ok_or(Error::NotFound)?;
    let paper = paper::of_ticket(&mut scope, company, &request.texts(), ticket_id).await?;
    Response::json(&PrintBody {
        state: paper.word,
        label: paper.label,
        remedy: paper.remedy,
        is_moving: paper.is_moving,
    })
}
