//! The accept loop: TLS, bounds, timeouts, drain.
//!
//! warp's own server has no header timeout, no TLS and does not wait for upgraded
//! sockets. Here a connection costs a permit before its handshake; what is past a bound
//! is closed at once and counted, never queued. An upgrade ends the connection for hyper
//! but not for us: the tunnel takes the [`Seat`] along and gives it back at its own end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::peer::Via;
use super::seat::{Seat, Seats};
use super::server::Server;
use super::upgrade::{Brought, TunnelStream};

/// Largest request head; a cookie and a long query fit well.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// A peer that acknowledges nothing for so long is gone.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_mins(1);

/// A bound socket and what is spoken on it.
pub struct Listener {
    pub socket: TcpListener,
    /// None for plain HTTP behind a proxy.
    pub tls: Option<TlsAcceptor>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tls = self.tls.is_some();
        formatter.debug_struct("Listener").field("socket", &self.socket).field("tls", &tls).finish()
    }
}

impl Server {
    /// Serves until `stop`, then drains: no new connections, answers under way are
    /// finished, sessions say goodbye; what is left after the drain time is cut.
    pub async fn run(self, listeners: Vec<Listener>) {
        let connections = TaskTracker::new();
        let graceful = Arc::new(GracefulShutdown::new());
        let doors = Doors {
            seats: Seats::new(self.limits.connections_max, Arc::clone(&self.metrics)),
            connections: connections.clone(),
            graceful: Arc::clone(&graceful),
        };
        let accepting = listeners.into_iter().map(|listener| self.accept(listener, &doors));
        futures_util::future::join_all(accepting).await;
        drop(doors);

        connections.close();
        self.tunnels.close();
        let drained = async {
            if let Ok(graceful) = Arc::try_unwrap(graceful).map_err(drop) {
                graceful.shutdown().await;
            }
            connections.wait().await;
            self.tunnels.wait().await;
        };
        if tokio::time::timeout(self.limits.drain, drained).await.is_err() {
            let (open, tunnels) = (connections.len(), self.tunnels.len());
            tracing::warn!(web.open = open, web.tunnels = tunnels, "drain took too long; cutting");
        }
        self.cut.cancel();
    }

    async fn accept(&self, listener: Listener, doors: &Doors) {
        loop {
            // Cancel safe: `accept` loses no connection when dropped.
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.socket.accept() => accepted,
            };
            match accepted {
                Ok((socket, address)) => {
                    self.welcome(socket, address, listener.tls.as_ref(), doors);
                }
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    // Out of file descriptors: waiting is all that helps.
                    tracing::warn!(%error, "cannot accept connections; trying again");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    fn welcome(
        &self,
        socket: TcpStream,
        address: SocketAddr,
        tls: Option<&TlsAcceptor>,
        doors: &Doors,
    ) {
        let ip = address.ip().to_canonical();
        // A proxy carries everybody's connections; it bounds them itself.
        let bounded = !self.proxies.trusts(ip);
        let address_max = bounded.then_some(self.limits.connections_per_address_max);
        let seat = match doors.seats.take(ip, address_max) {
            Ok(seat) => seat,
            Err(reason) => {
                self.metrics.refused(reason);
                tracing::debug!(peer.ip = %ip, reason, "a connection was refused");
                return;
            }
        };
        let (server, tls) = (self.clone(), tls.cloned());
        let watcher = doors.graceful.watcher();
        doors.connections.spawn(async move {
            let served = server.serve(socket, ip, tls, (seat, watcher));
            // Cancel safe: dropping a connection closes it, which is what a cut means.
            tokio::select! {
                () = served => {}
                () = server.cut.cancelled() => {}
            }
        });
    }

    async fn serve(
        &self,
        socket: TcpStream,
        ip: IpAddr,
        tls: Option<TlsAcceptor>,
        (seat, watcher): (Arc<Seat>, hyper_util::server::graceful::Watcher),
    ) {
        tune(&socket);
        let is_tls = tls.is_some();
        let Some(stream) = self.shake_hands(socket, ip, tls).await else { return };
        let brought = Brought(stream.client_certificate());
        let filtered = warp::service(self.filter.clone());
        let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(Via { ip, tls: is_tls });
            request.extensions_mut().insert(Arc::clone(&seat));
            request.extensions_mut().insert(brought.clone());
            filtered.clone().call(request)
        });
        let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_buf_size(HEAD_BYTES_MAX);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection.into_owned()).await {
            tracing::debug!(peer.ip = %ip, error = %error, "a connection ended badly");
        }
    }

    async fn shake_hands(
        &self,
        socket: TcpStream,
        ip: IpAddr,
        tls: Option<TlsAcceptor>,
    ) -> Option<TunnelStream> {
        let Some(tls) = tls else { return Some(TunnelStream::Plain(socket)) };
        match tokio::time::timeout(self.limits.handshake_timeout, tls.accept(socket)).await {
            Ok(Ok(stream)) => Some(TunnelStream::Tls(Box::new(stream))),
            Ok(Err(error)) => {
                self.metrics.refused("tls");
                tracing::debug!(peer.ip = %ip, %error, "no TLS with this peer");
                None
            }
            Err(_) => {
                self.metrics.refused("tls_timeout");
                None
            }
        }
    }
}

/// What is shared by all listeners while they accept.
struct Doors {
    seats: Seats,
    connections: TaskTracker,
    graceful: Arc<GracefulShutdown>,
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Small answers leave at once, and a peer that vanished is noticed.
fn tune(socket: &TcpStream) {
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_mins(1))
        .with_interval(Duration::from_secs(15));
    let options = socket2::SockRef::from(socket);
    let tuned = socket
        .set_nodelay(true)
        .and_then(|()| options.set_tcp_keepalive(&keepalive))
        .and_then(|()| options.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX)));
    if let Err(error) = tuned {
        tracing::debug!(%error, "socket options could not be set");
    }
}
