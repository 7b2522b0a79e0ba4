//! Wiring: one line per area makes the table of routes and the menu.

use crate::web::{NavItem, Route};
use crate::{accounting, catalog, home, identity, recipes, stock, till};

/// Every route of the program.
#[must_use]
pub fn routes() -> Vec<Route> {
    let areas = [
        home::pages::routes(),
        till::routes(),
        catalog::routes(),
        stock::routes(),
        recipes::routes(),
        accounting::routes(),
        identity::pages::routes(),
    ];
    areas.into_iter().flatten().collect()
}

/// The menu, in the order it is shown.
#[must_use]
pub fn nav() -> Vec<NavItem> {
    let areas =
        [till::NAV, catalog::NAV, stock::NAV, recipes::NAV, accounting::NAV, identity::pages::NAV];
    areas.into_iter().flatten().copied().collect()
}
