//! From the journal's open commands to the devices, by kind and name.
//!
//! The journal is the queue. A job that cannot be handed on now (the device's queue is
//! full, the device is starting again) stays there, parked by device, and is offered again
//! when the device has room: what one device cannot take does not stand in the way of the
//! others. A job that was handed on is remembered, so that it is not handed on twice.
//! While the cloud's time is unknown, nothing with a deadline begins.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use fournil_protocol::command::Body;
use fournil_protocol::event::{CommandReport, CommandState, DeviceKind};
use fournil_protocol::words;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::begun::Begun;
use super::parking::{Parked, Parking};
use super::route::{Deadline, Place, Seat, SeatName, deadline, place};
use crate::journal::Journal;
use crate::printer::DRAWER_PATIENCE;
use crate::seam::{CloudOffset, Job, RecordError};
use crate::supervise::Pulse;
use crate::tunnel::ambient::Ambient;
use crate::tunnel::uploads::{self, NotBegun, Uploads};

/// How often the journal is asked for what could not be handed on.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How late a look may be.
const LOOK_LATE: Duration = Duration::from_mins(1);
/// Jobs fetched at once.
const FETCH_MAX: usize = 128;
/// A reading that a clock took and dropped (its journal was full) is offered again.
const REPEAT_AFTER: Duration = Duration::from_mins(2);
/// Ids settled here that are remembered: more than the journal holds open at a time.
const SETTLED_MAX: usize = 4_096;
/// Remembered ids beyond what is pending, before they are sorted out.
const HANDED_SLACK: usize = 1_000;

/// A device's part (re)started and takes jobs here.
#[derive(Debug)]
pub(super) struct Attach {
    pub(super) device: String,
    pub(super) jobs: mpsc::Sender<Job>,
}

/// Where the gateway itself answers; a full queue leaves a command in the journal.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) status: mpsc::Sender<Uuid>,
    pub(super) diagnostics: mpsc::Sender<(Job, uploads::Begun)>,
    pub(super) uploads: Uploads,
}

/// What the router works with.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) journal: Journal,
    pub(super) begun: Begun,
    pub(super) seats: Vec<Seat>,
    /// The configured devices, when they change.
    seated: watch::Receiver<Vec<SeatName>>,
    /// Parts that began before this one learned of their device.
    early: HashMap<String, mpsc::Sender<Job>>,
    pub(super) pulse: Pulse,
    pub(super) ambient: Ambient,
    pub(super) cloud_offset: CloudOffset,
    own: Own,
    handed: HashMap<Uuid, Handed>,
    /// Settled here, the oldest first: a job that was fetched from the journal, and called
    /// back, may still be on its way from the tunnel.
    settled: VecDeque<Uuid>,
    /// Jobs of a device part that fell while it held them.
    orphans: HashSet<Uuid>,
    parking: Parking,
    /// Jobs with a deadline that wait for the cloud's time.
    timeless: HashSet<Uuid>,
    /// Drawers that could not be handed on, and since when.
    drawers: HashMap<Uuid, Instant>,
    /// Drawers of before this start, to be told that they are too late.
    pub(super) stale: HashSet<Uuid>,
}

/// How a job comes to be offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Behind those of its device that are parked.
    Last,
    /// It was parked, and there is room.
    Next,
}

#[derive(Debug)]
struct Handed {
    device: String,
    at: Instant,
    is_repeatable: bool,
}

impl Router {
    pub(super) fn new(
        journal: Journal,
        begun: Begun,
        seated: watch::Receiver<Vec<SeatName>>,
        ambient: Ambient,
        cloud_offset: CloudOffset,
        own: Own,
    ) -> Self {
        let mut router = Self {
            journal,
            begun,
            seats: Vec::new(),
            seated,
            early: HashMap::new(),
            pulse: Pulse::new(LOOK_LATE),
            ambient,
            cloud_offset,
            own,
            handed: HashMap::new(),
            settled: VecDeque::new(),
            orphans: HashSet::new(),
            parking: Parking::default(),
            timeless: HashSet::new(),
            drawers: HashMap::new(),
            stale: HashSet::new(),
        };
        router.reseat();
        router
    }

