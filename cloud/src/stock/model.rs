//! Quantities and the value that follows them. No I/O.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::db::DbError;
use crate::money::Money;
use crate::quantity::Quantity;

/// What a place is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocationKind {
    Counter,
    Store,
    Lab,
    Reserve,
}

impl LocationKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Store => "store",
            Self::Lab => "lab",
            Self::Reserve => "reserve",
        }
    }
}

/// A place to make.
#[derive(Debug, Clone)]
pub struct NewLocation {
    pub id: Uuid,
    pub store_id: Uuid,
    pub kind: LocationKind,
    pub name: String,
}

/// The business fact that moves goods. Its lines are numbered from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    pub kind: &'static str,
    pub id: Uuid,
    pub business_date: NaiveDate,
    pub at: DateTime<Utc>,
}

/// Goods that leave: line `n` of the list is line `n` of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    pub product_id: Uuid,
    /// In the base unit, above zero.
    pub quantity: Quantity,
}

/// Goods that arrive, with what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub product_id: Uuid,
    pub quantity: Quantity,
    pub value: Money,
}

/// A line that left and the value it took along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issued {
    pub product_id: Uuid,
    pub quantity: Quantity,
    pub value: Money,
}

/// Why nothing moved.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    #[error("product {product_id}: {available} available, {wanted} wanted")]
    Insufficient { product_id: Uuid, available: Quantity, wanted: Quantity },
    #[error("a moved quantity must be above zero, and a value not below")]
    NotAQuantity,
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A product over the whole company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) product_id: Uuid,
    pub(super) quantity: Quantity,
    pub(super) value: Money,
}

impl Item {
    pub(super) const fn empty(product_id: Uuid) -> Self {
        Self { product_id, quantity: Quantity::ZERO, value: Money::ZERO }
    }

    /// Takes a quantity and its share of the value: `round2(value × q / quantity)`, and
    /// all of it with the last unit. `None` when there is less.
    pub(super) fn take(&mut self, quantity: Quantity) -> Option<Money> {
        if quantity > self.quantity {
            return None;
        }
        let value = if quantity == self.quantity {
            self.value
        } else {
            // The product first: dividing first would lose the last digits.
            let share = self
                .value
                .decimal()
                .checked_mul(quantity.decimal())
                .and_then(|product| product.checked_div(self.quantity.decimal()))
                .unwrap_or(Decimal::ZERO);
            Money::rounded(share).min(self.value)
        };
        self.quantity = self.quantity - quantity;
        self.value = self.value - value;
        Some(value)
    }

    /// Adds goods at their cost.
    pub(super) fn add(&mut self, quantity: Quantity, value: Money) {
        self.quantity = self.quantity + quantity;
        self.value += value;
    }
}

#[cfg(test)]
mod unit_tests {
    use proptest::prelude::*;

    use super::*;

    fn item(quantity: i64, value: Decimal) -> Item {
        let value = Money::rounded(value);
        Item { product_id: Uuid::nil(), quantity: Quantity::whole(quantity), value }
    }

    #[test]
    fn a_share_of_the_value_leaves_with_the_quantity() {
        let mut item = item(700, Decimal::from(29_385));
        assert_eq!(item.take(Quantity::whole(25)), Some(Money::rounded(Decimal::new(104_946, 2))));
    }

    #[test]
    fn the_last_unit_takes_what_is_left() {
        let mut item = item(3, Decimal::from(100));
        assert_eq!(item.take(Quantity::ONE), Some(Money::rounded(Decimal::new(3333, 2))));
        assert_eq!(item.take(Quantity::ONE), Some(Money::rounded(Decimal::new(3334, 2))));
        assert_eq!(item.take(Quantity::ONE), Some(Money::rounded(Decimal::new(3333, 2))));
        assert_eq!((item.quantity, item.value), (Quantity::ZERO, Money::ZERO));
    }

    #[test]
    fn more_than_there_is_cannot_be_taken() {
        let mut item = item(30, Decimal::from(540));
        assert_eq!(item.take(Quantity::whole(31)), None);
        assert_eq!(item.quantity, Quantity::whole(30));
    }

    proptest! {
        #[test]
        fn value_is_kept_and_never_negative(
            stocked in 1_i64..10_000_000,
            centimes in 0_i64..1_000_000_000,
            taken in prop::collection::vec(1_i64..100_000, 1..50),
        ) {
            let mut item = Item {
                product_id: Uuid::nil(),
                quantity: Quantity::rounded(Decimal::new(stocked, 3)),
                value: Money::rounded(Decimal::new(centimes, 2)),
            };
            let before = item.value;
            let mut gone = Money::ZERO;
            for amount in taken {
                if let Some(value) = item.take(Quantity::rounded(Decimal::new(amount, 3))) {
                    prop_assert!(!value.is_negative());
                    gone += value;
                }
            }
            prop_assert_eq!(gone + item.value, before);
            prop_assert!(!item.value.is_negative());
            prop_assert!(!item.quantity.is_zero() || item.value.is_zero());
        }
    }
}
