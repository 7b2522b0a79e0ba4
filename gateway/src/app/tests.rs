//! The router on a real journal in a temporary folder.

mod begun;
mod change;
mod diagnostics;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use fournil_protocol::command::{Body, Cancel, Command, OpenDrawer, Policy, Print, ReadStatus};
use fournil_protocol::document::Document;
use fournil_protocol::event::{Body as EventBody, CommandReport, CommandState, DeviceKind, Event};
use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::begun::Begun;
use super::route::SeatName;
use super::router::{Attach, Own, Router};
use super::status::StatusServer;
use crate::config::{self, Config, Sources};
use crate::journal::{Journal, JournalConfig, Opened, TimeSource};
use crate::seam::{self, CloudOffset, Job, RecordError, Recorder};
use crate::supervise::Supervisor;
use crate::tunnel::ambient::Ambient;
use crate::tunnel::identity::{Enrolled, Identity, PendingKey};
use crate::tunnel::state::TunnelState;
use crate::tunnel::uploads::{self, Uploads};

const DOWN_EPOCH: u64 = 3;

struct Shop {
    journal: Journal,
    recorder: Recorder,
    fresh: mpsc::Sender<Job>,
    attach: mpsc::Sender<Attach>,
    seats: watch::Sender<Vec<SeatName>>,
    status: mpsc::Receiver<Uuid>,
    /// Diagnostics that were asked for.
    wanted: mpsc::Receiver<(Job, uploads::Begun)>,
    uploads: Uploads,
    stop: CancellationToken,
    next_seq: u64,
    folder: tempfile::TempDir,
}

fn shop() -> Shop {
    shop_at(CloudOffset::known(0))
}

fn shop_at(offset: CloudOffset) -> Shop {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = journal(folder.path());
    open_at(offset, folder, journal, HashSet::new(), 1)
}

fn journal(state: &std::path::Path) -> (Journal, Opened) {
    journal_with(state, JournalConfig::default())
}

fn journal_with(state: &std::path::Path, config: JournalConfig) -> (Journal, Opened) {
    let time = TimeSource::new([1; 16], || (1_000_000, 0));
    Journal::open(&state.join("journal"), config, time).unwrap()
}

/// No devices, and nothing of this machine.
fn config_in(state: &std::path::Path) -> Config {
    let sources = Sources {
        file: None,
        state_dir: Some(state.to_owned()),
        env: &|_| None,
        env_names: Vec::new(),
    };
    config::load(&sources).unwrap()
}

fn open_at(
    offset: CloudOffset,
    folder: tempfile::TempDir,
    journal: Journal,
    stale: HashSet<Uuid>,
    next_seq: u64,
) -> Shop {
    let (recorder, requests) = seam::recorder();
    let begun = Begun::default();
    let (served, between) = begun.stand_between(requests);
    tokio::spawn(between);
    let serving = journal.clone();
    tokio::spawn(async move { serving.serve(served).await });
    let (fresh, fresh_in) = mpsc::channel(8);
    let (attach, attached) = mpsc::channel(8);
    let (ask, status) = mpsc::channel(1);
    let (seats, seated) = watch::channel(vec![seat("caisse"), seat("cuisine")]);
    let ambient = Ambient { wall_ms: || 1_000_000, random: || 0 };
    let (diagnostics, wanted) = mpsc::channel(1);
    let uploads = Uploads::default();
    let own = Own { status: ask, diagnostics, uploads: uploads.clone() };
    let mut router = Router::new(journal.clone(), begun, seated, ambient, offset, own);
    router.stale = stale;
    let stop = CancellationToken::new();
    tokio::spawn(router.run(fresh_in, attached, stop.clone()));
    Shop {
        journal,
        recorder,
        fresh,
        attach,
        seats,
        status,
        wanted,
        uploads,
        stop,
        next_seq,
        folder,
    }
}

fn seat(name: &str) -> SeatName {
    SeatName { name: name.into(), kind: DeviceKind::Printer }
}

impl Shop {
    /// The same journal with new parts around it.
    fn restarted(self, stale: HashSet<Uuid>) -> Self {
        open_at(CloudOffset::known(0), self.folder, self.journal, stale, self.next_seq)
    }

