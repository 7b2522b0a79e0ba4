//! Uploads: offered, granted, sent in chunks behind everything else, ended by either side.

use fournil_protocol::bulk::{Chunk, Grant, Offer, Stop};
use fournil_protocol::words;

use super::*;
use crate::tunnel::uploads::{Begun, Outcome};

const WINDOW: u32 = 64 * 1024;

async fn meet_2(log: &MemoryLog, bytes: &[u8]) -> (Cloud, Begun) {
    let mut cloud = meet(log).await;
    cloud.version = 2;
    let begun = cloud.uploads.begin(Uuid::from_u128(9)).unwrap();
    begun.send(bytes.to_vec()).unwrap();
    (cloud, begun)
}

impl Cloud {
    async fn offer(&mut self) -> Offer {
        match self.hear().await {
            Some(Kind::Offer(offer)) => offer,
            other => panic!("no offer: {other:?}"),
        }
    }

    async fn chunk(&mut self) -> Chunk {
        match self.hear().await {
            Some(Kind::Chunk(chunk)) => chunk,
            other => panic!("no chunk: {other:?}"),
        }
    }

    async fn grant(&mut self, transfer_id: &[u8], durable_bytes: u64) {
        let (transfer_id, window_bytes) = (transfer_id.to_vec(), WINDOW);
        let grant =
            Grant { transfer_id, durable_bytes, window_chunks: 4, window_bytes, held_us: 0 };
        self.say(Kind::Grant(grant)).await;
    }

