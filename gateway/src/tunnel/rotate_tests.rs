//! A change of key over real TLS against a cloud that keeps keys, and what is good at each
//! step when the step fails.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use data_encoding::BASE64;
use fournil_protocol::fingerprint;
use fournil_protocol::rotate::{
    ChallengeAnswer, Proposal, RotateAnswer, RotateRefusal, RotateRequest, signed_bytes,
};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ring::signature::{ED25519, UnparsedPublicKey};
use uuid::Uuid;

use super::identity::{Enrolled, Identity, PendingKey};
use super::rotate::{self, Place, RotateError};
use super::target::Target;
use super::tests::{Pki, listen, pki};
use super::trust::Trust;

/// Where the cloud or the way to it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    BeforeChallenge,
    BeforeStore,
    /// Stored, and the answer is lost.
    AfterStore,
    /// The new key is one it will never take.
    Taken,
}

/// A cloud with the cloud's rules: a proposed key is good beside the one in use until it
/// has opened a session, only the one in use brings another, and a dropped one never returns.
#[derive(Debug, Default, Clone)]
pub(crate) struct Known {
    active: Vec<u8>,
    next: Option<Vec<u8>>,
    retiring: Vec<Vec<u8>>,
    dropped: Vec<Vec<u8>>,
    cut: Option<Cut>,
}

impl Known {
    fn is_good(&self, key: &[u8]) -> bool {
        self.active == key
            || self.next.as_deref() == Some(key)
            || self.retiring.iter().any(|other| other == key)
    }

    /// The cloud's word for a refusal.
    fn propose(&mut self, old: &[u8], new: &[u8]) -> Result<(), &'static str> {
        if !self.is_good(old) {
            return Err("key-unknown");
        }
        if self.active == new || self.next.as_deref() == Some(new) {
            return Ok(());
        }
        if self.retiring.iter().chain(&self.dropped).any(|other| other == new) {
            return Err("key-taken");
        }
        if self.active != old {
            return Err(if self.next.as_deref() == Some(old) { "not-now" } else { "key-unknown" });
        }
        self.dropped.extend(self.next.replace(new.to_vec()));
        Ok(())
    }

    /// A session is opened by this key.
    fn open(&mut self, key: &[u8]) {
        assert!(self.is_good(key), "locked out");
        if self.next.as_deref() == Some(key) {
            self.next = None;
            self.retiring.push(std::mem::replace(&mut self.active, key.to_vec()));
        }
    }
}

pub(crate) struct Site {
    pki: Pki,
    address: SocketAddr,
    known: Arc<Mutex<Known>>,
    state: tempfile::TempDir,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let (pki, state) = (pki(), tempfile::tempdir().unwrap());
        let (listener, address) = listen().await;
        let known = Arc::<Mutex<Known>>::default();
        let (acceptor, cloud) = (pki.acceptor.clone(), Arc::clone(&known));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let service = service_fn(|request| answer(Arc::clone(&cloud), request));
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            }
        });
        let key = PendingKey::take_up(state.path()).unwrap();
        known.lock().unwrap().active = key.public_key().to_vec();
        let enrolled = Enrolled {
            gateway_id: Uuid::from_bytes([7; 16]),
            name: "Caisse".into(),
            company: "Boulangerie".into(),
            url: format!("https://localhost:{}", address.port()),
            fingerprint: key.fingerprint(),
            ca_pem: None,
        };
        key.adopt(&enrolled).unwrap();
        Self { pki, address, known, state }
    }

    fn cut(&self, cut: Option<Cut>) {
        self.known.lock().unwrap().cut = cut;
    }

    pub(crate) fn state_dir(&self) -> &Path {
        self.state.path()
    }

    pub(crate) fn way(&self) -> (Target, Trust) {
        let target = Target::parse(&format!("https://localhost:{}", self.address.port())).unwrap();
        (target, Trust::load(Some(&self.pki.ca_file())).unwrap())
    }

    /// What the cloud knows, as a backup of it would.
    pub(crate) fn backup(&self) -> Known {
        self.known.lock().unwrap().clone()
    }

    pub(crate) fn restore(&self, backup: Known) {
        *self.known.lock().unwrap() = backup;
    }

    pub(crate) async fn rotate(&self) -> Result<String, RotateError> {
        self.with_place(async |place| rotate::run(place).await).await
    }

    async fn with_place<T>(&self, act: impl AsyncFnOnce(Place<'_>) -> T) -> T {
        let (target, trust) = self.way();
        let state_dir = self.state.path();
        act(Place { state_dir, credential: None, target: &target, trust: &trust }).await
    }

    /// The key on disk, which the cloud must know at every instant.
    pub(crate) fn good_key(&self) -> Identity {
        let identity = Identity::load(self.state.path()).unwrap();
        assert!(self.known.lock().unwrap().is_good(identity.public_key()), "locked out");
        identity
    }

    /// A session with the key on disk.
    fn connect(&self) {
        let key = self.good_key();
        self.known.lock().unwrap().open(key.public_key());
    }

    fn dropped(&self) -> usize {
        self.known.lock().unwrap().dropped.len()
    }
}

