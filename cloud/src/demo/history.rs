//! A week at the till, the same every time but for its dates: opened in the morning,
//! sold from all day, counted in the evening.

use anyhow::{Context, Result};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use uuid::Uuid;

use crate::catalog::{self, Product};
use crate::db::Act;
use crate::i18n::Texts;
use crate::money::Money;
use crate::quantity::Quantity;
use crate::till::{self, CashCount, CloseSession, OpenSession, Sale, SaleLine};

const DAYS: u64 = 7;
/// How far back the first day of the history may lie.
pub(super) const WEEK: TimeDelta = TimeDelta::days(7);
const FIRST_FLOAT: i32 = 5_000;

/// Numbers that look like chance and are the same every time (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}

/// Sells for the seven days before `today`; gives the number of tickets.
pub(super) async fn make(
    act: &mut Act,
    texts: &Texts,
    till_id: Uuid,
    today: NaiveDate,
) -> Result<u64> {
    let company = act.company();
    let products = catalog::products_sold(act.connection(), company).await?;
    let mut dice = Dice(2_026);
    let mut in_drawer = FIRST_FLOAT;
    let mut tickets = 0;
    for back in (1..=DAYS).rev() {
        let day = today.checked_sub_days(Days::new(back)).context("a day of the calendar")?;
        let count = CashCount::of_whole(in_drawer);
        let open = OpenSession { till_id, count, reason: String::new() };
        let session = till::open_session(act, texts, &open, at(day, 8, 0)?).await?;
        let sold = 18 + dice.below(14);
        for number in 0..sold {
            let minute = 20 + number * 580 / sold + dice.below(9);
            let when = at(day, 8, 0)? + TimeDelta::minutes(minute.cast_signed());
            let sale = cart(&mut dice, &products, session)?;
            till::sell(act, texts, &sale, when).await?;
            in_drawer += price(&sale)?;
        }
        tickets += sold;
        // One evening a coin is missing.
        let missing = if back == 4 { 20 } else { 0 };
        let reason = if missing == 0 { "" } else { "erreur de rendu" };
        in_drawer -= missing;
        let count = CashCount::of_whole(in_drawer);
        let close = CloseSession { session_id: session, count, reason: reason.to_owned() };
        till::close_session(act, texts, &close, at(day, 18, 30)?).await?;
    }
    Ok(tickets)
}

/// Algiers is one hour ahead of UTC all year.
fn at(day: NaiveDate, hour: u32, minute: u32) -> Result<DateTime<Utc>> {
    let local = day.and_hms_opt(hour, minute, 0).context("an hour of the day")?;
    Ok(local.and_utc() - TimeDelta::hours(1))
}

fn cart(dice: &mut Dice, products: &[Product], session_id: Uuid) -> Result<Sale> {
    let mut lines: Vec<SaleLine> = Vec::new();
    for _ in 0..=dice.below(3) {
        let index = usize::try_from(dice.below(products.len() as u64))?;
        let product = products.get(index).context("there is something to sell")?;
        if lines.iter().any(|line| line.product_id == product.id) {
            continue;
        }
        let quantity = if product.sale_unit.is_counted() {
            Quantity::whole(1 + dice.below(6).cast_signed())
        } else {
            Quantity::rounded(Decimal::new(25 + 25 * dice.below(4).cast_signed(), 2))
        };
        lines.push(SaleLine { product_id: product.id, quantity, price: product.price });
    }
    let mut sale = Sale { ticket_id: Uuid::now_v7(), session_id, lines, received: Money::ZERO };
    let due = price(&sale)?;
    let note = [100, 200, 500, 1_000, 2_000].into_iter().find(|note| *note >= due);
    sale.received = Money::whole(i64::from(note.unwrap_or(due)));
    Ok(sale)
}

/// Whole dinars: every price of the demonstration is a multiple of four.
fn price(sale: &Sale) -> Result<i32> {
    let total: Money = sale.lines.iter().map(|line| line.price.times(line.quantity)).sum();
    anyhow::ensure!(total.decimal().is_integer(), "{total} is not a whole amount");
    total.decimal().to_i32().context("an amount of a ticket")
}
