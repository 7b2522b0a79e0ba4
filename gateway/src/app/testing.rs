//! The daemon's parts around a journal, without process, signals and sockets: what a
//! simulation runs in its own time. The wiring is that of [`super::house::House`], for printers.

use fournil_protocol::event::{DeviceHealth, DeviceKind};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::begun::Begun;
use super::house::{ATTACHES_MAX, STATUS_MAX};
use super::route::SeatName;
use super::router::{Attach, Own, Router};
use super::stale_drawers;
use crate::journal::Journal;
use crate::printer::PrinterConfig;
use crate::printer::spool::{Patience, run_with};
use crate::seam::{self, CloudOffset, JOBS_MAX, Job, RecordError, Recorder};
use crate::tunnel::ambient::Ambient;
use crate::tunnel::uploads::Uploads;

/// What the parts work with.
#[derive(Debug)]
pub struct Parts {
    pub journal: Journal,
    pub printers: Vec<PrinterConfig>,
    pub ambient: Ambient,
    pub cloud_offset: CloudOffset,
    pub uploads: Uploads,
    pub stop: CancellationToken,
}

impl Parts {
    /// Starts them; gives the way in for new jobs and the way to the journal for a
    /// simulated clock.
    pub async fn start(
        self,
        tasks: &mut JoinSet<()>,
    ) -> Result<(mpsc::Sender<Job>, Recorder), RecordError> {
        let stale = stale_drawers(&self.journal).await?;
        let (recorder, requests) = seam::recorder();
        let begun = Begun::default();
        let (served, between) = begun.stand_between(requests);
        tasks.spawn(between);
        let journal = self.journal.clone();
        tasks.spawn(async move { journal.serve(served).await });
        let (attach, attached) = mpsc::channel(ATTACHES_MAX);
        let (ask_status, _) = mpsc::channel(STATUS_MAX);
        let (ask_diagnostics, _) = mpsc::channel(STATUS_MAX);
        let uploads = self.uploads;
        let own = Own { status: ask_status, diagnostics: ask_diagnostics, uploads };
        let seats = self
            .printers
            .iter()
            .map(|printer| SeatName { name: printer.name.clone(), kind: DeviceKind::Printer });
        let (_, seated) = watch::channel(seats.collect());
        let (ambient, offset) = (self.ambient, self.cloud_offset.clone());
        let mut router = Router::new(self.journal, begun, seated, ambient, offset, own);
        router.stale = stale;
        let (jobs, fresh) = mpsc::channel(JOBS_MAX);
        tasks.spawn(router.run(fresh, attached, self.stop.clone()));
        for printer in self.printers {
            let (taken, offered) = mpsc::channel(JOBS_MAX);
            // The router lives as long as the tasks, and reads this first.
            let _ = attach.send(Attach { device: printer.name.clone(), jobs: taken }).await;
            let (health, _) = watch::channel(DeviceHealth::default());
            let (recorder, offset) = (recorder.clone(), self.cloud_offset.clone());
            let stop = self.stop.clone();
            tasks.spawn(async move {
                let (clock, patience) = ((offset, ambient), Patience::default());
                if let Err(error) =
                    run_with(printer, recorder, offered, health, clock, stop, patience).await
                {
                    tracing::error!(%error, "the printer's part ended");
                }
            });
        }
        Ok((jobs, recorder))
    }
}
