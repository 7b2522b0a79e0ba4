//! Clocks that call by themselves over HTTP (ADMS, "cloud server" in their menus), heard in
//! the shop's network. The dialect is in `fournil_protocol::iclock`, which the cloud serves
//! too; here is who may call and how what is told comes into the journal.
//!
//! `door` listens and bounds what strangers can do, `desk` is one clock's side of the
//! conversation, `errands` are the commands that wait for its next call, `notes` what is known
//! of it and outlives the daemon.
//!
//! Invariants: from a number or an address that the configuration does not name, nothing is
//! kept; `OK` is said after the journal's sync, never before; while the true time is not known
//! nobody is served, because a clock sets itself by each answer. A block told again adds
//! nothing: a punch carries its own identity, the same as where its log is read.

mod config;
mod desk;
mod door;
mod errands;
mod notes;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use fournil_protocol::event::DeviceHealth;
use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use config::{AllowFrom, PushClock, PushConfig, PushConfigError, PushKey};
use desk::Desk;
use door::{CALLS_MAX, Door, Way};

use super::poll::Surroundings;
use crate::seam::{Job, Recorder};

/// What one clock's place brings along.
#[derive(Debug)]
pub struct Place {
    pub jobs: mpsc::Receiver<Job>,
    pub health: watch::Sender<DeviceHealth>,
}

/// Hears clocks until `stop`. `places`: one for each configured clock, in their order.
pub async fn run(
    config: PushConfig,
    recorder: Recorder,
    places: Vec<Place>,
    around: Surroundings,
    stop: CancellationToken,
) {
    let mut ways = HashMap::new();
    let mut desks = Vec::new();
    for (clock, place) in config.clocks.into_iter().zip(places) {
        let (calls, called) = mpsc::channel(CALLS_MAX);
        ways.insert(clock.serial.clone(), Way { allow_from: clock.allow_from.clone(), calls });
        desks.push(Desk::new(clock, recorder.clone(), place, called, around.clone()));
    }
    let (listening, told) = watch::channel(None);
    let door = Door { listen: config.listen, ways, recorder, around, listening };
    let desks = desks.into_iter().map(|desk| desk.serve(told.clone(), stop.clone()));
    tokio::join!(door.serve(stop.clone()), join_all(desks));
}
