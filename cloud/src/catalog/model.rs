//! Products, units and how units turn into each other. No I/O.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::i18n::Message;
use crate::money::Money;
use crate::quantity::Quantity;

/// What a product is for; decides its accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProductKind {
    /// Made here and sold.
    Finished,
    /// Made here and used in other products: dough, cream.
    Intermediate,
    /// Bought and used in recipes.
    Ingredient,
    /// Bought and given away with sales: boxes, bags.
    Consumable,
    /// Bought and sold as it is.
    Resale,
}

impl ProductKind {
    pub const ALL: [Self; 5] =
        [Self::Finished, Self::Intermediate, Self::Ingredient, Self::Consumable, Self::Resale];

    /// The word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Intermediate => "intermediate",
            Self::Ingredient => "ingredient",
            Self::Consumable => "consumable",
            Self::Resale => "resale",
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Text id of its name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Finished => "catalog-kind-finished",
            Self::Intermediate => "catalog-kind-intermediate",
            Self::Ingredient => "catalog-kind-ingredient",
            Self::Consumable => "catalog-kind-consumable",
            Self::Resale => "catalog-kind-resale",
        }
    }
}

/// A unit of measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    #[serde(rename = "pc")]
    Piece,
    G,
    Kg,
    Ml,
    L,
}

/// Two units that measure different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{from} does not convert to {to}")]
pub struct UnitError {
    pub from: Unit,
    pub to: Unit,
}

impl Unit {
    pub const ALL: [Self; 5] = [Self::Piece, Self::G, Self::Kg, Self::Ml, Self::L];

    /// The word in the database, and what is printed after a quantity.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Piece => "pc",
            Self::G => "g",
            Self::Kg => "kg",
            Self::Ml => "ml",
            Self::L => "l",
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.as_str() == word)
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> Message {
        Message::new("catalog-unit").with("unit", self)
    }

    /// A quantity of it, for people: `1 pièce`, `0,5 kg`.
    #[must_use]
    pub fn quantity(self, quantity: Quantity) -> Message {
        Message::new("catalog-quantity")
            .with("quantity", quantity.french())
            .with("count", quantity)
            .with("unit", self)
    }

    /// True for goods that are counted, so that half of one is a slip of the hand.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        matches!(self, Self::Piece)
    }

    /// A quantity of this unit, in another. Refused between mass, volume and pieces:
    /// a silent factor of one is how a recipe's cost goes wrong a thousandfold.
    pub fn convert(self, quantity: Quantity, to: Self) -> Result<Quantity, UnitError> {
        let thousand = Decimal::ONE_THOUSAND;
        let value = quantity.decimal();
        match (self, to) {
            (from, to) if from == to => Ok(quantity),
            (Self::Kg, Self::G) | (Self::L, Self::Ml) => Ok(Quantity::rounded(value * thousand)),
            (Self::G, Self::Kg) | (Self::Ml, Self::L) => Ok(Quantity::rounded(value / thousand)),
            (from, to) => Err(UnitError { from, to }),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A product as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    pub id: Uuid,
    pub sku: String,
    pub name: String,
    pub kind: ProductKind,
    pub category_id: Uuid,
    pub category: String,
    pub colour: String,
    pub base_unit: Unit,
    pub sale_unit: Unit,
    /// Base units in one sale unit.
    pub sale_factor: Quantity,
    /// Per sale unit.
    pub price: Money,
    pub sold: bool,
    pub emoji: String,
    pub active: bool,
}

impl Product {
    /// What a quantity in the sale unit takes from stock.
    #[must_use]
    pub fn in_base_unit(&self, sold: Quantity) -> Quantity {
        Quantity::rounded(sold.decimal().saturating_mul(self.sale_factor.decimal()))
    }

    /// What a quantity of stock is in the sale unit, rounded down: never promise more.
    #[must_use]
    pub fn in_sale_unit(&self, stocked: Quantity) -> Quantity {
        let exact = stocked.decimal().checked_div(self.sale_factor.decimal()).unwrap_or_default();
        let places = if self.sale_unit.is_counted() { 0 } else { 3 };
        Quantity::rounded(
            exact.round_dp_with_strategy(places, rust_decimal::RoundingStrategy::ToZero),
        )
    }
}

/// A tab of the till's grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    pub id: Uuid,
    pub name: String,
    pub emoji: String,
    pub colour: String,
    pub at_till: bool,
}

/// A category to make.
#[derive(Debug, Clone)]
pub struct NewCategory {
    pub id: Uuid,
    pub name: String,
    pub position: i32,
    pub emoji: String,
    /// A name of the palette: `sand`, `rose`, `amber`, `olive`, `sky`, `violet`, `slate`.
    pub colour: String,
    pub at_till: bool,
}

/// A product to make.
#[derive(Debug, Clone)]
pub struct NewProduct {
    pub id: Uuid,
    pub sku: String,
    pub name: String,
    pub kind: ProductKind,
    pub category_id: Uuid,
    pub base_unit: Unit,
    pub sale_unit: Unit,
    pub sale_factor: Quantity,
    /// `None`: not sold.
    pub price: Option<Money>,
    pub emoji: String,
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn kilograms_and_grams_convert_both_ways() {
        assert_eq!(Unit::Kg.convert(Quantity::ONE, Unit::G), Ok(Quantity::whole(1_000)));
        assert_eq!(
            Unit::G.convert(Quantity::whole(250), Unit::Kg).map(|q| q.to_string()),
            Ok("0.25".into())
        );
    }

    #[test]
    fn grams_do_not_become_pieces() {
        assert!(Unit::G.convert(Quantity::ONE, Unit::Piece).is_err());
        assert!(Unit::L.convert(Quantity::ONE, Unit::Kg).is_err());
    }

    #[test]
    fn pieces_are_counted_in_words_and_the_rest_in_its_unit() {
        let texts = crate::i18n::Catalogue::load().expect("texts").in_language("fr");
        let said = |unit: Unit, quantity| texts.say(&unit.quantity(quantity));
        assert_eq!(said(Unit::Piece, Quantity::ONE), "1 pièce");
        assert_eq!(said(Unit::Piece, Quantity::whole(30)), "30 pièces");
        assert_eq!(said(Unit::Kg, Quantity::rounded(Decimal::new(5, 1))), "0,5 kg");
    }

    #[test]
    fn every_word_of_the_database_is_read_back() {
        for unit in Unit::ALL {
            assert_eq!(Unit::parse(unit.as_str()), Some(unit));
        }
        for kind in ProductKind::ALL {
            assert_eq!(ProductKind::parse(kind.as_str()), Some(kind));
        }
    }
}
