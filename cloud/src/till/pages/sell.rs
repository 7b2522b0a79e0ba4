//! The selling screen: grid, cart, cash. The grid is rendered here; `till.js` keeps the
//! cart in the browser and asks `/till/sell`, whose key is the ticket's own id.

use askama::Template;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::model::{Sale, Sold};
use super::super::{paper, service, sql};
use super::chosen;
use crate::catalog::{self, Product};
use crate::db::{Begun, IdempotencyKey};
use crate::money::Money;
use crate::quantity::Quantity;
use crate::stock;
use crate::time;
use crate::web::{Error, Page, Request, Response, Result};

#[derive(Deserialize)]
struct Wanted {
    till: Option<Uuid>,
}

#[derive(Template)]
#[template(path = "till/templates/till.html")]
struct TillPage {
    page: Page,
    till: Option<TillView>,
    others: Vec<(Uuid, String)>,
    categories: Vec<CategoryView>,
    products: Vec<ProductView>,
}

struct TillView {
    till_id: Uuid,
    name: String,
    store: String,
    session: Option<SessionView>,
}

struct SessionView {
    session_id: Uuid,
    opened_at: String,
    opened_by: String,
}

struct CategoryView {
    id: Uuid,
    name: String,
    emoji: String,
}

struct ProductView {
    product_id: Uuid,
    category_id: Uuid,
    sku: String,
    name: String,
    emoji: String,
    colour: String,
    /// `50.00`, as it is sent back.
    price: String,
    /// `50,00`, as it is read.
    shown_price: String,
    unit: &'static str,
    is_counted: bool,
    available: Quantity,
    shown_available: String,
}

impl ProductView {
    fn new(product: Product, available: Quantity) -> Self {
        let available = product.in_sale_unit(available);
        Self {
            product_id: product.id,
            category_id: product.category_id,
            price: product.price.to_string(),
            shown_price: product.price.french(),
            unit: product.sale_unit.as_str(),
            is_counted: product.sale_unit.is_counted(),
            shown_available: available.french(),
            available,
            sku: product.sku,
            name: product.name,
            emoji: product.emoji,
            colour: product.colour,
        }
    }
}

/// The selling screen, or how to open the till.
pub(super) async fn show(request: Request) -> Result<Response> {
    let wanted: Wanted = request.query()?;
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let tills = sql::list_tills(scope.connection(), company).await?;
    let others = tills.iter().map(|till| (till.till_id, till.name.clone())).collect();
    let till = chosen(tills, wanted.till);
    let (mut categories, mut products) = (Vec::new(), Vec::new());
    if let Some(till) = till.as_ref().filter(|till| till.session.is_some()) {
        let sold = catalog::products_sold(scope.connection(), company).await?;
        let ids: Vec<Uuid> = sold.iter().map(|product| product.id).collect();
        let stocked =
            stock::available_at(scope.connection(), company, till.location_id, &ids).await?;
        let tabs = catalog::categories(scope.connection(), company).await?;
        let is_used = |id| sold.iter().any(|product| product.category_id == id);
        categories = tabs
            .into_iter()
            .filter(|tab| is_used(tab.id))
            .map(|tab| CategoryView { id: tab.id, name: tab.name, emoji: tab.emoji })
            .collect();
        products = sold
            .into_iter()
            .map(|product| {
                let available = stocked.binary_search_by_key(&product.id, |(id, _)| *id);
                let available = available.ok().and_then(|index| stocked.get(index));
                ProductView::new(product, available.map_or(Quantity::ZERO, |(_, there)| *there))
            })
            .collect();
    }
    let till = till.map(view);
    let page = request.page("till-title");
    Response::html(&TillPage { page, till, others, categories, products })
}

fn view(till: sql::ShownTill) -> TillView {
    let zone = time::zone(&till.zone);
    TillView {
        till_id: till.till_id,
        name: till.name,
        store: till.store,
        session: till.session.map(|session| SessionView {
            session_id: session.session_id,
            opened_at: time::french_minute(session.opened_at, zone),
            opened_by: session.opened_by,
        }),
    }
}

#[derive(Serialize)]
struct SoldBody {
    ticket_id: Uuid,
    code: String,
    total: Money,
    change: Money,
    shown_total: String,
    shown_received: String,
    shown_change: String,
}

/// Sells a cart. Asked again with the same ticket id and cart, gives the same ticket.
pub(super) async fn sell(request: Request) -> Result<Response> {
    let sale: Sale = request.json()?;
    let actor = request.actor()?;
    let app = request.app();
    let key = IdempotencyKey(sale.ticket_id);
    let sold = match app.db.begin_once(&actor, key, "till.sell", &sale).await? {
        Begun::Replayed(sold) => sold,
        Begun::Fresh(mut act) => {
            let texts = request.texts();
            let sold: Sold = service::sell(&mut act, &texts, &sale, app.time.now()).await?;
            act.commit_with(&sold).await?;
            sold
        }
    };
    Response::json(&SoldBody {
        ticket_id: sold.ticket_id,
        code: sold.code,
        total: sold.total,
        change: sold.change,
        shown_total: sold.total.french(),
        shown_received: sold.received.french(),
        shown_change: sold.change.french(),
    })
}

#[derive(Serialize)]
struct OnCounter {
    product_id: Uuid,
    available: Quantity,
    shown: String,
}

/// What the counter holds now, for the badges of the grid.
pub(super) async fn stock(request: Request) -> Result<Response> {
    let till_id: Uuid = request.param("till_id")?;
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let tills = sql::list_tills(scope.connection(), company).await?;
    let till = tills.into_iter().find(|till| till.till_id == till_id).ok_or(Error::NotFound)?;
    let sold = catalog::products_sold(scope.connection(), company).await?;
    let ids: Vec<Uuid> = sold.iter().map(|product| product.id).collect();
    let stocked = stock::available_at(scope.connection(), company, till.location_id, &ids).await?;
    let rows: Vec<OnCounter> = sold
        .iter()
        .map(|product| {
            let index = stocked.binary_search_by_key(&product.id, |(id, _)| *id).ok();
            let there = index.and_then(|index| stocked.get(index)).map_or(Quantity::ZERO, |r| r.1);
            let available = product.in_sale_unit(there);
            OnCounter { product_id: product.id, available, shown: available.french() }
        })
        .collect();
    Response::json(&rows)
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
