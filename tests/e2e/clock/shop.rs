//! The clock's part of the daemon with a journal in memory around it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fournil_gateway::clock::{ClockConfig, ClockPart, PunchStore, Surroundings};
use fournil_gateway::seam::{CloudOffset, Job, RecordError, Recorder, Request, recorder};
use fournil_protocol::command::{Body as CommandBody, Command, ReadClock};
use fournil_protocol::event::{
    Body, ClockOperation, ClockState, ClockUsers, CommandReport, CommandState, DeviceHealth,
    Notice, Punch, PunchSource,
};
use fournil_tests::clock_sim::ClockSim;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::brisk;

pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A journal in memory: keeps what it is told and can be made to refuse.
pub(super) struct Journal {
    recorder: Recorder,
    pub(super) punches: mpsc::UnboundedReceiver<Punch>,
    pub(super) notices: mpsc::UnboundedReceiver<Notice>,
    reports: mpsc::UnboundedReceiver<(CommandState, CommandReport)>,
    pub(super) is_full: watch::Sender<bool>,
    /// Facts that the cloud has not confirmed.
    pub(super) unconfirmed: watch::Sender<u64>,
    pub(super) state: watch::Receiver<ClockState>,
    pub(super) users: mpsc::UnboundedReceiver<ClockUsers>,
    pub(super) operations: mpsc::UnboundedReceiver<ClockOperation>,
}

fn journal() -> Journal {
    let (recorder, mut requests) = recorder();
    let (punch_to, punches) = mpsc::unbounded_channel();
    let (notice_to, notices) = mpsc::unbounded_channel();
    let (report_to, reports) = mpsc::unbounded_channel();
    let (is_full, fullness) = watch::channel(false);
    let (unconfirmed_to, unconfirmed) = watch::channel(0);
    let (state_to, state) = watch::channel(ClockState::default());
    let (users_to, users) = mpsc::unbounded_channel();
    let (operation_to, operations) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            let answer =
                if *fullness.borrow() { Err(RecordError::Full("test".to_owned())) } else { Ok(()) };
            let done = match request {
                Request::Record { bodies, done } => {
                    for body in bodies.into_iter().filter(|_| answer.is_ok()) {
                        match body {
                            Body::Punch(punch) => drop(punch_to.send(punch)),
                            Body::Notice(notice) => drop(notice_to.send(notice)),
                            Body::ClockState(state) => drop(state_to.send_replace(state)),
                            Body::ClockUsers(users) => drop(users_to.send(users)),
                            Body::ClockOperation(line) => drop(operation_to.send(line)),
                            other => panic!("{other:?}"),
                        }
                    }
                    done
                }
                Request::Begin { command_id, attempt, device, done } => {
                    let command_id = command_id.as_bytes().to_vec();
                    let state = CommandState::Started;
                    let report =
                        CommandReport { command_id, attempt, device, ..Default::default() };
                    let _ = report_to.send((state, report));
                    done
                }
                Request::Report { report, done } => {
                    let _ = report_to.send((report.state(), report));
                    done
                }
                Request::Confirmed { done } => {
                    let open = *unconfirmed.borrow();
                    let _ = done.send(match (answer, open) {
                        (Ok(()), 1..) => Err(RecordError::Unconfirmed(open)),
                        (answer, _) => answer,
                    });
                    continue;
                }
            };
            let _ = done.send(answer);
        }
    });
    let unconfirmed = unconfirmed_to;
    Journal { recorder, punches, notices, reports, is_full, unconfirmed, state, users, operations }
}

/// A running part with everything around it.
pub(super) struct Shop {
    pub(super) journal: Journal,
    jobs: mpsc::Sender<Job>,
    pub(super) health: watch::Receiver<DeviceHealth>,
    pub(super) part: tokio::task::JoinHandle<()>,
    pub(super) stop: CancellationToken,
    _guard: DropGuard,
}

pub(super) fn config(sim: &ClockSim) -> ClockConfig {
    let mut config = ClockConfig::new("pointeuse", &sim.addr().to_string());
    config.poll_interval_s = 3600;
    config
}

pub(super) fn open_shop(config: ClockConfig) -> Shop {
    open_shop_with(config, None)
}

pub(super) fn open_shop_with(config: ClockConfig, store: Option<PunchStore>) -> Shop {
    open_shop_in(
        config,
        Surroundings { store, cloud_offset: CloudOffset::known(0), ..Surroundings::default() },
    )
}

