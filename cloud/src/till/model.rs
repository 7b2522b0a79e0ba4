//! Sales, counts and their arithmetic. No I/O.

use rust_decimal::RoundingStrategy;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::accounting::PostingError;
use crate::catalog::{Product, Unit};
use crate::db::DbError;
use crate::money::Money;
use crate::quantity::Quantity;
use crate::stock::StockError;

/// Notes and coins of the dinar, largest first.
pub const DENOMINATIONS: [i32; 11] = [2000, 1000, 500, 200, 100, 50, 20, 10, 5, 2, 1];
/// Lines one ticket may have.
const LINES_MAX: usize = 200;
/// Pieces of one denomination a count may have.
const PIECES_MAX: i32 = 100_000;

/// A drawer to make.
#[derive(Debug, Clone)]
pub struct NewTill {
    pub id: Uuid,
    pub store_id: Uuid,
    pub name: String,
    /// A counter; goods sold are taken from it.
    pub location_id: Uuid,
}

/// What a page asks for. The ids are the page's own, so asking twice is asking once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sale {
    pub ticket_id: Uuid,
    pub session_id: Uuid,
    pub lines: Vec<SaleLine>,
    /// Cash handed over.
    pub received: Money,
}

/// One line of the cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaleLine {
    pub product_id: Uuid,
    /// In the sale unit.
    pub quantity: Quantity,
    /// The price the customer was shown; the server's price is the one that counts.
    pub price: Money,
}

/// The ticket that came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sold {
    pub ticket_id: Uuid,
    /// Such as `T-2026-000123`.
    pub code: String,
    pub total: Money,
    /// What rounding to whole dinars added to what was collected.
    pub rounding: Money,
    pub received: Money,
    pub change: Money,
}

/// What a total comes to in cash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CashDue {
    /// Whole dinars: no smaller coin is in use.
    pub(super) due: Money,
    /// Due less total: above zero the customer pays more, below the shop gets less.
    pub(super) rounding: Money,
}

/// A line with its price, as it will stand on the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PricedLine {
    pub(super) product: Product,
    pub(super) quantity: Quantity,
    pub(super) base_quantity: Quantity,
    pub(super) total: Money,
}

