//! A gateway of another hand, written in another language from `docs/protocol.md` and
//! `docs/protocol.proto` alone, works in a real shop: what it cannot read there is not
//! documented.

use std::path::{Path, PathBuf};

use fournil_protocol::{close, limits};
use fournil_tests::world::daemon::{Daemon, Spec};
use fournil_tests::world::shop::{PATIENCE, Shop, enrolment_code_for, run};
use fournil_tests::world::till::Till;
use serde_json::Value;
use uuid::Uuid;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn page() -> String {
    std::fs::read_to_string(docs().join("protocol.md")).unwrap()
}

fn stranger(command: &str, more: &[&str]) -> Spec {
    let python = std::env::var("FOURNIL_PYTHON").expect(
        "FOURNIL_PYTHON is not set: give the interpreter that deploy/setup/python.sh prints",
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/stranger_gateway.py");
    let docs = docs().display().to_string();
    let args = [&script.display().to_string(), command, "--docs", &docs].map(str::to_owned);
    let args = args.into_iter().chain(more.iter().map(|arg| (*arg).to_owned())).collect();
    Spec { name: "stranger", program: python.into(), args, env: Vec::new() }
}

/// Signatures, fingerprint and every frame of the page, recomputed by the other hand.
#[tokio::test]
async fn the_examples_of_the_document_are_right() {
    let (status, out, err) = run(stranger("check", &[])).await.unwrap();
    assert_eq!(status, 0, "{err}");
    let said: Value = serde_json::from_str(&out).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/golden");
    let page = page();
    let mut frames = 0;
    let kept = [("v1", ""), ("v2", "v2/")].into_iter().flat_map(|(version, before)| {
        let entries = std::fs::read_dir(golden.join(version)).unwrap();
        entries.map(move |entry| (entry.unwrap().path(), before))
    });
    for (path, before) in kept {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        // What is signed stands in the worked example.
        if name.starts_with("signed-") {
            continue;
        }
        let name = format!("{before}{name}");
        let hex = std::fs::read_to_string(&path).unwrap();
        let shown = hex.trim_end().replace('\n', "\n    ");
        let shown = format!("`{name}`\n\n    {shown}\n");
        assert!(page.contains(&shown), "the page shows another {name}");
        frames += 1;
    }
    assert_eq!(said["frames"], frames, "the page shows frames that are none");
}

#[test]
fn the_document_gives_every_bound_and_every_close_code() {
    let page = page();
    let bounds: [(&str, u64); 23] = [
        ("FRAME_BYTES_MAX", limits::FRAME_BYTES_MAX as u64),
        ("EVENT_BYTES_MAX", limits::EVENT_BYTES_MAX as u64),
        ("COMMAND_BYTES_MAX", limits::COMMAND_BYTES_MAX as u64),
        ("EVENTS_PER_FRAME_MAX", limits::EVENTS_PER_FRAME_MAX as u64),
        ("COMMANDS_PER_FRAME_MAX", limits::COMMANDS_PER_FRAME_MAX as u64),
        ("UP_WINDOW_EVENTS", limits::UP_WINDOW_EVENTS.into()),
        ("UP_WINDOW_BYTES", limits::UP_WINDOW_BYTES.into()),
        ("DOWN_WINDOW_COMMANDS", limits::DOWN_WINDOW_COMMANDS.into()),
        ("DOWN_WINDOW_BYTES", limits::DOWN_WINDOW_BYTES.into()),
        ("CHUNK_BYTES_MAX", limits::CHUNK_BYTES_MAX as u64),
        ("TRANSFER_BYTES_MAX", limits::TRANSFER_BYTES_MAX),
        ("TRANSFERS_OPEN_MAX", limits::TRANSFERS_OPEN_MAX as u64),
        ("BULK_WINDOW_CHUNKS", limits::BULK_WINDOW_CHUNKS.into()),
        ("BULK_WINDOW_BYTES", limits::BULK_WINDOW_BYTES.into()),
        ("DIGEST_BYTES", limits::DIGEST_BYTES as u64),
        ("NONCE_BYTES", limits::NONCE_BYTES as u64),
        ("ID_BYTES", limits::ID_BYTES as u64),
        ("PUBLIC_KEY_BYTES", limits::PUBLIC_KEY_BYTES as u64),
        ("SIGNATURE_BYTES", limits::SIGNATURE_BYTES as u64),
        ("HEARTBEAT_MS_DEFAULT", limits::HEARTBEAT_MS_DEFAULT.into()),
        ("DEAD_AFTER_TENTHS_OF_HEARTBEAT", limits::DEAD_AFTER_TENTHS_OF_HEARTBEAT.into()),
        ("DOCUMENT_BLOCKS_MAX", limits::DOCUMENT_BLOCKS_MAX as u64),
        ("ENROL_BYTES_MAX", limits::ENROL_BYTES_MAX as u64),
    ];
    for (name, value) in bounds {
        assert!(page.contains(&format!("| `{name}` | {value} |")), "{name} is {value}");
    }
    for code in close::ALL {
        assert!(page.contains(&format!("| {code} | ")), "{code} is not explained");
    }
}

#[tokio::test]
async fn a_gateway_written_from_the_document_works_in_a_real_shop() {
    let mut shop = Shop::open().await.unwrap();
    // The stranger takes the place of our own gateway.
    shop.gateway.stop(PATIENCE).await.unwrap();
    let code = enrolment_code_for(shop.dir.path(), "Magasin").await.unwrap();
    let url = format!("https://localhost:{}", shop.wire.address.port());
    let ca = shop.dir.path().join("tls/ca.pem").display().to_string();
    let state = shop.dir.path().join("stranger");
    let spec = stranger(
        "run",
        &[
            "--url",
            &url,
            "--ca",
            &ca,
            "--code",
            &code,
            "--clock",
            "SIM0000000001",
            "--state",
            &state.display().to_string(),
            "--commands",
            "2",
        ],
    );
    let mut stranger = Daemon::start(spec).unwrap();
    stranger.wait_for_line("\"fingerprint\"", PATIENCE).await.unwrap();
    // Cut before the answer, sent again, and once more after the acknowledgement.
    stranger.wait_for_line("\"acked\": 6", PATIENCE).await.unwrap();
    let punches = "select count(*) from punches where layout = 'stranger'";
    assert_eq!(shop.count(punches).await.unwrap(), 6, "sent up to three times, there once");
    let raw = "select count(distinct raw) from punches where layout = 'stranger'";
    assert_eq!(shop.count(raw).await.unwrap(), 6);

    let mut till = Till::open(shop.owner().await.unwrap()).await.unwrap();
    let ticket_id = Uuid::now_v7();
    let sale = till.sale_of_one(ticket_id, &till.plenty().unwrap());
    let sold = till.sell(&sale).await.unwrap();
    assert_eq!(sold.status, 200, "{}", sold.body);
    let number = serde_json::from_str::<Value>(&sold.body).unwrap()["code"].clone();
    let number = number.as_str().unwrap();
    // The receipt and the drawer.
    stranger.wait_for_line("\"done\": 2", PATIENCE).await.unwrap();
    assert!(stranger.wait(PATIENCE).await.unwrap().success(), "{}", stranger.log_tail());
    let paper = std::fs::read_to_string(state.join("paper.txt")).unwrap();
    assert_eq!(paper.matches("--- cut ---").count(), 1, "{paper}");
    assert!(paper.contains(number), "{paper}");
    let done = "select count(*) from commands where kind = 'print' and state = 'done'";
    assert_eq!(shop.count(done).await.unwrap(), 1);
    // What the person at the till sees of it.
    let shown = till.browser.get(&format!("/tickets/{ticket_id}/paper")).await.unwrap();
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert!(shown.body.contains("preuve faible"), "{}", shown.body);
}
