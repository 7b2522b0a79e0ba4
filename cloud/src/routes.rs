//! Wiring: one line per area makes the table of routes and the menu.

use crate::web::{NavItem, Route};
use crate::{home, identity};

/// Every route of the program.
#[must_use]
pub fn routes() -> Vec<Route> {
    let areas = [home::pages::routes(), identity::pages::routes()];
    areas.into_iter().flatten().collect()
}

/// The menu, in the order it is shown.
#[must_use]
pub fn nav() -> Vec<NavItem> {
    let areas = [identity::pages::NAV];
    areas.into_iter().flatten().copied().collect()
}
