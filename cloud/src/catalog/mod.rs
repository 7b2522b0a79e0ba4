//! Catalogue: the products of a company, their units, categories and prices.
//!
//! Words: a *product* is stocked in its *base unit* and sold in its *sale unit*;
//! `sale_factor` base units make one sale unit. Invariants: the price in `products`
//! is the last row of `product_prices`; a product that is sold has a price.

mod model;
mod pages;
mod service;
mod sql;
#[cfg(test)]
mod tests;

pub use model::{Category, NewCategory, NewProduct, Product, ProductKind, Unit, UnitError};
pub use pages::{NAV, routes};
pub use service::{CatalogError, PriceChange, add_category, add_product, change_price};
pub use sql::{categories, products_by_id, products_sold};
