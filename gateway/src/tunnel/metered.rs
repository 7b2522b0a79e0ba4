//! A stream that knows when its peer was last heard and how much passed.
//!
//! Liveness counts bytes, not messages: a peer that is in the middle of a long frame
//! on a thin line is alive.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What a [`Metered`] stream has seen. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Meter(Arc<Readings>);

#[derive(Debug)]
struct Readings {
    start: Instant,
    heard_ms: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

impl Meter {
    fn new() -> Self {
        Self(Arc::new(Readings {
            start: Instant::now(),
            heard_ms: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
        }))
    }

    /// When the last byte came in; the beginning when none did.
    pub fn heard_at(&self) -> Instant {
        self.0.start + std::time::Duration::from_millis(self.0.heard_ms.load(Ordering::Relaxed))
    }

    /// Bytes that came in and went out.
    pub fn bytes(&self) -> (u64, u64) {
        let received = self.0.received_bytes.load(Ordering::Relaxed);
        (received, self.0.sent_bytes.load(Ordering::Relaxed))
    }
}

/// The stream itself.
#[derive(Debug)]
pub struct Metered<S> {
    inner: S,
    meter: Meter,
}

impl<S> Metered<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, meter: Meter::new() }
    }

    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        let got = buf.filled().len().saturating_sub(before);
        if got > 0 {
            let readings = &self.meter.0;
            let elapsed_ms = u64::try_from(readings.start.elapsed().as_millis());
            readings.heard_ms.store(elapsed_ms.unwrap_or(u64::MAX), Ordering::Relaxed);
            readings.received_bytes.fetch_add(got as u64, Ordering::Relaxed);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = &result {
            self.meter.0.sent_bytes.fetch_add(*written as u64, Ordering::Relaxed);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
