//! A net in memory: two ends per connection, bytes that take time, and everything a real
//! one does to them. TCP loses nothing, so loss is delay; what ends a connection is a cut
//! (told), or silence (not told: only a heartbeat finds out).

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What a socket's buffers and the way hold.
const CAPACITY_BYTES: usize = 64 * 1024;

/// How bytes travel now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weather {
    pub(super) latency: Duration,
    pub(super) bytes_per_s: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self { latency: Duration::from_millis(20), bytes_per_s: 1_000_000 }
    }
}

/// The direction of bytes, seen from the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// One direction of one connection.
#[derive(Debug, Default)]
struct Pipe {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    waiting_bytes: usize,
    last_due: Option<Instant>,
    /// Bytes vanish from here on and nobody is told.
    is_silent: bool,
    /// Nothing arrives before this.
    held_until: Option<Instant>,
    /// The connection breaks once so many more bytes were written.
    cut_after: Option<usize>,
    /// The writer has gone in good order.
    is_closed: bool,
    is_cut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

/// A connection, as the net sees it.
#[derive(Debug, Default)]
pub(super) struct Wires {
    up: Mutex<Pipe>,
    down: Mutex<Pipe>,
}

impl Wires {
    fn pipe(&self, way: Way) -> MutexGuard<'_, Pipe> {
        let pipe = match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        };
        pipe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn each(&self, mut change: impl FnMut(&mut Pipe)) {
        for way in [Way::Up, Way::Down] {
            let mut pipe = self.pipe(way);
            change(&mut pipe);
            pipe.wake();
        }
    }

    fn cut(&self) {
        self.each(|pipe| pipe.is_cut = true);
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    wires: Arc<Wires>,
    reads: Way,
    writes: Way,
    weather: Arc<Mutex<Weather>>,
    due: Option<Pin<Box<Sleep>>>,
}

/// Every connection of the world and the weather they travel in.
#[derive(Debug, Default)]
pub(super) struct Net {
    weather: Arc<Mutex<Weather>>,
    open: Mutex<Vec<Weak<Wires>>>,
}

impl Net {
    /// A new connection: the shop's end and the cloud's.
    pub(super) fn connect(&self) -> (End, End) {
        let wires = Arc::new(Wires::default());
        let end = |reads, writes| End {
            wires: wires.clone(),
            reads,
            writes,
            weather: self.weather.clone(),
            due: None,
        };
        let ends = (end(Way::Down, Way::Up), end(Way::Up, Way::Down));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|known| known.strong_count() > 0);
        open.push(Arc::downgrade(&wires));
        ends
    }

    pub(super) fn set_weather(&self, weather: Weather) {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    #[must_use]
    pub(super) fn weather(&self) -> Weather {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn each(&self, change: impl Fn(&Wires)) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for wires in open.iter().filter_map(Weak::upgrade) {
            change(&wires);
        }
    }

    /// Resets every connection.
    pub(super) fn cut(&self) {
        self.each(Wires::cut);
    }

    /// Cuts every connection once so many more bytes have gone one way.
    pub(super) fn cut_after(&self, way: Way, bytes: usize) {
        self.each(|wires| wires.pipe(way).cut_after = Some(bytes));
    }

    /// From now on one way of every connection is a hole, and nobody is told.
    pub(super) fn silence(&self, way: Way) {
        self.each(|wires| wires.pipe(way).is_silent = true);
    }

    /// Nothing arrives for a while, then everything.
    pub(super) fn hold(&self, time: Duration) {
        let until = Instant::now() + time;
        self.each(|wires| wires.each(|pipe| pipe.held_until = Some(until)));
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let due = {
                let wires = self.wires.clone();
                let mut pipe = wires.pipe(self.reads);
                if pipe.is_cut {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                let (is_closed, held_until) = (pipe.is_closed, pipe.held_until);
                match pipe.chunks.front_mut() {
                    None if is_closed => return Poll::Ready(Ok(())),
                    None => {
                        pipe.reader = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                    Some((due, bytes)) => {
                        let due = held_until.map_or(*due, |until| until.max(*due));
                        if due <= Instant::now() {
                            let count = bytes.len().min(buf.remaining());
                            buf.put_slice(&bytes[..count]);
                            bytes.drain(..count);
                            if bytes.is_empty() {
                                pipe.chunks.pop_front();
                            }
                            pipe.waiting_bytes -= count;
                            if let Some(writer) = pipe.writer.take() {
                                writer.wake();
                            }
                            return Poll::Ready(Ok(()));
                        }
                        pipe.reader = Some(cx.waker().clone());
                        due
                    }
                }
            };
            let mut sleep = Box::pin(sleep_until(due));
            if sleep.as_mut().poll(cx).is_pending() {
                self.due = Some(sleep);
                return Poll::Pending;
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let weather = *self.weather.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pipe = self.wires.pipe(self.writes);
        if pipe.is_cut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = CAPACITY_BYTES.saturating_sub(pipe.waiting_bytes);
        if room == 0 {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut count = bytes.len().min(room);
        let mut is_last = false;
        if let Some(left) = &mut pipe.cut_after {
            is_last = count >= *left;
            count = count.min(*left);
            *left -= count;
        }
        pipe.waiting_bytes += count;
        if !pipe.is_silent && count > 0 {
            let travel = count as u64 * 1_000_000 / weather.bytes_per_s.max(1);
            let free = pipe.last_due.map_or(Instant::now(), |last| {
                last.checked_sub(weather.latency).unwrap_or(last).max(Instant::now())
            });
            let due = free + Duration::from_micros(travel) + weather.latency;
            let due = pipe.last_due.map_or(due, |last| last.max(due));
            pipe.last_due = Some(due);
            pipe.chunks.push_back((due, bytes[..count].to_vec()));
            if let Some(reader) = pipe.reader.take() {
                reader.wake();
            }
        }
        drop(pipe);
        if is_last {
            self.wires.cut();
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.wires.pipe(self.writes);
        pipe.is_closed = !pipe.is_silent;
        pipe.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    /// A process that ends is told of by its system, unless the way is silent.
    fn drop(&mut self) {
        let is_silent = self.wires.pipe(self.writes).is_silent;
        if !is_silent {
            let mut pipe = self.wires.pipe(self.writes);
            pipe.is_closed = true;
            pipe.wake();
            drop(pipe);
            // What the far side still sends meets a reset.
            let mut back = self.wires.pipe(self.reads);
            back.is_cut = true;
            back.wake();
        }
    }
}
