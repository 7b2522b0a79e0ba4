//! The acts of the till, one file each.

mod abandon;
mod reprint;
mod sell;
mod session;

use serde_json::json;

use super::model::{NewTill, TillError};
use super::sql;
use crate::db::Act;

pub use abandon::abandon;
pub use reprint::reprint;
pub use sell::sell;
pub use session::{CloseSession, Closed, OpenSession, close_session, open_session};

/// Makes a drawer.
pub async fn add_till(act: &mut Act, till: &NewTill) -> Result<(), TillError> {
    let company = act.company();
    sql::insert_till(act.connection(), company, till).await?;
    let details = json!({ "name": till.name });
    act.audit("till.add", "till", &till.id.to_string(), details).await?;
    Ok(())
}
