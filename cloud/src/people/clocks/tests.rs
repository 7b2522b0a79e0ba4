//! Clocks against a real database: newest word, whole tables, operations once.

use fournil_protocol::event::{
    ClockLink, ClockOperation, ClockState, ClockUser, ClockUsers, Punch,
};
use uuid::Uuid;

use super::model::Difference;
use super::service::{self, Served, Wish};
use super::sql::{self, ClockRow};
use super::{ingest_operation, ingest_state, ingest_users};
use crate::db::testing::TestDb;
use crate::gateways::enrol;
use crate::gateways::stand;
use crate::people::{attendance, employees};

const SERIAL: &str = "CKUL1";
const READ_MS: i64 = 1_795_500_000_000;

struct World {
    test: TestDb,
    gateway_id: Uuid,
}

impl World {
    async fn new() -> Self {
        let test = TestDb::new().await;
        let mut act = test.db.begin(&test.actor()).await.expect("act");
        let gateway_id =
            enrol::create_gateway(&mut act, test.store, "Comptoir").await.expect("gateway");
        act.commit().await.expect("commit");
        Self { test, gateway_id }
    }

    async fn state(&self, state: &ClockState) {
        let mut act = self.test.db.begin(&self.test.actor()).await.expect("act");
        ingest_state(&mut act, self.gateway_id, state).await.expect("taken");
        act.commit().await.expect("commit");
    }

    async fn users(&self, read_ms: i64, part: u32, parts: u32, users: Vec<ClockUser>) {
        let clock_serial = SERIAL.into();
        self.table_told(ClockUsers {
            clock_serial,
            read_ms,
            part,
            parts,
            users,
            is_partial: false,
        })
        .await;
    }

    /// Some users that the clock told by itself.
    async fn users_told(&self, read_ms: i64, users: Vec<ClockUser>) {
        let (clock_serial, is_partial) = (SERIAL.into(), true);
        self.table_told(ClockUsers { clock_serial, read_ms, part: 0, parts: 1, users, is_partial })
            .await;
    }

    async fn table_told(&self, table: ClockUsers) {
        let mut act = self.test.db.begin(&self.test.actor()).await.expect("act");
        ingest_users(&mut act, self.gateway_id, &table).await.expect("taken");
        act.commit().await.expect("commit");
    }

    async fn operation(&self, line: &ClockOperation) {
        let mut act = self.test.db.begin(&self.test.actor()).await.expect("act");
        ingest_operation(&mut act, Some(self.gateway_id), line).await.expect("taken");
        act.commit().await.expect("commit");
    }

    async fn clock(&self) -> ClockRow {
        let mut scope = self.test.db.read(self.test.company).await.expect("scope");
        let rows = sql::clocks(scope.connection(), self.test.company, None).await.expect("clocks");
        rows.into_iter().next().expect("a clock")
    }

    /// Numbers and names that the stored table has, and whether it is whole.
    async fn table(&self) -> (Vec<(String, String)>, bool) {
        let mut scope = self.test.db.read(self.test.company).await.expect("scope");
        let users = sql::device_users(scope.connection(), self.test.company, SERIAL).await;
        let names = users.expect("users").into_iter().map(|user| (user.user_id, user.name));
        (names.collect(), self.clock().await.users_read_at.is_some())
    }
}

fn state(heard_ms: i64) -> ClockState {
    ClockState {
        clock_serial: SERIAL.into(),
        device: "entree".into(),
        model: "K20".into(),
        zone: "Africa/Algiers".into(),
        link: ClockLink::Tcp.into(),
        records: 100,
        records_capacity: 1_000,
        heard_ms,
        whole_read_ms: Some(heard_ms),
        whole_read_records: 100,
        ..ClockState::default()
    }
}

fn user(slot: u32, user_id: &str, name: &str) -> ClockUser {
    ClockUser { slot, user_id: user_id.into(), name: name.into(), ..ClockUser::default() }
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect()
}

#[tokio::test]
async fn an_older_word_never_replaces_a_newer_one() {
    let world = World::new().await;
    world.state(&state(READ_MS)).await;
    world.state(&ClockState { records: 7, ..state(READ_MS - 1_000) }).await;
    assert_eq!(world.clock().await.records, 100);
    let later = ClockState { records: 101, whole_read_ms: None, ..state(READ_MS + 1_000) };
    world.state(&later).await;
    let clock = world.clock().await;
    assert_eq!((clock.records, clock.whole_read_records), (101, 100), "its last reading stays");
    assert!(clock.whole_read_at.is_some());
}

#[tokio::test]
async fn a_table_counts_once_all_its_parts_are_there_in_any_order_and_twice() {
    let world = World::new().await;
    world.users(READ_MS, 1, 2, vec![user(2, "2", "Nadia")]).await;
    world.users(READ_MS, 1, 2, vec![user(2, "2", "Nadia")]).await;
    assert!(!world.table().await.1, "half a table");
    world.users(READ_MS, 0, 2, vec![user(1, "1", "Amine\0x")]).await;
    let (users, is_whole) = world.table().await;
    assert!(is_whole);
    assert_eq!(users, pairs(&[("1", "Amine\u{fffd}x"), ("2", "Nadia")]));
    // A newer one without Nadia; the older comes late and changes nothing.
    world.users(READ_MS + 5, 0, 1, vec![user(1, "1", "Amine B.")]).await;
    world.users(READ_MS, 0, 2, vec![user(1, "1", "Amine")]).await;
    assert_eq!(world.table().await.0, pairs(&[("1", "Amine B.")]));
    world.users(READ_MS + 9, 0, 1, Vec::new()).await;
    assert!(world.table().await.0.is_empty(), "nobody is left on it");
}

