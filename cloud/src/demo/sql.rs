//! What no door of an area gives: the head of the company's receipts, its first ids.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::{CompanyId, DbError};

pub(super) async fn describe_company(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<(), DbError> {
    sqlx::query!(
        "update companies set address = $2, legal_ids = $3, receipt_footer = $4
         where company_id = $1",
        company.0,
        "12, rue de la Démonstration\nBirkhadem, Alger",
        "RC 00/00-0000000 A 00 (fictif)\nNIF 000000000000000 (fictif)\n\
         NIS 000000000000000 (fictif)\nAI 00000000000 (fictif)\n\
         Tél. 00 00 00 00 00\nNon assujetti à la TVA",
        "Échange le jour même sur ticket"
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Tickets the company has.
pub(super) async fn count_tickets(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<u64, DbError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from tickets where company_id = $1"#,
        company.0
    )
    .fetch_one(connection)
    .await?;
    Ok(count.unsigned_abs())
}

pub(super) async fn first_store(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Uuid, DbError> {
    let id = sqlx::query_scalar!(
        "select store_id from stores where company_id = $1 order by created_at, store_id limit 1",
        company.0
    )
    .fetch_one(connection)
    .await?;
    Ok(id)
}

pub(super) async fn first_till(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Uuid, DbError> {
    let id = sqlx::query_scalar!(
        "select till_id from tills where company_id = $1 order by name, till_id limit 1",
        company.0
    )
    .fetch_one(connection)
    .await?;
    Ok(id)
}