    /// Puts a command into the journal as the tunnel does, and hands on what is fresh.
    async fn command(&mut self, body: Option<Body>, device: &str, not_after_ms: i64) -> Uuid {
        let id = Uuid::from_u128(u128::from(self.next_seq));
        let command = Command {
            seq: self.next_seq,
            command_id: id.as_bytes().to_vec(),
            policy: Policy::Ask as i32,
            not_after_ms,
            device: device.to_owned(),
            body,
        };
        self.next_seq += 1;
        let accepted = self.journal.accept(DOWN_EPOCH, vec![command]).await.unwrap();
        for job in accepted.fresh {
            let _ = self.fresh.try_send(job);
        }
        id
    }

    async fn drawer(&mut self) -> Uuid {
        self.command(Some(Body::OpenDrawer(OpenDrawer { pin: 2 })), "caisse", 0).await
    }

    async fn print(&mut self, device: &str, not_after_ms: i64) -> Uuid {
        let print = Print { document: Document::default(), copy_of: Vec::new() };
        self.command(Some(Body::Print(print)), device, not_after_ms).await
    }

    async fn attach(&self, room: usize) -> mpsc::Receiver<Job> {
        self.attach_to("caisse", room).await
    }

    async fn attach_to(&self, device: &str, room: usize) -> mpsc::Receiver<Job> {
        let (jobs, taken) = mpsc::channel(room);
        self.attach.send(Attach { device: device.into(), jobs }).await.unwrap();
        taken
    }

    /// The newest report on a command.
    async fn last_word(&self, id: Uuid) -> (CommandState, String) {
        let run = self.journal.read_events(1, 1_000, 1 << 20).await.unwrap();
        let reports = run.events.iter().filter_map(|bytes| report(bytes));
        let mut found = reports.filter(|report| report.command_id == id.as_bytes());
        let found = found.next_back().unwrap();
        (found.state(), found.reason)
    }

    /// Waits until the up log holds a final report on a command.
    async fn outcome(&self, id: Uuid) -> (CommandState, String) {
        let mut changed = self.journal.changed();
        loop {
            let _ = changed.borrow_and_update();
            let run = self.journal.read_events(1, 1_000, 1 << 20).await.unwrap();
            let reports = run.events.iter().filter_map(|bytes| report(bytes));
            let found = reports
                .filter(|report| report.command_id == id.as_bytes())
                .find(|report| report.state() != CommandState::Started);
            if let Some(report) = found {
                return (report.state(), report.reason);
            }
            changed.changed().await.unwrap();
        }
    }
}

fn report(bytes: &[u8]) -> Option<CommandReport> {
    match Event::decode(bytes).unwrap().body {
        Some(EventBody::CommandReport(report)) => Some(report),
        _ => None,
    }
}

#[tokio::test]
async fn a_job_reaches_its_device_and_a_full_queue_is_filled_again_from_the_journal() {
    let mut shop = shop();
    let mut jobs = shop.attach(1).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(shop.print("caisse", 0).await);
    }
    for id in ids {
        let job = jobs.recv().await.unwrap();
        assert_eq!((job.id, job.interrupted_attempt), (id, None));
        let done = CommandReport {
            command_id: id.as_bytes().to_vec(),
            state: CommandState::Done as i32,
            ..CommandReport::default()
        };
        shop.recorder.report(done).await.unwrap();
    }
    shop.stop.cancel();
    assert!(jobs.recv().await.is_none(), "a job came twice");
}

#[tokio::test]
async fn what_nobody_can_do_is_said_with_its_reason() {
    let mut shop = shop();
    let unknown = shop.command(None, "", 0).await;
    assert_eq!(shop.outcome(unknown).await, (CommandState::Unsupported, "unknown-kind".to_owned()));
    let drawer = Body::OpenDrawer(OpenDrawer { pin: 2 });
    let nowhere = shop.command(Some(drawer), "bureau", 0).await;
    assert_eq!(shop.outcome(nowhere).await, (CommandState::Failed, "no-such-device".to_owned()));
    let late = shop.command(Some(Body::OpenDrawer(OpenDrawer { pin: 2 })), "caisse", 999_999).await;
    assert_eq!(shop.outcome(late).await, (CommandState::Expired, "deadline-passed".to_owned()));
}

