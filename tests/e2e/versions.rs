//! Every pairing of versions, with the cloud's and the gateway's own session code: the whole
//! of what both speak works, and nothing of what only one speaks is said.

use std::sync::Arc;
use std::time::Duration;

use fournil_cloud::db::testing::TestDb;
use fournil_cloud::gateways::outbox::{self, NewCommand};
use fournil_cloud::gateways::{Hub, HubOptions, State, enrol};
use fournil_cloud::ingest::Ingest;
use fournil_cloud::time::TimeSource as CloudTime;
use fournil_gateway::journal::{Journal, JournalConfig, TimeSource};
use fournil_gateway::seam::{CloudOffset, JOBS_MAX, Job};
use fournil_gateway::supervise::Pulse;
use fournil_gateway::tunnel::ambient::Ambient;
use fournil_gateway::tunnel::connect::socket_config;
use fournil_gateway::tunnel::identity::{Enrolled, Identity, PendingKey};
use fournil_gateway::tunnel::metered::Metered;
use fournil_gateway::tunnel::session::{self, End, Ended, Terms};
use fournil_gateway::tunnel::state::TunnelState;
use fournil_gateway::tunnel::uploads::{Outcome, Uploads};
use fournil_protocol::command::{Body, OpenDrawer, SendDiagnostics};
use fournil_protocol::enrol::{EnrolRequest, normalise_code, signed_bytes};
use fournil_protocol::event::{Body as Fact, CommandReport, CommandState, Notice};
use fournil_protocol::{Versions, close};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PUBLIC_NAME: &str = "erp.example.dz";
const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough for something that must not happen to happen.
const QUIET: Duration = Duration::from_millis(300);

struct Pair {
    test: TestDb,
    gateway_id: Uuid,
    journal: Journal,
    uploads: Uploads,
    jobs: mpsc::Receiver<Job>,
    session: JoinHandle<Ended>,
    stop: CancellationToken,
    #[expect(dead_code, reason = "held so that the journal has a place")]
    folder: tempfile::TempDir,
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A cloud and a gateway that speak these versions, joined by a pipe.
async fn meet(cloud: Versions, gateway: Versions) -> Pair {
    let test = TestDb::new().await;
    let folder = tempfile::tempdir().unwrap();
    let gateway_id = enrolled(&test, folder.path()).await;
    let stop = CancellationToken::new();
    let options = HubOptions {
        db: test.db.clone(),
        time: CloudTime::system(),
        public_name: PUBLIC_NAME.into(),
        node: "node-1".into(),
        heartbeat: HubOptions::HEARTBEAT,
        versions: cloud,
        handshakes_per_s: HubOptions::HANDSHAKES_PER_S,
        stop: stop.clone(),
    };
    let hub = Hub::new(options, Arc::new(Ingest));
    tokio::spawn({
        let hub = hub.clone();
        async move { hub.run().await }
    });
    let time = TimeSource::system().unwrap();
    let boot_id = time.boot_id();
    let (journal, opened) =
        Journal::open(&folder.path().join("journal"), JournalConfig::default(), time).unwrap();
    let (ours, theirs) = tokio::io::duplex(256 * 1024);
    let config = Some(socket_config());
    tokio::spawn(async move {
        let socket = WebSocketStream::from_raw_socket(theirs, Role::Server, config).await;
        hub.serve(socket, "192.0.2.7").await
    });
    let (jobs_out, jobs) = mpsc::channel(JOBS_MAX);
    let uploads = Uploads::default();
    let terms = Terms {
        log: journal.clone(),
        identity: watch::channel(Arc::new(Identity::load(folder.path()).unwrap())).1,
        server_name: PUBLIC_NAME.into(),
        incarnation: opened.incarnation,
        boot_id,
        ambient: Ambient::system(),
        jobs: jobs_out,
        cloud_offset: CloudOffset::default(),
        state: watch::channel(TunnelState::default()).0,
        pulse: Pulse::new(PATIENCE),
        versions: gateway,
        uploads: uploads.clone(),
    };
    let socket = WebSocketStream::from_raw_socket(Metered::new(ours), Role::Client, config).await;
    let token = stop.clone();
    let session = tokio::spawn(async move { session::run(socket, &terms, &token).await });
    Pair { test, gateway_id, journal, uploads, jobs, session, stop, folder }
}

/// The real enrolment, in one process.
async fn enrolled(test: &TestDb, state_dir: &std::path::Path) -> Uuid {
    let mut act = test.db.begin(&test.actor()).await.unwrap();
    let gateway_id = enrol::create_gateway(&mut act, test.store, "Comptoir").await.unwrap();
    let code = enrol::new_code(&mut act, gateway_id).await.unwrap().code;
    act.commit().await.unwrap();
    let key = PendingKey::take_up(state_dir).unwrap();
    let signed = signed_bytes(&normalise_code(&code).unwrap(), key.public_key());
    let request = EnrolRequest {
        code,
        public_key: data_encoding::BASE64.encode(key.public_key()),
        signature: data_encoding::BASE64.encode(&key.sign(&signed)),
        software: "0.1.0".into(),
        hostname: "caisse-1".into(),
    };
    let answer = enrol::redeem(&test.db, &CloudTime::system(), &request).await.unwrap();
    let enrolled = Enrolled {
        gateway_id,
        name: answer.name,
        company: "Boulangerie".into(),
        url: format!("https://{PUBLIC_NAME}"),
        fingerprint: key.fingerprint(),
        ca_pem: None,
    };
    key.adopt(&enrolled).unwrap();
    gateway_id
}

impl Pair {
    async fn ask(&self, body: Body) -> (Uuid, Uuid) {
        let source_id = Uuid::now_v7();
        let mut act = self.test.db.begin(&self.test.actor()).await.unwrap();
        let new = NewCommand {
            gateway_id: self.gateway_id,
            device: "",
            title: "",
            body,
            not_after: Some(act.now() + chrono::TimeDelta::minutes(1)),
            source_kind: "test",
            source_id,
            purpose: "test",
            copy_of: None,
        };
        let id = outbox::enqueue(&mut act, new).await.unwrap();
        act.commit().await.unwrap();
        (id, source_id)
    }

