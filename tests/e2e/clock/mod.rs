//! Our client and our part of the daemon against the simulated clock.

mod anything;
mod models;
mod orders;
mod part;
mod reading;
mod shop;
pub(crate) mod sim;
mod udp;
mod week;

use std::net::SocketAddr;
use std::time::Duration;

use fournil_gateway::clock::{CommKey, DumpOptions, Target, Timeouts, read_dump};
use fournil_tests::clock_sim::SimPunch;
use serde_json::Value;

fn brisk() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(1),
        progress: Duration::from_secs(1),
        table: Duration::from_secs(20),
    }
}

fn options(addr: SocketAddr, comm_key: u32) -> DumpOptions {
    DumpOptions {
        target: Target::parse(&addr.to_string()).unwrap(),
        comm_key: CommKey::new(comm_key),
        zone: chrono_tz::Tz::Africa__Algiers,
        layout: None,
        timeouts: brisk(),
    }
}

/// What `clock dump --json` prints.
pub(crate) async fn dump(addr: SocketAddr, comm_key: u32) -> Value {
    let dump = read_dump(&options(addr, comm_key), 50, fournil_gateway::time::now()).await.unwrap();
    serde_json::to_value(dump).unwrap()
}

pub(crate) fn identity(punch: &SimPunch) -> (String, String, u64, u64) {
    (punch.user_id.clone(), punch.local_time(), punch.state.into(), punch.verify.into())
}
