//! A session after Welcome: what to send next, what a frame means, when to wake.
//! Nothing here waits or touches the socket; the journal's work lies in three slots,
//! one of each kind at a time.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use fournil_protocol::command::Command;
use fournil_protocol::frame::{Ack, Commands, Events, Frame, Kind, Ping, Pong};
use fournil_protocol::limits::{
    DEAD_AFTER_TENTHS_OF_HEARTBEAT, DOWN_WINDOW_BYTES, DOWN_WINDOW_COMMANDS, HEARTBEAT_MS_DEFAULT,
    TRANSFERS_OPEN_MAX,
};
use fournil_protocol::{VERSION_BULK, close};
use prost::Message;
use tokio::sync::watch;
use tokio::time::Instant;

use super::bulk::Bulk;
use super::greeting::Agreed;
use super::welcome::{announce, seed_offset};
use super::{End, Terms};
use crate::i18n::say;
use crate::journal::{AcceptError, Accepted, EventRun, UpError, UpMark};
use crate::seam::RecordError;
use crate::tunnel::backoff::about;
use crate::tunnel::log::Log;
use crate::tunnel::metered::Meter;
use crate::tunnel::offset::{Exchange, OffsetFilter};
use crate::tunnel::window::UpWindow;

/// While commands keep coming, their acknowledgement waits at most this long, or
/// until so many frames are in.
const ACK_WAIT: Duration = Duration::from_millis(50);
const ACK_FRAMES: u32 = 16;
/// What is done at once is reported within this: the report goes first, and the cloud does not
/// write two transactions before it knows.
const REPORT_FIRST: Duration = Duration::from_millis(4);
/// Between tries to record commands while the disk is full.
const RETRY: Duration = Duration::from_secs(1);
/// The cloud chooses the heartbeat, within reason.
const HEARTBEAT_MIN: Duration = Duration::from_secs(1);
const HEARTBEAT_MAX: Duration = Duration::from_mins(5);

/// Work of the journal that is under way.
type Work<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Work of the journal that is finished.
pub(super) enum Done {
    Accepted(Result<Accepted, AcceptError>),
    Acked(Result<(), UpError>),
    Read(Result<EventRun, RecordError>),
}

/// A session that both sides agreed on.
pub(super) struct Live<'a, L> {
    terms: &'a Terms<L>,
    up_epoch: u64,
    down_epoch: u64,
    heartbeat: Duration,
    // Up.
    window: UpWindow,
    reading: Option<Work<EventRun, RecordError>>,
    batch: Vec<Vec<u8>>,
    acking: Option<Work<(), UpError>>,
    to_ack: Option<u64>,
    // Down.
    next_command: u64,
    inbox: VecDeque<Command>,
    accepting: Option<(Vec<Command>, Work<Accepted, AcceptError>)>,
    accept_again_at: Option<Instant>,
    /// Told once each time it begins, not at every try.
    is_fullness_told: bool,
    unacked: VecDeque<(u64, usize)>,
    unacked_bytes: usize,
    frames_unacked: u32,
    ack: Option<(u64, Instant)>,
    /// `None` in a session of version 1.
    bulk: Option<Bulk>,
    // Liveness and time.
    pong: Option<Pong>,
    ping_at: Instant,
    ping_out: Option<(i64, Instant)>,
    began: Instant,
    offset: OffsetFilter,
}

impl<'a, L: Log> Live<'a, L> {
    pub(super) fn new(terms: &'a Terms<L>, agreed: Agreed, now: Instant) -> Self {
        let Agreed { welcome, up, next_command } = agreed;
        if welcome.up_durable < up.acked {
            let (durable, acked) = (welcome.up_durable, up.acked);
            tracing::warn!(durable, acked, "the cloud went back; sending again from there");
        }
        announce(terms, &welcome);
        seed_offset(terms, welcome.server_time_ms);
        let takes = usize::try_from(welcome.transfers_max).unwrap_or(0).min(TRANSFERS_OPEN_MAX);
        let bulk =
            (welcome.version >= VERSION_BULK).then(|| Bulk::new(terms.uploads.clone(), takes));
        let to_ack = (welcome.up_durable != up.acked).then_some(welcome.up_durable);
        Self {
            terms,
            up_epoch: welcome.up_epoch,
            down_epoch: welcome.down_epoch,
            heartbeat: heartbeat(welcome.heartbeat_ms),
            window: UpWindow::new(
                welcome.up_durable,
                welcome.up_window_events,
                welcome.up_window_bytes,
            ),
            reading: None,
            batch: Vec::new(),
            acking: None,
            to_ack,
            next_command,
            inbox: VecDeque::new(),
            accepting: None,
            accept_again_at: None,
            is_fullness_told: false,
            unacked: VecDeque::new(),
            unacked_bytes: 0,
            frames_unacked: 0,
            ack: None,
            bulk,
            pong: None,
            // The first ping at once: the offset is wanted before the first event.
            ping_at: now,
            ping_out: None,
            began: now,
            offset: OffsetFilter::default(),
        }
    }

