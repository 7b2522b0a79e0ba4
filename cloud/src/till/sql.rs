//! Statements of the till on drawers, sessions and tickets. Lists stand in `sql/shown.rs`.

mod shown;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{CashCount, CashDue, NewTill, PricedLine, Sold};
use crate::db::{Actor, CompanyId, DbError};
use crate::money::Money;

pub(super) use shown::*;

pub(super) async fn insert_till(
    connection: &mut PgConnection,
    company: CompanyId,
    till: &NewTill,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into tills (company_id, till_id, store_id, name, location_id)
         values ($1, $2, $3, $4, $5)",
        company.0,
        till.id,
        till.store_id,
        till.name,
        till.location_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A drawer under lock.
pub(super) struct LockedTill {
    pub(super) name: String,
    pub(super) zone: String,
    /// Of the company: what is kept for ever is written in it.
    pub(super) language: String,
}

/// Holds a drawer so that two openings follow each other.
pub(super) async fn lock_till(
    connection: &mut PgConnection,
    company: CompanyId,
    till_id: Uuid,
) -> Result<Option<LockedTill>, DbError> {
    let till = sqlx::query_as!(
        LockedTill,
        "select t.name, s.zone, o.language from tills t
         join stores s on s.company_id = t.company_id and s.store_id = t.store_id
         join companies o on o.company_id = t.company_id
         where t.company_id = $1 and t.till_id = $2 and t.active
         for no key update of t",
        company.0,
        till_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(till)
}

/// The newest session of a drawer; `counted` is `None` while it is open.
pub(super) struct LastSession {
    pub(super) counted: Option<Money>,
    pub(super) opened_by: String,
}

pub(super) async fn last_session(
    connection: &mut PgConnection,
    company: CompanyId,
    till_id: Uuid,
) -> Result<Option<LastSession>, DbError> {
    let row = sqlx::query!(
        "select counted, opened_by_label from cash_sessions
         where company_id = $1 and till_id = $2
         order by closed_at is null desc, opened_at desc, session_id desc
         limit 1",
        company.0,
        till_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| LastSession {
        counted: row.counted.map(Money::rounded),
        opened_by: row.opened_by_label,
    }))
}

pub(super) struct NewSession<'s> {
    pub(super) id: Uuid,
    pub(super) till_id: Uuid,
    pub(super) at: DateTime<Utc>,
    pub(super) business_date: NaiveDate,
    pub(super) expected: Money,
    pub(super) counted: Money,
    pub(super) reason: &'s str,
}

