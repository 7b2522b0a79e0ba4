//! One live tunnel over a stream of WebSocket messages, whatever carries them.
//!
//! Challenge, Hello, Welcome; then events up and commands down until one side ends it.
//! Everything happens in one task, in order: while a batch is being committed nothing is
//! read, and TCP tells the shop to wait. Nothing here holds a lock across a wait.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fournil_protocol::frame::{Ack, Commands, Events, Kind, Ping, Pong};
use fournil_protocol::hello::{Challenge, Hello, Mode, Welcome};
use fournil_protocol::{VERSION_BULK, close, limits, words};
use prost::Message as _;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::accept::{self, Opened, Outcome, Place};
use super::bulk;
use super::end::{End, Ended, Ending};
use super::gate::{Asked, Caller, Proven};
use super::hub::{Held, Hub};
use super::lease::{self, Confirmed, Room};
use super::model::Identity;
use super::wire::{Opening, Socket, Wire, read_frame};
use super::{inquiry, intake};

/// How long the far side may take for its Hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Transfers of one gateway at a time.
#[expect(clippy::cast_possible_truncation, reason = "a handful")]
const TRANSFERS_MAX: u32 = limits::TRANSFERS_OPEN_MAX as u32;
/// A confirmation waits so long for the report that follows it, to be written with it.
const CONFIRM_WITHIN: Duration = Duration::from_millis(20);
/// Frames of events put into one transaction when they have already arrived.
const FRAMES_PER_COMMIT_MAX: usize = 16;

impl Hub {
    /// Serves one tunnel until it ends.
    pub async fn serve<S: Socket>(&self, socket: S, caller: impl Into<Caller>) -> Ended {
        let caller = caller.into();
        let peer = &caller.peer;
        let mut wire = Wire::new(socket);
        let mut known = None;
        let Err(end) = converse(self, &mut wire, &caller, &mut known).await;
        wire.say_goodbye(&end).await;
        let gateway_id = known.as_ref().map(|begun: &Begun| begun.identity.gateway_id);
        if let Some(Begun { identity, generation, heard_at }) = known {
            let gateway_id = identity.gateway_id;
            self.write_end(Ending { identity, generation, heard_at, end: end.clone() }).await;
            self.let_go(gateway_id, generation);
        }
        if gateway_id.is_none() && end.code == close::OVERLOAD {
            // A flood must not fill the log too.
            tracing::debug!(tunnel.reason = %end.reason, tunnel.peer = %peer, "turned away");
        } else {
            tracing::info!(
                gateway.id = gateway_id.map(tracing::field::display),
                tunnel.code = end.code, tunnel.reason = %end.reason, tunnel.peer = %peer,
                "tunnel ended"
            );
        }
        Ended { gateway_id, code: end.code, reason: end.reason }
    }
}

/// A session that was written down.
struct Begun {
    identity: Identity,
    generation: u64,
    heard_at: DateTime<Utc>,
}

/// From challenge to end; there is no other way out than an [`End`].
async fn converse<S: Socket>(
    hub: &Hub,
    wire: &mut Wire<S>,
    caller: &Caller,
    known: &mut Option<Begun>,
) -> Result<std::convert::Infallible, End> {
    hub.ready(caller).await?;
    let nonce = nonce()?;
    wire.send(Kind::Challenge(Challenge {
        nonce: nonce.to_vec(),
        version_min: hub.versions().min,
        version_max: hub.versions().max,
        server_time_ms: hub.now_ms(),
    }))
    .await?;
    let opening = timeout(HELLO_TIMEOUT, wire.opening())
        .await
        .map_err(|_| End::of(close::HEARTBEAT_LOST, "no Hello in time"))??;
    let hello = match opening {
        Opening::Hello(hello) => hello,
        Opening::Inquiry(inquiry) => {
            return Err(inquiry::answer(hub, wire, caller, &nonce, inquiry).await?);
        }
    };
    let asked = Asked {
        caller,
        versions: hub.versions(),
        public_name: hub.public_name(),
        nonce: &nonce,
        hello: &hello,
        now: hub.now(),
    };
    let identifying = hub.gate().identify(hub.db(), &asked);
    let Proven { identity, public_key } = hub.work(identifying).await?;
    let peer = &caller.peer;
    let certificate_until = caller.certificate.as_ref().map(|certificate| certificate.until);
    let place = Place { node: hub.node(), peer, public_key: &public_key, certificate_until };
    let opened = open(hub, wire, &identity, &hello, place).await?;
    let begun = known.insert(Begun {
        identity: identity.clone(),
        generation: opened.generation,
        heard_at: hub.now(),
    });
    tracing::info!(
        gateway.id = %identity.gateway_id, tunnel.generation = opened.generation,
        tunnel.mode = ?opened.mode, tunnel.peer = %peer, "tunnel open"
    );
    let mode = if opened.mode == Mode::Normal { "normal" } else { "read_only" };
    let held = hub.hold(&identity, opened.generation, mode);
    let mut live = Live::new(hub, wire, held, &identity, opened, &hello);
    live.welcome().await?;
    live.run(&mut begun.heard_at).await
}

