//! The session against a cloud that speaks frame by frame over a pipe, on paused time.

mod bulk;
mod cut;
mod liveness;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fournil_protocol::command::{Body, Command, OpenDrawer, Policy};
use fournil_protocol::event::Event;
use fournil_protocol::frame::{Ack, Commands, Ping, Pong};
use fournil_protocol::hello::{Challenge, DownHead, Hello, UpHead, Welcome, signed_bytes};
use prost::Message as _;
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::protocol::Role;
use uuid::Uuid;

use super::*;
use crate::journal::{AcceptError, Accepted, EventRun, UpError, UpMark};
use crate::seam::RecordError;
use crate::tunnel::identity::{Enrolled, PendingKey};

const EPOCH: u64 = 77;
const DOWN_EPOCH: u64 = 88;
const NOW_MS: i64 = 1_795_000_000_000;
const HEARTBEAT_MS: u32 = 12_000;

/// Both logs in memory. `full` makes commands unrecordable, `fsync` delays them.
#[derive(Clone)]
struct MemoryLog(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: watch::Sender<UpMark>,
    full: AtomicBool,
    /// The last command there is room for; the rest of a run is refused.
    room_to: AtomicU64,
    fsync: Duration,
}

#[derive(Default)]
struct State {
    events: Vec<Vec<u8>>,
    acked: u64,
    first_kept: u64,
    renewed_from: Option<u64>,
    down: DownHead,
    commands: BTreeMap<u64, Command>,
    offset_ms: Option<i64>,
}

impl MemoryLog {
    fn with_events(count: u64) -> Self {
        let log = Self(Arc::new(Inner {
            state: Mutex::default(),
            changed: watch::channel(UpMark { epoch: EPOCH, last: 0 }).0,
            full: AtomicBool::new(false),
            room_to: AtomicU64::new(u64::MAX),
            fsync: Duration::from_millis(3),
        }));
        log.append(count);
        log
    }

    fn append(&self, count: u64) {
        let mut state = self.0.state.lock().unwrap();
        for _ in 0..count {
            let seq = state.events.len() as u64 + 1;
            let event = Event { seq, recorded: None, body: None };
            state.events.push(event.encode_to_vec());
        }
        self.0.changed.send_replace(UpMark { epoch: EPOCH, last: state.events.len() as u64 });
    }

    fn acked(&self) -> u64 {
        self.0.state.lock().unwrap().acked
    }

    fn commands(&self) -> Vec<u64> {
        self.0.state.lock().unwrap().commands.keys().copied().collect()
    }
}

impl Log for MemoryLog {
    async fn heads(&self) -> Result<(UpHead, DownHead), RecordError> {
        let state = self.0.state.lock().unwrap();
        let up = UpHead {
            epoch: EPOCH,
            first_kept: state.first_kept.max(1),
            last: state.events.len() as u64,
            head_hash: Vec::new(),
            acked: state.acked,
        };
        Ok((up, state.down))
    }

    async fn resume_up(&self, _epoch: u64, durable: u64) -> Result<(), UpError> {
        let mut state = self.0.state.lock().unwrap();
        let last = state.events.len() as u64;
        if durable > last {
            return Err(UpError::Ahead { last, claimed: durable });
        }
        if durable + 1 < state.first_kept {
            return Err(UpError::Gone { first_kept: state.first_kept });
        }
        state.acked = durable;
        Ok(())
    }

    async fn resume_down(&self, epoch: u64, resume_from: u64) -> Result<(), AcceptError> {
        let mut state = self.0.state.lock().unwrap();
        if state.down.epoch != epoch {
            state.down = DownHead { epoch, durable: resume_from - 1 };
        }
        let expected = state.down.durable + 1;
        if resume_from > expected {
            return Err(AcceptError::Gap { expected, got: resume_from });
        }
        Ok(())
    }

    async fn renew_up_epoch(&self, carry_from: u64) -> Result<(), RecordError> {
        self.0.state.lock().unwrap().renewed_from = Some(carry_from);
        Ok(())
    }

