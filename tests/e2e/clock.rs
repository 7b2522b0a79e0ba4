//! Our client and our poller against the simulated clock: every layout, every way of
//! delivery, every fault.

use std::net::SocketAddr;
use std::time::Duration;

use fournil_gateway::clock::layout::AttendanceLayout;
use fournil_gateway::clock::{
    ClientError, ClockConfig, ClockPart, CommKey, DumpOptions, Target, Timeouts, read_device,
    read_dump,
};
use fournil_gateway::seam::{Job, RecordError, Recorder, Request, recorder};
use fournil_protocol::command::{Body as CommandBody, Command, OpenDrawer, ReadClock};
use fournil_protocol::event::{
    Body, CommandReport, CommandState, DeviceHealth, DeviceKind, Notice, Punch, PunchSource,
};
use fournil_tests::clock_sim::{ClockSim, Fault, FaultSpec, Profile, PunchError, SimPunch};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(20);
const LAYOUTS: [&str; 5] = ["40", "49", "16", "8a", "8b"];

fn layout(name: &str) -> AttendanceLayout {
    name.parse().unwrap()
}

fn brisk() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(1),
        progress: Duration::from_millis(400),
        table: Duration::from_secs(20),
    }
}

fn options(addr: SocketAddr, comm_key: u32) -> DumpOptions {
    DumpOptions {
        target: Target { host: addr.ip().to_string(), port: addr.port() },
        comm_key: CommKey::new(comm_key),
        zone: chrono_tz::Tz::Africa__Algiers,
        layout: None,
        timeouts: brisk(),
    }
}

/// What `clock dump --json` prints.
pub(crate) async fn dump(addr: SocketAddr, comm_key: u32) -> Value {
    let dump = read_dump(&options(addr, comm_key), 50, chrono::Utc::now()).await.unwrap();
    serde_json::to_value(dump).unwrap()
}

fn identity(punch: &SimPunch) -> (String, String, u64, u64) {
    (punch.user_id.clone(), punch.local_time(), punch.state.into(), punch.verify.into())
}

fn assert_same(dump: &Value, sim: &ClockSim, what: &str) {
    let read = dump["punches"].as_array().unwrap().iter().map(|punch| {
        let text = |key: &str| punch[key].as_str().unwrap().to_owned();
        let number = |key: &str| punch[key].as_u64().unwrap();
        (text("user_id"), text("time")[..19].to_owned(), number("state"), number("verify"))
    });
    let read: Vec<_> = read.collect();
    let held: Vec<_> = sim.punches().iter().map(identity).collect();
    assert_eq!(read, held, "{what}");
    assert_eq!(dump["users"].as_array().unwrap().len(), sim.users().len(), "{what}");
}

