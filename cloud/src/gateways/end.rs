//! How a session ends: what the far side is told, and what is written down.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fournil_protocol::close;
use uuid::Uuid;

use super::health::TOPIC;
use super::model::Identity;
use super::sql::sessions::{self as sql, SessionEnd};
use crate::db::{Db, DbError};

/// How long a gateway stays away while the database is.
const UNAVAILABLE_RETRY_MS: u32 = 5_000;

/// More of a reason helps nobody.
const REASON_CHARS_MAX: usize = 200;

/// Why a session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) code: u16,
    pub(super) reason: String,
    pub(super) retry_after_ms: u32,
    /// The far side still listens.
    pub(super) has_listener: bool,
}

impl End {
    pub(super) fn of(code: u16, reason: &str) -> Self {
        Self { code, reason: legible(reason), retry_after_ms: 0, has_listener: true }
    }

    /// An end with the time after which the far side is welcome again.
    pub(super) fn come_back(code: u16, reason: &str, after: Duration) -> Self {
        let retry_after_ms = u32::try_from(after.as_millis()).unwrap_or(u32::MAX);
        Self { retry_after_ms, ..Self::of(code, reason) }
    }

    pub(super) fn gone(reason: impl fmt::Display) -> Self {
        Self { has_listener: false, ..Self::of(0, &reason.to_string()) }
    }

    /// Nothing can be stored now: the shop keeps its events and comes back.
    pub(super) fn of_db(error: &DbError) -> Self {
        match error {
            DbError::Unavailable(cause) => {
                tracing::warn!(error = %cause, "tunnel: database unavailable");
            }
            other => tracing::error!(error = ?other, "tunnel: statement failed"),
        }
        Self {
            retry_after_ms: UNAVAILABLE_RETRY_MS,
            ..Self::of(close::UNAVAILABLE, "the cloud cannot store now: come back soon")
        }
    }
}

impl From<DbError> for End {
    fn from(error: DbError) -> Self {
        Self::of_db(&error)
    }
}

/// A reason may hold words of the far side: it goes to a log and to a database that takes no
/// NUL.
fn legible(reason: &str) -> String {
    reason.chars().filter(|char| !char.is_control()).take(REASON_CHARS_MAX).collect()
}

/// How a session went, for logs and figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The gateway, once it proved who it is.
    pub gateway_id: Option<Uuid>,
    /// One of [`fournil_protocol::close`]; 0 when the connection was simply gone.
    pub code: u16,
    pub reason: String,
}

/// An end to be written down.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) identity: Identity,
    pub(super) generation: u64,
    pub(super) heard_at: DateTime<Utc>,
    pub(super) end: End,
}

impl Ending {
    pub(super) async fn write(&self, db: &Db) -> Result<(), DbError> {
        let session_end = SessionEnd {
            generation: self.generation,
            heard_at: self.heard_at,
            code: self.end.code,
            reason: &self.end.reason,
        };
        let (company, gateway_id) = (self.identity.company, self.identity.gateway_id);
        let mut act = db.begin(&self.identity.actor()).await?;
        sql::end(act.connection(), company, gateway_id, &session_end).await?;
        act.hint(TOPIC, Some(gateway_id));
        act.commit().await
    }
}