#[tokio::test]
async fn users_told_beside_the_table_leave_the_others_and_never_undo_a_newer_table() {
    let world = World::new().await;
    // Before anything else is known of the clock.
    world.users_told(READ_MS, vec![user(0, "7", "Ana")]).await;
    assert_eq!(world.table().await.0, pairs(&[("7", "Ana")]));
    world.users(READ_MS + 5, 0, 1, vec![user(1, "1", "Amine"), user(2, "7", "Ana B.")]).await;
    world.users_told(READ_MS + 4, vec![user(0, "7", "Ana")]).await;
    assert_eq!(world.table().await.0, pairs(&[("1", "Amine"), ("7", "Ana B.")]), "came late");
    world.users_told(READ_MS + 6, vec![user(0, "7", "Ana C.")]).await;
    assert_eq!(world.table().await.0, pairs(&[("1", "Amine"), ("7", "Ana C.")]));
}

#[tokio::test]
async fn an_operation_is_stored_once_and_never_changed() {
    let world = World::new().await;
    world.state(&state(READ_MS)).await;
    let line = ClockOperation {
        clock_serial: SERIAL.into(),
        local_time: "2026-11-24T08:00:00".into(),
        operation: 23,
        admin: "0".into(),
        ..ClockOperation::default()
    };
    world.operation(&line).await;
    world.operation(&line).await;
    world.operation(&ClockOperation { occurrence: 1, ..line }).await;
    let company = world.test.company;
    let mut scope = world.test.db.read(company).await.expect("scope");
    let lines = sql::operations(scope.connection(), company, SERIAL, 10).await.expect("lines");
    assert_eq!(lines.len(), 2);
    drop(scope);
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    let changed =
        sqlx::query!("update clock_operations set operation = 1").execute(act.connection()).await;
    assert!(changed.is_err());
}

#[tokio::test]
async fn differences_are_written_to_the_clock_as_it_was_seen() {
    let world = World::new().await;
    world.state(&state(READ_MS)).await;
    world.users(READ_MS, 0, 1, vec![user(1, "1", "Amin"), user(2, "9", "?")]).await;
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    let amine = employees::add(&mut act, "Amine", "").await.expect("added");
    assert!(employees::set_clock(&mut act, amine, Some("1"), Some(77)).await.expect("set"));
    act.commit().await.expect("commit");
    let mut scope = world.test.db.read(world.test.company).await.expect("scope");
    let lines = service::comparison(&mut scope, world.test.company, SERIAL).await.expect("lines");
    let told: Vec<_> = lines.iter().map(|line| line.difference).collect();
    assert_eq!(told, [Difference::Name, Difference::Unknown]);
    drop(scope);
    let clock = Served::of(world.clock().await).expect("a gateway serves it");
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    let numbers = ["9".to_owned()];
    let nothing = service::write_users(&mut act, &clock, &numbers, Uuid::now_v7()).await;
    assert_eq!(nothing.expect("asked"), None, "nobody's number is not written");
    let numbers = ["1".to_owned(), "9".to_owned()];
    let key = Uuid::now_v7();
    let asked = service::write_users(&mut act, &clock, &numbers, key).await.expect("asked");
    service::ask(&mut act, &clock, Wish::SetTime, Uuid::now_v7()).await.expect("asked");
    service::clear(&mut act, &clock, 100, Uuid::now_v7()).await.expect("asked");
    act.commit().await.expect("commit");
    assert!(asked.is_some());
    let mut scope = world.test.db.read(world.test.company).await.expect("scope");
    let company = world.test.company;
    let commands = stand::commands(&mut scope, company, world.gateway_id, "entree", 10).await;
    let kinds: Vec<String> = commands.expect("list").into_iter().map(|c| c.kind).collect();
    assert_eq!(kinds, ["clear_clock_log", "set_clock_time", "write_clock_users"]);
}

#[tokio::test]
async fn a_number_that_punched_is_counted_and_found_until_it_is_somebodys() {
    let world = World::new().await;
    world.state(&state(READ_MS)).await;
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    for occurrence in 0..3 {
        let punch = Punch {
            clock_serial: SERIAL.into(),
            user_id: "12".into(),
            local_time: format!("2026-11-24T08:00:0{occurrence}"),
            zone: "Africa/Algiers".into(),
            ..Punch::default()
        };
        for _ in 0..2 {
            attendance::ingest(&mut act, Some(world.gateway_id), &punch, None)
                .await
                .expect("taken");
        }
    }
    act.commit().await.expect("commit");
    let clock = world.clock().await;
    assert_eq!((clock.unmatched, clock.last_punch.as_deref()), (1, Some("2026-11-24T08:00:02")));
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    let nadia = employees::add(&mut act, "Nadia", "").await.expect("added");
    let user = attendance::ClockUser { clock_serial: SERIAL.into(), user_id: "12".into() };
    attendance::assign(&mut act, &user, nadia).await.expect("assigned");
    act.commit().await.expect("commit");
    assert_eq!(world.clock().await.unmatched, 0);
}
