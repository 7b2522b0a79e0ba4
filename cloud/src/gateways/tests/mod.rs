//! Gateways against a real PostgreSQL: a shop's box played over an in-memory WebSocket.

mod certificates;
mod classes;
mod commands;
mod ends;
mod enrolment;
mod gate;
mod impossible;
mod inquiry;
mod keys;
mod pages;
mod property;
mod sessions;
mod transfers;

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use fournil_protocol::Versions;
use fournil_protocol::command::Command;
use fournil_protocol::enrol::{EnrolRequest, normalise_code, signed_bytes};
use fournil_protocol::event::{Body, CommandReport, CommandState, Event, Evidence, Punch, Stamp};
use fournil_protocol::frame::{Ack, Events, Frame, Goodbye, Kind};
use fournil_protocol::hello::{self, DownHead, Hello, UpHead, Welcome};
use futures_util::{SinkExt, StreamExt};
use prost::Message as _;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::model::Identity;
use super::outbox::{self, NewCommand};
use super::{Ended, EventSink, Hub, HubOptions, enrol};
use crate::db::testing::TestDb;
use crate::ingest::Ingest;
use crate::time::TimeSource;

const PUBLIC_NAME: &str = "erp.example.dz";
const PATIENCE: Duration = Duration::from_secs(10);

/// A company with one enrolled gateway and a running hub.
struct World {
    test: TestDb,
    hub: Hub,
    stop: CancellationToken,
    key: Ed25519KeyPair,
    gateway_id: Uuid,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    async fn new() -> Self {
        Self::with(Arc::new(Ingest), HubOptions::HEARTBEAT).await
    }

    async fn with(sink: Arc<dyn EventSink>, heartbeat: Duration) -> Self {
        let test = TestDb::new().await;
        let (gateway_id, key) = enrolled(&test, "Comptoir").await;
        let stop = CancellationToken::new();
        let hub = hub(&test, sink, heartbeat, "node-1", &stop);
        tokio::spawn({
            let hub = hub.clone();
            async move { hub.run().await }
        });
        Self { test, hub, stop, key, gateway_id }
    }

    fn identity(&self) -> Identity {
        Identity {
            company: self.test.company,
            gateway_id: self.gateway_id,
            name: "Comptoir".into(),
        }
    }

    /// Dials without a word.
    fn dial(&self) -> Shop {
        Self::dial_node(&self.hub)
    }

    fn dial_node(hub: &Hub) -> Shop {
        Self::dial_from("192.0.2.7", hub)
    }

    fn dial_from(peer: &'static str, hub: &Hub) -> Shop {
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        let hub = hub.clone();
        let served = tokio::spawn(async move {
            let socket = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
            hub.serve(socket, peer).await
        });
        Shop { socket: ours.into(), served }
    }

    /// Dials and says Hello as `hello` shapes it.
    async fn connect(&self, hello: Hello) -> (Shop, Welcome) {
        let mut shop = self.dial();
        let welcome = shop.greet(&self.key, self.gateway_id, hello).await;
        let welcome = welcome.unwrap_or_else(|refusal| panic!("refused: {refusal:?}"));
        (shop, welcome)
    }

    async fn punch_count(&self) -> i64 {
        let mut scope = self.test.db.read(self.test.company).await.expect("scope");
        sqlx::query_scalar!(r#"select count(*) as "count!" from punches"#)
            .fetch_one(scope.connection())
            .await
            .expect("count")
    }

    async fn durable(&self, epoch: u64) -> i64 {
        let mut scope = self.test.db.read(self.test.company).await.expect("scope");
        sqlx::query_scalar!(
            "select durable from gateway_up where gateway_id = $1 and epoch = $2",
            self.gateway_id,
            epoch.cast_signed()
        )
        .fetch_one(scope.connection())
        .await
        .expect("watermark")
    }

    /// Queues a reading of the devices' state; its source is new each time.
    async fn ask_status(&self) -> Uuid {
        self.ask(outbox_body_status(), None).await
    }

    async fn ask(
        &self,
        body: fournil_protocol::command::Body,
        not_after: Option<chrono::DateTime<chrono::Utc>>,
    ) -> Uuid {
        let mut act = self.test.db.begin(&self.test.actor()).await.expect("act");
        let new = NewCommand {
            gateway_id: self.gateway_id,
            device: "",
            title: "",
            body,
            not_after,
            source_kind: "test",
            source_id: Uuid::now_v7(),
            purpose: "test",
            copy_of: None,
        };
        let id = outbox::enqueue(&mut act, new).await.expect("enqueue");
        act.commit().await.expect("commit");
        id
    }

    async fn state(&self, command_id: Uuid) -> (String, String) {
        let mut scope = self.test.db.read(self.test.company).await.expect("scope");
        let row =
            sqlx::query!("select state, reason from commands where command_id = $1", command_id)
                .fetch_one(scope.connection())
                .await
                .expect("command");
        (row.state, row.reason)
    }

    /// Waits until a command has a state; the hint of each change is the event.
    async fn await_state(&self, command_id: Uuid, wanted: &str) {
        let mut hints = self.test.db.hints().listen();
        let waiting = async {
            while self.state(command_id).await.0 != wanted {
                let _ = timeout(Duration::from_millis(200), hints.recv()).await;
            }
        };
        let waited = timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "state is {:?}, not {wanted}", self.state(command_id).await);
    }

