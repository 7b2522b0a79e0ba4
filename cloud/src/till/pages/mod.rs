//! The till's pages, one file per screen. Refusals become words in [`refused`].

mod sell;
mod session;
mod tickets;

use uuid::Uuid;

use super::model::TillError;
use super::sql::ShownTill;
use crate::i18n::Message;
use crate::identity::permission::{TICKETS_REPRINT, TICKETS_VIEW, TILL_SELL, TILL_SESSION};
use crate::web::{Access, Error, FieldFault, NavItem, Route, get, post};

/// The menu entries of the till.
pub const NAV: &[NavItem] = &[
    NavItem {
        group: "nav-group-shop",
        label: "till-nav",
        href: "/till",
        permission: TILL_SELL,
        icon: "till",
    },
    NavItem {
        group: "nav-group-shop",
        label: "till-nav-tickets",
        href: "/tickets",
        permission: TICKETS_VIEW,
        icon: "receipt",
    },
];

/// The routes of the till.
#[must_use]
pub fn routes() -> Vec<Route> {
    use Access::Needs;
    vec![
        get("/till", Needs(TILL_SELL), sell::show),
        post("/till/sell", Needs(TILL_SELL), sell::sell),
        get("/till/stock/{till_id}", Needs(TILL_SELL), sell::stock),
        get("/till/tickets/{ticket_id}/print", Needs(TILL_SELL), sell::print_state),
        get("/till/{till_id}/open", Needs(TILL_SESSION), session::show_open),
        post("/till/{till_id}/open", Needs(TILL_SESSION), session::open),
        get("/till/{till_id}/close", Needs(TILL_SESSION), session::show_close),
        post("/till/{till_id}/close", Needs(TILL_SESSION), session::close),
        get("/tickets", Needs(TICKETS_VIEW), tickets::list),
        get("/tickets/{ticket_id}", Needs(TICKETS_VIEW), tickets::show),
        get("/tickets/{ticket_id}/paper", Needs(TICKETS_VIEW), tickets::paper),
        post("/tickets/{ticket_id}/reprint", Needs(TICKETS_REPRINT), tickets::reprint),
    ]
}

/// The till asked for, or the first of the company.
fn chosen(tills: Vec<ShownTill>, wanted: Option<Uuid>) -> Option<ShownTill> {
    let mut tills = tills;
    let index = wanted.and_then(|id| tills.iter().position(|till| till.till_id == id));
    if tills.is_empty() { None } else { Some(tills.swap_remove(index.unwrap_or(0))) }
}

/// A refusal in words: what, where, and what to do.
impl From<TillError> for Error {
    fn from(error: TillError) -> Self {
        let refused = |message| Self::Refused(message);
        match error {
            TillError::UnknownTill | TillError::UnknownTicket => Self::NotFound,
            TillError::SessionAlreadyOpen { by } => {
                refused(Message::new("till-session-already-open").with("by", by))
            }
            TillError::SessionNotOpen => refused(Message::new("till-session-not-open")),
            TillError::ReasonNeeded { difference } => Self::Invalid(vec![FieldFault {
                field: "reason",
                message: Message::new("till-reason-needed").with("difference", difference.french()),
            }]),
            TillError::BadCount => Self::field("count", Message::new("till-bad-count")),
            TillError::EmptyTicket => refused(Message::new("till-empty-ticket")),
            TillError::TooManyLines => refused(Message::new("till-too-many-lines")),
            TillError::NotSold(_) => refused(Message::new("till-not-sold")),
            TillError::BadQuantity { name } => {
                refused(Message::new("till-bad-quantity").with("name", name))
            }
            TillError::PriceChanged { name, shown, now } => refused(
                Message::new("till-price-changed")
                    .with("name", name)
                    .with("shown", shown.french())
                    .with("now", now.french()),
            ),
            TillError::Insufficient { name, available, unit } => refused(
                Message::new("till-insufficient")
                    .with("name", name)
                    .with("available", available.french())
                    .with("unit", unit),
            ),
            TillError::NotEnoughMoney { total, received } => refused(
                Message::new("till-not-enough-money")
                    .with("total", total.french())
                    .with("received", received.french()),
            ),
            TillError::Db(error) => error.into(),
            TillError::Stock(error) => Self::Internal(anyhow::Error::new(error)),
            TillError::Posting(error) => match error {
                crate::accounting::PostingError::Db(error) => error.into(),
                other => Self::Internal(anyhow::Error::new(other)),
            },
        }
    }
}
