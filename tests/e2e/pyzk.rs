//! pyzk, a client written by others, reads the simulated clock and finds what our own
//! client finds. It runs as a separate process with the interpreter of `FOURNIL_PYTHON`.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use fournil_gateway::clock::layout::AttendanceLayout;
use fournil_tests::clock_sim::{ClockSim, Fault, Profile};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::clock::dump;

const COMM_KEY: u32 = 123_456;
const PATIENCE: Duration = Duration::from_secs(30);

async fn judge(sim: &ClockSim, comm_key: u32) -> Output {
    command(sim, comm_key, 0).output().await.expect("FOURNIL_PYTHON names no program")
}

/// The judge's program, which waits for so many live punches after reading.
fn command(sim: &ClockSim, comm_key: u32, live: usize) -> Command {
    let python = std::env::var("FOURNIL_PYTHON").expect(
        "FOURNIL_PYTHON is not set: give the interpreter of a virtual environment that has pyzk \
         (python3 -m venv V && V/bin/pip install pyzk, then FOURNIL_PYTHON=V/bin/python)",
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/pyzk_check.py");
    let mut command = Command::new(python);
    command.arg(script).arg(sim.addr().ip().to_string()).arg(sim.addr().port().to_string());
    command.arg("--comm-key").arg(comm_key.to_string()).kill_on_drop(true);
    command.arg("--live").arg(live.to_string());
    command
}

/// What both clients must agree on.
fn ours(dump: &Value, layout: AttendanceLayout) -> Value {
    let users = dump["users"].as_array().unwrap().iter().map(|user| {
        json!({
            "uid": user["uid"], "user_id": user["user_id"], "name": user["name"],
            "privilege": user["privilege"], "card": user["card"],
        })
    });
    let punches = dump["punches"].as_array().unwrap().iter().map(|punch| {
        let time = &punch["time"].as_str().unwrap()[..19];
        // In the layout of 16 bytes pyzk takes state and verify for each other.
        let (status, state) = match layout {
            AttendanceLayout::Sixteen => (&punch["state"], &punch["verify"]),
            _ => (&punch["verify"], &punch["state"]),
        };
        json!({ "user_id": punch["user_id"], "time": time, "status": status, "punch": state })
    });
    json!({
        "serial": dump["device"]["serial"],
        "platform": dump["device"]["platform"],
        "firmware": dump["device"]["firmware"],
        "users": users.collect::<Vec<_>>(),
        "punches": punches.collect::<Vec<_>>(),
    })
}

fn assert_agreement(judged: &Output, dump: &Value, layout: AttendanceLayout) {
    let said = String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "pyzk failed: {said}");
    let judged: Value = serde_json::from_slice(&judged.stdout).unwrap();
    let ours = ours(dump, layout);
    for key in ["serial", "platform", "firmware", "users", "punches"] {
        assert_eq!(judged[key], ours[key], "{key}, layout {layout}");
    }
}

/// The layouts that the released pyzk reads, in tables that come directly, in one piece
/// and in chunks of several packets.
#[tokio::test]
async fn pyzk_and_our_client_read_the_same_from_the_simulated_clock() {
    for layout in [AttendanceLayout::FORTY, AttendanceLayout::Sixteen, AttendanceLayout::EightA] {
        for (punches, packet_bytes) in [(3, 65_536), (200, 65_536), (2000, 65_536)] {
            let profile =
                Profile { layout, punches, packet_bytes, comm_key: COMM_KEY, ..Profile::default() };
            let sim = ClockSim::start(profile).await.unwrap();
            let judged = judge(&sim, COMM_KEY).await;
            let dump = dump(sim.addr(), COMM_KEY).await;
            assert_agreement(&judged, &dump, layout);
            assert_eq!(dump["punches"].as_array().unwrap().len(), punches);
            assert_eq!(sim.counters().bad_frames, 0, "a frame of pyzk was dropped");
        }
    }
}

#[tokio::test]
async fn pyzk_reads_paced_packets_of_1008_bytes() {
    let profile = Profile { punches: 120, packet_bytes: 1008, ..Profile::default() };
    let sim = ClockSim::start(profile).await.unwrap();
    let judged = judge(&sim, 0).await;
    assert_agreement(&judged, &dump(sim.addr(), 0).await, AttendanceLayout::FORTY);
}

#[tokio::test]
async fn pyzk_is_refused_with_a_wrong_comm_key() {
    let profile = Profile { comm_key: COMM_KEY, ..Profile::default() };
    let sim = ClockSim::start(profile).await.unwrap();
    let judged = judge(&sim, 654_321).await;
    assert!(!judged.status.success());
    assert_eq!(sim.counters().refused_keys, 1);
}

/// So that the agreement above cannot come from a judge who agrees with everything.
#[tokio::test]
async fn pyzk_notices_a_clock_that_lies() {
    let faults = vec![Fault::ImpossibleDate.into()];
    let sim = ClockSim::start(Profile { faults, ..Profile::default() }).await.unwrap();
    assert!(!judge(&sim, 0).await.status.success(), "an impossible date stops pyzk");
    let dump = dump(sim.addr(), 0).await;
    assert_eq!(dump["punches"][0]["anomalies"], json!(["impossible-date"]));
}

#[tokio::test]
async fn pyzk_hears_a_live_punch_as_our_client_records_it() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut command = command(&sim, 0, 1);
    let judged = tokio::spawn(async move { command.output().await.unwrap() });
    timeout(PATIENCE, sim.until(|counters| counters.listeners == 1)).await.unwrap();
    let held = sim.punch("4", 1).unwrap();
    let judged = timeout(PATIENCE, judged).await.unwrap().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
    let heard: Value = serde_json::from_slice(&judged.stdout).unwrap();
    let time = held.local_time();
    let expected = json!([{ "user_id": "4", "time": time, "status": 1, "punch": 1 }]);
    assert_eq!(heard["live"], expected);
    assert_eq!(sim.counters().event_acks, 1);
}