pub(super) async fn insert_session(
    connection: &mut PgConnection,
    actor: &Actor,
    session: &NewSession<'_>,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into cash_sessions
             (company_id, session_id, till_id, opened_at, opened_by, opened_by_label,
              business_date, opening_expected, opening_float, opening_reason)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        actor.company.0,
        session.id,
        session.till_id,
        session.at,
        actor.user_id(),
        actor.label,
        session.business_date,
        session.expected.decimal(),
        session.counted.decimal(),
        session.reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn insert_count(
    connection: &mut PgConnection,
    company: CompanyId,
    session_id: Uuid,
    moment: &'static str,
    count: &CashCount,
) -> Result<(), DbError> {
    let (notes, pieces): (Vec<i32>, Vec<i32>) = count.pieces().iter().copied().unzip();
    sqlx::query!(
        "insert into cash_counts (company_id, session_id, moment, denomination, pieces)
         select $1, $2, $3, counted.denomination, counted.pieces
         from unnest($4::integer[], $5::integer[]) as counted (denomination, pieces)",
        company.0,
        session_id,
        moment,
        &notes,
        &pieces
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// An open session with what a sale needs to know of its drawer.
pub(super) struct OpenTill {
    pub(super) till_id: Uuid,
    pub(super) till: String,
    pub(super) store_id: Uuid,
    pub(super) location_id: Uuid,
    pub(super) zone: String,
    /// Of the company: what is kept for ever is written in it.
    pub(super) language: String,
}

/// Holds an open session against closing, together with other sales.
pub(super) async fn share_open_session(
    connection: &mut PgConnection,
    company: CompanyId,
    session_id: Uuid,
) -> Result<Option<OpenTill>, DbError> {
    let session = sqlx::query_as!(
        OpenTill,
        "select t.till_id, t.name as till, t.store_id, t.location_id, s.zone, o.language
         from cash_sessions c
         join tills t on t.company_id = c.company_id and t.till_id = c.till_id
         join stores s on s.company_id = t.company_id and s.store_id = t.store_id
         join companies o on o.company_id = c.company_id
         where c.company_id = $1 and c.session_id = $2 and c.closed_at is null
         for share of c",
        company.0,
        session_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(session)
}

/// Holds an open session alone: sales under way end first, later ones find it closed.
pub(super) async fn lock_open_session(
    connection: &mut PgConnection,
    company: CompanyId,
    session_id: Uuid,
) -> Result<Option<OpenTill>, DbError> {
    let session = sqlx::query_as!(
        OpenTill,
        "select t.till_id, t.name as till, t.store_id, t.location_id, s.zone, o.language
         from cash_sessions c
         join tills t on t.company_id = c.company_id and t.till_id = c.till_id
         join stores s on s.company_id = t.company_id and s.store_id = t.store_id
         join companies o on o.company_id = c.company_id
         where c.company_id = $1 and c.session_id = $2 and c.closed_at is null
         for update of c",
        company.0,
        session_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(session)
}

/// Float and movements of a session.
pub(super) async fn theory(
    connection: &mut PgConnection,
    company: CompanyId,
    session_id: Uuid,
) -> Result<Money, DbError> {
    let theory = sqlx::query_scalar!(
        r#"select theoretical as "theoretical!" from drawer_theory
           where company_id = $1 and session_id = $2"#,
        company.0,
        session_id
    )
    .fetch_one(connection)
    .await?;
    Ok(Money::rounded(theory))
}

pub(super) struct Closing<'s> {
    pub(super) session_id: Uuid,
    pub(super) at: DateTime<Utc>,
    pub(super) theoretical: Money,
    pub(super) counted: Money,
    pub(super) difference: Money,
    pub(super) reason: &'s str,
}

pub(super) async fn close_session(
    connection: &mut PgConnection,
    actor: &Actor,
    closing: &Closing<'_>,
) -> Result<(), DbError> {
    let done = sqlx::query!(
        "update cash_sessions
         set closed_at = $3, closed_by = $4, closed_by_label = $5, theoretical = $6,
             counted = $7, difference = $8, closing_reason = $9
         where company_id = $1 and session_id = $2 and closed_at is null",
        actor.company.0,
        closing.session_id,
        closing.at,
        actor.user_id(),
        actor.label,
        closing.theoretical.decimal(),
        closing.counted.decimal(),
        closing.difference.decimal(),
        closing.reason
    )
    .execute(connection)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound.into()) }
}

/// A ticket that exists, as its sale answered.
pub(super) async fn find_sold(
    connection: &mut PgConnection,
    company: CompanyId,
    ticket_id: Uuid,
) -> Result<Option<Sold>, DbError> {
    let row = sqlx::query!(
        "select t.code, t.total, p.rounding, p.tendered, p.change
         from tickets t
         join payments p on p.company_id = t.company_id and p.ticket_id = t.ticket_id
         where t.company_id = $1 and t.ticket_id = $2
         order by p.payment_id limit 1",
        company.0,
        ticket_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Sold {
        ticket_id,
        code: row.code,
        total: Money::rounded(row.total),
        rounding: Money::rounded(row.rounding),
        received: Money::rounded(row.tendered),
        change: Money::rounded(row.change),
    }))
}

/// A ticket to write.
pub(super) struct NewTicket<'t> {
    pub(super) id: Uuid,
    pub(super) session: &'t OpenTill,
    pub(super) session_id: Uuid,
    pub(super) year: i32,
    pub(super) number: i64,
    pub(super) code: String,
    pub(super) at: DateTime<Utc>,
    pub(super) business_date: NaiveDate,
    pub(super) total: Money,
    pub(super) cash: CashDue,
    pub(super) received: Money,
    pub(super) change: Money,
}

