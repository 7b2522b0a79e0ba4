//! A simulated attendance clock that behaves like the real ones, bad habits included.
//!
//! It keeps punches and takes new ones while it runs (a button on its page, a timer, a
//! call), drops frames with wrong checksums without a word, refuses wrong comm keys,
//! serves one session at a time and can misbehave on request. Frames go through the
//! gateway's own codec; clients written by others judge the content, so that an error
//! in that codec cannot hide here.

mod device;
mod fault;
mod link;
mod model;
mod page;
mod push;
mod store;
mod tables;
mod udp;
mod write;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use fournil_gateway::clock::layout::AttendanceLayout;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use device::{Counters, PunchError};
pub use fault::{Fault, FaultSpec};
pub use model::{MODELS, Model};
pub use push::PushTo;
pub use store::{SimPunch, SimUser};
pub use write::SimOperation;

use device::{Build, Device, Visitor};
use fault::Faults;
use link::{Connection, PACE};
use store::Store;

/// News waiting for a slow visitor; one that falls behind reads the log.
const NEWS_MAX: usize = 256;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// `fournil-sim clock`: a simulated ZKTeco clock
///
/// Example: fournil-sim clock --listen 127.0.0.1:4370 --comm-key 1234 --http 127.0.0.1:8081
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Where clients connect
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4370")]
    pub listen: SocketAddr,
    /// Comm key that clients must know; 0 for none
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub comm_key: u32,
    /// People enrolled
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub users: u16,
    /// Punches already in the log
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub punches: usize,
    /// Record layout: 40 to 64, 16, 8a or 8b
    #[arg(long, value_name = "NAME", default_value = "40")]
    pub layout: AttendanceLayout,
    /// Largest data frame in bytes
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    pub packet_size: usize,
    /// Be such a clock (tft40, f19, big, speedface, bw28-8A, zem500-8B, ext16), with its layouts
    #[arg(long, value_name = "NAME", conflicts_with_all = ["layout", "packet_size"])]
    pub profile: Option<Model>,
    /// How fast its own clock runs away, in parts per million
    #[arg(long, value_name = "PPM", default_value_t = 0, allow_negative_numbers = true)]
    pub drift_ppm: i32,
    /// A slow line
    #[arg(long, value_name = "BYTES/S")]
    pub rate: Option<u32>,
    /// Misbehave: burst, coalesced, dribble, cut, event-between, stale-reply, size-larger,
    /// direct, short-prepare, silent, no-buffer, count-zero, count-low, impossible-date,
    /// bad-checksum, stubborn, no-users, no-serial, reboot, battery; over UDP lost, doubled,
    /// overtaking; NAME=N strikes N times only
    #[arg(long = "fault", value_name = "NAME[=N]")]
    pub faults: Vec<FaultSpec>,
    /// Chooses people's cards and past punches
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Serial number
    #[arg(long, value_name = "TEXT", default_value = "SIM0000000001")]
    pub serial: String,
    /// Zone the clock hangs in
    #[arg(long, value_name = "ZONE", default_value = "Africa/Algiers")]
    pub timezone: Tz,
    /// Day of the last past punch; yesterday if left out
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub last_day: Option<NaiveDate>,
    /// Keep users and punches in this file
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Serve a page with a button per person
    #[arg(long, value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// Let somebody punch every so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub punch_every: Option<u64>,
    /// Speak UDP too, on the same port
    #[arg(long)]
    pub udp: bool,
    /// Push punches to the server at this address (http://HOST:PORT), as clocks that push do
    #[arg(long, value_name = "URL")]
    pub push: Option<String>,
    /// Say where it listens as one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// What a simulated clock is to be like.
#[derive(Debug, Clone)]
pub struct Profile {
    pub listen: SocketAddr,
    pub http: Option<SocketAddr>,
    pub comm_key: u32,
    pub users: u16,
    pub punches: usize,
    pub model: Model,
    pub layout: AttendanceLayout,
    pub packet_bytes: usize,
    pub faults: Vec<FaultSpec>,
    pub seed: u64,
    pub serial: String,
    pub zone: Tz,
    /// How fast its own clock runs away, from when it was last set.
    pub drift_ppm: i32,
    /// Of a slow line.
    pub bytes_per_s: Option<u32>,
    pub last_day: NaiveDate,
    pub state: Option<PathBuf>,
    /// Speak UDP too, on the same port.
    pub udp: bool,
    /// Server to push punches to.
    pub push: Option<PushTo>,
    /// Pause between data frames.
    pub pace: Duration,
}