    async fn until(&self, source_id: Uuid, wanted: State) {
        let mut hints = self.test.db.hints().listen();
        let waiting = async {
            loop {
                let company = self.test.company;
                let mut scope = self.test.db.read(company).await.unwrap();
                let ids = [source_id];
                let found = outbox::of_sources(&mut scope, company, "test", &ids, "test").await;
                let found = found.unwrap();
                drop(scope);
                if found.iter().any(|command| command.state == wanted) {
                    return;
                }
                let _ = timeout(Duration::from_millis(200), hints.recv()).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never {wanted:?}"));
    }

    /// A fact goes up, a command down and its report up.
    async fn carries_the_logs(&mut self) {
        let notice = Notice { code: "journal-recovered".into(), ..Notice::default() };
        self.journal.append(vec![Fact::Notice(notice)]).await.unwrap();
        let (id, source_id) = self.ask(Body::OpenDrawer(OpenDrawer { pin: 2 })).await;
        let job = timeout(PATIENCE, self.jobs.recv()).await.unwrap().unwrap();
        assert_eq!(job.id, id);
        self.until(source_id, State::Delivered).await;
        self.settle(id, CommandState::Done).await;
        self.until(source_id, State::Done).await;
    }

    async fn settle(&self, id: Uuid, state: CommandState) {
        let report = CommandReport {
            command_id: id.as_bytes().to_vec(),
            state: state as i32,
            ..CommandReport::default()
        };
        self.journal.report(report).await.unwrap();
    }

    /// Asks for a diagnostic and offers one; true when the cloud takes it.
    async fn carries_a_transfer(&mut self, patience: Duration) -> bool {
        let (id, source_id) =
            self.ask(Body::SendDiagnostics(SendDiagnostics { bytes_max: 0 })).await;
        let job = timeout(PATIENCE, self.jobs.recv()).await.unwrap().unwrap();
        assert!(matches!(job.command.body, Some(Body::SendDiagnostics(_))), "{job:?}");
        let mut begun = self.uploads.begin(id).unwrap();
        begun.send((0..100_000_u32).flat_map(u32::to_le_bytes).collect()).unwrap();
        // Both sides can: it is stored. One cannot: it stays where it is.
        let is_stored = timeout(patience, begun.outcome()).await.is_ok_and(|outcome| {
            assert_eq!(outcome, Outcome::Stored);
            true
        });
        drop(begun);
        self.settle(id, CommandState::Done).await;
        self.until(source_id, State::Done).await;
        is_stored
    }
}

#[tokio::test]
async fn every_pairing_of_versions_works_with_what_both_speak() {
    let (old, new) = (Versions::only(1), Versions::BUILT);
    for (cloud, gateway, has_transfers) in
        [(old, old, false), (old, new, false), (new, old, false), (new, new, true)]
    {
        let mut pair = meet(cloud, gateway).await;
        pair.carries_the_logs().await;
        let patience = if has_transfers { PATIENCE } else { QUIET };
        let is_stored = pair.carries_a_transfer(patience).await;
        assert_eq!(is_stored, has_transfers, "{cloud:?} {gateway:?}");
        // A frame that one side does not know would have ended the session.
        pair.carries_the_logs().await;
        assert!(!pair.session.is_finished(), "{cloud:?} {gateway:?}");
    }
}

#[tokio::test]
async fn ends_without_a_common_version_say_so() {
    let mut pair = meet(Versions::only(2), Versions::only(1)).await;
    let ended = timeout(PATIENCE, &mut pair.session).await.unwrap().unwrap();
    assert!(matches!(ended.why, End::Refused { code: close::VERSION, .. }), "{ended:?}");
}
