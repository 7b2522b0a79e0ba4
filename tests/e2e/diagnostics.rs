//! A diagnostic through every real process: asked for on the page, cut on the way, saved.

use fournil_tests::world::shop::{COMM_KEY, Shop};
use serde_json::Value;

#[tokio::test]
async fn a_diagnostic_comes_up_through_a_cut_and_tells_no_secret() {
    let shop = Shop::open().await.unwrap();
    let mut owner = shop.owner().await.unwrap();
    let list = owner.get("/gateways").await.unwrap().body;
    let links = list.split("href=\"/gateways/").skip(1);
    let mut ids = links.map(|rest| rest.split('"').next().unwrap());
    let id = ids.find(|id| id.len() == 36).expect("a gateway").to_owned();
    let page = format!("/gateways/{id}");
    let token = owner.hidden_field(&page, "csrf_token").await.unwrap();
    let key = owner.hidden_field(&page, "idempotency_key").await.unwrap();
    let fields = [
        ("csrf_token", token.as_str()),
        ("idempotency_key", key.as_str()),
        ("what", "diagnostics"),
    ];
    let count_sessions = "select count(*) from gateway_sessions where since is not null";
    let sessions = shop.count(count_sessions).await.unwrap();
    // In the middle of the first chunk.
    shop.wire.cut_after(3_000);
    let asked = owner.post(&format!("{page}/ask"), &fields).await.unwrap();
    assert_eq!(asked.status, 303, "{}", asked.body);
    shop.until(
        "the diagnostic is whole and its command is done",
        "select count(*) = 1 as ok from commands c join gateway_bundles b using (command_id)
         where c.kind = 'diagnostics' and c.state = 'done' and b.completed_at is not null",
    )
    .await
    .unwrap();
    let after = shop.count(count_sessions).await.unwrap();
    assert!(after > sessions, "the wire was not cut: {after} sessions");
    let part = owner.get(&format!("{page}/bundles")).await.unwrap().body;
    let link = part.split_once(&format!("href=\"{page}/bundles/")).unwrap().1;
    let command = link.split('"').next().unwrap();
    let saved = owner.get(&format!("{page}/bundles/{command}")).await.unwrap();
    assert_eq!(saved.status, 200);
    let bundle: Value = serde_json::from_str(&saved.body).unwrap();
    let log = bundle["log"].as_array().unwrap();
    assert!(log.iter().any(|line| line.as_str().unwrap().contains("session begins")), "{log:?}");
    assert!(bundle["status"]["journal"].is_object(), "{}", saved.body);
    assert_eq!(bundle["status"]["devices"].as_array().unwrap().len(), 2);
    let configuration = bundle["configuration"].as_str().unwrap();
    assert!(configuration.contains("comm_key"), "{configuration}");
    let key = COMM_KEY.to_string();
    assert!(!saved.body.contains(&key), "the clock's key is in it: {}", saved.body);
}
