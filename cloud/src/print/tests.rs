//! Pages asked for, copies, and what is said of them, against a real database.

use fournil_protocol::command::{Body, Command};
use fournil_protocol::document::{Align, Document};
use fournil_protocol::event::{CommandReport, CommandState, Evidence};
use prost::Message as _;
use uuid::Uuid;

use super::{Copy, PrintState, Proof, enqueue, open_drawer, record_result, reprint, states_of};
use crate::db::testing::TestDb;
use crate::gateways::{enrol, record_report};

fn document() -> Document {
    let page = Document { title: "T-2026-000123".into(), ..Document::default() };
    page.text("Bonjour", Align::Centre)
}

/// A company whose shop has a gateway in service.
async fn served() -> (TestDb, Uuid) {
    let test = TestDb::new().await;
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let id = enrol::create_gateway(&mut act, test.store, "Comptoir").await.expect("gateway");
    sqlx::query!("update gateways set state = 'active', enrolled_at = now()")
        .execute(act.connection())
        .await
        .expect("active");
    act.commit().await.expect("commit");
    (test, id)
}

async fn ask(test: &TestDb, source_id: Uuid) -> Option<Uuid> {
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let id = enqueue(&mut act, test.store, "ticket", source_id, "receipt", document())
        .await
        .expect("enqueue");
    act.commit().await.expect("commit");
    id
}

async fn state(test: &TestDb, source_id: Uuid) -> super::PageState {
    let mut scope = test.db.read(test.company).await.expect("scope");
    let mut states = states_of(&mut scope, test.company, "ticket", &[source_id], "receipt")
        .await
        .expect("states");
    states.remove(&source_id).expect("an answer for every id")
}

async fn report(test: &TestDb, gateway_id: Uuid, id: Uuid, state: CommandState, reason: &str) {
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let report = CommandReport {
        command_id: id.as_bytes().to_vec(),
        state: state as i32,
        evidence: Evidence::BytesSent as i32,
        reason: reason.into(),
        ..CommandReport::default()
    };
    let reported = record_report(&mut act, gateway_id, &report).await.expect("recorded");
    record_result(&mut act, &reported.expect("a change"));
    act.commit().await.expect("commit");
}

#[tokio::test]
async fn a_shop_without_a_gateway_sells_all_the_same() {
    let test = TestDb::new().await;
    let ticket = Uuid::now_v7();
    assert_eq!(ask(&test, ticket).await, None);
    assert_eq!(state(&test, ticket).await.state, PrintState::NoGateway);
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let drawer = open_drawer(&mut act, test.store, "ticket", ticket).await.expect("asked");
    assert_eq!(drawer, None);
}

#[tokio::test]
async fn one_fact_and_purpose_is_one_page() {
    let (test, _) = served().await;
    let ticket = Uuid::now_v7();
    let first = ask(&test, ticket).await;
    assert!(first.is_some());
    assert_eq!(ask(&test, ticket).await, first);
    assert_eq!(state(&test, ticket).await.state, PrintState::OnItsWay);
}

#[tokio::test]
async fn an_act_given_up_leaves_no_page() {
    let (test, _) = served().await;
    let ticket = Uuid::now_v7();
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    enqueue(&mut act, test.store, "ticket", ticket, "receipt", document()).await.expect("asked");
    drop(act);
    assert_eq!(state(&test, ticket).await.state, PrintState::NoGateway);
}

#[tokio::test]
async fn a_page_waits_and_comes_out_and_says_how_that_is_known() {
    let (test, gateway_id) = served().await;
    let ticket = Uuid::now_v7();
    let id = ask(&test, ticket).await.expect("a command");
    let mut hints = test.db.hints().listen();
    report(&test, gateway_id, id, CommandState::Waiting, "paper-out").await;
    let waiting = state(&test, ticket).await.state;
    assert_eq!(waiting, PrintState::Waiting("paper-out".into()));
    let mut told = Vec::new();
    while let Ok(heard) = hints.try_recv() {
        told.push((heard.topic, heard.subject));
    }
    assert!(told.contains(&(super::TOPIC.to_owned(), Some(ticket))), "{told:?}");
    report(&test, gateway_id, id, CommandState::Done, "").await;
    assert_eq!(state(&test, ticket).await.state, PrintState::Printed(Proof::BytesSent));
}

