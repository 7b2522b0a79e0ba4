//! One reading: every layout, every way of delivery, every fault.

use std::time::Duration;

use fournil_gateway::clock::layout::AttendanceLayout;
use fournil_gateway::clock::{ClientError, read_device, read_dump};
use fournil_tests::clock_sim::{ClockSim, Fault, FaultSpec, Profile};
use serde_json::Value;

use super::{dump, identity, options};

const LAYOUTS: [&str; 5] = ["40", "49", "16", "8a", "8b"];

fn layout(name: &str) -> AttendanceLayout {
    name.parse().unwrap()
}

pub(super) fn assert_same(dump: &Value, sim: &ClockSim, what: &str) {
    let read = dump["punches"].as_array().unwrap().iter().map(|punch| {
        let text = |key: &str| punch[key].as_str().unwrap().to_owned();
        let number = |key: &str| punch[key].as_u64().unwrap();
        (text("user_id"), text("time")[..19].to_owned(), number("state"), number("verify"))
    });
    let read: Vec<_> = read.collect();
    let held: Vec<_> = sim.punches().iter().map(identity).collect();
    assert_eq!(read, held, "{what}");
    assert_eq!(dump["users"].as_array().unwrap().len(), sim.users().len(), "{what}");
}

#[tokio::test]
async fn every_layout_is_read_whole_however_it_is_delivered() {
    let deliveries = [
        Vec::new(),
        vec![Fault::Burst],
        vec![Fault::Coalesced],
        vec![Fault::Dribble],
        vec![Fault::EventBetween],
        vec![Fault::StaleReply],
        vec![Fault::SizeLarger],
        vec![Fault::Direct],
        vec![Fault::ShortPrepare],
        vec![Fault::NoBuffer],
        vec![Fault::CountLow],
        vec![Fault::CountZero],
        vec![Fault::Dribble, Fault::StaleReply, Fault::EventBetween, Fault::SizeLarger],
    ];
    for name in LAYOUTS {
        for faults in &deliveries {
            for packet_bytes in [1008, 65_536] {
                let profile = Profile {
                    layout: layout(name),
                    punches: 211,
                    packet_bytes,
                    faults: faults.iter().map(|fault| FaultSpec::from(*fault)).collect(),
                    pace: Duration::ZERO,
                    ..Profile::default()
                };
                let sim = ClockSim::start(profile).await.unwrap();
                let what = format!("layout {name}, {faults:?}, packets of {packet_bytes}");
                let dump = dump(sim.addr(), 0).await;
                assert_same(&dump, &sim, &what);
                assert_eq!(dump["device"]["layout"], name, "{what}");
                assert_eq!(sim.counters().destructive, 0, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_clock_that_refuses_all_it_can_still_gives_its_log() {
    let faults = vec![Fault::Stubborn.into()];
    let sim = ClockSim::start(Profile { faults, ..Profile::default() }).await.unwrap();
    let dump = dump(sim.addr(), 0).await;
    assert_eq!(dump["punches"].as_array().unwrap().len(), 60);
    assert_eq!(dump["device"]["time"], Value::Null);
    assert!(dump["warnings"][0].as_str().unwrap().contains("utilisateurs"), "{}", dump["warnings"]);
}

#[tokio::test]
async fn a_log_of_several_chunks_is_joined_across_their_borders() {
    let profile = Profile { punches: 5000, packet_bytes: 4096, ..Profile::default() };
    let faults = vec![FaultSpec::from(Fault::Burst)];
    let sim = ClockSim::start(Profile { faults, ..profile }).await.unwrap();
    assert_same(&dump(sim.addr(), 0).await, &sim, "200,004 bytes in four chunks");
}

#[tokio::test]
async fn an_impossible_date_is_kept_and_flagged() {
    let faults = vec![Fault::ImpossibleDate.into()];
    let sim = ClockSim::start(Profile { faults, ..Profile::default() }).await.unwrap();
    let dump = dump(sim.addr(), 0).await;
    assert_same(&dump, &sim, "30 February");
    let first = &dump["punches"][0];
    assert_eq!(first["time"], format!("{}", sim.punches()[0].local_time()), "without an offset");
    assert_eq!(first["anomalies"][0], "impossible-date");
    let second = dump["punches"][1]["time"].as_str().unwrap();
    assert!(second.ends_with("+01:00"), "{second}");
}

#[tokio::test]
async fn a_table_left_behind_by_a_dead_reader_is_not_taken_for_ours() {
    let faults = vec!["cut=1".parse().unwrap()];
    let sim = ClockSim::start(Profile { faults, punches: 300, ..Profile::default() }).await;
    let sim = sim.unwrap();
    let cut = read_dump(&options(sim.addr(), 0), 50, fournil_gateway::time::now()).await;
    assert!(matches!(cut, Err(ClientError::Ended { .. })), "{cut:?}");
    assert_same(&dump(sim.addr(), 0).await, &sim, "after a cut");
}

#[tokio::test]
async fn a_wrong_comm_key_and_a_silent_clock_are_told_apart() {
    let profile = Profile { comm_key: 42, ..Profile::default() };
    let sim = ClockSim::start(profile).await.unwrap();
    let now = fournil_gateway::time::now();
    let wrong = read_device(&options(sim.addr(), 43), 50, now).await.unwrap_err();
    assert!(matches!(wrong, ClientError::KeyRefused { .. }), "{wrong}");
    assert!(read_device(&options(sim.addr(), 42), 50, now).await.is_ok());
    sim.set_faults(&[Fault::Silent.into()]);
    let silent = read_device(&options(sim.addr(), 42), 50, now).await.unwrap_err();
    assert!(matches!(silent, ClientError::Busy { .. }), "{silent}");
    let addr = sim.addr();
    sim.stop().await;
    let gone = read_device(&options(addr, 42), 50, now).await.unwrap_err();
    assert!(matches!(gone, ClientError::Unreachable { .. }), "{gone}");
}

#[tokio::test]
async fn frames_with_wrong_checksums_end_the_session() {
    let faults = vec![Fault::BadChecksum.into()];
    let sim = ClockSim::start(Profile { faults, ..Profile::default() }).await.unwrap();
    let end =
        read_device(&options(sim.addr(), 0), 50, fournil_gateway::time::now()).await.unwrap_err();
    assert!(matches!(end, ClientError::NotAClock { .. }), "{end}");
}

#[tokio::test]
async fn an_unreadable_log_is_shown_raw_and_not_guessed_at() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut options = options(sim.addr(), 0);
    options.layout = Some(layout("64"));
    let dump = read_dump(&options, 50, fournil_gateway::time::now()).await.unwrap();
    assert!(dump.punches.is_empty());
    assert!(dump.warnings[0].contains("--layout"), "{:?}", dump.warnings);
}

#[tokio::test]
async fn the_simulated_clock_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let state = Some(folder.path().join("clock.json"));
    let profile = Profile { state, ..Profile::default() };
    let sim = ClockSim::start(profile.clone()).await.unwrap();
    sim.punch("2", 1).unwrap();
    let held = sim.punches();
    sim.stop().await;
    let sim = ClockSim::start(profile).await.unwrap();
    assert_eq!(sim.punches(), held);
    assert_eq!(held.len(), 61);
}