async fn answer(
    known: Arc<Mutex<Known>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut known = known.lock().unwrap();
    let lost = || std::io::Error::other("the line is cut");
    let json = |status, body: Vec<u8>| {
        let answer = Response::builder().status(status).body(Full::new(Bytes::from(body)));
        Ok(answer.unwrap())
    };
    if path == "/gateway/rotate/challenge" {
        if known.cut == Some(Cut::BeforeChallenge) {
            return Err(lost());
        }
        let nonce = ChallengeAnswer { nonce: "fresh".into() };
        return json(StatusCode::OK, serde_json::to_vec(&nonce).unwrap());
    }
    assert_eq!(path, "/gateway/rotate");
    let asked: RotateRequest = serde_json::from_slice(&body).unwrap();
    let decode = |text: &str| BASE64.decode(text.as_bytes()).unwrap();
    let (old_key, new_key) = (decode(&asked.old_key), decode(&asked.new_key));
    let gateway_id = Uuid::parse_str(&asked.gateway_id).unwrap();
    let proposal = Proposal {
        nonce: "fresh",
        gateway_id: gateway_id.as_bytes(),
        old_key: &old_key,
        new_key: &new_key,
    };
    let signed = signed_bytes("localhost", &proposal);
    for (key, signature) in [(&old_key, &asked.old_signature), (&new_key, &asked.new_signature)] {
        UnparsedPublicKey::new(&ED25519, key).verify(&signed, &decode(signature)).unwrap();
    }
    let refused = |word: &str| {
        let refusal = RotateRefusal { error: word.into(), message: "Non.".into() };
        json(StatusCode::CONFLICT, serde_json::to_vec(&refusal).unwrap())
    };
    match known.cut {
        Some(Cut::BeforeStore) => return Err(lost()),
        Some(Cut::Taken) => return refused("key-taken"),
        _ => {}
    }
    if let Err(word) = known.propose(&old_key, &new_key) {
        return refused(word);
    }
    if known.cut == Some(Cut::AfterStore) {
        return Err(lost());
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &new_key);
    let fingerprint = fingerprint::words(digest.as_ref().try_into().unwrap());
    json(StatusCode::OK, serde_json::to_vec(&RotateAnswer { fingerprint }).unwrap())
}

/// The key that waits to follow.
fn waiting(state: &Path) -> String {
    PendingKey::next(state).unwrap().fingerprint()
}

