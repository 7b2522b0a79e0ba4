//! Stock against a real PostgreSQL.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rust_decimal::Decimal;
use sqlx::ConnectOptions;

use super::*;
use crate::catalog::{self, NewCategory, NewProduct, ProductKind, Unit};
use crate::db::testing::TestDb;
use crate::db::{Actor, CompanyId};
use crate::money::Money;
use crate::quantity::Quantity;
use crate::time;
use uuid::Uuid;

/// A shop with a counter and a lab, and a way to make products.
pub(crate) struct Pantry {
    pub(crate) test: TestDb,
    pub(crate) counter: Uuid,
    pub(crate) lab: Uuid,
    category: Uuid,
}

impl Pantry {
    pub(crate) async fn new() -> Self {
        let test = TestDb::new().await;
        let (counter, lab, category) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let mut act = test.db.begin(&test.actor()).await.expect("act");
        for (id, kind, name) in
            [(counter, LocationKind::Counter, "Comptoir"), (lab, LocationKind::Lab, "Labo")]
        {
            let location = NewLocation { id, store_id: test.store, kind, name: name.into() };
            add_location(&mut act, &location).await.expect("location");
        }
        let tab = NewCategory {
            id: category,
            name: "Pâtes".into(),
            position: 1,
            emoji: String::new(),
            colour: "sand".into(),
            at_till: true,
        };
        catalog::add_category(&mut act, &tab).await.expect("category");
        act.commit().await.expect("commit");
        Self { test, counter, lab, category }
    }

    pub(crate) async fn product(&self, name: &str, kind: ProductKind, price: i64) -> Uuid {
        self.product_in(name, kind, price, Unit::Piece, Unit::Piece, 1).await
    }

    pub(crate) async fn product_in(
        &self,
        name: &str,
        kind: ProductKind,
        price: i64,
        base_unit: Unit,
        sale_unit: Unit,
        factor: i64,
    ) -> Uuid {
        let id = Uuid::now_v7();
        let product = NewProduct {
            id,
            sku: name.to_uppercase().chars().filter(char::is_ascii_alphanumeric).collect(),
            name: name.into(),
            kind,
            category_id: self.category,
            base_unit,
            sale_unit,
            sale_factor: Quantity::whole(factor),
            price: (price > 0).then(|| Money::whole(price)),
            emoji: String::new(),
        };
        let mut act = self.test.db.begin(&self.test.actor()).await.expect("act");
        let at = act.now();
        catalog::add_product(&mut act, &product, at).await.expect("product");
        act.commit().await.expect("commit");
        id
    }

    /// Puts goods on the counter.
    pub(crate) async fn stocked(&self, product_id: Uuid, quantity: i64, value: Money) {
        let mut act = self.test.db.begin(&self.test.actor()).await.expect("act");
        let receipt = Receipt { product_id, quantity: Quantity::whole(quantity), value };
        receive(&mut act, self.counter, &source(Uuid::now_v7()), &[receipt]).await.expect("stock");
        act.commit().await.expect("commit");
    }

    /// Quantity and value over the company.
    pub(crate) async fn item(&self, product_id: Uuid) -> (Quantity, Money) {
        let mut scope = self.test.db.read(self.test.company).await.expect("read");
        let row = sqlx::query!(
            "select quantity, value from stock_items where product_id = $1",
            product_id
        )
        .fetch_one(scope.connection())
        .await
        .expect("item");
        (Quantity::rounded(row.quantity), Money::rounded(row.value))
    }

    /// Σ ledger = balances = items, and the rules of value, over the whole company.
    pub(crate) async fn assert_whole(&self) {
        let mut scope = self.test.db.read(self.test.company).await.expect("read");
        let wrong = sqlx::query_scalar!(
            r#"select count(*) as "wrong!" from stock_items i
               where i.quantity <> (select coalesce(sum(l.quantity), 0) from stock_ledger l
                                    where l.product_id = i.product_id)
                  or i.value <> (select coalesce(sum(l.value), 0) from stock_ledger l
                                 where l.product_id = i.product_id)
                  or i.quantity <> (select coalesce(sum(b.quantity), 0) from stock_balances b
                                    where b.product_id = i.product_id)
                  or (i.quantity > 0 and i.value < 0) or (i.quantity = 0 and i.value <> 0)"#
        )
        .fetch_one(scope.connection())
        .await
        .expect("check");
        let wrong_places = sqlx::query_scalar!(
            r#"select count(*) as "wrong!" from stock_balances b
               where b.quantity <> (select coalesce(sum(l.quantity), 0) from stock_ledger l
                                    where l.product_id = b.product_id
                                      and l.location_id = b.location_id)"#
        )
        .fetch_one(scope.connection())
        .await
        .expect("check");
        assert_eq!((wrong, wrong_places), (0, 0), "ledger, balances and items disagree");
    }
}

fn source(id: Uuid) -> Source {
    let at = time::instant(1_772_438_400_000);
    Source { kind: "test", id, business_date: time::business_date(at, time::DEFAULT_ZONE), at }
}

fn out(product_id: Uuid, quantity: i64) -> Movement {
    Movement { product_id, quantity: Quantity::whole(quantity) }
}

#[tokio::test]
async fn an_issue_takes_its_share_of_the_value() {
    let pantry = Pantry::new().await;
    let msemen = pantry.product("Msemen", ProductKind::Finished, 50).await;
    pantry.stocked(msemen, 30, Money::whole(540)).await;
    let mut act = pantry.test.db.begin(&pantry.test.actor()).await.expect("act");
    let lines = [out(msemen, 8), out(msemen, 2)];
    let issued =
        issue(&mut act, pantry.counter, &source(Uuid::now_v7()), &lines).await.expect("issue");
    act.commit().await.expect("commit");
    assert_eq!(issued[0].value, Money::whole(144));
    assert_eq!(issued[1].value, Money::whole(36));
    assert_eq!(pantry.item(msemen).await, (Quantity::whole(20), Money::whole(360)));
    pantry.assert_whole().await;
}

