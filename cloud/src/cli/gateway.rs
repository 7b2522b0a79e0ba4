//! `fournil-cloud gateway`: a one-time code from the server's own console, for set-up
//! scripts and for the day nobody can sign in.

use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::{Fault, database, out, user};
use crate::config::Config;
use crate::db::{Act, Actor};
use crate::gateways::enrol;
use crate::i18n::{Catalogue, Message};
use crate::time::{DEFAULT_ZONE, french_minute};

#[derive(Debug, Subcommand)]
pub(super) enum Gateway {
    /// Gives a one-time code that enrols a machine, and makes the gateway if it is new.
    #[command(after_help = "Examples:\n  fournil-cloud gateway code --name Comptoir\n  \
                            fournil-cloud gateway code --name Atelier --store Hydra --json")]
    Code(Code),
}

#[derive(Debug, Args)]
pub(super) struct Code {
    /// The gateway's name; one of that name gets a new code.
    #[arg(long)]
    name: String,
    /// The shop a new gateway stands in; not needed while there is only one.
    #[arg(long)]
    store: Option<String>,
    /// The company's name; not needed while there is only one.
    #[arg(long)]
    company: Option<String>,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, command: Gateway) -> Result<(), Fault> {
    match command {
        Gateway::Code(asked) => code(config, asked).await,
    }
}

async fn code(config: &Config, asked: Code) -> Result<(), Fault> {
    let db = database::pool(config)?;
    if !(1..=80).contains(&asked.name.trim().chars().count()) {
        return Err(Message::new("gateways-fault-name").into());
    }
    let company = user::company(&db, asked.company.as_deref()).await?;
    let mut act = db.begin(&Actor::system(company, "fournil-cloud gateway")).await?;
    let known = enrol::find_by_name(&mut act, &asked.name).await?;
    let gateway_id = if let Some(gateway_id) = known {
        gateway_id
    } else {
        let store_id = store(&mut act, asked.store.as_deref()).await?;
        enrol::create_gateway(&mut act, store_id, &asked.name).await.map_err(|error| {
            match error.constraint() {
                // The name of one that was revoked.
                Some("gateway_name_unique") => Message::new("gateways-fault-name-taken").into(),
                _ => Fault::from(error),
            }
        })?
    };
    let shown = enrol::new_code(&mut act, gateway_id).await?;
    act.commit().await?;
    let (url, code) = (&config.web.public_url, &shown.code);
    if asked.json {
        let expires_at = shown.expires_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        out::json(&json!({
            "gateway_id": gateway_id, "name": asked.name.trim(), "code": code,
            "expires_at": expires_at, "url": url,
        }))?;
    } else {
        let texts = Catalogue::load().map_err(anyhow::Error::new)?.in_language("fr");
        let until = french_minute(shown.expires_at, DEFAULT_ZONE);
        let told = Message::new("gateways-cli-code").with("code", code).with("until", until);
        out::line(&texts.say(&told));
        let needs_authority = super::serve::authority_pem(config).is_ok_and(|pem| pem.is_some());
        let command = Message::new(if needs_authority {
            "gateways-cli-command-ca"
        } else {
            "gateways-cli-command"
        });
        let command = command.with("code", code).with("url", url);
        out::line(&texts.say(&command));
    }
    Ok(())
}

/// The shop of that name, or the only one.
async fn store(act: &mut Act, wanted: Option<&str>) -> Result<Uuid, Fault> {
    let stores = enrol::stores(act).await?;
    let found = match (wanted, stores.as_slice()) {
        (Some(wanted), stores) => stores.iter().find(|(_, name)| name == wanted),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    if let Some((store_id, _)) = found {
        return Ok(*store_id);
    }
    let known: Vec<&str> = stores.iter().map(|(_, name)| name.as_str()).collect();
    Err(Message::new("gateways-cli-which-store").with("known", known.join(", ")).into())
}
