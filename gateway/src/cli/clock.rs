//! `fournil-gateway clock …`: read a clock without a cloud.

/// Arguments of `fournil-gateway clock`.
#[derive(Debug, clap::Subcommand)]
pub enum ClockCommand {}

/// Runs one command and gives its exit status.
pub async fn run(command: ClockCommand) -> anyhow::Result<()> {
    match command {}
}
