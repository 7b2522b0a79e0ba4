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
use crate::clock::{ClockConfig, ClockPart, PunchStore, Surroundings};
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
}

/// A device's section of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Section {
    Clock(ClockConfig),
    Printer(PrinterConfig),
}

impl Section {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Clock(clock) => &clock.name,
            Self::Printer(printer) => &printer.name,
        }
    }

    fn kind(&self) -> DeviceKind {
        match self {
            Self::Clock(_) => DeviceKind::Clock,
            Self::Printer(_) => DeviceKind::Printer,
        }
    }
}

/// A device that is served.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) section: Section,
    pub(super) kept: Kept,
    pub(super) health: watch::Receiver<DeviceHealth>,
}

/// Every configured device.
pub(super) fn sections(config: &Config) -> Vec<Section> {
    let clocks = config.clocks.iter().cloned().map(Section::Clock);
    clocks.chain(config.printers.iter().cloned().map(Section::Printer)).collect()
}

/// A place in the router for every configured device.
pub(super) fn seats(config: &Config) -> Vec<SeatName> {
    let sections = sections(config);
    let seat = |section: &Section| SeatName { name: section.name().into(), kind: section.kind() };
    sections.iter().map(seat).collect()
}

pub(super) fn roster(devices: &[Device]) -> Roster {
    devices.iter().map(|device| device.health.clone()).collect()
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
    let (told, health) = watch::channel(unknown(section.name(), section.kind()));
    let seat = Seated {
        device: section.name().to_owned(),
        recorder: shared.recorder.clone(),
        attach: shared.attach.clone(),
        after: after.to_vec(),
    };
    let pulse = Pulse::new(FIRST_PROMISE);
    let name = section.name().to_owned();
    let kept = match section.clone() {
        Section::Clock(clock) => {
            let store = Some(shared.store.clone());
            let around = Surroundings { store, cloud_offset: shared.cloud_offset.clone() };
            supervisor.moving(name, pulse, move |stop| {
                let (clock, seat, health) = (clock.clone(), seat.clone(), told.clone());
                let around = around.clone();
                async move {
                    let Some((recorder, jobs)) = seat.take(&stop).await? else { return Ok(()) };
                    Ok(ClockPart::run(clock, recorder, jobs, health, around, stop).await?)
                }
            })
        }
        Section::Printer(printer) => {
            let offset = shared.cloud_offset.clone();
            supervisor.moving(name, pulse, move |stop| {
                let (printer, seat, health) = (printer.clone(), seat.clone(), told.clone());
                let offset = offset.clone();
                async move {
                    let Some((recorder, jobs)) = seat.take(&stop).await? else { return Ok(()) };
                    Ok(printer::run(printer, recorder, jobs, health, offset, stop).await?)
                }
            })
        }
    };
    Device { section, kept, health }
}

/// How a run of a part comes to its work.
#[derive(Debug, Clone)]
struct Seated {
    device: String,
    recorder: WeakRecorder,
    attach: mpsc::Sender<Attach>,
    after: Vec<CancellationToken>,
}

impl Seated {
    /// Waits for its turn and tells the router where this run takes its jobs. `None` when it
    /// is told to stop before.
    async fn take(
        self,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<(Recorder, mpsc::Receiver<Job>)>> {
        for ended in &self.after {
            tokio::select! {
                () = ended.cancelled() => {}
                () = stop.cancelled() => return Ok(None),
            }
        }
        let recorder = self.recorder.upgrade().context("the journal is closed")?;
        let (jobs, taken) = mpsc::channel(JOBS_MAX);
        self.attach.send(Attach { device: self.device, jobs }).await?;
        Ok(Some((recorder, taken)))
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