/// Opens the session. A Hello that contradicts what is known must come from somebody who
/// is still there before it casts suspicion on anybody.
async fn open<S: Socket>(
    hub: &Hub,
    wire: &mut Wire<S>,
    identity: &Identity,
    hello: &Hello,
    place: Place<'_>,
) -> Result<Opened, End> {
    let mut alive_since = None;
    loop {
        match hub.work(accept::open(hub.db(), identity, hello, place, alive_since)).await? {
            Outcome::Opened(opened) => return Ok(opened),
            Outcome::Suspect { generation } => {
                wire.proof_of_life(&nonce()?).await?;
                alive_since = Some(generation);
            }
        }
    }
}

fn nonce() -> Result<[u8; limits::NONCE_BYTES], End> {
    let mut nonce = [0; limits::NONCE_BYTES];
    SystemRandom::new()
        .fill(&mut nonce)
        .map_err(|_| End::of(close::UNAVAILABLE, "no randomness for a challenge"))?;
    Ok(nonce)
}

/// A session under way.
struct Live<'s, S> {
    hub: &'s Hub,
    wire: &'s mut Wire<S>,
    held: Held,
    identity: &'s Identity,
    opened: Opened,
    /// The version both sides speak.
    version: u32,
    /// What the gateway is ready to hold unconfirmed.
    window: Room,
    /// Sequence and bytes of commands sent and not confirmed.
    in_flight: VecDeque<(u64, usize)>,
    /// When what the gateway confirmed is to be written, where it is not yet.
    confirm_at: Option<Instant>,
    /// Commands wait for room.
    has_more: bool,
    heard: Instant,
    next_ping: Instant,
    quarantined: u32,
}

impl<'s, S: Socket> Live<'s, S> {
    fn new(
        hub: &'s Hub,
        wire: &'s mut Wire<S>,
        held: Held,
        identity: &'s Identity,
        opened: Opened,
        hello: &Hello,
    ) -> Self {
        let bounded = |told: u32, most: u32| if told == 0 { most } else { told.min(most) };
        let heard = Instant::now();
        Self {
            hub,
            wire,
            held,
            identity,
            opened,
            version: hello.version,
            window: Room {
                commands: bounded(hello.down_window_commands, limits::DOWN_WINDOW_COMMANDS),
                bytes: bounded(hello.down_window_bytes, limits::DOWN_WINDOW_BYTES),
            },
            in_flight: VecDeque::new(),
            confirm_at: None,
            has_more: false,
            heard,
            next_ping: heard + hub.heartbeat(),
            quarantined: 0,
        }
    }

    /// Welcomes the gateway and sends again what it has not confirmed.
    async fn welcome(&mut self) -> Result<(), End> {
        let heartbeat_ms =
            u32::try_from(self.hub.heartbeat().as_millis()).unwrap_or(limits::HEARTBEAT_MS_DEFAULT);
        self.wire
            .send(Kind::Welcome(Welcome {
                version: self.version,
                session_generation: self.opened.generation,
                up_epoch: self.opened.up_epoch,
                up_durable: self.opened.up_durable,
                down_epoch: self.opened.down_epoch,
                down_resume_from: self.opened.down_durable + 1,
                heartbeat_ms,
                server_time_ms: self.hub.now_ms(),
                up_window_events: limits::UP_WINDOW_EVENTS,
                up_window_bytes: limits::UP_WINDOW_BYTES,
                mode: self.opened.mode as i32,
                transfers_max: if self.takes_transfers() { TRANSFERS_MAX } else { 0 },
            }))
            .await?;
        if self.opened.mode != Mode::Normal {
            return Ok(());
        }
        if self.opened.down_sent > self.opened.down_durable {
            let (epoch, durable) = (self.opened.down_epoch, self.opened.down_durable);
            let again = lease::unconfirmed(self.hub.db(), self.identity, epoch, durable);
            let again = self.hub.work(again).await?;
            self.send_commands(again).await?;
        }
        self.send_new().await
    }

