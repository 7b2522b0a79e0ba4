//! Client certificates over real TLS: who comes in, who does not, and who is told what.

use std::net::SocketAddr;
use std::sync::Arc;

use chrono::TimeDelta;
use fournil_protocol::close;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::pages::server;
use super::*;
use crate::web::{
    Certificate, CertificateSource, ClientAuthority, ClientVerifier, Fresh, Listener, local_names,
};

/// The program on a TLS port that asks gateways for certificates.
struct Site {
    world: World,
    address: SocketAddr,
    folder: tempfile::TempDir,
    authority: ClientAuthority,
    verifier: Arc<ClientVerifier>,
}

impl Site {
    async fn new(needs_client_certificate: bool) -> Self {
        let world = World::new().await;
        let folder = tempfile::tempdir().expect("a folder");
        let now = TimeSource::system().now();
        let source = CertificateSource::Auto {
            dir: folder.path().join("tls"),
            names: local_names(PUBLIC_NAME, &[]),
        };
        let authority = ClientAuthority::at(folder.path().join("gateways"));
        authority.init(now).expect("an authority");
        let verifier = ClientVerifier::load(authority.clone()).expect("a verifier");
        let certificate = Certificate::load(source, now).expect("a certificate");
        let tls = Some(certificate.acceptor(Some(&verifier)).expect("TLS"));
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = socket.local_addr().expect("address");
        let limits = crate::web::ServerLimits { needs_client_certificate, ..Default::default() };
        tokio::spawn(server(&world, limits).run(vec![Listener { socket, tls }]));
        Self { world, address, folder, authority, verifier }
    }

    fn issue(&self, holder: Uuid) -> Fresh {
        self.authority.issue(holder, 30, TimeSource::system().now()).expect("issued")
    }

    /// Dials, says Hello as the enrolled gateway does, and gives what came of it: a Welcome,
    /// a Goodbye's reason, an HTTP status, or what the handshake said.
    async fn dial(&self, brought: Option<&Fresh>) -> Result<(), String> {
        let mut roots = RootCertStore::empty();
        let ca = std::fs::read(self.folder.path().join("tls/ca.pem")).expect("the authority");
        roots.add(CertificateDer::from_pem_slice(&ca).expect("PEM")).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = match brought {
            None => builder.with_no_client_auth(),
            Some(fresh) => {
                let certificate =
                    CertificateDer::from_pem_slice(fresh.certificate.as_bytes()).expect("PEM");
                let key = PrivateKeyDer::from_pem_slice(fresh.key.as_bytes()).expect("PEM");
                builder.with_client_auth_cert(vec![certificate], key).expect("a pair")
            }
        };
        let stream = TcpStream::connect(self.address).await.expect("connect");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        // In TLS 1.3 the client is done before the server has judged it.
        let stream = stream.map_err(|error| error.to_string())?;
        let mut asked =
            format!("wss://{PUBLIC_NAME}/gateway/v1").into_client_request().expect("GET");
        let protocol = fournil_protocol::SUBPROTOCOL.parse().expect("a header");
        asked.headers_mut().insert("sec-websocket-protocol", protocol);
        let (mut socket, _) = match client_async(asked, stream).await {
            Ok(opened) => opened,
            Err(SocketError::Http(answer)) => return Err(format!("HTTP {}", answer.status())),
            Err(error) => return Err(error.to_string()),
        };
        let mut next = async |said: Option<Frame>| {
            if let Some(said) = said {
                let bytes = said.encode_bytes().expect("a frame");
                socket.send(Message::binary(bytes)).await.map_err(|error| error.to_string())?;
            }
            loop {
                match timeout(PATIENCE, socket.next()).await.expect("a frame") {
                    Some(Ok(Message::Binary(bytes))) => {
                        return Ok(Frame::decode_bytes(&bytes).expect("a frame").kind);
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.to_string()),
                    None => return Err("closed".to_owned()),
                }
            }
        };
        let Some(Kind::Challenge(challenge)) = next(None).await? else { panic!("no challenge") };
        let id = self.world.gateway_id.as_bytes();
        let signed = hello::signed_bytes(1, PUBLIC_NAME, &challenge.nonce, id);
        let hello = Hello {
            version: 1,
            gateway_id: id.to_vec(),
            server_name: PUBLIC_NAME.into(),
            signature: self.world.key.sign(&signed).as_ref().to_vec(),
            ..hello(7, 0)
        };
        match next(Some(Frame::from(Kind::Hello(hello)))).await? {
            Some(Kind::Welcome(_)) => Ok(()),
            Some(Kind::Goodbye(goodbye)) => Err(format!("{} {}", goodbye.code, goodbye.reason)),
            other => panic!("neither welcome nor goodbye: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_gateway_with_its_own_certificate_comes_in_and_its_end_is_known() {
    let site = Site::new(true).await;
    let fresh = site.issue(site.world.gateway_id);
    site.dial(Some(&fresh)).await.expect("welcome");
    let mut scope = site.world.test.db.read(site.world.test.company).await.expect("scope");
    let until = sqlx::query_scalar!(
        "select client_certificate_until from gateways where gateway_id = $1",
        site.world.gateway_id
    );
    let until = until.fetch_one(scope.connection()).await.expect("gateway");
    assert_eq!(until, Some(fresh.issued.until));
}

#[tokio::test]
async fn none_another_gateways_a_strangers_and_an_expired_one_stay_outside() {
    let site = Site::new(true).await;
    assert_eq!(site.dial(None).await, Err("HTTP 403 Forbidden".into()));

    let others = site.issue(Uuid::now_v7());
    let told = site.dial(Some(&others)).await.expect_err("refused");
    assert!(told.starts_with(&close::UNKNOWN_KEY.to_string()), "{told}");
    assert!(told.contains("client certificate"), "{told}");

    let elsewhere = ClientAuthority::at(site.folder.path().join("elsewhere"));
    let now = TimeSource::system().now();
    elsewhere.init(now).expect("an authority");
    let strangers = elsewhere.issue(site.world.gateway_id, 30, now).expect("issued");
    let told = site.dial(Some(&strangers)).await.expect_err("refused");
    assert!(told.contains("alert") && !told.contains("HTTP"), "{told}");

    let then = now - TimeDelta::days(60);
    let expired = site.authority.issue(site.world.gateway_id, 30, then).expect("issued");
    let told = site.dial(Some(&expired)).await.expect_err("refused");
    assert!(told.contains("CertificateExpired"), "{told}");
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_once_the_list_was_read_again() {
    let site = Site::new(true).await;
    let fresh = site.issue(site.world.gateway_id);
    site.dial(Some(&fresh)).await.expect("welcome");
    let now = TimeSource::system().now();
    assert!(site.authority.revoke(&fresh.issued.serial, now).expect("revoked"));
    site.verifier.refresh().expect("read again");
    let told = site.dial(Some(&fresh)).await.expect_err("refused");
    assert!(told.contains("CertificateRevoked"), "{told}");
    site.dial(Some(&site.issue(site.world.gateway_id))).await.expect("a new one is good");
}

#[tokio::test]
async fn where_certificates_are_optional_the_signature_alone_is_enough() {
    let site = Site::new(false).await;
    site.dial(None).await.expect("welcome");
    site.dial(Some(&site.issue(site.world.gateway_id))).await.expect("welcome");
    let others = site.issue(Uuid::now_v7());
    let told = site.dial(Some(&others)).await.expect_err("brought, so it must fit");
    assert!(told.contains("client certificate"), "{told}");
}
