//! The simulated clock itself: its silence to broken frames, its page, its timer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fournil_gateway::clock::wire::{Frame, FrameReader, code};
use fournil_tests::clock_sim::{ClockSim, Profile, PushTo};
use fournil_tests::world::daemon::simulator;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
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
    let mut sim = simulator(args).unwrap();
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

/// Takes what a clock pushes; refuses the first block, as a server with a full disk would.
async fn receive(listener: tokio::net::TcpListener, lines: mpsc::UnboundedSender<String>) {
    let refused = Arc::new(AtomicBool::new(false));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (lines, refused) = (lines.clone(), Arc::clone(&refused));
        let service = service_fn(move |request: Request<Incoming>| {
            let (lines, refused) = (lines.clone(), Arc::clone(&refused));
            async move {
                let uri = request.uri().to_string();
                assert!(uri.contains("SN=SIM0000000001"), "{uri}");
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let answer = match uri {
                    uri if uri.contains("options=all") => "ATTLOGStamp=None\nErrorDelay=0\nDelay=1",
                    uri if !uri.contains("table=ATTLOG") => "OK",
                    _ if !refused.swap(true, Ordering::SeqCst) => "RETRY",
                    _ => {
                        for line in String::from_utf8_lossy(&body).lines() {
                            lines.send(line.to_owned()).unwrap();
                        }
                        "OK: 1"
                    }
                };
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(answer))))
            }
        });
        tokio::spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[tokio::test]
async fn a_clock_that_pushes_sends_each_punch_until_it_is_accepted() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (to, mut lines) = mpsc::unbounded_channel();
    let receiving = tokio::spawn(receive(listener, to));
    let profile = Profile {
        push: Some(PushTo { url, ..PushTo::default() }),
        punches: 250,
        ..Profile::default()
    };
    let sim = ClockSim::start(profile).await.unwrap();
    let mut pushed = Vec::new();
    let mut next = async || timeout(PATIENCE, lines.recv()).await.unwrap().unwrap();
    for _ in 0..250 {
        pushed.push(next().await);
    }
    sim.punch("5", 1).unwrap();
    pushed.push(next().await);
    let held = sim.punches();
    let held = held.iter().map(|punch| {
        let time = punch.local_time().replace('T', " ");
        format!("{}\t{time}\t{}\t{}\t\t0\t0", punch.user_id, punch.state, punch.verify)
    });
    assert_eq!(pushed, held.collect::<Vec<_>>());
    receiving.abort();
}
