//! Enrolment and tunnel over real TLS on the loopback, against a cloud of a few lines.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use data_encoding::BASE64;
use fournil_protocol::enrol::{self as wire, EnrolAnswer, EnrolRefusal, EnrolRequest};
use fournil_protocol::frame::{Frame, Kind};
use fournil_protocol::hello::{Challenge, Hello, Welcome};
use fournil_protocol::{SUBPROTOCOL, Versions, fingerprint};
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use ring::signature::{ED25519, UnparsedPublicKey};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request as Asked, Response as Given};

use super::ambient::Ambient;
use super::enrol::{EnrolError, Enrolment};
use super::identity::{Enrolled, Identity, PendingKey};
use super::session::Terms;
use super::state::{Phase, TunnelState};
use super::uploads::Uploads;
use super::*;
use crate::journal::{Journal, JournalConfig, TimeSource};
use crate::seam::CloudOffset;
use crate::supervise::Pulse;

/// A private authority and a server certificate of it for `localhost`.
pub(super) struct Pki {
    folder: tempfile::TempDir,
    pub(super) acceptor: TlsAcceptor,
}

pub(super) fn pki() -> Pki {
    let folder = tempfile::tempdir().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap();
    std::fs::write(folder.path().join("ca.pem"), root.pem()).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    Pki { folder, acceptor: TlsAcceptor::from(Arc::new(config)) }
}

impl Pki {
    pub(super) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

pub(super) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A cloud that knows one code.
async fn enrolling_cloud(pki: &Pki) -> SocketAddr {
    let (listener, address) = listen().await;
    let acceptor = pki.acceptor.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service = service_fn(redeem);
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        }
    });
    address
}

async fn redeem(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    assert_eq!(request.uri().path(), "/gateway/enrol");
    let body = request.into_body().collect().await?.to_bytes();
    let request: EnrolRequest = serde_json::from_slice(&body).unwrap();
    let answer = |status, json: Vec<u8>| {
        Ok(Response::builder().status(status).body(Full::new(Bytes::from(json))).unwrap())
    };
    if request.code != "ABCDEFGH" {
        let refusal = EnrolRefusal {
            error: "code-unknown".into(),
            message: "Ce code n'existe pas : demandez-en un autre.".into(),
        };
        return answer(StatusCode::FORBIDDEN, serde_json::to_vec(&refusal).unwrap());
    }
    let key = BASE64.decode(request.public_key.as_bytes()).unwrap();
    let signature = BASE64.decode(request.signature.as_bytes()).unwrap();
    let signed = wire::signed_bytes(&request.code, &key);
    UnparsedPublicKey::new(&ED25519, &key).verify(&signed, &signature).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, &key);
    let answered = EnrolAnswer {
        gateway_id: "0190a000-0000-7000-8000-000000000001".into(),
        name: "Caisse".into(),
        company: "Boulangerie".into(),
        fingerprint: fingerprint::words(digest.as_ref().try_into().unwrap()),
    };
    answer(StatusCode::OK, serde_json::to_vec(&answered).unwrap())
}

fn enrolment(pki: &Pki, state: &tempfile::TempDir, address: SocketAddr) -> Enrolment {
    Enrolment {
        state_dir: state.path().to_owned(),
        url: format!("https://localhost:{}", address.port()),
        code: "abcd-efgh".into(),
        ca_file: Some(pki.ca_file()),
        force: false,
    }
}

#[tokio::test]
async fn a_good_code_makes_an_identity_that_remembers_its_cloud() {
    let (pki, state) = (pki(), tempfile::tempdir().unwrap());
    let address = enrolling_cloud(&pki).await;
    let enrolled = enrol::run(&enrolment(&pki, &state, address)).await.unwrap();
    let identity = Identity::load(state.path()).unwrap();
    assert_eq!(identity.enrolled, enrolled);
    assert_eq!(identity.fingerprint(), enrolled.fingerprint);
    assert!(identity.enrolled.ca_pem.unwrap().contains("BEGIN CERTIFICATE"));
    assert_eq!(identity.enrolled.url, format!("https://localhost:{}", address.port()));

    let again = enrol::run(&enrolment(&pki, &state, address)).await.unwrap_err();
    assert!(matches!(again, EnrolError::AlreadyEnrolled(_)), "{again}");
    let forced = Enrolment { force: true, ..enrolment(&pki, &state, address) };
    let other = enrol::run(&forced).await.unwrap();
    assert_ne!(other.fingerprint, enrolled.fingerprint);
}

