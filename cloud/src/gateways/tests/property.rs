//! Whatever batches a gateway sends, each event is taken once and in order.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::gateways::accept::{Place, open};
use crate::gateways::intake;

/// One batch that arrives: where it begins, how long it is, and whether it is cut short.
#[derive(Debug, Clone)]
struct Arrival {
    start: u64,
    length: u64,
    /// Leaves out every n-th event, as a broken sender would.
    hole_at: Option<u64>,
    frames: usize,
}

const LOG: u64 = 30;

fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let arrival = (1..=LOG, 0..=LOG, proptest::option::weighted(0.2, 1..=LOG), 1_usize..4)
        .prop_map(|(start, length, hole_at, frames)| Arrival { start, length, hole_at, frames });
    proptest::collection::vec(arrival, 1..10)
}

fn sequences(arrival: &Arrival) -> Vec<u64> {
    (arrival.start..=(arrival.start + arrival.length).min(LOG))
        .filter(|seq| Some(*seq) != arrival.hole_at)
        .collect()
}

/// What the rule says the watermark must be afterwards.
fn expected(durable: u64, sequences: &[u64]) -> u64 {
    sequences.iter().fold(durable, |mark, seq| if *seq == mark + 1 { *seq } else { mark })
}

#[test]
fn any_batches_yield_each_punch_once_and_the_right_watermark() {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let world = runtime.block_on(World::new());
    let epoch_source = std::cell::Cell::new(100_u64);
    let mut runner = TestRunner::new(Config { cases: 40, ..Config::default() });
    runner
        .run(&arrivals(), |arrivals| {
            epoch_source.set(epoch_source.get() + 1);
            runtime.block_on(check(&world, epoch_source.get(), &arrivals));
            Ok(())
        })
        .expect("the rule holds");
}

async fn check(world: &World, epoch: u64, arrivals: &[Arrival]) {
    let (db, identity) = (&world.test.db, world.identity());
    let head = Hello { incarnation: epoch, ..hello(epoch, LOG) };
    let public_key = world.key.public_key().as_ref();
    let place = Place { node: "node-1", peer: "192.0.2.7", public_key, certificate_until: None };
    open(db, &identity, &head, place, None).await.expect("open");
    let mut durable = 0;
    let mut pending = Vec::new();
    for arrival in arrivals {
        let sequences = sequences(arrival);
        let frames = in_frames(epoch, &sequences, arrival.frames);
        let took = intake::take(db, &Ingest, &identity, &frames, epoch, None).await.expect("taken");
        let holed = run_until_hole(durable, &sequences);
        durable = expected(durable, &sequences[..holed]);
        assert_eq!(took.durable, durable);
        pending.push(frames);
    }
    // Everything once more, from two sides at the same moment.
    let again = pending.concat();
    let (left, right) = tokio::join!(
        intake::take(db, &Ingest, &identity, &again, epoch, None),
        intake::take(db, &Ingest, &identity, &again, epoch, None)
    );
    let durable = left.expect("taken").durable.max(right.expect("taken").durable);
    assert_eq!(world.durable(epoch).await.cast_unsigned(), durable);
    let mut scope = db.read(world.test.company).await.expect("scope");
    let stored = sqlx::query_scalar!(
        r#"select count(*) as "count!" from punches where clock_serial = $1"#,
        clock(epoch)
    )
    .fetch_one(scope.connection())
    .await
    .expect("count");
    assert_eq!(stored.cast_unsigned(), durable);
}

/// How much of a batch is looked at: up to the first hole past the watermark.
fn run_until_hole(durable: u64, sequences: &[u64]) -> usize {
    let mut mark = durable;
    for (index, seq) in sequences.iter().enumerate() {
        if *seq <= mark {
            continue;
        }
        if *seq != mark + 1 {
            return index;
        }
        mark = *seq;
    }
    sequences.len()
}

fn clock(epoch: u64) -> String {
    format!("CLOCK-{epoch}")
}

fn in_frames(epoch: u64, sequences: &[u64], frames: usize) -> Vec<Events> {
    let length = sequences.len().div_ceil(frames).max(1);
    sequences
        .chunks(length)
        .map(|part| {
            let events = part
                .iter()
                .map(|seq| {
                    let punch = Punch { clock_serial: clock(epoch), ..punch(*seq) };
                    event(*seq, Body::Punch(punch))
                })
                .collect();
            Events { epoch, events }
        })
        .collect()
}