pub(super) fn open_shop_in(config: ClockConfig, around: Surroundings) -> Shop {
    let journal = journal();
    let (jobs, taken) = mpsc::channel(8);
    let (health_to, health) = watch::channel(DeviceHealth::default());
    let stop = CancellationToken::new();
    let recorder = journal.recorder.clone();
    let until = stop.clone();
    let part = tokio::spawn(async move {
        ClockPart::run_with(config, brisk(), recorder, taken, health_to, around, until)
            .await
            .unwrap();
    });
    Shop { journal, jobs, health, part, _guard: stop.clone().drop_guard(), stop }
}

/// A store whose journal remembers nothing: all that is known comes from the index.
pub(super) fn store(folder: &Path) -> PunchStore {
    PunchStore {
        folder: folder.to_owned(),
        generation: Arc::new(|| 1),
        recall: Arc::new(|_, _| Ok(())),
        is_tail_doubtful: false,
    }
}

impl Shop {
    /// A first punch, which the log has to confirm before events are believed.
    pub(super) async fn prove_live(&mut self, sim: &ClockSim) {
        sim.punch("1", 0).unwrap();
        assert_eq!(self.punch().await.source(), PunchSource::Poll);
    }

    pub(super) async fn punch(&mut self) -> Punch {
        timeout(PATIENCE, self.journal.punches.recv()).await.expect("a punch").unwrap()
    }

    pub(super) async fn punches(&mut self, count: usize) -> Vec<Punch> {
        let mut punches = Vec::new();
        while punches.len() < count {
            punches.push(self.punch().await);
        }
        punches
    }

    pub(super) async fn code(&mut self, code: &str) -> DeviceHealth {
        let found = timeout(PATIENCE, self.health.wait_for(|health| health.code == code)).await;
        let found = found.map(|health| health.unwrap().clone());
        found.unwrap_or_else(|_| panic!("{code} expected, {:?} found", self.health.borrow()))
    }

    pub(super) async fn read_now(&mut self) -> CommandReport {
        let command =
            Command { body: Some(CommandBody::ReadClock(ReadClock::default())), ..default() };
        self.run(command).await
    }

    /// Asks again until the clock was read.
    pub(super) async fn read_until_done(&mut self) {
        while self.read_now().await.state() != CommandState::Done {}
    }

    /// Sends a command and waits for its end; a reading must have begun first.
    pub(super) async fn run(&mut self, command: Command) -> CommandReport {
        let is_begun = matches!(
            command.body,
            Some(
                CommandBody::ReadClock(_)
                    | CommandBody::SetClockTime(_)
                    | CommandBody::WriteClockUsers(_)
            )
        );
        let id = Uuid::now_v7();
        self.jobs.send(Job { id, command, interrupted_attempt: Some(1) }).await.unwrap();
        let mut states = Vec::new();
        loop {
            let next = timeout(PATIENCE, self.journal.reports.recv()).await;
            let (state, report) = next.expect("a report").unwrap();
            assert_eq!((report.command_id.as_slice(), report.attempt), (&id.as_bytes()[..], 2));
            states.push(state);
            if state != CommandState::Started {
                assert_eq!(states[0] == CommandState::Started, is_begun);
                return report;
            }
        }
    }

    /// As [`Shop::run`] for what may happen once at most: nothing was begun before.
    pub(super) async fn run_once(&mut self, command: Command) -> CommandReport {
        self.end_of(command, None).await
    }

    /// As [`Shop::run_once`] for what had begun when the daemon stopped.
    pub(super) async fn run_interrupted(&mut self, command: Command) -> CommandReport {
        self.end_of(command, Some(1)).await
    }

    async fn end_of(&mut self, command: Command, interrupted: Option<u32>) -> CommandReport {
        let id = Uuid::now_v7();
        self.jobs.send(Job { id, command, interrupted_attempt: interrupted }).await.unwrap();
        loop {
            let next = timeout(PATIENCE, self.journal.reports.recv()).await;
            let (state, report) = next.expect("a report").unwrap();
            if state != CommandState::Started {
                return report;
            }
        }
    }

    pub(super) fn assert_quiet(&mut self) {
        let more = self.journal.punches.try_recv();
        assert!(more.is_err(), "{more:?}");
    }
}

pub(super) fn default<T: Default>() -> T {
    T::default()
}
