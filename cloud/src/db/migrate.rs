//! Migrations: embedded, forward only, checked before serving.

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// One migration and whether it was applied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MigrationState {
    pub version: i64,
    pub description: String,
    pub applied: bool,
}

/// Applies what is missing. Connects as the owner of the tables, not as `fournil_app`.
pub async fn migrate(connect: &PgConnectOptions) -> Result<(), MigrateError> {
    let mut connection = connect.connect().await.map_err(MigrateError::Execute)?;
    MIGRATOR.run_direct(None, &mut connection, false).await
}

/// Every embedded migration in order.
pub async fn history(connect: &PgConnectOptions) -> Result<Vec<MigrationState>, MigrateError> {
    let mut connection: PgConnection = connect.connect().await.map_err(MigrateError::Execute)?;
    let table = &*MIGRATOR.table_name;
    connection.ensure_migrations_table(table).await?;
    let applied = connection.list_applied_migrations(table).await?;
    Ok(MIGRATOR
        .iter()
        .map(|migration| MigrationState {
            version: migration.version,
            description: migration.description.to_string(),
            applied: applied.iter().any(|done| done.version == migration.version),
        })
        .collect())
}

/// How many migrations wait to be applied.
pub async fn pending(connect: &PgConnectOptions) -> Result<usize, MigrateError> {
    Ok(history(connect).await?.iter().filter(|state| !state.applied).count())
}

/// A short digest of all embedded migrations.
#[cfg(any(test, feature = "testing"))]
pub(super) fn digest() -> u32 {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for migration in MIGRATOR.iter() {
        context.update(&migration.checksum);
    }
    let digest = context.finish();
    digest.as_ref().iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}
