//! Transfers: what a diagnostic command asked for comes up whole, from wherever it was cut.

use chrono::TimeDelta;
use fournil_protocol::bulk::{Chunk, Grant, Offer, Stop};
use fournil_protocol::command::SendDiagnostics;
use fournil_protocol::limits::CHUNK_BYTES_MIN;
use fournil_protocol::{close, words};
use ring::digest;
use sqlx::{Connection, Executor};

use super::classes::make_overdue;
use super::sessions::print_body;
use super::*;
use crate::gateways::bulk;

fn ask_body() -> fournil_protocol::command::Body {
    let bytes_max = 8 << 20;
    fournil_protocol::command::Body::SendDiagnostics(SendDiagnostics { bytes_max })
}

fn whole(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).expect("small")).collect()
}

fn offer(command_id: Uuid, bytes: &[u8]) -> Offer {
    Offer {
        transfer_id: command_id.as_bytes().to_vec(),
        total_bytes: bytes.len() as u64,
        sha256: digest::digest(&digest::SHA256, bytes).as_ref().to_vec(),
    }
}

fn chunk(command_id: Uuid, bytes: &[u8], range: std::ops::Range<usize>) -> Chunk {
    Chunk {
        transfer_id: command_id.as_bytes().to_vec(),
        offset: range.start as u64,
        is_last: range.end == bytes.len(),
        bytes: bytes[range].to_vec(),
    }
}

pub(super) fn hello_2(epoch: u64, last: u64) -> Hello {
    Hello { version: 2, ..hello(epoch, last) }
}

impl World {
    /// Asks for a diagnostic and waits until the shop has the command.
    pub(super) async fn ask_diagnostics(&self, shop: &mut Shop) -> Uuid {
        let id = self.ask(ask_body(), None).await;
        let commands = shop.next_commands().await;
        assert_eq!(commands.iter().map(id_of).collect::<Vec<_>>(), [id]);
        id
    }

    /// Bytes here of each transfer, and whether it is complete.
    async fn bundles(&self) -> Vec<(i64, bool)> {
        let mut scope = self.test.db.read(self.test.company).await.expect("scope");
        sqlx::query!(
            r#"select received_bytes, completed_at is not null as "is_complete!"
               from gateway_bundles order by offered_at"#
        )
        .fetch_all(scope.connection())
        .await
        .expect("bundles")
        .into_iter()
        .map(|row| (row.received_bytes, row.is_complete))
        .collect()
    }
}

impl Shop {
    pub(super) async fn next_grant(&mut self) -> Grant {
        match self.next().await {
            Some(Kind::Grant(grant)) => grant,
            other => panic!("not a grant: {other:?}"),
        }
    }

    async fn next_stop(&mut self) -> String {
        match self.next().await {
            Some(Kind::Stop(stop)) => stop.reason,
            other => panic!("not a stop: {other:?}"),
        }
    }

    /// Sends all of it from where the cloud says, in chunks of `step` bytes.
    pub(super) async fn upload(&mut self, command_id: Uuid, bytes: &[u8], step: usize) {
        self.send(Kind::Offer(offer(command_id, bytes))).await;
        let mut from = usize::try_from(self.next_grant().await.durable_bytes).expect("small");
        while from < bytes.len() {
            let to = (from + step).min(bytes.len());
            self.send(Kind::Chunk(chunk(command_id, bytes, from..to))).await;
            from = to;
            assert_eq!(self.next_grant().await.durable_bytes, from as u64);
        }
    }
}

