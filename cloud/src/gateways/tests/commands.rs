//! Commands from wish to outcome: leases, windows, deadlines, doubts, racing askers.

use chrono::TimeDelta;
use fournil_protocol::close;

use super::sessions::print_body;
use super::*;
use crate::gateways::State;
use crate::gateways::outbox::{CancelOutcome, DoubtOutcome, cancel, settle_doubt};

#[tokio::test]
async fn a_command_goes_from_wish_to_outcome_with_every_step_in_its_history() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 3)).await;
    let id = world.ask(print_body(), None).await;
    let commands = shop.next_commands().await;
    assert_eq!((commands[0].seq, id_of(&commands[0])), (1, id));
    shop.confirm(1).await;
    world.await_state(id, "delivered").await;
    let events = vec![
        event(1, report(id, CommandState::Waiting, "paper-out", Evidence::None)),
        event(2, report(id, CommandState::Started, "", Evidence::None)),
        event(3, report(id, CommandState::Done, "", Evidence::TagReturned)),
    ];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(3).await;
    assert_eq!(world.state(id).await.0, "done");
    let mut scope = world.test.db.read(world.test.company).await.expect("scope");
    let steps: Vec<(String, String, i16, String)> = sqlx::query!(
        "select state, reason, evidence, actor from command_history
         where command_id = $1 order by history_id",
        id
    )
    .fetch_all(scope.connection())
    .await
    .expect("history")
    .into_iter()
    .map(|row| (row.state, row.reason, row.evidence, row.actor))
    .collect();
    let step = |state: &str, reason: &str, evidence: i16, actor: &str| {
        (state.to_owned(), reason.to_owned(), evidence, actor.to_owned())
    };
    assert_eq!(
        steps,
        [
            step("queued", "", 0, "test"),
            step("leased", "", 0, "cloud"),
            step("delivered", "", 0, "gateway"),
            step("delivered", "paper-out", 0, "gateway"),
            step("started", "", 0, "gateway"),
            step("done", "", 4, "gateway"),
        ]
    );
}

#[tokio::test]
async fn what_was_not_confirmed_is_sent_again_with_the_same_number_and_id() {
    let world = World::new().await;
    let (mut shop, welcome) = world.connect(hello(7, 0)).await;
    let ids = [world.ask_status().await, world.ask_status().await, world.ask_status().await];
    let mut got = Vec::new();
    while got.len() < 3 {
        got.extend(shop.next_commands().await);
    }
    assert_eq!(got.iter().map(|command| command.seq).collect::<Vec<_>>(), [1, 2, 3]);
    shop.confirm(1).await;
    world.await_state(ids[0], "delivered").await;
    shop.cut().await;
    let mut head = hello(7, 0);
    head.down = DownHead { epoch: welcome.down_epoch, durable: 2 };
    let (mut shop, welcome) = world.connect(head).await;
    assert_eq!(welcome.down_resume_from, 3);
    let again = shop.next_commands().await;
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].seq, id_of(&again[0])), (3, ids[2]));
    assert_eq!(world.state(ids[1]).await.0, "delivered", "the journal's word counts");
    let fourth = world.ask_status().await;
    let next = shop.next_commands().await;
    assert_eq!((next[0].seq, id_of(&next[0])), (4, fourth));
}

#[tokio::test]
async fn a_down_log_that_does_not_fit_begins_anew_and_loses_nothing() {
    let world = World::new().await;
    let (mut shop, first) = world.connect(hello(7, 0)).await;
    let id = world.ask_status().await;
    assert_eq!(shop.next_commands().await[0].seq, 1);
    shop.cut().await;
    let mut head = hello(7, 0);
    head.down = DownHead { epoch: first.down_epoch, durable: 40 };
    let (mut shop, second) = world.connect(head).await;
    assert_ne!(first.down_epoch, second.down_epoch);
    assert_eq!(second.down_resume_from, 1);
    let again = shop.next_commands().await;
    assert_eq!((again[0].seq, id_of(&again[0])), (1, id));
}

#[tokio::test]
async fn an_older_generation_neither_leases_nor_confirms() {
    let world = World::new().await;
    let (mut old, _) = world.connect(hello(7, 0)).await;
    let id = world.ask_status().await;
    assert_eq!(old.next_commands().await.len(), 1);
    let identity = world.identity();
    let generation = {
        let mut scope = world.test.db.read(world.test.company).await.expect("scope");
        sqlx::query_scalar!("select generation from gateways")
            .fetch_one(scope.connection())
            .await
            .expect("generation")
            .cast_unsigned()
    };
    let (mut new, _) = world.connect(hello(7, 0)).await;
    assert_eq!(id_of(&new.next_commands().await[0]), id);
    assert_eq!(old.goodbye().await.code, u32::from(close::SUPERSEDED));
    let db = &world.test.db;
    let room = crate::gateways::lease::Room { commands: 8, bytes: 65_536 };
    let leased = crate::gateways::lease::lease(db, &identity, generation, room).await;
    assert_eq!(leased.expect_err("fenced").code, close::SUPERSEDED);
    let confirmed = {
        let confirmed = crate::gateways::lease::Confirmed { generation, durable: 1 };
        crate::gateways::lease::confirm(db, &identity, confirmed).await
    };
    assert_eq!(confirmed.expect_err("fenced").code, close::SUPERSEDED);
    assert_eq!(world.state(id).await.0, "leased");
}