    /// Cancel safety: every branch waits for something that keeps what it has when it is
    /// dropped (a stream's next, a stored wake-up, a watched value, a timer).
    async fn run(&mut self, heard_at: &mut DateTime<Utc>) -> Result<std::convert::Infallible, End> {
        loop {
            let silence_max = self.hub.heartbeat() * limits::DEAD_AFTER_TENTHS_OF_HEARTBEAT / 10;
            let dead_at = self.heard + silence_max;
            let turn_at = self.confirm_at.map_or(self.next_ping, |at| at.min(self.next_ping));
            let (wake, orders) = self.held.parts();
            tokio::select! {
                biased;
                end = orders.first() => return Err(end),
                message = self.wire.next() => {
                    self.heard = Instant::now();
                    self.next_ping = self.heard + self.hub.heartbeat();
                    *heard_at = self.hub.now();
                    self.on_message(message?).await?;
                }
                () = wake.notified() => self.send_new().await?,
                () = sleep_until(turn_at.min(dead_at)) => {
                    if self.confirm_at.is_some_and(|at| Instant::now() >= at) {
                        self.confirm().await?;
                        continue;
                    }
                    if Instant::now() >= dead_at {
                        return Err(End::of(close::HEARTBEAT_LOST, "nothing was heard for too long"));
                    }
                    self.next_ping += self.hub.heartbeat();
                    self.wire.send(Kind::Ping(Ping { t0_ms: self.hub.now_ms() })).await?;
                }
            }
        }
    }

    async fn on_message(&mut self, message: Message) -> Result<(), End> {
        let Some(frame) = read_frame(message)? else { return Ok(()) };
        match frame.kind {
            Some(Kind::Events(events)) => self.on_events(events).await,
            Some(Kind::Ack(ack)) => self.on_ack(ack).await,
            Some(Kind::Ping(ping)) => {
                let now = self.hub.now_ms();
                let pong = Pong { t0_ms: ping.t0_ms, t1_ms: now, t2_ms: self.hub.now_ms() };
                self.wire.send(Kind::Pong(pong)).await
            }
            Some(Kind::Goodbye(goodbye)) => Err(End {
                has_listener: false,
                ..End::of(
                    u16::try_from(goodbye.code).unwrap_or(0),
                    &format!("the gateway said: {}", goodbye.reason),
                )
            }),
            // Said by a newer gateway, or an answer to our ping: being heard is enough.
            None | Some(Kind::Pong(_)) => Ok(()),
            Some(said @ (Kind::Offer(_) | Kind::Chunk(_) | Kind::Stop(_)))
                if self.version >= VERSION_BULK =>
            {
                self.on_transfer(&said).await
            }
            Some(_) => {
                Err(End::of(close::MALFORMED, "a frame that has no place in an open session"))
            }
        }
    }

    const fn takes_transfers(&self) -> bool {
        self.version >= VERSION_BULK && matches!(self.opened.mode, Mode::Normal)
    }

    /// A chunk is confirmed before anything else is read: the next one comes after that.
    async fn on_transfer(&mut self, said: &Kind) -> Result<(), End> {
        let answer = match said {
            Kind::Offer(offer) if !self.takes_transfers() => {
                Some(bulk::stop(&offer.transfer_id, words::TRANSFER_UNEXPECTED))
            }
            _ if !self.takes_transfers() => None,
            said => {
                let generation = self.opened.generation;
                let taking = bulk::take(self.hub.db(), self.identity, generation, said);
                self.hub.work(taking).await?
            }
        };
        match answer {
            Some(Kind::Grant(mut grant)) => {
                let held_us = self.heard.elapsed().as_micros();
                grant.held_us = u32::try_from(held_us).unwrap_or(u32::MAX);
                self.wire.send(Kind::Grant(grant)).await
            }
            Some(answer) => self.wire.send(answer).await,
            None => Ok(()),
        }
    }

