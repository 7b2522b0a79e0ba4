//! Sessions: resume, rewind, gaps, takeover, revocation, clones.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use fournil_protocol::close;
use fournil_protocol::hello::Mode;
use sqlx::Connection;
use sqlx::postgres::PgConnectOptions;

use super::*;
use crate::db::{Act, DbError};
use crate::gateways::Origin;

#[tokio::test]
async fn punches_are_acknowledged_and_stored_once_however_often_they_come() {
    let world = World::new().await;
    let (mut shop, welcome) = world.connect(hello(7, 10)).await;
    assert_eq!((welcome.up_epoch, welcome.up_durable), (7, 0));
    shop.send(Kind::Events(batch(7, 1..=4))).await;
    shop.await_up_ack(4).await;
    shop.send(Kind::Events(batch(7, 1..=4))).await;
    assert_eq!(shop.next_up_ack().await, 4);
    shop.send(Kind::Events(batch(7, 3..=10))).await;
    shop.await_up_ack(10).await;
    assert_eq!(world.punch_count().await, 10);
    shop.cut().await;
    let (_shop, welcome) = world.connect(hello(7, 10)).await;
    assert_eq!(welcome.up_durable, 10);
    assert_eq!(welcome.session_generation, 3, "enrolment counts as one");
}

#[tokio::test]
async fn a_hole_between_two_batches_ends_the_session_after_what_came_before_is_kept() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 10)).await;
    shop.send(Kind::Events(batch(7, [1, 2, 4, 5]))).await;
    assert_eq!(shop.next_up_ack().await, 2);
    assert_eq!(shop.goodbye().await.code, u32::from(close::RESYNC));
    let (_shop, welcome) = world.connect(hello(7, 10)).await;
    assert_eq!(welcome.up_durable, 2);
}

#[tokio::test]
async fn a_restored_cloud_makes_the_gateway_rewind() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 10)).await;
    shop.send(Kind::Events(batch(7, 1..=10))).await;
    shop.await_up_ack(10).await;
    shop.cut().await;
    let mut admin = sqlx::PgConnection::connect_with(&world.test.connect).await.expect("admin");
    sqlx::query!("update gateway_up set durable = 6").execute(&mut admin).await.expect("set back");
    let (mut shop, welcome) = world.connect(hello(7, 10)).await;
    assert_eq!(welcome.up_durable, 6);
    shop.send(Kind::Events(batch(7, 7..=10))).await;
    shop.await_up_ack(10).await;
    assert_eq!(world.punch_count().await, 10, "the business identity holds besides");
}

#[tokio::test]
async fn a_new_journal_is_followed_and_what_was_in_flight_is_in_doubt() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 3)).await;
    shop.send(Kind::Events(batch(7, 1..=3))).await;
    shop.await_up_ack(3).await;
    let printing = world.ask(print_body(), None).await;
    let reading = world.ask_status().await;
    let mut got = 0;
    while got < 2 {
        got += shop.next_commands().await.len();
    }
    shop.confirm(1).await;
    world.await_state(printing, "delivered").await;
    shop.cut().await;
    let (mut shop, welcome) = world.connect(Hello { incarnation: 2, ..hello(8, 0) }).await;
    assert_eq!((welcome.up_epoch, welcome.up_durable), (8, 0));
    assert_eq!(world.state(printing).await, ("in_doubt".into(), "journal-lost".into()));
    // What may be done twice is simply asked again, in the new down log.
    let again = shop.next_commands().await;
    assert_eq!(id_of(&again[0]), reading);
    assert_eq!(again[0].seq, 1);
    assert_eq!(world.notices().await, [("journal-lost".into(), "3".into())]);
}

#[tokio::test]
async fn a_new_journal_is_not_given_what_the_old_one_may_have_done() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 0)).await;
    let printing = world.ask(print_body(), None).await;
    let reading = world.ask_status().await;
    let mut got = 0;
    while got < 2 {
        got += shop.next_commands().await.len();
    }
    // Nothing was confirmed, and it may be on paper all the same.
    shop.cut().await;
    let (mut shop, _) = world.connect(Hello { incarnation: 1, ..hello(8, 0) }).await;
    assert_eq!(world.state(printing).await, ("in_doubt".into(), "journal-lost".into()));
    let again = shop.next_commands().await;
    assert_eq!(again.iter().map(id_of).collect::<Vec<_>>(), [reading]);
}