#[tokio::test]
async fn every_layout_is_read_whole_however_it_is_delivered() {
    let deliveries = [
        Vec::new(),
        vec![Fault::Burst],
        vec![Fault::Coalesced],
        vec![Fault::Dribble],
        vec![Fault::EventBetween],
        vec![Fault::StaleReply],
        vec![Fault::SizeLarger],
        vec![Fault::Direct],
        vec![Fault::ShortPrepare],
        vec![Fault::NoBuffer],
        vec![Fault::CountLow],
        vec![Fault::CountZero],
        vec![Fault::Dribble, Fault::StaleReply, Fault::EventBetween, Fault::SizeLarger],
    ];
    for name in LAYOUTS {
        for faults in &deliveries {
            for packet_bytes in [1008, 65_536] {
                let profile = Profile {
                    layout: layout(name),
                    punches: 211,
                    packet_bytes,
                    faults: faults.iter().map(|fault| FaultSpec::from(*fault)).collect(),
                    pace: Duration::ZERO,
                    ..Profile::default()
                };
                let sim = ClockSim::start(profile).await.unwrap();
                let what = format!("layout {name}, {faults:?}, packets of {packet_bytes}");
                let dump = dump(sim.addr(), 0).await;
                assert_same(&dump, &sim, &what);
                assert_eq!(dump["device"]["layout"], name, "{what}");
                assert_eq!(sim.counters().destructive, 0, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_log_of_several_chunks_is_joined_across_their_borders() {
    let profile = Profile { punches: 5000, packet_bytes: 4096, ..Profile::default() };
    let faults = vec![FaultSpec::from(Fault::Burst)];
    let sim = ClockSim::start(Profile { faults, ..profile }).await.unwrap();
    assert_same(&dump(sim.addr(), 0).await, &sim, "200,004 bytes in four chunks");
}

#[tokio::test]
async fn an_impossible_date_is_kept_and_flagged() {
    let faults = vec![Fault::ImpossibleDate.into()];
    let sim = ClockSim::start(Profile { faults, ..Profile::default() }).await.unwrap();
    let dump = dump(sim.addr(), 0).await;
    assert_same(&dump, &sim, "30 February");
    let first = &dump["punches"][0];
    assert_eq!(first["time"], format!("{}", sim.punches()[0].local_time()), "without an offset");
    assert_eq!(first["anomalies"][0], "impossible-date");
    let second = dump["punches"][1]["time"].as_str().unwrap();
    assert!(second.ends_with("+01:00"), "{second}");
}

#[tokio::test]
async fn a_table_left_behind_by_a_dead_reader_is_not_taken_for_ours() {
    let faults = vec!["cut=1".parse().unwrap()];
    let sim = ClockSim::start(Profile { faults, punches: 300, ..Profile::default() }).await;
    let sim = sim.unwrap();
    let cut = read_dump(&options(sim.addr(), 0), 50, chrono::Utc::now()).await;
    assert!(matches!(cut, Err(ClientError::Ended { .. })), "{cut:?}");
    assert_same(&dump(sim.addr(), 0).await, &sim, "after a cut");
}

#[tokio::test]
async fn a_wrong_comm_key_and_a_silent_clock_are_told_apart() {
    let profile = Profile { comm_key: 42, ..Profile::default() };
    let sim = ClockSim::start(profile).await.unwrap();
    let now = chrono::Utc::now();
    let wrong = read_device(&options(sim.addr(), 43), 50, now).await.unwrap_err();
    assert!(matches!(wrong, ClientError::KeyRefused { .. }), "{wrong}");
    assert!(read_device(&options(sim.addr(), 42), 50, now).await.is_ok());
    sim.set_faults(&[Fault::Silent.into()]);
    let silent = read_device(&options(sim.addr(), 42), 50, now).await.unwrap_err();
    assert!(matches!(silent, ClientError::Busy { .. }), "{silent}");
    let addr = sim.addr();
    sim.stop().await;
    let gone = read_device(&options(addr, 42), 50, now).await.unwrap_err();
    assert!(matches!(gone, ClientError::Unreachable { .. }), "{gone}");
}

#[tokio::test]
async fn frames_with_wrong_checksums_end_the_session() {
    let faults = vec![Fault::BadChecksum.into()];
    let sim = ClockSim::start(Profile { faults, ..Profile::default() }).await.unwrap();
    let end = read_device(&options(sim.addr(), 0), 50, chrono::Utc::now()).await.unwrap_err();
    assert!(matches!(end, ClientError::NotAClock { .. }), "{end}");
}

#[tokio::test]
async fn an_unreadable_log_is_shown_raw_and_not_guessed_at() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut options = options(sim.addr(), 0);
    options.layout = Some(layout("64"));
    let dump = read_dump(&options, 50, chrono::Utc::now()).await.unwrap();
    assert!(dump.punches.is_empty());
    assert!(dump.warnings[0].contains("--layout"), "{:?}", dump.warnings);
}

/// A journal in memory: keeps what it is told and can be made to refuse.
struct Journal {
    recorder: Recorder,
    punches: mpsc::UnboundedReceiver<Punch>,
    notices: mpsc::UnboundedReceiver<Notice>,
    reports: mpsc::UnboundedReceiver<(CommandState, CommandReport)>,
    is_full: watch::Sender<bool>,
}

fn journal() -> Journal {
    let (recorder, mut requests) = recorder();
    let (punch_to, punches) = mpsc::unbounded_channel();
    let (notice_to, notices) = mpsc::unbounded_channel();
    let (report_to, reports) = mpsc::unbounded_channel();
    let (is_full, fullness) = watch::channel(false);
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
            };
            let _ = done.send(answer);
        }
    });
    Journal { recorder, punches, notices, reports, is_full }
}

