//! The till against a real PostgreSQL: the scenarios of opening, selling and refusing.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use sqlx::ConnectOptions;
use uuid::Uuid;

mod cash;
mod giving_up;
mod paper;
mod session;

use super::*;
use crate::accounting;
use crate::catalog::{ProductKind, Unit};
use crate::db::{Act, Actor, Begun, CompanyId, DbError, IdempotencyKey};
use crate::i18n::{Catalogue, Texts};
use crate::money::Money;
use crate::quantity::Quantity;
use crate::stock::tests::Pantry;
use crate::time;

/// 2 March 2026, 09:00 in Algiers.
const MORNING_MS: i64 = 1_772_438_400_000;

struct Shop {
    pantry: Pantry,
    till_id: Uuid,
    msemen: Uuid,
    texts: Texts,
    now: DateTime<Utc>,
}

impl Shop {
    /// A till, and 30 msemen at the counter that cost 18 each and sell at 50.
    async fn new() -> Self {
        let pantry = Pantry::new().await;
        let msemen = pantry.product("Msemen", ProductKind::Finished, 50).await;
        pantry.stocked(msemen, 30, Money::whole(540)).await;
        let texts = Catalogue::load().expect("texts").in_language("fr");
        let till_id = Uuid::now_v7();
        let shop = Self { pantry, till_id, msemen, texts, now: time::instant(MORNING_MS) };
        let mut act = shop.act().await;
        accounting::ensure_chart(&mut act).await.expect("chart");
        act.commit().await.expect("commit");
        shop.add_till(till_id, "Caisse 1").await;
        shop
    }

    async fn act(&self) -> Act {
        self.pantry.test.db.begin(&self.actor()).await.expect("act")
    }

    fn actor(&self) -> Actor {
        Actor::system(self.pantry.test.company, "Nadia")
    }

    async fn add_till(&self, id: Uuid, name: &str) {
        let mut act = self.act().await;
        let till = NewTill {
            id,
            store_id: self.pantry.test.store,
            name: name.into(),
            location_id: self.pantry.counter,
        };
        add_till(&mut act, &till).await.expect("till");
        act.commit().await.expect("commit");
    }

    async fn try_open(
        &self,
        till_id: Uuid,
        count: CashCount,
        reason: &str,
    ) -> Result<Uuid, TillError> {
        let mut act = self.act().await;
        let open = OpenSession { till_id, count, reason: reason.into() };
        let session = open_session(&mut act, &self.texts, &open, self.now).await?;
        act.commit().await?;
        Ok(session)
    }

    async fn open(&self) -> Uuid {
        self.try_open(self.till_id, CashCount::of_whole(11_900), "").await.expect("open")
    }

    async fn try_close(
        &self,
        session_id: Uuid,
        counted: i32,
        reason: &str,
    ) -> Result<Closed, TillError> {
        let mut act = self.act().await;
        let count = CashCount::of_whole(counted);
        let close = CloseSession { session_id, count, reason: reason.into() };
        let closed = close_session(&mut act, &self.texts, &close, self.now).await?;
        act.commit().await?;
        Ok(closed)
    }

    fn sale(&self, session_id: Uuid, pieces: i64, received: i64) -> Sale {
        Sale {
            ticket_id: Uuid::now_v7(),
            session_id,
            lines: vec![SaleLine {
                product_id: self.msemen,
                quantity: Quantity::whole(pieces),
                price: Money::whole(50),
            }],
            received: Money::whole(received),
        }
    }

    /// As the page asks: with the ticket's id as key.
    async fn try_sell(&self, sale: &Sale) -> Result<Sold, TillError> {
        let key = IdempotencyKey(sale.ticket_id);
        match self.pantry.test.db.begin_once(&self.actor(), key, "till.sell", sale).await? {
            Begun::Replayed(sold) => Ok(sold),
            Begun::Fresh(mut act) => {
                let sold = sell(&mut act, &self.texts, sale, self.now).await?;
                act.commit_with(&sold).await?;
                Ok(sold)
            }
        }
    }

    async fn count(&self, table: &str) -> i64 {
        let mut scope = self.pantry.test.db.read(self.pantry.test.company).await.expect("read");
        let row = sqlx::query!(
            r#"select (select count(*) from tickets) as "tickets!",
                      (select count(*) from payments) as "payments!",
                      (select count(*) from cash_movements) as "movements!",
                      (select count(*) from journal_entries) as "entries!",
                      (select count(*) from stock_ledger) as "ledger!""#
        )
        .fetch_one(scope.connection())
        .await
        .expect("counts");
        match table {
            "tickets" => row.tickets,
            "payments" => row.payments,
            "movements" => row.movements,
            "entries" => row.entries,
            "ledger" => row.ledger,
            other => panic!("no count of {other}"),
        }
    }

