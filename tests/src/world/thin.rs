//! A thin line: a TCP proxy that carries so many bits a second each way after such a delay,
//! and holds next to nothing itself, so that what stands in a queue stands at the ends.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep_until};

/// What the proxy's own sockets may hold; the kernel makes it a little more.
const SOCKET_BYTES: u32 = 4 * 1024;
/// Carried at a time: 2 ms on 2 Mbit/s.
const PIECE_BYTES: usize = 512;

/// How the line is.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    pub bits_per_s: u64,
    /// One way.
    pub delay: Duration,
}

/// The line. Dropped, it is taken down.
#[derive(Debug)]
pub struct ThinLine {
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl ThinLine {
    /// Listens on a free port and carries to `target`.
    pub fn start(target: SocketAddr, line: Line) -> anyhow::Result<Self> {
        let socket = small()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(16)?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target, line));
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for ThinLine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn small() -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(SOCKET_BYTES)?;
    socket.set_send_buffer_size(SOCKET_BYTES)?;
    Ok(socket)
}

async fn carry(client: TcpStream, target: SocketAddr, line: Line) {
    let Ok(socket) = small() else { return };
    let Ok(server) = socket.connect(target).await else { return };
    for stream in [&client, &server] {
        // Waiting for more would be a delay that is none of the line's.
        if stream.set_nodelay(true).is_err() {
            return;
        }
    }
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::select! {
        () = pump(client_read, server_write, line) => {}
        () = pump(server_read, client_write, line) => {}
    }
}

/// Takes in no faster than the line carries, and hands out what has come through.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: Line) {
    let mut under_way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut free_at = Instant::now();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let arrives_at = under_way.front().map(|(at, _)| *at);
        let now = Instant::now();
        tokio::select! {
            biased;
            () = sleep_until(arrives_at.unwrap_or(now)), if arrives_at.is_some() => {
                let Some((_, bytes)) = under_way.pop_front() else { return };
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            read = take(&mut from, &mut piece, free_at) => {
                let Ok(length @ 1..) = read else { return };
                let Some(bytes) = piece.get(..length) else { return };
                let takes = Duration::from_nanos(length as u64 * 8_000_000_000 / line.bits_per_s);
                free_at = free_at.max(Instant::now()) + takes;
                under_way.push_back((free_at + line.delay, bytes.to_vec()));
            }
        }
    }
}

/// Cancel safe: nothing is read before the wait is over.
async fn take(
    from: &mut OwnedReadHalf,
    piece: &mut [u8],
    free_at: Instant,
) -> std::io::Result<usize> {
    sleep_until(free_at).await;
    from.read(piece).await
}
