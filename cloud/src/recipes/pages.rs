//! The recipes with their ingredients; costs for whoever may see them.

use askama::Template;
use serde::Deserialize;
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

#[derive(Deserialize)]
struct Place {
    after_name: Option<String>,
    after: Option<Uuid>,
}

#[derive(Template)]
#[template(path = "recipes/templates/recipes.html")]
struct RecipesPage {
    page: Page,
    may_see_costs: bool,
    recipes: Vec<RecipeView>,
    /// Query string of the next page.
    next: Option<String>,
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
    let place: Place = request.query()?;
    let company = request.company()?;
    let may_see_costs = request.session()?.may(COSTS_VIEW);
    let mut scope = request.app().db.read(company).await?;
    let after = place.after_name.as_deref().zip(place.after);
    let mut recipes = sql::list_recipes(scope.connection(), company, after).await?;
    let recipes_max = usize::try_from(sql::PAGE_RECIPES).unwrap_or(usize::MAX);
    let has_more = recipes.len() > recipes_max;
    recipes.truncate(recipes_max);
    let next = recipes.last().filter(|_| has_more).and_then(|last| {
        let after = last.id.to_string();
        serde_urlencoded::to_string([("after_name", &*last.product), ("after", &after)]).ok()
    });
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
    let texts = request.texts();
    let recipes = recipes
        .into_iter()
        .map(|recipe| RecipeView {
            cost: recipe_cost(&recipe.lines, cost_of).ok().map(Money::french),
            lines: recipe
                .lines
                .iter()
                .map(|line| {
                    (line.ingredient.clone(), texts.say(&line.unit.quantity(line.quantity)))
                })
                .collect(),
            yields: texts.say(&recipe.product_unit.quantity(recipe.yield_quantity)),
            id: recipe.id,
            product: recipe.product,
            lab: recipe.lab,
        })
        .collect();
    let page = request.page("recipes-title");
    Response::html(&RecipesPage { page, may_see_costs, recipes, next })
}