    pub(super) fn log_changes(&self) -> watch::Receiver<UpMark> {
        self.terms.log.changed()
    }

    pub(super) fn upload_changes(&self) -> watch::Receiver<()> {
        self.terms.uploads.changed()
    }

    /// Tells the watchdog and the status page that the session moves.
    pub(super) fn note_progress(&self, within: Duration, meter: &Meter) {
        self.terms.pulse.promise(within);
        let (received, sent) = meter.bytes();
        self.terms.state.send_if_modified(|state| {
            // Not worth waking anybody for.
            state.received_bytes = received;
            state.sent_bytes = sent;
            false
        });
    }

    /// Fills the journal's slots that are empty and have something to do.
    pub(super) fn begin_work(&mut self, written: UpMark, now: Instant) -> Result<(), End> {
        if written.epoch != self.up_epoch {
            let reason = "a new up log began here".to_owned();
            return Err(End::Refused { code: close::RESYNC, reason });
        }
        if let Some(bulk) = &mut self.bulk {
            bulk.look();
        }
        let log = &self.terms.log;
        let is_time = self.accept_again_at.is_none_or(|at| now >= at);
        if self.accepting.is_none() && !self.inbox.is_empty() && is_time {
            let commands: Vec<Command> = self.inbox.drain(..).collect();
            let (log, epoch, given) = (log.clone(), self.down_epoch, commands.clone());
            let work: Work<Accepted, AcceptError> =
                Box::pin(async move { log.accept(epoch, given).await });
            self.accepting = Some((commands, work));
            self.accept_again_at = None;
        }
        if self.acking.is_none()
            && let Some(seq) = self.to_ack.take()
        {
            let (log, epoch) = (log.clone(), self.up_epoch);
            self.acking = Some(Box::pin(async move { log.ack_up(epoch, seq).await }));
        }
        if self.reading.is_none()
            && self.batch.is_empty()
            && written.last > self.window.last_sent()
            && let Some(room) = self.window.room()
        {
            let log = log.clone();
            self.reading = Some(Box::pin(async move {
                log.read_events(room.from_seq, room.events, room.bytes).await
            }));
        }
        Ok(())
    }

    /// Waits for the first of the journal's works. Cancel safe: they stay in their slots.
    pub(super) async fn work_done(&mut self) -> Done {
        let accepting = self.accepting.as_mut().map(|(_, work)| work);
        tokio::select! {
            biased;
            result = finished(accepting) => Done::Accepted(result),
            result = finished(self.acking.as_mut()) => Done::Acked(result),
            result = finished(self.reading.as_mut()) => Done::Read(result),
        }
    }

    /// Takes in what the journal did.
    pub(super) fn take(&mut self, done: Done, now: Instant) -> Result<(), End> {
        match done {
            Done::Accepted(result) => self.take_accepted(result, now),
            Done::Acked(result) => {
                self.acking = None;
                match result {
                    // What the cloud has is only a saving; it says so again next time.
                    Ok(()) | Err(UpError::Record(RecordError::Full(_))) => Ok(()),
                    Err(error) => Err(End::Journal(error.to_string())),
                }
            }
            Done::Read(result) => {
                self.reading = None;
                let run = result.map_err(|error| End::Journal(error.to_string()))?;
                let next = self.window.last_sent() + 1;
                let is_stuck = run.events.is_empty() && next == self.window.durable() + 1;
                if run.first_seq != next || run.epoch != self.up_epoch || is_stuck {
                    return Err(End::Journal(say("tunnel-journal-gap", &[("seq", &next)])));
                }
                self.batch = run.events;
                Ok(())
            }
        }
    }

