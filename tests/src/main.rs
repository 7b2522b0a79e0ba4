//! `fournil-sim`: simulated devices for demonstrations and tests.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fournil_tests::{clock_sim, printer_sim};

/// Simulated devices that behave like the real ones
#[derive(Debug, Parser)]
#[command(name = "fournil-sim", version)]
struct Cli {
    #[command(subcommand)]
    device: Simulated,
}

#[derive(Debug, Subcommand)]
enum Simulated {
    /// A ZKTeco attendance clock
    Clock(clock_sim::Args),
    /// A receipt printer that shows what it prints
    Printer(printer_sim::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let ended = match cli.device {
        Simulated::Clock(args) => clock_sim::run(args).await,
        Simulated::Printer(args) => printer_sim::run(args).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let line = format!("fournil-sim: {error:#}\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
            ExitCode::FAILURE
        }
    }
}
