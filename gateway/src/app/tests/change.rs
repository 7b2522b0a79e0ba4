//! Configurations read again faster than devices end.

use fournil_protocol::event::DeviceHealth;

use super::*;
use crate::app::change::{Ending, Running};
use crate::app::devices::{self, Device, Section, Shared};
use crate::clock::PunchStore;
use crate::printer::PrinterConfig;
use crate::supervise::Pulse;

fn printer(port: u16) -> PrinterConfig {
    let text = format!("name = \"caisse\"\nto = \"tcp://127.0.0.1:{port}\"");
    toml::from_str(&text).unwrap()
}

/// A running shop whose only printer ends when the test lets it.
struct Busy {
    running: Running,
    supervisor: Supervisor,
    before: Config,
    let_go: CancellationToken,
    attached: mpsc::Receiver<Attach>,
    seated: watch::Receiver<Vec<SeatName>>,
    in_force: watch::Receiver<Config>,
    _journal_end: (Recorder, mpsc::Receiver<seam::Request>),
    _folder: tempfile::TempDir,
}

fn busy_printer() -> Busy {
    let folder = tempfile::tempdir().unwrap();
    let before = config_in(folder.path());
    let mut config = before.clone();
    config.printers = vec![printer(9_100)];
    let mut supervisor = Supervisor::new(Ambient::system());
    let let_go = CancellationToken::new();
    let token = let_go.clone();
    let kept = supervisor.moving("caisse", Pulse::new(Duration::from_hours(1)), move |stop| {
        let token = token.clone();
        async move {
            stop.cancelled().await;
            token.cancelled().await;
            Ok(())
        }
    });
    let section = Section::Printer(config.printers[0].clone());
    let health = watch::channel(DeviceHealth::default()).1;
    let (recorder, requests) = seam::recorder();
    let (attach, attached) = mpsc::channel(8);
    let store = PunchStore {
        folder: folder.path().to_owned(),
        generation: Arc::new(|| 1),
        recall: Arc::new(|_, _| Ok(())),
        is_tail_doubtful: false,
    };
    let cloud_offset = CloudOffset::default();
    let recorder_weak = recorder.downgrade();
    let held = crate::clock::HeldClocks::default();
    let shared = Shared { recorder: recorder_weak, attach, cloud_offset, store, held };
    let (seats, seated) = watch::channel(devices::seats(&config));
    let (in_force_told, in_force) = watch::channel(config.clone());
    let running = Running {
        config,
        in_force: in_force_told,
        identity: watch::channel(identity(folder.path())).1,
        line: None,
        way: None,
        devices: vec![Device { section, kept, health: vec![health] }],
        shared,
        seats,
        roster: watch::channel(Vec::new()).0,
        ending: Ending::default(),
    };
    Busy {
        running,
        supervisor,
        before,
        let_go,
        attached,
        seated,
        in_force,
        _journal_end: (recorder, requests),
        _folder: folder,
    }
}

impl Busy {
    /// The parts get their turn before the next reading.
    async fn reload(&mut self, printers: Vec<PrinterConfig>) {
        let mut config = self.before.clone();
        config.printers = printers;
        self.running.change(&mut self.supervisor, config);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    fn seats(&self) -> Vec<String> {
        self.seated.borrow().iter().map(|seat| seat.name.clone()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_taken_out_and_put_back_keeps_its_seat() {
    let mut shop = busy_printer();
    shop.reload(vec![]).await;
    shop.reload(vec![printer(9_100)]).await;
    shop.let_go.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(shop.seats(), ["caisse"]);
    assert!(shop.attached.try_recv().is_ok(), "it is not served");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_put_back_and_taken_out_loses_its_seat_once_it_has_ended() {
    let mut shop = busy_printer();
    shop.reload(vec![printer(9_101)]).await;
    shop.reload(vec![]).await;
    assert_eq!(shop.seats(), ["caisse"], "its receipt is on its way to paper");
    shop.let_go.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(shop.seats().is_empty());
}

#[tokio::test(start_paused = true)]
async fn however_often_a_device_changes_one_part_serves_it() {
    let mut shop = busy_printer();
    for port in 9_101..9_104 {
        shop.reload(vec![printer(port)]).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(shop.attached.try_recv().is_err(), "the first one still serves it");
    shop.let_go.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(shop.attached.try_recv().is_ok());
    assert!(shop.attached.try_recv().is_err(), "two parts serve it");
}

#[tokio::test(start_paused = true)]
async fn the_configuration_that_is_shown_is_the_one_in_force() {
    let mut shop = busy_printer();
    shop.let_go.cancel();
    shop.reload(vec![printer(9_109)]).await;
    assert_eq!(shop.in_force.borrow().printers, [printer(9_109)]);
}
