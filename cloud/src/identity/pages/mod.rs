//! The pages of identity: signing in and out, one's account, users, audit log.

mod account;
mod audit;
mod login;
mod users;

use super::permission::{AUDIT_VIEW, USERS_MANAGE};
use crate::web::{NavItem, Route};

/// The entries of the menu.
pub const NAV: &[NavItem] = &[
    NavItem {
        group: "nav-group-administration",
        label: "identity-nav-users",
        href: "/users",
        permission: USERS_MANAGE,
        icon: "users",
    },
    NavItem {
        group: "nav-group-administration",
        label: "identity-nav-audit",
        href: "/audit",
        permission: AUDIT_VIEW,
        icon: "audit",
    },
];

#[must_use]
pub fn routes() -> Vec<Route> {
    let pages = [login::routes(), account::routes(), users::routes(), audit::routes()];
    pages.into_iter().flatten().collect()
}