    /// Takes the rest of a transfer, from a byte on.
    async fn take_from(&mut self, offer: &Offer, from: u64) -> Vec<u8> {
        self.grant(&offer.transfer_id, from).await;
        let mut taken = Vec::new();
        loop {
            let chunk = self.chunk().await;
            assert_eq!(chunk.offset, from + taken.len() as u64);
            taken.extend(&chunk.bytes);
            let durable = from + taken.len() as u64;
            assert_eq!(chunk.is_last, durable == offer.total_bytes);
            self.grant(&offer.transfer_id, durable).await;
            if chunk.is_last {
                return taken;
            }
        }
    }
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_upload_goes_up_whole_from_where_the_cloud_says() {
    let whole = bytes(100_000);
    let log = MemoryLog::with_events(0);
    let (mut cloud, mut begun) = meet_2(&log, &whole).await;
    cloud.welcome(|welcome| welcome.transfers_max = 4).await;
    let offer = cloud.offer().await;
    assert_eq!(offer.total_bytes, 100_000);
    let taken = cloud.take_from(&offer, 30_000).await;
    assert_eq!(taken, whole[30_000..]);
    assert_eq!(begun.outcome().await, Outcome::Stored);
}

#[tokio::test(start_paused = true)]
async fn the_next_session_goes_on_with_it() {
    let whole = bytes(20_000);
    let log = MemoryLog::with_events(0);
    let (mut cloud, mut begun) = meet_2(&log, &whole).await;
    cloud.welcome(|welcome| welcome.transfers_max = 1).await;
    let offer = cloud.offer().await;
    cloud.grant(&offer.transfer_id, 0).await;
    let first = cloud.chunk().await;
    drop(cloud.socket);
    cloud.session.await.unwrap();
    let mut again = meet_with(&log, cloud.uploads.clone()).await;
    again.version = 2;
    again.welcome(|welcome| welcome.transfers_max = 1).await;
    assert_eq!(again.offer().await, offer, "the same offer");
    let rest = again.take_from(&offer, first.bytes.len() as u64).await;
    assert_eq!([first.bytes, rest].concat(), whole);
    assert_eq!(begun.outcome().await, Outcome::Stored);
}

#[tokio::test(start_paused = true)]
async fn one_chunk_is_under_way_and_everything_else_overtakes_the_next() {
    let log = MemoryLog::with_events(0);
    let (mut cloud, _begun) = meet_2(&log, &bytes(200_000)).await;
    cloud.welcome(|welcome| welcome.transfers_max = 1).await;
    let offer = cloud.offer().await;
    cloud.grant(&offer.transfer_id, 0).await;
    let first = cloud.chunk().await;
    let more = tokio::time::timeout(Duration::from_secs(5), cloud.hear()).await;
    assert!(more.is_err(), "a second chunk without a grant: {more:?}");
    // All at once: what a person waits for, an event, and room for the next chunk.
    log.append(1);
    cloud.commands([1]).await;
    cloud.grant(&offer.transfer_id, first.bytes.len() as u64).await;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(match cloud.hear().await {
            Some(Kind::Ack(_)) => "ack",
            Some(Kind::Events(_)) => "events",
            Some(Kind::Chunk(_)) => "chunk",
            other => panic!("unexpected: {other:?}"),
        });
    }
    assert!(seen.contains(&"events"), "{seen:?}");
    assert!(seen.contains(&"ack"), "{seen:?}");
    assert_ne!(seen[0], "chunk", "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn no_chunk_is_larger_than_the_window() {
    let log = MemoryLog::with_events(0);
    let (mut cloud, _begun) = meet_2(&log, &bytes(20_000)).await;
    cloud.welcome(|welcome| welcome.transfers_max = 1).await;
    let transfer_id = cloud.offer().await.transfer_id;
    let grant = |window_chunks, window_bytes| Grant {
        transfer_id: transfer_id.clone(),
        durable_bytes: 0,
        window_chunks,
        window_bytes,
        held_us: 0,
    };
    cloud.say(Kind::Grant(grant(0, WINDOW))).await;
    let early = tokio::time::timeout(Duration::from_secs(5), cloud.hear()).await;
    assert!(early.is_err(), "sent without a window: {early:?}");
    cloud.say(Kind::Grant(grant(1, 100))).await;
    assert_eq!(cloud.chunk().await.bytes.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn either_side_ends_it_with_a_reason() {
    let log = MemoryLog::with_events(0);
    let (mut cloud, mut begun) = meet_2(&log, &bytes(20_000)).await;
    cloud.welcome(|welcome| welcome.transfers_max = 4).await;
    let refused = cloud.offer().await;
    let transfer_id = refused.transfer_id.clone();
    let reason = words::TRANSFER_UNEXPECTED.to_owned();
    cloud.say(Kind::Stop(Stop { transfer_id, reason: reason.clone() })).await;
    assert_eq!(begun.outcome().await, Outcome::Refused(reason));

    let second = cloud.uploads.begin(Uuid::from_u128(10)).unwrap();
    second.send(bytes(20_000)).unwrap();
    let offer = cloud.offer().await;
    cloud.grant(&offer.transfer_id, 0).await;
    cloud.chunk().await;
    assert!(cloud.uploads.cancel(Uuid::from_u128(10)));
    let reason = words::CANCELLED.to_owned();
    let stop = Stop { transfer_id: offer.transfer_id.clone(), reason };
    assert_eq!(cloud.hear().await, Some(Kind::Stop(stop)));
    // The grant that crossed it says nothing any more.
    cloud.grant(&offer.transfer_id, 1_000).await;
    log.append(1);
    assert_eq!(cloud.events().await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_cloud_of_version_1_is_sent_nothing_of_version_2() {
    let log = MemoryLog::with_events(1);
    let (mut cloud, begun) = meet_2(&log, &bytes(20_000)).await;
    cloud.version = 1;
    // Even one that says by mistake that it takes transfers.
    let hello = cloud.welcome(|welcome| welcome.transfers_max = 4).await;
    assert_eq!(hello.version, 1);
    assert_eq!(cloud.events().await, [1]);
    let more = tokio::time::timeout(Duration::from_secs(5), cloud.hear()).await;
    assert!(more.is_err(), "{more:?}");
    cloud.grant(&[9; 16], 0).await;
    assert_eq!(cloud.goodbye().await, Some(u32::from(close::MALFORMED)));
    drop(begun);
}

#[tokio::test(start_paused = true)]
async fn a_late_chunk_of_the_session_before_is_gone_on_from() {
    let whole = bytes(20_000);
    let log = MemoryLog::with_events(0);
    let (mut cloud, mut begun) = meet_2(&log, &whole).await;
    cloud.welcome(|welcome| welcome.transfers_max = 1).await;
    let offer = cloud.offer().await;
    cloud.grant(&offer.transfer_id, 0).await;
    cloud.chunk().await;
    // Further on than anything that this session sent.
    assert_eq!(cloud.take_from(&offer, 16_384).await, whole[16_384..]);
    assert_eq!(begun.outcome().await, Outcome::Stored);
}

#[tokio::test(start_paused = true)]
async fn more_confirmed_than_there_is_ends_the_session() {
    let log = MemoryLog::with_events(0);
    let (mut cloud, _begun) = meet_2(&log, &bytes(20_000)).await;
    cloud.welcome(|welcome| welcome.transfers_max = 1).await;
    let offer = cloud.offer().await;
    cloud.grant(&offer.transfer_id, 0).await;
    cloud.chunk().await;
    cloud.grant(&offer.transfer_id, 20_001).await;
    assert_eq!(cloud.goodbye().await, Some(u32::from(close::MALFORMED)));
}

#[tokio::test(start_paused = true)]
async fn a_welcome_to_another_version_than_was_chosen_is_refused() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    cloud.version = 2;
    cloud.welcome(|welcome| welcome.version = 1).await;
    assert_eq!(cloud.goodbye().await, Some(u32::from(close::VERSION)));
}

#[tokio::test(start_paused = true)]
async fn frames_of_a_kind_nobody_knows_are_passed_over() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    cloud.welcome(|_| {}).await;
    // Field 500, length-delimited.
    let unknown = vec![0xa2, 0x1f, 3, 1, 2, 3];
    cloud.socket.send(Message::Binary(unknown.into())).await.unwrap();
    log.append(1);
    assert_eq!(cloud.events().await, [1]);
}
