//! Recipes: what goes into a product, how much comes out, and what that costs.
//!
//! Invariants: one recipe per product; it is made in a lab; a line's unit converts to
//! the ingredient's base unit, refused when saved otherwise.

mod model;
mod pages;
mod service;
mod sql;
#[cfg(test)]
mod tests;

pub use model::{CostError, NewRecipe, NewRecipeLine, Recipe, RecipeLine, recipe_cost};
pub use pages::{NAV, routes};
pub use service::{RecipeError, add_recipe};
pub use sql::{PAGE_RECIPES, list_recipes};