    /// Hands on until told to stop or until the journal is gone.
    pub(super) async fn run(
        mut self,
        mut fresh: mpsc::Receiver<Job>,
        mut attached: mpsc::Receiver<Attach>,
        stop: CancellationToken,
    ) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.pulse.promise(LOOK_LATE);
            // Cancel safe: a receive that is dropped has taken nothing.
            let done = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(attach) = attached.recv() => {
                    self.attach(attach);
                    self.fetch().await
                }
                Ok(()) = self.seated.changed() => {
                    self.reseat();
                    self.fetch().await
                }
                Some(job) = fresh.recv() => self.offer(job, Turn::Last).await,
                _ = look.tick() => self.fetch().await,
            };
            match done {
                Ok(()) => {}
                Err(RecordError::Stopped) => return,
                // Nothing is done that cannot be recorded; the next look tries again.
                Err(error) => tracing::warn!(
                    %error,
                    "une commande ne peut pas encore être close : vérifiez la place (df -h) et le \
                     disque (dmesg)"
                ),
            }
        }
    }

    /// A new part knows nothing of what the one before it held.
    fn attach(&mut self, attach: Attach) {
        self.take_back(&attach.device);
        match self.seats.iter_mut().find(|seat| seat.name == attach.device) {
            Some(seat) => seat.jobs = Some(attach.jobs),
            None => drop(self.early.insert(attach.device, attach.jobs)),
        }
    }

    /// What the part of a device held is nobody's now.
    fn take_back(&mut self, device: &str) {
        let held = self.handed.iter().filter(|(_, handed)| handed.device == device);
        let held: Vec<Uuid> = held.map(|(id, _)| *id).collect();
        for id in held {
            self.handed.remove(&id);
            self.orphans.insert(id);
        }
    }

    /// Takes up the configured devices. What waits for one that is gone is offered again,
    /// and told that there is no such device.
    fn reseat(&mut self) {
        let names = self.seated.borrow_and_update().clone();
        let mut before = std::mem::take(&mut self.seats);
        for SeatName { name, kind } in names {
            let same = before.iter().position(|seat| seat.name == name && seat.kind == kind);
            let seat = match same {
                Some(index) => before.swap_remove(index),
                None => Seat { jobs: self.early.remove(&name), name, kind },
            };
            self.seats.push(seat);
        }
        for gone in before {
            self.take_back(&gone.name);
            self.parking.abandon(&gone.name);
        }
    }

    /// Offers what lies in the journal and was not handed on.
    async fn fetch(&mut self) -> Result<(), RecordError> {
        self.forget_settled().await?;
        let now = Instant::now();
        self.handed.retain(|_, handed| {
            !handed.is_repeatable || now.duration_since(handed.at) < REPEAT_AFTER
        });
        let cloud_ms = self.cloud_ms();
        if cloud_ms.is_some() {
            self.timeless.clear();
        }
        let released = self.parking.release(&self.seats, cloud_ms);
        let mut skip: HashSet<Uuid> = self.handed.keys().copied().collect();
        skip.extend(self.parking.ids());
        skip.extend(&self.timeless);
        loop {
            let jobs = self.journal.pending_jobs(skip.clone(), FETCH_MAX).await?;
            if jobs.is_empty() {
                return Ok(());
            }
            for job in jobs {
                // Whatever becomes of it, this look is over for it.
                skip.insert(job.id);
                let turn = if released.contains(&job.id) { Turn::Next } else { Turn::Last };
                self.offer(job, turn).await?;
            }
        }
    }

    fn cloud_ms(&self) -> Option<i64> {
        self.cloud_offset.cloud_ms((self.ambient.wall_ms)())
    }

    /// Keeps the memory of handed jobs near what is pending.
    async fn forget_settled(&mut self) -> Result<(), RecordError> {
        if self.handed.is_empty() && self.orphans.is_empty() {
            return Ok(());
        }
        let pending = self.journal.stat().await?.commands_pending;
        if pending == 0 {
            self.handed.clear();
            self.orphans.clear();
            self.drawers.clear();
        } else if self.handed.len() > pending + HANDED_SLACK {
            let jobs = self.journal.pending_jobs(HashSet::new(), usize::MAX).await?;
            let open: HashSet<Uuid> = jobs.iter().map(|job| job.id).collect();
            self.handed.retain(|id, _| open.contains(id));
            self.orphans.retain(|id| open.contains(id));
        }
        Ok(())
    }

    async fn offer(&mut self, mut job: Job, turn: Turn) -> Result<(), RecordError> {
        if self.handed.contains_key(&job.id) || self.settled.contains(&job.id) {
            return Ok(());
        }
        if job.interrupted_attempt.is_none() && self.orphans.contains(&job.id) {
            job.interrupted_attempt = self.begun.attempt(job.id);
        }
        if self.is_drawer_late(&job) {
            self.settle(job.id, CommandState::Expired, words::DEADLINE_PASSED).await?;
            self.drawers.remove(&job.id);
            self.stale.remove(&job.id);
            return Ok(());
        }
        match deadline(&job, self.cloud_ms()) {
            Deadline::Open => {}
            Deadline::Unknown => {
                self.timeless.insert(job.id);
                return Ok(());
            }
            Deadline::Passed => {
                return self.settle(job.id, CommandState::Expired, words::DEADLINE_PASSED).await;
            }
        }
        match place(&job, &self.seats) {
            Place::Seat(device) => {
                self.hand_on(&device, job, turn);
                Ok(())
            }
            Place::Status => {
                self.ask_status(job.id);
                Ok(())
            }
            Place::Diagnostics => {
                self.ask_diagnostics(job);
                Ok(())
            }
            Place::Cancel(target) => self.cancel(job, target).await,
            Place::Nowhere { state, reason } => self.settle(job.id, state, reason).await,
        }
    }

    /// Nobody waits any more for a drawer that was asked for before this start, or that
    /// its printer's part could not be given in time.
    fn is_drawer_late(&mut self, job: &Job) -> bool {
        let is_drawer = matches!(job.command.body, Some(Body::OpenDrawer(_)));
        if !is_drawer || job.interrupted_attempt.is_some() {
            return false;
        }
        let since = *self.drawers.entry(job.id).or_insert_with(Instant::now);
        self.stale.contains(&job.id) || since.elapsed() > DRAWER_PATIENCE
    }

    /// Gives a job to its device, or leaves it in the journal.
    fn hand_on(&mut self, device: &str, job: Job, turn: Turn) {
        let Some(seat) = self.seats.iter_mut().find(|seat| seat.name == device) else { return };
        let is_urgent = matches!(job.command.body, Some(Body::OpenDrawer(_) | Body::Cancel(_)));
        let parked = Parked { id: job.id, not_after_ms: job.command.not_after_ms };
        // A new receipt does not overtake those that wait; a drawer and a cancel do.
        if turn == Turn::Last && !is_urgent && self.parking.holds(device) {
            self.parking.park(device, parked);
            return;
        }
        let is_repeatable = matches!(
            job.command.body,
            Some(Body::ReadClock(_) | Body::SetClockTime(_) | Body::WriteClockUsers(_))
        );
        let id = job.id;
        let refused = match &seat.jobs {
            Some(jobs) => jobs.try_send(job).err(),
            None => Some(TrySendError::Closed(job)),
        };
        match refused {
            None => {
                self.drawers.remove(&id);
                let device = device.to_owned();
                self.handed.insert(id, Handed { device, at: Instant::now(), is_repeatable });
                return;
            }
            Some(TrySendError::Full(_)) => {
                tracing::debug!(device, "queue full: offered again later");
            }
            Some(TrySendError::Closed(_)) => seat.jobs = None,
        }
        // What somebody waits for is looked at each time.
        if !is_urgent {
            self.parking.park(device, parked);
        }
    }

    fn ask_status(&mut self, id: Uuid) {
        if self.own.status.try_send(id).is_ok() {
            self.note_own(id);
        }
    }

    /// Its place is taken before it is handed on: what waits for one still lies in the
    /// journal, where it can be called back, and what has one is called back there.
    fn ask_diagnostics(&mut self, job: Job) {
        let id = job.id;
        let is_taken = match self.own.uploads.begin(id) {
            Ok(begun) => self.own.diagnostics.try_send((job, begun)).is_ok(),
            // Offered again while it is under way.
            Err(NotBegun::Known) => true,
            Err(NotBegun::TooMany) => false,
        };
        if is_taken {
            self.note_own(id);
        }
    }

    fn note_own(&mut self, id: Uuid) {
        let handed = Handed { device: String::new(), at: Instant::now(), is_repeatable: true };
        self.handed.insert(id, handed);
    }

    /// A command that a device holds is cancelled by the device, which alone knows
    /// whether it began; one that still lies in the journal is cancelled here.
    async fn cancel(&mut self, job: Job, target: Uuid) -> Result<(), RecordError> {
        if self.own.uploads.cancel(target) {
            self.settle(target, CommandState::Cancelled, words::CANCELLED).await?;
            return self.settle(job.id, CommandState::Done, words::CANCELLED).await;
        }
        if let Some(held) = self.handed.get(&target) {
            let device = held.device.clone();
            let is_clock =
                self.seats.iter().any(|seat| seat.name == device && seat.kind == DeviceKind::Clock);
            if device.is_empty() || is_clock {
                return self.settle(job.id, CommandState::Failed, words::TOO_LATE).await;
            }
            self.hand_on(&device, job, Turn::Next);
            return Ok(());
        }
        let open = self.journal.pending_jobs(HashSet::new(), usize::MAX).await?;
        let Some(found) = open.into_iter().find(|open| open.id == target) else {
            return self.settle(job.id, CommandState::Failed, words::NOTHING_TO_CANCEL).await;
        };
        if found.interrupted_attempt.is_some() || self.begun.attempt(target).is_some() {
            return self.settle(job.id, CommandState::Failed, words::TOO_LATE).await;
        }
        self.settle(target, CommandState::Cancelled, words::CANCELLED).await?;
        self.settle(job.id, CommandState::Done, words::CANCELLED).await
    }

    async fn settle(
        &mut self,
        id: Uuid,
        state: CommandState,
        reason: &'static str,
    ) -> Result<(), RecordError> {
        tracing::info!(command = %id, ?state, reason, "command settled");
        let report = CommandReport {
            command_id: id.as_bytes().to_vec(),
            state: state as i32,
            reason: reason.to_owned(),
            ..CommandReport::default()
        };
        self.journal.report(report).await?;
        if self.settled.len() == SETTLED_MAX {
            self.settled.pop_front();
        }
        self.settled.push_back(id);
        Ok(())
    }
}