/// A running part with everything around it.
struct Shop {
    journal: Journal,
    jobs: mpsc::Sender<Job>,
    health: watch::Receiver<DeviceHealth>,
    part: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
    _guard: DropGuard,
}

fn config(sim: &ClockSim) -> ClockConfig {
    let mut config = ClockConfig::new("pointeuse", &sim.addr().to_string());
    config.poll_interval_s = 3600;
    config
}

fn open_shop(config: ClockConfig) -> Shop {
    let journal = journal();
    let (jobs, taken) = mpsc::channel(8);
    let (health_to, health) = watch::channel(DeviceHealth::default());
    let stop = CancellationToken::new();
    let recorder = journal.recorder.clone();
    let until = stop.clone();
    let part = tokio::spawn(async move {
        ClockPart::run_with(config, brisk(), recorder, taken, health_to, until).await.unwrap();
    });
    Shop { journal, jobs, health, part, _guard: stop.clone().drop_guard(), stop }
}

impl Shop {
    async fn punch(&mut self) -> Punch {
        timeout(PATIENCE, self.journal.punches.recv()).await.expect("a punch").unwrap()
    }

    async fn punches(&mut self, count: usize) -> Vec<Punch> {
        let mut punches = Vec::new();
        while punches.len() < count {
            punches.push(self.punch().await);
        }
        punches
    }

    async fn code(&mut self, code: &str) -> DeviceHealth {
        let found = timeout(PATIENCE, self.health.wait_for(|health| health.code == code)).await;
        let found = found.map(|health| health.unwrap().clone());
        found.unwrap_or_else(|_| panic!("{code} expected, {:?} found", self.health.borrow()))
    }

    async fn read_now(&mut self) -> CommandReport {
        let command = Command { body: Some(CommandBody::ReadClock(ReadClock {})), ..default() };
        self.run(command).await
    }

    /// Sends a command and waits for its end; a reading must have begun first.
    async fn run(&mut self, command: Command) -> CommandReport {
        let is_reading = matches!(command.body, Some(CommandBody::ReadClock(_)));
        let id = Uuid::now_v7();
        self.jobs.send(Job { id, command, interrupted_attempt: Some(1) }).await.unwrap();
        let mut states = Vec::new();
        loop {
            let next = timeout(PATIENCE, self.journal.reports.recv()).await;
            let (state, report) = next.expect("a report").unwrap();
            assert_eq!((report.command_id.as_slice(), report.attempt), (&id.as_bytes()[..], 2));
            states.push(state);
            if state != CommandState::Started {
                assert_eq!(states[0] == CommandState::Started, is_reading);
                return report;
            }
        }
    }

    fn assert_quiet(&mut self) {
        let more = self.journal.punches.try_recv();
        assert!(more.is_err(), "{more:?}");
    }
}

fn default<T: Default>() -> T {
    T::default()
}

#[tokio::test]
async fn the_log_is_recorded_at_once_and_only_once() {
    let sim = ClockSim::start(Profile { comm_key: 7, ..Profile::default() }).await.unwrap();
    let mut config = config(&sim);
    config.comm_key = CommKey::new(7);
    let mut shop = open_shop(config);
    let punches = shop.punches(60).await;
    let read: Vec<_> = punches
        .iter()
        .map(|punch| (punch.user_id.clone(), punch.local_time.clone(), u64::from(punch.state)))
        .collect();
    let held: Vec<_> = sim.punches().iter().map(identity).map(|(a, b, c, _)| (a, b, c)).collect();
    assert_eq!(read, held);
    assert!(punches.iter().all(|punch| punch.source == i32::from(PunchSource::Poll)));
    assert!(punches.iter().all(|punch| punch.instant_ms.is_some() && punch.raw.len() == 40));
    let report = shop.read_now().await;
    assert_eq!((report.state(), report.detail.as_str()), (CommandState::Done, "0 new punches"));
    shop.assert_quiet();
    let health = shop.code("ok").await;
    assert_eq!((health.kind(), health.records), (DeviceKind::Clock, 60));
    assert_eq!(health.serial, sim.serial());
    assert!(health.drift_ms.unwrap().abs() < 5000, "{health:?}");
}