#[tokio::test]
async fn a_command_that_still_lies_in_the_journal_can_be_cancelled() {
    let mut shop = shop();
    // No printer is attached, so it waits.
    let drawer = shop.drawer().await;
    let cancel = Body::Cancel(Cancel { command_id: drawer.as_bytes().to_vec() });
    let cancel = shop.command(Some(cancel), "", 0).await;
    assert_eq!(shop.outcome(drawer).await.0, CommandState::Cancelled);
    assert_eq!(shop.outcome(cancel).await.0, CommandState::Done);
    let again = Body::Cancel(Cancel { command_id: drawer.as_bytes().to_vec() });
    let again = shop.command(Some(again), "", 0).await;
    assert_eq!(shop.outcome(again).await, (CommandState::Failed, "nothing-to-cancel".to_owned()));
}

#[tokio::test]
async fn a_status_command_goes_to_the_health_reporter_once() {
    let mut shop = shop();
    let id = shop.command(Some(Body::ReadStatus(ReadStatus {})), "", 0).await;
    assert_eq!(shop.status.recv().await, Some(id));
}

#[tokio::test]
async fn a_dead_device_does_not_keep_the_others_waiting() {
    let mut shop = shop();
    for _ in 0..300 {
        shop.print("caisse", 0).await;
    }
    let mut jobs = shop.attach_to("cuisine", 8).await;
    let mut wanted = Vec::new();
    for _ in 0..3 {
        wanted.push(shop.print("cuisine", 0).await);
    }
    for id in wanted {
        assert_eq!(jobs.recv().await.unwrap().id, id);
    }
    // The other one comes back and gets its own, oldest first.
    let mut jobs = shop.attach(1).await;
    for number in 1..=3 {
        assert_eq!(jobs.recv().await.unwrap().id, Uuid::from_u128(number));
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_clouds_time_nothing_with_a_deadline_begins() {
    let offset = CloudOffset::default();
    let mut shop = shop_at(offset.clone());
    let mut jobs = shop.attach(8).await;
    let (good, late) = (shop.print("caisse", 1_500_000).await, shop.print("caisse", 500_000).await);
    let timeless = shop.print("caisse", 0).await;
    assert_eq!(jobs.recv().await.unwrap().id, timeless);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(jobs.try_recv().is_err(), "begun without knowing the time");
    offset.set_ms(0);
    assert_eq!(jobs.recv().await.unwrap().id, good);
    assert_eq!(shop.outcome(late).await, (CommandState::Expired, "deadline-passed".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_jumps_neither_ends_a_deadline_nor_holds_it_open() {
    const YEAR_MS: i64 = 365 * 86_400_000;
    for step_ms in [YEAR_MS, -YEAR_MS, 0] {
        let offset = CloudOffset::default();
        // Measured before the step; this shop's wall clock reads 1,000,000 and stands still.
        offset.measured(step_ms, 1_000_000 - step_ms);
        let mut shop = shop_at(offset);
        let mut jobs = shop.attach(1).await;
        let good = shop.print("caisse", 1_030_000).await;
        assert_eq!(jobs.recv().await.unwrap().id, good, "expired by a step of {step_ms} ms");
        // Nobody takes these two in time.
        let (full, late) = (shop.print("caisse", 0).await, shop.print("caisse", 1_020_000).await);
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(shop.outcome(late).await.0, CommandState::Expired, "held open by {step_ms} ms");
        assert_eq!(jobs.recv().await.unwrap().id, full);
        shop.stop.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_drawer_that_no_printer_takes_expires_within_seconds() {
    let mut shop = shop();
    let drawer = shop.drawer().await;
    assert_eq!(shop.outcome(drawer).await.0, CommandState::Expired);
    let mut jobs = shop.attach(8).await;
    let receipt = shop.print("caisse", 0).await;
    assert_eq!(jobs.recv().await.unwrap().id, receipt);
}

#[tokio::test]
async fn a_drawer_of_before_this_start_is_not_opened() {
    let mut shop = shop();
    let (stale, receipt) = (shop.drawer().await, shop.print("caisse", 0).await);
    shop.stop.cancel();
    let found = super::stale_drawers(&shop.journal).await.unwrap();
    assert_eq!(found, HashSet::from([stale]));
    let mut shop = shop.restarted(found);
    let mut jobs = shop.attach(8).await;
    assert_eq!(jobs.recv().await.unwrap().id, receipt);
    assert_eq!(shop.outcome(stale).await, (CommandState::Expired, "deadline-passed".to_owned()));
    let drawer = shop.drawer().await;
    assert_eq!(jobs.recv().await.unwrap().id, drawer);
}

#[tokio::test]
async fn a_device_that_goes_is_told_of_and_one_that_comes_is_served() {
    let mut shop = shop();
    let mut jobs = shop.attach(8).await;
    let (begun, waiting) = (shop.print("caisse", 0).await, shop.print("caisse", 0).await);
    for _ in 0..2 {
        jobs.recv().await.unwrap();
    }
    shop.recorder.begin(begun, 1, "caisse").await.unwrap();
    let early = shop.print("bureau", 0).await;
    assert_eq!(shop.outcome(early).await, (CommandState::Failed, "no-such-device".to_owned()));
    // The part of the new one may be there before its seat.
    drop(jobs);
    let mut jobs = shop.attach_to("bureau", 8).await;
    shop.seats.send_replace(vec![seat("cuisine"), seat("bureau")]);
    assert_eq!(shop.outcome(begun).await, (CommandState::InDoubt, "no-such-device".to_owned()));
    assert_eq!(shop.outcome(waiting).await, (CommandState::Failed, "no-such-device".to_owned()));
    let receipt = shop.print("bureau", 0).await;
    loop {
        let job = jobs.recv().await.unwrap();
        if job.id == receipt {
            break;
        }
        // It came by two ways and was settled on the first: the journal lets nobody begin it.
        assert_eq!(job.id, early);
        let begun = shop.recorder.begin(job.id, 1, "bureau").await;
        assert_eq!(begun, Err(RecordError::NotWaiting(early)));
    }
}

fn identity(state: &std::path::Path) -> Arc<Identity> {
    let key = PendingKey::take_up(state).unwrap();
    let enrolled = Enrolled {
        gateway_id: Uuid::from_u128(7),
        name: "Caisse".into(),
        company: "Boulangerie".into(),
        url: "https://cloud.example".into(),
        fingerprint: key.fingerprint(),
        ca_pem: None,
    };
    key.adopt(&enrolled).unwrap();
    Arc::new(Identity::load(state).unwrap())
}

#[tokio::test]
async fn a_shop_without_devices_keeps_its_gateway_running() {
    let state = tempfile::tempdir().unwrap();
    let (journal, _) = journal(state.path());
    let mut supervisor = Supervisor::new(Ambient::system());
    let (_identities, identity) = watch::channel(identity(state.path()));
    let (_jobs, fresh) = mpsc::channel(1);
    let house = super::house::House {
        uploads: Uploads::default(),
        recent: crate::logs::RecentLog::default(),
        config: config_in(state.path()),
        journal: journal.clone(),
        identity,
        cloud_offset: CloudOffset::default(),
        ambient: Ambient::system(),
        stale: HashSet::new(),
        is_tail_doubtful: false,
    };
    house.start(&mut supervisor, fresh, watch::channel(TunnelState::default()).1);
    let stop = supervisor.soft();
    let mut running = tokio::spawn(supervisor.run(|_| {}));
    let ended = tokio::time::timeout(Duration::from_millis(500), &mut running).await;
    assert!(ended.is_err(), "it ended by itself: {ended:?}");
    stop.cancel();
    assert_eq!(running.await.unwrap(), Ok(()));
    journal.close().await.unwrap();
}

#[tokio::test]
async fn the_status_is_told_while_the_journal_is_broken() {
    let state = tempfile::tempdir().unwrap();
    let (journal, _) = journal(state.path());
    let (_identities, identity) = watch::channel(identity(state.path()));
    let server = StatusServer {
        path: super::status::socket_path(state.path()),
        journal: journal.clone(),
        identity,
        tunnel: watch::channel(TunnelState::default()).1,
        devices: watch::channel(Vec::new()).1,
        began: tokio::time::Instant::now(),
    };
    let well = server.status().await;
    assert_eq!((well.journal["up_last"].as_u64(), well.journal_error), (Some(0), None));
    journal.close().await.unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(server.run(stop.clone()));
    let status = loop {
        match super::status::ask(state.path()).await {
            Ok(status) => break status,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert!(status.journal.is_null());
    assert!(status.journal_error.unwrap().contains("stopped"));
    stop.cancel();
}
