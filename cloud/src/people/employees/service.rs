//! The acts of the area.

use uuid::Uuid;

use super::sql::{self, Employee};
use crate::db::{Act, CompanyId, DbError, Scope};

/// Names offered in one list to choose from.
const CHOICES_MAX: i64 = 500;

/// Writes down somebody new.
pub async fn add(act: &mut Act, name: &str, job: &str) -> Result<Uuid, DbError> {
    let employee = Employee {
        employee_id: Uuid::now_v7(),
        name: name.trim().to_owned(),
        job: job.trim().to_owned(),
        active: true,
        clock_user_id: None,
        card: None,
    };
    let company = act.company();
    sql::insert(act.connection(), company, &employee).await?;
    let subject = employee.employee_id.to_string();
    act.audit("employees.add", "employee", &subject, serde_json::json!({})).await?;
    Ok(employee.employee_id)
}

/// Says whether somebody works here. False when there is nobody of that id.
pub async fn set_active(act: &mut Act, employee_id: Uuid, active: bool) -> Result<bool, DbError> {
    let company = act.company();
    let found = sql::set_active(act.connection(), company, employee_id, active).await?;
    if found {
        let details = serde_json::json!({ "active": active });
        act.audit("employees.set_active", "employee", &employee_id.to_string(), details).await?;
    }
    Ok(found)
}

/// Says which number and card somebody has on the clocks. False when there is nobody of that
/// id. Fails by `employee_clock_number_unique` when the number is somebody else's.
pub async fn set_clock(
    act: &mut Act,
    employee_id: Uuid,
    clock_user_id: Option<&str>,
    card: Option<i64>,
) -> Result<bool, DbError> {
    let company = act.company();
    let found = sql::set_clock(act.connection(), company, employee_id, clock_user_id, card).await?;
    if found {
        let details =
            serde_json::json!({ "clock_user_id": clock_user_id, "has_card": card.is_some() });
        act.audit("employees.set_clock", "employee", &employee_id.to_string(), details).await?;
    }
    Ok(found)
}

/// Those who work here, to choose from.
pub async fn active(scope: &mut Scope, company: CompanyId) -> Result<Vec<Employee>, DbError> {
    sql::active(scope.connection(), company, CHOICES_MAX).await
}
