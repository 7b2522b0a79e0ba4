//! Wiring: one line per area makes the table of routes and the menu.

use crate::people::{attendance, clock_push, clocks, employees};
use crate::web::{NavItem, Route};
use crate::{accounting, catalog, gateways, home, identity, recipes, stock, till};

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
        attendance::pages::routes(),
        clocks::pages::routes(),
        clock_push::pages::routes(),
        employees::pages::routes(),
        gateways::pages::routes(),
        identity::pages::routes(),
    ];
    areas.into_iter().flatten().collect()
}

/// The menu, in the order it is shown.
#[must_use]
pub fn nav() -> Vec<NavItem> {
    let areas = [
        till::NAV,
        catalog::NAV,
        stock::NAV,
        recipes::NAV,
        accounting::NAV,
        attendance::pages::NAV,
        clocks::pages::NAV,
        employees::pages::NAV,
        gateways::pages::NAV,
        identity::pages::NAV,
    ];
    areas.into_iter().flatten().copied().collect()
}
