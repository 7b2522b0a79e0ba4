//! `fournil-gateway identity`: the key of this gateway, shown or changed.

use clap::Subcommand;

use super::{PlaceArgs, load, print};
use crate::app::{self, status};
use crate::i18n::{Given, say};
use crate::tunnel::identity::Identity;
use crate::tunnel::rotate::{self, Place};

#[derive(Debug, Subcommand)]
pub enum IdentityCommand {
    /// Show who this gateway is and the four words of its key
    #[command(after_help = "Example: fournil-gateway identity show --json")]
    Show {
        #[arg(long)]
        json: bool,
    },
    /// Change the key now; the cloud keeps the old one until the new one has connected
    #[command(after_help = "Example: sudo -u fournil fournil-gateway identity rotate")]
    Rotate,
}

/// Runs one of them.
pub async fn run(command: IdentityCommand, place: &PlaceArgs) -> anyhow::Result<()> {
    let config = load(place)?;
    let credential = config.credential.as_deref();
    let identity = Identity::load_with(&config.state_dir, credential)?;
    match command {
        IdentityCommand::Show { json } => show(&identity, json),
        IdentityCommand::Rotate => {
            let (target, trust) = app::cloud(&config, &identity)?;
            let state_dir = &config.state_dir;
            let place = Place { state_dir, credential, target: &target, trust: &trust };
            let fingerprint = rotate::run(place).await?;
            print::line(&say("identity-new-key", &[("fingerprint", &fingerprint)]));
            print::line(&say("identity-compare", &[]));
            if status::ask(&config.state_dir).await.is_ok() {
                print::line(&say("identity-service-takes-it", &[]));
            }
        }
    }
    Ok(())
}

fn show(identity: &Identity, as_json: bool) {
    let (enrolled, words) = (&identity.enrolled, identity.fingerprint());
    let kept = if identity.is_credential { "credential" } else { "file" };
    if as_json {
        let shown = serde_json::json!({
            "gateway_id": enrolled.gateway_id.to_string(),
            "name": enrolled.name,
            "company": enrolled.company,
            "url": enrolled.url,
            "fingerprint": words,
            "key": kept,
        });
        print::line(&shown.to_string());
        return;
    }
    let given: Given<'_> =
        &[("name", &enrolled.name), ("company", &enrolled.company), ("url", &enrolled.url)];
    print::line(&say("identity-shown", given));
    print::line(&say("enrol-fingerprint", &[("fingerprint", &words)]));
}
