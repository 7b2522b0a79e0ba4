//! The books: a chart of accounts and balanced entries that are never changed.
//!
//! One function writes entries: [`post`]. Invariants: an entry balances (the database
//! checks at commit), a fact posts once per rule, numbers of a journal and year have
//! no gap, each entry carries the hash of the one before it. Corrections are reversals.

mod chart;
mod model;
mod pages;
mod service;
mod sql;
#[cfg(test)]
mod tests;

pub use chart::account;
pub use model::{GoodsAccounts, Journal, Line, Party, Posting, PostingError, goods_accounts};
pub use pages::{NAV, routes};
pub use service::{ensure_chart, post, sync_charts};
