//! The clock's part of the daemon: nothing lost, nothing twice, everything said.

use std::time::Duration;

use fournil_gateway::clock::{ClientError, CommKey, Session, read_device};
use fournil_protocol::command::{Body as CommandBody, Command, OpenDrawer};
use fournil_protocol::event::{CommandState, DeviceKind, PunchSource};
use fournil_tests::clock_sim::{ClockSim, Fault, FaultSpec, Profile, PunchError};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::shop::{PATIENCE, config, default, open_shop, open_shop_with, store};
use super::{identity, options};

#[tokio::test]
async fn the_log_is_recorded_at_once_and_only_once() {
    let sim = ClockSim::start(Profile { comm_key: 7, ..Profile::default() }).await.unwrap();
    let mut config = config(&sim);
    config.comm_key = CommKey::new(7);
    let mut shop = open_shop(config);
    let punches = shop.punches(60).await;
    let read: Vec<_> = punches
        .iter()
        .map(|punch| (punch.user_id.clone(), punch.local_time.clone(), u64::from(punch.state)))
        .collect();
    let held: Vec<_> = sim.punches().iter().map(identity).map(|(a, b, c, _)| (a, b, c)).collect();
    assert_eq!(read, held);
    assert!(punches.iter().all(|punch| punch.source == i32::from(PunchSource::Poll)));
    assert!(punches.iter().all(|punch| punch.instant_ms.is_some() && punch.raw.len() == 40));
    let report = shop.read_now().await;
    assert_eq!((report.state(), report.detail.as_str()), (CommandState::Done, "0 new punches"));
    shop.assert_quiet();
    let health = shop.code("ok").await;
    assert_eq!((health.kind(), health.records), (DeviceKind::Clock, 60));
    assert_eq!(health.serial, sim.serial());
    assert!(health.drift_ms.unwrap().abs() < 5000, "{health:?}");
}

#[tokio::test]
async fn a_live_punch_arrives_at_once_and_is_acknowledged_after() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    shop.code("ok").await;
    shop.prove_live(&sim).await;
    let begun = std::time::Instant::now();
    let held = sim.punch("3", 1).unwrap();
    let punch = shop.punch().await;
    let waited = begun.elapsed();
    // The log is read once an hour here: what comes sooner came as an event.
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    assert_eq!((punch.user_id.as_str(), punch.local_time.clone()), ("3", held.local_time()));
    assert_eq!((punch.source(), punch.occurrence), (PunchSource::Live, 0));
    timeout(PATIENCE, sim.until(|counters| counters.event_acks == 2)).await.unwrap();
    // The log has it too, and it is the same punch.
    assert_eq!(shop.read_now().await.detail, "0 new punches");
    shop.assert_quiet();
}

#[tokio::test]
async fn two_equal_punches_in_one_second_are_two_punches() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    shop.code("ok").await;
    let held = sim.punch("2", 0).unwrap();
    sim.add_punch(held).unwrap();
    let both = shop.punches(2).await;
    assert_eq!(both.iter().map(|punch| punch.occurrence).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(both[1].source(), PunchSource::Poll, "the log told");
    assert_eq!(shop.read_now().await.detail, "0 new punches");
}

#[tokio::test]
async fn a_punch_while_the_log_is_read_is_recorded_at_once_and_once() {
    let profile = Profile { punches: 3000, packet_bytes: 1008, ..Profile::default() };
    let sim = ClockSim::start(profile).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(3000).await;
    shop.prove_live(&sim).await;
    sim.set_faults(&[Fault::EventBetween.into()]);
    let tables = sim.counters().tables;
    let meanwhile = async {
        // Two tables: the users and the log; the log takes a good half second from here.
        timeout(PATIENCE, sim.until(|counters| counters.tables == tables + 2)).await.unwrap();
        sim.punch("4", 0).unwrap();
    };
    let (report, ()) = tokio::join!(shop.read_now(), meanwhile);
    assert_eq!(report.detail, "0 new punches");
    let live = shop.punch().await;
    assert_eq!((live.source(), live.user_id.as_str()), (PunchSource::Live, "4"));
    sim.set_faults(&[]);
    assert_eq!(shop.read_now().await.detail, "0 new punches");
    shop.assert_quiet();
}

