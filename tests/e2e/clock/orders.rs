//! What the cloud may ask of a clock besides its punches, and what it is told of it.

use chrono::TimeDelta;
use fournil_gateway::clock::Surroundings;
use fournil_protocol::command::{
    Body as Order, ClearClockLog, ClockUserChange, Command, Policy, ReadClock, SetClockTime,
    WriteClockUsers,
};
use fournil_protocol::event::{ClockLink, ClockUser, CommandReport, CommandState};
use fournil_tests::clock_sim::{ClockSim, Profile};
use tokio::time::timeout;

use super::shop::{
    PATIENCE, Shop, config, default, open_shop, open_shop_in, open_shop_with, store,
};

fn asking(order: Order) -> Command {
    Command { body: Some(order), policy: Policy::Repeatable.into(), ..default() }
}

fn change(user_id: &str, name: &str, card: u64, expected: Option<ClockUser>) -> ClockUserChange {
    ClockUserChange { user_id: user_id.into(), name: name.into(), card, expected }
}

async fn write(shop: &mut Shop, sim: &ClockSim, changes: Vec<ClockUserChange>) -> CommandReport {
    let wish = WriteClockUsers { clock_serial: sim.serial(), changes };
    shop.run(asking(Order::WriteClockUsers(wish))).await
}

async fn told_users(shop: &mut Shop) -> Vec<ClockUser> {
    let told = timeout(PATIENCE, shop.journal.users.recv()).await.expect("a table").unwrap();
    assert_eq!((told.part, told.parts), (0, 1));
    told.users
}

async fn clear(shop: &mut Shop, sim: &ClockSim, records: u32) -> CommandReport {
    let order = Order::ClearClockLog(ClearClockLog { clock_serial: sim.serial(), records });
    let policy = Policy::AtMostOnce.into();
    shop.run_once(Command { body: Some(order), policy, ..default() }).await
}

#[tokio::test]
async fn the_cloud_is_told_what_a_clock_is_and_whom_it_knows() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    let mut state = shop.journal.state.clone();
    let state = timeout(PATIENCE, state.wait_for(|state| !state.clock_serial.is_empty()));
    let state = state.await.expect("told").unwrap().clone();
    assert_eq!(
        (state.clock_serial.as_str(), state.model.as_str()),
        ("SIM0000000001", "FOURNIL-SIM")
    );
    assert_eq!((state.link(), state.layout.as_str(), state.pin_width), (ClockLink::Tcp, "40", 9));
    assert_eq!((state.users, state.records, state.records_capacity), (6, 60, 50_000));
    assert_eq!((state.whole_read_records, state.whole_read_ms.is_some()), (60, true));
    let users = told_users(&mut shop).await;
    let names: Vec<_> = users.iter().map(|user| user.name.clone()).collect();
    let held: Vec<_> = sim.users().iter().map(|user| user.name.clone()).collect();
    assert_eq!(names, held);
    // Not told again while nothing changes, told again when somebody asks.
    shop.read_now().await;
    assert!(shop.journal.users.try_recv().is_err());
    shop.run(asking(Order::ReadClock(ReadClock { users: true, ..default() }))).await;
    assert_eq!(told_users(&mut shop).await, users);
    sim.rename("3", "Karim O.");
    shop.read_now().await;
    assert_eq!(told_users(&mut shop).await[2].name, "Karim O.");
}

#[tokio::test]
async fn a_restart_tells_neither_users_nor_operations_again() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    sim.shift(TimeDelta::minutes(-7));
    let folder = tempfile::tempdir().unwrap();
    let mut shop = open_shop_with(config(&sim), Some(store(folder.path())));
    shop.punches(60).await;
    told_users(&mut shop).await;
    assert_eq!(
        shop.run(asking(Order::SetClockTime(SetClockTime {}))).await.state(),
        CommandState::Done
    );
    let line = timeout(PATIENCE, shop.journal.operations.recv()).await.expect("a line").unwrap();
    assert_eq!((line.operation, line.occurrence, line.raw.len()), (21, 0, 16));
    shop.stop.cancel();
    shop.part.await.unwrap();
    let mut shop = open_shop_with(config(&sim), Some(store(folder.path())));
    assert_eq!(shop.read_now().await.detail, "0 new punches");
    assert!(shop.journal.users.try_recv().is_err());
    assert!(shop.journal.operations.try_recv().is_err());
}

#[tokio::test]
async fn a_clock_is_set_to_the_true_time_and_the_change_is_told() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    sim.shift(TimeDelta::minutes(-7));
    let mut shop = open_shop(config(&sim));
    shop.code("clock-drift").await;
    let report = shop.run(asking(Order::SetClockTime(SetClockTime {}))).await;
    assert_eq!(report.state(), CommandState::Done, "{}", report.detail);
    let notice = timeout(PATIENCE, shop.journal.notices.recv()).await.expect("a notice").unwrap();
    assert_eq!(notice.code, "clock-time-set");
    assert!(report.detail.contains("elle montrait 2"), "{}", report.detail);
    let health = shop.code("ok").await;
    assert!(health.drift_ms.unwrap().abs() < 2_000, "{health:?}");
    // Asked again there is nothing to do.
    let again = shop.run(asking(Order::SetClockTime(SetClockTime {}))).await;
    assert!(again.detail.starts_with("elle est à l'heure"), "{}", again.detail);
    assert_eq!(sim.operations().len(), 1);
}

