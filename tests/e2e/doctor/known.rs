//! The real cloud's word on a gateway: known beside its open session, unknown with another
//! key, and revoked.

use fournil_gateway::tunnel::identity::Identity;
use fournil_tests::world::shop::Shop;

use super::{ShopBox, examine};

#[tokio::test]
async fn a_real_cloud_knows_its_gateway_and_no_session_is_disturbed() {
    let shop = Shop::open().await.unwrap();
    let sessions = "select count(*) from gateway_sessions";
    let before = shop.count(sessions).await.unwrap();
    let report = examine(shop.dir.path(), &[]).await;
    report.ok("service", "running");
    report.ok("journal", "whole");
    report.ok("protocol", "common");
    report.ok("cloud", "known");
    assert_eq!(report.status, 0, "{:#?}", report.french);
    assert_eq!(shop.count(sessions).await.unwrap(), before, "a look began a session");
    let open = "select count(*) from gateway_sessions where ended_at is null";
    assert_eq!(shop.count(open).await.unwrap(), 1, "a look ended a session");

    // Another machine that says it is this gateway, with a key of its own.
    let ours = Identity::load(&shop.dir.path().join("gateway")).unwrap().enrolled;
    let other = ShopBox::bare("");
    other.enrol_as(ours.gateway_id, &ours.url, ours.ca_pem.as_deref());
    other.doctor().await.fault("cloud", "unknown");
    // The same cloud under a name that it does not call itself.
    let url = format!("https://127.0.0.1:{}", shop.address.port());
    other.enrol_as(ours.gateway_id, &url, ours.ca_pem.as_deref());
    let report = other.doctor().await;
    let said = report.french.iter().find(|one| one["check"] == "cloud").unwrap();
    assert!(["other-name", "not-checked"].contains(&said["code"].as_str().unwrap()), "{said}");

    sqlx::raw_sql("update gateways set state = 'revoked'").execute(&shop.db).await.unwrap();
    let report = examine(shop.dir.path(), &[]).await;
    let said = report.fault("cloud", "revoked");
    assert!(said["remedy"].as_str().unwrap().contains("enrol --force"), "{said}");
}
