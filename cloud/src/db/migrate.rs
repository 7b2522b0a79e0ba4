//! Migrations: embedded, forward only, checked before serving.
//!
//! Checked both ways: an older program must not serve on tables of a newer one, nor any
//! on tables that a half-applied or edited migration left.

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

/// How many migrations wait to be applied. An error when the database knows a migration
/// that this release does not ([`MigrateError::VersionMissing`]), knows it with another
/// content ([`MigrateError::VersionMismatch`]) or has one half applied
/// ([`MigrateError::Dirty`]).
pub async fn pending(connect: &PgConnectOptions) -> Result<usize, MigrateError> {
    let mut connection: PgConnection = connect.connect().await.map_err(MigrateError::Execute)?;
    let table = &*MIGRATOR.table_name;
    connection.ensure_migrations_table(table).await?;
    if let Some(version) = connection.dirty_version(table).await? {
        return Err(MigrateError::Dirty(version));
    }
    let applied = connection.list_applied_migrations(table).await?;
    // The newest says best which release made these tables.
    for done in applied.iter().rev() {
        match MIGRATOR.iter().find(|known| known.version == done.version) {
            None => return Err(MigrateError::VersionMissing(done.version)),
            Some(known) if known.checksum != done.checksum => {
                return Err(MigrateError::VersionMismatch(done.version));
            }
            Some(_) => {}
        }
    }
    let is_applied = |version| applied.iter().any(|done| done.version == version);
    Ok(MIGRATOR.iter().filter(|known| !is_applied(known.version)).count())
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
