//! Postings, their rules and their hash. No I/O.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use ring::digest;
use uuid::Uuid;

use super::chart::account;
use crate::catalog::ProductKind;
use crate::db::{Actor, DbError};
use crate::money::Money;

/// Where an entry is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    Sales,
    Purchases,
    Cash,
    Bank,
    Miscellaneous,
}

impl Journal {
    pub const ALL: [Self; 5] =
        [Self::Sales, Self::Purchases, Self::Cash, Self::Bank, Self::Miscellaneous];

    /// Text id of its name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sales => "accounting-journal-sales",
            Self::Purchases => "accounting-journal-purchases",
            Self::Cash => "accounting-journal-cash",
            Self::Bank => "accounting-journal-bank",
            Self::Miscellaneous => "accounting-journal-miscellaneous",
        }
    }

    /// The word in the database and the head of the entry's number.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sales => "VT",
            Self::Purchases => "AC",
            Self::Cash => "CA",
            Self::Bank => "BQ",
            Self::Miscellaneous => "OD",
        }
    }
}

/// Whose share of a shared account a line moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    Till(Uuid),
}

impl Party {
    pub(super) const fn kind_and_id(self) -> (&'static str, Uuid) {
        match self {
            Self::Till(id) => ("till", id),
        }
    }
}

/// One side of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub account: &'static str,
    pub party: Option<Party>,
    pub debit: Money,
    pub credit: Money,
}

impl Line {
    #[must_use]
    pub const fn debit(account: &'static str, amount: Money) -> Self {
        Self { account, party: None, debit: amount, credit: Money::ZERO }
    }

    #[must_use]
    pub const fn credit(account: &'static str, amount: Money) -> Self {
        Self { account, party: None, debit: Money::ZERO, credit: amount }
    }

    #[must_use]
    pub const fn of(mut self, party: Party) -> Self {
        self.party = Some(party);
        self
    }
}

/// An entry to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    pub journal: Journal,
    pub date: NaiveDate,
    pub label: String,
    /// The fact behind it.
    pub source_kind: &'static str,
    pub source_id: Uuid,
    /// Which of the fact's entries this is, such as `sale` or `cost`.
    pub rule: &'static str,
    pub lines: Vec<Line>,
}

/// Why an entry was not written.
#[derive(Debug, thiserror::Error)]
pub enum PostingError {
    #[error("entry {rule} of {source_kind} does not balance: debit {debit}, credit {credit}")]
    Unbalanced { source_kind: &'static str, rule: &'static str, debit: Money, credit: Money },
    #[error("entry {rule} of {source_kind} has a negative line")]
    Negative { source_kind: &'static str, rule: &'static str },
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Posting {
    /// The fiscal year its number belongs to.
    #[must_use]
    pub fn year(&self) -> i32 {
        self.date.year()
    }

    /// Checks the entry and leaves out lines of nothing. `None`: nothing is left to post.
    pub(super) fn checked(mut self) -> Result<Option<(Self, Money)>, PostingError> {
        let (source_kind, rule) = (self.source_kind, self.rule);
        if self.lines.iter().any(|line| line.debit.is_negative() || line.credit.is_negative()) {
            return Err(PostingError::Negative { source_kind, rule });
        }
        self.lines.retain(|line| !(line.debit.is_zero() && line.credit.is_zero()));
        let debit: Money = self.lines.iter().map(|line| line.debit).sum();
        let credit: Money = self.lines.iter().map(|line| line.credit).sum();
        if debit != credit {
            return Err(PostingError::Unbalanced { source_kind, rule, debit, credit });
        }
        Ok(if self.lines.is_empty() { None } else { Some((self, debit)) })
    }

    /// SHA-256 over the hash before, the head and every line, in a form that anybody
    /// can rebuild from the tables: each part in the order of the columns as its length in
    /// bytes, a colon and its text, so that no text can pass for two. Instants are
    /// microseconds since 1970, what is not there is empty.
    #[must_use]
    pub(super) fn hash(&self, seal: &Seal<'_>) -> Vec<u8> {
        let mut context = digest::Context::new(&digest::SHA256);
        let mut add = |part: &[u8]| {
            context.update(format!("{}:", part.len()).as_bytes());
            context.update(part);
        };
        let actor_id = seal.actor.user_id().map(|id| id.to_string()).unwrap_or_default();
        add(seal.previous);
        for part in [
            self.journal.as_str(),
            &self.year().to_string(),
            &seal.number.to_string(),
            &self.date.to_string(),
            &self.label,
            self.source_kind,
            &self.source_id.to_string(),
            self.rule,
            &seal.total.to_string(),
            &self.lines.len().to_string(),
            &actor_id,
            &seal.actor.label,
            &seal.posted_at.timestamp_micros().to_string(),
        ] {
            add(part.as_bytes());
        }
        for line in &self.lines {
            let party = line.party.map(Party::kind_and_id);
            let (kind, id) = party.map(|(kind, id)| (kind, id.to_string())).unwrap_or_default();
            let (debit, credit) = (line.debit.to_string(), line.credit.to_string());
            for part in [line.account, kind, &id, &debit, &credit] {
                add(part.as_bytes());
            }
        }
        context.finish().as_ref().to_vec()
    }
}

/// What an entry is given when it is written, for its hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seal<'s> {
    pub(super) previous: &'s [u8],
    pub(super) number: i64,
    pub(super) total: Money,
    pub(super) actor: &'s Actor,
    pub(super) posted_at: DateTime<Utc>,
}

/// The hash before the first entry of a journal and year.
pub(super) const NO_HASH: [u8; 32] = [0; 32];

