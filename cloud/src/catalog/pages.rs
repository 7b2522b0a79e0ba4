//! The list of products, with the price form for whoever may change prices.

use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::model::{Product, ProductKind};
use super::service::{self, CatalogError, PriceChange};
use super::sql;
use crate::db::Begun;
use crate::i18n::{Message, Texts};
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

#[derive(Default, Deserialize)]
struct Filter {
    #[serde(default)]
    search: String,
    #[serde(default)]
    kind: String,
    after_name: Option<String>,
    after: Option<Uuid>,
    /// The product whose price was just changed.
    changed: Option<Uuid>,
}

impl Filter {
    /// The place in the list, as a query string.
    fn query(&self) -> String {
        let mut pairs = vec![("search", self.search.clone()), ("kind", self.kind.clone())];
        if let Some((name, id)) = self.after_name.clone().zip(self.after) {
            pairs.extend([("after_name", name), ("after", id.to_string())]);
        }
        serde_urlencoded::to_string(pairs).unwrap_or_default()
    }
}

/// A price that could not be taken: it is shown again where it was typed.
struct Refused {
    product_id: Uuid,
    typed: String,
    status: u16,
    message: Message,
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
    /// Query string of this page, for the way back from a form.
    here: String,
    /// What was just done.
    done: Option<String>,
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
    unit: String,
    sold: bool,
    active: bool,
    price: String,
    shown_price: String,
    /// What was typed, when it was refused, and why.
    typed: String,
    fault: Option<String>,
}

async fn list(request: Request) -> Result<Response> {
    let filter: Filter = request.query()?;
    show(&request, filter, None).await
}

async fn show(request: &Request, filter: Filter, refused: Option<Refused>) -> Result<Response> {
    let here = filter.query();
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
    let page = request.page("catalog-title");
    let changed = products.iter().find(|product| Some(product.id) == filter.changed);
    let done = changed.map(|product| {
        let message = Message::new("catalog-price-changed").with("name", &product.name);
        page.texts.say(&message.with("price", product.price.french()))
    });
    let refused = refused.as_ref();
    let rows = products.into_iter().map(|product| row(product, refused, &page.texts)).collect();
    let kinds = ProductKind::ALL
        .into_iter()
        .map(|known| KindView {
            word: known.as_str(),
            label: known.label(),
            is_chosen: Some(known) == kind,
        })
        .collect();
    let search = search.to_owned();
    let view = ProductsPage { page, search, kinds, rows, next, here, done };
    Ok(Response::html(&view)?.with_status(refused.map_or(200, |refused| refused.status)))
}

fn row(product: Product, refused: Option<&Refused>, texts: &Texts) -> ProductRow {
    let refused = refused.filter(|refused| refused.product_id == product.id);
    ProductRow {
        product_id: product.id,
        key: Uuid::now_v7(),
        kind: product.kind.label(),
        unit: texts.say(&product.sale_unit.name()),
        sold: product.sold,
        active: product.active,
        price: product.price.to_string(),
        shown_price: product.price.french(),
        typed: refused.map(|refused| refused.typed.clone()).unwrap_or_default(),
        fault: refused.map(|refused| texts.say(&refused.message)),
        sku: product.sku,
        name: product.name,
        emoji: product.emoji,
        category: product.category,
    }
}

#[derive(Deserialize)]
struct PriceForm {
    shown: String,
    price: String,
    /// Where the form stood in the list.
    #[serde(default)]
    back: String,
}

/// Changes a price and goes back to where the form stood; a refusal shows the same list
/// with the fault beside its field.
async fn change_price(request: Request) -> Result<Response> {
    let product_id: Uuid = request.param("product_id")?;
    let form: PriceForm = request.form()?;
    let back: Filter = serde_urlencoded::from_str(&form.back).unwrap_or_default();
    match try_change(&request, product_id, &form).await {
        Ok(()) => {
            let to = format!("/catalog?{}&changed={product_id}#p-{product_id}", back.query());
            Ok(Response::see_other(&to))
        }
        Err(error @ (Error::Invalid(_) | Error::Refused(_))) => {
            let (status, message) = (error.status(), error.message());
            let refused = Refused { product_id, typed: form.price, status, message };
            show(&request, Filter { changed: None, ..back }, Some(refused)).await
        }
        Err(error) => Err(error),
    }
}

async fn try_change(request: &Request, product_id: Uuid, form: &PriceForm) -> Result<()> {
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
    Ok(())
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
