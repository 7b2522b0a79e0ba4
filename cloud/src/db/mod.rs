//! PostgreSQL: the pool, a company's scope, and the shape of a business act.
//!
//! Every statement on business tables runs in a transaction that names its
//! company ([`Scope`] to read, [`Act`] to write). The pool works as the role
//! `fournil_app`, so row-level security holds even where a `where` is forgotten.

mod act;
mod hints;
mod migrate;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

pub use act::{Act, Actor, ActorKind, Begun, IdempotencyKey};
pub use hints::{Heard, Hint, Hints};
pub use migrate::{MigrationState, history, migrate, pending};

/// A company by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct CompanyId(pub Uuid);

/// What can go wrong between us and PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database cannot be reached or is starting, stopping or out of room.
    #[error("database unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// A named constraint said no; callers turn the name into a message.
    #[error("constraint {name} refused the change")]
    Constraint {
        name: String,
        #[source]
        source: sqlx::Error,
    },
    /// Two acts met; the same act may be tried again.
    #[error("the act collided with another and may be tried again")]
    Contention(#[source] sqlx::Error),
    /// The idempotency key was used for another input.
    #[error("idempotency key was used before with other content")]
    KeyReused,
    #[error("database statement failed")]
    Other(#[source] sqlx::Error),
}

impl DbError {
    /// The name of the constraint that refused, if one did.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { name, .. } => Some(name),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Tls, WorkerCrashed};
        if matches!(error, Io(_) | Tls(_) | PoolTimedOut | PoolClosed | WorkerCrashed) {
            return Self::Unavailable(error);
        }
        let Some(database) = error.as_database_error() else { return Self::Other(error) };
        if let Some(name) = database.constraint() {
            return Self::Constraint { name: name.to_owned(), source: error };
        }
        match database.code().as_deref() {
            Some("40001" | "40P01" | "55P03") => Self::Contention(error),
            // 57xxx: stopping, starting, too slow; 53xxx: out of disk, memory, connections;
            // 58xxx: the disk below it fails; 08xxx: the connection broke.
            Some(code) if ["57", "53", "58", "08"].iter().any(|class| code.starts_with(class)) => {
                Self::Unavailable(error)
            }
            _ => Self::Other(error),
        }
    }
}

/// The way to PostgreSQL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    hints: Hints,
}

/// How the pool is made.
#[derive(Debug, Clone)]
pub struct DbOptions {
    pub connections_max: u32,
    pub acquire_timeout: Duration,
    pub statement_timeout: Duration,
    /// A commit returns when it is on disk, whatever the server's configuration says: a
    /// punch is acknowledged, and forgotten by the gateway, because of that. Without it
    /// the server decides, which is for tests.
    pub is_durable: bool,
}

impl Default for DbOptions {
    fn default() -> Self {
        Self {
            connections_max: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            is_durable: true,
        }
    }
}

impl Db {
    /// Makes the pool without connecting; the first use connects.
    #[must_use]
    pub fn lazy(connect: PgConnectOptions, options: &DbOptions) -> Self {
        let timeout_ms = options.statement_timeout.as_millis();
        let connect = connect.application_name("fournil-cloud").options([
            ("statement_timeout", format!("{timeout_ms}ms")),
            ("lock_timeout", "10s".to_owned()),
            ("idle_in_transaction_session_timeout", "60s".to_owned()),
            ("timezone", "UTC".to_owned()),
        ]);
        let connect = if options.is_durable {
            connect.options([("synchronous_commit", "on")])
        } else {
            connect
        };
        let pool = PgPoolOptions::new()
            .max_connections(options.connections_max)
            .acquire_timeout(options.acquire_timeout)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::query!("set role fournil_app").execute(connection).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(connect);
        Self { pool, hints: Hints::new() }
    }

    /// For look-ups that come before a company is known (`security definer` functions).
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    #[must_use]
    pub const fn hints(&self) -> &Hints {
        &self.hints
    }

    /// True when the database answers.
    pub async fn is_ready(&self) -> bool {
        sqlx::query_scalar!("select 1").fetch_one(&self.pool).await.is_ok()
    }

    /// Takes away idempotency keys older than `days`, at most `most`; how many.
    pub async fn forget_old_keys(&self, days: i32, most: i32) -> Result<i64, DbError> {
        let gone = sqlx::query_scalar!(
            r#"select ground_delete_old_idempotency_keys(make_interval(days => $1), $2) as "gone!""#,
            days,
            most,
        );
        Ok(gone.fetch_one(&self.pool).await?)
    }

    /// A read-only, consistent view of one company's rows.
    pub async fn read(&self, company: CompanyId) -> Result<Scope, DbError> {
        let mut tx =
            self.pool.begin_with("begin isolation level repeatable read read only").await?;
        enter_company(&mut tx, company).await?;
        Ok(Scope { tx })
    }

    /// Begins a business act that carries its own identity (a punch, a report).
    pub async fn begin(&self, actor: &Actor) -> Result<Act, DbError> {
        Act::begin(self, actor).await
    }

    /// Begins a business act a client may ask for twice. See [`Begun`].
    pub async fn begin_once<I, T>(
        &self,
        actor: &Actor,
        key: IdempotencyKey,
        name: &'static str,
        input: &I,
    ) -> Result<Begun<T>, DbError>
    where
        I: serde::Serialize + Sync,
        T: serde::de::DeserializeOwned,
    {
        Act::begin_once(self, actor, key, name, input).await
    }
}

/// One company's rows, read-only and consistent, until dropped.
#[derive(Debug)]
pub struct Scope {
    tx: Transaction<'static, Postgres>,
}

impl Scope {
    /// The connection to run `sqlx` statements on.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

/// Names the company for row-level security until the transaction ends.
async fn enter_company(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<DateTime<Utc>, sqlx::Error> {
    // One round trip for both: every act and every reading begins with it.
    let begun = sqlx::query!(
        r#"select now() as "now!", set_config('fournil.company_id', $1, true) as company"#,
        company.0.to_string()
    )
    .fetch_one(connection)
    .await?;
    Ok(begun.now)
}
