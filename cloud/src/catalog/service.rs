//! The acts of the catalogue.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::model::{NewCategory, NewProduct, Unit, UnitError};
use super::sql;
use crate::db::{Act, DbError};
use crate::money::Money;
use crate::quantity::Quantity;

/// Why the catalogue did not change.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("product {0} does not exist")]
    UnknownProduct(Uuid),
    #[error("a product that is sold needs a price above zero")]
    PriceNeeded,
    #[error("the price is {now} and not {shown} any more")]
    PriceMoved { shown: Money, now: Money },
    #[error(transparent)]
    Unit(#[from] UnitError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Makes a category.
pub async fn add_category(act: &mut Act, category: &NewCategory) -> Result<(), CatalogError> {
    let company = act.company();
    sql::insert_category(act.connection(), company, category).await?;
    Ok(())
}

/// Makes a product and the first row of its price history.
pub async fn add_product(
    act: &mut Act,
    product: &NewProduct,
    at: DateTime<Utc>,
) -> Result<(), CatalogError> {
    if product.price.is_some_and(|price| price <= Money::ZERO) {
        return Err(CatalogError::PriceNeeded);
    }
    check_units(product)?;
    let company = act.company();
    sql::insert_product(act.connection(), company, product).await?;
    if let Some(price) = product.price {
        let actor = act.actor().clone();
        sql::insert_price(act.connection(), &actor, product.id, price, at).await?;
    }
    Ok(())
}

/// Units of one measure must agree with the factor; across measures the factor is the
/// shop's own word (a tray of 30 eggs).
fn check_units(product: &NewProduct) -> Result<(), UnitError> {
    let (from, to) = (product.sale_unit, product.base_unit);
    if from == Unit::Piece || to == Unit::Piece {
        return Ok(());
    }
    let agreed = from.convert(Quantity::ONE, to)?;
    if agreed == product.sale_factor { Ok(()) } else { Err(UnitError { from, to }) }
}

/// A new price, and the one the reader saw.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct PriceChange {
    pub product_id: Uuid,
    pub shown: Money,
    pub price: Money,
}

/// Changes a price; refused when somebody changed it since it was shown.
pub async fn change_price(
    act: &mut Act,
    change: &PriceChange,
    at: DateTime<Utc>,
) -> Result<(), CatalogError> {
    if change.price <= Money::ZERO {
        return Err(CatalogError::PriceNeeded);
    }
    let company = act.company();
    let now = sql::lock_price(act.connection(), company, change.product_id)
        .await?
        .ok_or(CatalogError::UnknownProduct(change.product_id))?;
    if now != change.shown {
        return Err(CatalogError::PriceMoved { shown: change.shown, now });
    }
    if now == change.price {
        return Ok(());
    }
    let actor = act.actor().clone();
    sql::update_price(act.connection(), company, change.product_id, change.price).await?;
    sql::insert_price(act.connection(), &actor, change.product_id, change.price, at).await?;
    let details = json!({ "before": now, "after": change.price });
    act.audit("catalog.price", "product", &change.product_id.to_string(), details).await?;
    act.hint("catalog", Some(change.product_id));
    Ok(())
}
