//! How sessions end and when the gateway is welcome again, and what a session passes over.

use fournil_protocol::close;

use super::sessions::print_body;
use super::*;
use crate::gateways::end::{End, Ending};

#[tokio::test]
async fn too_many_at_once_are_told_when_to_come_back_each_a_little_later() {
    let world = World::new().await;
    let options = HubOptions {
        db: world.test.db.clone(),
        time: TimeSource::system(),
        public_name: PUBLIC_NAME.into(),
        node: "node-2".into(),
        heartbeat: HubOptions::HEARTBEAT,
        versions: Versions::BUILT,
        handshakes_per_s: 1,
        stop: world.stop.clone(),
    };
    let hub = Hub::new(options, Arc::new(Ingest));
    let mut first = World::dial_node(&hub);
    let welcome = first.greet(&world.key, world.gateway_id, hello(7, 0)).await;
    assert!(welcome.is_ok(), "{welcome:?}");
    let mut told = Vec::new();
    for _ in 0..3 {
        let mut shop = World::dial_node(&hub);
        let goodbye = shop.goodbye().await;
        assert_eq!(goodbye.code, u32::from(close::OVERLOAD));
        told.push(goodbye.retry_after_ms);
    }
    assert!(told[0] >= 1_000, "{told:?}");
    assert!(told.is_sorted_by(|one, next| one + 500 < *next), "{told:?}");
}

#[tokio::test]
async fn a_node_that_stops_gives_each_gateway_its_turn() {
    let world = World::new().await;
    let (other, key) = enrolled(&world.test, "Atelier").await;
    let (mut one, _) = world.connect(hello(7, 0)).await;
    let mut two = world.dial();
    two.greet(&key, other, hello(8, 0)).await.expect("welcome");
    world.stop.cancel();
    let goodbyes = [one.goodbye().await, two.goodbye().await];
    let codes = goodbyes.each_ref().map(|goodbye| goodbye.code);
    assert_eq!(codes, [u32::from(close::DRAIN); 2]);
    let mut turns = goodbyes.map(|goodbye| goodbye.retry_after_ms);
    turns.sort_unstable();
    assert_eq!(turns, [1_000, 1_002], "500 in a second");
    let mut late = world.dial();
    let goodbye = late.goodbye().await;
    assert_eq!((goodbye.code, goodbye.retry_after_ms), (u32::from(close::DRAIN), 1_000));
}

#[tokio::test]
async fn what_a_newer_gateway_says_is_passed_over() {
    let world = World::new().await;
    let (mut shop, welcome) = world.connect(hello(7, 9)).await;
    assert_eq!((welcome.version, welcome.transfers_max), (1, 0));
    let printing = world.ask(print_body(), None).await;
    assert_eq!(shop.next_commands().await.len(), 1);
    shop.confirm(1).await;
    world.await_state(printing, "delivered").await;
    // A frame of field 500, a report in a state nobody knows yet.
    let unknown = vec![0xa2, 0x1f, 3, 1, 2, 3];
    shop.line().await.send(Message::binary(unknown)).await.expect("sent");
    let told = Body::CommandReport(CommandReport {
        command_id: printing.as_bytes().to_vec(),
        state: 77,
        ..CommandReport::default()
    });
    shop.send(Kind::Events(Events { epoch: 7, events: vec![event(1, told)] })).await;
    shop.await_up_ack(1).await;
    assert_eq!(world.state(printing).await.0, "delivered");
}

#[tokio::test]
async fn a_version_that_was_not_offered_is_refused() {
    let world = World::new().await;
    for version in [3, 99] {
        let mut shop = world.dial();
        let refused =
            shop.greet(&world.key, world.gateway_id, Hello { version, ..hello(7, 0) }).await;
        let goodbye = refused.expect_err("refused");
        assert_eq!(goodbye.code, u32::from(close::VERSION), "{version}");
    }
}

/// Why the newest session of the gateway ended, once that is written.
async fn close_reason(world: &World) -> String {
    let mut scope = world.test.db.read(world.test.company).await.expect("scope");
    sqlx::query_scalar!(
        "select close_reason from gateway_sessions where gateway_id = $1
         order by generation desc limit 1",
        world.gateway_id
    )
    .fetch_one(scope.connection())
    .await
    .expect("a session")
}

#[tokio::test]
async fn a_reason_with_anything_in_it_is_written_down_short_and_legible() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 0)).await;
    let reason = format!("a\0b\r\nc{}", "é".repeat(5_000));
    shop.send(Kind::Goodbye(Goodbye { reason, ..Goodbye::default() })).await;
    shop.cut().await;
    let written = close_reason(&world).await;
    assert!(written.starts_with("the gateway said: abcé"), "{written}");
    assert_eq!(written.chars().count(), 200);
    assert!(world.hub.owed().is_empty());
}

#[tokio::test]
async fn an_end_that_the_database_refuses_holds_up_no_other() {
    let world = World::new().await;
    let (shop, _) = world.connect(hello(7, 0)).await;
    shop.cut().await;
    let end = End { reason: "\0".into(), ..End::of(0, "") };
    let heard_at = TimeSource::system().now();
    let refused = Ending { identity: world.identity(), generation: 1, heard_at, end };
    world.hub.write_end(refused.clone()).await;
    assert!(world.hub.owed().is_empty(), "it would be refused for ever");
    // One that was kept all the same does not stand before the others.
    let mut other = refused.clone();
    other.end.reason = "gone".into();
    world.hub.owed().extend([other, refused]);
    world.hub.write_owed_ends().await;
    assert!(world.hub.owed().is_empty());
}

#[tokio::test]
async fn a_stranger_who_only_begins_takes_no_turn_of_the_others() {
    let world = World::new().await;
    let options = HubOptions {
        db: world.test.db.clone(),
        time: TimeSource::system(),
        public_name: PUBLIC_NAME.into(),
        node: "node-2".into(),
        heartbeat: HubOptions::HEARTBEAT,
        versions: Versions::BUILT,
        handshakes_per_s: 100,
        stop: world.stop.clone(),
    };
    let hub = Hub::new(options, Arc::new(Ingest));
    let mut held = Vec::new();
    let mut turned_away = 0;
    for _ in 0..300 {
        let mut stranger = World::dial_from("198.51.100.9", &hub);
        match stranger.next().await {
            Some(Kind::Goodbye(goodbye)) => {
                assert_eq!(goodbye.code, u32::from(close::OVERLOAD));
                assert!(goodbye.retry_after_ms <= 5_000, "{goodbye:?}");
                turned_away += 1;
            }
            _ => held.push(stranger),
        }
    }
    assert!(turned_away > 200, "{turned_away}");
    let mut shop = World::dial_node(&hub);
    let welcome = shop.greet(&world.key, world.gateway_id, hello(7, 0)).await;
    assert!(welcome.is_ok(), "{welcome:?}");
}

#[tokio::test]
async fn gateways_behind_one_address_all_come_in() {
    let world = World::new().await;
    for _ in 0..80 {
        let (shop, _) = world.connect(hello(7, 0)).await;
        shop.cut().await;
    }
}
