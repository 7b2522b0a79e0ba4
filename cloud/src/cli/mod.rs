//! The command line: one file per command. Exit status 0 done, 1 failed with one line on
//! stderr that says what and what to do, 2 wrong use.

mod database;
mod demo_data;
mod fault;
mod gateway;
mod gateway_ca;
mod migrate;
mod out;
mod serve;
mod systemd;
#[cfg(test)]
mod tests;
mod user;
mod waiting;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Overrides};
use crate::i18n::Catalogue;

pub use fault::Fault;

/// The ERP and the far end of every shop's tunnel.
#[derive(Debug, Parser)]
#[command(
    name = "fournil-cloud",
    version,
    after_help = "Examples:\n  fournil-cloud migrate up\n  fournil-cloud user create \
                  --new-company 'Ma boulangerie' --email a@b.dz --name Amel --role owner\n  \
                  fournil-cloud serve\n  fournil-cloud --print-config"
)]
struct Arguments {
    #[command(flatten)]
    overrides: Overrides,
    /// Prints the configuration as file, variables and flags make it, secrets hidden.
    #[arg(long, global = true)]
    print_config: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the ERP and the tunnels until stopped.
    #[command(after_help = "Example:\n  fournil-cloud serve --listen 0.0.0.0:8443")]
    Serve,
    /// Looks at and applies the database's migrations.
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// Users who may sign in.
    #[command(subcommand)]
    User(user::User),
    /// The shops' gateways.
    #[command(subcommand)]
    Gateway(gateway::Gateway),
    /// Client certificates of gateways, for those who want them beside the signatures.
    #[command(subcommand)]
    GatewayCa(gateway_ca::GatewayCa),
    /// Loads an invented shop to look at. Never into a real shop's database.
    #[command(after_help = "Example:\n  fournil-cloud demo-data")]
    DemoData(demo_data::DemoData),
}

/// Runs what the arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = run(arguments);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let text = Catalogue::load().map(|texts| fault.say(&texts.in_language("fr")));
            out::fault(&text.unwrap_or_else(|error| error.to_string()));
            ExitCode::from(fault.exit_status())
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Fault> {
    let config = Config::load(&arguments.overrides)?;
    if arguments.print_config {
        out::line(&config.shown().map_err(anyhow::Error::new)?);
        return Ok(());
    }
    let Some(command) = arguments.command else { return Err(Fault::usage("cli-no-command")) };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::new)?;
    let done = runtime.block_on(async {
        match command {
            Command::Serve => serve::run(config).await,
            Command::Migrate(command) => migrate::run(&config, command).await,
            Command::User(command) => user::run(&config, command).await,
            Command::Gateway(command) => gateway::run(&config, command).await,
            Command::GatewayCa(command) => gateway_ca::run(&config, command).await,
            Command::DemoData(command) => demo_data::run(&config, command).await,
        }
    });
    // Whatever still hashes a password may be left behind.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    done
}