#[tokio::test]
async fn a_transfer_goes_on_in_the_next_session_and_counts_once_it_is_whole() {
    let world = World::new().await;
    let bytes = whole(40_000);
    let (mut shop, welcome) = world.connect(hello_2(7, 0)).await;
    assert_eq!((welcome.version, welcome.transfers_max), (2, 4));
    let id = world.ask_diagnostics(&mut shop).await;
    shop.send(Kind::Offer(offer(id, &bytes))).await;
    let grant = shop.next_grant().await;
    assert_eq!((grant.durable_bytes, grant.window_chunks, grant.window_bytes), (0, 4, 65_536));
    shop.send(Kind::Chunk(chunk(id, &bytes, 0..16_000))).await;
    assert_eq!(shop.next_grant().await.durable_bytes, 16_000);
    shop.cut().await;
    assert_eq!(world.bundles().await, [(16_000, false)]);

    let down = DownHead { epoch: welcome.down_epoch, durable: 1 };
    let (mut shop, _) = world.connect(Hello { down, ..hello_2(7, 0) }).await;
    shop.upload(id, &bytes, 7_000).await;
    assert_eq!(world.bundles().await, [(40_000, true)]);
    // The word of it was lost: it is said again, whatever is offered under this name.
    let other = whole(100);
    shop.send(Kind::Offer(offer(id, &other))).await;
    assert_eq!(shop.next_grant().await.durable_bytes, 100);
    assert_eq!(world.bundles().await, [(40_000, true)]);
}

#[tokio::test]
async fn a_late_chunk_of_an_older_generation_is_not_taken() {
    let world = World::new().await;
    let bytes = whole(40_000);
    let (mut old, welcome) = world.connect(hello_2(7, 0)).await;
    let id = world.ask_diagnostics(&mut old).await;
    old.send(Kind::Offer(offer(id, &bytes))).await;
    old.next_grant().await;
    let down = DownHead { epoch: welcome.down_epoch, durable: 1 };
    let (mut shop, _) = world.connect(Hello { down, ..hello_2(7, 0) }).await;
    // Gathered anew meanwhile: the first chunk of before would fit by its offset.
    let anew = whole(39_000);
    shop.send(Kind::Offer(offer(id, &anew))).await;
    assert_eq!(shop.next_grant().await.durable_bytes, 0);
    let (db, identity, generation) = (&world.test.db, world.identity(), welcome.session_generation);
    for late in [
        Kind::Chunk(chunk(id, &bytes, 0..16_000)),
        Kind::Offer(offer(id, &bytes)),
        Kind::Stop(Stop { transfer_id: id.as_bytes().to_vec(), reason: String::new() }),
    ] {
        let taken = bulk::take(db, &identity, generation, &late).await;
        assert_eq!(taken.expect_err("fenced").code, close::SUPERSEDED);
    }
    assert_eq!(world.bundles().await, [(0, false)]);
    shop.upload(id, &anew, 16_000).await;
    assert_eq!(world.bundles().await, [(39_000, true)]);
}

#[tokio::test]
async fn nothing_is_taken_from_a_gateway_that_is_held_or_revoked() {
    let world = World::new().await;
    let bytes = whole(4_000);
    let (mut shop, welcome) = world.connect(hello_2(7, 0)).await;
    let id = world.ask_diagnostics(&mut shop).await;
    shop.send(Kind::Offer(offer(id, &bytes))).await;
    shop.next_grant().await;
    let said = Kind::Chunk(chunk(id, &bytes, 0..4_000));
    let mut owner = sqlx::PgConnection::connect_with(&world.test.connect).await.expect("owner");
    for (stands, code) in [
        ("update gateways set mode = 'read_only'", close::RESYNC),
        ("update gateways set mode = 'normal', state = 'revoked'", close::REVOKED),
    ] {
        owner.execute(stands).await.expect("set");
        let (db, identity) = (&world.test.db, world.identity());
        let taken = bulk::take(db, &identity, welcome.session_generation, &said).await;
        assert_eq!(taken.expect_err(stands).code, code);
    }
    assert_eq!(world.bundles().await, [(0, false)]);
}

