//! Ends of sessions are written down, now or when the database is there again.

use super::end::Ending;
use super::hub::Hub;
use crate::db::DbError;

/// Ends kept for a database that is away.
const OWED_MAX: usize = 10_000;

impl Hub {
    /// Writes an end down, or keeps it while the database cannot take it.
    pub(super) async fn write_end(&self, ending: Ending) {
        if let Some(ending) = self.owes(ending).await {
            let mut owed = self.owed();
            if owed.len() < OWED_MAX {
                owed.push(ending);
            }
        }
    }

    pub(super) async fn write_owed_ends(&self) {
        while let Some(ending) = { self.owed().pop() } {
            if let Some(ending) = self.owes(ending).await {
                self.owed().push(ending);
                return;
            }
        }
    }

    /// Gives the end back when it is to be tried again. One that the database refuses would
    /// be refused for ever, and hold up those of every other gateway: the gateway's next
    /// session ends it.
    async fn owes(&self, ending: Ending) -> Option<Ending> {
        let error = self.work(ending.write(self.db())).await.err()?;
        let gateway_id = ending.identity.gateway_id;
        if matches!(error, DbError::Unavailable(_) | DbError::Contention(_)) {
            tracing::warn!(gateway.id = %gateway_id, %error, "the end of a tunnel is not written yet");
            return Some(ending);
        }
        tracing::error!(gateway.id = %gateway_id, ?error, "the end of a tunnel cannot be written");
        None
    }
}
