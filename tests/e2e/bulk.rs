//! What a person waits for does not wait behind an upload: real TLS, real sockets, a line of
//! 2 Mbit/s.

use std::time::Duration;

use fournil_protocol::event::{Body, Punch};
use fournil_tests::world::house::{House, drawers};
use fournil_tests::world::shop::Shop;
use fournil_tests::world::thin::{Line, ThinLine};
use tokio::time::timeout;

const COUNT: usize = 40;
/// What an upload may add to a drawer.
const ADDED_MAX: Duration = Duration::from_millis(50);

#[tokio::test]
async fn an_upload_of_five_megabytes_does_not_hold_up_the_drawer() {
    let mut shop = Shop::open().await.unwrap();
    let line = Line { bits_per_s: 2_000_000, delay: Duration::from_millis(10) };
    let thin = ThinLine::start(shop.address, line).unwrap();
    let mut house = House::take_over(&mut shop, thin.address).await.unwrap();
    drawers(&mut house, 5).await.unwrap();
    let alone = drawers(&mut house, COUNT).await.unwrap();

    let mut upload = house.upload(vec![0x5a; 5_000_000]).await.unwrap();
    shop.until("the upload comes", "select count(*) > 20 as ok from gateway_bundle_parts")
        .await
        .unwrap();
    let before = shop.count("select sum(received_bytes)::bigint from gateway_bundles").await;
    let began = std::time::Instant::now();
    let beside = drawers(&mut house, COUNT).await.unwrap();
    let came = shop.count("select sum(received_bytes)::bigint from gateway_bundles").await.unwrap()
        - before.unwrap();
    let took = began.elapsed();
    let is_over = timeout(Duration::ZERO, upload.outcome()).await.is_ok();
    assert!(!is_over, "the upload was over before the drawers were");
    drop(upload);
    // The machine may have been busy at either moment.
    let again = drawers(&mut house, COUNT).await.unwrap();
    let at = |times: &[Duration], percent: usize| times[(times.len() - 1) * percent / 100];
    let alone = |percent| at(&alone, percent).max(at(&again, percent));
    let beside = |percent| at(&beside, percent);
    let figures = format!(
        "alone: p50 {:?} p90 {:?}; beside an upload at {} kbit/s: p50 {:?} p90 {:?} max {:?}",
        alone(50),
        alone(90),
        u64::try_from(came).unwrap() * 8 / u64::try_from(took.as_millis()).unwrap(),
        beside(50),
        beside(90),
        beside(100),
    );
    println!("{figures}");
    assert!(came > 50_000, "the upload stands still: {came} bytes; {figures}");
    assert!(beside(50) <= alone(50) + ADDED_MAX, "{figures}");
    assert!(beside(90) <= alone(90) + ADDED_MAX, "{figures}");
}

/// The up log is one sequence, so the report of a command waits for the events before it.
/// This says for how long: a busy day's punches of an offline shop, on a thin line.
#[tokio::test]
async fn a_drawer_behind_a_days_punches_is_known_within_seconds() {
    let mut shop = Shop::open().await.unwrap();
    let line = Line { bits_per_s: 2_000_000, delay: Duration::from_millis(10) };
    let thin = ThinLine::start(shop.address, line).unwrap();
    let mut house = House::take_over(&mut shop, thin.address).await.unwrap();
    drawers(&mut house, 5).await.unwrap();
    let punches = (0..400).map(punch).collect();
    house.journal.append(punches).await.unwrap();
    let behind = house.open_drawer().await.unwrap();
    println!("a drawer behind 400 punches: {behind:?}");
    assert!(behind < Duration::from_secs(3), "{behind:?}");
    let stored = "select count(*) from punches where clock_serial = 'BACKLOG'";
    assert_eq!(shop.count(stored).await.unwrap(), 400, "in order: they were there before it");
}

fn punch(number: u32) -> Body {
    Body::Punch(Punch {
        clock_serial: "BACKLOG".into(),
        user_id: (number % 20).to_string(),
        local_time: format!("2026-11-24T{:02}:{:02}:00", 6 + number / 60, number % 60),
        zone: "Africa/Algiers".into(),
        instant_ms: Some(1_795_478_400_000 + i64::from(number) * 60_000),
        state: 255,
        verify: 1,
        occurrence: 0,
        raw: vec![7; 40],
        layout: "40".into(),
        source: 1,
        anomalies: Vec::new(),
    })
}