    async fn notices(&self) -> Vec<(String, String)> {
        let mut scope = self.test.db.read(self.test.company).await.expect("scope");
        sqlx::query!("select code, detail from gateway_notices order by notice_id")
            .fetch_all(scope.connection())
            .await
            .expect("notices")
            .into_iter()
            .map(|row| (row.code, row.detail))
            .collect()
    }
}

fn outbox_body_status() -> fournil_protocol::command::Body {
    fournil_protocol::command::Body::ReadStatus(fournil_protocol::command::ReadStatus {})
}

fn hub(
    test: &TestDb,
    sink: Arc<dyn EventSink>,
    heartbeat: Duration,
    node: &str,
    stop: &CancellationToken,
) -> Hub {
    let options = HubOptions {
        db: test.db.clone(),
        time: TimeSource::system(),
        public_name: PUBLIC_NAME.into(),
        node: node.into(),
        heartbeat,
        versions: Versions::BUILT,
        handshakes_per_s: HubOptions::HANDSHAKES_PER_S,
        stop: stop.clone(),
    };
    Hub::new(options, sink)
}

fn new_key() -> Ed25519KeyPair {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("key");
    Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("key")
}

/// A gateway that went through the real enrolment.
async fn enrolled(test: &TestDb, name: &str) -> (Uuid, Ed25519KeyPair) {
    let (gateway_id, code) = waiting(test, name).await;
    let key = new_key();
    enrol::redeem(&test.db, &TimeSource::system(), &request(&code, &key)).await.expect("enrolled");
    (gateway_id, key)
}

/// A gateway that waits for its machine, and its code.
async fn waiting(test: &TestDb, name: &str) -> (Uuid, String) {
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let gateway_id = enrol::create_gateway(&mut act, test.store, name).await.expect("gateway");
    let code = enrol::new_code(&mut act, gateway_id).await.expect("code");
    act.commit().await.expect("commit");
    (gateway_id, code.code)
}

fn request(code: &str, key: &Ed25519KeyPair) -> EnrolRequest {
    let public_key = key.public_key().as_ref();
    let normal = normalise_code(code).expect("a code");
    let signature = key.sign(&signed_bytes(&normal, public_key));
    EnrolRequest {
        code: code.into(),
        public_key: BASE64.encode(public_key),
        signature: BASE64.encode(signature.as_ref()),
        software: "0.1.0".into(),
        hostname: "caisse-1".into(),
    }
}

/// A Hello of a journal with `last` events in it.
fn hello(epoch: u64, last: u64) -> Hello {
    Hello {
        incarnation: 1,
        boot_id: vec![1; 16],
        up: UpHead { epoch, first_kept: 1, last, head_hash: Vec::new(), acked: 0 },
        down: DownHead { epoch: 0, durable: 0 },
        software: "0.1.0".into(),
        ..Hello::default()
    }
}

fn punch(number: u64) -> Punch {
    Punch {
        clock_serial: "CLOCK".into(),
        user_id: format!("{}", number % 7),
        local_time: format!(
            "2026-11-24T{:02}:{:02}:{:02}",
            number / 3600,
            number / 60 % 60,
            number % 60
        ),
        zone: "Africa/Algiers".into(),
        instant_ms: Some(1_795_478_400_000 + i64::try_from(number).expect("small") * 1000),
        state: 0,
        verify: 1,
        occurrence: 0,
        raw: vec![1, 2, 3],
        layout: "40".into(),
        source: 1,
        anomalies: Vec::new(),
    }
}

fn event(seq: u64, body: Body) -> Vec<u8> {
    event_with_offset(seq, body, None)
}

/// One whose box had measured our time minus its own.
fn event_with_offset(seq: u64, body: Body, cloud_offset_ms: Option<i64>) -> Vec<u8> {
    let recorded = Some(Stamp { wall_ms: 1_795_478_400_000, cloud_offset_ms, ..Stamp::default() });
    Event { seq, recorded, body: Some(body) }.encode_to_vec()
}

/// A batch of punches, one for each sequence.
fn batch(epoch: u64, sequences: impl IntoIterator<Item = u64>) -> Events {
    let events = sequences.into_iter().map(|seq| event(seq, Body::Punch(punch(seq)))).collect();
    Events { epoch, events }
}

