//! Every statement of recipes.

use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{NewRecipe, Recipe, RecipeLine};
use crate::catalog::Unit;
use crate::db::{CompanyId, DbError};
use crate::quantity::Quantity;

pub(super) async fn insert_recipe(
    connection: &mut PgConnection,
    company: CompanyId,
    recipe: &NewRecipe,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into recipes (company_id, recipe_id, product_id, yield_quantity, lab_id)
         values ($1, $2, $3, $4, $5)",
        company.0,
        recipe.id,
        recipe.product_id,
        recipe.yield_quantity.decimal(),
        recipe.lab_id
    )
    .execute(&mut *connection)
    .await?;
    let ingredients: Vec<Uuid> = recipe.lines.iter().map(|line| line.ingredient_id).collect();
    let quantities: Vec<Decimal> =
        recipe.lines.iter().map(|line| line.quantity.decimal()).collect();
    let units: Vec<String> =
        recipe.lines.iter().map(|line| line.unit.as_str().to_owned()).collect();
    sqlx::query!(
        "insert into recipe_lines (company_id, recipe_id, line, ingredient_id, quantity, unit)
         select $1, $2, given.line, given.ingredient_id, given.quantity, given.unit
         from unnest($3::uuid[], $4::numeric[], $5::text[])
             with ordinality as given (ingredient_id, quantity, unit, line)",
        company.0,
        recipe.id,
        &ingredients,
        &quantities,
        &units
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Recipes on one page of the list.
pub const PAGE_RECIPES: i64 = 50;

/// A page of the recipes in use with their lines, by product name, after the last of the
/// page before; one more than the page holds when there are more.
pub async fn list_recipes(
    connection: &mut PgConnection,
    company: CompanyId,
    after: Option<(&str, Uuid)>,
) -> Result<Vec<Recipe>, DbError> {
    let (after_name, after_id) = after.unzip();
    let heads = sqlx::query!(
        "select r.recipe_id, r.product_id, p.name as product, p.base_unit, l.name as lab,
                r.yield_quantity
         from recipes r
         join products p on p.company_id = r.company_id and p.product_id = r.product_id
         join locations l on l.company_id = r.company_id and l.location_id = r.lab_id
         where r.company_id = $1 and r.active
           and ($2::text is null or (lower(p.name), r.recipe_id) > (lower($2), $3::uuid))
         order by lower(p.name), r.recipe_id
         limit $4",
        company.0,
        after_name,
        after_id,
        PAGE_RECIPES + 1
    )
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<Uuid> = heads.iter().map(|head| head.recipe_id).collect();
    let lines = sqlx::query!(
        "select l.recipe_id, l.ingredient_id, p.name, l.quantity, l.unit, p.base_unit
         from recipe_lines l
         join products p on p.company_id = l.company_id and p.product_id = l.ingredient_id
         where l.company_id = $1 and l.recipe_id = any($2)
         order by l.recipe_id, l.line",
        company.0,
        &ids
    )
    .fetch_all(connection)
    .await?;
    let lines_of = |recipe: Uuid| {
        let own = lines.iter().filter(|line| line.recipe_id == recipe);
        own.map(|line| RecipeLine {
            ingredient_id: line.ingredient_id,
            ingredient: line.name.clone(),
            quantity: Quantity::rounded(line.quantity),
            unit: Unit::parse(&line.unit).unwrap_or(Unit::Piece),
            base_unit: Unit::parse(&line.base_unit).unwrap_or(Unit::Piece),
        })
        .collect()
    };
    Ok(heads
        .iter()
        .map(|head| Recipe {
            id: head.recipe_id,
            product_id: head.product_id,
            product: head.product.clone(),
            product_unit: Unit::parse(&head.base_unit).unwrap_or(Unit::Piece),
            lab: head.lab.clone(),
            yield_quantity: Quantity::rounded(head.yield_quantity),
            lines: lines_of(head.recipe_id),
        })
        .collect())
}