#[tokio::test]
async fn a_punch_during_the_first_reading_comes_after_those_made_while_nobody_listened() {
    let profile = Profile { punches: 3000, packet_bytes: 1008, ..Profile::default() };
    let sim = ClockSim::start(profile).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut shop = open_shop_with(config(&sim), Some(store(folder.path())));
    shop.punches(3000).await;
    shop.prove_live(&sim).await;
    shop.read_now().await;
    shop.stop.cancel();
    shop.part.await.unwrap();
    for user in ["1", "2", "3"] {
        sim.punch(user, 0).unwrap();
    }
    sim.set_faults(&[Fault::EventBetween.into()]);
    let tables = sim.counters().tables;
    let mut shop = open_shop_with(config(&sim), Some(store(folder.path())));
    timeout(PATIENCE, sim.until(|counters| counters.tables == tables + 2)).await.unwrap();
    sim.punch("4", 0).unwrap();
    let users: Vec<String> = shop.punches(4).await.into_iter().map(|punch| punch.user_id).collect();
    assert_eq!(users, ["1", "2", "3", "4"]);
    sim.set_faults(&[]);
    assert_eq!(shop.read_now().await.detail, "0 new punches");
}

#[tokio::test]
async fn punches_made_while_nobody_listened_are_found_in_the_log() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut config = config(&sim);
    config.live = false;
    let mut shop = open_shop(config);
    shop.punches(60).await;
    timeout(PATIENCE, sim.until(|counters| counters.exits == 1)).await.unwrap();
    sim.punch("1", 0).unwrap();
    sim.punch("5", 0).unwrap();
    assert_eq!(shop.read_now().await.detail, "2 new punches");
    assert_eq!(shop.punches(2).await[1].user_id, "5");
    assert_eq!(sim.counters().events_sent, 0);
    timeout(PATIENCE, sim.until(|counters| counters.exits == 2)).await.unwrap();
    assert_eq!(sim.counters().enables, 4, "unlocked on coming and on going");
}

#[tokio::test]
async fn a_cut_in_the_middle_of_the_log_is_repaired_by_itself() {
    let faults = vec!["cut=2".parse().unwrap()];
    let profile = Profile { punches: 400, faults, ..Profile::default() };
    let sim = ClockSim::start(profile).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(400).await;
    assert!(sim.counters().connections >= 3);
    assert_eq!(shop.read_now().await.detail, "0 new punches");
    shop.assert_quiet();
}

#[tokio::test]
async fn a_clock_that_comes_back_on_the_same_address_is_taken_up_again() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    shop.code("ok").await;
    let listen = sim.addr();
    sim.stop().await;
    shop.code("unreachable").await;
    let sim = ClockSim::start(Profile { listen, punches: 62, ..Profile::default() }).await;
    let sim = sim.unwrap();
    shop.code("ok").await;
    assert_eq!(shop.read_now().await.detail, "0 new punches");
    sim.punch("6", 1).unwrap();
    let last = loop {
        let punch = shop.punch().await;
        if punch.state == 1 && punch.user_id == "6" && punch.local_time > last_day() {
            break punch;
        }
    };
    assert_eq!(last.occurrence, 0);
}

#[tokio::test]
async fn a_journal_that_cannot_write_loses_nothing() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    shop.code("ok").await;
    shop.prove_live(&sim).await;
    shop.journal.is_full.send(true).unwrap();
    let acks = sim.counters().event_acks;
    sim.punch("1", 1).unwrap();
    timeout(PATIENCE, sim.until(|counters| counters.events_sent == 2)).await.unwrap();
    // The unrecorded event starts a reading; that one cannot be recorded either, and
    // the session is given up and taken up again.
    timeout(PATIENCE, sim.until(|counters| counters.connections >= 2)).await.unwrap();
    shop.assert_quiet();
    assert_eq!(sim.counters().event_acks, acks, "not acknowledged, because not recorded");
    shop.journal.is_full.send(false).unwrap();
    assert_eq!(shop.punch().await.user_id, "1");
}