#[tokio::test]
async fn a_journal_that_went_back_behind_its_word_puts_what_it_forgot_in_doubt() {
    let world = World::new().await;
    let (mut shop, welcome) = world.connect(hello(7, 0)).await;
    let printing = world.ask(print_body(), None).await;
    assert_eq!(shop.next_commands().await.len(), 1);
    shop.confirm(1).await;
    world.await_state(printing, "delivered").await;
    shop.cut().await;
    let down = DownHead { epoch: welcome.down_epoch, durable: 0 };
    let (_shop, _) = world.connect(Hello { down, ..hello(7, 0) }).await;
    assert_eq!(world.state(printing).await, ("in_doubt".into(), "journal-lost".into()));
}

#[tokio::test]
async fn a_person_who_clears_a_gateway_is_believed_whatever_the_suspicion_was() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 5)).await;
    shop.send(Kind::Events(batch(7, 1..=5))).await;
    shop.await_up_ack(5).await;
    shop.cut().await;
    let (shop, _) = world.connect(Hello { incarnation: 2, ..hello(8, 0) }).await;
    shop.cut().await;
    // The first machine is put back, with a journal that was given up.
    let (mut shop, welcome) = world.connect(Hello { incarnation: 3, ..hello(7, 7) }).await;
    assert_eq!(welcome.mode, Mode::ReadOnly as i32);
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    assert!(enrol::clear_suspicion(&mut act, world.gateway_id).await.expect("cleared"));
    act.commit().await.expect("commit");
    assert_eq!(shop.goodbye().await.code, u32::from(close::RESYNC));
    let (mut shop, welcome) = world.connect(Hello { incarnation: 3, ..hello(7, 7) }).await;
    assert_eq!((welcome.mode, welcome.up_durable), (Mode::Normal as i32, 5));
    shop.send(Kind::Events(batch(7, 6..=7))).await;
    shop.await_up_ack(7).await;
    assert_eq!(world.punch_count().await, 7);
    // Believed once: from here on it is watched as any other.
    shop.cut().await;
    let back = Hello { incarnation: 2, ..hello(7, 7) };
    let (_shop, welcome) = world.connect(back).await;
    assert_eq!(welcome.mode, Mode::ReadOnly as i32);
}

#[tokio::test]
async fn events_no_longer_in_the_journal_are_told_as_lost() {
    let world = World::new().await;
    let mut head = hello(7, 20);
    head.up.first_kept = 6;
    let (mut shop, welcome) = world.connect(head).await;
    assert_eq!(welcome.up_durable, 5);
    shop.send(Kind::Events(batch(7, 6..=8))).await;
    shop.await_up_ack(8).await;
    assert_eq!(world.notices().await, [("events-lost".into(), "1-5".into())]);
}

#[tokio::test]
async fn a_kind_of_a_newer_gateway_is_kept_raw_and_acknowledged() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 4)).await;
    let mut newer = Event { seq: 2, recorded: None, body: None }.encode_to_vec();
    // Field 99, three bytes.
    newer.extend_from_slice(&[0x9a, 0x06, 3, 1, 2, 3]);
    // A punch whose inside is not protobuf.
    let broken = vec![0x08, 3, 0x52, 2, 0xff, 0xff];
    let events = vec![
        event(1, Body::Punch(punch(1))),
        newer.clone(),
        broken,
        event(4, Body::Punch(punch(4))),
    ];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(4).await;
    assert_eq!(world.punch_count().await, 2);
    let mut scope = world.test.db.read(world.test.company).await.expect("scope");
    let kept = sqlx::query!("select seq, event, reason from gateway_unread_events order by seq")
        .fetch_all(scope.connection())
        .await
        .expect("kept");
    assert_eq!(kept.len(), 2);
    assert_eq!((kept[0].seq, &kept[0].event, kept[0].reason.as_str()), (2, &newer, "unknown-kind"));
    assert_eq!((kept[1].seq, kept[1].reason.as_str()), (3, "undecodable"));
    drop(scope);
    let told = [("events-unread".to_owned(), "unknown-kind 2".to_owned())];
    assert_eq!(world.notices().await, told, "told once a day");
}

/// Refuses every punch of user 3, as a rule of the database would.
struct Refusing;

impl EventSink for Refusing {
    fn take<'a>(
        &'a self,
        act: &'a mut Act,
        origin: Origin,
        body: &'a Body,
        recorded: Option<&'a Stamp>,
    ) -> Pin<Box<dyn Future<Output = Result<(), DbError>> + Send + 'a>> {
        Box::pin(async move {
            Ingest.take(act, origin, body, recorded).await?;
            if matches!(body, Body::Punch(punch) if punch.user_id == "3") {
                sqlx::query!("select 1 / (random() * 0)::int as nonsense")
                    .fetch_one(act.connection())
                    .await?;
            }
            Ok(())
        })
    }
}

