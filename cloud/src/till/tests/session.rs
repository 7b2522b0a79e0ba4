//! Opening and closing the drawer.

use super::*;

#[tokio::test]
async fn s1_a_till_opens_once_with_its_counted_float() {
    let shop = Shop::new().await;
    let count = CashCount::new(&[(2000, 2), (1000, 3), (500, 4), (200, 10), (100, 9)]);
    let session = shop.try_open(shop.till_id, count.expect("count"), "").await.expect("open");
    let again = shop.try_open(shop.till_id, CashCount::of_whole(500), "").await;
    assert!(matches!(again, Err(TillError::SessionAlreadyOpen { by }) if by == "Nadia"));
    let mut scope = shop.pantry.test.db.read(shop.pantry.test.company).await.expect("read");
    let row = sqlx::query!(
        r#"select s.opening_float, s.opened_by_label,
                  (select count(*) from cash_counts c where c.session_id = s.session_id) as "notes!"
           from cash_sessions s where s.session_id = $1"#,
        session
    )
    .fetch_one(scope.connection())
    .await
    .expect("session");
    assert_eq!(row.opening_float, Decimal::from(11_900));
    assert_eq!((row.opened_by_label.as_str(), row.notes), ("Nadia", 5));
    drop(scope);
    shop.assert_whole().await;
}

#[tokio::test]
async fn two_openings_at_once_make_one_session() {
    let shop = Arc::new(Shop::new().await);
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let shop = Arc::clone(&shop);
        racing.spawn(async move {
            shop.try_open(shop.till_id, CashCount::of_whole(1_000), "").await.is_ok()
        });
    }
    let opened = racing.join_all().await.into_iter().filter(|opened| *opened).count();
    assert_eq!(opened, 1);
}

#[tokio::test]
async fn no_cash_enters_a_closed_till() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    shop.try_close(session, 11_900, "").await.expect("close");
    let refused = shop.try_sell(&shop.sale(session, 1, 50)).await;
    assert!(matches!(refused, Err(TillError::SessionNotOpen)));
    assert_eq!(shop.count("tickets").await, 0);
}

#[tokio::test]
async fn a_closing_keeps_theory_count_and_difference_and_posts_it() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    shop.try_sell(&shop.sale(session, 8, 500)).await.expect("sell");
    let silent = shop.try_close(session, 12_280, "").await;
    assert!(
        matches!(silent, Err(TillError::ReasonNeeded { difference }) if difference == Money::whole(-20))
    );
    let closed = shop.try_close(session, 12_280, "rendu de trop").await.expect("close");
    assert_eq!(closed.theoretical, Money::whole(12_300));
    assert_eq!(closed.difference, Money::whole(-20));
    assert_eq!(shop.balance("531").await, Money::whole(12_280));
    assert_eq!(shop.balance("658").await, Money::whole(20));
    // The next opening expects what was counted.
    let silent = shop.try_open(shop.till_id, CashCount::of_whole(12_300), "").await;
    assert!(matches!(silent, Err(TillError::ReasonNeeded { .. })));
    let count = CashCount::of_whole(12_300);
    shop.try_open(shop.till_id, count, "billet retrouvé").await.expect("open");
    assert_eq!(shop.balance("758").await, Money::whole(-20));
    shop.assert_whole().await;
}
