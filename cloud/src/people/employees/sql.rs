//! Every statement of the area.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::{CompanyId, DbError};

/// Somebody who works here, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Employee {
    pub employee_id: Uuid,
    pub name: String,
    pub job: String,
    pub active: bool,
    /// The number they have on the clocks.
    pub clock_user_id: Option<String>,
    pub card: Option<i64>,
}

pub(super) async fn insert(
    connection: &mut PgConnection,
    company: CompanyId,
    employee: &Employee,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into employees (company_id, employee_id, name, job, active)
         values ($1, $2, $3, $4, $5)",
        company.0,
        employee.employee_id,
        employee.name,
        employee.job,
        employee.active
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Says who somebody is on the clocks. False when there is nobody of that id.
pub(super) async fn set_clock(
    connection: &mut PgConnection,
    company: CompanyId,
    employee_id: Uuid,
    clock_user_id: Option<&str>,
    card: Option<i64>,
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "update employees set clock_user_id = $3, card = $4
         where company_id = $1 and employee_id = $2",
        company.0,
        employee_id,
        clock_user_id,
        card
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn set_active(
    connection: &mut PgConnection,
    company: CompanyId,
    employee_id: Uuid,
    active: bool,
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "update employees set active = $3 where company_id = $1 and employee_id = $2",
        company.0,
        employee_id,
        active
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Everybody after a name, in the order of names.
pub(super) async fn page(
    connection: &mut PgConnection,
    company: CompanyId,
    after_name: &str,
    at_most: i64,
) -> Result<Vec<Employee>, DbError> {
    let rows = sqlx::query_as!(
        Employee,
        "select employee_id, name, job, active, clock_user_id, card from employees
         where company_id = $1 and name > $2
         order by name
         limit $3",
        company.0,
        after_name,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

pub(super) async fn active(
    connection: &mut PgConnection,
    company: CompanyId,
    at_most: i64,
) -> Result<Vec<Employee>, DbError> {
    let rows = sqlx::query_as!(
        Employee,
        "select employee_id, name, job, active, clock_user_id, card from employees
         where company_id = $1 and active
         order by name
         limit $2",
        company.0,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
