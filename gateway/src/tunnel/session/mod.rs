//! One session, from Challenge to its end, over a WebSocket that is already open.
//!
//! The driver here owns the socket and waits; [`live::Live`] holds every rule and
//! never waits. At most one frame is in the socket at any time, so control frames
//! never stand behind more than one frame of events.

mod bulk;
mod greeting;
mod live;
#[cfg(test)]
mod tests;
mod welcome;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fournil_protocol::frame::{Frame, Goodbye, Kind};
use fournil_protocol::{Versions, close};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_util::sync::CancellationToken;

use super::ambient::Ambient;
use super::identity::Identity;
use super::log::Log;
use super::metered::{Meter, Metered};
use super::reasons::sentence;
use super::state::TunnelState;
use super::uploads::Uploads;
use crate::i18n::say;
use crate::seam::{CloudOffset, Job};
use crate::supervise::Pulse;
use live::Live;

/// Time for a last frame to leave.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// For one frame to leave. The least of lines carries the longest frame in less.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// A session that does not even turn its loop for so long is stuck.
const PROGRESS_MAX: Duration = Duration::from_secs(90);

/// What a session needs besides its socket.
#[derive(Debug, Clone)]
pub struct Terms<L> {
    pub log: L,
    /// The newest one: an enrolment beside the running daemon replaces it.
    pub identity: watch::Receiver<Arc<Identity>>,
    /// The name TLS verified.
    pub server_name: String,
    pub incarnation: u64,
    pub boot_id: [u8; 16],
    pub ambient: Ambient,
    /// Fresh commands for the devices. When it is full they stay in the journal, from
    /// where the receiver fetches them again.
    pub jobs: mpsc::Sender<Job>,
    /// Cloud time minus wall time, for everyone.
    pub cloud_offset: CloudOffset,
    pub state: watch::Sender<TunnelState>,
    pub pulse: Pulse,
    /// The protocol versions spoken here.
    pub versions: Versions,
    /// What waits to go up in chunks.
    pub uploads: Uploads,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    #[error("{}", say("tunnel-end-stopped", &[]))]
    Stopped,
    /// The cloud ended it on purpose.
    #[error(
        "{}",
        say(
            "tunnel-end-goodbye",
            &[("sentence", &sentence(*.code)), ("code", .code), ("reason", .reason)]
        )
    )]
    Goodbye { code: u16, reason: String, retry_after_ms: u32 },
    /// We ended it, and told the cloud why.
    #[error(
        "{}",
        say(
            "tunnel-end-refused",
            &[("sentence", &sentence(*.code)), ("code", .code), ("reason", .reason)]
        )
    )]
    Refused { code: u16, reason: String },
    #[error("{}", say("tunnel-end-silent", &[]))]
    Silent,
    #[error("{}", say("tunnel-end-cut", &[("why", .0)]))]
    Cut(String),
    #[error("{}", say("tunnel-end-journal", &[("why", .0)]))]
    Journal(String),
}

/// A session that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub why: End,
    /// Since Welcome; zero when there was none.
    pub lasted: Duration,
}

type Sink<S> = SplitSink<WebSocketStream<Metered<S>>, Message>;
type Stream<S> = SplitStream<WebSocketStream<Metered<S>>>;

