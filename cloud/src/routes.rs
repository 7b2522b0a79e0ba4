//! Wiring: one line per area makes the table of routes and the menu.

use crate::people::{attendance, employees};
use crate::web::{NavItem, Route};
use crate::{gateways, home, identity};

/// Every route of the program.
#[must_use]
pub fn routes() -> Vec<Route> {
    let areas = [
        home::pages::routes(),
        attendance::pages::routes(),
        employees::pages::routes(),
        gateways::pages::routes(),
        identity::pages::routes(),
    ];
    areas.into_iter().flatten().collect()
}

/// The menu, in the order it is shown.
#[must_use]
pub fn nav() -> Vec<NavItem> {
    let areas =
        [attendance::pages::NAV, employees::pages::NAV, gateways::pages::NAV, identity::pages::NAV];
    areas.into_iter().flatten().copied().collect()
}
