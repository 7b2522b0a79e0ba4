//! The WebSocket upgrade of `/gateway/v1`, and the socket a tunnel session gets.
//!
//! Not `warp::ws()`: its 128 KiB read buffer costs 137 KiB for each idle gateway, and
//! it hides the stream. This filter answers 101 itself, takes the concrete stream back
//! from hyper and wraps it with small buffers. What a session says is no business of
//! this file: it is handed to the [`TunnelHandler`] given at wiring.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fournil_protocol::limits::FRAME_BYTES_MAX;
use fournil_protocol::{CERTIFICATE_NEEDED, SUBPROTOCOL};
use futures_util::future::BoxFuture;
use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, UPGRADE,
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{HeaderMap, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warp::filters::BoxedFilter;
use warp::{Filter, Reply};

use super::clients::ClientCertificate;
use super::metrics::Metrics;
use super::peer::{Proxies, Via};
use super::request::Peer;
use super::seat::Seat;

const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Frames waiting for a slow gateway; past it the session's write fails and it ends.
const WRITE_BUFFER_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;
/// Unsent bytes beyond which the kernel takes no more: what is in there cannot be overtaken.
const NOTSENT_BYTES: u32 = 4 * 1024;
/// Sent bytes nobody acknowledges end a tunnel after this, well before a person asks why
/// nothing is printed.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);
/// What a gateway is told while the server stops: a restart takes about as long.
const RETRY_AFTER_S: u16 = 2;
const PROTOCOL_HEADER: HeaderName = HeaderName::from_static("sec-websocket-protocol");

/// The byte stream under every connection of the main listener.
#[derive(Debug)]
pub enum TunnelStream {
    Tls(Box<TlsStream<TcpStream>>),
    /// Behind a proxy that ends TLS.
    Plain(TcpStream),
}

impl TunnelStream {
    /// The TCP socket underneath, for socket options.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tls(stream) => stream.get_ref().0,
            Self::Plain(stream) => stream,
        }
    }
}

impl TunnelStream {
    /// What the peer proved in the handshake.
    pub(super) fn client_certificate(&self) -> Option<ClientCertificate> {
        match self {
            Self::Tls(stream) => {
                stream.get_ref().1.peer_certificates().and_then(ClientCertificate::of)
            }
            Self::Plain(_) => None,
        }
    }
}

/// What the peer of a connection proved, put into the extensions of its requests.
#[derive(Debug, Clone)]
pub(super) struct Brought(pub(super) Option<ClientCertificate>);

impl AsyncRead for TunnelStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for TunnelStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// The WebSocket of one gateway. One message is one protocol frame of at most
/// `FRAME_BYTES_MAX`; a longer one is an error before it is read.
pub type TunnelSocket = WebSocketStream<TunnelStream>;

/// A gateway that has just been upgraded and has not said who it is.
#[derive(Debug)]
pub struct Tunnel {
    pub socket: TunnelSocket,
    pub peer: Peer,
    /// What it proved in the TLS handshake, where it did.
    pub certificate: Option<ClientCertificate>,
    /// Cancelled when the server drains: say goodbye (DRAIN) and return within a few
    /// seconds; what has not returned by then is dropped.
    pub stop: CancellationToken,
}

/// What runs a session, from upgrade to close; registered at wiring.
pub type TunnelHandler = Arc<dyn Fn(Tunnel) -> BoxFuture<'static, ()> + Send + Sync>;

/// What the upgrade needs from the server around it.
#[derive(Clone)]
pub(super) struct Upgrades {
    pub(super) handler: TunnelHandler,
    /// Every upgraded socket; the drain waits for it.
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
    /// Cancelled when the drain has waited long enough.
    pub(super) cut: CancellationToken,
    pub(super) proxies: Arc<Proxies>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) needs_client_certificate: bool,
}

impl Upgrades {
    /// `/gateway/v1`, exactly; answers everything below that path itself, so nothing
    /// can fall through to the table.
    pub(super) fn filter(self) -> BoxedFilter<(warp::reply::Response,)> {
        warp::path!("gateway" / "v1")
            .and(warp::method())
            .and(warp::header::headers_cloned())
            .and(warp::ext::get::<Via>())
            .and(warp::ext::optional::<OnUpgrade>())
            .and(warp::ext::optional::<Arc<Seat>>())
            .and(warp::ext::optional::<Brought>())
            .then(move |method, headers: HeaderMap, via: Via, upgrade, seat, brought| {
                let upgrades = self.clone();
                async move { upgrades.answer(&method, &headers, via, (upgrade, seat, brought)) }
            })
            .boxed()
    }

    fn answer(
        self,
        method: &hyper::Method,
        headers: &HeaderMap,
        via: Via,
        (upgrade, seat, brought): (Option<OnUpgrade>, Option<Arc<Seat>>, Option<Brought>),
    ) -> warp::reply::Response {
        if self.stop.is_cancelled() {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "draining; connect again");
        }
        let key = match asks_for_tunnel(method, headers) {
            Ok(key) => key,
            Err((status, what)) => return refusal(status, what),
        };
        let certificate = brought.and_then(|brought| brought.0);
        if self.needs_client_certificate && certificate.is_none() {
            return refusal(StatusCode::FORBIDDEN, CERTIFICATE_NEEDED);
        }
        let (Some(upgrade), Some(seat)) = (upgrade, seat) else {
            return refusal(StatusCode::UPGRADE_REQUIRED, "this connection cannot be upgraded");
        };
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
        let Ok(accept) = accept else {
            return refusal(StatusCode::BAD_REQUEST, "sec-websocket-key is malformed");
        };
        let peer = self.proxies.peer(via, headers).0;
        let tracker = self.tracker.clone();
        tracker.spawn(self.run(upgrade, (peer, certificate), seat));