#[tokio::test]
async fn what_is_wrong_is_said_in_one_word_with_a_remedy() {
    let sim = ClockSim::start(Profile { comm_key: 7, ..Profile::default() }).await.unwrap();
    let mut shop = open_shop(config(&sim));
    let health = shop.code("comm-key-refused").await;
    assert!(health.detail.contains("comm_key"), "{}", health.detail);
    let report = shop.read_now().await;
    assert_eq!(report.state(), CommandState::Failed);
    assert_eq!(report.reason, "comm-key-refused");
    shop.assert_quiet();

    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut config = config(&sim);
    config.expected_serial = Some("OTHER".to_owned());
    let mut shop = open_shop(config.clone());
    assert!(shop.code("serial-mismatch").await.detail.contains("OTHER"));
    shop.assert_quiet();

    sim.set_faults(&[Fault::Silent.into()]);
    let mut shop = open_shop(config);
    assert!(shop.code("busy").await.detail.contains("autre logiciel"));
}

#[tokio::test]
async fn a_clock_that_goes_wrong_by_an_hour_is_told() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let (events, _) = mpsc::channel(1);
    let options = options(sim.addr(), 0);
    let opened = Session::open(&options.target, options.comm_key, 50, options.timeouts, events);
    let mut session = opened.await.unwrap();
    let mut wrong = session.time().await.unwrap();
    wrong.hour = (wrong.hour + 1) % 24;
    session.set_time(wrong).await.unwrap();
    session.close().await;
    let mut shop = open_shop(config(&sim));
    let drift = shop.code("clock-drift").await;
    assert!(drift.drift_ms.unwrap().abs() > 3_590_000, "{drift:?}");
    // The punches are recorded as the clock has them all the same.
    shop.punches(60).await;
}

#[tokio::test]
async fn an_ambiguous_log_raises_an_alarm_and_invents_nothing() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut config = config(&sim);
    config.layout = Some("64".to_owned());
    let mut shop = open_shop(config);
    let health = shop.code("layout-ambiguous").await;
    assert!(health.detail.contains("clock dump"), "{}", health.detail);
    let notice = timeout(PATIENCE, shop.journal.notices.recv()).await.unwrap().unwrap();
    assert_eq!(notice.code, "clock-layout-ambiguous");
    shop.assert_quiet();
}

#[tokio::test]
async fn a_clock_without_events_is_read_all_the_same() {
    let faults = vec![Fault::Stubborn.into()];
    let sim = ClockSim::start(Profile { faults, ..Profile::default() }).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    assert_eq!(shop.code("ok").await.drift_ms, None);
    sim.punch("2", 0).unwrap();
    assert_eq!(shop.read_now().await.detail, "1 new punches");
}

#[tokio::test]
async fn a_command_of_another_device_is_unsupported() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.code("ok").await;
    let drawer =
        Command { body: Some(CommandBody::OpenDrawer(OpenDrawer { pin: 2 })), ..default() };
    assert_eq!(shop.run(drawer).await.state(), CommandState::Unsupported);
}

#[tokio::test]
async fn stopping_unlocks_the_clock_and_leaves_it() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut config = config(&sim);
    config.lock_while_reading = true;
    let mut shop = open_shop(config);
    shop.code("ok").await;
    shop.stop.cancel();
    timeout(PATIENCE, &mut shop.part).await.unwrap().unwrap();
    let counters = sim.counters();
    assert_eq!((counters.exits, counters.disables), (1, 1));
    assert!(sim.punch("1", 0).is_ok(), "the keypad is unlocked");
    assert_eq!(counters.destructive, 0);
}

/// Everything the simulated clock holds from the start is older.
fn last_day() -> String {
    "2026-11-02".to_owned()
}

#[tokio::test]
async fn a_restart_records_nothing_again_and_remembers_that_events_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let sim = ClockSim::start(Profile { punches: 300, ..Profile::default() }).await.unwrap();
    let mut shop = open_shop_with(config(&sim), Some(store(folder.path())));
    shop.punches(300).await;
    shop.prove_live(&sim).await;
    assert_eq!(shop.read_now().await.detail, "0 new punches");
    shop.stop.cancel();
    timeout(PATIENCE, &mut shop.part).await.unwrap().unwrap();
    let mut shop = open_shop_with(config(&sim), Some(store(folder.path())));
    assert_eq!(shop.read_now().await.detail, "0 new punches");
    shop.assert_quiet();
    shop.code("ok").await;
    sim.punch("5", 1).unwrap();
    assert_eq!(shop.punch().await.source(), PunchSource::Live);
}