#[tokio::test]
async fn one_event_that_is_refused_does_not_hold_up_the_shop() {
    let world = World::with(Arc::new(Refusing), HubOptions::HEARTBEAT).await;
    let (mut shop, _) = world.connect(hello(7, 5)).await;
    shop.send(Kind::Events(batch(7, 1..=5))).await;
    shop.await_up_ack(5).await;
    assert_eq!(world.punch_count().await, 4);
    let mut scope = world.test.db.read(world.test.company).await.expect("scope");
    let kept = sqlx::query!("select seq, reason from gateway_unread_events")
        .fetch_all(scope.connection())
        .await
        .expect("kept");
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].seq, kept[0].reason.as_str()), (3, "refused"));
}

/// Takes events in, and once armed kills every connection of the program after the last
/// statement and before the commit.
struct Killing {
    connect: std::sync::OnceLock<PgConnectOptions>,
    armed: AtomicBool,
}

impl EventSink for Killing {
    fn take<'a>(
        &'a self,
        act: &'a mut Act,
        origin: Origin,
        body: &'a Body,
        recorded: Option<&'a Stamp>,
    ) -> Pin<Box<dyn Future<Output = Result<(), DbError>> + Send + 'a>> {
        Box::pin(async move {
            Ingest.take(act, origin, body, recorded).await?;
            if self.armed.swap(false, Ordering::SeqCst) {
                let connect = self.connect.get().expect("set");
                let mut admin = sqlx::PgConnection::connect_with(connect).await.expect("admin");
                sqlx::query!(
                    "select pg_terminate_backend(pid) from pg_stat_activity
                     where datname = current_database() and pid <> pg_backend_pid()"
                )
                .fetch_all(&mut admin)
                .await
                .expect("killed");
            }
            Ok(())
        })
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_that_was_not_committed() {
    let sink =
        Arc::new(Killing { connect: std::sync::OnceLock::new(), armed: AtomicBool::new(false) });
    let world = World::with(Arc::clone(&sink) as Arc<dyn EventSink>, HubOptions::HEARTBEAT).await;
    sink.connect.set(world.test.connect.clone()).expect("once");
    let (mut shop, _) = world.connect(hello(7, 6)).await;
    shop.send(Kind::Events(batch(7, 1..=2))).await;
    shop.await_up_ack(2).await;
    sink.armed.store(true, Ordering::SeqCst);
    shop.send(Kind::Events(batch(7, 3..=6))).await;
    let goodbye = shop.goodbye().await;
    assert_eq!(goodbye.code, u32::from(close::UNAVAILABLE));
    assert!(goodbye.retry_after_ms > 0);
    let (mut shop, welcome) = world.connect(hello(7, 6)).await;
    assert_eq!(welcome.up_durable, 2, "the killed transaction left nothing");
    shop.send(Kind::Events(batch(7, 3..=6))).await;
    shop.await_up_ack(6).await;
    assert_eq!(world.punch_count().await, 6);
}

#[tokio::test]
async fn two_sessions_of_one_gateway_with_interleaved_batches_store_each_punch_once() {
    let world = World::new().await;
    let stop = CancellationToken::new();
    let other_node = hub(&world.test, Arc::new(Ingest), HubOptions::HEARTBEAT, "node-2", &stop);
    let (mut old, _) = world.connect(hello(7, 40)).await;
    old.send(Kind::Events(batch(7, 1..=5))).await;
    old.await_up_ack(5).await;
    let mut new = World::dial_node(&other_node);
    let head = hello(7, 40);
    let welcome = new.greet(&world.key, world.gateway_id, head).await.expect("welcome");
    let mut sent = welcome.up_durable;
    // The old line still carries what was on its way; facts are facts.
    old.send(Kind::Events(batch(7, 4..=12))).await;
    while sent < 40 {
        new.send(Kind::Events(batch(7, sent + 1..=(sent + 7).min(40)))).await;
        sent = (sent + 7).min(40);
    }
    new.await_up_ack(40).await;
    assert_eq!(world.punch_count().await, 40);
    assert_eq!(world.durable(7).await, 40);
    // The node of the old session finds out and lets it go.
    loop {
        match old.next().await {
            Some(Kind::Goodbye(goodbye)) => {
                assert_eq!(goodbye.code, u32::from(close::SUPERSEDED));
                break;
            }
            Some(_) => {}
            None => panic!("no goodbye"),
        }
    }
}