#[tokio::test]
async fn a_wrong_code_is_refused_in_the_clouds_words_and_leaves_nothing() {
    let (pki, state) = (pki(), tempfile::tempdir().unwrap());
    let address = enrolling_cloud(&pki).await;
    let mistyped = Enrolment { code: "ABCD-EFGZ".into(), ..enrolment(&pki, &state, address) };
    let error = enrol::run(&mistyped).await.unwrap_err();
    assert_eq!(error.to_string(), "Ce code n'existe pas : demandez-en un autre.");
    assert!(Identity::load(state.path()).is_err());
}

#[tokio::test]
async fn a_server_nobody_vouches_for_gets_no_code() {
    let (pki, state) = (pki(), tempfile::tempdir().unwrap());
    let address = enrolling_cloud(&pki).await;
    let untrusting = Enrolment { ca_file: None, ..enrolment(&pki, &state, address) };
    let message = enrol::run(&untrusting).await.unwrap_err().to_string();
    assert!(message.contains("--ca") && !message.contains('\n'), "{message}");

    let elsewhere = Enrolment {
        url: format!("https://127.0.0.1:{}", address.port()),
        ..enrolment(&pki, &state, address)
    };
    let message = enrol::run(&elsewhere).await.unwrap_err().to_string();
    assert!(message.contains("n'est pas au nom de 127.0.0.1"), "{message}");

    let other = Enrolment {
        ca_file: Some(self::pki().keep_ca(state.path())),
        ..enrolment(&pki, &state, address)
    };
    let message = enrol::run(&other).await.unwrap_err().to_string();
    assert!(message.contains("n'est pas signé par l'autorité"), "{message}");
}

impl Pki {
    /// Copies the authority elsewhere, for a test that drops the rest.
    fn keep_ca(&self, folder: &std::path::Path) -> PathBuf {
        let path = folder.join("other-ca.pem");
        std::fs::copy(self.ca_file(), &path).unwrap();
        path
    }
}

#[tokio::test]
async fn nobody_there_and_no_tls_are_told_apart() {
    let (pki, state) = (pki(), tempfile::tempdir().unwrap());
    let (listener, address) = listen().await;
    drop(listener);
    let message = enrol::run(&enrolment(&pki, &state, address)).await.unwrap_err().to_string();
    assert!(message.contains("connexion refusée"), "{message}");

    let (listener, address) = listen().await;
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = b"HTTP/1.1 302 Found\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
        }
    });
    let message = enrol::run(&enrolment(&pki, &state, address)).await.unwrap_err().to_string();
    assert!(message.contains("pas en TLS"), "{message}");
}

type ServerSocket = tokio_tungstenite::WebSocketStream<TlsStream<TcpStream>>;

#[expect(clippy::result_large_err, reason = "the library's signature")]
async fn accept(pki: &Pki, listener: &TcpListener) -> ServerSocket {
    let (stream, _) = listener.accept().await.unwrap();
    let stream = pki.acceptor.accept(stream).await.unwrap();
    let choose = |asked: &Asked, mut given: Given| {
        assert_eq!(asked.uri().path(), "/gateway/v1");
        assert_eq!(asked.headers()["sec-websocket-protocol"], SUBPROTOCOL);
        given.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
        Ok(given)
    };
    tokio_tungstenite::accept_hdr_async(stream, choose).await.unwrap()
}

async fn say(socket: &mut ServerSocket, kind: Kind) {
    let bytes = Frame::from(kind).encode_bytes().unwrap();
    socket.send(Message::Binary(bytes.into())).await.unwrap();
}

