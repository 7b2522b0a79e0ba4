//! `fournil-cloud migrate`.

use clap::Subcommand;

use super::{Fault, database, out};
use crate::config::Config;
use crate::db;
use crate::i18n::{Catalogue, Message};

#[derive(Debug, Subcommand)]
pub(super) enum Migrate {
    /// Says whether migrations wait.
    #[command(after_help = "Example:\n  fournil-cloud migrate status --json")]
    Status {
        #[arg(long)]
        json: bool,
    },
    /// Applies what waits.
    #[command(after_help = "Example:\n  fournil-cloud migrate up")]
    Up {
        #[arg(long)]
        json: bool,
    },
    /// Lists every migration and whether it was applied.
    #[command(after_help = "Example:\n  fournil-cloud migrate history --json")]
    History {
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(config: &Config, command: Migrate) -> Result<(), Fault> {
    let connect = database::options(config)?;
    let texts = Catalogue::load().map_err(anyhow::Error::new)?.in_language("fr");
    match command {
        Migrate::Status { json } => {
            let pending = db::pending(&connect).await?;
            if json {
                out::json(&serde_json::json!({ "pending": pending }))?;
            } else {
                out::line(&texts.say(&Message::new("cli-migrate-status").with("count", pending)));
            }
        }
        Migrate::Up { json } => {
            let pending = db::pending(&connect).await?;
            db::migrate(&connect).await?;
            if json {
                out::json(&serde_json::json!({ "applied": pending }))?;
            } else {
                out::line(&texts.say(&Message::new("cli-migrate-up").with("count", pending)));
            }
        }
        Migrate::History { json } => {
            let history = db::history(&connect).await?;
            if json {
                out::json(&history)?;
                return Ok(());
            }
            for state in history {
                let mark = if state.applied { "x" } else { " " };
                out::line(&format!("[{mark}] {:04} {}", state.version, state.description));
            }
        }
    }
    Ok(())
}
