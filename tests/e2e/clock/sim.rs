//! The simulated clock itself: its silence to broken frames, its page, its timer.

use std::time::Duration;

use fournil_gateway::clock::wire::{Frame, FrameReader, code};
use fournil_tests::clock_sim::{ClockSim, Profile};
use fournil_tests::world::daemon::{Daemon, Spec, binary};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::shop::{PATIENCE, config, open_shop};

/// One request over a connection of its own: status and body.
pub(crate) async fn http(
    addr: std::net::SocketAddr,
    head: &str,
    body: &str,
) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!(
        "{head} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer[end + 4..].to_vec())
}

#[tokio::test]
async fn a_frame_with_a_wrong_checksum_is_met_with_silence_and_a_good_one_answered() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut line = TcpStream::connect(sim.addr()).await.unwrap();
    let connect = Frame { command: code::CONNECT, session: 0, reply: 0, data: Vec::new() };
    let good = connect.encode();
    let mut bad = good.clone();
    // Two bytes of the checksum follow the command, behind a head of eight.
    bad[10] ^= 0x55;
    line.write_all(&bad).await.unwrap();
    timeout(PATIENCE, sim.until(|counters| counters.bad_frames == 1)).await.unwrap();
    let silence = timeout(Duration::from_millis(300), line.read_u8()).await;
    assert!(silence.is_err(), "it answered: {silence:?}");
    assert_eq!(sim.counters().requests, 0);
    line.write_all(&good).await.unwrap();
    let mut reader = FrameReader::default();
    let answer = loop {
        if let Some(answer) = reader.next_frame().unwrap() {
            break answer;
        }
        assert!(timeout(PATIENCE, line.read_buf(reader.buffer())).await.unwrap().unwrap() > 0);
    };
    assert_eq!((answer.command, answer.reply), (code::ACK_OK, 0));
    assert_eq!((sim.counters().bad_frames, sim.counters().requests), (1, 1));
}

#[tokio::test]
async fn a_button_of_the_page_is_a_punch() {
    let http_addr = Some("127.0.0.1:0".parse().unwrap());
    let sim = ClockSim::start(Profile { http: http_addr, ..Profile::default() }).await.unwrap();
    let page = sim.http_addr().unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    let (status, _, html) = http(page, "GET /", "").await;
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&html).contains("action=/punch"));
    let (status, head, _) = http(page, "POST /punch", "user_id=3&state=1").await;
    assert_eq!(status, 303, "{head}");
    let punch = shop.punch().await;
    assert_eq!((punch.user_id.as_str(), punch.state), ("3", 1));
    assert_eq!(http(page, "POST /punch", "user_id=99&state=0").await.0, 404);
    let (_, _, state) = http(page, "GET /state", "").await;
    let state: Value = serde_json::from_slice(&state).unwrap();
    assert_eq!(state["punches"], 61);
}

#[tokio::test]
async fn the_programs_timer_punches_and_sigterm_ends_it() {
    let args = "clock --listen 127.0.0.1:0 --http 127.0.0.1:0 --punches 4 --punch-every 1 --json";
    let mut sim = Daemon::start(Spec {
        name: "fournil-sim",
        program: binary("fournil-sim").unwrap(),
        args: args.split(' ').map(str::to_owned).collect(),
        env: Vec::new(),
    })
    .unwrap();
    let line = sim.wait_for_line("\"http\"", PATIENCE).await.unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    let page = said["http"].as_str().unwrap().parse().unwrap();
    let punched = async {
        loop {
            let (_, _, state) = http(page, "GET /state", "").await;
            let state: Value = serde_json::from_slice(&state).unwrap();
            if state["punches"].as_u64().unwrap() >= 6 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, punched).await.unwrap();
    assert!(sim.stop(PATIENCE).await.unwrap().success());
}