/// Why the till said no. Each is told to the cashier in words (`fr.ftl`).
#[derive(Debug, thiserror::Error)]
pub enum TillError {
    #[error("till does not exist")]
    UnknownTill,
    #[error("a session is open on this till, by {by}")]
    SessionAlreadyOpen { by: String },
    #[error("the cash session is not open")]
    SessionNotOpen,
    #[error("the count is {difference} off and no reason is given")]
    ReasonNeeded { difference: Money },
    #[error("the count is not made of known notes and coins")]
    BadCount,
    #[error("the ticket has no line")]
    EmptyTicket,
    #[error("the ticket has more than {LINES_MAX} lines")]
    TooManyLines,
    #[error("product {0} is not sold here")]
    NotSold(Uuid),
    #[error("{name} cannot be sold in this quantity")]
    BadQuantity { name: String },
    #[error("{name} costs {now} and not {shown}")]
    PriceChanged { name: String, shown: Money, now: Money },
    #[error("{name}: {available} {unit} available")]
    Insufficient { name: String, available: Quantity, unit: Unit },
    #[error("the total comes to no dinar")]
    NothingDue,
    #[error("{received} received for {due}")]
    NotEnoughMoney { due: Money, received: Money },
    #[error("ticket does not exist")]
    UnknownTicket,
    #[error("the shop has no gateway in service to print with")]
    NoGateway,
    #[error(transparent)]
    Stock(StockError),
    #[error(transparent)]
    Posting(#[from] PostingError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Notes and coins, by denomination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CashCount(Vec<(i32, i32)>);

impl CashCount {
    /// Takes (denomination, pieces) pairs; zero pieces are left out, a denomination
    /// twice or unknown is refused.
    pub fn new(pieces: &[(i32, i32)]) -> Result<Self, TillError> {
        let mut counted: Vec<(i32, i32)> = Vec::new();
        for &(denomination, number) in pieces {
            let is_known = DENOMINATIONS.contains(&denomination);
            let is_again = counted.iter().any(|(known, _)| *known == denomination);
            if !is_known || is_again || !(0..=PIECES_MAX).contains(&number) {
                return Err(TillError::BadCount);
            }
            if number > 0 {
                counted.push((denomination, number));
            }
        }
        Ok(Self(counted))
    }

    #[must_use]
    pub fn pieces(&self) -> &[(i32, i32)] {
        &self.0
    }

    #[must_use]
    pub fn total(&self) -> Money {
        self.0
            .iter()
            .map(|(note, pieces)| Money::whole(i64::from(*note) * i64::from(*pieces)))
            .sum()
    }

    /// The fewest notes and coins of a whole amount; for demonstration data and tests.
    #[must_use]
    pub fn of_whole(amount: i32) -> Self {
        let mut rest = amount.max(0);
        let mut counted = Vec::new();
        for note in DENOMINATIONS {
            if rest >= note {
                counted.push((note, rest / note));
                rest %= note;
            }
        }
        Self(counted)
    }
}

/// Prices the cart by the server's prices. The first line that cannot stand is named.
pub(super) fn price_lines(
    lines: &[SaleLine],
    products: &[Product],
) -> Result<Vec<PricedLine>, TillError> {
    if lines.is_empty() {
        return Err(TillError::EmptyTicket);
    }
    if lines.len() > LINES_MAX {
        return Err(TillError::TooManyLines);
    }
    lines.iter().map(|line| price_line(line, products)).collect()
}

fn price_line(line: &SaleLine, products: &[Product]) -> Result<PricedLine, TillError> {
    let product = products
        .iter()
        .find(|product| product.id == line.product_id && product.sold && product.active)
        .ok_or(TillError::NotSold(line.product_id))?;
    let is_whole = line.quantity.decimal().is_integer();
    let base_quantity = product.in_base_unit(line.quantity);
    if !base_quantity.is_positive() || (product.sale_unit.is_counted() && !is_whole) {
        return Err(TillError::BadQuantity { name: product.name.clone() });
    }
    if line.price != product.price {
        let name = product.name.clone();
        return Err(TillError::PriceChanged { name, shown: line.price, now: product.price });
    }
    Ok(PricedLine {
        quantity: line.quantity,
        base_quantity,
        total: product.price.times(line.quantity),
        product: product.clone(),
    })
}

/// Rounds a total to whole dinars, half away from zero: half a dinar is paid as one.
/// Applied once, to the total; lines keep their centimes. Refused when nothing is due.
pub(super) fn cash_due(total: Money) -> Result<CashDue, TillError> {
    let whole = total.decimal().round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    let due = Money::rounded(whole);
    if due <= Money::ZERO {
        return Err(TillError::NothingDue);
    }
    Ok(CashDue { due, rounding: due - total })
}

/// `T-2026-000123`.
pub(super) fn ticket_code(year: i32, number: i64) -> String {
    format!("T-{year}-{number:06}")
}

#[cfg(test)]
mod unit_tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::catalog::ProductKind;

    fn product(unit: Unit, factor: i64, price: i64) -> Product {
        Product {
            id: Uuid::from_u128(7),
            sku: "MSE".into(),
            name: "Msemen".into(),
            kind: ProductKind::Finished,
            category_id: Uuid::nil(),
            category: String::new(),
            colour: "sand".into(),
            base_unit: if unit == Unit::Kg { Unit::G } else { unit },
            sale_unit: unit,
            sale_factor: Quantity::whole(factor),
            price: Money::whole(price),
            sold: true,
            emoji: String::new(),
            active: true,
        }
    }

    fn line(quantity: Quantity, price: i64) -> SaleLine {
        SaleLine { product_id: Uuid::from_u128(7), quantity, price: Money::whole(price) }
    }

    #[test]
    fn a_kilogram_sold_takes_a_thousand_grams() {
        let half = Quantity::rounded(Decimal::new(5, 1));
        let lines = price_lines(&[line(half, 2_800)], &[product(Unit::Kg, 1_000, 2_800)]);
        let lines = lines.expect("a good line");
        assert_eq!(lines[0].base_quantity, Quantity::whole(500));
        assert_eq!(lines[0].total, Money::whole(1_400));
    }

    #[test]
    fn a_price_of_yesterday_is_refused_by_name() {
        let refused = price_lines(&[line(Quantity::ONE, 45)], &[product(Unit::Piece, 1, 50)]);
        assert!(matches!(refused, Err(TillError::PriceChanged { name, .. }) if name == "Msemen"));
    }

    #[test]
    fn half_a_piece_nothing_and_less_than_nothing_are_refused() {
        for tenths in [5, 0, -10] {
            let quantity = Quantity::rounded(Decimal::new(tenths, 1));
            let refused = price_lines(&[line(quantity, 50)], &[product(Unit::Piece, 1, 50)]);
            assert!(matches!(refused, Err(TillError::BadQuantity { .. })), "{tenths}");
        }
    }

    #[test]
    fn the_count_of_scenario_one_is_11_900() {
        let count = CashCount::new(&[(2000, 2), (1000, 3), (500, 4), (200, 10), (100, 9), (50, 0)]);
        assert_eq!(count.expect("a count").total(), Money::whole(11_900));
    }

    #[test]
    fn a_count_of_unknown_notes_is_refused() {
        for pieces in [[(300, 1)].as_slice(), &[(100, -1)], &[(100, 1), (100, 2)]] {
            assert!(matches!(CashCount::new(pieces), Err(TillError::BadCount)), "{pieces:?}");
        }
    }

    #[test]
    fn half_a_dinar_is_paid_as_one_and_less_is_let_go() {
        let due = |centimes| cash_due(Money::rounded(Decimal::new(centimes, 2))).ok();
        let cash = |due, rounding| {
            let rounding = Money::rounded(Decimal::new(rounding, 2));
            Some(CashDue { due: Money::whole(due), rounding })
        };
        assert_eq!(due(10_000), cash(100, 0));
        assert_eq!(due(9_950), cash(100, 50));
        assert_eq!(due(9_949), cash(99, -49));
        assert_eq!(due(50), cash(1, 50));
    }

    #[test]
    fn a_total_of_less_than_half_a_dinar_is_no_sale() {
        for centimes in [0, 1, 49] {
            let refused = cash_due(Money::rounded(Decimal::new(centimes, 2)));
            assert!(matches!(refused, Err(TillError::NothingDue)), "{centimes}");
        }
    }

    proptest! {
        #[test]
        fn cash_is_whole_and_never_half_a_dinar_off(centimes in 50_i64..10_000_000_000) {
            let total = Money::rounded(Decimal::new(centimes, 2));
            let CashDue { due, rounding } = cash_due(total).expect("something is due");
            prop_assert!(due.decimal().is_integer());
            prop_assert_eq!(due - rounding, total);
            let half = Decimal::new(50, 2);
            prop_assert!(rounding.decimal() > -half && rounding.decimal() <= half);
        }

        #[test]
        fn any_whole_amount_can_be_counted(amount in 0_i32..1_000_000) {
            prop_assert_eq!(CashCount::of_whole(amount).total(), Money::whole(amount.into()));
        }
    }
}
