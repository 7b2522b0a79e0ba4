//! From an address to a WebSocket: name, TCP, TLS, upgrade, each with its own time
//! limit and its own error. The steps are public one by one because `doctor` takes
//! them one by one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use fournil_protocol::SUBPROTOCOL;
use fournil_protocol::limits::FRAME_BYTES_MAX;
use rustls::AlertDescription;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, http};

use super::metered::Metered;
use super::target::{TUNNEL_PATH, Target};
use super::trust::{self, Trust};
use crate::i18n::{Given, say};

const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
const TCP_TIMEOUT: Duration = Duration::from_secs(8);
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// Addresses of one name that are tried in turn.
const ADDRESSES_MAX: usize = 4;
/// All steps together, for whoever watches over the tunnel.
pub const CONNECT_MAX: Duration = Duration::from_secs(10 + 4 * 8 + 10 + 10);
/// Sent bytes nobody acknowledges kill the connection after this.
const USER_TIMEOUT: Duration = Duration::from_secs(20);
/// Unsent bytes beyond which the kernel takes no more: what is in there cannot be
/// overtaken. 4 KiB are 16 ms on a line of 2 Mbit/s.
const NOTSENT_BYTES: u32 = 4 * 1024;
/// The library's own choice is 128 KiB, filled with zeros at each read.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// The tunnel's socket before anything is said.
pub type Socket = WebSocketStream<Metered<TlsStream<TcpStream>>>;

/// Which step failed and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{}", say("tunnel-resolve", &[("host", .host), ("why", .why)]))]
    Resolve { host: String, why: String },
    #[error("{}", say("tunnel-tcp", &[("target", .target), ("port", .port), ("why", .why)]))]
    Tcp { target: String, port: u16, why: String },
    #[error("{0}")]
    Certificate(String),
    #[error("{}", say("tunnel-not-tls", &[("target", .target), ("why", .why)]))]
    Tls { target: String, why: String },
    #[error("{}", say("tunnel-upgrade", &[("target", .target), ("why", .why)]))]
    Upgrade { target: String, why: String },
    #[error("{}", say("tunnel-busy", &[("target", .target), ("status", .status)]))]
    Busy { target: String, status: u16, retry_after: Duration },
}

impl ConnectError {
    /// How long the cloud, or a proxy before it, asked to stay away.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

/// Asks DNS, each time anew: a cloud that moved is found at the next try.
pub async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, ConnectError> {
    let failed = |why: String| ConnectError::Resolve { host: target.host.clone(), why };
    let found = timeout(RESOLVE_TIMEOUT, lookup_host((target.host.as_str(), target.port)))
        .await
        .map_err(|_| failed(say("tunnel-why-silent", &[])))?
        .map_err(|error| failed(short(&error)))?;
    let addresses: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
    if addresses.is_empty() {
        Err(failed(say("tunnel-why-no-address", &[])))
    } else {
        Ok(addresses)
    }
}

/// Opens TCP to the first address that answers.
pub async fn reach(target: &Target, addresses: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
    let mut why = say("tunnel-why-no-address", &[]);
    for address in addresses {
        match timeout(TCP_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                if let Err(error) = tune(&stream) {
                    tracing::debug!(%error, "socket options refused");
                }
                return Ok(stream);
            }
            Ok(Err(error)) => why = short(&error),
            Err(_) => why = say("tunnel-why-silent", &[]),
        }
    }
    Err(ConnectError::Tcp { target: target.to_string(), port: target.port, why })
}

/// Half-open connections must show, and little may wait where nothing can overtake it.
fn tune(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(20))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.set_tcp_notsent_lowat(NOTSENT_BYTES)
}

/// TLS with the server's name verified.
pub async fn secure(
    target: &Target,
    trust: &Trust,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let failed = |why: String| ConnectError::Tls { target: target.to_string(), why };
    let name = ServerName::try_from(target.host.clone())
        .map_err(|_| failed(say("tunnel-why-no-name", &[])))?;
    let connector = TlsConnector::from(trust.config.clone());
    match timeout(TLS_TIMEOUT, connector.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(match tls_cause(&error) {
            Some(rustls::Error::InvalidCertificate(fault)) => ConnectError::Certificate(
                trust::explain(fault, &target.host, trust.ca_file.as_deref()),
            ),
            Some(cause) => failed(cause.to_string()),
            None => failed(short(&error)),
        }),
        Err(_) => Err(failed(say("tunnel-why-silent", &[]))),
    }
}