    /// Debit less credit of an account.
    async fn balance(&self, code: &str) -> Money {
        let mut scope = self.pantry.test.db.read(self.pantry.test.company).await.expect("read");
        let balance = sqlx::query_scalar!(
            r#"select coalesce(sum(debit - credit), 0) as "balance!" from journal_lines
               where account = $1"#,
            code
        )
        .fetch_one(scope.connection())
        .await
        .expect("balance");
        Money::rounded(balance)
    }

    /// The equalities that hold after every act: stock, entries, drawers.
    async fn assert_whole(&self) {
        self.pantry.assert_whole().await;
        let mut scope = self.pantry.test.db.read(self.pantry.test.company).await.expect("read");
        let sums = sqlx::query!(
            r#"select (select coalesce(sum(debit - credit), 0) from journal_lines) as "off!",
                      (select coalesce(sum(total), 0) from tickets) as "sold!",
                      (select coalesce(sum(amount), 0) from payments) as "collected!",
                      (select coalesce(sum(rounding), 0) from payments) as "rounding!",
                      (select coalesce(sum(amount), 0) from cash_movements) as "moved!",
                      (select coalesce(sum(credit), 0) from journal_lines
                       where account like '70%') as "income!",
                      (select coalesce(sum(sold), 0) from day_figures) as "day_sold!""#
        )
        .fetch_one(scope.connection())
        .await
        .expect("sums");
        assert_eq!(sums.off, Decimal::ZERO, "debits and credits");
        assert_eq!(sums.sold, sums.collected - sums.rounding, "a ticket is paid in full");
        assert_eq!(sums.collected, sums.moved, "what is collected is in the drawer");
        assert_eq!(sums.sold, sums.income, "what is sold is in the books");
        assert_eq!(sums.sold, sums.day_sold, "what is sold is in the figures of the day");
        let drawers = sqlx::query!(
            r#"select t.till_id,
                      (select d.theoretical from drawer_theory d
                       where d.till_id = t.till_id and d.closed_at is null) as theory,
                      (select coalesce(sum(l.debit - l.credit), 0) from journal_lines l
                       where l.account = '531' and l.party_id = t.till_id) as "books!"
               from tills t"#
        )
        .fetch_all(scope.connection())
        .await
        .expect("drawers");
        for drawer in drawers {
            if let Some(theory) = drawer.theory {
                assert_eq!(theory, drawer.books, "theory of till {} and its 531", drawer.till_id);
            }
        }
    }
}

#[tokio::test]
async fn s2_a_cash_sale_moves_goods_money_and_books_together() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    let sold = shop.try_sell(&shop.sale(session, 8, 500)).await.expect("sell");
    assert_eq!((sold.total, sold.change), (Money::whole(400), Money::whole(100)));
    assert_eq!(sold.code, "T-2026-000001");
    let left = shop.pantry.item(shop.msemen).await;
    assert_eq!(left, (Quantity::whole(22), Money::whole(540 - 144)));
    assert_eq!(shop.balance("531").await, Money::whole(11_900 + 400));
    assert_eq!(shop.balance("701").await, Money::whole(-400));
    assert_eq!(shop.balance("724").await, Money::whole(144));
    assert_eq!(shop.balance("355").await, Money::whole(-144));
    shop.assert_whole().await;
}

#[tokio::test]
async fn s3_a_refused_sale_names_the_product_and_writes_nothing() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    let before = (shop.count("entries").await, shop.count("ledger").await);
    let refused = shop.try_sell(&shop.sale(session, 31, 2_000)).await;
    let Err(error @ TillError::Insufficient { .. }) = refused else { panic!("{refused:?}") };
    let said = shop.texts.say(&crate::web::Error::from(error).message());
    assert!(said.contains("Msemen") && said.contains("30"), "{said}");
    assert_eq!(shop.count("tickets").await + shop.count("movements").await, 0);
    assert_eq!((shop.count("entries").await, shop.count("ledger").await), before);
    // The number was not used up.
    let sold = shop.try_sell(&shop.sale(session, 30, 2_000)).await.expect("all of them");
    assert_eq!(sold.code, "T-2026-000001");
    assert_eq!(shop.pantry.item(shop.msemen).await, (Quantity::ZERO, Money::ZERO));
    shop.assert_whole().await;
}

