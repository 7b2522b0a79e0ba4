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
use crate::i18n::Texts;
use crate::quantity::Quantity;
use crate::stock;
use crate::time;
use crate::web::{Page, Request, Response, Result};

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
    /// Receipts not on paper, in words; empty when there are none.
    unprinted: String,
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
    unit: String,
    is_counted: bool,
    available: Quantity,
    shown_available: String,
}

impl ProductView {
    fn new(product: Product, available: Quantity, texts: &Texts) -> Self {
        let available = product.in_sale_unit(available);
        Self {
            product_id: product.id,
            category_id: product.category_id,
            price: product.price.to_string(),
            shown_price: product.price.french(),
            unit: texts.say(&product.sale_unit.name()),
            is_counted: product.sale_unit.is_counted(),
            shown_available: texts.say(&product.sale_unit.quantity(available)),
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
    let till = chosen(tills, wanted.till, request.session()?.user_id);
    let texts = request.texts();
    let (mut categories, mut products, mut unprinted) = (Vec::new(), Vec::new(), String::new());
    let open = till.as_ref().and_then(|till| Some((till, till.session.as_ref()?)));
    if let Some((till, session)) = open {
        let missing = paper::unprinted(&mut scope, company, session.session_id).await?;
        unprinted = missing.map(|message| texts.say(&message)).unwrap_or_default();
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
                let available = available.map_or(Quantity::ZERO, |(_, there)| *there);
                ProductView::new(product, available, &texts)
            })
            .collect();
    }
    let till = till.map(view);
    let page = request.page("till-title");
    Response::html(&TillPage { page, till, others, unprinted, categories, products })
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
    shown_total: String,
    /// Where there is any.
    shown_rounding: Option<String>,
    shown_received: String,
    shown_change: String,
}

impl From<Sold> for SoldBody {
    fn from(sold: Sold) -> Self {
        let rounding = sold.rounding;
        Self {
            ticket_id: sold.ticket_id,
            code: sold.code,
            shown_total: sold.total.french(),
            shown_rounding: (!rounding.is_zero()).then(|| rounding.french()),
            shown_received: sold.received.french(),
            shown_change: sold.change.french(),
        }
    }
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
    Response::json(&SoldBody::from(sold))
}

#[derive(Serialize)]
struct AbandonBody {
    /// The ticket, if the sale had happened all the same.
    sold: Option<SoldBody>,
}

/// Gives up a sale that has no answer, or says that it happened.
pub(super) async fn abandon(request: Request) -> Result<Response> {
    let ticket_id: Uuid = request.param("ticket_id")?;
    let actor = request.actor()?;
    let sold = service::abandon(&request.app().db, &actor, ticket_id).await?;
    Response::json(&AbandonBody { sold: sold.map(SoldBody::from) })
}