    /// Takes in this batch and those that have already arrived, then acknowledges once.
    async fn on_events(&mut self, first: Events) -> Result<(), End> {
        let mut frames = vec![first];
        while frames.len() < FRAMES_PER_COMMIT_MAX {
            match self.wire.arrived_events()? {
                Some(events) => frames.push(events),
                None => break,
            }
        }
        if self.opened.mode != Mode::Normal {
            return self.on_events_read_only(&frames).await;
        }
        let confirmed = self.confirm_at.take().map(|_| self.confirmed());
        let (db, sink) = (self.hub.db(), self.hub.sink());
        let taking =
            intake::take(db, sink, self.identity, &frames, self.opened.up_epoch, confirmed);
        let took = self.hub.work(taking).await?;
        self.wire
            .send(Kind::Ack(Ack { up_durable: Some(took.durable), down_durable: None }))
            .await?;
        if took.has_gap {
            return Err(End::of(close::RESYNC, "events are missing between two batches"));
        }
        Ok(())
    }

    async fn on_events_read_only(&mut self, frames: &[Events]) -> Result<(), End> {
        let count: usize = frames.iter().map(|frame| frame.events.len()).sum();
        self.quarantined =
            self.quarantined.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        if self.quarantined > limits::UP_WINDOW_EVENTS {
            return Err(End::of(close::OVERLOAD, "more events than may be sent unacknowledged"));
        }
        let generation = self.opened.generation;
        self.hub.work(intake::quarantine(self.hub.db(), self.identity, generation, frames)).await
    }

    async fn on_ack(&mut self, ack: Ack) -> Result<(), End> {
        let Some(durable) = ack.down_durable else { return Ok(()) };
        if durable <= self.opened.down_durable || self.opened.mode != Mode::Normal {
            return Ok(());
        }
        if durable > self.opened.down_sent {
            return Err(End::of(close::RESYNC, "a command was confirmed that was never sent"));
        }
        self.opened.down_durable = durable;
        self.confirm_at = self.confirm_at.or(Some(Instant::now() + CONFIRM_WITHIN));
        while self.in_flight.front().is_some_and(|(seq, _)| *seq <= durable) {
            self.in_flight.pop_front();
        }
        if self.has_more { self.send_new().await } else { Ok(()) }
    }

    const fn confirmed(&self) -> Confirmed {
        Confirmed { generation: self.opened.generation, durable: self.opened.down_durable }
    }

    /// Writes what the gateway confirmed, when no report came along. Lost with a session that
    /// ends meanwhile, as the gateway's word may be: it is sent again and said again.
    async fn confirm(&mut self) -> Result<(), End> {
        self.confirm_at = None;
        let confirming = lease::confirm(self.hub.db(), self.identity, self.confirmed());
        self.hub.work(confirming).await
    }

    /// Leases what there is room for and sends it.
    async fn send_new(&mut self) -> Result<(), End> {
        if self.opened.mode != Mode::Normal {
            return Ok(());
        }
        let used: usize = self.in_flight.iter().map(|(_, bytes)| bytes).sum();
        let used_bytes = u32::try_from(used).unwrap_or(u32::MAX);
        let used_commands = u32::try_from(self.in_flight.len()).unwrap_or(u32::MAX);
        let room = Room {
            commands: self.window.commands.saturating_sub(used_commands),
            bytes: self.window.bytes.saturating_sub(used_bytes),
        };
        if room.commands == 0 {
            self.has_more = true;
            return Ok(());
        }
        let generation = self.opened.generation;
        let leasing = lease::lease(self.hub.db(), self.identity, generation, room);
        let leased = self.hub.work(leasing).await?;
        self.has_more = leased.has_more;
        self.send_commands(leased.commands).await
    }

    async fn send_commands(
        &mut self,
        commands: Vec<fournil_protocol::command::Command>,
    ) -> Result<(), End> {
        for commands in lease::frames(commands) {
            for command in &commands {
                self.in_flight.push_back((command.seq, command.encoded_len()));
                self.opened.down_sent = self.opened.down_sent.max(command.seq);
            }
            let epoch = self.opened.down_epoch;
            self.wire.send(Kind::Commands(Commands { epoch, commands })).await?;
        }
        Ok(())
    }
}