#[tokio::test]
async fn what_arrives_otherwise_than_it_was_offered_is_not_kept() {
    let world = World::new().await;
    let bytes = whole(2_000);
    let (mut shop, _) = world.connect(hello_2(7, 0)).await;
    let id = world.ask_diagnostics(&mut shop).await;
    let mut damaged = bytes.clone();
    damaged[500] ^= 1;
    for wrong in [
        chunk(id, &damaged, 0..2_000),
        Chunk { is_last: true, ..chunk(id, &bytes, 0..1_600) },
        Chunk { is_last: false, ..chunk(id, &bytes, 0..2_000) },
        chunk(id, &whole(2_200), 0..2_200),
        // A row for each byte is nothing a sender needs.
        chunk(id, &bytes, 0..CHUNK_BYTES_MIN - 1),
        Chunk { bytes: Vec::new(), ..chunk(id, &bytes, 0..1) },
    ] {
        shop.send(Kind::Offer(offer(id, &bytes))).await;
        assert_eq!(shop.next_grant().await.durable_bytes, 0);
        shop.send(Kind::Chunk(wrong)).await;
        assert_eq!(shop.next_stop().await, words::TRANSFER_CORRUPT);
        assert_eq!(world.bundles().await, []);
    }
}

#[tokio::test]
async fn a_chunk_that_does_not_follow_is_told_where_to_go_on() {
    let world = World::new().await;
    let bytes = whole(6_000);
    let (mut shop, _) = world.connect(hello_2(7, 0)).await;
    let id = world.ask_diagnostics(&mut shop).await;
    shop.send(Kind::Offer(offer(id, &bytes))).await;
    shop.next_grant().await;
    shop.send(Kind::Chunk(chunk(id, &bytes, 0..2_000))).await;
    assert_eq!(shop.next_grant().await.durable_bytes, 2_000);
    for range in [0..2_000, 1_000..3_000, 4_000..6_000] {
        shop.send(Kind::Chunk(chunk(id, &bytes, range))).await;
        assert_eq!(shop.next_grant().await.durable_bytes, 2_000);
    }
    // Made anew after a restart of the gateway: from the beginning, the last one short.
    let other = whole(2_001);
    shop.upload(id, &other, 2_000).await;
    assert_eq!(world.bundles().await, [(2_001, true)]);
}

#[tokio::test]
async fn only_what_was_asked_for_and_is_still_wanted_is_taken() {
    let world = World::new().await;
    let bytes = whole(100);
    let (mut shop, _) = world.connect(hello_2(7, 9)).await;
    let printing = world.ask(print_body(), None).await;
    shop.next_commands().await;
    let ended = world.ask_diagnostics(&mut shop).await;
    shop.send(Kind::Offer(offer(ended, &bytes))).await;
    shop.next_grant().await;
    let done = event(1, report(ended, CommandState::Cancelled, "cancelled", Evidence::None));
    shop.send(Kind::Events(Events { epoch: 7, events: vec![done] })).await;
    shop.await_up_ack(1).await;
    for id in [Uuid::from_u128(5), printing, ended] {
        shop.send(Kind::Offer(offer(id, &bytes))).await;
        assert_eq!(shop.next_stop().await, words::TRANSFER_UNEXPECTED, "{id}");
        shop.send(Kind::Chunk(chunk(id, &bytes, 0..100))).await;
        assert_eq!(shop.next_stop().await, words::TRANSFER_UNEXPECTED, "{id}");
    }
    assert_eq!(world.bundles().await, []);
    let too_large = Offer { total_bytes: (8 << 20) + 1, ..offer(ended, &bytes) };
    shop.send(Kind::Offer(too_large)).await;
    assert_eq!(shop.next_stop().await, words::TRANSFER_TOO_LARGE);
}