/// The accounts a kind of goods moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoodsAccounts {
    /// Where its value stands.
    pub stock: &'static str,
    /// What is debited when it leaves for a customer or into use.
    pub cost: &'static str,
    /// What a sale of it credits.
    pub sales: &'static str,
}

/// Permanent inventory: own products leave through 724, merchandise through 600,
/// what is used up through 601 and 602.
#[must_use]
pub const fn goods_accounts(kind: ProductKind) -> GoodsAccounts {
    let (stock, cost, sales) = match kind {
        ProductKind::Finished => {
            (account::FINISHED_GOODS, account::CHANGE_OF_PRODUCTS, account::SALES_OF_FINISHED)
        }
        ProductKind::Intermediate => (
            account::INTERMEDIATE_GOODS,
            account::CHANGE_OF_PRODUCTS,
            account::SALES_OF_INTERMEDIATE,
        ),
        ProductKind::Ingredient => {
            (account::RAW_MATERIALS, account::MATERIALS_USED, account::SALES_OF_MERCHANDISE)
        }
        ProductKind::Consumable => {
            (account::PACKAGING, account::SUPPLIES_USED, account::SALES_OF_MERCHANDISE)
        }
        ProductKind::Resale => {
            (account::MERCHANDISE, account::MERCHANDISE_SOLD, account::SALES_OF_MERCHANDISE)
        }
    };
    GoodsAccounts { stock, cost, sales }
}

#[cfg(test)]
mod unit_tests {
    use super::super::chart::CHART;
    use super::*;
    use crate::db::{ActorKind, CompanyId};

    fn posting(lines: Vec<Line>) -> Posting {
        Posting {
            journal: Journal::Sales,
            date: NaiveDate::from_ymd_opt(2026, 3, 2).expect("a day"),
            label: "Ticket".into(),
            source_kind: "ticket",
            source_id: Uuid::nil(),
            rule: "sale",
            lines,
        }
    }

    #[test]
    fn an_entry_that_does_not_balance_is_refused() {
        let lines = vec![
            Line::debit(account::CASH, Money::whole(10)),
            Line::credit(account::SALES_OF_FINISHED, Money::whole(9)),
        ];
        assert!(matches!(posting(lines).checked(), Err(PostingError::Unbalanced { .. })));
    }

    #[test]
    fn an_entry_of_nothing_is_left_out() {
        let lines = vec![
            Line::debit(account::CHANGE_OF_PRODUCTS, Money::ZERO),
            Line::credit(account::FINISHED_GOODS, Money::ZERO),
        ];
        assert!(matches!(posting(lines).checked(), Ok(None)));
    }

    #[test]
    fn every_account_of_a_rule_stands_in_the_chart() {
        for kind in ProductKind::ALL {
            let GoodsAccounts { stock, cost, sales } = goods_accounts(kind);
            for code in [stock, cost, sales] {
                assert!(CHART.iter().any(|(known, _)| *known == code), "{code}");
            }
        }
    }

    #[test]
    fn one_centime_changes_the_hash() {
        let lines = |amount| {
            vec![
                Line::debit(account::CASH, amount),
                Line::credit(account::SALES_OF_FINISHED, amount),
            ]
        };
        let hash = |amount| hash(&posting(lines(amount)), |_| {});
        assert_ne!(
            hash(Money::whole(10)),
            hash(Money::rounded(rust_decimal::Decimal::new(1001, 2)))
        );
        assert_eq!(hash(Money::whole(10)).len(), 32);
    }

    /// The hash of a posting under a seal that is the same but for one change.
    fn hash(posting: &Posting, change: impl Fn(&mut (Money, Actor, i64))) -> Vec<u8> {
        let mut sealed = (Money::whole(10), Actor::system(CompanyId(Uuid::nil()), "Nadia"), 0);
        change(&mut sealed);
        let (total, actor, at_ms) = &sealed;
        let posted_at = crate::time::instant(*at_ms);
        posting.hash(&Seal { previous: &NO_HASH, number: 1, total: *total, actor, posted_at })
    }

    #[test]
    fn who_posted_when_and_for_whom_changes_the_hash() {
        let with_party = |party: Option<Party>| {
            let mut line = Line::debit(account::CASH, Money::whole(10));
            line.party = party;
            posting(vec![line, Line::credit(account::SALES_OF_FINISHED, Money::whole(10))])
        };
        let plain = with_party(None);
        let before = hash(&plain, |_| {});
        assert_ne!(before, hash(&plain, |sealed| sealed.0 = Money::whole(11)), "total");
        assert_ne!(before, hash(&plain, |sealed| sealed.1.label = "Nadi".into()), "actor");
        assert_ne!(before, hash(&plain, |sealed| sealed.2 = 1), "posted_at");
        let user = |sealed: &mut (Money, Actor, i64)| sealed.1.kind = ActorKind::User(Uuid::nil());
        assert_ne!(before, hash(&plain, user), "user");
        assert_ne!(before, hash(&with_party(Some(Party::Till(Uuid::nil()))), |_| {}), "party");
    }

    #[test]
    fn a_sign_moved_from_one_part_to_the_next_changes_the_hash() {
        let lines = || vec![Line::debit("531", Money::whole(10)), Line::credit("701", Money::ZERO)];
        let named = |label: &str, source_kind| Posting {
            label: label.into(),
            source_kind,
            ..posting(lines())
        };
        let (one, two) = (named("Vente", "ticket"), named("Vente6:ticket", ""));
        assert_ne!(hash(&one, |_| {}), hash(&two, |_| {}));
    }
}
