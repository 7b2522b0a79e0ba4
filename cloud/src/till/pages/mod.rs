//! The till's pages, one file per screen. Refusals become words here.

mod follow;
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
        get("/till/stock/{till_id}", Needs(TILL_SELL), follow::counter),
        get("/till/tickets/{ticket_id}/print", Needs(TILL_SELL), follow::print_state),
        post("/till/tickets/{ticket_id}/abandon", Needs(TILL_SELL), sell::abandon),
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

/// The till asked for, or the one this user opened, or the first of the company.
fn chosen(tills: Vec<ShownTill>, wanted: Option<Uuid>, user_id: Uuid) -> Option<ShownTill> {
    let mut tills = tills;
    let is_own = |till: &ShownTill| {
        till.session.as_ref().is_some_and(|session| session.opened_by_id == Some(user_id))
    };
    let asked = wanted.and_then(|id| tills.iter().position(|till| till.till_id == id));
    let index = asked.or_else(|| tills.iter().position(is_own)).unwrap_or(0);
    if tills.is_empty() { None } else { Some(tills.swap_remove(index)) }
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
                    .with("count", available)
                    .with("unit", unit),
            ),
            TillError::NothingDue => refused(Message::new("till-nothing-due")),
            TillError::NoGateway => refused(Message::new("till-no-gateway")),
            TillError::NotEnoughMoney { due, received } => refused(
                Message::new("till-not-enough-money")
                    .with("due", due.french())
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

#[cfg(test)]
mod unit_tests {
    use super::super::sql::ShownSession;
    use super::*;

    fn till(number: u128, opened_by_id: Option<u128>) -> ShownTill {
        ShownTill {
            till_id: Uuid::from_u128(number),
            name: String::new(),
            store: String::new(),
            location_id: Uuid::nil(),
            zone: String::new(),
            session: opened_by_id.map(|id| ShownSession {
                session_id: Uuid::nil(),
                opened_at: crate::time::instant(0),
                opened_by: String::new(),
                opened_by_id: Some(Uuid::from_u128(id)),
            }),
            last_counted: None,
        }
    }

    /// The page takes a refusal for final by this prefix alone (`till-sale.js`).
    #[test]
    fn every_refusal_of_a_sale_by_the_tills_own_rules_says_so_in_its_code() {
        use crate::catalog::Unit;
        use crate::money::Money;
        use crate::quantity::Quantity;

        let (money, name) = (Money::ZERO, String::new());
        for error in [
            TillError::SessionNotOpen,
            TillError::EmptyTicket,
            TillError::TooManyLines,
            TillError::NotSold(Uuid::nil()),
            TillError::BadQuantity { name: name.clone() },
            TillError::PriceChanged { name: name.clone(), shown: money, now: money },
            TillError::Insufficient { name, available: Quantity::ZERO, unit: Unit::Piece },
            TillError::NothingDue,
            TillError::NotEnoughMoney { due: money, received: money },
        ] {
            let message = Error::from(error).message();
            assert!(message.id.starts_with("till-"), "{}", message.id);
        }
    }

    #[test]
    fn a_cashier_finds_the_till_she_opened() {
        let tills = || vec![till(1, Some(8)), till(2, Some(9)), till(3, None)];
        let found = |wanted: Option<u128>, user| {
            let wanted = wanted.map(Uuid::from_u128);
            chosen(tills(), wanted, Uuid::from_u128(user)).map(|till| till.till_id.as_u128())
        };
        assert_eq!(found(None, 9), Some(2));
        assert_eq!(found(None, 7), Some(1));
        assert_eq!(found(Some(3), 9), Some(3), "what is asked for comes first");
        assert!(chosen(Vec::new(), None, Uuid::nil()).is_none());
    }
}