fn refused(target: &Target, error: &io::Error) -> ConnectError {
    match client_refused(error) {
        Some(alert) => {
            let why = format!("{alert:?}");
            let given: Given<'_> = &[("target", target), ("why", &why)];
            ConnectError::Certificate(say("tunnel-client-refused", given))
        }
        None => ConnectError::Tls { target: target.to_string(), why: short(error) },
    }
}

/// The word of a server that does not take our certificate. In TLS 1.3 it judges it after
/// we are done, so the word comes late: with the first answer that is read.
pub fn client_refused(error: &io::Error) -> Option<AlertDescription> {
    match tls_cause(error)? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

fn tls_cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>()
}

/// All steps up to TLS.
pub async fn dial(target: &Target, trust: &Trust) -> Result<TlsStream<TcpStream>, ConnectError> {
    let addresses = resolve(target).await?;
    let stream = reach(target, &addresses).await?;
    secure(target, trust, stream).await
}

/// Turns the connection into the tunnel's WebSocket.
pub async fn upgrade(
    target: &Target,
    stream: TlsStream<TcpStream>,
) -> Result<Socket, ConnectError> {
    let failed = |why: String| ConnectError::Upgrade { target: target.to_string(), why };
    match timeout(UPGRADE_TIMEOUT, handshake(target, stream)).await {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(tungstenite::Error::Http(answer))) => {
            let status = answer.status();
            if is_busy(status) {
                let retry_after = retry_after(answer.headers());
                let (target, status) = (target.to_string(), status.as_u16());
                return Err(ConnectError::Busy { target, status, retry_after });
            }
            let told = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let told = told.lines().next().filter(|line| line.len() <= 120).unwrap_or_default();
            Err(failed(format!("HTTP {status} {told}").trim_end().to_owned()))
        }
        Ok(Err(tungstenite::Error::Io(error))) if tls_cause(&error).is_some() => {
            Err(refused(target, &error))
        }
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(say("tunnel-why-silent", &[]))),
    }
}

/// The WebSocket's own handshake, with its own errors and no time limit.
pub async fn handshake(
    target: &Target,
    stream: TlsStream<TcpStream>,
) -> Result<Socket, tungstenite::Error> {
    let mut request = format!("wss://{}{TUNNEL_PATH}", target.authority()).into_client_request()?;
    request
        .headers_mut()
        .insert(http::header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let (socket, _) = tokio_tungstenite::client_async_with_config(
        request,
        Metered::new(stream),
        Some(socket_config()),
    )
    .await?;
    Ok(socket)
}

/// Answers of a server that means to be there again soon.
fn is_busy(status: http::StatusCode) -> bool {
    use http::StatusCode;
    matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
}

/// `Retry-After` in seconds; zero when it is missing or a date, which leaves the wait to
/// the usual backoff.
fn retry_after(headers: &http::HeaderMap) -> Duration {
    let told = headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    Duration::from_secs(told.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
}

/// Small buffers, and nothing larger than a frame is ever put together.
pub fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * FRAME_BYTES_MAX)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
}

/// The system's words without its numbers.
fn short(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => say("tunnel-why-refused", &[]),
        io::ErrorKind::TimedOut => say("tunnel-why-silent", &[]),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => say("tunnel-why-cut", &[]),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            say("tunnel-why-unreachable", &[])
        }
        _ => error.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_line_shows_and_little_waits_in_the_kernel() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Target::parse(&format!("https://localhost:{}", address.port())).unwrap();
        let stream = reach(&target, &[address]).await.unwrap();
        let socket = SockRef::from(&stream);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(USER_TIMEOUT));
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), NOTSENT_BYTES);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert!(USER_TIMEOUT < Duration::from_secs(30));
    }

    #[test]
    fn when_to_come_back_is_read_in_seconds_and_anything_else_is_left_to_the_backoff() {
        let told = |value: Option<&'static str>| {
            let mut headers = http::HeaderMap::new();
            if let Some(value) = value {
                headers.insert(http::header::RETRY_AFTER, HeaderValue::from_static(value));
            }
            retry_after(&headers)
        };
        assert_eq!(told(Some(" 17 ")), Duration::from_secs(17));
        for other in [None, Some("Wed, 21 Oct 2026 07:28:00 GMT"), Some("-3"), Some("")] {
            assert_eq!(told(other), Duration::ZERO, "{other:?}");
        }
    }
}
