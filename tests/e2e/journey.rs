//! The two journeys of the architecture, through every real process.

use fournil_tests::world::shop::Shop;
use fournil_tests::world::till::Till;
use serde_json::Value;
use uuid::Uuid;

#[tokio::test]
async fn a_finger_on_the_clock_becomes_a_row_and_a_line_on_the_page() {
    let shop = Shop::open().await.unwrap();
    let before = shop.count("select count(*) from punches").await.unwrap();
    let punch = shop.clock.punch("3", 0).unwrap();
    shop.until(
        "the punch is in PostgreSQL",
        "select exists (select from punches where user_id = '3' and received_at > now() - interval '1 minute') as ok",
    )
    .await
    .unwrap();
    assert_eq!(shop.count("select count(*) from punches").await.unwrap(), before + 1);
    let page = shop.owner().await.unwrap().get("/punches").await.unwrap();
    let minute = punch.local_time()[11..16].to_owned();
    assert!(page.body.contains(&minute), "the page does not show {minute}");
}

#[tokio::test]
async fn a_sale_is_printed_once_and_the_ticket_says_with_what_proof() {
    let shop = Shop::open().await.unwrap();
    let mut till = Till::open(shop.owner().await.unwrap()).await.unwrap();
    let good = till.plenty().unwrap();
    let sale = till.sale_of_one(Uuid::now_v7(), &good);

    let first = till.sell(&sale).await.unwrap();
    assert_eq!(first.status, 200, "{}", first.body);
    let again = till.sell(&sale).await.unwrap();
    assert_eq!(first.body, again.body, "asked twice, sold once");

    let code = serde_json::from_str::<Value>(&first.body).unwrap()["code"].clone();
    let code = code.as_str().unwrap().to_owned();
    shop.until(
        "the receipt's command is done with proof",
        "select count(*) = 1 as ok from commands where kind = 'print' and state = 'done' and evidence >= 3",
    )
    .await
    .unwrap();
    let receipts = shop.printer.receipts();
    let of_ticket: Vec<_> = receipts.iter().filter(|r| r.text.contains(&code)).collect();
    assert_eq!(of_ticket.len(), 1, "one receipt of {code}");
    assert!(of_ticket[0].errors.is_empty(), "{:?}", of_ticket[0].errors);
    assert_eq!(shop.printer.kicks().len(), 1, "the drawer opened once");
}