/// Says the challenge and gives what answers it.
async fn challenged(socket: &mut ServerSocket) -> Hello {
    let challenge =
        Challenge { nonce: vec![1; 32], version_min: 1, version_max: 1, server_time_ms: 0 };
    say(socket, Kind::Challenge(challenge)).await;
    let Some(Ok(Message::Binary(bytes))) = socket.next().await else { panic!("no hello") };
    let Some(Kind::Hello(hello)) = Frame::decode_bytes(&bytes).unwrap().kind else {
        panic!("no hello")
    };
    assert_eq!(hello.server_name, "localhost");
    hello
}

async fn welcome(socket: &mut ServerSocket) {
    let hello = challenged(socket).await;
    let welcome = Welcome {
        version: 1,
        session_generation: 1,
        up_epoch: hello.up.epoch,
        up_durable: hello.up.acked,
        down_epoch: 5,
        down_resume_from: 1,
        heartbeat_ms: 12_000,
        up_window_events: 256,
        up_window_bytes: 262_144,
        ..Welcome::default()
    };
    say(socket, Kind::Welcome(welcome)).await;
}

fn tunnel_to(
    pki: &Pki,
    identity: Identity,
    address: SocketAddr,
    journal: Journal,
) -> (JoinHandle<()>, watch::Receiver<TunnelState>, CancellationToken) {
    tunnel_with(pki, watch::channel(Arc::new(identity)).1, address, journal)
}

fn tunnel_with(
    pki: &Pki,
    identity: watch::Receiver<Arc<Identity>>,
    address: SocketAddr,
    journal: Journal,
) -> (JoinHandle<()>, watch::Receiver<TunnelState>, CancellationToken) {
    let target = Target::parse(&format!("https://localhost:{}", address.port())).unwrap();
    let trust = Trust::load(Some(&pki.ca_file())).unwrap();
    let (state, told) = watch::channel(TunnelState::default());
    let terms = Terms {
        log: journal,
        identity,
        server_name: target.host.clone(),
        incarnation: 1,
        boot_id: [1; 16],
        // No waits between tries.
        ambient: Ambient { wall_ms: || 1_795_000_000_000, random: || 0 },
        jobs: mpsc::channel(4).0,
        cloud_offset: CloudOffset::default(),
        state,
        pulse: Pulse::new(Duration::from_mins(1)),
        versions: Versions::BUILT,
        uploads: Uploads::default(),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(Tunnel { target, trust, terms }, stop.clone()));
    (running, told, stop)
}

