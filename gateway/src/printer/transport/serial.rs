//! A serial line, on two threads of its own, because the port blocks.
//!
//! Chunks of at most 256 bytes: a larger write into a stopped line never returns
//! (measured with serialport 4.10). No flush: it waits for the line without bound.
//! The threads end when the link is dropped, the writer at the latest when its last
//! chunk is through.

use std::io::{self, Read as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serialport::{FlowControl, SerialPort};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{LinkError, OPEN_TIMEOUT, Step};
use crate::printer::config::Flow;

const CHUNK_BYTES: usize = 256;
/// How often a thread looks whether it is still wanted.
const TICK: Duration = Duration::from_millis(100);
/// Pieces read and not yet taken; a full queue stops the reader, the line's own
/// buffer holds the rest.
const RECEIVED_MAX: usize = 64;

#[derive(Debug)]
pub struct SerialLink {
    chunks: std::sync::mpsc::SyncSender<Vec<u8>>,
    written: mpsc::Receiver<io::Result<usize>>,
    received: mpsc::Receiver<io::Result<Vec<u8>>>,
    /// Bytes of the chunk that is with the writer thread.
    in_flight: usize,
    /// Asked how much waits in the system's buffer; never read or written. The lock only
    /// makes it shareable.
    watch: Mutex<Box<dyn SerialPort>>,
}

impl SerialLink {
    pub(super) async fn open(path: &str, baud: u32, flow: Flow) -> Result<Self, LinkError> {
        let failed = |source| LinkError::new(format!("cannot open {path}"), source);
        let builder = serialport::new(path, baud).timeout(TICK).flow_control(match flow {
            Flow::None => FlowControl::None,
            Flow::Software => FlowControl::Software,
            Flow::Hardware => FlowControl::Hardware,
        });
        let opening = tokio::task::spawn_blocking(move || {
            let port = builder.open()?;
            let (reader, watch) = (port.try_clone()?, port.try_clone()?);
            Ok::<_, serialport::Error>((port, reader, watch))
        });
        let (writer, reader, watch) = timeout(OPEN_TIMEOUT, opening)
            .await
            .map_err(|_| failed(io::ErrorKind::TimedOut.into()))?
            .map_err(|error| failed(io::Error::other(error)))?
            .map_err(|error| failed(error.into()))?;
        let (chunks, chunks_taken) = std::sync::mpsc::sync_channel(1);
        let (written_told, written) = mpsc::channel(1);
        let (received_told, received) = mpsc::channel(RECEIVED_MAX);
        thread::Builder::new()
            .name("printer-write".to_owned())
            .spawn(move || write_chunks(writer, &chunks_taken, &written_told))
            .map_err(failed)?;
        thread::Builder::new()
            .name("printer-read".to_owned())
            .spawn(move || read_pieces(reader, &received_told))
            .map_err(failed)?;
        Ok(Self { chunks, written, received, in_flight: 0, watch: Mutex::new(watch) })
    }

    pub(super) async fn step(&mut self, out: &[u8], wait: Duration) -> Result<Step, LinkError> {
        if self.in_flight == 0 && !out.is_empty() {
            let chunk: Vec<u8> = out.iter().take(CHUNK_BYTES).copied().collect();
            let bytes = chunk.len();
            self.chunks.send(chunk).map_err(|_| self.broken(io::ErrorKind::BrokenPipe.into()))?;
            self.in_flight = bytes;
        }
        let writing = self.in_flight > 0;
        // Both branches are channel receives, which are cancel safe. An answer must not be heard
        // before its question is known to be out.
        let event = timeout(wait, async {
            tokio::select! {
                biased;
                written = self.written.recv(), if writing => Event::Written(written),
                received = self.received.recv() => Event::Received(received),
            }
        })
        .await;
        match event {
            Err(_) => Ok(Step::default()),
            Ok(Event::Written(Some(Ok(written)))) => {
                self.in_flight = 0;
                Ok(Step { written, received: Vec::new() })
            }
            Ok(Event::Received(Some(Ok(received)))) => Ok(Step { written: 0, received }),
            Ok(Event::Written(Some(Err(error))) | Event::Received(Some(Err(error)))) => {
                Err(self.broken(error))
            }
            Ok(Event::Written(None) | Event::Received(None)) => {
                Err(self.broken(io::ErrorKind::BrokenPipe.into()))
            }
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn unsent(&self) -> Option<u64> {
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = watch.bytes_to_write().ok()?;
        Some(u64::from(waiting) + self.in_flight as u64)
    }

    fn broken(&self, source: io::Error) -> LinkError {
        let mut error = LinkError::new("the serial line broke", source);
        error.uncertain_bytes = self.in_flight;
        error
    }
}

enum Event {
    Written(Option<io::Result<usize>>),
    Received(Option<io::Result<Vec<u8>>>),
}

fn write_chunks(
    mut port: Box<dyn SerialPort>,
    chunks: &std::sync::mpsc::Receiver<Vec<u8>>,
    told: &mpsc::Sender<io::Result<usize>>,
) {
    while let Ok(chunk) = chunks.recv() {
        let result = loop {
            match port.write(&chunk) {
                // The line is stopped; nothing of the chunk went.
                Err(error) if error.kind() == io::ErrorKind::TimedOut && !told.is_closed() => {}
                other => break other,
            }
        };
        if told.blocking_send(result).is_err() {
            return;
        }
    }
}

fn read_pieces(mut port: Box<dyn SerialPort>, told: &mpsc::Sender<io::Result<Vec<u8>>>) {
    let mut bytes = [0; CHUNK_BYTES];
    while !told.is_closed() {
        let piece = match port.read(&mut bytes) {
            Ok(count) => Ok(bytes.iter().take(count).copied().collect()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => continue,
            Err(error) => Err(error),
        };
        let broken = piece.is_err();
        if told.blocking_send(piece).is_err() || broken {
            return;
        }
    }
}
