//! A wire that can be spoilt: a TCP proxy between gateway and cloud that drops every
//! connection in the middle of what it carries, carries nothing for a while, a little at a
//! time, or in one direction only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// What the wire does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Carries everything.
    Whole,
    /// Refuses and drops every connection.
    Cut,
    /// Holds everything back; nobody is told.
    Stalled,
    /// So many bytes a second each way.
    Slow(u32),
    /// What goes that way is swallowed; nobody is told. A connection that lost bytes so never
    /// carries that way again.
    HalfOpen(Way),
}

/// Which way, seen from the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Up,
    Down,
}

/// The proxy. Dropped, it stops.
#[derive(Debug)]
pub struct Proxy {
    pub address: SocketAddr,
    wire: watch::Sender<Wire>,
    target: watch::Sender<SocketAddr>,
    /// Bytes the wire still carries before it is cut; negative means no limit.
    budget: Arc<AtomicI64>,
    carried: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

const NO_LIMIT: i64 = i64::MIN / 2;
const PIECE_BYTES: usize = 16 * 1024;
/// A slow wire carries a piece ten times a second.
const SLOW_PIECE_EVERY: Duration = Duration::from_millis(100);

impl Proxy {
    /// Listens on a free port of this machine and carries to `target`.
    pub async fn start(target: SocketAddr) -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), target).await
    }

    /// Listens there and carries to `target`.
    pub async fn start_on(listen: SocketAddr, target: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (wire, state) = watch::channel(Wire::Whole);
        let (aim, aimed) = watch::channel(target);
        let budget = Arc::new(AtomicI64::new(NO_LIMIT));
        let carried = Arc::new(AtomicU64::new(0));
        let meters = Meters { budget: Arc::clone(&budget), carried: Arc::clone(&carried) };
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *state.borrow() == Wire::Cut {
                    continue;
                }
                let target = *aimed.borrow();
                tokio::spawn(carry(client, target, state.clone(), meters.clone()));
            }
        });
        Ok(Self { address, wire, target: aim, budget, carried, task })
    }

    /// Does that from now on.
    pub fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }

    /// Cuts everything now and refuses new connections.
    pub fn cut(&self) {
        self.set(Wire::Cut);
    }

    /// Carries again, without limit.
    pub fn mend(&self) {
        self.budget.store(NO_LIMIT, Ordering::SeqCst);
        self.set(Wire::Whole);
    }

    /// Drops the connection after so many more bytes, wherever in a frame that is.
    /// New connections are carried again.
    pub fn cut_after(&self, bytes: u32) {
        self.budget.store(i64::from(bytes), Ordering::SeqCst);
    }

    /// Carries new connections to another server; those that are open stay.
    pub fn aim(&self, target: SocketAddr) {
        self.target.send_replace(target);
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
    // What is measured is the product's wire, not Nagle's.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let up = pump(client_read, server_write, Way::Up, state.clone(), meters.clone());
    let down = pump(server_read, client_write, Way::Down, state.clone(), meters);
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
    way: Way,
    mut state: watch::Receiver<Wire>,
    meters: Meters,
) {
    let mut buffer = vec![0; PIECE_BYTES];
    let mut swallows = false;
    loop {
        let wire = *state.borrow_and_update();
        let room = match wire {
            Wire::Slow(bytes_a_second) => (bytes_a_second as usize / 10).clamp(1, PIECE_BYTES),
            _ => PIECE_BYTES,
        };
        let Some(piece) = buffer.get_mut(..room) else { return };
        let Ok(length) = from.read(piece).await else { return };
        if state.wait_for(|wire| *wire != Wire::Stalled).await.is_err() {
            return;
        }
        let wire = *state.borrow();
        swallows |= wire == Wire::HalfOpen(way) && length > 0;
        if swallows && length > 0 {
            continue;
        }
        let passed = meters.take(length);
        let Some(bytes) = buffer.get(..passed) else { return };
        if length == 0 || to.write_all(bytes).await.is_err() || passed < length {
            return;
        }
        if let Wire::Slow(_) = wire {
            sleep(SLOW_PIECE_EVERY).await;
        }
    }
}
