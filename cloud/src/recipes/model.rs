//! What a recipe is and what it costs. No I/O.

use rust_decimal::Decimal;
use uuid::Uuid;

use crate::catalog::{Unit, UnitError};
use crate::money::Money;
use crate::quantity::Quantity;

/// A recipe as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    pub id: Uuid,
    pub product_id: Uuid,
    pub product: String,
    pub product_unit: Unit,
    pub lab: String,
    /// In the product's base unit.
    pub yield_quantity: Quantity,
    pub lines: Vec<RecipeLine>,
}

/// One ingredient of a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeLine {
    pub ingredient_id: Uuid,
    pub ingredient: String,
    pub quantity: Quantity,
    pub unit: Unit,
    /// The unit the ingredient is stocked in.
    pub base_unit: Unit,
}

/// A recipe to make.
#[derive(Debug, Clone)]
pub struct NewRecipe {
    pub id: Uuid,
    pub product_id: Uuid,
    pub lab_id: Uuid,
    pub yield_quantity: Quantity,
    pub lines: Vec<NewRecipeLine>,
}

#[derive(Debug, Clone, Copy)]
pub struct NewRecipeLine {
    pub ingredient_id: Uuid,
    pub quantity: Quantity,
    pub unit: Unit,
}

/// Why a recipe has no cost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    #[error("no cost is known for {ingredient}")]
    CostUnknown { ingredient: String },
    #[error("{ingredient}: {source}")]
    Unit { ingredient: String, source: UnitError },
}

/// What one batch costs in ingredients: quantities in stock units times average cost,
/// each line rounded once. `unit_cost` gives the cost of one base unit.
pub fn recipe_cost(
    lines: &[RecipeLine],
    unit_cost: impl Fn(Uuid) -> Option<Decimal>,
) -> Result<Money, CostError> {
    let mut cost = Money::ZERO;
    for line in lines {
        let ingredient = || line.ingredient.clone();
        let quantity = line
            .unit
            .convert(line.quantity, line.base_unit)
            .map_err(|source| CostError::Unit { ingredient: ingredient(), source })?;
        let unit_cost = unit_cost(line.ingredient_id)
            .ok_or_else(|| CostError::CostUnknown { ingredient: ingredient() })?;
        cost += Money::rounded(unit_cost.saturating_mul(quantity.decimal()));
    }
    Ok(cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, quantity: i64, unit: Unit, base_unit: Unit) -> RecipeLine {
        RecipeLine {
            ingredient_id: Uuid::from_u128(name.len() as u128),
            ingredient: name.into(),
            quantity: Quantity::whole(quantity),
            unit,
            base_unit,
        }
    }

    #[test]
    fn a_line_in_grams_costs_by_the_kilogram_it_is_stocked_in() {
        let lines = [line("semoule", 500, Unit::G, Unit::Kg)];
        assert_eq!(recipe_cost(&lines, |_| Some(Decimal::from(62))), Ok(Money::whole(31)));
    }

    #[test]
    fn a_unit_that_does_not_convert_is_an_error_and_not_a_wrong_cost() {
        let lines = [line("oeufs", 500, Unit::G, Unit::Piece)];
        assert!(matches!(recipe_cost(&lines, |_| Some(Decimal::ONE)), Err(CostError::Unit { .. })));
    }

    #[test]
    fn an_ingredient_without_cost_is_named() {
        let lines = [line("miel", 1, Unit::Kg, Unit::Kg)];
        let refused = recipe_cost(&lines, |_| None);
        assert_eq!(refused, Err(CostError::CostUnknown { ingredient: "miel".into() }));
    }
}
