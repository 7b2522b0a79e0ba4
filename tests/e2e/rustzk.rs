//! rustzk, a client written by others, takes every kind of delivery from the simulated clock: a
//! judge of the transport. Of the content it is one only for odd numbers of records of 40
//! bytes; it takes even ones for another layout.

use std::time::Duration;

use fournil_tests::clock_sim::{ClockSim, Fault, Profile};
use rustzk::{ZK, ZKProtocol};

use crate::clock::identity;

const COMM_KEY: u32 = 123_456;

/// User, time, state, verify, in the order of the log.
type Read = Result<Vec<(String, String, u64, u64)>, String>;

async fn judge(sim: &ClockSim, comm_key: u32, way: ZKProtocol) -> Read {
    let addr = sim.addr();
    let read = tokio::task::spawn_blocking(move || {
        let mut clock = ZK::new(&addr.ip().to_string(), addr.port());
        // Its default is not the sum that clocks make.
        clock.set_legacy_checksum(true);
        clock.set_timeout(Duration::from_secs(5));
        clock.set_password(comm_key);
        clock.connect(way).map_err(|error| error.to_string())?;
        let punches = clock.get_attendance().map_err(|error| error.to_string())?;
        let _ = clock.disconnect();
        Ok(punches
            .iter()
            .map(|punch| {
                let time = punch.timestamp().format("%Y-%m-%dT%H:%M:%S").to_string();
                let (state, verify) = (punch.punch().into(), punch.status().into());
                (punch.user_id().to_owned(), time, state, verify)
            })
            .collect())
    });
    read.await.unwrap()
}

async fn clock(packet_bytes: usize, punches: usize, fault: Option<Fault>) -> ClockSim {
    let faults = fault.map(Into::into).into_iter().collect();
    let comm_key = COMM_KEY;
    let udp = true;
    let profile = Profile { punches, packet_bytes, faults, comm_key, udp, ..Profile::default() };
    ClockSim::start(profile).await.unwrap()
}

#[tokio::test]
async fn rustzk_reads_the_simulated_clock_however_it_delivers() {
    for packet_bytes in [1_008, 4_096, 65_536] {
        for fault in [None, Some(Fault::Burst), Some(Fault::Coalesced), Some(Fault::Dribble)] {
            let sim = clock(packet_bytes, 401, fault).await;
            let held: Vec<_> = sim.punches().iter().map(identity).collect();
            let read = judge(&sim, COMM_KEY, ZKProtocol::TCP).await;
            assert_eq!(read.as_ref(), Ok(&held), "{packet_bytes} {fault:?}");
            assert_eq!(sim.counters().bad_frames, 0, "a frame of rustzk was dropped");
        }
    }
}

#[tokio::test]
async fn rustzk_reads_it_by_datagrams() {
    let sim = clock(1_024, 401, None).await;
    let held: Vec<_> = sim.punches().iter().map(identity).collect();
    assert_eq!(judge(&sim, COMM_KEY, ZKProtocol::UDP).await, Ok(held));
}

#[tokio::test]
async fn rustzk_is_refused_with_a_wrong_comm_key() {
    let sim = clock(65_536, 3, None).await;
    assert!(judge(&sim, 654_321, ZKProtocol::TCP).await.is_err());
    assert!(sim.counters().refused_keys > 0);
}
