//! The command line: one file per command.

pub mod clock;
pub mod doctor;
pub mod enrol;
pub mod identity;
pub mod journal;
pub mod print;
pub mod printer;
pub mod run;
pub mod status;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, Faults, Sources};
use crate::i18n::{self, Language, say};

/// The shop's gateway: one outbound tunnel, a durable journal, the clock and the printer.
#[derive(Debug, Parser)]
#[command(
    name = "fournil-gateway",
    version,
    after_help = "Example: fournil-gateway enrol --url https://cloud.example --code ABCD-EFGH"
)]
pub struct Cli {
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// Where the configuration and the state are.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// Configuration file [default: /etc/fournil/gateway.toml; FOURNIL_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of identity and journal (or FOURNIL_STATE_DIR)
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon
    #[command(after_help = "Example: fournil-gateway run --config /etc/fournil/gateway.toml")]
    Run(run::RunArgs),
    /// Give this gateway its identity with a one-time code
    #[command(after_help = "Example: fournil-gateway enrol --url https://cloud.example:8443 \
                      --code ABCD-EFGH --ca ca.pem")]
    Enrol(enrol::EnrolArgs),
    /// Show or change the key of this gateway
    #[command(subcommand, after_help = "Example: fournil-gateway identity rotate")]
    Identity(identity::IdentityCommand),
    /// Show how the running daemon fares
    #[command(after_help = "Example: fournil-gateway status --json")]
    Status(status::StatusArgs),
    /// Look for what is wrong: network, time, TLS, identity, devices, disk
    #[command(after_help = "Example: fournil-gateway doctor")]
    Doctor(doctor::DoctorArgs),
    /// Read a clock without a cloud
    #[command(subcommand, after_help = "Example: fournil-gateway clock info --addr 192.168.1.201")]
    Clock(clock::ClockCommand),
    /// Render and print without a cloud
    #[command(
        subcommand,
        after_help = "Example: fournil-gateway printer test --to tcp://192.168.1.50:9100"
    )]
    Printer(printer::PrinterCommand),
    /// Look at the journal
    #[command(subcommand, after_help = "Example: fournil-gateway journal stat")]
    Journal(journal::JournalCommand),
}

/// Runs one command.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    i18n::choose(language(&cli));
    match cli.command {
        Command::Run(arguments) => run::run(arguments, &cli.place).await,
        Command::Enrol(arguments) => enrol::run(arguments, &cli.place).await,
        Command::Identity(command) => identity::run(command, &cli.place).await,
        Command::Status(arguments) => status::run(arguments, &cli.place).await,
        Command::Doctor(arguments) => doctor::run(arguments, &cli.place).await,
        Command::Clock(command) => clock::run(command).await,
        Command::Printer(command) => printer::run(command).await,
        Command::Journal(command) => {
            let config = load(&cli.place)?;
            journal::run(command, &config.journal_dir()).await
        }
    }
}

/// The flag, the configuration, the terminal's own language, French. The daemon does not
/// look at the terminal: what it says of devices is read in the shop's ERP.
fn language(cli: &Cli) -> Language {
    let flag = match &cli.command {
        Command::Doctor(arguments) => arguments.lang,
        _ => None,
    };
    let is_daemon = matches!(cli.command, Command::Run(_));
    let terminal = || {
        let mut names = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter(|_| !is_daemon);
        names.find_map(env).and_then(|locale| Language::of_locale(&locale))
    };
    flag.or_else(|| config::language(&sources(&cli.place))).or_else(terminal).unwrap_or_default()
}

/// The configuration from file, environment and flags.
fn load(place: &PlaceArgs) -> Result<Config, Faults> {
    config::load(&sources(place))
}

fn sources(place: &PlaceArgs) -> Sources<'static> {
    Sources {
        file: place.config.clone(),
        state_dir: place.state_dir.clone(),
        env: &|name| env(name),
        // What is no text is no name of ours.
        env_names: std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect(),
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// One line on stderr, causes included; faults of a configuration are a line each.
pub fn complain(error: &anyhow::Error) {
    let message = match error.downcast_ref::<Faults>() {
        Some(faults) => faults.to_string(),
        None => format!("{error:#}").lines().map(str::trim).collect::<Vec<_>>().join(" "),
    };
    for line in message.lines() {
        print::error(&say("cli-faults-line", &[("fault", &line)]));
    }
}
