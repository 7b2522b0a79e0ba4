//! Cash in whole dinars.

use super::*;

/// `n` hundredths of a dinar.
fn centimes(amount: i64) -> Money {
    Money::rounded(Decimal::new(amount, 2))
}

impl Shop {
    /// A sale of some grams of a product sold by the kilogram.
    fn weighed(&self, session_id: Uuid, product_id: Uuid, grams: i64, received: i64) -> Sale {
        let quantity = Quantity::rounded(Decimal::new(grams, 3));
        let line = SaleLine { product_id, quantity, price: Money::whole(2_800) };
        Sale { lines: vec![line], ..self.sale(session_id, 1, received) }
    }

    async fn baklawa(&self) -> Uuid {
        let pantry = &self.pantry;
        let kind = ProductKind::Finished;
        let id = pantry.product_in("Baklawa", kind, 2_800, Unit::G, Unit::Kg, 1_000).await;
        pantry.stocked(id, 4_000, Money::whole(4_000)).await;
        id
    }
}

#[tokio::test]
async fn what_is_weighed_is_paid_in_whole_dinars_and_the_drawer_closes_exactly() {
    let shop = Shop::new().await;
    let baklawa = shop.baklawa().await;
    let session = shop.open().await;
    // 932.40 is paid as 932, 355.60 as 356, 1 127.00 + 0.50 as 1 128.
    let less = shop.try_sell(&shop.weighed(session, baklawa, 333, 1_000)).await.expect("sell");
    assert_eq!((less.total, less.rounding), (centimes(93_240), centimes(-40)));
    assert_eq!(less.change, Money::whole(68));
    assert_eq!(shop.balance("658").await, centimes(40));
    let more = shop.try_sell(&shop.weighed(session, baklawa, 127, 356)).await.expect("sell");
    assert_eq!((more.total, more.rounding), (centimes(35_560), centimes(40)));
    assert_eq!(more.change, Money::ZERO);
    assert_eq!(shop.balance("758").await, centimes(-40));
    assert_eq!(shop.balance("701").await, -centimes(93_240 + 35_560));
    let closed = shop.try_close(session, 11_900 + 932 + 356, "").await.expect("no difference");
    assert!(closed.difference.is_zero());
    shop.assert_whole().await;
}

#[tokio::test]
async fn less_than_what_is_due_in_cash_is_refused_with_that_amount() {
    let shop = Shop::new().await;
    let baklawa = shop.baklawa().await;
    let session = shop.open().await;
    let refused = shop.try_sell(&shop.weighed(session, baklawa, 127, 355)).await;
    let Err(error @ TillError::NotEnoughMoney { .. }) = refused else { panic!("{refused:?}") };
    let said = shop.texts.say(&crate::web::Error::from(error).message());
    assert!(said.contains("356,00"), "{said}");
}

#[tokio::test]
async fn a_sale_that_comes_to_nothing_is_refused_in_words() {
    let shop = Shop::new().await;
    let kind = ProductKind::Finished;
    let salt = shop.pantry.product_in("Sel", kind, 30, Unit::G, Unit::Kg, 1_000).await;
    shop.pantry.stocked(salt, 4_000, Money::whole(40)).await;
    let session = shop.open().await;
    let mut sale = shop.weighed(session, salt, 1, 100);
    sale.lines[0].price = Money::whole(30);
    let error = shop.try_sell(&sale).await.expect_err("3 centimes");
    assert!(matches!(error, TillError::NothingDue), "{error}");
    assert_eq!(crate::web::Error::from(error).message().id, "till-nothing-due");
    assert_eq!(shop.count("tickets").await, 0);
}

#[tokio::test]
async fn the_database_takes_no_cash_that_is_not_rounded_by_the_rule() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    let sold = shop.try_sell(&shop.sale(session, 1, 50)).await.expect("sell");
    // 99.50 as it is, let go downwards, and a dinar too many.
    for (amount, rounding) in [(9_950, 0), (9_900, -50), (10_000, 100)] {
        let mut act = shop.act().await;
        let company = act.company().0;
        let refused = sqlx::query!(
            "insert into payments
                 (company_id, payment_id, ticket_id, session_id, method, amount, rounding,
                  tendered, change, paid_at, business_date, actor_label)
             values ($1, $2, $3, $4, 'cash', $5, $6, $5, 0, now(), current_date, 'test')",
            company,
            Uuid::now_v7(),
            sold.ticket_id,
            session,
            centimes(amount).decimal(),
            centimes(rounding).decimal()
        )
        .execute(act.connection())
        .await
        .expect_err("not by the rule");
        let refused = DbError::from(refused);
        assert_eq!(refused.constraint(), Some("payment_cash_is_rounded"), "{amount}");
    }
}
