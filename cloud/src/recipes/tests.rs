//! Recipes against a real PostgreSQL.

use uuid::Uuid;

use super::*;
use crate::catalog::{ProductKind, Unit};
use crate::quantity::Quantity;
use crate::stock::tests::Pantry;

#[tokio::test]
async fn a_page_of_recipes_goes_on_where_the_one_before_ended() {
    let pantry = Pantry::new().await;
    let flour = pantry.product("Farine", ProductKind::Ingredient, 40).await;
    let mut products = Vec::new();
    for number in 0..=PAGE_RECIPES {
        // Two letters of one name in two cases: the order must not depend on them.
        let name = if number % 2 == 0 { "Pain" } else { "pain" };
        products
            .push(pantry.product(&format!("{name} {number:03}"), ProductKind::Finished, 1).await);
    }
    let mut act = pantry.test.db.begin(&pantry.test.actor()).await.expect("act");
    for product_id in products {
        let line =
            NewRecipeLine { ingredient_id: flour, quantity: Quantity::ONE, unit: Unit::Piece };
        let recipe = NewRecipe {
            id: Uuid::now_v7(),
            product_id,
            lab_id: pantry.lab,
            yield_quantity: Quantity::ONE,
            lines: vec![line],
        };
        add_recipe(&mut act, &recipe).await.expect("recipe");
    }
    act.commit().await.expect("commit");
    let company = pantry.test.company;
    let mut scope = pantry.test.db.read(company).await.expect("read");
    let first = list_recipes(scope.connection(), company, None).await.expect("list");
    let page = usize::try_from(PAGE_RECIPES).expect("small");
    assert_eq!(first.len(), page + 1, "one more says that there are more");
    let last = &first[page - 1];
    let after = Some((last.product.as_str(), last.id));
    let second = list_recipes(scope.connection(), company, after).await.expect("list");
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].id, first[page].id);
    assert_eq!(second[0].lines.len(), 1);
}