#[tokio::test]
async fn a_revoked_gateway_is_cut_at_once_and_stays_out() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 0)).await;
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    assert!(enrol::revoke(&mut act, world.gateway_id).await.expect("revoked"));
    act.commit().await.expect("commit");
    // By the hint: the look of each second is a second away at most, on a busy machine too.
    let goodbye = timeout(Duration::from_secs(5), shop.goodbye()).await.expect("in time");
    assert_eq!(goodbye.code, u32::from(close::REVOKED));
    let mut again = world.dial();
    let refused = again.greet(&world.key, world.gateway_id, hello(7, 0)).await;
    assert_eq!(refused.expect_err("out").code, u32::from(close::REVOKED));
}

#[tokio::test]
async fn a_revocation_nobody_hinted_is_found_by_the_look_of_each_second() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 0)).await;
    let mut admin = sqlx::PgConnection::connect_with(&world.test.connect).await.expect("admin");
    sqlx::query!("update gateways set state = 'revoked'").execute(&mut admin).await.expect("set");
    let goodbye = timeout(Duration::from_secs(3), shop.goodbye()).await.expect("in time");
    assert_eq!(goodbye.code, u32::from(close::REVOKED));
}

#[tokio::test]
async fn only_the_enrolled_key_signing_for_this_server_comes_in() {
    let world = World::new().await;
    let refused = world.dial().greet(&new_key(), world.gateway_id, hello(7, 0)).await;
    assert_eq!(refused.expect_err("out").code, u32::from(close::UNKNOWN_KEY));
    let refused = world.dial().greet(&world.key, Uuid::now_v7(), hello(7, 0)).await;
    assert_eq!(refused.expect_err("out").code, u32::from(close::UNKNOWN_KEY));
    let elsewhere = Hello { server_name: "other.example.dz".into(), ..hello(7, 0) };
    let refused = world.dial().greet(&world.key, world.gateway_id, elsewhere).await;
    let refused = refused.expect_err("out");
    assert_eq!(refused.code, u32::from(close::UNKNOWN_KEY));
    assert!(refused.reason.contains(PUBLIC_NAME), "{}", refused.reason);
}

#[tokio::test]
async fn a_copy_of_a_disk_is_read_only_until_a_person_looked() {
    let world = World::new().await;
    let head = Hello { incarnation: 5, ..hello(7, 10) };
    let (shop, _) = world.connect(head.clone()).await;
    shop.cut().await;
    let copy = Hello { boot_id: vec![9; 16], ..head.clone() };
    let (mut shop, welcome) = world.connect(copy).await;
    assert_eq!(welcome.mode, Mode::ReadOnly as i32);
    world.ask_status().await;
    shop.send(Kind::Events(batch(7, 1..=3))).await;
    shop.send(Kind::Ping(fournil_protocol::frame::Ping { t0_ms: 1 })).await;
    // Neither an acknowledgement nor a command came before the answer to the ping.
    assert!(matches!(shop.next().await, Some(Kind::Pong(_))));
    assert_eq!(world.punch_count().await, 0);
    assert_eq!(world.notices().await, [("clone-suspected".to_owned(), "two-boots".to_owned())]);
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    assert!(enrol::clear_suspicion(&mut act, world.gateway_id).await.expect("cleared"));
    act.commit().await.expect("commit");
    assert_eq!(shop.goodbye().await.code, u32::from(close::RESYNC));
    let (mut shop, welcome) = world.connect(head).await;
    assert_eq!(welcome.mode, Mode::Normal as i32);
    let mut commands = 0;
    shop.send(Kind::Events(batch(7, 1..=3))).await;
    loop {
        match shop.next().await {
            Some(Kind::Commands(more)) => commands += more.commands.len(),
            Some(Kind::Ack(ack)) if ack.up_durable == Some(3) => break,
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!((world.punch_count().await, commands), (3, 1));
}

/// A gateway dies right after its Hello; the Hello waits for a slow database and is looked
/// at after the restarted gateway's own.
#[tokio::test]
async fn a_late_hello_of_somebody_who_is_gone_casts_no_suspicion() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(Hello { incarnation: 2, ..hello(7, 10) }).await;
    shop.send(Kind::Events(batch(7, 1..=10))).await;
    shop.await_up_ack(10).await;
    for late in [hello(7, 10), Hello { incarnation: 2, ..hello(7, 4) }] {
        let mut gone = world.dial();
        gone.say_hello(&world.key, world.gateway_id, late).await;
        assert_eq!(gone.cut().await.code, 0);
    }
    assert_eq!(world.notices().await, []);
    // Nor does it push the living one out.
    shop.send(Kind::Events(batch(7, 11..=12))).await;
    shop.await_up_ack(12).await;
    let (_, welcome) = world.connect(Hello { incarnation: 2, ..hello(7, 12) }).await;
    assert_eq!(welcome.mode, Mode::Normal as i32);
}

#[tokio::test]
async fn a_suspicion_is_dropped_when_another_session_began_before_the_proof_of_life() {
    let world = World::new().await;
    let restarted = Hello { incarnation: 2, ..hello(7, 10) };
    let (_first, _) = world.connect(restarted.clone()).await;
    let mut late = world.dial();
    late.say_hello(&world.key, world.gateway_id, hello(7, 10)).await;
    // The answer to this ping leaves with the next read.
    let asked = timeout(PATIENCE, late.line().await.next()).await.expect("a ping");
    assert!(matches!(asked, Some(Ok(Message::Ping(_)))), "{asked:?}");
    let (_second, welcome) = world.connect(restarted).await;
    assert_eq!(welcome.mode, Mode::Normal as i32);
    assert_eq!(late.goodbye().await.code, u32::from(close::SUPERSEDED));
    assert_eq!(world.notices().await, []);
}

#[tokio::test]
async fn silence_is_noticed_and_a_ping_is_sent_first() {
    let world = World::with(Arc::new(Ingest), Duration::from_millis(100)).await;
    let (mut shop, welcome) = world.connect(hello(7, 0)).await;
    assert_eq!(welcome.heartbeat_ms, 100);
    let first = timeout(PATIENCE, shop.line().await.next()).await.expect("a frame");
    let Some(Ok(Message::Binary(bytes))) = first else { panic!("no frame: {first:?}") };
    let frame = Frame::decode_bytes(&bytes).expect("a frame");
    assert!(matches!(frame.kind, Some(Kind::Ping(_))), "{frame:?}");
    let goodbye = shop.goodbye().await;
    assert_eq!(goodbye.code, u32::from(close::HEARTBEAT_LOST));
}

#[tokio::test]
async fn a_node_that_stops_says_goodbye_to_all() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 0)).await;
    world.stop.cancel();
    assert_eq!(shop.goodbye().await.code, u32::from(close::DRAIN));
    let mut late = world.dial();
    assert_eq!(late.goodbye().await.code, u32::from(close::DRAIN));
}

