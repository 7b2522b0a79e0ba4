//! Prices against a real PostgreSQL.

use rust_decimal::Decimal;

use super::*;
use crate::money::Money;
use crate::stock::tests::Pantry;

#[tokio::test]
async fn a_price_change_keeps_every_price_the_product_had() {
    let pantry = Pantry::new().await;
    let product_id = pantry.product("Msemen", ProductKind::Finished, 50).await;
    let mut act = pantry.test.db.begin(&pantry.test.actor()).await.expect("act");
    let change = PriceChange { product_id, shown: Money::whole(50), price: Money::whole(60) };
    let at = act.now();
    change_price(&mut act, &change, at).await.expect("change");
    act.commit().await.expect("commit");
    let mut scope = pantry.test.db.read(pantry.test.company).await.expect("read");
    let prices = sqlx::query_scalar!(
        "select price from product_prices where product_id = $1 order by price_id",
        product_id
    )
    .fetch_all(scope.connection())
    .await
    .expect("prices");
    assert_eq!(prices, [Decimal::from(50), Decimal::from(60)]);
    let sold = products_sold(scope.connection(), pantry.test.company).await.expect("sold");
    assert_eq!(sold[0].price, Money::whole(60));
}

#[tokio::test]
async fn a_price_that_moved_since_it_was_shown_is_not_overwritten() {
    let pantry = Pantry::new().await;
    let product_id = pantry.product("Msemen", ProductKind::Finished, 50).await;
    let mut act = pantry.test.db.begin(&pantry.test.actor()).await.expect("act");
    let change = PriceChange { product_id, shown: Money::whole(45), price: Money::whole(60) };
    let at = act.now();
    let refused = change_price(&mut act, &change, at).await;
    assert!(
        matches!(refused, Err(CatalogError::PriceMoved { now, .. }) if now == Money::whole(50))
    );
}
