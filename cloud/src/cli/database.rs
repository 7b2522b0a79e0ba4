//! The way from the configuration to PostgreSQL.

use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use super::Fault;
use crate::config::Config;
use crate::db::{Db, DbOptions};
use crate::i18n::Message;

/// The connection the configuration names. Its user owns the tables; the pool then works
/// as `fournil_app`.
pub(super) fn options(config: &Config) -> Result<PgConnectOptions, Fault> {
    let options = PgConnectOptions::from_str(&config.database.url);
    let options = options.map_err(|error| Message::new("cli-database-url").with("cause", error))?;
    // Statements hold people's data; slow ones are told by PostgreSQL's own log.
    Ok(options.disable_statement_logging())
}

pub(super) fn pool(config: &Config) -> Result<Db, Fault> {
    let pool = DbOptions {
        connections_max: config.database.connections_max.max(2),
        acquire_timeout: Duration::from_millis(u64::from(config.database.acquire_timeout_ms)),
        ..DbOptions::default()
    };
    Ok(Db::lazy(options(config)?, &pool))
}