#[tokio::test]
async fn a_new_enrolment_ends_the_wait_after_a_revocation() {
    let (pki, state) = (pki(), tempfile::tempdir().unwrap());
    let enrolling = enrolling_cloud(&pki).await;
    enrol::run(&enrolment(&pki, &state, enrolling)).await.unwrap();
    let first = Identity::load(state.path()).unwrap();
    let time = TimeSource::new([1; 16], || (0, 0));
    let folder = state.path().join("journal");
    let (journal, _) = Journal::open(&folder, JournalConfig::default(), time).unwrap();
    let (listener, address) = listen().await;
    let (newest, identity) = watch::channel(Arc::new(first));
    let (running, mut told, stop) = tunnel_with(&pki, identity, address, journal.clone());
    let mut socket = accept(&pki, &listener).await;
    let revoked = fournil_protocol::frame::Goodbye {
        code: u32::from(fournil_protocol::close::REVOKED),
        reason: "revoked".into(),
        retry_after_ms: 0,
    };
    say(&mut socket, Kind::Goodbye(revoked)).await;
    told.wait_for(|state| state.phase == Phase::Waiting).await.unwrap();
    drop(socket);
    let forced = Enrolment { force: true, ..enrolment(&pki, &state, enrolling) };
    enrol::run(&forced).await.unwrap();
    newest.send_replace(Arc::new(Identity::load(state.path()).unwrap()));
    let mut socket = timeout(Duration::from_secs(5), accept(&pki, &listener)).await.unwrap();
    welcome(&mut socket).await;
    told.wait_for(|state| state.sessions == 1).await.unwrap();
    stop.cancel();
    timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_key_that_changes_during_a_session_opens_the_next_one_at_once() {
    let (pki, state) = (pki(), tempfile::tempdir().unwrap());
    let enrolling = enrolling_cloud(&pki).await;
    enrol::run(&enrolment(&pki, &state, enrolling)).await.unwrap();
    let first = Identity::load(state.path()).unwrap();
    let folder = state.path().join("journal");
    let time = TimeSource::new([1; 16], || (0, 0));
    let (journal, _) = Journal::open(&folder, JournalConfig::default(), time).unwrap();
    let (listener, address) = listen().await;
    let next = PendingKey::next(state.path()).unwrap();
    let words = next.fingerprint();
    next.adopt(&Enrolled { fingerprint: words, ..first.enrolled.clone() }).unwrap();
    let second = Arc::new(Identity::load(state.path()).unwrap());
    let (newest, identity) = watch::channel(Arc::new(first));
    let (running, mut told, stop) = tunnel_with(&pki, identity, address, journal.clone());
    let mut socket = accept(&pki, &listener).await;
    welcome(&mut socket).await;
    told.wait_for(|state| state.phase == Phase::Connected).await.unwrap();
    // The cloud shows a certificate, and the gateway can say when it ends.
    assert!(told.borrow().certificate_until_ms.unwrap() > 1_795_000_000_000);
    newest.send_replace(Arc::clone(&second));
    let mut socket = timeout(Duration::from_secs(5), accept(&pki, &listener)).await.unwrap();
    let hello = challenged(&mut socket).await;
    let signed = fournil_protocol::hello::signed_bytes(1, "localhost", &[1; 32], &hello.gateway_id);
    UnparsedPublicKey::new(&ED25519, second.public_key())
        .verify(&signed, &hello.signature)
        .unwrap();
    stop.cancel();
    timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    journal.close().await.unwrap();
}

#[tokio::test]
async fn the_tunnel_comes_back_after_each_cut_and_stops_when_told() {
    let (pki, state) = (pki(), tempfile::tempdir().unwrap());
    let enrolling = enrolling_cloud(&pki).await;
    enrol::run(&enrolment(&pki, &state, enrolling)).await.unwrap();
    let identity = Identity::load(state.path()).unwrap();
    let folder = state.path().join("journal");
    let time = TimeSource::new([1; 16], || (0, 0));
    let (journal, _) = Journal::open(&folder, JournalConfig::default(), time).unwrap();
    let (listener, address) = listen().await;
    let (running, mut told, stop) = tunnel_to(&pki, identity, address, journal.clone());
    for session in 1..=3 {
        let mut socket = accept(&pki, &listener).await;
        welcome(&mut socket).await;
        told.wait_for(|state| state.sessions == session).await.unwrap();
        assert_eq!(told.borrow().phase, Phase::Connected);
        drop(socket);
    }
    let mut socket = accept(&pki, &listener).await;
    welcome(&mut socket).await;
    told.wait_for(|state| state.sessions == 4).await.unwrap();
    stop.cancel();
    timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_cloud_that_says_when_to_come_back_before_the_upgrade_is_heeded() {
    let (pki, state) = (pki(), tempfile::tempdir().unwrap());
    let enrolling = enrolling_cloud(&pki).await;
    enrol::run(&enrolment(&pki, &state, enrolling)).await.unwrap();
    let identity = Identity::load(state.path()).unwrap();
    let folder = state.path().join("journal");
    let time = TimeSource::new([1; 16], || (0, 0));
    let (journal, _) = Journal::open(&folder, JournalConfig::default(), time).unwrap();
    let (listener, address) = listen().await;
    let (running, mut told, stop) = tunnel_to(&pki, identity, address, journal.clone());
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = pki.acceptor.accept(stream).await.unwrap();
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 420\r\n\
                   content-length: 0\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
    let waiting = told.wait_for(|state| state.phase == Phase::Waiting).await.unwrap().clone();
    // The dice of this test add nothing.
    assert_eq!(waiting.next_try_ms.unwrap() - waiting.since_ms, 420_000);
    let fault = waiting.last_fault.unwrap();
    assert!(fault.contains("HTTP 503") && fault.contains("revient d'elle-même"), "{fault}");
    stop.cancel();
    timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    journal.close().await.unwrap();
}