fn report(command_id: Uuid, state: CommandState, reason: &str, evidence: Evidence) -> Body {
    Body::CommandReport(CommandReport {
        command_id: command_id.as_bytes().to_vec(),
        state: state as i32,
        evidence: evidence as i32,
        reason: reason.into(),
        attempt: 1,
        ..CommandReport::default()
    })
}

enum Line {
    Raw(DuplexStream),
    Open(Box<WebSocketStream<DuplexStream>>),
}

impl From<DuplexStream> for Line {
    fn from(stream: DuplexStream) -> Self {
        Self::Raw(stream)
    }
}

/// The shop's end of one tunnel.
struct Shop {
    socket: Line,
    served: JoinHandle<Ended>,
}

impl Shop {
    async fn line(&mut self) -> &mut WebSocketStream<DuplexStream> {
        if let Line::Raw(_) = self.socket {
            let (placeholder, _) = tokio::io::duplex(1);
            let Line::Raw(stream) = std::mem::replace(&mut self.socket, Line::Raw(placeholder))
            else {
                unreachable!("just looked")
            };
            let open = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
            self.socket = Line::Open(Box::new(open));
        }
        let Line::Open(socket) = &mut self.socket else { unreachable!("just opened") };
        socket
    }

    async fn send(&mut self, kind: Kind) {
        let bytes = Frame::from(kind).encode_bytes().expect("a frame");
        let _ = self.line().await.send(Message::binary(bytes)).await;
    }

    /// The next frame that says something; `None` at the end.
    async fn next(&mut self) -> Option<Kind> {
        loop {
            let message = timeout(PATIENCE, self.line().await.next()).await.expect("a frame");
            match message {
                None | Some(Err(_) | Ok(Message::Close(_))) => return None,
                Some(Ok(Message::Binary(bytes))) => {
                    match Frame::decode_bytes(&bytes).expect("a frame").kind {
                        None | Some(Kind::Ping(_)) => {}
                        Some(kind) => return Some(kind),
                    }
                }
                Some(Ok(_)) => {}
            }
        }
    }

    async fn greet(
        &mut self,
        key: &Ed25519KeyPair,
        gateway_id: Uuid,
        hello: Hello,
    ) -> Result<Welcome, Goodbye> {
        self.say_hello(key, gateway_id, hello).await;
        match self.next().await {
            Some(Kind::Welcome(welcome)) => Ok(welcome),
            Some(Kind::Goodbye(goodbye)) => Err(goodbye),
            other => panic!("neither welcome nor goodbye: {other:?}"),
        }
    }

    /// Answers the challenge and waits for nothing.
    async fn say_hello(&mut self, key: &Ed25519KeyPair, gateway_id: Uuid, mut hello: Hello) {
        let Some(Kind::Challenge(challenge)) = self.next().await else { panic!("no challenge") };
        if hello.version == 0 {
            hello.version = 1;
        }
        hello.gateway_id = gateway_id.as_bytes().to_vec();
        if hello.server_name.is_empty() {
            hello.server_name = PUBLIC_NAME.into();
        }
        let signed = hello::signed_bytes(
            hello.version,
            &hello.server_name,
            &challenge.nonce,
            &hello.gateway_id,
        );
        hello.signature = key.sign(&signed).as_ref().to_vec();
        self.send(Kind::Hello(hello)).await;
    }

    async fn next_up_ack(&mut self) -> u64 {
        match self.next().await {
            Some(Kind::Ack(Ack { up_durable: Some(durable), .. })) => durable,
            other => panic!("not an acknowledgement: {other:?}"),
        }
    }

    /// Acks may be put together: waits for the one that covers `seq`.
    async fn await_up_ack(&mut self, seq: u64) {
        while self.next_up_ack().await < seq {}
    }

    async fn next_commands(&mut self) -> Vec<Command> {
        match self.next().await {
            Some(Kind::Commands(commands)) => commands.commands,
            other => panic!("not commands: {other:?}"),
        }
    }

    async fn goodbye(&mut self) -> Goodbye {
        match self.next().await {
            Some(Kind::Goodbye(goodbye)) => goodbye,
            other => panic!("not a goodbye: {other:?}"),
        }
    }

    async fn confirm(&mut self, durable: u64) {
        self.send(Kind::Ack(Ack { up_durable: None, down_durable: Some(durable) })).await;
    }

    /// Cuts the line without a word and waits until the cloud noticed.
    async fn cut(self) -> Ended {
        drop(self.socket);
        self.served.await.expect("session")
    }
}

fn id_of(command: &Command) -> Uuid {
    Uuid::from_slice(&command.command_id).expect("id")
}
