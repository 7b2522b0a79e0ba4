//! One connection of the simulated clock: bytes in, answers out, in the manner that
//! the faults in force demand.

use std::sync::Arc;
use std::time::Duration;

use fournil_gateway::clock::wire::{Frame, FrameReader, WireError, code};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast;

use super::device::Visitor;
use super::fault::Fault;
use super::store::{SimPunch, noise};
use super::{Shared, lock};

const EVENT_SCORE: u16 = 256;

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) shared: Arc<Shared>,
    pub(super) punches: broadcast::Receiver<SimPunch>,
    pub(super) visitor: Visitor,
}

/// What became of writing an answer.
#[derive(PartialEq, Eq)]
enum Written {
    Whole,
    CutOff,
}

impl Connection {
    /// Serves until either side closes. Both branches of the `select!` are cancel safe.
    pub(super) async fn serve(mut self) {
        let mut reader = FrameReader::default();
        loop {
            let served = tokio::select! {
                read = self.stream.read_buf(reader.buffer()) => match read {
                    Ok(0) | Err(_) => break,
                    Ok(_) => self.answer_all(&mut reader).await,
                },
                punch = self.punches.recv() => match punch {
                    Ok(punch) => self.tell(&punch).await,
                    // A visitor too slow for the news reads the log.
                    Err(broadcast::error::RecvError::Lagged(_)) => Ok(Written::Whole),
                    Err(broadcast::error::RecvError::Closed) => break,
                },
            };
            self.shared.changed.notify_waiters();
            if !matches!(served, Ok(Written::Whole)) {
                break;
            }
        }
        lock(&self.shared.device).leave(&self.visitor);
        self.shared.changed.notify_waiters();
    }

    async fn answer_all(&mut self, reader: &mut FrameReader) -> std::io::Result<Written> {
        loop {
            let request = match reader.next_frame() {
                Ok(Some(request)) => request,
                Ok(None) => return Ok(Written::Whole),
                // Real clocks say nothing to a wrong checksum.
                Err(WireError::Checksum { .. }) => {
                    lock(&self.shared.device).counters.bad_frames += 1;
                    continue;
                }
                Err(WireError::Magic(_) | WireError::Length(_)) => return Ok(Written::CutOff),
            };
            if lock(&self.shared.device).has_forgotten(&self.visitor) {
                return Ok(Written::CutOff);
            }
            let is_last = request.command == code::EXIT;
            let now = self.shared.now();
            let answer = lock(&self.shared.device).answer(&mut self.visitor, &request, now);
            if self.write_answer(&answer).await? == Written::CutOff {
                return Ok(Written::CutOff);
            }
            if is_last {
                return Ok(Written::CutOff);
            }
        }
    }

    async fn tell(&mut self, punch: &SimPunch) -> std::io::Result<Written> {
        let event = lock(&self.shared.device).event(&self.visitor, punch);
        if let Some(event) = event {
            self.write(&event.encode()).await?;
        }
        Ok(Written::Whole)
    }

    async fn write_answer(&mut self, answer: &[Frame]) -> std::io::Result<Written> {
        let Some(first) = answer.first() else { return Ok(Written::Whole) };
        if self.strikes(Fault::StaleReply) && first.reply > 0 {
            let stale = Frame { reply: first.reply - 1, data: vec![9; 12], ..first.clone() };
            self.write(&stale.encode()).await?;
        }
        let is_stream = answer.len() > 1;
        if is_stream && self.strikes(Fault::Cut) {
            let bytes: Vec<u8> = answer.iter().flat_map(Frame::encode).collect();
            self.write(&bytes[..bytes.len() / 2]).await?;
            return Ok(Written::CutOff);
        }
        let has_battery = !(is_stream && self.strikes(Fault::Battery));
        if !has_battery || is_stream && self.strikes(Fault::Reboot) {
            self.write(&first.encode()).await?;
            let now = self.shared.now();
            lock(&self.shared.device).reboot(now, has_battery);
            return Ok(Written::CutOff);
        }
        if self.strikes(Fault::BadChecksum) {
            let mut bytes = first.encode();
            bytes[10] ^= 0x55;
            self.write(&bytes).await?;
            return Ok(Written::Whole);
        }
        if self.strikes(Fault::Coalesced) {
            let bytes: Vec<u8> = answer.iter().flat_map(Frame::encode).collect();
            self.write(&bytes).await?;
            return Ok(Written::Whole);
        }
        for (at, frame) in answer.iter().enumerate() {
            self.write(&frame.encode()).await?;
            if frame.command != code::DATA {
                continue;
            }
            if at == 1 && self.strikes(Fault::EventBetween) {
                self.write_events().await?;
            }
            if is_stream && !self.strikes(Fault::Burst) {
                tokio::time::sleep(self.shared.pace).await;
            }
        }
        Ok(Written::Whole)
    }

    /// An event about a finger's score, and every punch that is due.
    async fn write_events(&mut self) -> std::io::Result<()> {
        let score = Frame { command: code::EVENT, session: EVENT_SCORE, reply: 0, data: vec![100] };
        self.write(&score.encode()).await?;
        while let Ok(punch) = self.punches.try_recv() {
            self.tell(&punch).await?;
        }
        Ok(())
    }

    /// One write per frame, or a dribble of one to seven bytes; as fast as the line lets.
    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if let Some(rate) = self.shared.bytes_per_s {
            tokio::time::sleep(Duration::from_secs(1) * len_u32(bytes) / rate.max(1)).await;
        }
        if !self.strikes(Fault::Dribble) {
            return self.stream.write_all(bytes).await;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let size = 1 + noise(self.shared.seed, rest.len() as u64) % 7;
            let (now, later) = rest.split_at(rest.len().min(usize::try_from(size).unwrap_or(1)));
            self.stream.write_all(now).await?;
            rest = later;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn strikes(&self, fault: Fault) -> bool {
        lock(&self.shared.device).faults.strikes(fault)
    }
}

/// Pause between data frames, which clients that cannot join segments need.
pub(super) const PACE: Duration = Duration::from_millis(5);

fn len_u32(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
