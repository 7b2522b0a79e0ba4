//! Keys and certificates of a gateway through the real processes.

use std::os::unix::fs::PermissionsExt as _;

use fournil_tests::world::shop::{PATIENCE, Shop, cloud_spec, run};
use uuid::Uuid;

const ONE_KEY_MORE: &str = "select count(*) filter (where state = 'active') = 1
       and count(*) filter (where state = 'retiring') = 1 as ok from gateway_keys";

/// The gateway's page, and its id.
async fn gateway_id(shop: &Shop) -> Uuid {
    let (status, out, err) = shop.gateway_command(&["identity", "show", "--json"]).await.unwrap();
    assert_eq!(status, 0, "{err}");
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    Uuid::parse_str(shown["gateway_id"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_key_changes_at_the_press_of_a_button_and_by_command_and_the_shop_goes_on() {
    let mut shop = Shop::open().await.unwrap();
    let page = format!("/gateways/{}", gateway_id(&shop).await);
    let mut owner = shop.owner().await.unwrap();
    let token = owner.hidden_field(&page, "csrf_token").await.unwrap();
    let key = Uuid::now_v7().to_string();
    let fields = [("csrf_token", token.as_str()), ("idempotency_key", key.as_str())];
    let asked = owner.post(&format!("{page}/rotate"), &fields).await.unwrap();
    assert_eq!(asked.status, 303, "{}", asked.body);
    shop.until("the new key is in use and the old one ends", ONE_KEY_MORE).await.unwrap();
    shop.until(
        "a session is open, and nobody waits for a key",
        "select exists (select from gateway_sessions where ended_at is null)
            and not exists (select from gateways where rotation is not null) as ok",
    )
    .await
    .unwrap();

    let (status, out, err) = shop.gateway_command(&["identity", "rotate"]).await.unwrap();
    assert_eq!(status, 0, "{err}");
    let words = out.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    shop.until(
        "the third key is in use",
        "select count(*) filter (where state = 'retiring') = 2
            and count(*) filter (where state = 'active') = 1 as ok from gateway_keys",
    )
    .await
    .unwrap();
    let shown = owner.get(&page).await.unwrap().body;
    assert!(shown.contains(&words), "the page shows the words of the machine");
    shop.clock.punch("3", 0).unwrap();
    shop.until(
        "a punch comes in under the new key",
        "select exists (select from punches where user_id = '3'
            and received_at > now() - interval '1 minute') as ok",
    )
    .await
    .unwrap();

    // A machine that dies comes back with the key it has.
    shop.gateway.kill().await.unwrap();
    shop.gateway.restart().unwrap();
    shop.until(
        "it came back",
        "select count(*) > 0 as ok from gateway_sessions
         where ended_at is null and since > now() - interval '10 seconds'",
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_key_that_others_may_read_keeps_the_gateway_from_starting() {
    let mut shop = Shop::open().await.unwrap();
    shop.gateway.stop(PATIENCE).await.unwrap();
    let key = shop.dir.path().join("gateway/identity/key.pk8");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (status, _, err) = shop.gateway_command(&["run"]).await.unwrap();
    assert_eq!(status, 1);
    assert!(err.contains("chmod 600") && err.lines().count() == 1, "{err}");
}

/// What the doctor says of one check.
async fn doctor(shop: &Shop, check: &str) -> String {
    let (_, out, err) = shop.gateway_command(&["doctor", "--json"]).await.unwrap();
    let told: Vec<serde_json::Value> = serde_json::from_str(&out).expect(&err);
    let found = told.iter().find(|one| one["check"] == check).expect("told");
    found["code"].as_str().expect("a code").to_owned()
}

#[tokio::test]
async fn where_certificates_are_required_a_gateway_comes_in_with_its_own_only() {
    let mut shop = Shop::open().await.unwrap();
    let id = gateway_id(&shop).await.to_string();
    let folder = shop.dir.path().to_owned();
    let path = |name: &str| folder.join(name).display().to_string();
    let append = |name: &str, text: String| {
        let before = std::fs::read_to_string(path(name)).unwrap();
        std::fs::write(path(name), format!("{before}\n{text}")).unwrap();
    };
    append(
        "cloud.toml",
        format!(
            "[tunnel]\nclient_certificates = \"required\"\nclient_ca_dir = \"{}\"\n",
            path("gateway-ca")
        ),
    );
    for args in [
        &["gateway-ca", "init"][..],
        &["gateway-ca", "issue", "--gateway", "Magasin", "--out", &path(".")][..],
    ] {
        let (status, _, err) = run(cloud_spec(&folder, args).unwrap()).await.unwrap();
        assert_eq!(status, 0, "{args:?}: {err}");
    }
    shop.cloud.stop(PATIENCE).await.unwrap();
    shop.cloud.restart().unwrap();
    shop.cloud.wait_for_line("ready:", PATIENCE).await.unwrap();
    shop.gateway.wait_for_line("a client certificate is needed", PATIENCE).await.unwrap();
    assert_eq!(doctor(&shop, "protocol").await, "client-certificate-refused");

    shop.gateway.stop(PATIENCE).await.unwrap();
    append(
        "gateway.toml",
        format!(
            "[cloud]\nclient_cert = \"{}\"\nclient_key = \"{}\"\n",
            path(&format!("gateway-{id}.pem")),
            path(&format!("gateway-{id}.key"))
        ),
    );
    shop.gateway.restart().unwrap();
    shop.until(
        "it came in with its certificate",
        "select count(*) > 0 as ok from gateway_sessions s
         join gateways g on g.gateway_id = s.gateway_id
         where s.ended_at is null and g.client_certificate_until is not null",
    )
    .await
    .unwrap();
    assert_eq!(doctor(&shop, "cloud").await, "known", "it brings the certificate too");

    let (_, out, _) =
        run(cloud_spec(&folder, &["gateway-ca", "list", "--json"]).unwrap()).await.unwrap();
    let listed: serde_json::Value = serde_json::from_str(&out).unwrap();
    let serial = listed["certificates"][0]["serial"].as_str().unwrap().to_owned();
    let args = ["gateway-ca", "revoke", serial.as_str()];
    let (status, _, err) = run(cloud_spec(&folder, &args).unwrap()).await.unwrap();
    assert_eq!(status, 0, "{err}");
    // SIGHUP: read again without a restart.
    let pid = rustix::process::Pid::from_raw(shop.cloud.pid().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    shop.cloud.wait_for_line("certificates are read again", PATIENCE).await.unwrap();
    shop.wire.cut();
    shop.until(
        "the session is over",
        "select count(*) = 0 as ok from gateway_sessions where ended_at is null",
    )
    .await
    .unwrap();
    shop.wire.mend();
    shop.gateway.wait_for_line("CertificateRevoked", PATIENCE).await.unwrap();
}
