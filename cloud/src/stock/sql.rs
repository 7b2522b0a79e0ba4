//! Every statement of the stock. Balances move by `quantity + delta` under the lock of
//! the item's row; no statement writes a total that was read before.

use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{Issued, Item, NewLocation, Source};
use crate::catalog::Unit;
use crate::db::{Actor, CompanyId, DbError};
use crate::money::Money;
use crate::quantity::Quantity;

/// Rows on one page of the list.
pub(super) const PAGE_ROWS: i64 = 50;

pub(super) async fn insert_location(
    connection: &mut PgConnection,
    company: CompanyId,
    location: &NewLocation,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into locations (company_id, location_id, store_id, kind, name)
         values ($1, $2, $3, $4, $5)",
        company.0,
        location.id,
        location.store_id,
        location.kind.as_str(),
        location.name
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What lies at a location, of these products; products never kept there are left out.
pub async fn available_at(
    connection: &mut PgConnection,
    company: CompanyId,
    location_id: Uuid,
    products: &[Uuid],
) -> Result<Vec<(Uuid, Quantity)>, DbError> {
    let rows = sqlx::query!(
        "select product_id, quantity from stock_balances
         where company_id = $1 and location_id = $2 and product_id = any($3)
         order by product_id",
        company.0,
        location_id,
        products
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.product_id, Quantity::rounded(row.quantity))).collect())
}

/// Average cost per base unit of these products; products without stock are left out.
pub async fn unit_costs(
    connection: &mut PgConnection,
    company: CompanyId,
    products: &[Uuid],
) -> Result<Vec<(Uuid, Decimal)>, DbError> {
    let rows = sqlx::query!(
        r#"select product_id as "product_id!", unit_cost as "unit_cost!" from stock_values
           where company_id = $1 and product_id = any($2) and unit_cost is not null
           order by product_id"#,
        company.0,
        products
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.product_id, row.unit_cost)).collect())
}

pub(super) async fn lock_items(
    connection: &mut PgConnection,
    company: CompanyId,
    products: &[Uuid],
) -> Result<Vec<Item>, DbError> {
    let rows = sqlx::query!(
        "select product_id, quantity, value from stock_items
         where company_id = $1 and product_id = any($2)
         order by product_id
         for no key update",
        company.0,
        products
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Item {
            product_id: row.product_id,
            quantity: Quantity::rounded(row.quantity),
            value: Money::rounded(row.value),
        })
        .collect())
}

/// What a source already moved at a location, in its own sign turned positive.
pub(super) async fn booked(
    connection: &mut PgConnection,
    location_id: Uuid,
    source: &Source,
) -> Result<Vec<Issued>, DbError> {
    let rows = sqlx::query!(
        "select product_id, abs(quantity) as \"quantity!\", abs(value) as \"value!\"
         from stock_ledger
         where company_id = fournil_company() and source_kind = $1 and source_id = $2
           and location_id = $3
         order by source_line",
        source.kind,
        source.id,
        location_id
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Issued {
            product_id: row.product_id,
            quantity: Quantity::rounded(row.quantity),
            value: Money::rounded(row.value),
        })
        .collect())
}

struct Columns {
    products: Vec<Uuid>,
    quantities: Vec<Decimal>,
    values: Vec<Decimal>,
}

fn columns(rows: &[Issued]) -> Columns {
    Columns {
        products: rows.iter().map(|row| row.product_id).collect(),
        quantities: rows.iter().map(|row| row.quantity.decimal()).collect(),
        values: rows.iter().map(|row| row.value.decimal()).collect(),
    }
}

/// Takes where there is enough; gives the products that had enough.
pub(super) async fn take_from_balances(
    connection: &mut PgConnection,
    location_id: Uuid,
    sums: &[Issued],
) -> Result<Vec<Uuid>, DbError> {
    let Columns { products, quantities, .. } = columns(sums);
    let moved = sqlx::query_scalar!(
        "update stock_balances b set quantity = b.quantity - wanted.quantity
         from unnest($2::uuid[], $3::numeric[]) as wanted (product_id, quantity)
         where b.company_id = fournil_company() and b.location_id = $1
           and b.product_id = wanted.product_id and b.quantity >= wanted.quantity
         returning b.product_id",
        location_id,
        &products,
        &quantities
    )
    .fetch_all(connection)
    .await?;
    Ok(moved)
}

pub(super) async fn take_from_items(
    connection: &mut PgConnection,
    sums: &[Issued],
) -> Result<(), DbError> {
    let Columns { products, quantities, values } = columns(sums);
    let done = sqlx::query!(
        "update stock_items i
         set quantity = i.quantity - wanted.quantity, value = i.value - wanted.value
         from unnest($1::uuid[], $2::numeric[], $3::numeric[])
             as wanted (product_id, quantity, value)
         where i.company_id = fournil_company() and i.product_id = wanted.product_id",
        &products,
        &quantities,
        &values
    )
    .execute(connection)
    .await?;
    all_rows(done.rows_affected(), sums)
}

