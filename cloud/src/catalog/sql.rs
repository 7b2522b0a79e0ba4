//! Every statement of the catalogue.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{Category, NewCategory, NewProduct, Product, ProductKind, Unit};
use crate::db::{Actor, CompanyId, DbError};
use crate::money::Money;
use crate::quantity::Quantity;

/// Rows on one page of the list.
pub(super) const PAGE_ROWS: i64 = 50;

struct ProductRow {
    product_id: Uuid,
    sku: String,
    name: String,
    kind: String,
    category_id: Uuid,
    category: String,
    colour: String,
    base_unit: String,
    sale_unit: String,
    sale_factor: Decimal,
    price: Decimal,
    sold: bool,
    emoji: String,
    active: bool,
}

impl From<ProductRow> for Product {
    fn from(row: ProductRow) -> Self {
        // The words are held by check constraints.
        Self {
            id: row.product_id,
            sku: row.sku,
            name: row.name,
            kind: ProductKind::parse(&row.kind).unwrap_or(ProductKind::Finished),
            category_id: row.category_id,
            category: row.category,
            colour: row.colour,
            base_unit: Unit::parse(&row.base_unit).unwrap_or(Unit::Piece),
            sale_unit: Unit::parse(&row.sale_unit).unwrap_or(Unit::Piece),
            sale_factor: Quantity::rounded(row.sale_factor),
            price: Money::rounded(row.price),
            sold: row.sold,
            emoji: row.emoji,
            active: row.active,
        }
    }
}

/// What may be sold at a till, in the order of the grid.
pub async fn products_sold(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Vec<Product>, DbError> {
    let rows = sqlx::query_as!(
        ProductRow,
        "select p.product_id, p.sku, p.name, p.kind, p.category_id, c.name as category, c.colour,
                p.base_unit, p.sale_unit, p.sale_factor, p.price, p.sold, p.active,
                case when p.emoji = '' then c.emoji else p.emoji end as \"emoji!\"
         from products p
         join product_categories c
             on c.company_id = p.company_id and c.category_id = p.category_id
         where p.company_id = $1 and p.sold and p.active and c.at_till
         order by c.position, c.name, p.name, p.product_id",
        company.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Product::from).collect())
}

/// Products by id, in the order of their ids; unknown ids are left out.
pub async fn products_by_id(
    connection: &mut PgConnection,
    company: CompanyId,
    ids: &[Uuid],
) -> Result<Vec<Product>, DbError> {
    let rows = sqlx::query_as!(
        ProductRow,
        "select p.product_id, p.sku, p.name, p.kind, p.category_id, c.name as category, c.colour,
                p.base_unit, p.sale_unit, p.sale_factor, p.price, p.sold, p.emoji, p.active
         from products p
         join product_categories c
             on c.company_id = p.company_id and c.category_id = p.category_id
         where p.company_id = $1 and p.product_id = any($2)
         order by p.product_id",
        company.0,
        ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Product::from).collect())
}

/// A page of the list: names that hold `search`, after the last row of the page before.
pub(super) async fn list_products(
    connection: &mut PgConnection,
    company: CompanyId,
    search: &str,
    kind: &str,
    after: Option<(&str, Uuid)>,
) -> Result<Vec<Product>, DbError> {
    let (after_name, after_id) = after.unzip();
    let rows = sqlx::query_as!(
        ProductRow,
        "select p.product_id, p.sku, p.name, p.kind, p.category_id, c.name as category, c.colour,
                p.base_unit, p.sale_unit, p.sale_factor, p.price, p.sold, p.emoji, p.active
         from products p
         join product_categories c
             on c.company_id = p.company_id and c.category_id = p.category_id
         where p.company_id = $1
           and ($2 = '' or strpos(lower(p.name), lower($2)) > 0 or strpos(p.sku, upper($2)) > 0)
           and ($3 = '' or p.kind = $3)
           and ($4::text is null or (lower(p.name), p.product_id) > (lower($4), $5::uuid))
         order by lower(p.name), p.product_id
         limit $6",
        company.0,
        search,
        kind,
        after_name,
        after_id,
        PAGE_ROWS + 1
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Product::from).collect())
}

/// The categories in the order of the tabs.
pub async fn categories(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Vec<Category>, DbError> {
    let rows = sqlx::query!(
        "select category_id, name, emoji, colour, at_till from product_categories
         where company_id = $1 order by position, name",
        company.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Category {
            id: row.category_id,
            name: row.name,
            emoji: row.emoji,
            colour: row.colour,
            at_till: row.at_till,
        })
        .collect())
}

pub(super) async fn insert_category(
    connection: &mut PgConnection,
    company: CompanyId,
    category: &NewCategory,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into product_categories
             (company_id, category_id, name, position, emoji, colour, at_till)
         values ($1, $2, $3, $4, $5, $6, $7)",
        company.0,
        category.id,
        category.name,
        category.position,
        category.emoji,
        category.colour,
        category.at_till
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn insert_product(
    connection: &mut PgConnection,
    company: CompanyId,
    product: &NewProduct,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into products
             (company_id, product_id, sku, name, kind, category_id, base_unit, sale_unit,
              sale_factor, price, sold, emoji)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        company.0,
        product.id,
        product.sku,
        product.name,
        product.kind.as_str(),
        product.category_id,
        product.base_unit.as_str(),
        product.sale_unit.as_str(),
        product.sale_factor.decimal(),
        product.price.unwrap_or_default().decimal(),
        product.price.is_some(),
        product.emoji
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The price of a product that is sold; its row stays locked.
pub(super) async fn lock_price(
    connection: &mut PgConnection,
    company: CompanyId,
    product_id: Uuid,
) -> Result<Option<Money>, DbError> {
    let price = sqlx::query_scalar!(
        "select price from products
         where company_id = $1 and product_id = $2 and sold for no key update",
        company.0,
        product_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(price.map(Money::rounded))
}

pub(super) async fn update_price(
    connection: &mut PgConnection,
    company: CompanyId,
    product_id: Uuid,
    price: Money,
) -> Result<(), DbError> {
    let done = sqlx::query!(
        "update products set price = $3 where company_id = $1 and product_id = $2",
        company.0,
        product_id,
        price.decimal()
    )
    .execute(connection)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound.into()) }
}

pub(super) async fn insert_price(
    connection: &mut PgConnection,
    actor: &Actor,
    product_id: Uuid,
    price: Money,
    since: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into product_prices (company_id, product_id, price, since, actor_id, actor_label)
         values ($1, $2, $3, $4, $5, $6)",
        actor.company.0,
        product_id,
        price.decimal(),
        since,
        actor.user_id(),
        actor.label
    )
    .execute(connection)
    .await?;
    Ok(())
}
