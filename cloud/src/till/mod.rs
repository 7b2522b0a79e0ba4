//! The till: a drawer that is opened, sold from and counted.
//!
//! Words: a *till* is a drawer of a shop; a *cash session* runs from its opening count to
//! its closing count; a *ticket* is one sale; a *payment* is what was collected for it; a
//! *cash movement* is what that did to the drawer. Invariants: one open session per till;
//! no cash without one; a ticket is paid in full, cash in whole dinars; prices are the
//! server's; a ticket asked for twice is one ticket; theory = float + movements; a closed session stands. A sale
//! never waits for paper: the receipt is a command in the same transaction.

mod model;
mod pages;
mod paper;
mod receipt;
mod service;
mod sql;
#[cfg(test)]
mod tests;

pub use model::{CashCount, DENOMINATIONS, NewTill, Sale, SaleLine, Sold, TillError};
pub use pages::{NAV, routes};
pub use receipt::{Receipt, ReceiptLine};
pub use service::{
    CloseSession, Closed, OpenSession, abandon, add_till, close_session, open_session, reprint,
    sell,
};
