//! One supervised part per configured device. The only place that knows how a clock's
//! and a printer's part are started.

use fournil_protocol::event::{DeviceHealth, DeviceKind, DeviceState};
use fournil_protocol::words;
use tokio::sync::{mpsc, watch};

use super::route::Seat;
use super::router::Attach;
use crate::clock::{ClockPart, PunchStore};
use crate::config::Config;
use crate::printer;
use crate::seam::{CloudOffset, JOBS_MAX, Job, Recorder};
use crate::supervise::Supervisor;

/// What the parts are given.
pub(super) struct Shared {
    pub(super) recorder: Recorder,
    pub(super) attach: mpsc::Sender<Attach>,
    pub(super) cloud_offset: CloudOffset,
    pub(super) store: PunchStore,
}

/// A place in the router for every configured device.
pub(super) fn seats(config: &Config) -> Vec<Seat> {
    let seat = |name: &String, kind| Seat { name: name.clone(), kind, jobs: None };
    let clocks = config.clocks.iter().map(|clock| seat(&clock.name, DeviceKind::Clock));
    let printers = config.printers.iter().map(|printer| seat(&printer.name, DeviceKind::Printer));
    clocks.chain(printers).collect()
}

/// Starts every device's part and gives where their health is told.
pub(super) fn start(
    config: &Config,
    supervisor: &mut Supervisor,
    shared: &Shared,
) -> Vec<watch::Receiver<DeviceHealth>> {
    let mut healths = Vec::new();
    for clock in &config.clocks {
        let (health, told) = watch::channel(unknown(&clock.name, DeviceKind::Clock));
        healths.push(told);
        let (clock, stop) = (clock.clone(), supervisor.soft());
        let (recorder, attach) = (shared.recorder.clone(), shared.attach.clone());
        let store = shared.store.clone();
        supervisor.part(clock.name.clone(), move || {
            let (clock, recorder, health) = (clock.clone(), recorder.clone(), health.clone());
            let (attach, stop, store) = (attach.clone(), stop.clone(), store.clone());
            async move {
                let jobs = take_seat(&attach, &clock.name).await?;
                Ok(ClockPart::run(clock, recorder, jobs, health, store, stop).await?)
            }
        });
    }
    for printer in &config.printers {
        let (health, told) = watch::channel(unknown(&printer.name, DeviceKind::Printer));
        healths.push(told);
        let (printer, stop) = (printer.clone(), supervisor.soft());
        let (recorder, attach) = (shared.recorder.clone(), shared.attach.clone());
        let offset = shared.cloud_offset.clone();
        supervisor.part(printer.name.clone(), move || {
            let (printer, recorder, health) = (printer.clone(), recorder.clone(), health.clone());
            let (attach, stop, offset) = (attach.clone(), stop.clone(), offset.clone());
            async move {
                let jobs = take_seat(&attach, &printer.name).await?;
                Ok(printer::run(printer, recorder, jobs, health, offset, stop).await?)
            }
        });
    }
    healths
}

/// Tells the router where this run of the part takes its jobs.
async fn take_seat(
    attach: &mpsc::Sender<Attach>,
    device: &str,
) -> anyhow::Result<mpsc::Receiver<Job>> {
    let (jobs, taken) = mpsc::channel(JOBS_MAX);
    attach.send(Attach { device: device.to_owned(), jobs }).await?;
    Ok(taken)
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
