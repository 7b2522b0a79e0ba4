//! The door and a desk over a real socket, with a journal that answers as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use fournil_protocol::command::{Body as Order, Command, ReadClock, SetClockTime};
use fournil_protocol::event::{Body, CommandReport, CommandState, DeviceHealth};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::*;
use crate::seam::{self, CloudOffset, RecordError, Request};

const SERIAL: &str = "CJ7S202161";

/// A shop with one clock that may call.
struct Shop {
    at: SocketAddr,
    jobs: mpsc::Sender<Job>,
    health: watch::Receiver<DeviceHealth>,
    written: Arc<Mutex<Vec<Body>>>,
    reports: mpsc::UnboundedReceiver<CommandReport>,
    is_full: watch::Sender<bool>,
    _stop: DropGuard,
}

async fn shop(rest: &str, cloud_offset: CloudOffset) -> Shop {
    // Freed at once: the part takes it a moment later.
    let at = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let section = format!("listen = '{at}'\n[[clock]]\nname = 'a'\nserial = '{SERIAL}'\n{rest}");
    let config: PushConfig = toml::from_str(&section).unwrap();
    config.check().unwrap();
    let (recorder, mut requests) = seam::recorder();
    let written: Arc<Mutex<Vec<Body>>> = Arc::default();
    let (is_full, full) = watch::channel(false);
    let (told, reports) = mpsc::unbounded_channel();
    let facts = Arc::clone(&written);
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            let is_full = *full.borrow();
            let answer =
                if is_full { Err(RecordError::Full("the disk".to_owned())) } else { Ok(()) };
            match request {
                Request::Record { bodies, done } => {
                    if answer.is_ok() {
                        facts.lock().unwrap().extend(bodies);
                    }
                    let _ = done.send(answer);
                }
                Request::Report { report, done } => {
                    let _ = told.send(report);
                    let _ = done.send(answer);
                }
                Request::Begin { done, .. } | Request::Confirmed { done } => {
                    let _ = done.send(answer);
                }
            }
        }
    });
    let (jobs, taken) = mpsc::channel(8);
    let (tell, health) = watch::channel(DeviceHealth::default());
    let place = Place { jobs: taken, health: tell };
    let stop = CancellationToken::new();
    let around = Surroundings { cloud_offset, ..Surroundings::default() };
    tokio::spawn(run(config, recorder, vec![place], around, stop.clone()));
    Shop { at, jobs, health, written, reports, is_full, _stop: stop.drop_guard() }
}

