//! The recipes with their ingredients; costs for whoever may see them.

use askama::Template;
use uuid::Uuid;

use super::model::recipe_cost;
use super::sql;
use crate::identity::permission::{COSTS_VIEW, RECIPES_VIEW};
use crate::money::Money;
use crate::stock;
use crate::web::{Access, NavItem, Page, Request, Response, Result, Route, get};

/// The menu entry of recipes.
pub const NAV: &[NavItem] = &[NavItem {
    group: "nav-group-goods",
    label: "recipes-nav",
    href: "/recipes",
    permission: RECIPES_VIEW,
    icon: "recipe",
}];

/// The routes of recipes.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![get("/recipes", Access::Needs(RECIPES_VIEW), list)]
}

#[derive(Template)]
#[template(path = "recipes/templates/recipes.html")]
struct RecipesPage {
    page: Page,
    may_see_costs: bool,
    recipes: Vec<RecipeView>,
}

struct RecipeView {
    id: Uuid,
    product: String,
    lab: String,
    yields: String,
    lines: Vec<(String, String)>,
    /// Of one batch; `None` when an ingredient has no cost yet.
    cost: Option<String>,
}

async fn list(request: Request) -> Result<Response> {
    let company = request.company()?;
    let may_see_costs = request.session()?.may(COSTS_VIEW);
    let mut scope = request.app().db.read(company).await?;
    let recipes = sql::list_recipes(scope.connection(), company).await?;
    let mut costs = Vec::new();
    if may_see_costs {
        let lines = recipes.iter().flat_map(|recipe| &recipe.lines);
        let ids: Vec<Uuid> = lines.map(|line| line.ingredient_id).collect();
        costs = stock::unit_costs(scope.connection(), company, &ids).await?;
    }
    let cost_of = |id: Uuid| {
        let index = costs.binary_search_by_key(&id, |(known, _)| *known).ok();
        index.and_then(|index| costs.get(index)).map(|(_, cost)| *cost)
    };
    let recipes = recipes
        .into_iter()
        .map(|recipe| RecipeView {
            cost: recipe_cost(&recipe.lines, cost_of).ok().map(Money::french),
            lines: recipe
                .lines
                .iter()
                .map(|line| {
                    (line.ingredient.clone(), format!("{} {}", line.quantity.french(), line.unit))
                })
                .collect(),
            yields: format!("{} {}", recipe.yield_quantity.french(), recipe.product_unit),
            id: recipe.id,
            product: recipe.product,
            lab: recipe.lab,
        })
        .collect();
    let page = request.page("recipes-title");
    Response::html(&RecipesPage { page, may_see_costs, recipes })
}
