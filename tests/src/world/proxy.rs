//! A wire that can be cut: a TCP proxy between gateway and cloud that drops every
//! connection in the middle of what it carries, or carries nothing for a while.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the wire does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Carries everything.
    Whole,
    /// Refuses and drops every connection.
    Cut,
}

/// The proxy. Dropped, it stops.
#[derive(Debug)]
pub struct Proxy {
    pub address: SocketAddr,
    wire: watch::Sender<Wire>,
    /// Bytes the wire still carries before it is cut; negative means no limit.
    budget: Arc<AtomicI64>,
    carried: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

const NO_LIMIT: i64 = i64::MIN / 2;

impl Proxy {
    /// Listens on a free port and carries to `target`.
    pub async fn start(target: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (wire, state) = watch::channel(Wire::Whole);
        let budget = Arc::new(AtomicI64::new(NO_LIMIT));
        let carried = Arc::new(AtomicU64::new(0));
        let meters = Meters { budget: Arc::clone(&budget), carried: Arc::clone(&carried) };
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *state.borrow() == Wire::Cut {
                    continue;
                }
                tokio::spawn(carry(client, target, state.clone(), meters.clone()));
            }
        });
        Ok(Self { address, wire, budget, carried, task })
    }

    /// Cuts everything now and refuses new connections.
    pub fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    /// Carries again, without limit.
    pub fn mend(&self) {
        self.budget.store(NO_LIMIT, Ordering::SeqCst);
        self.wire.send_replace(Wire::Whole);
    }

    /// Drops the connection after so many more bytes, wherever in a frame that is.
    /// New connections are carried again.
    pub fn cut_after(&self, bytes: u32) {
        self.budget.store(i64::from(bytes), Ordering::SeqCst);
    }

    /// Bytes carried so far, both ways.
    #[must_use]
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug, Clone)]
struct Meters {
    budget: Arc<AtomicI64>,
    carried: Arc<AtomicU64>,
}

impl Meters {
    /// How many of `length` bytes may pass; fewer means: cut after them.
    fn take(&self, length: usize) -> usize {
        let wanted = i64::try_from(length).unwrap_or(i64::MAX);
        let left = self.budget.load(Ordering::SeqCst);
        let passed = if left < 0 {
            length
        } else {
            self.budget.fetch_sub(wanted.min(left), Ordering::SeqCst);
            usize::try_from(wanted.min(left)).unwrap_or(0)
        };
        if passed < length {
            self.budget.store(NO_LIMIT, Ordering::SeqCst);
        }
        self.carried.fetch_add(passed as u64, Ordering::SeqCst);
        passed
    }
}

async fn carry(
    client: TcpStream,
    target: SocketAddr,
    mut state: watch::Receiver<Wire>,
    meters: Meters,
) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let up = pump(client_read, server_write, meters.clone());
    let down = pump(server_read, client_write, meters);
    // Whichever side ends, or a cut, drops both halves at once: a torn frame.
    tokio::select! {
        () = up => {}
        () = down => {}
        _ = state.wait_for(|wire| *wire == Wire::Cut) => {}
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    meters: Meters,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        let passed = meters.take(length);
        let Some(bytes) = buffer.get(..passed) else { return };
        if length == 0 || to.write_all(bytes).await.is_err() || passed < length {
            return;
        }
    }
}