#[tokio::test]
async fn a_sale_asked_twice_is_one_sale() {
    let shop = Arc::new(Shop::new().await);
    let session = shop.open().await;
    let sale = shop.sale(session, 8, 500);
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (shop, sale) = (Arc::clone(&shop), sale.clone());
        racing.spawn(async move { shop.try_sell(&sale).await.expect("sell") });
    }
    let answers = racing.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!((shop.count("tickets").await, shop.count("payments").await), (1, 1));
    assert_eq!(shop.pantry.item(shop.msemen).await.0, Quantity::whole(22));
    // Long after, when the key itself was forgotten.
    let mut act = shop.act().await;
    let sold = sell(&mut act, &shop.texts, &sale, shop.now).await.expect("known");
    assert_eq!(sold, answers[0]);
}

#[tokio::test]
async fn a_ticket_id_used_for_another_cart_is_refused() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    let sale = shop.sale(session, 8, 500);
    shop.try_sell(&sale).await.expect("sell");
    let other = Sale { ticket_id: sale.ticket_id, ..shop.sale(session, 9, 500) };
    let refused = shop.try_sell(&other).await;
    assert!(matches!(refused, Err(TillError::Db(DbError::KeyReused))));
}

#[tokio::test]
async fn two_tills_racing_for_the_last_unit_sell_it_once() {
    let shop = Arc::new(Shop::new().await);
    let second = Uuid::now_v7();
    shop.add_till(second, "Caisse 2").await;
    let one = shop.open().await;
    let two = shop.try_open(second, CashCount::of_whole(1_000), "").await.expect("open");
    shop.try_sell(&shop.sale(one, 29, 5_000)).await.expect("all but one");
    let race = |session| {
        let shop = Arc::clone(&shop);
        tokio::spawn(async move { shop.try_sell(&shop.sale(session, 1, 50)).await })
    };
    let (left, right) = (race(one), race(two));
    let ends = [left.await.expect("task"), right.await.expect("task")];
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1, "{ends:?}");
    let refused = ends.iter().find_map(|end| end.as_ref().err()).expect("one is refused");
    assert!(
        matches!(refused, TillError::Insufficient { name, available, .. }
            if name == "Msemen" && available.is_zero()),
        "{refused}"
    );
    shop.assert_whole().await;
}

#[tokio::test]
async fn ticket_numbers_have_no_gap_under_racing_sales_and_refusals() {
    let shop = Arc::new(Shop::new().await);
    let session = shop.open().await;
    let mut racing = tokio::task::JoinSet::new();
    for index in 0..24_i64 {
        let shop = Arc::clone(&shop);
        racing.spawn(async move {
            // Every fourth pays too little; the last ones find the counter empty.
            let received = if index % 4 == 0 { 50 } else { 500 };
            shop.try_sell(&shop.sale(session, 2, received)).await.is_ok()
        });
    }
    let sold = racing.join_all().await.into_iter().filter(|sold| *sold).count();
    assert_eq!(sold, 15, "30 pieces are 15 sales of 2");
    let mut scope = shop.pantry.test.db.read(shop.pantry.test.company).await.expect("read");
    let numbers = sqlx::query_scalar!("select number from tickets order by number")
        .fetch_all(scope.connection())
        .await
        .expect("numbers");
    assert_eq!(numbers, (1..=15).collect::<Vec<i64>>());
    drop(scope);
    shop.assert_whole().await;
}

#[tokio::test]
async fn a_closed_session_and_a_ticket_stand_even_for_the_owner_of_the_tables() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    shop.try_sell(&shop.sale(session, 1, 50)).await.expect("sell");
    shop.try_close(session, 11_950, "").await.expect("close");
    let mut owner = shop.pantry.test.connect.connect().await.expect("connect");
    let sessions = sqlx::query!("update cash_sessions set counted = 0, difference = -theoretical");
    assert!(sessions.execute(&mut owner).await.is_err());
    let tickets = sqlx::query!("update tickets set total = 1");
    assert!(tickets.execute(&mut owner).await.is_err());
    let payments = sqlx::query!("delete from payments");
    assert!(payments.execute(&mut owner).await.is_err());
    let movements = sqlx::query!("delete from cash_movements");
    assert!(movements.execute(&mut owner).await.is_err());
}