#[tokio::test]
async fn a_new_key_takes_over_and_the_next_one_after_it() {
    let site = Site::new().await;
    let first = site.good_key().fingerprint();
    let second = site.rotate().await.unwrap();
    assert_ne!(first, second);
    assert_eq!(site.good_key().fingerprint(), second);
    site.connect();
    let third = site.rotate().await.unwrap();
    assert_eq!(site.good_key().fingerprint(), third);
    site.connect();
    assert_eq!(site.backup().retiring.len(), 2);
    assert_eq!(site.dropped(), 0);
}

#[tokio::test]
async fn wherever_it_is_cut_a_good_key_is_left_and_the_same_steps_lead_to_the_end() {
    let cuts = [Cut::BeforeChallenge, Cut::BeforeStore, Cut::AfterStore];
    let changed_before = [0, 1].map(|times| cuts.map(|cut| (cut, times)));
    for (cut, times) in changed_before.into_iter().flatten() {
        let site = Site::new().await;
        for _ in 0..times {
            site.rotate().await.unwrap();
            site.connect();
        }
        let first = site.good_key().fingerprint();
        site.cut(Some(cut));
        for _ in 0..2 {
            let error = site.rotate().await.unwrap_err();
            assert!(!error.to_string().contains('\n'), "{error}");
            assert_eq!(site.good_key().fingerprint(), first, "{cut:?}");
        }
        let proposed = waiting(site.state.path());
        site.cut(None);
        assert_eq!(site.rotate().await.unwrap(), proposed, "{cut:?}: one key, however often");
        assert_eq!(site.good_key().fingerprint(), proposed);
        site.connect();
        assert_eq!(site.known.lock().unwrap().retiring.len(), times + 1, "{cut:?}");
        assert_eq!(site.dropped(), 0, "{cut:?}");
    }
}

#[tokio::test]
async fn a_second_change_before_the_first_has_connected_takes_no_key_away() {
    for cut in [None, Some(Cut::BeforeChallenge), Some(Cut::BeforeStore), Some(Cut::AfterStore)] {
        let site = Site::new().await;
        let second = site.rotate().await.unwrap();
        site.cut(cut);
        for _ in 0..2 {
            site.rotate().await.unwrap_err();
            assert_eq!(site.good_key().fingerprint(), second, "{cut:?}");
        }
        site.cut(None);
        let proposed = waiting(site.state.path());
        site.connect();
        assert_eq!(site.rotate().await.unwrap(), proposed, "{cut:?}");
        site.connect();
        assert_eq!(site.dropped(), 0, "{cut:?}");
    }
}

#[tokio::test]
async fn a_key_the_cloud_will_never_take_is_thrown_away() {
    let site = Site::new().await;
    let refused = waiting(site.state.path());
    site.cut(Some(Cut::Taken));
    let error = site.rotate().await.unwrap_err();
    assert_eq!(error.to_string(), "Non.");
    site.cut(None);
    let taken = site.rotate().await.unwrap();
    assert_ne!(taken, refused);
    assert_eq!(site.good_key().fingerprint(), taken);
}

#[tokio::test]
async fn a_cloud_back_from_a_backup_learns_the_key_by_the_one_before() {
    let site = Site::new().await;
    let backup = site.backup();
    site.rotate().await.unwrap();
    site.connect();
    site.restore(backup);
    let tried = site.with_place(async |place| rotate::reintroduce(place).await).await;
    assert!(tried.unwrap());
    site.connect();
    // A gateway that never changed its key has nothing to try with.
    let site = Site::new().await;
    let tried = site.with_place(async |place| rotate::reintroduce(place).await).await;
    assert!(!tried.unwrap());
}

#[tokio::test]
async fn a_credential_is_not_changed_from_here() {
    let site = Site::new().await;
    let credential = site.state.path().join("credential");
    std::fs::rename(site.state.path().join("identity/key.pk8"), &credential).unwrap();
    let refused = site
        .with_place(async |place| {
            rotate::run(Place { credential: Some(&credential), ..place }).await
        })
        .await;
    assert!(matches!(refused, Err(RotateError::Credential)), "{refused:?}");
}