/// The ticket, its lines, its payment and what that did to the drawer.
pub(super) async fn insert_ticket(
    connection: &mut PgConnection,
    actor: &Actor,
    ticket: &NewTicket<'_>,
    lines: &[PricedLine],
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into tickets
             (company_id, ticket_id, store_id, till_id, session_id, year, number, code, sold_at,
              business_date, cashier_id, cashier, total)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        actor.company.0,
        ticket.id,
        ticket.session.store_id,
        ticket.session.till_id,
        ticket.session_id,
        ticket.year,
        ticket.number,
        ticket.code,
        ticket.at,
        ticket.business_date,
        actor.user_id(),
        actor.label,
        ticket.total.decimal()
    )
    .execute(&mut *connection)
    .await?;
    insert_lines(&mut *connection, actor.company, ticket.id, lines).await?;
    insert_payment(connection, actor, ticket).await
}

async fn insert_lines(
    connection: &mut PgConnection,
    company: CompanyId,
    ticket_id: Uuid,
    lines: &[PricedLine],
) -> Result<(), DbError> {
    let products: Vec<Uuid> = lines.iter().map(|line| line.product.id).collect();
    let names: Vec<String> = lines.iter().map(|line| line.product.name.clone()).collect();
    let units: Vec<String> =
        lines.iter().map(|line| line.product.sale_unit.as_str().to_owned()).collect();
    let decimals = |of: fn(&PricedLine) -> Decimal| lines.iter().map(of).collect::<Vec<_>>();
    let quantities = decimals(|line| line.quantity.decimal());
    let prices = decimals(|line| line.product.price.decimal());
    let totals = decimals(|line| line.total.decimal());
    let base_quantities = decimals(|line| line.base_quantity.decimal());
    sqlx::query!(
        "insert into ticket_lines
             (company_id, ticket_id, line, product_id, name, unit, quantity, unit_price, total,
              base_quantity)
         select $1, $2, sold.line, sold.product_id, sold.name, sold.unit, sold.quantity,
                sold.unit_price, sold.total, sold.base_quantity
         from unnest($3::uuid[], $4::text[], $5::text[], $6::numeric[], $7::numeric[],
                     $8::numeric[], $9::numeric[])
             with ordinality as sold
                 (product_id, name, unit, quantity, unit_price, total, base_quantity, line)",
        company.0,
        ticket_id,
        &products,
        &names,
        &units,
        &quantities,
        &prices,
        &totals,
        &base_quantities
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_payment(
    connection: &mut PgConnection,
    actor: &Actor,
    ticket: &NewTicket<'_>,
) -> Result<(), DbError> {
    let payment_id = Uuid::now_v7();
    sqlx::query!(
        "insert into payments
             (company_id, payment_id, ticket_id, session_id, method, amount, rounding, tendered,
              change, paid_at, business_date, actor_id, actor_label)
         values ($1, $2, $3, $4, 'cash', $5, $6, $7, $8, $9, $10, $11, $12)",
        actor.company.0,
        payment_id,
        ticket.id,
        ticket.session_id,
        ticket.cash.due.decimal(),
        ticket.cash.rounding.decimal(),
        ticket.received.decimal(),
        ticket.change.decimal(),
        ticket.at,
        ticket.business_date,
        actor.user_id(),
        actor.label
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into cash_movements
             (company_id, movement_id, session_id, kind, amount, payment_id, at, business_date,
              actor_id, actor_label)
         values ($1, $2, $3, 'sale', $4, $5, $6, $7, $8, $9)",
        actor.company.0,
        Uuid::now_v7(),
        ticket.session_id,
        ticket.cash.due.decimal(),
        payment_id,
        ticket.at,
        ticket.business_date,
        actor.user_id(),
        actor.label
    )
    .execute(connection)
    .await?;
    Ok(())
}
