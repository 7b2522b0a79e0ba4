//! `fournil-sim`: simulated devices for demonstrations and tests.

use clap::{Parser, Subcommand};
use fournil_tests::printer_sim;

#[derive(Debug, Parser)]
#[command(name = "fournil-sim", version, about = "Simulated clock and printer")]
struct Cli {
    #[command(subcommand)]
    command: Sim,
}

#[derive(Debug, Subcommand)]
enum Sim {
    /// A receipt printer that shows what it prints.
    Printer(printer_sim::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match Cli::parse().command {
        Sim::Printer(args) => printer_sim::run(args).await,
    }
}
