//! `fournil-gateway printer …`: render and print without a cloud.

/// Arguments of `fournil-gateway printer`.
#[derive(Debug, clap::Subcommand)]
pub enum PrinterCommand {}

/// Runs one command and gives its exit status.
pub async fn run(command: PrinterCommand) -> anyhow::Result<()> {
    match command {}
}
