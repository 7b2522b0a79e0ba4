//! What a person waits for does not wait behind an upload: real TLS, real sockets, a line of
//! 2 Mbit/s.

use std::time::Duration;

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
    let at = |times: &[Duration], percent: usize| times[(times.len() - 1) * percent / 100];
    let figures = format!(
        "alone: p50 {:?} p90 {:?} max {:?}; beside an upload at {} kbit/s: p50 {:?} p90 {:?} max {:?}",
        at(&alone, 50),
        at(&alone, 90),
        at(&alone, 100),
        u64::try_from(came).unwrap() * 8 / u64::try_from(took.as_millis()).unwrap(),
        at(&beside, 50),
        at(&beside, 90),
        at(&beside, 100),
    );
    println!("{figures}");
    assert!(came > 50_000, "the upload stands still: {came} bytes; {figures}");
    assert!(at(&beside, 50) <= at(&alone, 50) + ADDED_MAX, "{figures}");
    assert!(at(&beside, 90) <= at(&alone, 90) + ADDED_MAX, "{figures}");
}
