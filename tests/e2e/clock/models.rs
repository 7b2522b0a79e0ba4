//! Every kind of clock, with and without a comm key, over each way it speaks; and what happens to
//! a clock's power and its time.

use std::time::Duration;

use chrono::TimeDelta;
use fournil_gateway::clock::{CommKey, Surroundings, Transport, read_dump};
use fournil_gateway::seam::CloudOffset;
use fournil_protocol::event::CommandState;
use fournil_tests::clock_sim::{ClockSim, Fault, FaultSpec, MODELS, Model, Profile, SimPunch};
use tokio::time::timeout;

use super::reading::assert_same;
use super::shop::{PATIENCE, config, open_shop, open_shop_in};
use super::{identity, options};

const COMM_KEY: u32 = 123_456;

/// What our client reads of it, by name; names of black-and-white clocks are short.
async fn assert_read(model: Model, transport: Transport, comm_key: u32, punches: usize) {
    let what = format!("{} {transport:?} {comm_key} {punches}", model.name);
    let profile = Profile { udp: true, comm_key, punches, ..Profile::of(model) };
    let sim = ClockSim::start(profile).await.unwrap();
    let mut options = options(sim.addr(), 0);
    options.comm_key = CommKey::new(comm_key);
    options.target = options.target.over(transport);
    let read = read_dump(&options, 50, fournil_gateway::time::now()).await;
    let read = read.unwrap_or_else(|error| panic!("{what}: {error}"));
    let read = serde_json::to_value(read).unwrap();
    assert_eq!(read["device"]["platform"], model.platform, "{what}");
    if punches > 0 {
        assert_eq!(read["device"]["layout"], model.layout.to_string(), "{what}");
    }
    assert_same(&read, &sim, &what);
}

#[tokio::test]
async fn every_kind_of_clock_is_read_whole_over_each_way_it_speaks() {
    for model in MODELS {
        for comm_key in [0, COMM_KEY] {
            for punches in [0, 3, 500] {
                assert_read(model, Transport::Udp, comm_key, punches).await;
                if model.has_tcp {
                    assert_read(model, Transport::Tcp, comm_key, punches).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn every_kind_of_clock_tells_its_punches_as_they_happen() {
    for model in MODELS {
        let sim = ClockSim::start(Profile { punches: 30, ..Profile::of(model) }).await.unwrap();
        let mut config = config(&sim);
        config.transport = if model.has_tcp { Transport::Tcp } else { Transport::Udp };
        let mut shop = open_shop(config);
        shop.punches(30).await;
        timeout(PATIENCE, sim.until(|counters| counters.listeners > 0)).await.unwrap();
        let held = sim.punch("2", 1).unwrap();
        let told = shop.punch().await;
        let told = (told.user_id, told.local_time, u64::from(told.state), u64::from(told.verify));
        assert_eq!(told, identity(&held), "{}", model.name);
    }
}

/// The router gave the clock another address; at the old one is another clock, then nobody.
#[tokio::test]
async fn a_clock_that_moved_is_found_by_its_number() {
    let stranger = Profile {
        listen: "127.0.0.2:0".parse().unwrap(),
        serial: "SIM0000000007".to_owned(),
        ..Profile::default()
    };
    let stranger = ClockSim::start(stranger).await.unwrap();
    let listen = format!("127.0.0.3:{}", stranger.addr().port()).parse().unwrap();
    let sim = ClockSim::start(Profile { listen, ..Profile::default() }).await.unwrap();
    let mut config = config(&stranger);
    config.expected_serial = Some(sim.serial());
    config.search_subnet = Some("127.0.0.0/29".parse().unwrap());
    let mut shop = open_shop(config);
    shop.code("serial-mismatch").await;
    // Asking is trying again.
    while shop.read_now().await.state() != CommandState::Done {}
    shop.punches(60).await;
    let notice = timeout(PATIENCE, shop.journal.notices.recv()).await.unwrap().unwrap();
    assert_eq!(notice.code, "clock-moved");
    assert!(notice.detail.contains("127.0.0.3"), "{}", notice.detail);
}

#[tokio::test]
async fn two_sections_for_one_clock_do_not_push_each_other_out() {
    let sim = ClockSim::start(Profile { udp: true, ..Profile::default() }).await.unwrap();
    let around = Surroundings { cloud_offset: CloudOffset::known(0), ..Surroundings::default() };
    let mut first = open_shop_in(config(&sim), around.clone());
    first.punches(60).await;
    let second = ClockSim::start(Profile::default()).await.unwrap();
    let mut again = config(&second);
    again.name = "encore".to_owned();
    // The same number, as when one clock is written down under two addresses.
    let mut shop = open_shop_in(again, around);
    let health = shop.code("busy").await;
    assert!(health.detail.contains("pointeuse"), "{}", health.detail);
}

fn once(fault: Fault) -> Vec<FaultSpec> {
    vec![FaultSpec { fault, times: Some(1) }]
}

#[tokio::test]
async fn a_clock_that_starts_again_in_the_middle_of_a_reading_is_read_again() {
    let faults = once(Fault::Reboot);
    let sim =
        ClockSim::start(Profile { punches: 900, faults, ..Profile::default() }).await.unwrap();
    let mut shop = open_shop(config(&sim));
    let told = shop.punches(900).await;
    let told: Vec<_> = told.iter().map(|punch| punch.local_time.clone()).collect();
    let held: Vec<_> = sim.punches().iter().map(SimPunch::local_time).collect();
    assert_eq!(told, held);
}

#[tokio::test]
async fn a_flat_battery_is_told_and_its_punches_are_flagged_and_kept() {
    let sim = ClockSim::start(Profile { punches: 20, ..Profile::default() }).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(20).await;
    sim.lose_power(false);
    // A power cut ends the connection at its next word; the clock then begins with 2000.
    shop.read_now().await;
    let health = shop.code("clock-time-lost").await;
    assert!(health.drift_ms.unwrap() < -TimeDelta::days(9_000).num_milliseconds(), "{health:?}");
    sim.punch("3", 0).unwrap();
    let told = shop.punch().await;
    assert!(told.local_time.starts_with("2000-01-01T"), "{told:?}");
    assert_eq!(told.anomalies, ["clock-reset"]);
}

#[tokio::test]
async fn a_clock_that_runs_away_is_seen_at_the_next_reading() {
    // A minute in a second.
    let sim =
        ClockSim::start(Profile { drift_ppm: 60_000_000, ..Profile::default() }).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    timeout(PATIENCE, async {
        loop {
            shop.read_now().await;
            if shop.health.borrow().code == "clock-drift" {
                break;
            }
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_slow_line_is_waited_for_as_long_as_bytes_come() {
    let profile = Profile {
        punches: 600,
        packet_bytes: 1_008,
        bytes_per_s: Some(16_000),
        pace: Duration::ZERO,
        ..Profile::default()
    };
    let sim = ClockSim::start(profile).await.unwrap();
    let read = read_dump(&options(sim.addr(), 0), 50, fournil_gateway::time::now()).await.unwrap();
    assert_same(&serde_json::to_value(read).unwrap(), &sim, "16 kB/s");
}

#[tokio::test]
async fn a_full_log_that_goes_round_loses_nothing_that_was_read() {
    let model = Model { capacity: 100, ..Model::default() };
    let sim = ClockSim::start(Profile { model, punches: 99, ..Profile::default() }).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(99).await;
    shop.code("log-full").await;
    for user in ["1", "2", "3", "4"] {
        sim.punch(user, 0).unwrap();
        assert_eq!(shop.punch().await.user_id, user);
    }
    assert_eq!(sim.punches().len(), 100, "it goes round");
}