/// Runs a session to its end. Dropping it is safe: all that matters is in the journal.
pub async fn run<S, L>(
    socket: WebSocketStream<Metered<S>>,
    terms: &Terms<L>,
    stop: &CancellationToken,
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
    L: Log,
{
    let meter = socket.get_ref().meter();
    let (mut sink, mut stream) = socket.split();
    let greeted = tokio::select! {
        biased;
        greeted = greeting::greet(&mut sink, &mut stream, terms) => greeted,
        () = stop.cancelled() => Err(End::Stopped),
    };
    let (why, lasted) = match greeted {
        Ok(agreed) => {
            let welcomed = Instant::now();
            let mut live = Live::new(terms, agreed, welcomed);
            let why = drive(&mut sink, &mut stream, &mut live, &meter, stop).await;
            (why, welcomed.elapsed())
        }
        Err(why) => (why, Duration::ZERO),
    };
    farewell(&mut sink, &why).await;
    Ended { why, lasted }
}

/// Waits for whatever comes first and lets [`Live`] decide. Every branch is cancel
/// safe: the futures of the journal are kept in their slots, a frame is handed to the
/// socket at once and only its flushing is waited for.
async fn drive<S, L>(
    sink: &mut Sink<S>,
    stream: &mut Stream<S>,
    live: &mut Live<'_, L>,
    meter: &Meter,
    stop: &CancellationToken,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
    L: Log,
{
    let mut changed = live.log_changes();
    let mut uploads = live.upload_changes();
    let mut leaving_since: Option<Instant> = None;
    loop {
        live.note_progress(PROGRESS_MAX, meter);
        let written = *changed.borrow_and_update();
        if let Err(end) = live.begin_work(written, Instant::now()) {
            return end;
        }
        if leaving_since.is_none()
            && let Some(frame) = live.next_frame(Instant::now())
        {
            if let Err(end) = start(sink, &frame).await {
                return end;
            }
            leaving_since = Some(Instant::now());
        }
        let stuck_at = leaving_since.map(|since| since + SEND_TIMEOUT);
        let wake = live.next_wake(meter.heard_at(), leaving_since.is_none());
        // In this order, always: what comes first lives on what comes later (the journal's
        // work on frames and new events, a flush on both), so nothing is starved, and a
        // session replays from a seed.
        let turn = tokio::select! {
            biased;
            () = stop.cancelled() => Err(End::Stopped),
            flushed = sink.flush(), if leaving_since.is_some() => {
                leaving_since = None;
                flushed.map_err(|error| cut(&error))
            }
            done = live.work_done() => live.take(done, Instant::now()),
            changed = changed.changed() => {
                changed.map_err(|_| End::Journal(say("tunnel-journal-stopped", &[])))
            }
            message = stream.next() => match heard(message) {
                Ok(Some(frame)) => live.hear(frame, Instant::now()),
                Ok(None) => Ok(()),
                Err(end) => Err(end),
            },
            // The session itself holds the sender.
            _ = uploads.changed() => Ok(()),
            () = sleep_until(stuck_at.map_or(wake, |stuck_at| wake.min(stuck_at))) => {
                let now = Instant::now();
                match stuck_at {
                    Some(stuck_at) if now >= stuck_at => Err(slow()),
                    _ => live.check_silence(meter.heard_at(), now),
                }
            }
        };
        if let Err(end) = turn {
            return end;
        }
    }
}

/// Hands one frame to the socket. `feed` waits only for the frame before, and the
/// callers flush each frame before they start another.
async fn start<S>(sink: &mut Sink<S>, frame: &Frame) -> Result<(), End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let bytes = frame
        .encode_bytes()
        .map_err(|error| End::Refused { code: close::MALFORMED, reason: error.to_string() })?;
    sink.feed(Message::Binary(Bytes::from(bytes))).await.map_err(|error| cut(&error))
}

/// Reads a message as a frame. `None` is a message that says nothing to us.
fn heard(message: Option<Result<Message, Error>>) -> Result<Option<Frame>, End> {
    match message {
        None => Err(End::Cut(say("tunnel-cut-wordless", &[]))),
        Some(Err(error)) => Err(cut(&error)),
        Some(Ok(Message::Binary(bytes))) => Frame::decode_bytes(&bytes)
            .map(Some)
            .map_err(|error| End::Refused { code: close::MALFORMED, reason: error.to_string() }),
        Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) >= close::DRAIN => {
            Err(End::Goodbye {
                code: frame.code.into(),
                reason: frame.reason.to_string(),
                retry_after_ms: 0,
            })
        }
        Some(Ok(Message::Close(_))) => Err(End::Cut(say("tunnel-cut-by-cloud", &[]))),
        Some(Ok(Message::Text(_))) => Err(End::Refused {
            code: close::MALFORMED,
            reason: "a text message is no frame".to_owned(),
        }),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
    }
}

/// It may be talking still, and takes nothing.
fn slow() -> End {
    End::Refused { code: close::SLOW_CONSUMER, reason: "the cloud does not read".to_owned() }
}

fn cut(error: &Error) -> End {
    match error {
        Error::Capacity(_) => {
            End::Refused { code: close::MALFORMED, reason: "frame over the limit".to_owned() }
        }
        Error::ConnectionClosed | Error::AlreadyClosed => End::Cut(say("tunnel-cut-closed", &[])),
        other => End::Cut(other.to_string()),
    }
}

/// Says why, where the peer is still there to hear it, and closes.
async fn farewell<S>(sink: &mut Sink<S>, why: &End)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let goodbye = match why {
        End::Stopped => Some((close::DRAIN, "gateway stops".to_owned())),
        End::Refused { code, reason } => Some((*code, reason.clone())),
        End::Silent => Some((close::HEARTBEAT_LOST, "nothing heard".to_owned())),
        End::Journal(reason) => Some((close::UNAVAILABLE, reason.clone())),
        End::Goodbye { .. } | End::Cut(_) => None,
    };
    let last_words = async {
        if let Some((code, reason)) = goodbye {
            let goodbye = Goodbye { code: u32::from(code), reason, retry_after_ms: 0 };
            start(sink, &Frame::from(Kind::Goodbye(goodbye))).await?;
        }
        let closed = Pin::new(sink).close().await;
        closed.map_err(|error| cut(&error))
    };
    // Nobody may be listening any more; the session is over either way.
    match timeout(FAREWELL_TIMEOUT, last_words).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "no farewell"),
        Err(_) => tracing::debug!("no farewell in time"),
    }
}
