//! `fournil-cloud gateway code`: a one-time code from the server's own console, for
//! set-up scripts and for the day nobody can sign in.

use anyhow::{Context, bail};
use clap::Subcommand;
use serde::Serialize;
use uuid::Uuid;

use super::{Fault, database, out, user};
use crate::config::Config;
use crate::db::{Actor, CompanyId, Db};
use crate::gateways::enrol;
use crate::i18n::{Catalogue, Message};

#[derive(Debug, Subcommand)]
pub(super) enum Gateway {
    /// Makes a one-time code with which a shop's machine enrols.
    #[command(after_help = "Examples:\n  fournil-cloud gateway code --name Magasin\n  \
                            fournil-cloud gateway code --name Magasin --json")]
    Code {
        /// The gateway's name: a known one gets a new code, an unknown one is made.
        #[arg(long)]
        name: String,
        /// The shop it stands in; not needed while there is only one.
        #[arg(long)]
        store: Option<String>,
        /// The company's name; not needed while there is only one.
        #[arg(long)]
        company: Option<String>,
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(config: &Config, command: Gateway) -> Result<(), Fault> {
    let Gateway::Code { name, store, company, json } = command;
    let db = database::pool(config)?;
    let company = user::company(&db, company.as_deref()).await?;
    let answer = code(&db, &CodeRequest { company, store, name }).await?;
    if json {
        out::json(&answer)?;
        return Ok(());
    }
    let texts = Catalogue::load().map_err(anyhow::Error::new)?.in_language("fr");
    let made = Message::new("cli-gateway-code")
        .with("name", &answer.name)
        .with("code", &answer.code)
        .with("url", &config.web.public_url);
    out::line(&texts.say(&made));
    Ok(())
}

/// What was asked for.
#[derive(Debug, Clone)]
struct CodeRequest {
    company: CompanyId,
    /// The shop by name; may be left out where the company has one.
    store: Option<String>,
    /// The gateway's name: an existing one gets a new code, an unknown one is made.
    name: String,
}

/// What is printed: as a sentence, or as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct CodeAnswer {
    gateway_id: Uuid,
    name: String,
    code: String,
    expires_at: chrono::DateTime<chrono::Utc>,
}

/// Makes the gateway if there is none of that name, and a code for it.
async fn code(db: &Db, request: &CodeRequest) -> anyhow::Result<CodeAnswer> {
    let actor = Actor::system(request.company, "console");
    let mut act = db.begin(&actor).await.context("cannot reach the database")?;
    let known = enrol::find_by_name(&mut act, &request.name).await?;
    let gateway_id = match known {
        Some(gateway_id) => gateway_id,
        None => {
            let store_id = store(&mut act, request.store.as_deref()).await?;
            enrol::create_gateway(&mut act, store_id, &request.name)
                .await
                .context("cannot make the gateway")?
        }
    };
    let code = enrol::new_code(db, &mut act, gateway_id).await.context("cannot make a code")?;
    act.commit().await.context("cannot store the code")?;
    Ok(CodeAnswer {
        gateway_id,
        name: request.name.trim().to_owned(),
        code: code.code,
        expires_at: code.expires_at,
    })
}

async fn store(act: &mut crate::db::Act, wanted: Option<&str>) -> anyhow::Result<Uuid> {
    let stores = enrol::stores(act).await?;
    let names = || stores.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ");
    match (wanted, stores.as_slice()) {
        (Some(wanted), stores) => match stores.iter().find(|(_, name)| name == wanted) {
            Some((store_id, _)) => Ok(*store_id),
            None => bail!("no shop is called '{wanted}': choose one of {}", names()),
        },
        (None, [(store_id, _)]) => Ok(*store_id),
        (None, []) => bail!("the company has no shop yet: make one first"),
        (None, _) => bail!("the company has several shops: name one with --store ({})", names()),
    }
}