#[tokio::test]
async fn the_window_is_kept_and_opens_with_each_confirmation() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.ask_status().await);
    }
    let (mut shop, _) = world.connect(Hello { down_window_commands: 2, ..hello(7, 0) }).await;
    let first = shop.next_commands().await;
    assert_eq!(first.iter().map(id_of).collect::<Vec<_>>(), ids[..2]);
    assert_eq!(world.state(ids[2]).await.0, "queued");
    shop.confirm(2).await;
    let second = shop.next_commands().await;
    assert_eq!(second.iter().map(id_of).collect::<Vec<_>>(), ids[2..4]);
    shop.confirm(4).await;
    assert_eq!(shop.next_commands().await.iter().map(id_of).collect::<Vec<_>>(), ids[4..]);
}

#[tokio::test]
async fn what_is_past_its_deadline_is_never_sent() {
    let world = World::new().await;
    let past = TimeSource::system().now() - TimeDelta::seconds(1);
    let late = world.ask(outbox_body_status(), Some(past)).await;
    // The shop is away: the hub ends it all the same.
    world.await_state(late, "expired").await;
    let (mut shop, _) = world.connect(hello(7, 0)).await;
    let fresh = world.ask_status().await;
    assert_eq!(id_of(&shop.next_commands().await[0]), fresh);
}

#[tokio::test]
async fn a_command_is_called_back_where_it_still_can_be() {
    let world = World::new().await;
    let queued = world.ask_status().await;
    let called = call_back(&world, queued).await;
    assert_eq!(called, CancelOutcome::Cancelled);
    assert_eq!(world.state(queued).await.0, "cancelled");
    let (mut shop, _) = world.connect(hello(7, 2)).await;
    let sent = world.ask(print_body(), None).await;
    assert_eq!(id_of(&shop.next_commands().await[0]), sent);
    assert_eq!(call_back(&world, sent).await, CancelOutcome::Asked);
    let wish = shop.next_commands().await;
    let Some(fournil_protocol::command::Body::Cancel(body)) = &wish[0].body else {
        panic!("not a cancel: {wish:?}")
    };
    assert_eq!(body.command_id, sent.as_bytes());
    shop.confirm(2).await;
    world.await_state(id_of(&wish[0]), "done").await;
    let events = vec![event(1, report(sent, CommandState::Cancelled, "", Evidence::None))];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(1).await;
    assert_eq!(world.state(sent).await.0, "cancelled");
    assert_eq!(call_back(&world, sent).await, CancelOutcome::TooLate(State::Cancelled));
}

async fn call_back(world: &World, id: Uuid) -> CancelOutcome {
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    let outcome = cancel(&mut act, id).await.expect("outcome");
    act.commit().await.expect("commit");
    outcome
}

#[tokio::test]
async fn a_person_ends_a_doubt_and_later_words_change_nothing() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 4)).await;
    let id = world.ask(print_body(), None).await;
    shop.next_commands().await;
    let events = vec![
        event(1, report(id, CommandState::Started, "", Evidence::None)),
        event(2, report(id, CommandState::InDoubt, "restarted", Evidence::None)),
    ];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(2).await;
    assert_eq!(world.state(id).await.0, "in_doubt");
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    assert_eq!(settle_doubt(&mut act, id, true).await.expect("settled"), DoubtOutcome::Settled);
    act.commit().await.expect("commit");
    assert_eq!(world.state(id).await, ("done".into(), "person-said-done".into()));
    let events = vec![event(3, report(id, CommandState::Failed, "", Evidence::None))];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(3).await;
    assert_eq!(world.state(id).await.0, "done");
}

#[tokio::test]
async fn a_report_on_a_command_nobody_knows_is_noted_and_passed() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 1)).await;
    let stranger = Uuid::now_v7();
    let events = vec![event(1, report(stranger, CommandState::Done, "", Evidence::None))];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(1).await;
    assert_eq!(
        world.notices().await,
        [("report-unknown-command".to_owned(), stranger.to_string())]
    );
}

#[tokio::test]
async fn racing_wishes_for_one_fact_make_one_command() {
    let world = World::new().await;
    let source_id = Uuid::now_v7();
    let wishes = (0..6).map(|_| {
        let (db, actor) = (world.test.db.clone(), world.test.actor());
        let gateway_id = world.gateway_id;
        tokio::spawn(async move {
            let mut act = db.begin(&actor).await.expect("act");
            let new = NewCommand {
                gateway_id,
                device: "",
                title: "T-1",
                body: print_body(),
                not_after: None,
                source_kind: "ticket",
                source_id,
                purpose: "receipt",
                copy_of: None,
            };
            let id = outbox::enqueue(&mut act, new).await.expect("enqueue");
            act.commit().await.expect("commit");
            id
        })
    });
    let mut ids = Vec::new();
    for wish in wishes.collect::<Vec<_>>() {
        ids.push(wish.await.expect("wish"));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[tokio::test]
async fn a_page_too_large_for_the_wire_fails_and_says_so() {
    let world = World::new().await;
    let document = fournil_protocol::document::Document::default()
        .text("x".repeat(60_000), fournil_protocol::document::Align::Start);
    let print = fournil_protocol::command::Print { document, copy_of: Vec::new() };
    let id = world.ask(fournil_protocol::command::Body::Print(print), None).await;
    assert_eq!(world.state(id).await, ("failed".into(), "too-large".into()));
}