    fn take_accepted(
        &mut self,
        result: Result<Accepted, AcceptError>,
        now: Instant,
    ) -> Result<(), End> {
        let Some((commands, _)) = self.accepting.take() else { return Ok(()) };
        let accepted = match result {
            Ok(accepted) => accepted,
            Err(AcceptError::Record(RecordError::Full(reason))) => {
                self.put_back(commands, &reason, now);
                return Ok(());
            }
            Err(error) => return Err(End::Journal(error.to_string())),
        };
        let mut left = commands;
        left.retain(|command| command.seq > accepted.down_durable);
        let is_taken_whole = left.is_empty();
        if is_taken_whole {
            self.is_fullness_told = false;
        } else {
            self.put_back(left, "the rest of a run did not fit", now);
        }
        for job in accepted.fresh {
            if let Err(error) = self.terms.jobs.try_send(job) {
                tracing::debug!(%error, "devices busy: the job stays in the journal");
            }
        }
        let due = self.ack.map_or(now + ACK_WAIT, |(_, due)| due);
        let is_burst_over = self.inbox.is_empty() || self.frames_unacked >= ACK_FRAMES;
        let is_due = is_burst_over || !is_taken_whole;
        let soon = if is_taken_whole { now + REPORT_FIRST } else { now };
        self.ack = Some((accepted.down_durable, if is_due { soon.min(due) } else { due }));
        Ok(())
    }

    /// What cannot be recorded is not done: it is tried again in its order, and events go
    /// up meanwhile, which frees room.
    fn put_back(&mut self, commands: Vec<Command>, reason: &str, now: Instant) {
        if !std::mem::replace(&mut self.is_fullness_told, true) {
            let text = say("tunnel-journal-full", &[]);
            tracing::error!(reason, commands = commands.len(), "{text}");
        }
        for command in commands.into_iter().rev() {
            self.inbox.push_front(command);
        }
        self.accept_again_at = Some(now + RETRY);
    }

    /// The next frame for the socket: control first, then events, a chunk when nothing
    /// else wants to leave.
    pub(super) fn next_frame(&mut self, now: Instant) -> Option<Frame> {
        let kind = self
            .next_control(now)
            .or_else(|| self.bulk.as_mut()?.next_control(now))
            .or_else(|| self.next_events())
            .or_else(|| self.next_chunk(now));
        kind.map(Frame::from)
    }

    fn next_chunk(&mut self, now: Instant) -> Option<Kind> {
        if self.reading.is_some() { None } else { self.bulk.as_mut()?.next_chunk(now) }
    }

    fn next_control(&mut self, now: Instant) -> Option<Kind> {
        if let Some(mut pong) = self.pong.take() {
            pong.t2_ms = (self.terms.ambient.wall_ms)();
            return Some(Kind::Pong(pong));
        }
        if let Some((down_durable, _)) = self.ack.take_if(|(_, due)| now >= *due) {
            while let Some((_, bytes)) = self.unacked.pop_front_if(|(seq, _)| *seq <= down_durable)
            {
                self.unacked_bytes -= bytes;
            }
            self.frames_unacked = 0;
            let ack = Ack { up_durable: None, down_durable: Some(down_durable) };
            return Some(Kind::Ack(ack));
        }
        if now >= self.ping_at {
            let t0_ms = (self.terms.ambient.wall_ms)();
            self.ping_at = now + about(self.heartbeat, (self.terms.ambient.random)());
            self.ping_out = Some((t0_ms, now));
            self.offset.note_clocks(t0_ms, millis(now - self.began));
            return Some(Kind::Ping(Ping { t0_ms }));
        }
        None
    }

    fn next_events(&mut self) -> Option<Kind> {
        if self.batch.is_empty() {
            return None;
        }
        let events = std::mem::take(&mut self.batch);
        self.window.sent(events.iter().map(Vec::len));
        Some(Kind::Events(Events { epoch: self.up_epoch, events }))
    }

    /// Acts on a frame.
    pub(super) fn hear(&mut self, frame: Frame, now: Instant) -> Result<(), End> {
        match frame.kind {
            // A kind of a newer cloud.
            None => Ok(()),
            Some(Kind::Ack(ack)) => self.hear_ack(ack),
            Some(Kind::Commands(commands)) => self.hear_commands(commands),
            Some(Kind::Ping(ping)) => {
                let t1_ms = (self.terms.ambient.wall_ms)();
                self.pong = Some(Pong { t0_ms: ping.t0_ms, t1_ms, t2_ms: t1_ms });
                Ok(())
            }
            Some(Kind::Pong(pong)) => {
                self.hear_pong(pong, now);
                Ok(())
            }
            Some(Kind::Goodbye(goodbye)) => Err(End::Goodbye {
                code: u16::try_from(goodbye.code).unwrap_or(close::MALFORMED),
                reason: goodbye.reason,
                retry_after_ms: goodbye.retry_after_ms,
            }),
            Some(kind) => self.hear_bulk(&kind, now),
        }
    }

