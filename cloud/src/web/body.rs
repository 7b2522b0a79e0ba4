//! Reads a request's body within its route's limits: bytes, a chunk in time, the whole
//! in time. Nothing is read before the caller was let in.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use hyper::HeaderMap;

use super::error::{Error, Result};

/// A request's body as it comes, not yet read.
pub(super) type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>;

/// The slowest sender we wait for, beside the time between two chunks.
const BYTES_PER_SECOND_MIN: u64 = 4 * 1024;

/// Takes warp's stream of buffers as bytes.
pub(super) fn stream<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>> + Send + 'static,
) -> BodyStream {
    Box::pin(body.map(|chunk| chunk.map(|mut chunk| chunk.copy_to_bytes(chunk.remaining()))))
}

/// Reads the whole body: 413 past `bytes_max`, 408 when it stalls for `progress`.
pub(super) async fn read(
    mut body: BodyStream,
    headers: &HeaderMap,
    bytes_max: usize,
    progress: Duration,
) -> Result<Bytes> {
    let stated = headers.get("content-length").and_then(|value| value.to_str().ok());
    let stated: usize = stated.and_then(|value| value.parse().ok()).unwrap_or(0);
    if stated > bytes_max {
        return Err(Error::TooLarge(bytes_max));
    }
    let seconds = u64::try_from(bytes_max).unwrap_or(u64::MAX) / BYTES_PER_SECOND_MIN;
    let whole = progress + Duration::from_secs(seconds);
    let reading = async {
        let mut read = BytesMut::with_capacity(stated);
        loop {
            let chunk = tokio::time::timeout(progress, body.next()).await;
            match chunk.map_err(|_| Error::TooSlow)? {
                None => return Ok(read.freeze()),
                Some(Err(error)) => {
                    tracing::debug!(%error, "a request broke off");
                    return Err(Error::TooSlow);
                }
                Some(Ok(chunk)) if read.len() + chunk.len() > bytes_max => {
                    return Err(Error::TooLarge(bytes_max));
                }
                Some(Ok(chunk)) => read.extend_from_slice(&chunk),
            }
        }
    };
    tokio::time::timeout(whole, reading).await.map_err(|_| Error::TooSlow)?
}
