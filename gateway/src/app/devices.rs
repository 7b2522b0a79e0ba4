//! One supervised part per configured device. The only place that knows how a clock's
//! and a printer's part are started.

use std::time::Duration;

use anyhow::Context as _;
use fournil_protocol::event::{DeviceHealth, DeviceKind, DeviceState};
use fournil_protocol::words;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::route::SeatName;
use super::router::Attach;
use crate::clock::push::{self, PushConfig};
use crate::clock::{ClockConfig, ClockPart, HeldClocks, PunchStore, Surroundings};
use crate::config::Config;
use crate::printer::{self, PrinterConfig};
use crate::seam::{CloudOffset, JOBS_MAX, Job, Recorder, WeakRecorder};
use crate::supervise::{Kept, Pulse, Supervisor};

/// Before the first start of a part; then it says how long each of its steps may take.
const FIRST_PROMISE: Duration = Duration::from_mins(2);

/// Where the health of every device is told.
pub(super) type Roster = Vec<watch::Receiver<DeviceHealth>>;

/// What the parts are given.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) recorder: WeakRecorder,
    pub(super) attach: mpsc::Sender<Attach>,
    pub(super) cloud_offset: CloudOffset,
    pub(super) store: PunchStore,
    pub(super) held: HeldClocks,
}

/// A section of the configuration that one part serves: a device, or all clocks that call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Section {
    Clock(ClockConfig),
    Push(PushConfig),
    Printer(PrinterConfig),
}

impl Section {
    /// What the part is called.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Clock(clock) => &clock.name,
            Self::Push(_) => "push",
            Self::Printer(printer) => &printer.name,
        }
    }

    /// Its devices.
    fn names(&self) -> Vec<&str> {
        match self {
            Self::Clock(clock) => vec![&clock.name],
            Self::Push(push) => push.clocks.iter().map(|clock| clock.name.as_str()).collect(),
            Self::Printer(printer) => vec![&printer.name],
        }
    }

    fn kind(&self) -> DeviceKind {
        match self {
            Self::Clock(_) | Self::Push(_) => DeviceKind::Clock,
            Self::Printer(_) => DeviceKind::Printer,
        }
    }
}

/// A section that is served.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) section: Section,
    pub(super) kept: Kept,
    /// Of each of its devices.
    pub(super) health: Vec<watch::Receiver<DeviceHealth>>,
}

/// Every section with devices.
pub(super) fn sections(config: &Config) -> Vec<Section> {
    let clocks = config.clocks.iter().cloned().map(Section::Clock);
    let push = config.push.iter().cloned().map(Section::Push);
    let printers = config.printers.iter().cloned().map(Section::Printer);
    clocks.chain(push).chain(printers).collect()
}

/// A place in the router for every configured device.
pub(super) fn seats(config: &Config) -> Vec<SeatName> {
    let sections = sections(config);
    let seats = sections.iter().flat_map(|section| {
        let kind = section.kind();
        section.names().into_iter().map(move |name| SeatName { name: name.to_owned(), kind })
    });
    seats.collect()
}

pub(super) fn roster(devices: &[Device]) -> Roster {
    devices.iter().flat_map(|device| device.health.iter().cloned()).collect()
}

/// Starts every device's part.
pub(super) fn start(
    config: &Config,
    supervisor: &mut Supervisor,
    shared: &Shared,
    after: &[CancellationToken],
) -> Vec<Device> {
    let sections = sections(config).into_iter();
    sections.map(|section| start_one(section, supervisor, shared, after)).collect()
}

/// Starts one device's part, once those before it have ended: most devices serve one
/// program at a time.
pub(super) fn start_one(
    section: Section,
    supervisor: &mut Supervisor,
    shared: &Shared,
    after: &[CancellationToken],
) -> Device {
    let names = section.names();
    let kind = section.kind();
    let (tell, health): (Vec<_>, Vec<_>) =
        names.iter().map(|name| watch::channel(unknown(name, kind))).unzip();
    let seat = Seated {
        devices: names.into_iter().zip(tell).map(|(name, tell)| (name.to_owned(), tell)).collect(),
        recorder: shared.recorder.clone(),
        attach: shared.attach.clone(),
        after: after.to_vec(),
    };
    let pulse = Pulse::new(FIRST_PROMISE);
    let name = section.name().to_owned();
    let around = Surroundings {
        store: Some(shared.store.clone()),
        cloud_offset: shared.cloud_offset.clone(),
        held: shared.held.clone(),
    };
    let served = section.clone();
    let kept = supervisor.moving(name, pulse, move |stop| {
        let (section, seat, around) = (served.clone(), seat.clone(), around.clone());
        async move { serve(section, seat, around, stop).await }
    });
    Device { section, kept, health }
}

async fn serve(
    section: Section,
    seat: Seated,
    around: Surroundings,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Some((recorder, places)) = seat.take(&stop).await? else { return Ok(()) };
    let mut places = places.into_iter();
    match section {
        Section::Push(push) => {
            let places = places.map(|(jobs, health)| push::Place { jobs, health }).collect();
            push::run(push, recorder, places, around, stop).await;
        }
        Section::Clock(clock) => {
            let (jobs, health) = places.next().context("a clock has one place")?;
            ClockPart::run(clock, recorder, jobs, health, around, stop).await?;
        }
        Section::Printer(printer) => {
            let (jobs, health) = places.next().context("a printer has one place")?;
            printer::run(printer, recorder, jobs, health, around.cloud_offset, stop).await?;
        }
    }
    Ok(())
}

/// How a run of a part comes to its work.
#[derive(Debug, Clone)]
struct Seated {
    /// Its devices, and where their health is told.
    devices: Vec<(String, watch::Sender<DeviceHealth>)>,
    recorder: WeakRecorder,
    attach: mpsc::Sender<Attach>,
    after: Vec<CancellationToken>,
}

/// Where a device's jobs arrive and its health is told.
type Place = (mpsc::Receiver<Job>, watch::Sender<DeviceHealth>);

impl Seated {
    /// Waits for its turn and tells the router where this run takes its jobs. `None` when it
    /// is told to stop before.
    async fn take(
        self,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<(Recorder, Vec<Place>)>> {
        for ended in &self.after {
            tokio::select! {
                () = ended.cancelled() => {}
                () = stop.cancelled() => return Ok(None),
            }
        }
        let recorder = self.recorder.upgrade().context("the journal is closed")?;
        let mut places = Vec::new();
        for (device, health) in self.devices {
            let (jobs, taken) = mpsc::channel(JOBS_MAX);
            self.attach.send(Attach { device, jobs }).await?;
            places.push((taken, health));
        }
        Ok(Some((recorder, places)))
    }
}

fn unknown(name: &str, kind: DeviceKind) -> DeviceHealth {
    DeviceHealth {
        device: name.to_owned(),
        kind: kind as i32,
        state: DeviceState::Unknown as i32,
        code: words::STARTING.to_owned(),
        ..DeviceHealth::default()
    }
}