#[tokio::test]
async fn a_box_that_does_not_know_the_time_sets_no_clock() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    sim.shift(TimeDelta::minutes(-7));
    let around = Surroundings::default();
    let mut config = config(&sim);
    config.set_time_beyond_s = 30;
    let mut shop = open_shop_in(config, around);
    let report = shop.run(asking(Order::SetClockTime(SetClockTime {}))).await;
    assert_eq!(
        (report.state(), report.reason.as_str()),
        (CommandState::Failed, "true-time-unknown")
    );
    assert!(sim.operations().is_empty());
}

#[tokio::test]
async fn a_clock_far_off_is_set_by_itself_where_the_shop_wants_that() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    sim.shift(TimeDelta::days(-9_000));
    let mut config = config(&sim);
    config.set_time_beyond_s = 60;
    let mut shop = open_shop(config);
    shop.punches(60).await;
    assert_eq!(shop.code("ok").await.serial, sim.serial());
    assert_eq!(sim.operations().len(), 1);
}

#[tokio::test]
async fn users_are_written_where_they_are_still_as_they_were_seen() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    let seen = told_users(&mut shop).await;
    sim.rename("2", "Nadia K.");
    let changes = vec![
        change("1", "Amine B.", 42, Some(seen[0].clone())),
        // Somebody changed her at the keypad meanwhile.
        change("2", "Nadia", 0, Some(seen[1].clone())),
        change("700", "Nouvelle", 99, None),
        change("3", &seen[2].name, seen[2].card, None),
        change("1234567890", "Long", 0, None),
    ];
    let report = write(&mut shop, &sim, changes).await;
    assert_eq!(
        (report.state(), report.reason.as_str()),
        (CommandState::Failed, "users-not-all-written")
    );
    let said: Vec<&str> = report.detail.split(" · ").collect();
    assert_eq!((said[0], said[2], said[3]), ("1 : écrit", "700 : écrit", "3 : était déjà ainsi"));
    assert!(said[1].contains("n'est plus comme"), "{}", said[1]);
    assert!(said[4].contains("9 au plus"), "{}", said[4]);
    let held = sim.users();
    let of = |id: &str| held.iter().find(|user| user.user_id == id).unwrap();
    assert_eq!((of("1").name.as_str(), of("1").card, of("1").privilege), ("Amine B.", 42, 14));
    assert_eq!(of("2").name, "Nadia K.");
    assert_eq!((of("700").uid, of("700").card), (7, 99));
    assert_eq!(told_users(&mut shop).await.len(), 7, "the table is told anew");
    // The same wish again changes nothing.
    let again = write(&mut shop, &sim, vec![change("700", "Nouvelle", 99, None)]).await;
    assert_eq!(again.state(), CommandState::Done);
    assert_eq!(sim.operations().len(), 2);
}

#[tokio::test]
async fn another_clock_at_the_address_is_not_written_to() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    let changes = vec![change("9", "X", 0, None)];
    let wish = WriteClockUsers { clock_serial: "OTHER00000001".into(), changes };
    let report = shop.run(asking(Order::WriteClockUsers(wish))).await;
    assert_eq!(report.reason, "serial-mismatch");
    assert_eq!(sim.users().len(), 6);
}

#[tokio::test]
async fn a_log_is_emptied_only_behind_every_guard() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    assert_eq!(clear(&mut shop, &sim, 60).await.reason, "clear-not-allowed");
    let mut config = config(&sim);
    config.allow_clear = true;
    shop.stop.cancel();
    shop.part.await.unwrap();
    let mut shop = open_shop(config);
    shop.punches(60).await;
    assert_eq!(clear(&mut shop, &sim, 59).await.reason, "clear-count-differs");
    sim.punch("1", 0).unwrap();
    assert_eq!(clear(&mut shop, &sim, 60).await.reason, "clear-count-differs");
    assert_eq!((sim.counters().destructive, sim.punches().len()), (0, 61));
    let report = clear(&mut shop, &sim, 61).await;
    assert_eq!(report.state(), CommandState::Done, "{}", report.detail);
    assert_eq!((sim.counters().destructive, sim.punches().len()), (1, 0));
    let notice = timeout(PATIENCE, shop.journal.notices.recv()).await.expect("a notice").unwrap();
    assert_eq!(notice.code, "clock-log-cleared");
    // What comes afterwards is as new as ever, and the keypad is free.
    sim.punch("2", 0).unwrap();
    shop.punches(2).await;
}

#[tokio::test]
async fn a_log_that_the_cloud_has_not_confirmed_is_not_emptied() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut config = config(&sim);
    config.allow_clear = true;
    let mut shop = open_shop(config);
    shop.punches(60).await;
    shop.journal.unconfirmed.send_replace(3);
    let report = clear(&mut shop, &sim, 60).await;
    assert_eq!(
        (report.state(), report.reason.as_str()),
        (CommandState::Failed, "clear-not-confirmed")
    );
    assert_eq!(sim.counters().destructive, 0);
    sim.punch("1", 0).unwrap();
}

#[tokio::test]
async fn an_emptying_that_was_interrupted_is_not_tried_again() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut config = config(&sim);
    config.allow_clear = true;
    let mut shop = open_shop(config);
    shop.punches(60).await;
    let order = Order::ClearClockLog(ClearClockLog { clock_serial: sim.serial(), records: 60 });
    let policy = Policy::AtMostOnce.into();
    let report = shop.run_interrupted(Command { body: Some(order), policy, ..default() }).await;
    assert_eq!((report.state(), report.reason.as_str()), (CommandState::InDoubt, "interrupted"));
    assert_eq!(sim.counters().destructive, 0);
}