    async fn accept(&self, epoch: u64, commands: Vec<Command>) -> Result<Accepted, AcceptError> {
        tokio::time::sleep(self.0.fsync).await;
        if self.0.full.load(Ordering::Relaxed) {
            return Err(RecordError::Full("no space".into()).into());
        }
        let mut state = self.0.state.lock().unwrap();
        let mut fresh = Vec::new();
        let room_to = self.0.room_to.load(Ordering::Relaxed);
        for command in commands.into_iter().filter(|command| command.seq <= room_to) {
            state.down = DownHead { epoch, durable: command.seq };
            let id = Uuid::from_slice(&command.command_id).unwrap();
            if state.commands.insert(command.seq, command.clone()).is_none() {
                fresh.push(Job { id, command, interrupted_attempt: None });
            }
        }
        Ok(Accepted { down_durable: state.down.durable, fresh })
    }

    async fn ack_up(&self, epoch: u64, seq: u64) -> Result<(), UpError> {
        assert_eq!(epoch, EPOCH);
        self.0.state.lock().unwrap().acked = seq;
        Ok(())
    }

    async fn read_events(
        &self,
        from_seq: u64,
        events_max: usize,
        bytes_max: usize,
    ) -> Result<EventRun, RecordError> {
        let state = self.0.state.lock().unwrap();
        let from = usize::try_from(from_seq - 1).unwrap();
        let mut bytes = 0;
        let fits = |event: &&Vec<u8>| {
            bytes += event.len();
            bytes <= bytes_max || bytes == event.len()
        };
        let from_there = state.events.iter().skip(from).take(events_max);
        let events = from_there.take_while(fits).cloned().collect();
        Ok(EventRun { epoch: EPOCH, first_seq: from_seq, events })
    }

    fn changed(&self) -> watch::Receiver<UpMark> {
        self.0.changed.subscribe()
    }

    fn set_cloud_offset_ms(&self, offset_ms: i64) {
        self.0.state.lock().unwrap().offset_ms = Some(offset_ms);
    }
}

/// The other end, driven by the test.
struct Cloud {
    socket: WebSocketStream<DuplexStream>,
    session: JoinHandle<Ended>,
    jobs: mpsc::Receiver<Job>,
    stop: CancellationToken,
    state: watch::Receiver<TunnelState>,
    offset: CloudOffset,
    public_key: Vec<u8>,
    /// The newest version this cloud speaks.
    version: u32,
    uploads: Uploads,
}

async fn meet(log: &MemoryLog) -> Cloud {
    meet_with(log, Uploads::default()).await
}

async fn meet_with(log: &MemoryLog, uploads: Uploads) -> Cloud {
    let folder = tempfile::tempdir().unwrap();
    let key = PendingKey::take_up(folder.path()).unwrap();
    let enrolled = Enrolled {
        gateway_id: Uuid::from_bytes([7; 16]),
        name: "Caisse".into(),
        company: "Boulangerie".into(),
        url: "https://cloud.example".into(),
        fingerprint: key.fingerprint(),
        ca_pem: None,
    };
    key.adopt(&enrolled).unwrap();
    let identity = Identity::load(folder.path()).unwrap();
    let public_key = identity.public_key().to_vec();
    let (ours, theirs) = tokio::io::duplex(256 * 1024);
    let (jobs_out, jobs) = mpsc::channel(64);
    let (state_out, state) = watch::channel(TunnelState::default());
    let offset = CloudOffset::default();
    let terms = Terms {
        log: log.clone(),
        identity: watch::channel(Arc::new(identity)).1,
        server_name: "cloud.example".into(),
        incarnation: 3,
        boot_id: [9; 16],
        ambient: Ambient { wall_ms: || NOW_MS, random: || 0 },
        jobs: jobs_out,
        cloud_offset: offset.clone(),
        state: state_out,
        pulse: Pulse::new(Duration::from_secs(1)),
        versions: Versions::BUILT,
        uploads: uploads.clone(),
    };
    let stop = CancellationToken::new();
    let config = Some(crate::tunnel::connect::socket_config());
    let client = WebSocketStream::from_raw_socket(Metered::new(ours), Role::Client, config).await;
    let socket = WebSocketStream::from_raw_socket(theirs, Role::Server, config).await;
    let token = stop.clone();
    let session = tokio::spawn(async move { run(client, &terms, &token).await });
    Cloud { socket, session, jobs, stop, state, offset, public_key, version: 1, uploads }
}