#[tokio::test]
async fn sessions_are_written_down_with_their_end() {
    let world = World::new().await;
    let (shop, _) = world.connect(hello(7, 0)).await;
    shop.cut().await;
    let (mut shop, _) = world.connect(hello(7, 0)).await;
    shop.send(Kind::Goodbye(Goodbye { code: 4000, reason: "bye".into(), retry_after_ms: 0 })).await;
    shop.served.await.expect("session");
    let mut scope = world.test.db.read(world.test.company).await.expect("scope");
    let rows = sqlx::query!(
        r#"select ended_at is not null as "ended!", heard_at is not null as "heard!", peer, node,
                  close_reason
           from gateway_sessions order by generation"#
    )
    .fetch_all(scope.connection())
    .await
    .expect("rows");
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.ended && row.heard && row.peer == "192.0.2.7"));
    assert!(rows[1].close_reason.contains("bye"), "{}", rows[1].close_reason);
}

#[tokio::test]
async fn a_company_sees_nothing_of_anothers_gateways() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 2)).await;
    shop.send(Kind::Events(batch(7, 1..=2))).await;
    shop.await_up_ack(2).await;
    world.ask_status().await;
    let stranger = crate::db::CompanyId(Uuid::now_v7());
    let mut scope = world.test.db.read(stranger).await.expect("scope");
    let seen = sqlx::query_scalar!(
        r#"select (select count(*) from gateways) + (select count(*) from gateway_keys)
                + (select count(*) from commands) + (select count(*) from command_history)
                + (select count(*) from gateway_sessions) + (select count(*) from gateway_up)
                + (select count(*) from punches) as "seen!""#
    )
    .fetch_one(scope.connection())
    .await
    .expect("seen");
    assert_eq!(seen, 0);
    drop(scope);
    let actor = crate::db::Actor::system(stranger, "stranger");
    let mut act = world.test.db.begin(&actor).await.expect("act");
    assert!(!enrol::revoke(&mut act, world.gateway_id).await.expect("nothing to revoke"));
    let outcome = outbox::cancel(&mut act, Uuid::now_v7()).await.expect("nothing to cancel");
    assert_eq!(outcome, outbox::CancelOutcome::NotFound);
}

pub(super) fn print_body() -> fournil_protocol::command::Body {
    use fournil_protocol::command::{Body, Print};
    use fournil_protocol::document::{Align, Document};
    let document = Document::default().text("Bonjour", Align::Centre);
    Body::Print(Print { document, copy_of: Vec::new() })
}