#[tokio::test]
async fn a_live_punch_arrives_within_milliseconds_and_is_acknowledged_after() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    shop.code("ok").await;
    let begun = std::time::Instant::now();
    let held = sim.punch("3", 1).unwrap();
    let punch = shop.punch().await;
    let waited = begun.elapsed();
    assert!(waited < Duration::from_millis(250), "{waited:?}");
    assert_eq!((punch.user_id.as_str(), punch.local_time.clone()), ("3", held.local_time()));
    assert_eq!((punch.source(), punch.occurrence), (PunchSource::Live, 0));
    timeout(PATIENCE, sim.until(|counters| counters.event_acks == 1)).await.unwrap();
    // The log has it too, and it is the same punch.
    assert_eq!(shop.read_now().await.detail, "0 new punches");
    shop.assert_quiet();
}

#[tokio::test]
async fn two_equal_punches_in_one_second_are_two_punches() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    shop.code("ok").await;
    let held = sim.punch("2", 0).unwrap();
    sim.add_punch(held).unwrap();
    let both = shop.punches(2).await;
    assert_eq!(both.iter().map(|punch| punch.occurrence).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(both[1].source(), PunchSource::Poll, "the log told");
    assert_eq!(shop.read_now().await.detail, "0 new punches");
}

#[tokio::test]
async fn a_punch_while_the_log_is_read_is_recorded_at_once_and_once() {
    let profile = Profile { punches: 3000, packet_bytes: 1008, ..Profile::default() };
    let sim = ClockSim::start(profile).await.unwrap();
    let mut shop = open_shop(config(&sim));
    // Two tables: the users and the log; the log takes a good half second from here.
    timeout(PATIENCE, sim.until(|counters| counters.tables == 2)).await.unwrap();
    sim.set_faults(&[Fault::EventBetween.into()]);
    sim.punch("4", 0).unwrap();
    let punches = shop.punches(3001).await;
    let live: Vec<_> = punches.iter().filter(|punch| punch.source() == PunchSource::Live).collect();
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].user_id, "4");
    sim.set_faults(&[]);
    assert_eq!(shop.read_now().await.detail, "0 new punches");
    shop.assert_quiet();
}

#[tokio::test]
async fn punches_made_while_nobody_listened_are_found_in_the_log() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut config = config(&sim);
    config.live = false;
    let mut shop = open_shop(config);
    shop.punches(60).await;
    timeout(PATIENCE, sim.until(|counters| counters.exits == 1)).await.unwrap();
    sim.punch("1", 0).unwrap();
    sim.punch("5", 0).unwrap();
    assert_eq!(shop.read_now().await.detail, "2 new punches");
    assert_eq!(shop.punches(2).await[1].user_id, "5");
    assert_eq!(sim.counters().events_sent, 0);
    assert_eq!(sim.counters().enables % 2, 0, "unlocked on coming and on going");
}

#[tokio::test]
async fn a_cut_in_the_middle_of_the_log_is_repaired_by_itself() {
    let faults = vec!["cut=2".parse().unwrap()];
    let profile = Profile { punches: 400, faults, ..Profile::default() };
    let sim = ClockSim::start(profile).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(400).await;
    assert!(sim.counters().connections >= 3);
    assert_eq!(shop.read_now().await.detail, "0 new punches");
    shop.assert_quiet();
}

#[tokio::test]
async fn a_clock_that_comes_back_on_the_same_address_is_taken_up_again() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    shop.code("ok").await;
    let listen = sim.addr();
    sim.stop().await;
    shop.code("unreachable").await;
    let sim = ClockSim::start(Profile { listen, punches: 62, ..Profile::default() }).await;
    let sim = sim.unwrap();
    shop.code("ok").await;
    assert_eq!(shop.read_now().await.detail, "0 new punches");
    sim.punch("6", 1).unwrap();
    let last = loop {
        let punch = shop.punch().await;
        if punch.source() == PunchSource::Live {
            break punch;
        }
    };
    assert_eq!(last.user_id, "6");
}

