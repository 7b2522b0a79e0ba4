//! The socket of one session, served by one task: bytes to frames, answers one way,
//! events the other.
//!
//! Owner: the session; the task ends with it. Queues: 64 answers, 64 frames to send,
//! events as many as the session's owner allows. When a queue is full the task stops
//! reading, and TCP makes the clock wait: nothing is dropped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::wire::{Frame, FrameReader, WireError, code};
use crate::i18n::say;

const ANSWERS_MAX: usize = 64;
const OUTGOING_MAX: usize = 64;
const READ_BYTES: usize = 16 * 1024;
/// No datagram is larger.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Something that happened at the clock. `code` says what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub code: u16,
    pub data: Vec<u8>,
}

/// Why the connection is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkEnd {
    #[error("{}", say("clock-link-closed", &[]))]
    Closed,
    #[error("{}", say("clock-link-broken", &[("why", .0)]))]
    Broken(String),
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// The session's end of the task.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) outgoing: mpsc::Sender<Frame>,
    pub(super) answers: mpsc::Receiver<Result<Frame, LinkEnd>>,
    /// Frames may be lost, doubled and overtake each other.
    pub(super) is_lossy: bool,
    received_bytes: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

/// What the task is given.
struct Ends {
    to_send: mpsc::Receiver<Frame>,
    answers: mpsc::Sender<Result<Frame, LinkEnd>>,
    events: mpsc::Sender<Event>,
    received_bytes: Arc<AtomicU64>,
}

impl Link {
    pub(super) fn start(stream: TcpStream, events: mpsc::Sender<Event>) -> Link {
        let (read, write) = stream.into_split();
        let wire = Wire { read, write, reader: FrameReader::default() };
        Self::run(false, events, |ends| tokio::spawn(serve(wire, ends)))
    }

    /// `socket` is connected, so that nobody else is heard.
    pub(super) fn start_datagrams(socket: UdpSocket, events: mpsc::Sender<Event>) -> Link {
        Self::run(true, events, |ends| tokio::spawn(serve_datagrams(socket, ends)))
    }

    fn run(
        is_lossy: bool,
        events: mpsc::Sender<Event>,
        spawn: impl FnOnce(Ends) -> JoinHandle<()>,
    ) -> Link {
        let (outgoing, to_send) = mpsc::channel(OUTGOING_MAX);
        let (to_session, answers) = mpsc::channel(ANSWERS_MAX);
        let received_bytes = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&received_bytes);
        let task = spawn(Ends { to_send, answers: to_session, events, received_bytes: told });
        Link { outgoing, answers, is_lossy, received_bytes, task }
    }

    /// Bytes received so far: tells a slow answer from none.
    pub(super) fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Wire {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    reader: FrameReader,
}

/// Both branches of the `select!` are cancel safe: a read that loses leaves its bytes
/// in the socket or in the buffer, a receive that loses leaves the frame queued.
async fn serve(mut wire: Wire, ends: Ends) {
    let Ends { mut to_send, answers, events, received_bytes } = ends;
    let end = loop {
        wire.reader.buffer().reserve(READ_BYTES);
        tokio::select! {
            read = wire.read.read_buf(wire.reader.buffer()) => match read {
                Ok(0) => break LinkEnd::Closed,
                Ok(bytes) => {
                    received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                    if let Err(end) = dispatch(&mut wire.reader, &answers, &events).await {
                        break end;
                    }
                }
                Err(error) => break broken(&error),
            },
            frame = to_send.recv() => match frame {
                None => return,
                Some(frame) => if let Err(error) = write(&mut wire.write, &frame).await {
                    break broken(&error);
                },
            },
        }
    };
    // The session may be gone already; then nobody needs to know.
    let _ = answers.send(Err(end)).await;
}

/// As [`serve`], a frame a datagram. What is no frame is passed over: it may be anybody's.
async fn serve_datagrams(socket: UdpSocket, ends: Ends) {
    let Ends { mut to_send, answers, events, received_bytes } = ends;
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    let end = loop {
        tokio::select! {
            received = socket.recv(&mut datagram) => match received {
                Ok(bytes) => {
                    received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                    match Frame::decode_payload(datagram.get(..bytes).unwrap_or_default()) {
                        Ok(frame) => if let Err(end) = pass_on(frame, &answers, &events).await {
                            break end;
                        },
                        Err(error) => tracing::debug!(%error, "a datagram that is no frame"),
                    }
                }
                // Among others: nobody listens at that port.
                Err(error) => break broken(&error),
            },
            frame = to_send.recv() => match frame {
                None => return,
                Some(frame) => if let Err(error) = socket.send(&frame.encode_payload()).await {
                    break broken(&error);
                },
            },
        }
    };
    let _ = answers.send(Err(end)).await;
}

async fn dispatch(
    reader: &mut FrameReader,
    answers: &mpsc::Sender<Result<Frame, LinkEnd>>,
    events: &mpsc::Sender<Event>,
) -> Result<(), LinkEnd> {
    while let Some(frame) = reader.next_frame()? {
        pass_on(frame, answers, events).await?;
    }
    Ok(())
}

async fn pass_on(
    frame: Frame,
    answers: &mpsc::Sender<Result<Frame, LinkEnd>>,
    events: &mpsc::Sender<Event>,
) -> Result<(), LinkEnd> {
    if frame.command == code::EVENT {
        // Without a receiver nobody asked for events.
        let _ = events.send(Event { code: frame.session, data: frame.data }).await;
        return Ok(());
    }
    answers.send(Ok(frame)).await.map_err(|_| LinkEnd::Closed)
}

/// One write call per frame: some firmware takes a split header for garbage.
async fn write(half: &mut OwnedWriteHalf, frame: &Frame) -> io::Result<()> {
    let bytes = frame.encode();
    match tokio::time::timeout(WRITE_TIMEOUT, half.write_all(&bytes)).await {
        Ok(written) => written,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the clock takes no bytes")),
    }
}

fn broken(error: &io::Error) -> LinkEnd {
    LinkEnd::Broken(error.to_string())
}
