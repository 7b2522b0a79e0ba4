//! The router on a real journal in a temporary folder.

use std::sync::Arc;

use fournil_protocol::command::{Body, Cancel, Command, OpenDrawer, Policy, ReadStatus};
use fournil_protocol::event::{Body as EventBody, CommandReport, CommandState, DeviceKind, Event};
use prost::Message;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::begun::Begun;
use super::route::Seat;
use super::router::{Attach, Router};
use crate::journal::{Journal, JournalConfig, TimeSource};
use crate::seam::{self, Job, Recorder};
use crate::tunnel::ambient::Ambient;

const DOWN_EPOCH: u64 = 3;

struct Shop {
    journal: Journal,
    recorder: Recorder,
    fresh: mpsc::Sender<Job>,
    attach: mpsc::Sender<Attach>,
    status: mpsc::Receiver<Uuid>,
    stop: CancellationToken,
    next_seq: u64,
    _folder: tempfile::TempDir,
}

fn shop() -> Shop {
    let folder = tempfile::tempdir().unwrap();
    let time = TimeSource::new([1; 16], || (1_000_000, 0));
    let (journal, _) =
        Journal::open(&folder.path().join("journal"), JournalConfig::default(), time).unwrap();
    let (recorder, requests) = seam::recorder();
    let begun = Begun::default();
    let (served, between) = begun.stand_between(requests);
    tokio::spawn(between);
    let serving = journal.clone();
    tokio::spawn(async move { serving.serve(served).await });
    let (fresh, fresh_in) = mpsc::channel(8);
    let (attach, attached) = mpsc::channel(8);
    let (ask, status) = mpsc::channel(1);
    let seats = vec![Seat { name: "caisse".into(), kind: DeviceKind::Printer, jobs: None }];
    let ambient = Ambient { wall_ms: || 1_000_000, random: || 0 };
    let router = Router::new(journal.clone(), begun, seats, ambient, Arc::default(), ask);
    let stop = CancellationToken::new();
    tokio::spawn(router.run(fresh_in, attached, stop.clone()));
    Shop { journal, recorder, fresh, attach, status, stop, next_seq: 1, _folder: folder }
}

impl Shop {
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

    async fn attach(&self, room: usize) -> mpsc::Receiver<Job> {
        let (jobs, taken) = mpsc::channel(room);
        self.attach.send(Attach { device: "caisse".into(), jobs }).await.unwrap();
        taken
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
    let ids = [shop.drawer().await, shop.drawer().await, shop.drawer().await];
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
async fn a_device_part_that_fell_learns_which_attempt_had_begun() {
    let mut shop = shop();
    let mut jobs = shop.attach(8).await;
    let (begun, waiting) = (shop.drawer().await, shop.drawer().await);
    for _ in 0..2 {
        jobs.recv().await.unwrap();
    }
    shop.recorder.begin(begun, 1, "caisse").await.unwrap();
    drop(jobs);
    let mut jobs = shop.attach(8).await;
    let first = jobs.recv().await.unwrap();
    let second = jobs.recv().await.unwrap();
    assert_eq!((first.id, first.interrupted_attempt), (begun, Some(1)));
    assert_eq!((second.id, second.interrupted_attempt), (waiting, None));
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