impl Default for Profile {
    /// A small, well-behaved clock on a free port, with a fixed history.
    fn default() -> Profile {
        Profile {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            http: None,
            comm_key: 0,
            users: 6,
            punches: 60,
            model: Model::default(),
            layout: AttendanceLayout::FORTY,
            packet_bytes: 1 << 16,
            faults: Vec::new(),
            seed: 1,
            serial: "SIM0000000001".to_owned(),
            zone: Tz::Africa__Algiers,
            drift_ppm: 0,
            bytes_per_s: None,
            last_day: NaiveDate::from_ymd_opt(2026, 11, 1).unwrap_or_default(),
            state: None,
            udp: false,
            push: None,
            pace: PACE,
        }
    }
}

impl Profile {
    /// A clock of that kind.
    #[must_use]
    pub fn of(model: Model) -> Profile {
        let Model { layout, packet_bytes, has_tcp, .. } = model;
        Profile { model, layout, packet_bytes, udp: !has_tcp, ..Profile::default() }
    }
}

impl From<&Args> for Profile {
    fn from(args: &Args) -> Profile {
        let model = args.profile.unwrap_or_default();
        let today = fournil_gateway::time::now().with_timezone(&args.timezone).date_naive();
        Profile {
            listen: args.listen,
            http: args.http,
            comm_key: args.comm_key,
            users: args.users,
            punches: args.punches,
            model,
            layout: args.profile.map_or(args.layout, |model| model.layout),
            packet_bytes: args.profile.map_or(args.packet_size, |model| model.packet_bytes),
            faults: args.faults.clone(),
            seed: args.seed,
            serial: args.serial.clone(),
            zone: args.timezone,
            drift_ppm: args.drift_ppm,
            bytes_per_s: args.rate,
            last_day: args.last_day.or(today.pred_opt()).unwrap_or(today),
            state: args.state.clone(),
            udp: args.udp || !model.has_tcp,
            push: args.push.as_ref().map(|url| PushTo { url: url.clone(), ..PushTo::default() }),
            pace: PACE,
        }
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    device: Mutex<Device>,
    news: broadcast::Sender<SimPunch>,
    /// Told after everything that may have changed a counter.
    changed: Notify,
    zone: Tz,
    seed: u64,
    pace: Duration,
    bytes_per_s: Option<u32>,
}

impl Shared {
    fn now(&self) -> NaiveDateTime {
        fournil_gateway::time::now().with_timezone(&self.zone).naive_local()
    }
}

/// A panic in one connection must not silence the clock: its mind is never left half
/// changed, so it may be used after one.
fn lock(device: &Mutex<Device>) -> MutexGuard<'_, Device> {
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take_punch(shared: &Shared, user_id: &str, state: u8) -> Result<SimPunch, PunchError> {
    let punch = lock(&shared.device).punch(user_id, state, shared.now())?;
    // Nobody may be listening; the log has it.
    let _ = shared.news.send(punch.clone());
    Ok(punch)
}

/// Somebody's finger.
#[derive(Debug, Clone)]
pub struct Finger(Arc<Shared>);

impl Finger {
    /// Punches now.
    pub fn punch(&self, user_id: &str, state: u8) -> Result<SimPunch, PunchError> {
        take_punch(&self.0, user_id, state)
    }
}

/// A running simulated clock; it stops when this is dropped.
#[derive(Debug)]
pub struct ClockSim {
    addr: SocketAddr,
    http_addr: Option<SocketAddr>,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    _stop: DropGuard,
}

impl ClockSim {
    /// Binds and serves.
    pub async fn start(profile: Profile) -> anyhow::Result<ClockSim> {
        let Profile { users, punches, last_day, seed, zone, pace, bytes_per_s, .. } = profile;
        let mut store = Store::generate(users, punches, last_day, seed);
        if let Some(file) = &profile.state {
            store = store.kept_in(file)?;
        }
        let device = Device::new(Build {
            store,
            faults: Faults::new(&profile.faults),
            model: profile.model,
            layout: profile.layout,
            packet_bytes: profile.packet_bytes,
            comm_key: profile.comm_key,
            serial: profile.serial.clone(),
            drift_ppm: profile.drift_ppm,
        });
        let (news, _) = broadcast::channel(NEWS_MAX);
        let changed = Notify::new();
        let device = Mutex::new(device);
        let shared = Shared { device, news, changed, zone, seed, pace, bytes_per_s };
        let shared = Arc::new(shared);
        let now = shared.now();
        // Its clock runs away from the true time from now on.
        lock(&shared.device).set_time(now, now);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut addr = profile.listen;
        if profile.model.has_tcp {
            let listener = bind(addr).await?;
            addr = listener.local_addr()?;
            tasks.spawn(accept(listener, Arc::clone(&shared), stop.clone()));
        }
        if profile.udp {
            let socket = UdpSocket::bind(addr).await;
            let socket = socket.with_context(|| format!("cannot listen on {addr} over UDP"))?;
            addr = socket.local_addr()?;
            tasks.spawn(udp::serve(socket, Arc::clone(&shared)));
        }
        let mut http_addr = None;
        if let Some(http) = profile.http {
            let listener = bind(http).await?;
            http_addr = Some(listener.local_addr()?);
            tasks.spawn(page::serve(listener, Arc::clone(&shared)));
        }
        if let Some(to) = profile.push {
            tasks.spawn(push::push(to, Arc::clone(&shared)));
        }
        Ok(ClockSim { addr, http_addr, shared, tasks, _stop: stop.drop_guard() })
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where the control page is, if there is one.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http_addr
    }

