//! A clock that speaks UDP only, over a net that loses, doubles and mixes datagrams.

use std::time::Duration;

use fournil_gateway::clock::{ClientError, DumpOptions, Timeouts, Transport, read_dump};
use fournil_tests::clock_sim::{ClockSim, Fault, FaultSpec, Profile};
use tokio::time::timeout;

use super::options;
use super::reading::assert_same;
use super::shop::{PATIENCE, config, open_shop};

async fn clock(punches: usize, faults: &[FaultSpec]) -> ClockSim {
    let profile = Profile { udp: true, punches, faults: faults.to_vec(), ..Profile::default() };
    ClockSim::start(profile).await.unwrap()
}

fn by_datagrams(sim: &ClockSim) -> DumpOptions {
    let mut options = options(sim.addr(), 0);
    options.target = options.target.over(Transport::Udp);
    // A quarter of it for each try.
    options.timeouts = Timeouts { progress: Duration::from_millis(800), ..options.timeouts };
    options
}

async fn assert_read_whole(punches: usize, faults: &[FaultSpec]) {
    let sim = clock(punches, faults).await;
    let read = read_dump(&by_datagrams(&sim), 50, fournil_gateway::time::now()).await;
    let read = serde_json::to_value(read.unwrap()).unwrap();
    assert_same(&read, &sim, &format!("{faults:?}"));
}

fn times(fault: Fault, times: u32) -> FaultSpec {
    FaultSpec { fault, times: Some(times) }
}

#[tokio::test]
async fn a_log_is_read_by_datagrams() {
    for punches in [0, 20, 400, 3_600] {
        assert_read_whole(punches, &[]).await;
    }
}

#[tokio::test]
async fn what_is_lost_doubled_or_mixed_on_the_way_is_asked_for_again() {
    for lost in [1, 3] {
        assert_read_whole(1_000, &[times(Fault::Lost, lost)]).await;
    }
    assert_read_whole(1_000, &[times(Fault::Silent, 2)]).await;
    assert_read_whole(1_000, &[times(Fault::Overtaking, 2)]).await;
    assert_read_whole(1_000, &[times(Fault::Doubled, 5)]).await;
    assert_read_whole(1_000, &[Fault::NoBuffer.into(), times(Fault::Lost, 1)]).await;
    assert_read_whole(1_000, &[Fault::Direct.into(), times(Fault::StaleReply, 1)]).await;
}

#[tokio::test]
async fn a_net_that_loses_too_much_is_an_error_and_nothing_is_told() {
    let sim = clock(1_000, &[Fault::Lost.into()]).await;
    let read = read_dump(&by_datagrams(&sim), 50, fournil_gateway::time::now()).await;
    let error = read.unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::Lost { .. } | ClientError::NoAnswer { .. } | ClientError::Busy { .. }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_at_the_address_is_told_so() {
    let sim = clock(0, &[]).await;
    let options = by_datagrams(&sim);
    sim.stop().await;
    let read = read_dump(&options, 50, fournil_gateway::time::now()).await;
    let error = read.unwrap_err();
    assert!(matches!(error, ClientError::Busy { .. } | ClientError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn the_daemons_part_serves_it_with_live_punches() {
    let sim = clock(60, &[]).await;
    let mut config = config(&sim);
    config.transport = Transport::Udp;
    let mut shop = open_shop(config);
    shop.punches(60).await;
    timeout(PATIENCE, sim.until(|counters| counters.listeners > 0)).await.unwrap();
    sim.punch("1", 0).unwrap();
    assert_eq!(shop.punch().await.user_id, "1");
}