#[tokio::test]
async fn a_transfer_is_not_taken_after_the_deadline_of_its_command() {
    let world = World::new().await;
    let bytes = whole(100);
    let (mut shop, _) = world.connect(hello_2(7, 9)).await;
    let soon = TimeSource::system().now() + TimeDelta::milliseconds(300);
    let id = world.ask(ask_body(), Some(soon)).await;
    assert_eq!(shop.next_commands().await.len(), 1);
    let reason = loop {
        shop.send(Kind::Offer(offer(id, &bytes))).await;
        match shop.next().await {
            Some(Kind::Grant(_)) => {}
            Some(Kind::Stop(stop)) => break stop.reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reason, words::DEADLINE_PASSED);
}

#[tokio::test]
async fn what_is_under_way_stops_with_its_command() {
    let world = World::new().await;
    let bytes = whole(4_000);
    let (mut shop, _) = world.connect(hello_2(7, 9)).await;
    let (soon, mut ids) = (TimeSource::system().now() + TimeDelta::hours(1), Vec::new());
    for _ in 0..2 {
        let id = world.ask(ask_body(), Some(soon)).await;
        shop.next_commands().await;
        shop.send(Kind::Offer(offer(id, &bytes))).await;
        shop.next_grant().await;
        shop.send(Kind::Chunk(chunk(id, &bytes, 0..2_000))).await;
        assert_eq!(shop.next_grant().await.durable_bytes, 2_000);
        ids.push(id);
    }
    let failed = event(1, report(ids[0], CommandState::Failed, "", Evidence::None));
    shop.send(Kind::Events(Events { epoch: 7, events: vec![failed] })).await;
    shop.await_up_ack(1).await;
    shop.send(Kind::Chunk(chunk(ids[0], &bytes, 2_000..4_000))).await;
    assert_eq!(shop.next_stop().await, words::TRANSFER_UNEXPECTED);
    make_overdue(&world).await;
    shop.send(Kind::Chunk(chunk(ids[1], &bytes, 2_000..4_000))).await;
    assert_eq!(shop.next_stop().await, words::DEADLINE_PASSED);
    assert_eq!(world.bundles().await, []);
}

#[tokio::test]
async fn few_are_open_and_few_are_kept() {
    let world = World::new().await;
    let bytes = whole(50);
    let (mut shop, _) = world.connect(hello_2(7, 9)).await;
    let mut asked = Vec::new();
    for seq in 1..=5 {
        asked.push(world.ask_diagnostics(&mut shop).await);
        shop.confirm(seq).await;
    }
    for id in &asked[..4] {
        shop.send(Kind::Offer(offer(*id, &bytes))).await;
        shop.next_grant().await;
    }
    shop.send(Kind::Offer(offer(asked[4], &bytes))).await;
    assert_eq!(shop.next_stop().await, words::TRANSFER_TOO_MANY);
    // The gateway lets go of one: there is room.
    let transfer_id = asked[0].as_bytes().to_vec();
    shop.send(Kind::Stop(Stop { transfer_id, reason: words::CANCELLED.into() })).await;
    for id in &asked[1..] {
        shop.upload(*id, &bytes, 50).await;
    }
    assert_eq!(world.bundles().await, [(50, true); 3], "the oldest complete one is gone");
}

#[tokio::test]
async fn a_session_of_version_1_knows_no_transfers() {
    let world = World::new().await;
    let (mut shop, welcome) = world.connect(hello(7, 0)).await;
    assert_eq!((welcome.version, welcome.transfers_max), (1, 0));
    let id = world.ask_diagnostics(&mut shop).await;
    shop.send(Kind::Offer(offer(id, &whole(10)))).await;
    assert_eq!(shop.goodbye().await.code, u32::from(close::MALFORMED));
}

#[tokio::test]
async fn a_suspected_copy_uploads_nothing() {
    let world = World::new().await;
    let (shop, _) = world.connect(Hello { incarnation: 3, ..hello_2(7, 5) }).await;
    shop.cut().await;
    let (mut shop, welcome) = world.connect(Hello { incarnation: 2, ..hello_2(7, 5) }).await;
    assert_eq!(welcome.transfers_max, 0);
    shop.send(Kind::Offer(offer(Uuid::from_u128(1), &whole(10)))).await;
    assert_eq!(shop.next_stop().await, words::TRANSFER_UNEXPECTED);
}
