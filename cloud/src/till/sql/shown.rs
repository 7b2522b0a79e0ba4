//! Statements behind the till's pages, lists and receipts.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::catalog::Unit;
use crate::db::{CompanyId, DbError};
use crate::money::Money;
use crate::quantity::Quantity;
use crate::till::{Receipt, ReceiptLine};
use crate::time;

/// Tickets on one page of the list.
pub(in crate::till) const PAGE_TICKETS: i64 = 50;

/// A drawer and its open session, if it has one.
pub(in crate::till) struct ShownTill {
    pub(in crate::till) till_id: Uuid,
    pub(in crate::till) name: String,
    pub(in crate::till) store: String,
    pub(in crate::till) location_id: Uuid,
    pub(in crate::till) zone: String,
    pub(in crate::till) session: Option<ShownSession>,
    /// What the last closing counted.
    pub(in crate::till) last_counted: Option<Money>,
}

pub(in crate::till) struct ShownSession {
    pub(in crate::till) session_id: Uuid,
    pub(in crate::till) opened_at: DateTime<Utc>,
    pub(in crate::till) opened_by: String,
    pub(in crate::till) opened_by_id: Option<Uuid>,
}

/// The drawers in use with their state. A company has some tens.
pub(in crate::till) async fn list_tills(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Vec<ShownTill>, DbError> {
    let rows = sqlx::query!(
        r#"select t.till_id, t.name, t.location_id, s.name as store, s.zone,
                  c.session_id as "session_id?", c.opened_at as "opened_at?",
                  c.opened_by_label as "opened_by?", c.opened_by as opened_by_id,
                  (select l.counted from cash_sessions l
                   where l.company_id = t.company_id and l.till_id = t.till_id
                     and l.closed_at is not null
                   order by l.opened_at desc, l.session_id desc limit 1) as last_counted
           from tills t
           join stores s on s.company_id = t.company_id and s.store_id = t.store_id
           left join cash_sessions c on c.company_id = t.company_id and c.till_id = t.till_id
               and c.closed_at is null
           where t.company_id = $1 and t.active
           order by s.name, t.name
           limit 200"#,
        company.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ShownTill {
            till_id: row.till_id,
            name: row.name,
            store: row.store,
            location_id: row.location_id,
            zone: row.zone,
            session: row.session_id.zip(row.opened_at).zip(row.opened_by).map(
                |((session_id, opened_at), opened_by)| ShownSession {
                    session_id,
                    opened_at,
                    opened_by,
                    opened_by_id: row.opened_by_id,
                },
            ),
            last_counted: row.last_counted.map(Money::rounded),
        })
        .collect())
}

/// Count and sum of a session's tickets.
pub(in crate::till) async fn session_sales(
    connection: &mut PgConnection,
    company: CompanyId,
    session_id: Uuid,
) -> Result<(i64, Money), DbError> {
    let row = sqlx::query!(
        r#"select count(*) as "tickets!", coalesce(sum(total), 0) as "total!" from tickets
           where company_id = $1 and session_id = $2"#,
        company.0,
        session_id
    )
    .fetch_one(connection)
    .await?;
    Ok((row.tickets, Money::rounded(row.total)))
}

