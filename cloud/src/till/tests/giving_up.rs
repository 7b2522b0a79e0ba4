//! A sale whose answer never came: it happened once or never.

use super::*;

impl Shop {
    async fn give_up(&self, sale: &Sale) -> Option<Sold> {
        abandon(&self.pantry.test.db, &self.actor(), sale.ticket_id).await.expect("an answer")
    }
}

#[tokio::test]
async fn a_sale_given_up_never_happens_however_late_it_comes() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    let sale = shop.sale(session, 8, 500);
    assert_eq!(shop.give_up(&sale).await, None);
    let late = shop.try_sell(&sale).await;
    assert!(matches!(late, Err(TillError::Db(DbError::KeyReused))), "{late:?}");
    assert_eq!(shop.give_up(&sale).await, None, "asked twice");
    assert_eq!(shop.count("tickets").await, 0);
    shop.try_sell(&shop.sale(session, 8, 500)).await.expect("another sale is another sale");
    shop.assert_whole().await;
}

#[tokio::test]
async fn a_sale_that_happened_cannot_be_given_up_and_shows_its_ticket() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    let sale = shop.sale(session, 8, 500);
    let sold = shop.try_sell(&sale).await.expect("sell");
    assert_eq!(shop.give_up(&sale).await, Some(sold.clone()));
    // Long after, when the key itself was forgotten.
    let mut act = shop.act().await;
    sqlx::query!("delete from idempotency_keys").execute(act.connection()).await.expect("keys");
    act.commit().await.expect("commit");
    assert_eq!(shop.give_up(&sale).await, Some(sold.clone()));
    assert_eq!(shop.give_up(&sale).await, Some(sold));
    assert_eq!(shop.count("tickets").await, 1);
}

#[tokio::test]
async fn selling_and_giving_up_at_once_agree_on_what_happened() {
    let shop = Arc::new(Shop::new().await);
    let session = shop.open().await;
    let mut happened = 0;
    for round in 0..10 {
        let sale = shop.sale(session, 1, 50);
        let selling = tokio::spawn({
            let (shop, sale) = (Arc::clone(&shop), sale.clone());
            async move { shop.try_sell(&sale).await.is_ok() }
        });
        // Sometimes one is first, sometimes the other.
        tokio::time::sleep(std::time::Duration::from_millis(round)).await;
        let told = shop.give_up(&sale).await;
        let sold = selling.await.expect("task");
        assert_eq!(sold, told.is_some(), "round {round}");
        happened += i64::from(sold);
    }
    assert_eq!(shop.count("tickets").await, happened);
    shop.assert_whole().await;
}