/// Makes the rows a receipt will add to, in the order of products.
pub(super) async fn ensure_rows(
    connection: &mut PgConnection,
    company: CompanyId,
    location_id: Uuid,
    products: &[Uuid],
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into stock_items (company_id, product_id)
         select $1, wanted.product_id from unnest($2::uuid[]) as wanted (product_id)
         order by wanted.product_id
         on conflict do nothing",
        company.0,
        products
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into stock_balances (company_id, product_id, location_id)
         select $1, wanted.product_id, $3 from unnest($2::uuid[]) as wanted (product_id)
         order by wanted.product_id
         on conflict do nothing",
        company.0,
        products,
        location_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn add_to_balances(
    connection: &mut PgConnection,
    company: CompanyId,
    location_id: Uuid,
    sums: &[Issued],
) -> Result<(), DbError> {
    let Columns { products, quantities, values } = columns(sums);
    let items = sqlx::query!(
        "update stock_items i
         set quantity = i.quantity + given.quantity, value = i.value + given.value
         from unnest($2::uuid[], $3::numeric[], $4::numeric[])
             as given (product_id, quantity, value)
         where i.company_id = $1 and i.product_id = given.product_id",
        company.0,
        &products,
        &quantities,
        &values
    )
    .execute(&mut *connection)
    .await?;
    all_rows(items.rows_affected(), sums)?;
    let balances = sqlx::query!(
        "update stock_balances b set quantity = b.quantity + given.quantity
         from unnest($3::uuid[], $4::numeric[]) as given (product_id, quantity)
         where b.company_id = $1 and b.location_id = $2 and b.product_id = given.product_id",
        company.0,
        location_id,
        &products,
        &quantities
    )
    .execute(connection)
    .await?;
    all_rows(balances.rows_affected(), sums)
}

/// A lost update must not pass.
fn all_rows(affected: u64, sums: &[Issued]) -> Result<(), DbError> {
    if usize::try_from(affected) == Ok(sums.len()) {
        Ok(())
    } else {
        Err(sqlx::Error::RowNotFound.into())
    }
}

pub(super) async fn insert_ledger(
    connection: &mut PgConnection,
    actor: &Actor,
    location_id: Uuid,
    source: &Source,
    rows: &[Issued],
) -> Result<(), DbError> {
    let Columns { products, quantities, values } = columns(rows);
    sqlx::query!(
        "insert into stock_ledger
             (company_id, product_id, location_id, quantity, value, source_kind, source_id,
              source_line, actor_id, actor_label, business_date, at)
         select $1, moved.product_id, $2, moved.quantity, moved.value, $3, $4,
                moved.line, $5, $6, $7, $8
         from unnest($9::uuid[], $10::numeric[], $11::numeric[])
             with ordinality as moved (product_id, quantity, value, line)
         order by moved.line",
        actor.company.0,
        location_id,
        source.kind,
        source.id,
        actor.user_id(),
        actor.label,
        source.business_date,
        source.at,
        &products,
        &quantities,
        &values
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A product's stock as the list shows it.
pub(super) struct ShownItem {
    pub(super) product_id: Uuid,
    pub(super) sku: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) unit: Unit,
    pub(super) quantity: Quantity,
    pub(super) value: Money,
    /// `Comptoir 12 · Labo 3`.
    pub(super) places: String,
}

/// A page of the list, by name, after the last of the page before.
pub(super) async fn list_items(
    connection: &mut PgConnection,
    company: CompanyId,
    search: &str,
    kind: &str,
    after: Option<(&str, Uuid)>,
) -> Result<Vec<ShownItem>, DbError> {
    let (after_name, after_id) = after.unzip();
    let rows = sqlx::query!(
        r#"select p.product_id, p.sku, p.name, p.kind, p.base_unit,
                  coalesce(v.quantity, 0) as "quantity!", coalesce(v.value, 0) as "value!",
                  coalesce((select string_agg(l.name || ' ' || replace(trim_scale(b.quantity)::text, '.', ','),
                                              ' · '
                                              order by l.name)
                            from stock_balances b
                            join locations l on l.company_id = b.company_id
                                and l.location_id = b.location_id
                            where b.company_id = p.company_id and b.product_id = p.product_id
                              and b.quantity <> 0), '') as "places!"
           from products p
           left join stock_values v
               on v.company_id = p.company_id and v.product_id = p.product_id
           where p.company_id = $1
             and ($2 = '' or strpos(lower(p.name), lower($2)) > 0 or strpos(p.sku, upper($2)) > 0)
             and ($3 = '' or p.kind = $3)
             and ($4::text is null or (lower(p.name), p.product_id) > (lower($4), $5::uuid))
           order by lower(p.name), p.product_id
           limit $6"#,
        company.0,
        search,
        kind,
        after_name,
        after_id,
        PAGE_ROWS + 1
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ShownItem {
            product_id: row.product_id,
            sku: row.sku,
            name: row.name,
            kind: row.kind,
            unit: Unit::parse(&row.base_unit).unwrap_or(Unit::Piece),
            quantity: Quantity::rounded(row.quantity),
            value: Money::rounded(row.value),
            places: row.places,
        })
        .collect())
}

/// Value of all stock, from the one view that defines it.
pub(super) async fn total_value(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Money, DbError> {
    let value = sqlx::query_scalar!(
        r#"select coalesce(sum(value), 0) as "value!" from stock_values where company_id = $1"#,
        company.0
    )
    .fetch_one(connection)
    .await?;
    Ok(Money::rounded(value))
}