pub(in crate::till) async fn store_of_ticket(
    connection: &mut PgConnection,
    company: CompanyId,
    ticket_id: Uuid,
) -> Result<Option<Uuid>, DbError> {
    let store = sqlx::query_scalar!(
        "select store_id from tickets where company_id = $1 and ticket_id = $2",
        company.0,
        ticket_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(store)
}

/// Tickets whose paper the till's page watches; what is older has been seen or expired.
const TICKETS_WATCHED: i64 = 200;

/// The newest tickets of a session.
pub(in crate::till) async fn newest_tickets(
    connection: &mut PgConnection,
    company: CompanyId,
    session_id: Uuid,
) -> Result<Vec<Uuid>, DbError> {
    let ids = sqlx::query_scalar!(
        "select ticket_id from tickets
         where company_id = $1 and session_id = $2
         order by sold_at desc, ticket_id desc
         limit $3",
        company.0,
        session_id,
        TICKETS_WATCHED
    )
    .fetch_all(connection)
    .await?;
    Ok(ids)
}

/// Everything a receipt says.
pub(in crate::till) async fn receipt(
    connection: &mut PgConnection,
    company: CompanyId,
    ticket_id: Uuid,
) -> Result<Option<Receipt>, DbError> {
    let head = sqlx::query!(
        "select c.name as company, c.address, c.legal_ids, c.receipt_footer, c.language,
                s.name as store, s.zone, l.name as till, t.code, t.sold_at, t.cashier, t.total,
                p.rounding, p.tendered, p.change
         from tickets t
         join companies c on c.company_id = t.company_id
         join tills l on l.company_id = t.company_id and l.till_id = t.till_id
         join stores s on s.company_id = t.company_id and s.store_id = t.store_id
         join payments p on p.company_id = t.company_id and p.ticket_id = t.ticket_id
         where t.company_id = $1 and t.ticket_id = $2
         order by p.payment_id limit 1",
        company.0,
        ticket_id
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(head) = head else { return Ok(None) };
    let rows = sqlx::query!(
        "select name, quantity, unit, unit_price, total from ticket_lines
         where company_id = $1 and ticket_id = $2 order by line",
        company.0,
        ticket_id
    )
    .fetch_all(connection)
    .await?;
    let mut articles = 0_i64;
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let quantity = Quantity::rounded(row.quantity);
        let unit = Unit::parse(&row.unit).unwrap_or(Unit::Piece);
        articles += pieces(quantity, unit);
        lines.push(ReceiptLine {
            name: row.name,
            quantity,
            unit,
            unit_price: Money::rounded(row.unit_price),
            total: Money::rounded(row.total),
        });
    }
    Ok(Some(Receipt {
        language: head.language,
        company: head.company,
        address: head.address,
        legal_ids: head.legal_ids,
        store: head.store,
        till: head.till,
        footer: head.receipt_footer,
        code: head.code,
        sold_at: time::french_minute(head.sold_at, time::zone(&head.zone)),
        cashier: head.cashier,
        lines,
        total: Money::rounded(head.total),
        rounding: Money::rounded(head.rounding),
        received: Money::rounded(head.tendered),
        change: Money::rounded(head.change),
        articles,
    }))
}

/// Pieces count each, what is weighed counts once.
fn pieces(quantity: Quantity, unit: Unit) -> i64 {
    if unit.is_counted() { quantity.decimal().to_i64().unwrap_or(i64::MAX) } else { 1 }
}

/// A ticket as the list shows it.
pub(in crate::till) struct ShownTicket {
    pub(in crate::till) ticket_id: Uuid,
    pub(in crate::till) code: String,
    pub(in crate::till) sold_at: DateTime<Utc>,
    pub(in crate::till) zone: String,
    pub(in crate::till) till: String,
    pub(in crate::till) cashier: String,
    pub(in crate::till) total: Money,
}

struct TicketRow {
    ticket_id: Uuid,
    code: String,
    sold_at: DateTime<Utc>,
    zone: String,
    till: String,
    cashier: String,
    total: Decimal,
}

impl From<TicketRow> for ShownTicket {
    fn from(row: TicketRow) -> Self {
        Self {
            ticket_id: row.ticket_id,
            code: row.code,
            sold_at: row.sold_at,
            zone: row.zone,
            till: row.till,
            cashier: row.cashier,
            total: Money::rounded(row.total),
        }
    }
}

/// A page of tickets, newest first, of one business day or of all. Two statements: one that
/// leaves the day open could not be planned on the index that begins with it.
pub(in crate::till) async fn list_tickets(
    connection: &mut PgConnection,
    company: CompanyId,
    day: Option<NaiveDate>,
    code: &str,
    before: Option<(DateTime<Utc>, Uuid)>,
) -> Result<Vec<ShownTicket>, DbError> {
    let (before_at, before_id) = before.unzip();
    let Some(day) = day else {
        let rows = sqlx::query_as!(
            TicketRow,
            "select t.ticket_id, t.code, t.sold_at, s.zone, l.name as till, t.cashier, t.total
             from tickets t
             join stores s on s.company_id = t.company_id and s.store_id = t.store_id
             join tills l on l.company_id = t.company_id and l.till_id = t.till_id
             where t.company_id = $1
               and ($2 = '' or strpos(t.code, upper($2)) > 0)
               and ($3::timestamptz is null or (t.sold_at, t.ticket_id) < ($3, $4::uuid))
             order by t.sold_at desc, t.ticket_id desc
             limit $5",
            company.0,
            code,
            before_at,
            before_id,
            PAGE_TICKETS + 1
        )
        .fetch_all(connection)
        .await?;
        return Ok(rows.into_iter().map(ShownTicket::from).collect());
    };
    let rows = sqlx::query_as!(
        TicketRow,
        "select t.ticket_id, t.code, t.sold_at, s.zone, l.name as till, t.cashier, t.total
         from tickets t
         join stores s on s.company_id = t.company_id and s.store_id = t.store_id
         join tills l on l.company_id = t.company_id and l.till_id = t.till_id
         where t.company_id = $1 and t.business_date = $2
           and ($3 = '' or strpos(t.code, upper($3)) > 0)
           and ($4::timestamptz is null or (t.sold_at, t.ticket_id) < ($4, $5::uuid))
         order by t.sold_at desc, t.ticket_id desc
         limit $6",
        company.0,
        day,
        code,
        before_at,
        before_id,
        PAGE_TICKETS + 1
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(ShownTicket::from).collect())
}
