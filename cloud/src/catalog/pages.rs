//! The list of products, with the price form for whoever may change prices.

use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::model::ProductKind;
use super::service::{self, CatalogError, PriceChange};
use super::sql;
use crate::db::Begun;
use crate::i18n::Message;
use crate::identity::permission::{CATALOG_MANAGE, CATALOG_VIEW};
use crate::money::Money;
use crate::web::{Access, Error, NavItem, Page, Request, Response, Result, Route, get, post};

/// The menu entry of the catalogue.
pub const NAV: &[NavItem] = &[NavItem {
    group: "nav-group-goods",
    label: "catalog-nav",
    href: "/catalog",
    permission: CATALOG_VIEW,
    icon: "tag",
}];

/// The routes of the catalogue.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        get("/catalog", Access::Needs(CATALOG_VIEW), list),
        post("/catalog/{product_id}/price", Access::Needs(CATALOG_MANAGE), change_price),
    ]
}

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    search: String,
    #[serde(default)]
    kind: String,
    after_name: Option<String>,
    after: Option<Uuid>,
}

#[derive(Template)]
#[template(path = "catalog/templates/products.html")]
struct ProductsPage {
    page: Page,
    search: String,
    kinds: Vec<KindView>,
    rows: Vec<ProductRow>,
    /// Query string of the next page.
    next: Option<String>,
}

struct KindView {
    word: &'static str,
    label: &'static str,
    is_chosen: bool,
}

struct ProductRow {
    product_id: Uuid,
    key: Uuid,
    sku: String,
    name: String,
    emoji: String,
    kind: &'static str,
    category: String,
    unit: &'static str,
    sold: bool,
    active: bool,
    price: String,
    shown_price: String,
}

async fn list(request: Request) -> Result<Response> {
    let filter: Filter = request.query()?;
    let company = request.company()?;
    let search = filter.search.trim();
    let kind = ProductKind::parse(&filter.kind);
    let word = kind.map_or("", ProductKind::as_str);
    let after = filter.after_name.as_deref().zip(filter.after);
    let mut scope = request.app().db.read(company).await?;
    let mut products = sql::list_products(scope.connection(), company, search, word, after).await?;
    let rows_max = usize::try_from(sql::PAGE_ROWS).unwrap_or(usize::MAX);
    let has_more = products.len() > rows_max;
    products.truncate(rows_max);
    let next = products.last().filter(|_| has_more).and_then(|last| {
        let after = last.id.to_string();
        let pairs =
            [("search", search), ("kind", word), ("after_name", &last.name), ("after", &after)];
        serde_urlencoded::to_string(pairs).ok()
    });
    let rows = products
        .into_iter()
        .map(|product| ProductRow {
            product_id: product.id,
            key: Uuid::now_v7(),
            kind: product.kind.label(),
            unit: product.sale_unit.as_str(),
            sold: product.sold,
            active: product.active,
            price: product.price.to_string(),
            shown_price: product.price.french(),
            sku: product.sku,
            name: product.name,
            emoji: product.emoji,
            category: product.category,
        })
        .collect();
    let kinds = ProductKind::ALL
        .into_iter()
        .map(|known| KindView {
            word: known.as_str(),
            label: known.label(),
            is_chosen: Some(known) == kind,
        })
        .collect();
    let page = request.page("catalog-title");
    Response::html(&ProductsPage { page, search: search.to_owned(), kinds, rows, next })
}

#[derive(Deserialize)]
struct PriceForm {
    shown: String,
    price: String,
}

async fn change_price(request: Request) -> Result<Response> {
    let product_id: Uuid = request.param("product_id")?;
    let form: PriceForm = request.form()?;
    let read = |field, typed: &str| {
        let message = Message::new("catalog-price-unreadable").with("typed", typed);
        Money::parse(typed).map_err(|_| Error::field(field, message))
    };
    let change = PriceChange {
        product_id,
        shown: read("shown", &form.shown)?,
        price: read("price", &form.price)?,
    };
    let (actor, key, app) = (request.actor()?, request.idempotency_key()?, request.app());
    let begun = app.db.begin_once::<_, ()>(&actor, key, "catalog.price", &change).await?;
    if let Begun::Fresh(mut act) = begun {
        service::change_price(&mut act, &change, app.time.now()).await?;
        act.commit_with(&()).await?;
    }
    Ok(Response::see_other("/catalog"))
}

impl From<CatalogError> for Error {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::UnknownProduct(_) => Self::NotFound,
            CatalogError::PriceNeeded => Self::field("price", Message::new("catalog-price-needed")),
            CatalogError::PriceMoved { shown, now } => Self::Refused(
                Message::new("catalog-price-moved")
                    .with("shown", shown.french())
                    .with("now", now.french()),
            ),
            CatalogError::Unit(error) => Self::field(
                "sale_factor",
                Message::new("catalog-units-disagree")
                    .with("from", error.from)
                    .with("to", error.to),
            ),
            CatalogError::Db(error) => error.into(),
        }
    }
}
