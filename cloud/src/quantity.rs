//! Quantities of goods: exact, three decimals, in the product's base unit.
//!
//! PostgreSQL holds them as `numeric(14,3)`.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// A quantity in some unit, three decimals.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "Decimal", into = "Decimal")]
pub struct Quantity(Decimal);

/// Why a value is not a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("not a quantity")]
    NotANumber,
    #[error("a quantity has at most three decimals")]
    TooPrecise,
    #[error("the quantity is too large")]
    TooLarge,
}

/// The largest quantity taken from anybody; `numeric(14,3)` holds more.
const LARGEST: i64 = 9_999_999_999;

impl Quantity {
    pub const ZERO: Self = Self(Decimal::ZERO);
    pub const ONE: Self = Self(Decimal::ONE);

    /// Takes a decimal as it is; refuses a fourth decimal rather than round in silence.
    pub fn exact(value: Decimal) -> Result<Self, QuantityError> {
        if value.abs() > Decimal::from(LARGEST) {
            return Err(QuantityError::TooLarge);
        }
        let rounded = Self::rounded(value);
        if rounded.0 == value { Ok(rounded) } else { Err(QuantityError::TooPrecise) }
    }

    /// Rounds to three decimals, half away from zero.
    #[must_use]
    pub fn rounded(value: Decimal) -> Self {
        let mut value = value.round_dp_with_strategy(3, RoundingStrategy::MidpointAwayFromZero);
        value.rescale(3);
        Self(value)
    }

    /// Whole units; for tables and tests.
    #[must_use]
    pub fn whole(units: i64) -> Self {
        Self::rounded(Decimal::from(units))
    }

    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    #[must_use]
    pub fn is_positive(self) -> bool {
        self > Self::ZERO
    }

    #[must_use]
    pub fn is_negative(self) -> bool {
        self < Self::ZERO
    }

    /// Reads what a person typed: `2,5`, `1 000`, `0.250`.
    pub fn parse(typed: &str) -> Result<Self, QuantityError> {
        parse_decimal(typed).ok_or(QuantityError::NotANumber).and_then(Self::exact)
    }

    /// As people read it in French, without needless zeros: `2,5`, `1 000`.
    #[must_use]
    pub fn french(self) -> String {
        french_digits(&self.0.normalize().to_string())
    }
}

/// Reads a decimal with comma or point and any spaces; no exponent, no second sign.
pub(crate) fn parse_decimal(typed: &str) -> Option<Decimal> {
    let digits: String = typed
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| if letter == ',' { '.' } else { letter })
        .collect();
    let plain = digits.strip_prefix('-').unwrap_or(&digits);
    let is_plain = plain.bytes().all(|b| b.is_ascii_digit() || b == b'.') && plain.len() <= 20;
    if !is_plain || !plain.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Turns `-1234.50` into `-1 234,50` with narrow no-break spaces.
pub(crate) fn french_digits(plain: &str) -> String {
    let (sign, plain) = plain.strip_prefix('-').map_or(("", plain), |rest| ("-", rest));
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let mut text = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push(',');
        text.push_str(fraction);
    }
    text
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.normalize())
    }
}

impl TryFrom<Decimal> for Quantity {
    type Error = QuantityError;
    fn try_from(value: Decimal) -> Result<Self, QuantityError> {
        Self::exact(value)
    }
}

impl From<Quantity> for Decimal {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

impl Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Quantity {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Quantity {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_people_type_them() {
        assert_eq!(Quantity::parse("2,5").map(|q| q.to_string()), Ok("2.5".into()));
        assert_eq!(Quantity::parse("1 000").map(|q| q.to_string()), Ok("1000".into()));
        assert_eq!(Quantity::parse("0,2505"), Err(QuantityError::TooPrecise));
        for bad in ["", "-", ".", "1e3", "--2", "deux"] {
            assert_eq!(Quantity::parse(bad), Err(QuantityError::NotANumber), "{bad}");
        }
    }

    #[test]
    fn quantities_are_written_without_needless_zeros() {
        assert_eq!(Quantity::whole(12_000).french(), "12\u{202f}000");
        assert_eq!(Quantity::rounded(Decimal::new(250, 3)).french(), "0,25");
    }
}
