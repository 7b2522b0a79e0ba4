//! The programs as a person starts them: what they print and with which status they end.

use std::path::Path;

use fournil_gateway::tunnel::identity::{Enrolled, PendingKey};
use fournil_tests::clock_sim::{ClockSim, Profile as ClockProfile};
use fournil_tests::world::daemon::{Daemon, simulator};
use fournil_tests::world::shop::{PATIENCE, gateway_spec, run};
use serde_json::Value;

use super::*;
use crate::clock::sim::http;

/// Runs `fournil-gateway` in a folder of its own.
async fn gateway(dir: &Path, args: &str) -> (i32, String, String) {
    let args: Vec<&str> = args.split_whitespace().collect();
    run(gateway_spec(dir, &args).unwrap()).await.unwrap()
}

/// An enrolled gateway whose cloud is away, with a clock and a printer.
fn enrolled(dir: &Path, clock: &ClockSim, printer: &PrinterSim) {
    let state = dir.join("state");
    let key = PendingKey::take_up(&state).unwrap();
    let identity = Enrolled {
        gateway_id: Uuid::from_u128(7),
        name: "Caisse".into(),
        company: "Boulangerie".into(),
        url: "https://127.0.0.1:1".into(),
        fingerprint: key.fingerprint(),
        ca_pem: None,
    };
    key.adopt(&identity).unwrap();
    let text = format!(
        "state_dir = \"{}\"\n[[clock]]\nname = \"entree\"\naddress = \"{}\"\n\
         [[printer]]\nname = \"caisse\"\nto = \"tcp://{}\"\nprofile = \"epson-58\"\n",
        state.display(),
        clock.addr(),
        printer.address().unwrap()
    );
    std::fs::write(dir.join("gateway.toml"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn status_doctor_and_journal_tell_of_a_running_service() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ClockSim::start(ClockProfile::default()).await.unwrap();
    let printer = PrinterSim::start(Args::for_tests()).await.unwrap();
    enrolled(dir.path(), &clock, &printer);
    let (status, _, err) = gateway(dir.path(), "status").await;
    assert_eq!(status, 1);
    assert!(err.contains("systemctl start"), "{err}");

    let mut daemon = Daemon::start(gateway_spec(dir.path(), &["run"]).unwrap()).unwrap();
    daemon.wait_for_line("no tunnel", PATIENCE).await.unwrap();
    let shown = async {
        loop {
            let (status, out, err) = gateway(dir.path(), "status --json").await;
            assert_eq!(status, 0, "{err}");
            let said: Value = serde_json::from_str(&out).unwrap();
            let devices = said["devices"].as_array().unwrap();
            if devices.len() == 2 && devices.iter().all(|device| device["state"] == "ok") {
                return said;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let said = tokio::time::timeout(PATIENCE, shown).await.unwrap();
    assert_eq!(
        (&said["gateway"]["name"], &said["journal_error"]),
        (&"Caisse".into(), &Value::Null)
    );
    let (_, out, _) = gateway(dir.path(), "status").await;
    assert!(out.contains("journal ") && out.contains("caisse : ok"), "{out}");

    let (status, out, err) = gateway(dir.path(), "doctor --json").await;
    // The cloud is away, which is a fault.
    assert_eq!(status, 1, "{err}");
    let findings: Vec<Value> = serde_json::from_str(&out).unwrap();
    let of = |check: &str| findings.iter().find(|finding| finding["check"] == check).unwrap();
    assert_eq!(
        (&of("journal")["verdict"], &of("printer")["verdict"]),
        (&"ok".into(), &"ok".into())
    );

    let (status, out, _) = gateway(dir.path(), "journal stat --json").await;
    let stat: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, stat["incarnation"].as_u64()), (0, Some(1)));
    assert!(stat["up_last"].as_u64().unwrap() >= 60, "{stat}");
    let (status, out, _) = gateway(dir.path(), "journal dump --json --limit 5").await;
    assert_eq!((status, out.lines().count()), (0, 5));
    assert!(daemon.stop(PATIENCE).await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_is_dumped_with_the_fields_that_scripts_rely_on() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("gateway.toml"), "").unwrap();
    let clock = ClockSim::start(ClockProfile::default()).await.unwrap();
    let args = format!("clock dump --addr {} --timezone Africa/Algiers --json", clock.addr());
    let (status, out, err) = gateway(dir.path(), &args).await;
    assert_eq!(status, 0, "{err}");
    let dump: Value = serde_json::from_str(&out).unwrap();
    let has = |part: &Value, keys: &[&str]| {
        for key in keys {
            assert!(part.get(key).is_some(), "{key} is missing in {part}");
        }
    };
    has(&dump, &["device", "users", "punches", "warnings"]);
    has(&dump["users"][0], &["uid", "user_id", "name", "privilege", "card"]);
    let fields = ["user_id", "time", "state", "verify", "layout", "raw", "occurrence"];
    has(&dump["punches"][0], &fields);
    assert_eq!(dump["punches"].as_array().unwrap().len(), 60);
    assert!(dump["punches"][0]["time"].as_str().unwrap().ends_with("+01:00"));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_rendered_sent_and_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("gateway.toml"), "").unwrap();
    let sim = PrinterSim::start(Args { width_dots: 576, ..Args::for_tests() }).await.unwrap();
    let to = format!("tcp://{}", sim.address().unwrap());
    let document = dir.path().join("ticket.json");
    std::fs::write(&document, serde_json::to_vec(&ticket(7)).unwrap()).unwrap();
    let (document, bytes) = (document.display(), dir.path().join("ticket.bin"));
    let args = format!("printer render --out {} {document}", bytes.display());
    assert_eq!(gateway(dir.path(), &args).await.0, 0);
    assert!(std::fs::read(&bytes).unwrap().starts_with(&[0x1b, 0x40]));
    let picture = dir.path().join("ticket.png");
    let args = format!("printer render --format png --out {} {document}", picture.display());
    assert_eq!(gateway(dir.path(), &args).await.0, 0);
    assert!(std::fs::read(&picture).unwrap().starts_with(b"\x89PNG"));

    let args = format!("printer send --to {to} --json {}", bytes.display());
    let (status, out, err) = gateway(dir.path(), &args).await;
    assert_eq!(status, 0, "{err}");
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(said["confirmed"], true);
    assert!(sim.until(SOON, |sim| sim.receipts().len() == 1).await);
    assert!(sim.receipts()[0].text.contains("T-2026-000007"));
    let (status, out, _) = gateway(dir.path(), &format!("printer test --to {to}")).await;
    assert_eq!(status, 0);
    assert!(out.contains("les a traités"), "{out}");
    assert!(sim.until(SOON, |sim| sim.receipts().len() == 2).await);
    let (status, out, _) = gateway(dir.path(), "printer list --json").await;
    let profiles: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!((status, profiles.len() > 5), (0, true));
    let args = format!("printer status --to {to} --json");
    let (status, out, _) = gateway(dir.path(), &args).await;
    assert_eq!((status, out.contains("\"ready\": true")), (0, true));

    // Each table in the printer's own letters: a line that is drawn would always look right.
    let slip = sim.receipts().pop().unwrap().text;
    for line in ["Cp1252 n=16 : éèàçùœ€", "Cp858 n=19 : éèàçù", "Cp437 n=0 : éèàçù"]
    {
        assert!(slip.contains(line), "{slip}");
    }
    assert!(!slip.contains("[image]"), "{slip}");
    let mute = Args { fault: vec![Fault::Mute], ..Args::for_tests() };
    let mute = PrinterSim::start(mute).await.unwrap();
    let to = format!("tcp://{}", mute.address().unwrap());
    let args = format!("printer send --to {to} --json {}", bytes.display());
    let (status, out, err) = gateway(dir.path(), &args).await;
    assert_eq!(status, 1);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["confirmed"], false);
    assert!(err.contains("sans confirmation") && err.lines().count() == 1, "{err}");
}

#[tokio::test]
async fn wrong_use_ends_with_2_and_help_has_an_example() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("gateway.toml"), "").unwrap();
    for wrong in [
        "nonsense",
        "clock dump",
        "clock dump --addr a:b:c",
        "printer test --to tcp://127.0.0.1:9 --profile epson",
        "printer render --format gif x.json",
        "enrol --url https://cloud.example --code ABC",
    ] {
        let (status, _, err) = gateway(dir.path(), wrong).await;
        assert_eq!(status, 2, "{wrong}: {err}");
    }
    let commands = [
        "",
        "run",
        "enrol",
        "status",
        "doctor",
        "clock",
        "clock info",
        "clock dump",
        "clock live",
        "clock set-time",
        "printer",
        "printer list",
        "printer status",
        "printer test",
        "printer render",
        "printer send",
        "journal",
        "journal stat",
        "journal dump",
        "journal verify",
    ];
    for command in commands {
        let (status, out, _) = gateway(dir.path(), &format!("{command} --help")).await;
        assert_eq!(status, 0, "{command}");
        assert!(out.contains("Example"), "`{command} --help` has no example:\n{out}");
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_one_line_with_its_path_and_status_1() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gateway.toml");
    let mut told = Vec::new();
    let says = async |word: &str| {
        let (status, _, err) = gateway(dir.path(), "run --print-config").await;
        assert_eq!((status, err.lines().count()), (1, 1), "{err}");
        assert!(err.contains(&file.display().to_string()) && err.contains(word), "{err}");
        err
    };
    told.push(says("n'existe pas").await);
    std::fs::create_dir(&file).unwrap();
    told.push(says("est un dossier").await);
    std::fs::remove_dir(&file).unwrap();
    std::fs::write(&file, "[cloud\n").unwrap();
    told.push(says("TOML").await);
    std::fs::write(&file, [0xff, 0xfe]).unwrap();
    told.push(says("UTF-8").await);
    told.dedup();
    assert_eq!(told.len(), 4);
}

