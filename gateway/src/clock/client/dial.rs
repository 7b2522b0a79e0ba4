//! Reaching a clock.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::ClientError;
use crate::clock::config::{Target, Transport};
use crate::clock::link::{Event, Link};

const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);

/// A link to the clock. Over UDP nothing has been said yet: whether somebody is there shows
/// with the first answer.
pub(super) async fn dial(
    target: &Target,
    within: Duration,
    events: mpsc::Sender<Event>,
) -> Result<Link, ClientError> {
    let unreachable =
        |reason: String| ClientError::Unreachable { target: target.to_string(), reason };
    let dialled = async {
        let found: Vec<SocketAddr> =
            lookup_host((target.host.as_str(), target.port)).await?.collect();
        match target.transport {
            Transport::Tcp => TcpStream::connect(found.as_slice()).await.and_then(|stream| {
                tune(&stream)?;
                Ok(Link::start(stream, events))
            }),
            Transport::Udp => socket(&found).await.map(|udp| Link::start_datagrams(udp, events)),
        }
    };
    match timeout(within, dialled).await {
        Ok(link) => link.map_err(|error| unreachable(error.to_string())),
        Err(_) => Err(unreachable(format!("no connection in {} s", within.as_secs()))),
    }
}

fn tune(stream: &TcpStream) -> std::io::Result<()> {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_AFTER);
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

async fn socket(found: &[SocketAddr]) -> std::io::Result<UdpSocket> {
    let here: SocketAddr = match found.first() {
        Some(SocketAddr::V6(_)) => ([0_u16; 8], 0).into(),
        _ => ([0_u8; 4], 0).into(),
    };
    let socket = UdpSocket::bind(here).await?;
    socket.connect(found).await?;
    Ok(socket)
}
