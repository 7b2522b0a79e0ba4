//! `fournil-cloud gateway`: what an operator does for gateways without the pages.

use clap::Subcommand;

use super::Fault;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Gateway {}

#[expect(clippy::unused_async, reason = "its commands ask the database")]
pub(super) async fn run(_config: &Config, command: Gateway) -> Result<(), Fault> {
    match command {}
}
