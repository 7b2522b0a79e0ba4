//! Each fault an operator can meet gives one clear line that says what to do, and a
//! non-zero exit where the program cannot go on.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use fournil_tests::world::cluster::Cluster;
use fournil_tests::world::daemon::Daemon;
use fournil_tests::world::shop::{
    PATIENCE, Shop, cloud_spec, enrolment_code_for, free_port, gateway_spec, run,
};

fn one_line(err: &str, wanted: &[&str]) {
    let lines: Vec<&str> = err.lines().filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(lines.len(), 1, "not one line: {err}");
    let line = lines[0].to_lowercase();
    for word in wanted {
        assert!(line.contains(&word.to_lowercase()), "no '{word}' in: {line}");
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_wrong_certificate_a_wrong_code_and_a_revoked_key_are_told_apart() {
    let mut shop = Shop::open().await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let state = other.path().join("gateway");
    write(&other.path().join("gateway.toml"), &format!("state_dir = \"{}\"\n", state.display()));
    let url = format!("https://localhost:{}", shop.address.port());
    let ca = shop.dir.path().join("tls/ca.pem").display().to_string();

    let code = enrolment_code_for(shop.dir.path(), "Zone").await.unwrap();
    let args = ["enrol", "--url", &url, "--code", &code];
    let (status, _, err) = run(gateway_spec(other.path(), &args).unwrap()).await.unwrap();
    assert_eq!(status, 1);
    one_line(&err, &["certificat", "--ca"]);

    let args = ["enrol", "--url", &url, "--code", "ZZZZ-ZZZZ", "--ca", &ca];
    let (status, _, err) = run(gateway_spec(other.path(), &args).unwrap()).await.unwrap();
    assert_eq!(status, 1);
    one_line(&err, &["code"]);

    // The live gateway is cut within a second of its revocation and says why.
    let mut owner = shop.owner().await.unwrap();
    let page = owner.get("/gateways").await.unwrap();
    let id = page.body.split("/gateways/").filter_map(|rest| rest.get(..36)).find(|id| {
        id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    });
    let path = format!("/gateways/{}", id.expect("the page links to its gateway"));
    let csrf_token = owner.hidden_field(&path, "csrf_token").await.unwrap();
    let key = owner.hidden_field(&path, "idempotency_key").await.unwrap();
    let fields = [("csrf_token", csrf_token.as_str()), ("idempotency_key", key.as_str())];
    let answer = owner.post(&format!("{path}/revoke"), &fields).await.unwrap();
    assert_eq!(answer.status, 303, "{}", answer.body);
    shop.until_within(
        "the session is cut",
        "select count(*) = 0 as ok from gateway_sessions where ended_at is null",
        Duration::from_secs(3),
    )
    .await
    .unwrap();
    let line = shop.gateway.wait_for_line("révoqu", PATIENCE).await.unwrap();
    assert!(line.contains("enrol --force"), "what to do is not said: {line}");
    // Started again, it is told the same and does not give up.
    shop.gateway.kill().await.unwrap();
    shop.gateway.restart().unwrap();
    shop.gateway.wait_for_line("révoqu", PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_cloud_with_another_authority_is_not_spoken_to() {
    let mut shop = Shop::open().await.unwrap();
    shop.cloud.kill().await.unwrap();
    std::fs::remove_dir_all(shop.dir.path().join("tls")).unwrap();
    shop.cloud.restart().unwrap();
    let line = shop.gateway.wait_for_line("certificat", PATIENCE).await.unwrap();
    assert!(line.contains("ca"), "what to do is not said: {line}");
    let sessions = "select count(*) from gateway_sessions";
    let before = shop.count(sessions).await.unwrap();
    shop.cloud.wait_for_line("ready:", PATIENCE).await.unwrap();
    assert_eq!(shop.count(sessions).await.unwrap(), before);
}

#[tokio::test]
async fn a_database_that_comes_later_is_waited_for() {
    let cluster = Cluster::start("late").unwrap();
    let mut shop = Shop::open_in(&cluster.url).await.unwrap();
    shop.cloud.stop(PATIENCE).await.unwrap();
    cluster.kill().await.unwrap();
    shop.cloud.restart().unwrap();
    let line = shop.cloud.wait_for_line("PostgreSQL", PATIENCE).await.unwrap();
    assert!(line.contains("url"), "what to check is not said: {line}");
    cluster.restart().await.unwrap();
    shop.cloud.wait_for_line("ready:", PATIENCE).await.unwrap();
    shop.until(
        "the gateway is connected again",
        "select count(*) > 0 as ok from gateway_sessions where ended_at is null",
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_port_in_use_and_a_database_that_is_down_are_named() {
    let shop = Shop::open().await.unwrap();
    let (status, _, err) = run(cloud_spec(shop.dir.path(), &["serve"]).unwrap()).await.unwrap();
    assert_eq!(status, 1);
    let last = err.lines().last().unwrap_or_default();
    assert!(last.contains(&shop.address.port().to_string()), "the port is not named: {err}");
    assert!(last.contains("listen"), "the key is not named: {err}");

    let alone = tempfile::tempdir().unwrap();
    let (port, nobody) = (free_port().unwrap(), free_port().unwrap());
    write(
        &alone.path().join("cloud.toml"),
        &format!(
            "[web]\nlisten = [\"127.0.0.1:{port}\"]\nlisten_metrics = \"127.0.0.1:0\"\n\
             [tls]\nauto_dir = \"{}\"\n\
             [database]\nurl = \"postgres://fournil@127.0.0.1:{nobody}/fournil\"\n",
            alone.path().join("tls").display()
        ),
    );
    let mut cloud = Daemon::start(cloud_spec(alone.path(), &["serve"]).unwrap()).unwrap();
    cloud.wait_for_line("PostgreSQL", PATIENCE).await.unwrap();
    let (status, _, err) =
        run(cloud_spec(alone.path(), &["migrate", "up"]).unwrap()).await.unwrap();
    assert_eq!(status, 1);
    assert!(err.contains("PostgreSQL"), "{err}");
    cloud.stop(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_or_has_an_unknown_key_stops_both_programs() {
    let dir = tempfile::tempdir().unwrap();
    for (program, spec) in [
        ("cloud", cloud_spec(dir.path(), &["serve"]).unwrap()),
        ("gateway", gateway_spec(dir.path(), &["run"]).unwrap()),
    ] {
        let file = dir.path().join(format!("{program}.toml"));
        let (status, _, err) = run(spec.clone()).await.unwrap();
        assert_eq!(status, 1, "{err}");
        one_line(&err, &[&file.display().to_string()]);

        write(&file, "colour = \"blue\"\n");
        let (status, _, err) = run(spec).await.unwrap();
        assert_eq!(status, 1, "{err}");
        one_line(&err, &["colour"]);
    }
}

#[tokio::test]
async fn a_full_disk_under_the_journal_is_told_and_nothing_is_done() {
    let shop = Shop::open().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("small");
    std::fs::create_dir(&state).unwrap();
    // A file system of 256 KiB, as root only: elsewhere the journal's own tests inject the fault.
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(&state)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        // Not as root: the journal's own tests fill a disk of theirs.
        return;
    }
    write(&dir.path().join("gateway.toml"), &format!("state_dir = \"{}\"\n", state.display()));
    let url = format!("https://localhost:{}", shop.address.port());
    let code = enrolment_code_for(shop.dir.path(), "Étroite").await.unwrap();
    let ca = shop.dir.path().join("tls/ca.pem").display().to_string();
    let args = ["enrol", "--url", &url, "--code", &code, "--ca", &ca];
    let (enrolled, _, err) = run(gateway_spec(dir.path(), &args).unwrap()).await.unwrap();
    assert_eq!(enrolled, 0, "{err}");
    let ended = run(gateway_spec(dir.path(), &["run"]).unwrap()).await;
    let _ = std::process::Command::new("umount").arg(&state).status();
    let (status, _, err) = ended.unwrap();
    assert_eq!(status, 1, "{err}");
    let last = err.lines().last().unwrap_or_default().to_lowercase();
    assert!(last.contains("disque") || last.contains("espace"), "{err}");
    assert!(last.contains("libérez") || last.contains("libérer"), "what to do is not said: {err}");
}
