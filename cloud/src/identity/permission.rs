//! Every permission of the program, and which built-in role holds which.
//!
//! A permission is a word `area.act`. The table below is the role matrix: a test
//! walks every route with every role and compares.

use crate::web::Permission;

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        $($(#[$doc])* pub const $name: Permission = Permission($word);)*
        /// Every permission, in the order above.
        pub const ALL: &[Permission] = &[$($name),*];
    };
}

permissions! {
    /// See the home page.
    DASHBOARD_VIEW = "dashboard.view";
    /// See gateways, devices and their commands.
    GATEWAYS_VIEW = "gateways.view";
    /// Enrol, rename and revoke gateways; send them commands.
    GATEWAYS_MANAGE = "gateways.manage";
    /// See punches.
    PUNCHES_VIEW = "punches.view";
    /// Link clock users with employees.
    PUNCHES_ASSIGN = "punches.assign";
    /// See who works here.
    EMPLOYEES_VIEW = "employees.view";
    /// Add employees and say whether they still work here.
    EMPLOYEES_MANAGE = "employees.manage";
    /// See products and prices.
    CATALOG_VIEW = "catalog.view";
    /// Change products and prices.
    CATALOG_MANAGE = "catalog.manage";
    /// See stock quantities.
    STOCK_VIEW = "stock.view";
    /// Correct stock by hand.
    STOCK_ADJUST = "stock.adjust";
    /// See costs, margins and stock values.
    COSTS_VIEW = "costs.view";
    /// See recipes.
    RECIPES_VIEW = "recipes.view";
    /// Sell at the till.
    TILL_SELL = "till.sell";
    /// Open and close a till session.
    TILL_SESSION = "till.session";
    /// See tickets.
    TICKETS_VIEW = "tickets.view";
    /// Print a ticket again (DUPLICATA).
    TICKETS_REPRINT = "tickets.reprint";
    /// Open the drawer without a sale.
    DRAWER_OPEN = "drawer.open";
    /// Read the books.
    BOOKS_VIEW = "books.view";
    /// See the audit log.
    AUDIT_VIEW = "audit.view";
    /// Create users and give roles.
    USERS_MANAGE = "users.manage";
}

/// A role every company begins with.
#[derive(Debug, Clone, Copy)]
pub struct BuiltInRole {
    pub key: &'static str,
    /// Text id of its name; the French name is stored with the company.
    pub name: &'static str,
    pub permissions: &'static [Permission],
}

/// The built-in roles. The owner holds everything.
pub const BUILT_IN_ROLES: &[BuiltInRole] = &[
    BuiltInRole { key: "owner", name: "Administrateur", permissions: ALL },
    BuiltInRole {
        key: "manager",
        name: "Gérante",
        permissions: &[
            DASHBOARD_VIEW,
            GATEWAYS_VIEW,
            PUNCHES_VIEW,
            PUNCHES_ASSIGN,
            EMPLOYEES_VIEW,
            EMPLOYEES_MANAGE,
            CATALOG_VIEW,
            CATALOG_MANAGE,
            STOCK_VIEW,
            STOCK_ADJUST,
            COSTS_VIEW,
            RECIPES_VIEW,
            TILL_SELL,
            TILL_SESSION,
            TICKETS_VIEW,
            TICKETS_REPRINT,
            DRAWER_OPEN,
            BOOKS_VIEW,
            AUDIT_VIEW,
        ],
    },
    BuiltInRole {
        key: "cashier",
        name: "Caissière",
        permissions: &[
            DASHBOARD_VIEW,
            CATALOG_VIEW,
            TILL_SELL,
            TILL_SESSION,
            TICKETS_VIEW,
            TICKETS_REPRINT,
        ],
    },
    BuiltInRole {
        key: "production",
        name: "Chef de production",
        permissions: &[DASHBOARD_VIEW, STOCK_VIEW, RECIPES_VIEW],
    },
    BuiltInRole {
        key: "stock_keeper",
        name: "Magasinier",
        permissions: &[DASHBOARD_VIEW, CATALOG_VIEW, STOCK_VIEW, STOCK_ADJUST],
    },
    BuiltInRole {
        key: "accountant",
        name: "Comptable",
        permissions: &[DASHBOARD_VIEW, BOOKS_VIEW, TICKETS_VIEW, COSTS_VIEW],
    },
];
