//! Clocks that call by themselves, through real processes: the cloud with a gateway that reads
//! the same clock and the cloud killed meanwhile, and the gateway while the cloud is away. Each
//! punch is one row.

use std::net::SocketAddr;

use fournil_tests::clock_sim::{ClockSim, Profile, PushTo};
use fournil_tests::world::daemon::Daemon;
use fournil_tests::world::shop::{
    COMM_KEY, PATIENCE, Shop, cloud_spec, free_port, gateway_spec, write_cloud_config,
    write_gateway_config,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PUNCHES: usize = 250;

/// Another node of the shop's cloud, which takes plain HTTP as behind a proxy.
struct PlainNode {
    cloud: Daemon,
    dir: tempfile::TempDir,
    plain: SocketAddr,
}

impl PlainNode {
    async fn start(shop: &Shop) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let [own, plain] =
            [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port().unwrap())));
        let tls = shop.dir.path().join("tls");
        write_cloud_config(dir.path(), &tls, own, shop.wire.address, &shop.database_url).unwrap();
        let cloud = Self::serve(&dir, plain).await;
        Self { cloud, dir, plain }
    }

    async fn serve(dir: &tempfile::TempDir, plain: SocketAddr) -> Daemon {
        let listen = plain.to_string();
        let spec = cloud_spec(dir.path(), &["serve", "--listen-plain", &listen]).unwrap();
        let mut cloud = Daemon::start(spec).unwrap();
        cloud.wait_for_line("ready:", PATIENCE).await.unwrap();
        cloud
    }

    /// The head and the body of an answer, as they came.
    async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.plain).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }
}

async fn let_in(shop: &Shop, serial: &str) {
    let mut owner = shop.owner().await.unwrap();
    let csrf = owner.hidden_field("/clocks/push", "csrf_token").await.unwrap();
    let key = uuid::Uuid::now_v7().to_string();
    let fields = [
        ("csrf_token", csrf.as_str()),
        ("idempotency_key", &key),
        ("serial", serial),
        ("label", "Atelier"),
        ("zone", "Africa/Algiers"),
    ];
    let answer = owner.post("/clocks/push", &fields).await.unwrap();
    assert_eq!(answer.status, 303, "{}", answer.body);
}

#[tokio::test]
async fn a_clock_that_calls_and_is_read_has_each_punch_once_though_the_cloud_dies() {
    let mut shop = Shop::open().await.unwrap();
    let serial = shop.clock.serial();
    let mut node = PlainNode::start(&shop).await;
    let before = shop.count("select count(*) from punches").await.unwrap();

    // Nobody let it in: it keeps what it has.
    let hello = format!("/iclock/cdata?SN={serial}&options=all");
    assert!(node.get(&hello).await.starts_with("HTTP/1.1 403 "));
    let_in(&shop, &serial).await;
    let greeted = node.get(&hello).await;
    assert!(greeted.starts_with("HTTP/1.1 200 "), "{greeted}");
    let date = greeted.lines().find_map(|line| line.strip_prefix("date: ")).expect("a Date");
    let date = chrono::DateTime::parse_from_rfc2822(date.trim()).expect("a date");
    let off = fournil_gateway::time::now().signed_duration_since(date);
    assert!(off.num_seconds().abs() <= 5, "the clock sets itself by it: {off}");

    // The same clock calls, and a gateway reads it.
    let push = Some(PushTo { url: format!("http://{}", node.plain), ..PushTo::default() });
    let profile = Profile { comm_key: COMM_KEY, punches: PUNCHES, push, ..Profile::default() };
    let clock = ClockSim::start(profile).await.unwrap();
    shop.until(
        "some punches were told",
        "select exists (select from punches where source = 'push') as ok",
    )
    .await
    .unwrap();
    node.cloud.kill().await.unwrap();
    clock.punch("3", 0).unwrap();
    clock.punch("4", 1).unwrap();
    shop.gateway.stop(PATIENCE).await.unwrap();
    let state = shop.dir.path().join("gateway");
    write_gateway_config(shop.dir.path(), &state, &clock, &shop.printer).unwrap();
    shop.gateway = Daemon::start(gateway_spec(shop.dir.path(), &["run"]).unwrap()).unwrap();
    shop.until(
        "the gateway brought all",
        "select exists (select from clocks where whole_read_records >= 252) as ok",
    )
    .await
    .unwrap();
    shop.gateway.stop(PATIENCE).await.unwrap();
    node.cloud = PlainNode::serve(&node.dir, node.plain).await;
    clock.punch("5", 0).unwrap();
    shop.until(
        "the clock goes on where it was",
        "select exists (select from punches where user_id = '5' and source = 'push'
                        and received_at > now() - interval '1 minute') as ok",
    )
    .await
    .unwrap();
    shop.gateway = Daemon::start(gateway_spec(shop.dir.path(), &["run"]).unwrap()).unwrap();
    shop.until(
        "the gateway read it too",
        "select exists (select from clocks where records = 253) as ok",
    )
    .await
    .unwrap();
    let told = i64::try_from(PUNCHES + 3).unwrap();
    let after = shop.count("select count(*) from punches").await.unwrap();
    assert_eq!(after - before, told, "each once");
    let page = shop.owner().await.unwrap().get("/clocks/push").await.unwrap();
    assert!(page.body.contains("Atelier") && page.body.contains(&serial), "{}", page.body);
}