#[tokio::test]
async fn a_price_shown_yesterday_is_refused_with_both_prices() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    let mut sale = shop.sale(session, 1, 100);
    sale.lines[0].price = Money::whole(45);
    let error = shop.try_sell(&sale).await.expect_err("price");
    let said = shop.texts.say(&crate::web::Error::from(error).message());
    assert!(said.contains("Msemen") && said.contains("50,00") && said.contains("45,00"), "{said}");
}

#[tokio::test]
async fn a_ticket_is_paid_in_full() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    let refused = shop.try_sell(&shop.sale(session, 8, 399)).await;
    assert!(matches!(refused, Err(TillError::NotEnoughMoney { .. })));
    assert_eq!(shop.count("tickets").await, 0);
}

#[tokio::test]
async fn goods_sold_by_weight_leave_stock_in_grams() {
    let shop = Shop::new().await;
    let baklawa = shop
        .pantry
        .product_in("Baklawa", ProductKind::Finished, 2_800, Unit::G, Unit::Kg, 1_000)
        .await;
    shop.pantry.stocked(baklawa, 4_000, Money::whole(4_000)).await;
    let session = shop.open().await;
    let mut sale = shop.sale(session, 1, 2_000);
    sale.lines = vec![SaleLine {
        product_id: baklawa,
        quantity: Quantity::rounded(Decimal::new(25, 2)),
        price: Money::whole(2_800),
    }];
    let sold = shop.try_sell(&sale).await.expect("sell");
    assert_eq!(sold.total, Money::whole(700));
    let left = shop.pantry.item(baklawa).await;
    assert_eq!(left, (Quantity::whole(3_750), Money::whole(3_750)));
    shop.assert_whole().await;
}

#[tokio::test]
async fn a_sale_after_midnight_in_algiers_is_booked_to_the_new_day() {
    let mut shop = Shop::new().await;
    let session = shop.open().await;
    // 2 March 2026, 23:59 in Algiers is 22:59 UTC.
    shop.now = time::instant(MORNING_MS) + TimeDelta::minutes(14 * 60 + 59);
    shop.try_sell(&shop.sale(session, 1, 50)).await.expect("before");
    shop.now += TimeDelta::minutes(2);
    shop.try_sell(&shop.sale(session, 1, 50)).await.expect("after");
    let mut scope = shop.pantry.test.db.read(shop.pantry.test.company).await.expect("read");
    let days = sqlx::query_scalar!("select business_date from tickets order by number")
        .fetch_all(scope.connection())
        .await
        .expect("days");
    let posted = sqlx::query_scalar!(
        "select entry_date from journal_entries where rule = 'sale' order by number"
    )
    .fetch_all(scope.connection())
    .await
    .expect("days");
    assert_eq!(
        days.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["2026-03-02", "2026-03-03"]
    );
    assert_eq!(days, posted);
}

#[tokio::test]
async fn another_company_cannot_sell_from_this_till() {
    let shop = Shop::new().await;
    let session = shop.open().await;
    let sale = shop.sale(session, 1, 50);
    let stranger = Actor::system(CompanyId(Uuid::now_v7()), "x");
    let mut act = shop.pantry.test.db.begin(&stranger).await.expect("act");
    let refused = sell(&mut act, &shop.texts, &sale, shop.now).await;
    assert!(matches!(refused, Err(TillError::SessionNotOpen)));
}

#[tokio::test]
async fn every_drawer_says_what_the_books_say_after_a_busy_day() {
    let shop = Arc::new(Shop::new().await);
    let second = Uuid::now_v7();
    shop.add_till(second, "Caisse 2").await;
    shop.pantry.stocked(shop.msemen, 500, Money::rounded(Decimal::new(912_345, 2))).await;
    let one = shop.open().await;
    let two = shop.try_open(second, CashCount::of_whole(3_000), "").await.expect("open");
    let mut racing = tokio::task::JoinSet::new();
    for index in 0..40_i64 {
        let shop = Arc::clone(&shop);
        let session = if index % 2 == 0 { one } else { two };
        racing.spawn(async move {
            shop.try_sell(&shop.sale(session, 1 + index % 7, 1_000)).await.expect("sell");
        });
    }
    racing.join_all().await;
    assert_eq!(shop.count("tickets").await, 40);
    shop.assert_whole().await;
}