#[tokio::test]
async fn one_source_moves_goods_once() {
    let pantry = Pantry::new().await;
    let msemen = pantry.product("Msemen", ProductKind::Finished, 50).await;
    pantry.stocked(msemen, 30, Money::whole(540)).await;
    let sale = source(Uuid::now_v7());
    let arrival = source(Uuid::now_v7());
    for _ in 0..2 {
        let mut act = pantry.test.db.begin(&pantry.test.actor()).await.expect("act");
        let issued = issue(&mut act, pantry.counter, &sale, &[out(msemen, 8)]).await;
        assert_eq!(issued.expect("issue")[0].value, Money::whole(144));
        let more =
            Receipt { product_id: msemen, quantity: Quantity::whole(5), value: Money::whole(90) };
        receive(&mut act, pantry.counter, &arrival, &[more]).await.expect("receive");
        act.commit().await.expect("commit");
    }
    assert_eq!(pantry.item(msemen).await.0, Quantity::whole(27));
    pantry.assert_whole().await;
}

#[tokio::test]
async fn goods_in_the_lab_are_not_sold_at_the_counter() {
    let pantry = Pantry::new().await;
    let msemen = pantry.product("Msemen", ProductKind::Finished, 50).await;
    pantry.stocked(msemen, 3, Money::whole(54)).await;
    let mut act = pantry.test.db.begin(&pantry.test.actor()).await.expect("act");
    let more =
        Receipt { product_id: msemen, quantity: Quantity::whole(20), value: Money::whole(360) };
    receive(&mut act, pantry.lab, &source(Uuid::now_v7()), &[more]).await.expect("receive");
    act.commit().await.expect("commit");
    let mut act = pantry.test.db.begin(&pantry.test.actor()).await.expect("act");
    let refused = issue(&mut act, pantry.counter, &source(Uuid::now_v7()), &[out(msemen, 4)]).await;
    assert!(matches!(
        refused,
        Err(StockError::Insufficient { available, wanted, .. })
            if available == Quantity::whole(3) && wanted == Quantity::whole(4)
    ));
    drop(act);
    pantry.assert_whole().await;
}

#[tokio::test]
async fn a_ledger_row_is_never_changed_not_even_by_the_owner_of_the_table() {
    let pantry = Pantry::new().await;
    let msemen = pantry.product("Msemen", ProductKind::Finished, 50).await;
    pantry.stocked(msemen, 30, Money::whole(540)).await;
    let mut owner = pantry.test.connect.connect().await.expect("connect");
    let changed = sqlx::query!("update stock_ledger set quantity = 31").execute(&mut owner).await;
    let removed = sqlx::query!("delete from stock_ledger").execute(&mut owner).await;
    for refused in [changed, removed] {
        let error = refused.expect_err("append-only");
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn another_company_sees_and_moves_nothing() {
    let pantry = Pantry::new().await;
    let msemen = pantry.product("Msemen", ProductKind::Finished, 50).await;
    pantry.stocked(msemen, 30, Money::whole(540)).await;
    let stranger = CompanyId(Uuid::now_v7());
    let mut scope = pantry.test.db.read(stranger).await.expect("read");
    let seen = sqlx::query_scalar!(
        r#"select (select count(*) from stock_items) + (select count(*) from stock_ledger)
                + (select count(*) from stock_values) + (select count(*) from products) as "n!""#
    )
    .fetch_one(scope.connection())
    .await
    .expect("count");
    assert_eq!(seen, 0);
    let mut act = pantry.test.db.begin(&Actor::system(stranger, "x")).await.expect("act");
    let refused = issue(&mut act, pantry.counter, &source(Uuid::now_v7()), &[out(msemen, 1)]).await;
    assert!(matches!(refused, Err(StockError::Insufficient { .. })));
}

#[tokio::test]
async fn whatever_moves_ledger_balances_and_items_agree() {
    let pantry = Pantry::new().await;
    let mut products = Vec::new();
    for name in ["Pain", "Croissant", "Baklawa"] {
        products.push(pantry.product(name, ProductKind::Finished, 50).await);
    }
    // (arrives, product, place, thousandths, centimes)
    let step = (any::<bool>(), 0..3_usize, any::<bool>(), 1..9_000_i64, 0..500_000_i64);
    let mut runner = TestRunner::deterministic();
    let steps = prop::collection::vec(step, 160).new_tree(&mut runner).expect("steps").current();
    let mut refusals = 0;
    for (arrives, product, at_counter, thousandths, centimes) in steps {
        let place = if at_counter { pantry.counter } else { pantry.lab };
        let quantity = Quantity::rounded(Decimal::new(thousandths, 3));
        let product_id = products[product];
        let source = source(Uuid::now_v7());
        let mut act = pantry.test.db.begin(&pantry.test.actor()).await.expect("act");
        if arrives {
            let value = Money::rounded(Decimal::new(centimes, 2));
            let receipt = Receipt { product_id, quantity, value };
            receive(&mut act, place, &source, &[receipt]).await.expect("receive");
        } else {
            match issue(&mut act, place, &source, &[Movement { product_id, quantity }]).await {
                Ok(_) => {}
                Err(StockError::Insufficient { .. }) => {
                    refusals += 1;
                    continue;
                }
                Err(error) => panic!("{error}"),
            }
        }
        act.commit().await.expect("commit");
    }
    assert!((1..80).contains(&refusals), "{refusals} refusals: the steps prove too little");
    pantry.assert_whole().await;
}
