//! The journal: entries with their debits and credits, newest first.

use askama::Template;
use chrono::NaiveDate;
use serde::Deserialize;
use uuid::Uuid;

use super::model::Journal;
use super::sql;
use crate::identity::permission::BOOKS_VIEW;
use crate::time;
use crate::web::{Access, NavItem, Page, Request, Response, Result, Route, get};

/// The menu entry of the books.
pub const NAV: &[NavItem] = &[NavItem {
    group: "nav-group-books",
    label: "accounting-nav-journal",
    href: "/accounting/journal",
    permission: BOOKS_VIEW,
    icon: "book",
}];

/// The routes of the books.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![get("/accounting/journal", Access::Needs(BOOKS_VIEW), list)]
}

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    journal: String,
    before_date: Option<NaiveDate>,
    before: Option<Uuid>,
}

#[derive(Template)]
#[template(path = "accounting/templates/journal.html")]
struct JournalPage {
    page: Page,
    journals: Vec<(&'static str, String, bool)>,
    entries: Vec<EntryView>,
    next: Option<String>,
}

struct EntryView {
    id: Uuid,
    number: String,
    date: String,
    label: String,
    total: String,
    lines: Vec<LineView>,
}

struct LineView {
    account: String,
    name: String,
    debit: String,
    credit: String,
}

async fn list(request: Request) -> Result<Response> {
    let filter: Filter = request.query()?;
    let company = request.company()?;
    let chosen = Journal::ALL.into_iter().find(|known| known.as_str() == filter.journal);
    let word = chosen.map_or("", Journal::as_str);
    let before = filter.before_date.zip(filter.before);
    let mut scope = request.app().db.read(company).await?;
    let mut heads = sql::list_entries(scope.connection(), company, word, before).await?;
    let entries_max = usize::try_from(sql::PAGE_ENTRIES).unwrap_or(usize::MAX);
    let has_more = heads.len() > entries_max;
    heads.truncate(entries_max);
    let next = heads.last().filter(|_| has_more);
    let next = next.map(|e| format!("journal={word}&before_date={}&before={}", e.date, e.id));
    let ids: Vec<Uuid> = heads.iter().map(|head| head.id).collect();
    let lines = sql::lines_of(scope.connection(), company, &ids).await?;
    let entries = heads.into_iter().map(|head| entry_view(head, &lines)).collect();
    let page = request.page("accounting-journal-title");
    let journals = Journal::ALL
        .into_iter()
        .map(|known| (known.as_str(), page.t(known.label()), Some(known) == chosen))
        .collect();
    Response::html(&JournalPage { page, journals, entries, next })
}

fn entry_view(head: sql::ShownEntry, lines: &[sql::ShownLine]) -> EntryView {
    let side = |amount: crate::money::Money| {
        if amount.is_zero() { String::new() } else { amount.french() }
    };
    let own = lines.iter().filter(|line| line.entry_id == head.id);
    EntryView {
        lines: own
            .map(|line| LineView {
                account: line.account.clone(),
                name: line.account_name.clone(),
                debit: side(line.debit),
                credit: side(line.credit),
            })
            .collect(),
        id: head.id,
        number: format!("{}-{}-{:05}", head.journal, head.year, head.number),
        date: time::french_date(head.date),
        label: head.label,
        total: head.total.french(),
    }
}