#[tokio::test]
async fn a_journal_that_cannot_write_loses_nothing() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.punches(60).await;
    shop.code("ok").await;
    shop.journal.is_full.send(true).unwrap();
    let acks = sim.counters().event_acks;
    sim.punch("1", 0).unwrap();
    timeout(PATIENCE, sim.until(|counters| counters.events_sent == 1)).await.unwrap();
    // The unrecorded event starts a reading; that one cannot be recorded either, and
    // the session is given up and taken up again.
    timeout(PATIENCE, sim.until(|counters| counters.connections >= 2)).await.unwrap();
    shop.assert_quiet();
    assert_eq!(sim.counters().event_acks, acks, "not acknowledged, because not recorded");
    shop.journal.is_full.send(false).unwrap();
    assert_eq!(shop.punch().await.user_id, "1");
}

#[tokio::test]
async fn what_is_wrong_is_said_in_one_word_with_a_remedy() {
    let sim = ClockSim::start(Profile { comm_key: 7, ..Profile::default() }).await.unwrap();
    let mut shop = open_shop(config(&sim));
    let health = shop.code("comm-key-refused").await;
    assert!(health.detail.contains("comm_key"), "{}", health.detail);
    let report = shop.read_now().await;
    assert_eq!(report.state(), CommandState::Failed);
    assert_eq!(report.reason, "comm-key-refused");
    shop.assert_quiet();

    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut config = config(&sim);
    config.expected_serial = Some("OTHER".to_owned());
    let mut shop = open_shop(config.clone());
    assert!(shop.code("serial-mismatch").await.detail.contains("OTHER"));
    shop.assert_quiet();

    sim.set_faults(&[Fault::Silent.into()]);
    let mut shop = open_shop(config);
    assert!(shop.code("busy").await.detail.contains("stop other software"));
}

#[tokio::test]
async fn an_ambiguous_log_raises_an_alarm_and_invents_nothing() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut config = config(&sim);
    config.layout = Some("64".to_owned());
    let mut shop = open_shop(config);
    let health = shop.code("layout-ambiguous").await;
    assert!(health.detail.contains("clock dump"), "{}", health.detail);
    let notice = timeout(PATIENCE, shop.journal.notices.recv()).await.unwrap().unwrap();
    assert_eq!(notice.code, "clock-layout-ambiguous");
    shop.assert_quiet();
}

#[tokio::test]
async fn a_command_of_another_device_is_unsupported() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.code("ok").await;
    let drawer =
        Command { body: Some(CommandBody::OpenDrawer(OpenDrawer { pin: 2 })), ..default() };
    assert_eq!(shop.run(drawer).await.state(), CommandState::Unsupported);
}

#[tokio::test]
async fn stopping_unlocks_the_clock_and_leaves_it() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut config = config(&sim);
    config.lock_while_reading = true;
    let mut shop = open_shop(config);
    shop.code("ok").await;
    shop.stop.cancel();
    timeout(PATIENCE, &mut shop.part).await.unwrap().unwrap();
    let counters = sim.counters();
    assert_eq!((counters.exits, counters.disables), (1, 1));
    assert!(sim.punch("1", 0).is_ok(), "the keypad is unlocked");
    assert_eq!(counters.destructive, 0);
}

#[tokio::test]
async fn the_simulated_clock_serves_one_session_and_refuses_punches_while_locked() {
    let sim = ClockSim::start(Profile::default()).await.unwrap();
    let mut shop = open_shop(config(&sim));
    shop.code("ok").await;
    let second = read_device(&options(sim.addr(), 0), 50, chrono::Utc::now()).await.unwrap_err();
    assert!(matches!(second, ClientError::Busy { .. }), "{second}");
    assert_eq!(sim.counters().refused_sessions, 1);
    assert_eq!(sim.punch("99", 0), Err(PunchError::UnknownUser("99".to_owned())));
}

#[tokio::test]
async fn the_simulated_clock_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let state = Some(folder.path().join("clock.json"));
    let profile = Profile { state, ..Profile::default() };
    let sim = ClockSim::start(profile.clone()).await.unwrap();
    sim.punch("2", 1).unwrap();
    let held = sim.punches();
    sim.stop().await;
    let sim = ClockSim::start(profile).await.unwrap();
    assert_eq!(sim.punches(), held);
    assert_eq!(held.len(), 61);
}