#[tokio::test]
async fn the_printers_page_shows_receipts_and_turns_switches() {
    let page = Some("127.0.0.1:0".parse().unwrap());
    let sim = PrinterSim::start(Args { http: page, ..Args::for_tests() }).await.unwrap();
    let page = sim.page_address().unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    let job = print(3);
    shop.send(job.clone()).await;
    assert_eq!(shop.outcome(job.id).await.state(), CommandState::Done);
    assert_eq!(http(page, "GET /", "").await.0, 200);
    let state = async || -> Value {
        serde_json::from_slice(&http(page, "GET /state.json", "").await.2).unwrap()
    };
    let told = state().await;
    assert!(told["receipts"][0]["text"].as_str().unwrap().contains("T-2026-000003"));
    let (status, _, picture) = http(page, "GET /receipts/1.png", "").await;
    assert_eq!((status, picture.starts_with(b"\x89PNG")), (200, true));
    assert_eq!(http(page, "GET /receipts/9.png", "").await.0, 404);
    assert_eq!(http(page, "POST /switch/paper", "").await.0, 204);
    assert_eq!(
        (&state().await["switches"]["paper"], &state().await["online"]),
        (&false.into(), &false.into())
    );
    assert!(!sim.switches().paper);
    assert_eq!(http(page, "POST /switch/paper", "").await.0, 204);
    assert!(sim.switches().paper);
    assert_eq!(http(page, "POST /switch/nonsense", "").await.0, 404);
    shop.close().await;
}

#[tokio::test]
async fn the_printers_program_says_where_it_listens_and_ends_on_sigterm() {
    let args = "printer --tcp 127.0.0.1:0 --http 127.0.0.1:0 --json";
    let mut sim = simulator(args).unwrap();
    let line = sim.wait_for_line("\"http\"", PATIENCE).await.unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    tokio::net::TcpStream::connect(said["addr"].as_str().unwrap()).await.unwrap();
    let page = said["http"].as_str().unwrap().parse().unwrap();
    assert_eq!(http(page, "GET /state.json", "").await.0, 200);
    assert!(sim.stop(PATIENCE).await.unwrap().success());
}
