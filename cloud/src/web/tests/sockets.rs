//! The accept loop over real sockets: slow clients, bounds, the upgrade, the drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::web::testing::{KnownSessions, World, no_database};
use crate::web::upgrade::{Tunnel, TunnelHandler, no_tunnels};
use crate::web::{Access, Listener, Readiness, Request, Response, Server, ServerLimits, get};

const PATIENCE: Duration = Duration::from_secs(5);

struct Running {
    address: SocketAddr,
    world: World,
    serving: JoinHandle<()>,
}

async fn running(limits: ServerLimits, tunnels: Option<TunnelHandler>) -> Running {
    let hello =
        get("/hello", Access::Public, async |_: Request| Ok(Response::text("hello".to_owned())));
    let beat = get("/beat", Access::Public, async |_: Request| {
        let events = futures_util::stream::iter([Response::event("beat", None, "1")]);
        Ok(Response::events(events.chain(futures_util::stream::pending())))
    });
    let sessions = Arc::new(KnownSessions::default());
    let (routes, tunnels) = (vec![hello, beat], tunnels.unwrap_or_else(no_tunnels));
    let world = World::build(no_database(), routes, sessions, limits, Readiness::ready(), tunnels);
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let serving = tokio::spawn(world.server.clone().run(vec![Listener { socket, tls: None }]));
    Running { address, world, serving }
}

async fn connected(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("a connection")
}

/// Everything until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _: usize = read.expect("the server did not close").unwrap_or(0);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn half_a_header_is_closed_when_its_time_is_over() {
    let limits =
        ServerLimits { header_timeout: Duration::from_millis(300), ..ServerLimits::default() };
    let running = running(limits, None).await;
    let mut stream = connected(running.address).await;
    stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\nx-slow: ").await.expect("sent");
    let started = Instant::now();
    rest(&mut stream).await;
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn in_production_that_time_is_ten_seconds() {
    assert_eq!(ServerLimits::default().header_timeout, Duration::from_secs(10));
    assert_eq!(ServerLimits::default().handshake_timeout, Duration::from_secs(10));
}

#[tokio::test]
async fn past_the_bound_of_one_address_a_connection_is_closed_at_once() {
    let limits = ServerLimits { connections_per_address_max: 2, ..ServerLimits::default() };
    let running = running(limits, None).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = connected(running.address).await;
        stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).await.expect("an answer");
        assert_eq!(&begin, b"HTTP/1.1 200");
        held.push(stream);
    }
    assert_eq!(rest(&mut connected(running.address).await).await, "");
    let figures = running.world.server.metrics.encode().expect("figures");
    assert!(figures.contains("connections_refused_total{reason=\"address\"} 1"), "{figures}");
    drop(held);
    // Their seats are free again once the server noticed.
    let again = async {
        loop {
            let mut stream = connected(running.address).await;
            let asked = b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            if stream.write_all(asked).await.is_ok() && rest(&mut stream).await.contains("200") {
                return;
            }
        }
    };
    timeout(PATIENCE, again).await.expect("a seat");
}

