//! The whole system in virtual time: the real daemon's parts, the real hub on a real
//! PostgreSQL, a net and devices that fail as a seed says. A schedule is the same every
//! time it is run, so a failure is a number.
//!
//! What is real: journal (on files), session, router, printer's part on the shop's side;
//! hub, sessions, intake, outbox and every statement on the cloud's. What is simulated: the
//! bytes between them, both clocks, the disk's end, the printer (the same simulator as in
//! the end-to-end tests), the attendance clock's memory. Three seams make it repeatable:
//! the journal answers where it is asked ([`fournil_gateway::journal::here`]), work on the
//! database holds the world still ([`fournil_cloud::gateways::between`]), and every wait
//! on several things is asked in a fixed order.

#![expect(
    clippy::disallowed_methods,
    reason = "its statements are about a schema that only it has"
)]

mod auditor;
mod base;
mod books;
mod clock;
mod dice;
mod net;
mod node;
mod plan;
mod shop;
mod world;

use std::sync::Arc;

use tokio::runtime::Builder;

pub use base::Base;
pub use world::Tally;
use world::World;

/// What became of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub tally: Tally,
    /// Virtual milliseconds until it was quiet.
    pub lasted_ms: u64,
    /// Two runs of one seed agree on it.
    pub trace: u64,
}

/// Runs one schedule on this thread.
pub fn run(base: &Arc<Base>, seed: u64) -> anyhow::Result<Outcome> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        clock::begin(seed);
        let plan = plan::draw(seed);
        let mut world = World::new(base).await?;
        let lived = world.live(&plan).await;
        let outcome =
            Outcome { tally: world.tally, lasted_ms: clock::elapsed_ms(), trace: clock::trace() };
        world.end().await;
        lived.map(|()| outcome)
    })
}