    fn hear_bulk(&mut self, kind: &Kind, now: Instant) -> Result<(), End> {
        match (&mut self.bulk, kind) {
            (Some(bulk), Kind::Grant(grant)) => return bulk.hear_grant(grant, now),
            (Some(bulk), Kind::Stop(stop)) => bulk.hear_stop(stop),
            (Some(bulk), Kind::Offer(offer)) => bulk.refuse(offer),
            _ => return Err(malformed("a frame that has no place after the welcome".to_owned())),
        }
        Ok(())
    }

    fn hear_ack(&mut self, ack: Ack) -> Result<(), End> {
        let Some(seq) = ack.up_durable else { return Ok(()) };
        let is_news = self
            .window
            .acked(seq)
            .map_err(|error| End::Refused { code: close::RESYNC, reason: error.to_string() })?;
        if is_news {
            self.to_ack = Some(seq);
        }
        Ok(())
    }

    fn hear_commands(&mut self, frame: Commands) -> Result<(), End> {
        if frame.epoch != self.down_epoch {
            let reason = "commands of another down log".to_owned();
            return Err(End::Refused { code: close::RESYNC, reason });
        }
        self.frames_unacked += 1;
        for command in frame.commands {
            if command.seq < self.next_command {
                // Known already; the acknowledgement crossed it.
                continue;
            }
            if command.seq > self.next_command {
                let (due, got) = (self.next_command, command.seq);
                let reason = format!("command {due} was due and {got} came");
                return Err(End::Refused { code: close::RESYNC, reason });
            }
            let bytes = command.encoded_len();
            self.next_command += 1;
            self.unacked_bytes += bytes;
            self.unacked.push_back((command.seq, bytes));
            self.inbox.push_back(command);
        }
        let is_over = self.unacked.len() > DOWN_WINDOW_COMMANDS as usize
            || self.unacked_bytes > DOWN_WINDOW_BYTES as usize;
        if is_over {
            Err(malformed("more commands than the window holds".to_owned()))
        } else {
            Ok(())
        }
    }

    fn hear_pong(&mut self, pong: Pong, now: Instant) {
        let Some((t0_ms, sent)) = self.ping_out.take_if(|(t0_ms, _)| *t0_ms == pong.t0_ms) else {
            return;
        };
        if let Some(bulk) = &mut self.bulk {
            bulk.round_trip(now - sent);
        }
        let exchange = Exchange {
            t0_ms,
            t1_ms: pong.t1_ms,
            t2_ms: pong.t2_ms,
            elapsed_ms: millis(now - sent),
        };
        let wall_ms = (self.terms.ambient.wall_ms)();
        if self.offset.note_clocks(wall_ms, millis(now - self.began)) {
            // Set while the ping was out: the exchange tells of a clock that is gone. What was
            // measured before goes by the time that passed, until the next ping.
            return;
        }
        if let Some(best) = self.offset.add(exchange) {
            self.terms.cloud_offset.measured(best.offset_ms, wall_ms);
            self.terms.log.set_cloud_offset_ms(best.offset_ms);
            self.terms.state.send_modify(|state| {
                state.cloud_offset_ms = Some(best.offset_ms);
                state.round_trip_ms = Some(best.round_trip_ms);
            });
        }
    }

    /// When to look again even if nothing happens. While a frame is still leaving, what
    /// is due next cannot be sent and is no reason to wake.
    pub(super) fn next_wake(&self, heard_at: Instant, is_flushed: bool) -> Instant {
        let silence = heard_at.max(self.began) + self.dead_after();
        let ping = Some(self.ping_at).filter(|_| is_flushed);
        let ack = self.ack.map(|(_, due)| due).filter(|_| is_flushed);
        let retry = self.accept_again_at.filter(|_| self.accepting.is_none());
        [ping, ack, retry].into_iter().flatten().fold(silence, std::cmp::Ord::min)
    }

    /// Ends the session when nothing came for two and a half heartbeats.
    pub(super) fn check_silence(&self, heard_at: Instant, now: Instant) -> Result<(), End> {
        let is_dead = now >= heard_at.max(self.began) + self.dead_after();
        if is_dead { Err(End::Silent) } else { Ok(()) }
    }

    fn dead_after(&self) -> Duration {
        self.heartbeat * DEAD_AFTER_TENTHS_OF_HEARTBEAT / 10
    }
}

/// Never ready while there is nothing to do.
async fn finished<T, E>(work: Option<&mut Work<T, E>>) -> Result<T, E> {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

fn heartbeat(asked_ms: u32) -> Duration {
    let asked_ms = if asked_ms == 0 { HEARTBEAT_MS_DEFAULT } else { asked_ms };
    Duration::from_millis(u64::from(asked_ms)).clamp(HEARTBEAT_MIN, HEARTBEAT_MAX)
}

fn malformed(reason: String) -> End {
    End::Refused { code: close::MALFORMED, reason }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