        let mut response = refusal(StatusCode::SWITCHING_PROTOCOLS, "");
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        headers.insert(PROTOCOL_HEADER, HeaderValue::from_static(SUBPROTOCOL));
        response
    }

    /// Holds the seat to the end: hyper is done with the connection at the upgrade, and
    /// without it one address could open sockets without bound.
    async fn run(
        self,
        upgrade: OnUpgrade,
        (peer, certificate): (Peer, Option<ClientCertificate>),
        _seat: Arc<Seat>,
    ) {
        let upgraded = match upgrade.await {
            Ok(upgraded) => upgraded,
            Err(error) => {
                tracing::info!(peer.ip = %peer.0, %error, "a gateway left during the upgrade");
                return;
            }
        };
        let Some(socket) = socket(upgraded).await else {
            tracing::error!(peer.ip = %peer.0, "the stream under a tunnel is of an unknown kind");
            return;
        };
        self.metrics.tunnels_open.inc();
        let session = (self.handler)(Tunnel { socket, peer, certificate, stop: self.stop.clone() });
        // Cancel safe: dropping a session drops its socket, which is what a cut means.
        tokio::select! {
            () = session => {}
            () = self.cut.cancelled() => tracing::warn!(peer.ip = %peer.0, "a tunnel was cut"),
        }
        self.metrics.tunnels_open.dec();
    }
}

/// Takes the stream back from hyper and puts the small-buffered WebSocket on it.
async fn socket(upgraded: Upgraded) -> Option<TunnelSocket> {
    // hyper-util's own downcast: the `auto` connection wraps the stream once more.
    let parts = auto::upgrade::downcast::<TokioIo<TunnelStream>>(upgraded).ok()?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let stream = parts.io.into_inner();
    tune(stream.tcp());
    let read = parts.read_buf.to_vec();
    Some(WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config)).await)
}

/// A command must not stand behind what the kernel holds, and a dead line must show.
fn tune(socket: &TcpStream) {
    let options = socket2::SockRef::from(socket);
    let tuned = options
        .set_tcp_notsent_lowat(NOTSENT_BYTES)
        .and_then(|()| options.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX)));
    if let Err(error) = tuned {
        tracing::debug!(%error, "socket options of a tunnel could not be set");
    }
}

/// The `sec-websocket-key` of a proper request, or why it is not one.
pub fn asks_for_tunnel<'h>(
    method: &hyper::Method,
    headers: &'h HeaderMap,
) -> Result<&'h str, (StatusCode, &'static str)> {
    if method != hyper::Method::GET {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "the tunnel is opened with GET"));
    }
    if !(names(headers, "connection", "upgrade") && names(headers, "upgrade", "websocket")) {
        return Err((StatusCode::UPGRADE_REQUIRED, "this address takes WebSocket only"));
    }
    if !names(headers, "sec-websocket-version", "13") {
        return Err((StatusCode::UPGRADE_REQUIRED, "WebSocket version 13 is needed"));
    }
    if !names(headers, PROTOCOL_HEADER.as_str(), SUBPROTOCOL) {
        return Err((StatusCode::BAD_REQUEST, "subprotocol fournil.gateway.v1 is needed"));
    }
    headers
        .get("sec-websocket-key")
        .and_then(|key| key.to_str().ok())
        // Base64 of 16 bytes.
        .filter(|key| key.len() == 24)
        .ok_or((StatusCode::BAD_REQUEST, "sec-websocket-key is missing or malformed"))
}

/// True when a comma-separated header names a word, in any case.
fn names(headers: &HeaderMap, header: &str, word: &str) -> bool {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}

fn refusal(status: StatusCode, what: &'static str) -> warp::reply::Response {
    let mut response = hyper::Response::new(Bytes::from_static(what.as_bytes()));
    *response.status_mut() = status;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    }
    if status == StatusCode::UPGRADE_REQUIRED {
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(hyper::header::ALLOW, HeaderValue::from_static("GET"));
    }
    response.into_response()
}

/// A handler for servers without gateways: closes at once.
#[must_use]
pub fn no_tunnels() -> TunnelHandler {
    Arc::new(|tunnel: Tunnel| {
        Box::pin(async move {
            let mut socket = tunnel.socket;
            let _: Result<(), _> = socket.close(None).await;
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_line_shows_and_little_waits_in_the_kernel() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (socket, _) = accepted.expect("accepted");
        tune(&socket);
        let options = socket2::SockRef::from(&socket);
        assert_eq!(options.tcp_user_timeout().expect("told"), Some(UNACKNOWLEDGED_MAX));
        assert_eq!(options.tcp_notsent_lowat().expect("told"), NOTSENT_BYTES);
        assert!(UNACKNOWLEDGED_MAX < Duration::from_secs(30));
        drop(client);
    }

    #[test]
    fn who_is_sent_away_for_a_restart_is_told_when_to_come_back() {
        let busy = refusal(StatusCode::SERVICE_UNAVAILABLE, "draining");
        assert_eq!(busy.headers().get(RETRY_AFTER).expect("told"), "2");
        assert!(!refusal(StatusCode::BAD_REQUEST, "no").headers().contains_key(RETRY_AFTER));
    }
}
