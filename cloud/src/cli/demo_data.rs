//! `fournil-cloud demo-data`: an invented shop to look at. Says loudly that it is one.

use clap::Args;

use super::{Fault, database, out};
use crate::config::Config;
use crate::demo;
use crate::i18n::{Catalogue, Message};
use crate::identity::permission::BUILT_IN_ROLES;
use crate::time::TimeSource;

#[derive(Debug, Args)]
pub(super) struct DemoData {
    /// The clock whose users 1 to 6 are the employees; they are linked by hand when left out.
    #[arg(long)]
    clock_serial: Option<String>,
}

/// Loads the demonstration company and tells who may sign in.
pub(super) async fn run(config: &Config, asked: DemoData) -> Result<(), Fault> {
    let texts = Catalogue::load().map_err(anyhow::Error::new)?.in_language("fr");
    let db = database::pool(config)?;
    let now = TimeSource::system().now();
    let loaded = demo::load(&db, &texts, now, asked.clock_serial.as_deref()).await?;
    let id = if loaded.is_new { "cli-demo-loaded" } else { "cli-demo-known" };
    let state = Message::new(id).with("company", demo::COMPANY).with("tickets", loaded.tickets);
    out::line(&texts.say(&state));
    out::line(&texts.say(&Message::new("cli-demo-password").with("password", demo::PASSWORD)));
    for (email, name, role) in demo::USERS {
        let role = BUILT_IN_ROLES.iter().find(|known| known.key == *role);
        let role = role.map_or("", |known| known.name);
        out::line(&format!("  {email:<32} {name:<16} {role}"));
    }
    Ok(())
}