#[tokio::test]
async fn an_upgraded_socket_keeps_its_seat_until_it_ends() {
    let limits = ServerLimits { connections_per_address_max: 2, ..ServerLimits::default() };
    let running = running(limits, Some(echo())).await;
    let mut tunnels = Vec::new();
    for _ in 0..2 {
        let request = dial(running.address, fournil_protocol::SUBPROTOCOL);
        let (mut tunnel, _) = tokio_tungstenite::connect_async(request).await.expect("upgraded");
        // An echo shows that the connection is past hyper.
        tunnel.send(Message::binary(vec![7])).await.expect("sent");
        timeout(PATIENCE, tunnel.next()).await.expect("in time").expect("open").expect("echo");
        tunnels.push(tunnel);
    }
    assert_eq!(rest(&mut connected(running.address).await).await, "", "a third one was let in");
    let figures = || running.world.server.metrics.encode().expect("figures");
    for figure in
        ["connections_open 2", "tunnels_open 2", "connections_refused_total{reason=\"address\"} 1"]
    {
        assert!(figures().contains(&format!("fournil_{figure}\n")), "{figure}: {}", figures());
    }
    drop(tunnels);
    let free = async {
        while !figures().contains("fournil_connections_open 0\n") {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, free).await.expect("the seats are free again");
}

async fn asked(address: SocketAddr, path: &str) -> String {
    let mut stream = connected(address).await;
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    rest(&mut stream).await
}

#[tokio::test]
async fn the_figures_are_on_their_own_listener_only() {
    let running = running(ServerLimits::default(), None).await;
    let metrics = &running.world.server.metrics;
    let server = Server::for_metrics(metrics, running.world.stop.clone());
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let figures = socket.local_addr().expect("an address");
    let serving = tokio::spawn(server.run(vec![Listener { socket, tls: None }]));

    assert!(asked(running.address, "/hello").await.starts_with("HTTP/1.1 200"));
    assert!(asked(running.address, "/metrics").await.starts_with("HTTP/1.1 404"));
    let answer = asked(figures, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("application/openmetrics-text"), "{answer}");
    let hello = "fournil_http_requests_total{route=\"/hello\",method=\"GET\",status=\"200\"} 1";
    assert!(answer.contains(hello), "{answer}");
    assert!(answer.contains("fournil_http_latency_seconds_count{route=\"/hello\"} 1"), "{answer}");
    assert!(asked(figures, "/hello").await.starts_with("HTTP/1.1 404"), "it serves pages");

    running.world.stop.cancel();
    timeout(PATIENCE, serving).await.expect("in time").expect("ended");
}

/// Sends back what comes, and says goodbye when the server drains.
fn echo() -> TunnelHandler {
    Arc::new(|mut tunnel: Tunnel| {
        Box::pin(async move {
            loop {
                tokio::select! {
                    () = tunnel.stop.cancelled() => {
                        let _ = tunnel.socket.send(Message::text("goodbye")).await;
                        let _ = tunnel.socket.close(None).await;
                        return;
                    }
                    message = tunnel.socket.next() => match message {
                        Some(Ok(message)) if message.is_binary() => {
                            let _ = tunnel.socket.send(message).await;
                        }
                        Some(Ok(_)) => {}
                        _ => return,
                    }
                }
            }
        })
    })
}

fn dial(
    address: SocketAddr,
    subprotocol: &str,
) -> tokio_tungstenite::tungstenite::http::Request<()> {
    let url = format!("ws://{address}/gateway/v1");
    let mut request = url.into_client_request().expect("a request");
    if !subprotocol.is_empty() {
        let value = subprotocol.parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", value);
    }
    request
}

#[tokio::test]
async fn a_gateway_is_upgraded_and_its_frames_are_bounded() {
    let running = running(ServerLimits::default(), Some(echo())).await;
    let request = dial(running.address, fournil_protocol::SUBPROTOCOL);
    let (mut socket, answer) = tokio_tungstenite::connect_async(request).await.expect("upgraded");
    assert_eq!(answer.status().as_u16(), 101);
    socket.send(Message::binary(vec![7; 60_000])).await.expect("sent");
    let back = timeout(PATIENCE, socket.next()).await.expect("in time").expect("open");
    assert_eq!(back.expect("a message").into_data().len(), 60_000);
    socket.send(Message::binary(vec![7; 70_000])).await.expect("sent");
    let end = timeout(PATIENCE, socket.next()).await.expect("in time");
    assert!(!matches!(end, Some(Ok(Message::Binary(_)))), "a frame past the bound came back");
}

#[tokio::test]
async fn without_the_subprotocol_there_is_no_tunnel() {
    let running = running(ServerLimits::default(), Some(echo())).await;
    for wrong in ["", "fournil.gateway.v0"] {
        let refused = tokio_tungstenite::connect_async(dial(running.address, wrong)).await;
        let Err(WsError::Http(answer)) = refused else { panic!("{wrong:?} was let in") };
        assert_eq!(answer.status().as_u16(), 400);
    }
    let mut stream = connected(running.address).await;
    let asked = b"GET /gateway/v1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(asked).await.expect("sent");
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 426"));
}

#[tokio::test]
async fn a_drain_lets_tunnels_say_goodbye_and_ends_event_streams() {
    let running = running(ServerLimits::default(), Some(echo())).await;
    let request = dial(running.address, fournil_protocol::SUBPROTOCOL);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("upgraded");
    let mut events = connected(running.address).await;
    events.write_all(b"GET /beat HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let mut begin = [0; 12];
    events.read_exact(&mut begin).await.expect("the stream began");

    running.world.stop.cancel();
    let goodbye = timeout(PATIENCE, socket.next()).await.expect("in time");
    assert_eq!(goodbye.expect("open").expect("a message").into_text().expect("text"), "goodbye");
    // The close must be answered for the session to end well.
    let _: Option<_> = socket.next().await;
    let _ = socket.close(None).await;
    assert!(rest(&mut events).await.contains("event: beat"));
    timeout(PATIENCE, running.serving).await.expect("drained").expect("ended");
    assert!(TcpStream::connect(running.address).await.is_err(), "the port is free again");
}

#[tokio::test]
async fn a_tunnel_that_will_not_leave_is_cut() {
    let deaf: TunnelHandler = Arc::new(|tunnel: Tunnel| {
        Box::pin(async move {
            let _held = tunnel;
            std::future::pending::<()>().await;
        })
    });
    let limits = ServerLimits { drain: Duration::from_millis(200), ..ServerLimits::default() };
    let running = running(limits, Some(deaf)).await;
    let request = dial(running.address, fournil_protocol::SUBPROTOCOL);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("upgraded");
    running.world.stop.cancel();
    timeout(PATIENCE, running.serving).await.expect("drained").expect("ended");
    let end = timeout(PATIENCE, socket.next()).await.expect("in time");
    assert!(!matches!(end, Some(Ok(_))), "the socket was left open");
}