impl Cloud {
    async fn say(&mut self, kind: Kind) {
        let bytes = Frame::from(kind).encode_bytes().unwrap();
        self.socket.send(Message::Binary(bytes.into())).await.unwrap();
    }

    /// The next frame that is no heartbeat; `None` when the gateway closed.
    async fn hear(&mut self) -> Option<Kind> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    match Frame::decode_bytes(&bytes).unwrap().kind.unwrap() {
                        Kind::Ping(_) => {}
                        kind => return Some(kind),
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    async fn hello(&mut self) -> Hello {
        let nonce = vec![5; 32];
        let challenge = Challenge {
            nonce: nonce.clone(),
            version_min: 1,
            version_max: self.version,
            server_time_ms: NOW_MS,
        };
        self.say(Kind::Challenge(challenge)).await;
        let Some(Kind::Hello(hello)) = self.hear().await else { panic!("no hello") };
        let signed = signed_bytes(hello.version, "cloud.example", &nonce, &hello.gateway_id);
        let key = &ring::signature::ED25519;
        ring::signature::UnparsedPublicKey::new(key, &self.public_key)
            .verify(&signed, &hello.signature)
            .unwrap();
        hello
    }

    async fn welcome(&mut self, change: impl FnOnce(&mut Welcome)) -> Hello {
        let hello = self.hello().await;
        let mut welcome = Welcome {
            version: hello.version,
            session_generation: 1,
            up_epoch: hello.up.epoch,
            up_durable: hello.up.acked,
            down_epoch: DOWN_EPOCH,
            down_resume_from: hello.down.durable + 1,
            heartbeat_ms: HEARTBEAT_MS,
            server_time_ms: NOW_MS,
            up_window_events: 256,
            up_window_bytes: 262_144,
            mode: 0,
            transfers_max: 0,
        };
        change(&mut welcome);
        self.say(Kind::Welcome(welcome)).await;
        hello
    }

    /// Sequences of the next frame of events.
    async fn events(&mut self) -> Vec<u64> {
        let Some(Kind::Events(events)) = self.hear().await else { panic!("no events") };
        assert_eq!(events.epoch, EPOCH);
        let decode = |bytes: &Vec<u8>| Event::decode(bytes.as_slice()).unwrap().seq;
        events.events.iter().map(decode).collect()
    }

    async fn ack(&mut self, up_durable: u64) {
        self.say(Kind::Ack(Ack { up_durable: Some(up_durable), down_durable: None })).await;
    }

    async fn commands(&mut self, seqs: impl IntoIterator<Item = u64>) {
        let commands = seqs.into_iter().map(command).collect();
        self.say(Kind::Commands(Commands { epoch: DOWN_EPOCH, commands })).await;
    }

    async fn down_ack(&mut self) -> Option<u64> {
        match self.hear().await {
            Some(Kind::Ack(ack)) => ack.down_durable,
            _ => None,
        }
    }

    async fn goodbye(&mut self) -> Option<u32> {
        match self.hear().await {
            Some(Kind::Goodbye(goodbye)) => Some(goodbye.code),
            _ => None,
        }
    }
}

fn command(seq: u64) -> Command {
    Command {
        seq,
        command_id: Uuid::from_u128(u128::from(seq)).as_bytes().to_vec(),
        policy: Policy::AtMostOnce as i32,
        not_after_ms: 0,
        device: String::new(),
        body: Some(Body::OpenDrawer(OpenDrawer { pin: 2 })),
    }
}

#[tokio::test(start_paused = true)]
async fn events_go_up_from_the_first_one_the_cloud_misses() {
    let log = MemoryLog::with_events(10);
    let mut cloud = meet(&log).await;
    let hello = cloud.welcome(|welcome| welcome.up_durable = 4).await;
    assert_eq!((hello.up.last, hello.incarnation), (10, 3));
    assert_eq!(cloud.events().await, [5, 6, 7, 8, 9, 10]);
    cloud.ack(10).await;
    log.append(1);
    assert_eq!(cloud.events().await, [11]);
    cloud.stop.cancel();
    assert_eq!(cloud.goodbye().await, Some(u32::from(close::DRAIN)));
    assert_eq!(cloud.session.await.unwrap().why, End::Stopped);
    assert_eq!(log.acked(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_cloud_restored_from_backup_gets_acknowledged_events_again() {
    let log = MemoryLog::with_events(5);
    log.0.state.lock().unwrap().acked = 5;
    let mut cloud = meet(&log).await;
    cloud.welcome(|welcome| welcome.up_durable = 2).await;
    assert_eq!(cloud.events().await, [3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_has_more_than_was_written_is_refused() {
    let log = MemoryLog::with_events(5);
    let mut cloud = meet(&log).await;
    cloud.welcome(|welcome| welcome.up_durable = 6).await;
    assert_eq!(cloud.goodbye().await, Some(u32::from(close::RESYNC)));
    let ended = cloud.session.await.unwrap();
    assert!(matches!(ended.why, End::Refused { code: close::RESYNC, .. }), "{ended:?}");
    assert_eq!(ended.lasted, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_wants_events_that_are_gone_gets_a_new_log() {
    let log = MemoryLog::with_events(9);
    log.0.state.lock().unwrap().first_kept = 6;
    let mut cloud = meet(&log).await;
    cloud.welcome(|welcome| welcome.up_durable = 2).await;
    assert_eq!(cloud.goodbye().await, Some(u32::from(close::RESYNC)));
    assert_eq!(log.0.state.lock().unwrap().renewed_from, Some(6));
}

#[tokio::test(start_paused = true)]
async fn a_new_up_log_in_the_middle_begins_the_session_again() {
    let log = MemoryLog::with_events(1);
    let mut cloud = meet(&log).await;
    cloud.welcome(|_| {}).await;
    assert_eq!(cloud.events().await, [1]);
    log.0.changed.send_replace(UpMark { epoch: EPOCH + 1, last: 1 });
    assert_eq!(cloud.goodbye().await, Some(u32::from(close::RESYNC)));
}

#[tokio::test(start_paused = true)]
async fn an_ack_beyond_what_was_sent_is_refused() {
    let log = MemoryLog::with_events(2);
    let mut cloud = meet(&log).await;
    cloud.welcome(|_| {}).await;
    assert_eq!(cloud.events().await, [1, 2]);
    cloud.ack(3).await;
    assert_eq!(cloud.goodbye().await, Some(u32::from(close::RESYNC)));
}

#[tokio::test(start_paused = true)]
async fn the_window_stops_events_until_they_are_acknowledged() {
    let log = MemoryLog::with_events(10);
    let mut cloud = meet(&log).await;
    cloud.welcome(|welcome| welcome.up_window_events = 4).await;
    assert_eq!(cloud.events().await, [1, 2, 3, 4]);
    let more = tokio::time::timeout(Duration::from_secs(5), cloud.events()).await;
    assert!(more.is_err(), "the window was overrun: {more:?}");
    cloud.ack(3).await;
    assert_eq!(cloud.events().await, [5, 6, 7]);
}

#[tokio::test(start_paused = true)]
async fn commands_are_acknowledged_and_handed_on_only_once_they_are_recorded() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    cloud.welcome(|_| {}).await;
    log.0.full.store(true, Ordering::Relaxed);
    cloud.commands([1, 2]).await;
    let early = tokio::time::timeout(Duration::from_secs(5), cloud.down_ack()).await;
    assert!(early.is_err(), "acknowledged without a record: {early:?}");
    assert!(cloud.jobs.try_recv().is_err());
    log.0.full.store(false, Ordering::Relaxed);
    assert_eq!(cloud.down_ack().await, Some(2));
    assert_eq!(log.commands(), [1, 2]);
    assert_eq!(cloud.jobs.recv().await.unwrap().command.seq, 1);
    assert_eq!(cloud.jobs.recv().await.unwrap().command.seq, 2);
}

#[tokio::test(start_paused = true)]
async fn what_did_not_fit_of_a_run_is_tried_again_in_the_same_session() {
    let log = MemoryLog::with_events(0);
    log.0.room_to.store(2, Ordering::Relaxed);
    let mut cloud = meet(&log).await;
    cloud.welcome(|_| {}).await;
    cloud.commands([1, 2, 3]).await;
    assert_eq!(cloud.down_ack().await, Some(2));
    cloud.commands([4]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(log.commands(), [1, 2]);
    log.0.room_to.store(u64::MAX, Ordering::Relaxed);
    while log.commands() != [1, 2, 3, 4] {
        assert!(cloud.down_ack().await.is_some(), "the session ended");
    }
    for seq in 1..=4 {
        assert_eq!(cloud.jobs.recv().await.unwrap().command.seq, seq);
    }
}

#[tokio::test(start_paused = true)]
async fn commands_that_are_known_are_passed_over_and_a_gap_is_refused() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    cloud.welcome(|_| {}).await;
    cloud.commands([1, 2]).await;
    assert_eq!(cloud.down_ack().await, Some(2));
    cloud.commands([2, 3]).await;
    assert_eq!(cloud.down_ack().await, Some(3));
    assert_eq!(log.commands(), [1, 2, 3]);
    cloud.commands([5]).await;
    assert_eq!(cloud.goodbye().await, Some(u32::from(close::RESYNC)));
}

#[tokio::test(start_paused = true)]
async fn more_commands_than_the_window_end_the_session() {
    let log = MemoryLog::with_events(0);
    log.0.full.store(true, Ordering::Relaxed);
    let mut cloud = meet(&log).await;
    cloud.welcome(|_| {}).await;
    cloud.commands(1..=32).await;
    cloud.commands([33]).await;
    assert_eq!(cloud.goodbye().await, Some(u32::from(close::MALFORMED)));
}

#[tokio::test(start_paused = true)]
async fn the_clouds_goodbye_is_handed_on_with_its_hint() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    cloud.hello().await;
    let goodbye =
        Goodbye { code: u32::from(close::REVOKED), reason: "revoked".into(), retry_after_ms: 9 };
    cloud.say(Kind::Goodbye(goodbye)).await;
    let ended = cloud.session.await.unwrap();
    let why = End::Goodbye { code: close::REVOKED, reason: "revoked".into(), retry_after_ms: 9 };
    assert_eq!(ended, Ended { why, lasted: Duration::ZERO });
}

#[tokio::test(start_paused = true)]
async fn control_goes_before_waiting_events() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    cloud.welcome(|welcome| welcome.up_window_events = 1).await;
    log.append(3);
    assert_eq!(cloud.events().await, [1]);
    cloud.say(Kind::Ping(Ping { t0_ms: 4 })).await;
    assert!(matches!(cloud.hear().await, Some(Kind::Pong(_))));
    cloud.ack(1).await;
    assert_eq!(cloud.events().await, [2]);
}

#[tokio::test(start_paused = true)]
async fn no_common_version_is_told_and_takes_the_slow_lane() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    let challenge =
        Challenge { nonce: vec![5; 32], version_min: 8, version_max: 9, server_time_ms: 0 };
    cloud.say(Kind::Challenge(challenge)).await;
    assert_eq!(cloud.goodbye().await, Some(u32::from(close::VERSION)));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_frame_ends_the_session() {
    let log = MemoryLog::with_events(0);
    let mut cloud = meet(&log).await;
    cloud.welcome(|_| {}).await;
    cloud.socket.send(Message::Binary(vec![0xff, 0xff, 0xff].into())).await.unwrap();
    assert_eq!(cloud.goodbye().await, Some(u32::from(close::MALFORMED)));
}