#[tokio::test]
async fn one_refused_serial_number_makes_no_other_clock_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let faults = vec!["no-serial=2".parse().unwrap()];
    let sim = ClockSim::start(Profile { faults, ..Profile::default() }).await.unwrap();
    let mut shop = open_shop_with(config(&sim), Some(store(folder.path())));
    let punches = shop.punches(60).await;
    assert!(punches.iter().all(|punch| punch.clock_serial == sim.serial()));
    shop.stop.cancel();
    timeout(PATIENCE, &mut shop.part).await.unwrap().unwrap();
    // Refused for good: rather not read than read under another name.
    sim.set_faults(&[Fault::NoSerial.into()]);
    let mut shop = open_shop_with(config(&sim), Some(store(folder.path())));
    assert!(shop.code("serial-mismatch").await.detail.contains(&sim.serial()));
    shop.assert_quiet();
    sim.set_faults(&[]);
    shop.code("ok").await;
    shop.assert_quiet();
}

#[tokio::test]
async fn a_refused_user_table_does_not_double_a_log_that_names_slots() {
    let profile = Profile { layout: "8a".parse().unwrap(), ..Profile::default() };
    let sim = ClockSim::start(profile.clone()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    let punches = shop.punches(60).await;
    assert!(punches.iter().all(|punch| !punch.user_id.starts_with("uid:")));
    sim.set_faults(&[Fault::NoUsers.into()]);
    sim.punch("2", 1).unwrap();
    assert_eq!(shop.punch().await.user_id, "2", "the table of before tells who it was");
    assert_eq!(shop.read_now().await.detail, "0 new punches");
    shop.assert_quiet();

    // Without any table the log is left where it is until there is one.
    let faults = vec![Fault::NoUsers.into()];
    let sim = ClockSim::start(Profile { faults, ..profile }).await.unwrap();
    let mut shop = open_shop(config(&sim));
    assert!(shop.code("busy").await.detail.contains("utilisateurs"));
    shop.assert_quiet();
    sim.set_faults(&[]);
    assert!(shop.punches(60).await.iter().all(|punch| !punch.user_id.starts_with("uid:")));
}

#[tokio::test]
async fn the_simulated_clock_serves_one_session_and_refuses_punches_while_locked() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.code("ok").await;
    let second =
        read_device(&options(sim.addr(), 0), 50, fournil_gateway::time::now()).await.unwrap_err();
    assert!(matches!(second, ClientError::Busy { .. }), "{second}");
    assert_eq!(sim.counters().refused_sessions, 1);
    assert_eq!(sim.punch("99", 0), Err(PunchError::UnknownUser("99".to_owned())));
    shop.stop.cancel();
    timeout(PATIENCE, &mut shop.part).await.unwrap().unwrap();

    let (events, _) = mpsc::channel(1);
    let options = options(sim.addr(), 0);
    let opened = Session::open(&options.target, options.comm_key, 50, options.timeouts, events);
    let mut session = opened.await.unwrap();
    session.lock(120).await.unwrap();
    assert_eq!(sim.punch("1", 0), Err(PunchError::Locked));
    session.enable().await.unwrap();
    assert!(sim.punch("1", 0).is_ok());
    session.close().await;
}

/// More than is gathered: it is given out part by part, with the layout unknown and known.
#[tokio::test]
async fn a_long_log_is_recorded_whole_and_in_order_without_being_held() {
    for layout in ["40", "8a"] {
        let punches = 2_200_000 / if layout == "40" { 40 } else { 8 };
        let layout = layout.parse().unwrap();
        // Broken off once on the way: what was told before is not told again.
        let faults = vec![FaultSpec { fault: Fault::Cut, times: Some(1) }];
        let profile = Profile { punches, layout, faults, ..Profile::default() };
        let sim = ClockSim::start(profile).await.unwrap();
        let mut shop = open_shop(config(&sim));
        let told = shop.punches(punches).await;
        let told: Vec<_> = told.iter().map(|p| (&p.user_id, &p.local_time)).collect();
        let held = sim.punches();
        let held: Vec<_> = held.iter().map(|p| (&p.user_id, p.local_time())).collect();
        let is_same =
            told.iter().zip(&held).all(|(told, held)| (told.0, told.1) == (held.0, &held.1));
        assert!(is_same && told.len() == held.len());
        let tables = sim.counters().tables;
        assert_eq!(shop.read_now().await.state(), CommandState::Done);
        assert!(sim.counters().tables > tables, "read again");
        sim.punch("1", 0).unwrap();
        assert_eq!(shop.punch().await.user_id, "1", "and nothing of it was told again");
    }
}