/// On the page of the clock, which can be asked for them and not be changed.
async fn ask_for_days(shop: &Shop, serial: &str) {
    let mut owner = shop.owner().await.unwrap();
    let page = format!("/clocks/one?serial={serial}");
    let csrf = owner.hidden_field(&page, "csrf_token").await.unwrap();
    let shown = owner.get(&page).await.unwrap();
    assert!(!shown.body.contains("set-time"), "what it cannot do is not offered");
    let key = uuid::Uuid::now_v7().to_string();
    let fields = [
        ("csrf_token", csrf.as_str()),
        ("idempotency_key", &key),
        ("serial", serial),
        ("from", "2026-10-01"),
        ("to", "2026-11-30"),
    ];
    let answer = owner.post("/clocks/reread", &fields).await.unwrap();
    assert_eq!(answer.status, 303, "{}", answer.body);
}

#[tokio::test]
async fn a_clock_that_calls_the_gateway_is_heard_while_the_cloud_is_away() {
    let mut shop = Shop::open().await.unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
    let push = PushTo {
        url: format!("http://{listen}"),
        key: Some("sesame".to_owned()),
        is_packing: true,
    };
    let serial = "SIM0000000002".to_owned();
    let profile =
        Profile { serial: serial.clone(), punches: 250, push: Some(push), ..Profile::default() };
    let clock = ClockSim::start(profile).await.unwrap();

    // Taken up while the daemon runs.
    let config = shop.dir.path().join("gateway.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let section = format!(
        "\n[push]\nlisten = \"{listen}\"\n[[push.clock]]\nname = \"atelier\"\n\
         serial = \"{serial}\"\nkey = \"sesame\"\nallow_from = [\"127.0.0.0/8\"]\n"
    );
    std::fs::write(&config, text + &section).unwrap();
    let pid = rustix::process::Pid::from_raw(shop.gateway.pid().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    shop.until(
        "all punches were told",
        "select count(*) = 250 as ok from punches
         where clock_serial = 'SIM0000000002' and source = 'push'",
    )
    .await
    .unwrap();

    // With no cloud, what happens is in the journal, and comes when the cloud is back.
    shop.cloud.kill().await.unwrap();
    clock.punch("3", 0).unwrap();
    shop.gateway.stop(PATIENCE).await.unwrap();
    shop.gateway = Daemon::start(gateway_spec(shop.dir.path(), &["run"]).unwrap()).unwrap();
    clock.punch("4", 1).unwrap();
    shop.cloud = Daemon::start(cloud_spec(shop.dir.path(), &["serve"]).unwrap()).unwrap();
    shop.until(
        "both came",
        "select count(*) = 252 as ok from punches where clock_serial = 'SIM0000000002'",
    )
    .await
    .unwrap();

    // What the clock is and whom it knows is told as well, and it can be asked again.
    shop.until(
        "the clock and its users were told",
        "select exists (select from clocks where clock_serial = 'SIM0000000002' and link = 'push'
                        and device = 'atelier' and model = 'FOURNIL-SIM')
            and (select count(*) from clock_device_users
                 where clock_serial = 'SIM0000000002') = 6 as ok",
    )
    .await
    .unwrap();
    ask_for_days(&shop, &serial).await;
    shop.until(
        "the days were told again",
        "select exists (select from commands
                        where device = 'atelier' and state = 'done') as ok",
    )
    .await
    .unwrap();
    let count = "select count(*) from punches where clock_serial = 'SIM0000000002'";
    assert_eq!(shop.count(count).await.unwrap(), 252, "nothing is twice");
}
