//! Stock: how much of each product lies where, and what it is worth.
//!
//! Words: a *location* belongs to a shop; an *item* is a product over the whole company
//! and carries the value; a *balance* is its quantity at one location; the *ledger*
//! explains both. Invariants: a quantity changes only here, together with its value and
//! a ledger row, under the item's row lock, taken in the order of product ids; a source
//! line is booked once; cost is value divided by quantity; the last unit takes all value.

mod model;
mod pages;
mod service;
mod sql;
#[cfg(test)]
pub(crate) mod tests;

pub use model::{Issued, LocationKind, Movement, NewLocation, Receipt, Source, StockError};
pub use pages::{NAV, routes};
pub use service::{add_location, issue, receive};
pub use sql::{available_at, unit_costs};
