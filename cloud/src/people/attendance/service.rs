//! The acts of the area.

use fournil_protocol::event::{Punch, Stamp};
use uuid::Uuid;

use super::model::{ClockUser, stored};
use super::{TOPIC, sql};
use crate::db::{Act, DbError};

/// Stores a punch once, however often it is told. True when it was new.
pub async fn ingest(
    act: &mut Act,
    gateway_id: Uuid,
    punch: &Punch,
    recorded: Option<&Stamp>,
) -> Result<bool, DbError> {
    let company = act.company();
    let punch = stored(punch, recorded);
    // Punches of a company are numbered one transaction after the other, so that the
    // order of numbers is the order in which readers can see them.
    sql::lock_numbering(act.connection(), company).await?;
    let is_new = sql::insert(act.connection(), company, gateway_id, &punch).await?;
    if is_new {
        act.hint(TOPIC, None);
    }
    Ok(is_new)
}

/// Says whom a clock user is, for all punches past and to come.
pub async fn assign(act: &mut Act, user: &ClockUser, employee_id: Uuid) -> Result<(), DbError> {
    let company = act.company();
    let by = act.actor().label.clone();
    sql::assign(act.connection(), company, user, employee_id, &by).await?;
    let subject = format!("{}/{}", user.clock_serial, user.user_id);
    let details = serde_json::json!({ "employee_id": employee_id });
    act.audit("attendance.assign", "clock_user", &subject, details).await?;
    act.hint(TOPIC, None);
    Ok(())
}
