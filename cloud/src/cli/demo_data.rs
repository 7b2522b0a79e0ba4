//! `fournil-cloud demo-data`: an invented shop to look at. Says loudly that it is one.

use std::io::Write;

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::db::Db;
use crate::demo;
use crate::i18n::Texts;
use crate::identity::permission::BUILT_IN_ROLES;

/// Loads the demonstration company and tells who may sign in. `clock_serial` names the
/// clock whose users 1 to 6 are the employees.
pub async fn run(
    db: &Db,
    texts: &Texts,
    now: DateTime<Utc>,
    clock_serial: Option<&str>,
    out: &mut impl Write,
) -> Result<()> {
    let loaded = demo::load(db, texts, now, clock_serial).await?;
    let state = if loaded.is_new { "loaded" } else { "was already there" };
    writeln!(out, "{}: {state}, {} tickets of history", demo::COMPANY, loaded.tickets)?;
    writeln!(out, "DEMONSTRATION ONLY: every login below has the password {}", demo::PASSWORD)?;
    for (email, name, role) in demo::USERS {
        let role = BUILT_IN_ROLES.iter().find(|known| known.key == *role);
        let role = role.map_or("", |known| known.name);
        writeln!(out, "  {email:<32} {name:<16} {role}")?;
    }
    Ok(())
}
