//! The list of what lies where. Values are shown to whoever may see costs, and are not
//! sent to anybody else.

use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::sql;
use crate::catalog::ProductKind;
use crate::identity::permission::{COSTS_VIEW, STOCK_VIEW};
use crate::web::{Access, NavItem, Page, Request, Response, Result, Route, get};

/// The menu entry of the stock.
pub const NAV: &[NavItem] = &[NavItem {
    group: "nav-group-goods",
    label: "stock-nav",
    href: "/stock",
    permission: STOCK_VIEW,
    icon: "box",
}];

/// The routes of the stock.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![get("/stock", Access::Needs(STOCK_VIEW), list)]
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
#[template(path = "stock/templates/stock.html")]
struct StockPage {
    page: Page,
    search: String,
    kinds: Vec<KindView>,
    rows: Vec<ItemRow>,
    /// Value of all stock; `None` to whoever may not see costs.
    total: Option<String>,
    next: Option<String>,
}

struct KindView {
    word: &'static str,
    label: &'static str,
    is_chosen: bool,
}

struct ItemRow {
    product_id: Uuid,
    sku: String,
    name: String,
    kind: &'static str,
    quantity: String,
    places: String,
    is_empty: bool,
    value: Option<String>,
}

async fn list(request: Request) -> Result<Response> {
    let filter: Filter = request.query()?;
    let company = request.company()?;
    let may_see_costs = request.session()?.may(COSTS_VIEW);
    let search = filter.search.trim();
    let kind = ProductKind::parse(&filter.kind);
    let word = kind.map_or("", ProductKind::as_str);
    let after = filter.after_name.as_deref().zip(filter.after);
    let mut scope = request.app().db.read(company).await?;
    let mut items = sql::list_items(scope.connection(), company, search, word, after).await?;
    let total = if may_see_costs {
        Some(sql::total_value(scope.connection(), company).await?.french())
    } else {
        None
    };
    let rows_max = usize::try_from(sql::PAGE_ROWS).unwrap_or(usize::MAX);
    let has_more = items.len() > rows_max;
    items.truncate(rows_max);
    let next = items.last().filter(|_| has_more).and_then(|last| {
        let after = last.product_id.to_string();
        let pairs =
            [("search", search), ("kind", word), ("after_name", &last.name), ("after", &after)];
        serde_urlencoded::to_string(pairs).ok()
    });
    let texts = request.texts();
    let rows = items
        .into_iter()
        .map(|item| ItemRow {
            product_id: item.product_id,
            kind: ProductKind::parse(&item.kind).map_or("", ProductKind::label),
            quantity: texts.say(&item.unit.quantity(item.quantity)),
            is_empty: item.quantity.is_zero(),
            value: may_see_costs.then(|| item.value.french()),
            sku: item.sku,
            name: item.name,
            places: item.places,
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
    let page = request.page("stock-title");
    Response::html(&StockPage { page, search: search.to_owned(), kinds, rows, total, next })
}