impl Shop {
    /// One request on a connection of its own; the whole answer as text.
    async fn ask(&self, head: &str, body: &[u8]) -> String {
        let mut stream = loop {
            // Until the part listens.
            match TcpStream::connect(self.at).await {
                Ok(stream) => break stream,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let length = body.len();
        let head = format!(
            "{head} HTTP/1.1\r\nHost: box\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(&self, path: &str, query: &str) -> String {
        self.ask(&format!("GET /iclock/{path}?SN={SERIAL}{query}"), b"").await
    }

    async fn post(&self, path: &str, query: &str, body: &str) -> String {
        self.ask(&format!("POST /iclock/{path}?SN={SERIAL}{query}"), body.as_bytes()).await
    }

    fn punches(&self) -> Vec<String> {
        let written = self.written.lock().unwrap();
        let punch = |body: &Body| match body {
            Body::Punch(punch) => Some(format!("{} {}", punch.user_id, punch.local_time)),
            _ => None,
        };
        written.iter().filter_map(punch).collect()
    }

    async fn order(&self, number: u128, body: Order) {
        let command = Command { body: Some(body), ..Command::default() };
        let job = Job { id: Uuid::from_u128(number), command, interrupted_attempt: None };
        self.jobs.send(job).await.unwrap();
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

fn text(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default()
}

#[tokio::test]
async fn punches_are_in_the_journal_before_they_are_accepted() {
    let mut shop = shop("", CloudOffset::known(0)).await;
    let hello = shop.get("cdata", "&options=all").await;
    assert_eq!(status(&hello), "200", "{hello}");
    assert!(text(&hello).contains("ATTLOGStamp=0\n"), "{hello}");
    let date = hello.lines().find_map(|line| line.strip_prefix("date: ")).unwrap();
    let date = DateTimeOf::parse(date);
    assert!((crate::time::now() - date).num_seconds().abs() <= 2, "{date}");
    let lines = "1\t2026-11-27 08:00:00\t0\t1\t\t0\t0\n2\t2026-11-27 08:00:01\t0\t1\n";
    let taken = shop.post("cdata", "&table=ATTLOG&Stamp=70", lines).await;
    assert_eq!(text(&taken), "OK: 2");
    assert_eq!(shop.punches(), ["1 2026-11-27T08:00:00", "2 2026-11-27T08:00:01"]);
    assert!(text(&shop.get("cdata", "&options=all").await).contains("ATTLOGStamp=70\n"));
    // A journal that cannot write: the clock keeps what it has.
    shop.is_full.send(true).unwrap();
    let refused = shop.post("cdata", "&table=ATTLOG&Stamp=71", lines).await;
    assert_eq!((status(&refused), text(&refused)), ("503", "RETRY"));
    shop.is_full.send(false).unwrap();
    assert!(text(&shop.get("cdata", "&options=all").await).contains("ATTLOGStamp=70\n"));
    shop.health.wait_for(|health| health.code == "ok").await.unwrap();
}

/// Reads a `Date` as HTTP writes it.
struct DateTimeOf;

impl DateTimeOf {
    fn parse(text: &str) -> chrono::DateTime<chrono::Utc> {
        chrono::DateTime::parse_from_rfc2822(text.trim()).unwrap().to_utc()
    }
}

#[tokio::test]
async fn nobody_is_served_while_the_true_time_is_not_known() {
    let offset = CloudOffset::default();
    let shop = shop("", offset.clone()).await;
    let answer = shop.get("cdata", "&options=all").await;
    assert_eq!((status(&answer), text(&answer)), ("503", "RETRY"));
    assert!(!answer.to_ascii_lowercase().contains("\r\ndate:"), "{answer}");
    // A box a year behind tells the cloud's time.
    offset.set_ms(365 * 86_400_000);
    let answer = shop.get("cdata", "&options=all").await;
    let date = answer.lines().find_map(|line| line.strip_prefix("date: ")).unwrap();
    assert_eq!((DateTimeOf::parse(date) - crate::time::now()).num_days(), 364, "{date}");
}

#[tokio::test]
async fn only_who_is_named_is_heard_and_a_stranger_is_told_of_once() {
    let shop = shop("allow_from = ['127.0.0.1']", CloudOffset::known(0)).await;
    for _ in 0..2 {
        let answer = shop.ask("GET /iclock/cdata?SN=STRANGER01&options=all", b"").await;
        assert_eq!((status(&answer), text(&answer)), ("403", "UNKNOWN DEVICE"));
    }
    let told = shop.written.lock().unwrap().clone();
    assert!(
        matches!(told.as_slice(), [Body::Notice(notice)] if notice.detail.contains("STRANGER01")),
        "{told:?}"
    );
    assert_eq!(status(&shop.ask("GET /", b"").await), "404");
    assert_eq!(status(&shop.ask("GET /iclock/cdata?SN=x", b"").await), "400");
    assert_eq!(status(&shop.get("cdata", "&options=all").await), "200");
}

#[tokio::test]
async fn another_network_than_the_clocks_is_not_heard() {
    let shop = shop("allow_from = ['10.1.0.0/16']", CloudOffset::known(0)).await;
    assert_eq!(status(&shop.get("cdata", "&options=all").await), "403");
}

#[tokio::test]
async fn with_a_key_only_who_says_it_is_heard() {
    let mut shop = shop("key = 'sesame'", CloudOffset::known(0)).await;
    let line = "1\t2026-11-27 08:00:00\t0\t1\n";
    assert_eq!(status(&shop.post("cdata", "&table=ATTLOG", line).await), "403", "no hello yet");
    assert_eq!(status(&shop.get("cdata", "&options=all&pushcommkey=other").await), "403");
    shop.health.wait_for(|health| health.code == "comm-key-refused").await.unwrap();
    assert_eq!(status(&shop.get("cdata", "&options=all&pushcommkey=sesame").await), "200");
    assert_eq!(text(&shop.post("cdata", "&table=ATTLOG", line).await), "OK: 1");
    shop.health.wait_for(|health| health.code == "ok").await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_accepted() {
    let shop = shop("", CloudOffset::known(0)).await;
    let torn = [0x1f, 0x8b, 8, 0, 0, 0];
    let head = format!("POST /iclock/cdata?SN={SERIAL}&table=ATTLOG");
    let answer = shop.ask(&head, &torn).await;
    assert_eq!((status(&answer), text(&answer)), ("400", "RETRY"));
    assert_eq!(status(&shop.post("cdata", "&table=rtlog", "time=1").await), "400");
    let large = "x".repeat(fournil_protocol::iclock::BODY_BYTES_MAX + 1);
    let answer = shop.post("cdata", "&table=ATTLOG", &large).await;
    assert_eq!((status(&answer), text(&answer)), ("413", "RETRY"));
    assert!(shop.punches().is_empty());
}

#[tokio::test]
async fn an_order_waits_for_the_clocks_call_and_ends_with_its_answer() {
    let mut shop = shop("", CloudOffset::known(0)).await;
    shop.get("cdata", "&options=all").await;
    shop.order(0xbeef, Order::ReadClock(ReadClock { whole: true, ..ReadClock::default() })).await;
    let given = loop {
        let given = shop.get("getrequest", "&INFO=Ver%206.60,12,24,1500").await;
        if text(&given) != "OK" {
            break given;
        }
    };
    let line = text(&given);
    assert!(line.starts_with("C:P00000000beef:DATA QUERY ATTLOG StartTime=2000-01-01"), "{line}");
    let answer = shop.post("devicecmd", "", "ID=P00000000beef&Return=3&CMD=DATA").await;
    assert_eq!(text(&answer), "OK");
    let report = shop.reports.recv().await.unwrap();
    assert_eq!(report.state(), CommandState::Done);
    let health = shop.health.wait_for(|health| health.records == 1_500).await.unwrap().clone();
    assert!(health.detail.contains("Ver 6.60"), "{health:?}");
    // What would change it is not for a clock that calls.
    shop.order(0xcafe, Order::SetClockTime(SetClockTime {})).await;
    let report = shop.reports.recv().await.unwrap();
    assert_eq!(
        (report.state(), report.reason.as_str()),
        (CommandState::Failed, "clock-only-calls")
    );
}

#[tokio::test]
async fn users_are_told_beside_the_table() {
    let shop = shop("", CloudOffset::known(0)).await;
    let lines = "USER PIN=7\tName=Ana\tPri=0\tPasswd=1234\tCard=[15CD5B07]\tGrp=1\n\
                 OPLOG 4\t0\t2026-11-27 08:00:00\t0\t0\t0\t0\nFP PIN=7\tFID=1\tTMP=AAAA\n";
    let taken = shop.post("cdata", "&table=OPERLOG&OpStamp=9", lines).await;
    assert_eq!(text(&taken), "OK: 3");
    let written = shop.written.lock().unwrap().clone();
    let users = written.iter().find_map(|body| match body {
        Body::ClockUsers(users) => Some(users.clone()),
        _ => None,
    });
    let users = users.unwrap();
    assert!(users.is_partial);
    let user = users.users.first().unwrap();
    assert_eq!((user.user_id.as_str(), user.card), ("7", 123_456_789));
    assert!(
        written
            .iter()
            .any(|body| matches!(body, Body::ClockOperation(line) if line.operation == 4))
    );
    assert!(!format!("{written:?}").contains("1234\""), "no password");
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_and_tried_again() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap();
    let section = format!("listen = '{listen}'\n[[clock]]\nname = 'a'\nserial = '{SERIAL}'");
    let (recorder, _requests) = seam::recorder();
    let (_jobs, jobs) = mpsc::channel(8);
    let (tell, mut health) = watch::channel(DeviceHealth::default());
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let places = vec![Place { jobs, health: tell }];
    let around = Surroundings { cloud_offset: CloudOffset::known(0), ..Surroundings::default() };
    tokio::spawn(run(toml::from_str(&section).unwrap(), recorder, places, around, stop));
    let health = health.wait_for(|health| health.code == "push-not-listening").await.unwrap();
    assert!(health.detail.contains(&listen.to_string()), "{health:?}");
}
