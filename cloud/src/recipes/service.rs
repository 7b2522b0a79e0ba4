//! The acts of recipes.

use uuid::Uuid;

use super::model::NewRecipe;
use super::sql;
use crate::catalog::{self, UnitError};
use crate::db::{Act, DbError};

/// Why a recipe was not kept.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    #[error("ingredient {0} does not exist")]
    UnknownIngredient(Uuid),
    #[error("ingredient {ingredient}: {source}")]
    Unit { ingredient: String, source: UnitError },
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Keeps a recipe; every unit is proved convertible now, so its cost can never be
/// silently wrong later.
pub async fn add_recipe(act: &mut Act, recipe: &NewRecipe) -> Result<(), RecipeError> {
    let company = act.company();
    let ids: Vec<Uuid> = recipe.lines.iter().map(|line| line.ingredient_id).collect();
    let known = catalog::products_by_id(act.connection(), company, &ids).await?;
    for line in &recipe.lines {
        let ingredient = known
            .iter()
            .find(|product| product.id == line.ingredient_id)
            .ok_or(RecipeError::UnknownIngredient(line.ingredient_id))?;
        line.unit
            .convert(line.quantity, ingredient.base_unit)
            .map_err(|source| RecipeError::Unit { ingredient: ingredient.name.clone(), source })?;
    }
    sql::insert_recipe(act.connection(), company, recipe).await?;
    Ok(())
}
