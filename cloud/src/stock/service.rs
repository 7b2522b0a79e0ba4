//! The acts that move goods.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::model::{Issued, Item, Movement, NewLocation, Receipt, Source, StockError};
use super::sql;
use crate::db::{Act, DbError};
use crate::money::Money;
use crate::quantity::Quantity;

/// Makes a place for goods.
pub async fn add_location(act: &mut Act, location: &NewLocation) -> Result<(), DbError> {
    let company = act.company();
    sql::insert_location(act.connection(), company, location).await
}

/// Takes goods from a location at their average cost. All lines or none: when one is
/// short the caller drops the act. Asked twice for one source, the second gives the
/// values of the first and moves nothing.
pub async fn issue(
    act: &mut Act,
    location_id: Uuid,
    source: &Source,
    movements: &[Movement],
) -> Result<Vec<Issued>, StockError> {
    if movements.iter().any(|movement| !movement.quantity.is_positive()) {
        return Err(StockError::NotAQuantity);
    }
    let mut items = lock_items(act, movements.iter().map(|m| m.product_id)).await?;
    let booked = sql::booked(act.connection(), location_id, source).await?;
    if !booked.is_empty() {
        return Ok(booked);
    }
    let mut taken: BTreeMap<Uuid, (Quantity, Money)> = BTreeMap::new();
    let mut issued = Vec::with_capacity(movements.len());
    for movement in movements {
        let Movement { product_id, quantity } = *movement;
        let value = items.get_mut(&product_id).and_then(|item| item.take(quantity));
        let Some(value) = value else {
            return Err(insufficient(act, location_id, movements, product_id).await?);
        };
        let sum = taken.entry(product_id).or_default();
        *sum = (sum.0 + quantity, sum.1 + value);
        issued.push(Issued { product_id, quantity, value });
    }
    let sums: Vec<Issued> = taken
        .into_iter()
        .map(|(product_id, (quantity, value))| Issued { product_id, quantity, value })
        .collect();
    let moved = sql::take_from_balances(act.connection(), location_id, &sums).await?;
    if let Some(short) = sums.iter().find(|sum| !moved.contains(&sum.product_id)) {
        return Err(insufficient(act, location_id, movements, short.product_id).await?);
    }
    sql::take_from_items(act.connection(), &sums).await?;
    let rows: Vec<Issued> = issued
        .iter()
        .map(|line| Issued { quantity: -line.quantity, value: -line.value, ..*line })
        .collect();
    write_ledger(act, location_id, source, &rows).await?;
    Ok(issued)
}

/// Puts goods into a location at their cost. Asked twice for one source, the second
/// moves nothing.
pub async fn receive(
    act: &mut Act,
    location_id: Uuid,
    source: &Source,
    receipts: &[Receipt],
) -> Result<(), StockError> {
    if receipts.iter().any(|r| !r.quantity.is_positive() || r.value.is_negative()) {
        return Err(StockError::NotAQuantity);
    }
    let mut products: Vec<Uuid> = receipts.iter().map(|receipt| receipt.product_id).collect();
    products.sort_unstable();
    products.dedup();
    let company = act.company();
    sql::ensure_rows(act.connection(), company, location_id, &products).await?;
    let mut items = lock_items(act, products.into_iter()).await?;
    if !sql::booked(act.connection(), location_id, source).await?.is_empty() {
        return Ok(());
    }
    let mut sums: BTreeMap<Uuid, Item> = BTreeMap::new();
    for receipt in receipts {
        if let Some(item) = items.get_mut(&receipt.product_id) {
            item.add(receipt.quantity, receipt.value);
        }
        let sum = sums.entry(receipt.product_id).or_insert(Item::empty(receipt.product_id));
        sum.add(receipt.quantity, receipt.value);
    }
    let sums: Vec<Issued> = sums
        .into_values()
        .map(|sum| Issued { product_id: sum.product_id, quantity: sum.quantity, value: sum.value })
        .collect();
    sql::add_to_balances(act.connection(), company, location_id, &sums).await?;
    let rows: Vec<Issued> = receipts
        .iter()
        .map(|line| Issued {
            product_id: line.product_id,
            quantity: line.quantity,
            value: line.value,
        })
        .collect();
    write_ledger(act, location_id, source, &rows).await
}

/// Locks the company's rows of these products, in the order of their ids: two acts that
/// move the same goods wait for each other and never in a circle.
async fn lock_items(
    act: &mut Act,
    products: impl Iterator<Item = Uuid>,
) -> Result<BTreeMap<Uuid, Item>, DbError> {
    let mut products: Vec<Uuid> = products.collect();
    products.sort_unstable();
    products.dedup();
    let company = act.company();
    let items = sql::lock_items(act.connection(), company, &products).await?;
    Ok(items.into_iter().map(|item| (item.product_id, item)).collect())
}

async fn insufficient(
    act: &mut Act,
    location_id: Uuid,
    movements: &[Movement],
    product_id: Uuid,
) -> Result<StockError, DbError> {
    let company = act.company();
    let available =
        sql::available_at(act.connection(), company, location_id, &[product_id]).await?;
    let available = available.first().map_or(Quantity::ZERO, |(_, quantity)| *quantity);
    let wanted = movements.iter().filter(|m| m.product_id == product_id).map(|m| m.quantity).sum();
    Ok(StockError::Insufficient { product_id, available, wanted })
}

async fn write_ledger(
    act: &mut Act,
    location_id: Uuid,
    source: &Source,
    rows: &[Issued],
) -> Result<(), StockError> {
    let actor = act.actor().clone();
    sql::insert_ledger(act.connection(), &actor, location_id, source, rows).await?;
    act.hint("stock", Some(location_id));
    Ok(())
}
