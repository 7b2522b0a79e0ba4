//! What each class of command promises when the shop, its journal or its word is lost.

use chrono::TimeDelta;
use fournil_protocol::command::OpenDrawer;
use sqlx::{Connection, Executor};

use super::sessions::print_body;
use super::*;
use crate::gateways::State;
use crate::gateways::outbox::{GiveUpOutcome, give_up};

fn drawer_body() -> fournil_protocol::command::Body {
    fournil_protocol::command::Body::OpenDrawer(OpenDrawer { pin: 2 })
}

fn clock_body() -> fournil_protocol::command::Body {
    fournil_protocol::command::Body::ReadClock(fournil_protocol::command::ReadClock::default())
}

/// Takes commands in until there are so many.
async fn take(shop: &mut Shop, count: usize) {
    let mut got = 0;
    while got < count {
        got += shop.next_commands().await.len();
    }
}

#[tokio::test]
async fn a_lost_journal_leaves_doubt_only_about_what_may_not_happen_twice() {
    let world = World::new().await;
    let soon = TimeSource::system().now() + TimeDelta::minutes(1);
    let (mut shop, welcome) = world.connect(hello(7, 0)).await;
    let page = world.ask(print_body(), Some(soon)).await;
    let drawer = world.ask(drawer_body(), Some(soon)).await;
    let status = world.ask_status().await;
    take(&mut shop, 3).await;
    shop.confirm(3).await;
    world.await_state(status, "delivered").await;
    shop.cut().await;
    // Another disk: it never held a command.
    let (mut shop, again) = world.connect(Hello { incarnation: 2, ..hello(8, 0) }).await;
    assert_ne!(welcome.down_epoch, again.down_epoch);
    assert_eq!(world.state(page).await, ("in_doubt".into(), "journal-lost".into()));
    assert_eq!(world.state(drawer).await, ("in_doubt".into(), "journal-lost".into()));
    assert_eq!(world.state(status).await, ("queued".into(), "journal-lost".into()));
    // It pauses first: whatever broke the journal may break it again.
    let mut owner = sqlx::PgConnection::connect_with(&world.test.connect).await.expect("owner");
    let paused = "update commands set not_before = now() where not_before > now()";
    assert_eq!(owner.execute(paused).await.expect("pause").rows_affected(), 1);
    let asked = shop.next_commands().await;
    assert_eq!((asked[0].seq, id_of(&asked[0])), (1, status));
}

#[tokio::test]
async fn a_reading_that_had_begun_is_asked_anew_of_the_next_journal() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 2)).await;
    let (clock, page) = (world.ask(clock_body(), None).await, world.ask(print_body(), None).await);
    take(&mut shop, 2).await;
    let begun = |id| report(id, CommandState::Started, "", Evidence::BytesSent);
    let events = vec![event(1, begun(clock)), event(2, begun(page))];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(2).await;
    shop.cut().await;
    let (_shop, _) = world.connect(Hello { incarnation: 2, ..hello(8, 0) }).await;
    assert_eq!(world.state(clock).await, ("queued".into(), "journal-lost".into()));
    assert_eq!(world.state(page).await, ("in_doubt".into(), "journal-lost".into()));
    // A person ends the doubt about an attempt that had begun.
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    let settled = outbox::settle_doubt(&mut act, page, false).await.expect("settled");
    assert_eq!(settled, outbox::DoubtOutcome::Settled);
    act.commit().await.expect("commit");
    assert_eq!(world.state(page).await, ("failed".into(), "person-said-not-done".into()));
}

#[tokio::test]
async fn a_doubt_about_what_may_happen_twice_is_a_failure() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 3)).await;
    let (clock, status) = (world.ask(clock_body(), None).await, world.ask_status().await);
    take(&mut shop, 2).await;
    let doubted = |id| report(id, CommandState::InDoubt, "interrupted", Evidence::BytesSent);
    let events = vec![
        event(1, report(clock, CommandState::Started, "", Evidence::None)),
        event(2, doubted(clock)),
        event(3, doubted(status)),
    ];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(3).await;
    for id in [clock, status] {
        assert_eq!(world.state(id).await, ("failed".into(), "interrupted".into()));
    }
    assert_eq!(world.notices().await, []);
}

#[tokio::test]
async fn a_gateway_is_revoked_whatever_its_commands_have_come_to() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 2)).await;
    let [begun, begun_page] =
        [world.ask(clock_body(), None).await, world.ask(print_body(), None).await];
    let [delivered, leased] = [world.ask_status().await, world.ask(clock_body(), None).await];
    take(&mut shop, 4).await;
    shop.confirm(3).await;
    world.await_state(delivered, "delivered").await;
    let started = |id| report(id, CommandState::Started, "", Evidence::BytesSent);
    let events = vec![event(1, started(begun)), event(2, started(begun_page))];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(2).await;
    assert_eq!(world.state(leased).await.0, "leased");
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    assert!(enrol::revoke(&mut act, world.gateway_id).await.expect("revoked"));
    act.commit().await.expect("commit");
    for id in [begun, delivered, leased] {
        assert_eq!(world.state(id).await, ("cancelled".into(), "gateway-revoked".into()));
    }
    assert_eq!(world.state(begun_page).await, ("in_doubt".into(), "gateway-revoked".into()));
}