#[tokio::test]
async fn a_copy_is_a_new_command_that_names_the_old() {
    let (test, _) = served().await;
    let ticket = Uuid::now_v7();
    let first = ask(&test, ticket).await.expect("a command");
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let copy = reprint(&mut act, test.store, first).await.expect("asked");
    let Copy::Asked(copy) = copy else { panic!("{copy:?}") };
    let unknown = reprint(&mut act, test.store, Uuid::now_v7()).await.expect("asked");
    assert_eq!(unknown, Copy::NoPage);
    let body = sqlx::query_scalar!("select body from commands where command_id = $1", copy)
        .fetch_one(act.connection())
        .await
        .expect("row");
    act.commit().await.expect("commit");
    assert_ne!(copy, first);
    let command = Command::decode(body.as_slice()).expect("a command");
    let Some(Body::Print(print)) = command.body else { panic!("not a page") };
    assert_eq!(print.copy_of, first.as_bytes());
    assert_eq!(print.document, document());
    let page = state(&test, ticket).await;
    assert_eq!((page.command_id, page.copies), (Some(first), 1));
}

/// A copy of a ticket's page, asked for in an act of its own.
async fn copy(test: &TestDb, of: Uuid) -> Copy {
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let copy = reprint(&mut act, test.store, of).await.expect("asked");
    act.commit().await.expect("commit");
    copy
}

#[tokio::test]
async fn the_newest_copy_says_how_it_fares_beside_its_page() {
    let (test, gateway_id) = served().await;
    let ticket = Uuid::now_v7();
    let first = ask(&test, ticket).await.expect("a command");
    report(&test, gateway_id, first, CommandState::InDoubt, "").await;
    assert!(state(&test, ticket).await.is_missing());
    let Copy::Asked(older) = copy(&test, first).await else { panic!("no copy") };
    report(&test, gateway_id, older, CommandState::Failed, "paper-out").await;
    let Copy::Asked(newer) = copy(&test, first).await else { panic!("no copy") };
    assert_eq!(state(&test, ticket).await.newest_copy, Some(PrintState::OnItsWay));
    report(&test, gateway_id, newer, CommandState::Done, "").await;
    let page = state(&test, ticket).await;
    assert_eq!(page.state, PrintState::Unknown);
    assert_eq!(page.newest_copy, Some(PrintState::Printed(Proof::BytesSent)));
    assert!(!page.is_missing(), "the customer has a receipt");
}

#[tokio::test]
async fn a_copy_goes_to_the_gateway_the_shop_has_now_or_is_refused() {
    let (test, old) = served().await;
    let first = ask(&test, Uuid::now_v7()).await.expect("a command");
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    sqlx::query!("update gateways set state = 'revoked' where gateway_id = $1", old)
        .execute(act.connection())
        .await
        .expect("revoked");
    act.commit().await.expect("commit");
    assert_eq!(copy(&test, first).await, Copy::NoGateway);
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let new = enrol::create_gateway(&mut act, test.store, "Arrière").await.expect("gateway");
    sqlx::query!(
        "update gateways set state = 'active', enrolled_at = now() where gateway_id = $1",
        new
    )
    .execute(act.connection())
    .await
    .expect("active");
    act.commit().await.expect("commit");
    let Copy::Asked(made) = copy(&test, first).await else { panic!("no copy") };
    let mut scope = test.db.read(test.company).await.expect("scope");
    let of = sqlx::query_scalar!("select gateway_id from commands where command_id = $1", made)
        .fetch_one(scope.connection())
        .await
        .expect("row");
    assert_eq!(of, new);
}
