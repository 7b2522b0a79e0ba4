//! A cloud of our own making: any certificate, any door behind it.

use std::net::SocketAddr;
use std::sync::Arc;

use chrono::{Datelike, TimeDelta};
use fournil_protocol::frame::{Frame, Kind, Standing};
use fournil_protocol::hello::Challenge;
use fournil_protocol::{SUBPROTOCOL, VERSION_MAX};
use futures_util::{SinkExt, StreamExt};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::ShopBox;

/// Days from now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validity {
    pub(super) from_day: i64,
    pub(super) to_day: i64,
}

pub(super) const NOW: Validity = Validity { from_day: -1, to_day: 30 };

/// An authority and what it signs.
pub(super) struct Authority {
    pub(super) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        // Long enough for every certificate of these tests.
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2100, 1, 1);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub(super) fn acceptor(&self, host: &str, validity: Validity) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, host);
        let day = |offset| {
            let day = fournil_gateway::time::now() + TimeDelta::days(offset);
            let short = |number: u32| u8::try_from(number).unwrap();
            rcgen::date_time_ymd(day.year(), short(day.month()), short(day.day()))
        };
        params.not_before = day(validity.from_day);
        params.not_after = day(validity.to_day);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
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
        TlsAcceptor::from(Arc::new(config))
    }
}

/// What stands behind TLS.
#[derive(Debug, Clone)]
pub(super) enum Door {
    Fournil {
        versions: (u32, u32),
        /// Its clock against ours.
        offset_ms: i64,
        /// Code and name of the answer to an inquiry; `None` answers like an older cloud.
        standing: Option<(u32, &'static str)>,
    },
    Http(&'static str),
    Silent,
}

pub(super) const FOURNIL: Door =
    Door::Fournil { versions: (1, VERSION_MAX), offset_ms: 0, standing: Some((0, "localhost")) };

/// A listening cloud. Dropped, it is gone.
pub(super) struct Cloud {
    pub(super) address: SocketAddr,
    pub(super) authority: Authority,
    task: JoinHandle<()>,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cloud {
    pub(super) async fn good() -> Self {
        Self::start("localhost", NOW, FOURNIL).await
    }

    pub(super) async fn behind(door: Door) -> Self {
        Self::start("localhost", NOW, door).await
    }

    pub(super) async fn start(host: &str, validity: Validity, door: Door) -> Self {
        let authority = Authority::named("Cloud du fournil");
        let acceptor = authority.acceptor(host, validity);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), stream, door.clone()));
            }
        });
        Self { address, authority, task }
    }

    pub(super) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    pub(super) fn enrolled_box(&self) -> ShopBox {
        ShopBox::enrolled(&self.url(), Some(&self.authority.pem))
    }
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, door: Door) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    match door {
        Door::Silent => std::future::pending().await,
        Door::Http(answer) => {
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Door::Fournil { versions, offset_ms, standing } => {
            let _ = fournil(stream, versions, offset_ms, standing).await;
        }
    }
}

async fn fournil(
    stream: TlsStream<TcpStream>,
    (version_min, version_max): (u32, u32),
    offset_ms: i64,
    standing: Option<(u32, &'static str)>,
) -> Option<()> {
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let answer = |_: &Request, mut response: Response| {
        let protocol = HeaderValue::from_static(SUBPROTOCOL);
        response.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        Ok(response)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, answer).await.ok()?;
    let server_time_ms = fournil_gateway::time::now().timestamp_millis() + offset_ms;
    let challenge = Challenge { nonce: vec![7; 32], version_min, version_max, server_time_ms };
    let bytes = Frame::from(Kind::Challenge(challenge)).encode_bytes().ok()?;
    socket.send(Message::binary(bytes)).await.ok()?;
    let Some(Ok(Message::Binary(bytes))) = socket.next().await else { return None };
    let asked = Frame::decode_bytes(&bytes).ok()?;
    assert!(matches!(asked.kind, Some(Kind::Inquiry(_))), "a look began a session: {asked:?}");
    let answer = match standing {
        Some((code, name)) => {
            Kind::Standing(Standing { code, reason: "because".into(), server_name: name.into() })
        }
        None => Kind::Goodbye(fournil_protocol::frame::Goodbye {
            code: fournil_protocol::close::MALFORMED.into(),
            reason: "the first frame must be Hello".into(),
            retry_after_ms: 0,
        }),
    };
    socket.send(Message::binary(Frame::from(answer).encode_bytes().ok()?)).await.ok()?;
    socket.close(None).await.ok()
}