    pub fn serial(&self) -> String {
        lock(&self.shared.device).serial().to_owned()
    }

    /// Somebody punches now.
    pub fn punch(&self, user_id: &str, state: u8) -> Result<SimPunch, PunchError> {
        take_punch(&self.shared, user_id, state)
    }

    /// A finger that punches here, for whoever does not own the clock.
    #[must_use]
    pub fn finger(&self) -> Finger {
        Finger(Arc::clone(&self.shared))
    }

    /// Puts any punch into the log, exact repeats included, and tells whoever listens.
    pub fn add_punch(&self, punch: SimPunch) -> Result<(), PunchError> {
        lock(&self.shared.device).add(punch.clone())?;
        let _ = self.shared.news.send(punch);
        Ok(())
    }

    /// The log, oldest first.
    pub fn punches(&self) -> Vec<SimPunch> {
        lock(&self.shared.device).store.punches.clone()
    }

    /// What was done to the clock, oldest first.
    pub fn operations(&self) -> Vec<SimOperation> {
        lock(&self.shared.device).store.operations.clone()
    }

    /// The power goes and comes back. Whoever holds a session notices at its next word.
    pub fn lose_power(&self, has_battery: bool) {
        let now = self.shared.now();
        lock(&self.shared.device).reboot(now, has_battery);
    }

    /// Moves the clock's own time.
    pub fn shift(&self, by: chrono::TimeDelta) {
        lock(&self.shared.device).shift(by);
    }

    /// Changes a user at the clock's keypad.
    pub fn rename(&self, user_id: &str, name: &str) {
        let mut device = lock(&self.shared.device);
        if let Some(user) = device.store.users.iter_mut().find(|user| user.user_id == user_id) {
            name.clone_into(&mut user.name);
        }
    }

    pub fn users(&self) -> Vec<SimUser> {
        lock(&self.shared.device).store.users.clone()
    }

    pub fn counters(&self) -> Counters {
        lock(&self.shared.device).counters
    }

    /// Replaces the faults in force.
    pub fn set_faults(&self, faults: &[FaultSpec]) {
        lock(&self.shared.device).faults = Faults::new(faults);
    }

    /// Waits until the counters are as wished. Put a timeout around it.
    pub async fn until(&self, wished: impl Fn(&Counters) -> bool) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // Listening begins before looking, so no change is missed in between.
            changed.as_mut().enable();
            if wished(&self.counters()) {
                return;
            }
            changed.await;
        }
    }

    /// Stops and frees the port before returning.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn bind(addr: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| {
        format!("cannot listen on {addr}: choose another address or stop what uses it")
    })
}

/// Takes connections until `stop`; those under way end with the set they live in.
async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    let mut id = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        id += 1;
        lock(&shared.device).counters.connections += 1;
        let connection = Connection {
            stream,
            shared: Arc::clone(&shared),
            punches: shared.news.subscribe(),
            visitor: Visitor::new(id),
        };
        connections.spawn(connection.serve());
    }
}

/// Runs until Ctrl-C or SIGTERM.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let sim = ClockSim::start(Profile::from(&args)).await?;
    announce(&sim, args.json)?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        never = punch_now_and_then(&sim, args.punch_every) => match never {},
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    sim.stop().await;
    Ok(())
}

fn announce(sim: &ClockSim, is_json: bool) -> anyhow::Result<()> {
    let line = if is_json {
        let (addr, http) = (sim.addr(), sim.http_addr());
        serde_json::json!({ "addr": addr, "http": http, "serial": sim.serial() }).to_string()
    } else {
        let page =
            sim.http_addr().map_or_else(String::new, |http| format!(", page http://{http}/"));
        format!("pointeuse simulée {} sur {}{page}", sim.serial(), sim.addr())
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Users in turn; each comes, then goes.
async fn punch_now_and_then(sim: &ClockSim, every_s: Option<u64>) -> std::convert::Infallible {
    let users = sim.users();
    let Some(every_s) = every_s.filter(|every_s| *every_s > 0 && !users.is_empty()) else {
        return std::future::pending().await;
    };
    let mut timer = tokio::time::interval(Duration::from_secs(every_s));
    timer.tick().await;
    for turn in 0_usize.. {
        timer.tick().await;
        let state = u8::from(turn / users.len() % 2 == 1);
        if let Err(error) = sim.punch(&users[turn % users.len()].user_id, state) {
            tracing::warn!(%error, "nobody could punch");
        }
    }
    std::future::pending().await
}
