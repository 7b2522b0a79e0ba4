//! `fournil-cloud user`: the first users, and a way in for who forgot the password.

use std::io::BufRead as _;

use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::{Fault, database, out};
use crate::accounting;
use crate::config::Config;
use crate::db::{Actor, CompanyId, Db};
use crate::i18n::{Catalogue, Message};
use crate::identity::{self, Email, NewCompany, NewUser};

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Creates a user, and with --new-company its company.
    #[command(
        after_help = "Examples:\n  fournil-cloud user create --new-company 'Ma boulangerie' \
                            --email amel@example.dz --name Amel --role owner\n  \
                            echo \"$PASSWORD\" | fournil-cloud user create --email k@example.dz \
                            --name Karim --role cashier --password-stdin --json"
    )]
    Create(Create),
    /// Gives a user another password and ends its sessions.
    #[command(after_help = "Example:\n  fournil-cloud user reset-password --email a@example.dz")]
    ResetPassword {
        #[arg(long)]
        email: String,
        /// Reads the password from the first line of stdin instead of making one.
        #[arg(long)]
        password_stdin: bool,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    #[arg(long)]
    email: String,
    #[arg(long)]
    name: String,
    /// owner, manager, cashier, production, stock_keeper, accountant or one of your own.
    #[arg(long, default_value = "owner")]
    role: String,
    /// The company's name; not needed while there is only one.
    #[arg(long, conflicts_with = "new_company")]
    company: Option<String>,
    /// Creates a company of this name first.
    #[arg(long)]
    new_company: Option<String>,
    /// The first shop of a new company.
    #[arg(long, default_value = "Magasin")]
    store: String,
    /// Reads the password from the first line of stdin instead of making one.
    #[arg(long)]
    password_stdin: bool,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, command: User) -> Result<(), Fault> {
    let db = database::pool(config)?;
    match command {
        User::Create(create) => self::create(&db, create).await,
        User::ResetPassword { email, password_stdin, json } => {
            reset_password(&db, &email, password_stdin, json).await
        }
    }
}

/// The names' rules, before anything is made: the tables would refuse in their own words.
pub(super) fn check_names(asked: &Create) -> Result<(), Fault> {
    let mut names = vec![("--name", asked.name.as_str(), identity::NAME_CHARS_MAX)];
    if let Some(company) = &asked.new_company {
        names.push(("--new-company", company, identity::COMPANY_NAME_CHARS_MAX));
        names.push(("--store", &asked.store, identity::NAME_CHARS_MAX));
    }
    match names.iter().find(|(_, name, most)| !identity::is_name(name, *most)) {
        Some((flag, _, most)) => {
            Err(Message::new("cli-name").with("flag", flag).with("most", most).into())
        }
        None => Ok(()),
    }
}

async fn create(db: &Db, asked: Create) -> Result<(), Fault> {
    check_names(&asked)?;
    let email = Email::parse(&asked.email);
    let email = email.ok_or_else(|| Message::new("identity-fault-email"))?;
    let (password, is_made) = password(asked.password_stdin, &email)?;
    let company = match &asked.new_company {
        Some(_) => CompanyId(Uuid::now_v7()),
        None => company(db, asked.company.as_deref()).await?,
    };
    let password_hash = identity::hash_password(password.clone()).await?;
    let mut act = db.begin(&Actor::system(company, "fournil-cloud user")).await?;
    if let Some(name) = asked.new_company {
        let new = NewCompany { name, store_name: asked.store };
        identity::create_company(&mut act, &new).await?;
        accounting::ensure_chart(&mut act).await?;
    } else {
        identity::ensure_built_in_roles(&mut act).await?;
    }
    let new = NewUser { email, name: asked.name, role: asked.role, password_hash };
    let user_id = identity::create_user(&mut act, &new).await?;
    act.commit().await?;
    let shown = is_made.then_some(password);
    if asked.json {
        let email = new.email.as_str();
        out::json(&json!({
            "company_id": company.0, "user_id": user_id, "email": email, "password": shown,
        }))?;
        return Ok(());
    }
    say(&Message::new("cli-user-created").with("email", new.email.as_str()), shown)
}

async fn reset_password(
    db: &Db,
    email: &str,
    from_stdin: bool,
    as_json: bool,
) -> Result<(), Fault> {
    let email = Email::parse(email).ok_or_else(|| Message::new("identity-fault-email"))?;
    let found = identity::find_user(db, &email).await?;
    let (company, user_id) = found.ok_or_else(|| Message::new("cli-unknown-user"))?;
    let (password, is_made) = password(from_stdin, &email)?;
    let hash = identity::hash_password(password.clone()).await?;
    let mut act = db.begin(&Actor::system(company, "fournil-cloud user")).await?;
    identity::reset_password(&mut act, user_id, &hash).await?;
    act.commit().await?;
    let shown = is_made.then_some(password);
    if as_json {
        out::json(&json!({ "user_id": user_id, "password": shown }))?;
        return Ok(());
    }
    say(&Message::new("cli-password-reset").with("email", email.as_str()), shown)
}

/// The company of a name, or the only one.
pub(super) async fn company(db: &Db, name: Option<&str>) -> Result<CompanyId, Fault> {
    let companies = identity::companies(db).await?;
    let names: Vec<&str> = companies.iter().map(|(_, name)| name.as_str()).collect();
    let known = names.join(", ");
    let matching = |wanted: &str| companies.iter().find(|(_, name)| name == wanted);
    match (name, companies.as_slice()) {
        (Some(name), _) => match matching(name) {
            Some((company, _)) => Ok(*company),
            None => Err(Message::new("cli-unknown-company").with("known", known).into()),
        },
        (None, [(company, _)]) => Ok(*company),
        (None, []) => Err(Message::new("cli-no-company").into()),
        (None, _) => Err(Message::new("cli-which-company").with("known", known).into()),
    }
}

/// The password to set, and whether we made it up (and must show it once).
fn password(from_stdin: bool, email: &Email) -> Result<(String, bool), Fault> {
    if !from_stdin {
        let made = identity::generated_password()?;
        return Ok((made, true));
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(anyhow::Error::new)?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    match identity::password_fault(&password, email.as_str()) {
        Some(fault) => Err(fault.into()),
        None => Ok((password, false)),
    }
}

fn say(message: &Message, password: Option<String>) -> Result<(), Fault> {
    let texts = Catalogue::load().map_err(anyhow::Error::new)?.in_language("fr");
    out::line(&texts.say(message));
    if let Some(password) = password {
        out::line(&texts.say(&Message::new("cli-password").with("password", password)));
    }
    Ok(())
}