#[tokio::test]
async fn a_command_that_five_journals_lost_is_not_asked_a_sixth_time() {
    let world = World::new().await;
    let status = world.ask_status().await;
    for epoch in 10..17 {
        let head = Hello { incarnation: epoch, ..hello(epoch, 0) };
        let (mut shop, _) = world.connect(head).await;
        if world.state(status).await.0 == "failed" {
            assert_eq!(epoch, 16, "the first asking and five more");
            return;
        }
        let mut owner = sqlx::PgConnection::connect_with(&world.test.connect).await.expect("owner");
        owner.execute("update commands set not_before = null").await.expect("no pause");
        assert_eq!(id_of(&shop.next_commands().await[0]), status);
        shop.confirm(1).await;
        world.await_state(status, "delivered").await;
        shop.cut().await;
    }
    panic!("it is asked for ever: {:?}", world.state(status).await);
}

#[tokio::test]
async fn a_page_called_printed_without_proof_is_in_doubt() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 1)).await;
    let page = world.ask(print_body(), None).await;
    shop.next_commands().await;
    let events = vec![event(1, report(page, CommandState::Done, "", Evidence::None))];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(1).await;
    assert_eq!(world.state(page).await, ("in_doubt".into(), "no-proof".into()));
}

#[tokio::test]
async fn a_drawer_that_was_tried_twice_is_told_and_still_settled() {
    let world = World::new().await;
    let soon = TimeSource::system().now() + TimeDelta::minutes(1);
    let (mut shop, _) = world.connect(hello(7, 1)).await;
    let drawer = world.ask(drawer_body(), Some(soon)).await;
    shop.next_commands().await;
    let Body::CommandReport(said) = report(drawer, CommandState::Done, "", Evidence::None) else {
        unreachable!("a report")
    };
    let events = vec![event(1, Body::CommandReport(CommandReport { attempt: 2, ..said }))];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(1).await;
    assert_eq!(world.state(drawer).await.0, "done");
    assert_eq!(world.notices().await, [("attempted-twice".to_owned(), drawer.to_string())]);
}

#[tokio::test]
async fn a_shop_that_never_answers_is_given_up_and_its_late_word_still_counts() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 2)).await;
    let soon = TimeSource::system().now() + TimeDelta::minutes(1);
    let page = world.ask(print_body(), Some(soon)).await;
    let status = world.ask_status().await;
    take(&mut shop, 2).await;
    shop.confirm(2).await;
    world.await_state(status, "delivered").await;
    assert_eq!(no_longer_wait(&world, page).await, GiveUpOutcome::NotOverdue);
    make_overdue(&world).await;
    assert_eq!(no_longer_wait(&world, page).await, GiveUpOutcome::GivenUp(State::InDoubt));
    assert_eq!(no_longer_wait(&world, status).await, GiveUpOutcome::GivenUp(State::Cancelled));
    let again = no_longer_wait(&world, page).await;
    assert_eq!(again, GiveUpOutcome::TooLate(State::InDoubt));
    // Should it not have begun, it is not to begin behind everybody's back.
    let asked = shop.next_commands().await;
    let Some(fournil_protocol::command::Body::Cancel(cancel)) = &asked[0].body else {
        panic!("not a cancel: {asked:?}")
    };
    assert_eq!(cancel.command_id, page.as_bytes());
    let events = vec![event(1, report(page, CommandState::Expired, "", Evidence::None))];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    while !matches!(shop.next().await, Some(Kind::Ack(Ack { up_durable: Some(1), .. }))) {}
    assert_eq!(world.state(page).await.0, "expired");
}

async fn no_longer_wait(world: &World, id: Uuid) -> GiveUpOutcome {
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    let outcome = give_up(&mut act, id).await.expect("outcome");
    act.commit().await.expect("commit");
    outcome
}

/// As if everything had been asked hours ago. The guard, which lets nobody rewrite a
/// deadline, looks away meanwhile.
pub(super) async fn make_overdue(world: &World) {
    let mut owner = sqlx::PgConnection::connect_with(&world.test.connect).await.expect("owner");
    let hours_ago = "alter table commands disable trigger command_guard;
        update commands set not_after = not_after - interval '3 hours',
                            leased_at = leased_at - interval '3 hours';
        alter table commands enable trigger command_guard";
    owner.execute(sqlx::raw_sql(hours_ago)).await.expect("hours ago");
}
