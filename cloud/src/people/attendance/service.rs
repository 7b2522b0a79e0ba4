//! The acts of the area.

use fournil_protocol::event::{Punch, Stamp};
use uuid::Uuid;

use super::model::{ClockUser, NewPunch, stored};
use super::{TOPIC, sql};
use crate::db::{Act, DbError};

/// A clock's largest block goes into a few statements.
const PUNCHES_PER_STATEMENT: usize = 2_000;

/// Stores a punch once, however often it is told. True when it was new. Without a gateway the
/// clock told it by itself.
pub async fn ingest(
    act: &mut Act,
    gateway_id: Option<Uuid>,
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
        sql::count_number(act.connection(), company, &punch).await?;
        act.hint(TOPIC, None);
    }
    Ok(is_new)
}

/// The same for many punches in their order, at once. How many were new.
pub async fn ingest_many(
    act: &mut Act,
    gateway_id: Option<Uuid>,
    punches: &[Punch],
) -> Result<u64, DbError> {
    let company = act.company();
    sql::lock_numbering(act.connection(), company).await?;
    let mut taken = 0;
    for some in punches.chunks(PUNCHES_PER_STATEMENT) {
        let some: Vec<NewPunch> = some.iter().map(|punch| stored(punch, None)).collect();
        taken += sql::insert_many(act.connection(), company, gateway_id, &some).await?;
    }
    if taken > 0 {
        act.hint(TOPIC, None);
    }
    Ok(taken)
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
