//! The Passerelles pages, and the address where machines enrol.

mod actions;
mod bundles;
mod enrolment;
mod keys;
mod parts;
mod room;
mod show;
mod views;

use crate::identity::permission::{GATEWAYS_MANAGE, GATEWAYS_VIEW};
use crate::web::{Access, NavItem, Route};

const VIEW: Access = Access::Needs(GATEWAYS_VIEW);
const MANAGE: Access = Access::Needs(GATEWAYS_MANAGE);

/// The menu's entries.
pub const NAV: &[NavItem] = &[NavItem {
    group: "gateways-nav-group",
    label: "gateways-title",
    href: "/gateways",
    permission: GATEWAYS_VIEW,
    icon: "gateway",
}];

/// The area's routes.
#[must_use]
pub fn routes() -> Vec<Route> {
    let shown = [show::routes(), bundles::routes(), keys::routes()];
    shown.into_iter().chain([enrolment::routes(), actions::routes()]).flatten().collect()
}
