//! A cash sale: goods, ticket, money, paper and books in one transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use uuid::Uuid;

use super::super::model::{PricedLine, Sale, Sold, TillError, cash_due, price_lines, ticket_code};
use super::super::{paper, sql};
use crate::accounting::{self, Journal, Line, Party, Posting, account, goods_accounts};
use crate::catalog::{self, Product};
use crate::db::Act;
use crate::i18n::Texts;
use crate::money::Money;
use crate::stock::{self, Issued, Movement, Source, StockError};
use crate::time;

/// Sells a cart for cash. Refused as a whole when a line cannot stand; a ticket that
/// exists is given as it is. Locks are taken in one order by every sale: session
/// (shared), goods by id, ticket number, entry number.
pub async fn sell(
    act: &mut Act,
    texts: &Texts,
    sale: &Sale,
    at: DateTime<Utc>,
) -> Result<Sold, TillError> {
    let company = act.company();
    if let Some(sold) = sql::find_sold(act.connection(), company, sale.ticket_id).await? {
        return Ok(sold);
    }
    let session = sql::share_open_session(act.connection(), company, sale.session_id)
        .await?
        .ok_or(TillError::SessionNotOpen)?;
    let business_date = time::business_date(at, time::zone(&session.zone));
    let ids: Vec<Uuid> = sale.lines.iter().map(|line| line.product_id).collect();
    let products = catalog::products_by_id(act.connection(), company, &ids).await?;
    let lines = price_lines(&sale.lines, &products)?;
    let total: Money = lines.iter().map(|line| line.total).sum();
    let cash = cash_due(total)?;
    if sale.received < cash.due {
        return Err(TillError::NotEnoughMoney { due: cash.due, received: sale.received });
    }
    let issued = take_goods(act, &session, sale.ticket_id, business_date, at, &lines).await?;
    let year = business_date.year();
    let number = act.next_number("T", year).await?;
    let ticket = sql::NewTicket {
        id: sale.ticket_id,
        session: &session,
        session_id: sale.session_id,
        year,
        number,
        code: ticket_code(year, number),
        at,
        business_date,
        total,
        cash,
        received: sale.received,
        change: sale.received - cash.due,
    };
    let actor = act.actor().clone();
    sql::insert_ticket(act.connection(), &actor, &ticket, &lines).await?;
    paper::ask_receipt(act, texts, session.store_id, sale.ticket_id).await?;
    // Labels are kept for ever: in the company's language, whoever sells.
    let texts = texts.in_language(&session.language);
    let label = |id| texts.with(id, &[("code", ticket.code.clone())]);
    post_sale(act, &ticket, label("till-entry-sale"), &lines).await?;
    post_cost(act, &ticket, label("till-entry-cost"), &lines, &issued).await?;
    act.hint("till", Some(session.till_id));
    Ok(Sold {
        ticket_id: sale.ticket_id,
        code: ticket.code,
        total,
        rounding: cash.rounding,
        received: sale.received,
        change: ticket.change,
    })
}

async fn take_goods(
    act: &mut Act,
    session: &sql::OpenTill,
    ticket_id: Uuid,
    business_date: NaiveDate,
    at: DateTime<Utc>,
    lines: &[PricedLine],
) -> Result<Vec<Issued>, TillError> {
    let movements: Vec<Movement> = lines
        .iter()
        .map(|line| Movement { product_id: line.product.id, quantity: line.base_quantity })
        .collect();
    let source = Source { kind: "ticket", id: ticket_id, business_date, at };
    let issued = stock::issue(act, session.location_id, &source, &movements).await;
    issued.map_err(|error| match error {
        StockError::Insufficient { product_id, available, .. } => {
            named(lines, product_id).map_or(TillError::Stock(error), |product| {
                TillError::Insufficient {
                    name: product.name.clone(),
                    available: product.in_sale_unit(available),
                    unit: product.sale_unit,
                }
            })
        }
        StockError::Db(error) => TillError::Db(error),
        StockError::NotAQuantity => TillError::Stock(error),
    })
}

fn named(lines: &[PricedLine], product_id: Uuid) -> Option<&Product> {
    lines.iter().map(|line| &line.product).find(|product| product.id == product_id)
}

/// Cash to sales, by the accounts of what was sold; what rounding the cash gained or lost
/// is other income or a charge.
async fn post_sale(
    act: &mut Act,
    ticket: &sql::NewTicket<'_>,
    label: String,
    lines: &[PricedLine],
) -> Result<(), TillError> {
    let mut sales: BTreeMap<&'static str, Money> = BTreeMap::new();
    for line in lines {
        *sales.entry(goods_accounts(line.product.kind).sales).or_default() += line.total;
    }
    let (due, rounding) = (ticket.cash.due, ticket.cash.rounding);
    let cash = Line::debit(account::CASH, due).of(Party::Till(ticket.session.till_id));
    let rounded = if rounding.is_negative() {
        Line::debit(account::OTHER_CHARGES, -rounding)
    } else {
        Line::credit(account::OTHER_INCOME, rounding)
    };
    let credits = sales.into_iter().map(|(code, amount)| Line::credit(code, amount));
    let lines = [cash, rounded].into_iter().chain(credits).collect();
    post(act, ticket, "sale", label, lines).await
}

/// What the goods had cost, out of stock (permanent inventory).
async fn post_cost(
    act: &mut Act,
    ticket: &sql::NewTicket<'_>,
    label: String,
    lines: &[PricedLine],
    issued: &[Issued],
) -> Result<(), TillError> {
    let mut costs: BTreeMap<(&'static str, &'static str), Money> = BTreeMap::new();
    for (line, issued) in lines.iter().zip(issued) {
        let accounts = goods_accounts(line.product.kind);
        *costs.entry((accounts.cost, accounts.stock)).or_default() += issued.value;
    }
    let lines = costs
        .into_iter()
        .flat_map(|((cost, stock), value)| [Line::debit(cost, value), Line::credit(stock, value)])
        .collect();
    post(act, ticket, "cost", label, lines).await
}

async fn post(
    act: &mut Act,
    ticket: &sql::NewTicket<'_>,
    rule: &'static str,
    label: String,
    lines: Vec<Line>,
) -> Result<(), TillError> {
    let posting = Posting {
        journal: Journal::Sales,
        date: ticket.business_date,
        label,
        source_kind: "ticket",
        source_id: ticket.id,
        rule,
        lines,
    };
    accounting::post(act, posting).await?;
    Ok(())
}
