//! Amounts of money: exact, two decimals, never a float.
//!
//! PostgreSQL holds them as `numeric(14,2)`. One rounding rule, half away from
//! zero, applied once where a product is made.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;

/// An amount in the company's currency, two decimals.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "Decimal", into = "Decimal")]
pub struct Money(Decimal);

/// The largest amount taken from anybody (99 999 999 999); `numeric(14,2)` holds more.
const LARGEST: Decimal = Decimal::from_parts(1_215_752_191, 23, 0, false, 0);

/// Why a value is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("not an amount")]
    NotANumber,
    #[error("an amount has at most two decimals")]
    TooPrecise,
    #[error("the amount is too large")]
    TooLarge,
}

impl Money {
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Takes a decimal as it is; refuses a third decimal rather than round in silence.
    pub fn exact(value: Decimal) -> Result<Self, MoneyError> {
        if value.abs() > LARGEST {
            return Err(MoneyError::TooLarge);
        }
        let rounded = Self::rounded(value);
        if rounded.0 == value { Ok(rounded) } else { Err(MoneyError::TooPrecise) }
    }

    /// Rounds to two decimals, half away from zero.
    #[must_use]
    pub fn rounded(value: Decimal) -> Self {
        let mut value = value.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        value.rescale(2);
        Self(value)
    }

    /// Whole dinars; for tables and tests.
    #[must_use]
    pub fn whole(units: i64) -> Self {
        Self::rounded(Decimal::from(units))
    }

    /// Price × quantity, rounded once.
    #[must_use]
    pub fn times(self, quantity: Quantity) -> Self {
        Self::rounded(self.0.saturating_mul(quantity.decimal()))
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
    pub fn is_negative(self) -> bool {
        self < Self::ZERO
    }

    /// Reads what a person typed: `1 234,50`, `1234.5`, with or without `DA`.
    pub fn parse(typed: &str) -> Result<Self, MoneyError> {
        let typed = typed.trim();
        let typed = typed.strip_suffix("DA").unwrap_or(typed);
        crate::quantity::parse_decimal(typed).ok_or(MoneyError::NotANumber).and_then(Self::exact)
    }

    /// As people read it in French: `1 234,50` with a narrow no-break space.
    #[must_use]
    pub fn french(self) -> String {
        crate::quantity::french_digits(&format!("{:.2}", self.0))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.2}", self.0)
    }
}

impl TryFrom<Decimal> for Money {
    type Error = MoneyError;
    fn try_from(value: Decimal) -> Result<Self, MoneyError> {
        Self::exact(value)
    }
}

impl From<Money> for Decimal {
    fn from(money: Money) -> Self {
        money.0
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_centime_goes_away_from_zero() {
        assert_eq!(Money::rounded(Decimal::new(1005, 3)).to_string(), "1.01");
        assert_eq!(Money::rounded(Decimal::new(-1005, 3)).to_string(), "-1.01");
    }

    #[test]
    fn a_third_decimal_is_refused_not_rounded() {
        assert_eq!(Money::exact(Decimal::new(1005, 3)), Err(MoneyError::TooPrecise));
    }

    #[test]
    fn amounts_are_read_as_people_type_them() {
        for typed in ["1234,50", "1 234,50", "1234.5", "1\u{202f}234,50 DA"] {
            assert_eq!(Money::parse(typed).map(|m| m.to_string()), Ok("1234.50".into()), "{typed}");
        }
        assert_eq!(Money::parse("douze"), Err(MoneyError::NotANumber));
        assert_eq!(Money::parse("99999999999999"), Err(MoneyError::TooLarge));
    }

    #[test]
    fn amounts_are_written_in_french() {
        assert_eq!(Money::whole(1_234_567).french(), "1\u{202f}234\u{202f}567,00");
        assert_eq!((-Money::whole(50)).french(), "-50,00");
    }
}
