//! `fournil-gateway clock …`: read a clock without a cloud.

use std::io::Write as _;

use anyhow::Context as _;
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval_at, sleep};

use crate::clock::layout::{
    AttendanceLayout, Calendar as _, ClockTime, EventUser, decode_punch_event,
};
use crate::clock::{
    ClientError, CommKey, Device, Dump, DumpOptions, Session, Target, Timeouts, Transport,
    read_device, read_dump, with_offset,
};
use crate::i18n::{Given, say};

/// Events waiting to be printed; when full, the clock waits.
const EVENTS_MAX: usize = 64;
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Arguments of `fournil-gateway clock`.
#[derive(Debug, Subcommand)]
pub enum ClockCommand {
    /// Say what the clock is, its time and how full it is
    ///
    /// Example: fournil-gateway clock info --addr 192.168.1.201 --comm-key 1234
    Info(ReadArgs),
    /// Read users and log
    ///
    /// Example: fournil-gateway clock dump --addr 192.168.1.201:4370 --json > clock.json
    Dump(ReadArgs),
    /// Show punches as they happen, until Ctrl-C
    ///
    /// Example: fournil-gateway clock live --addr 192.168.1.201 --seconds 60
    Live(LiveArgs),
    /// Set the clock to this machine's time
    ///
    /// Example: fournil-gateway clock set-time --addr 192.168.1.201 --timezone Africa/Algiers
    SetTime(ReadArgs),
}

/// Which clock, and how its answers are shown.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// Address of the clock, HOST or HOST:PORT (port 4370 if none is given)
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_target)]
    addr: Target,
    /// The clock's comm key (menu Comm > PC connection); 0 when none is set
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        env = "FOURNIL_CLOCK_COMM_KEY",
        hide_env_values = true
    )]
    comm_key: u32,
    /// Speak UDP, as old clocks do that know nothing else
    #[arg(long)]
    udp: bool,
    /// Zone the clock hangs in
    #[arg(long, value_name = "ZONE", default_value = "Africa/Algiers")]
    timezone: Tz,
    /// Record layout when the log leaves it open: 40 to 64, 16, 8a, 8b
    #[arg(long, value_name = "NAME")]
    layout: Option<AttendanceLayout>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct LiveArgs {
    #[command(flatten)]
    read: ReadArgs,
    /// Stop after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
}

/// Runs one command; an error is one line that says what to do.
pub async fn run(command: ClockCommand) -> anyhow::Result<()> {
    match command {
        ClockCommand::Info(args) => info(&args).await,
        ClockCommand::Dump(args) => dump(&args).await,
        ClockCommand::Live(args) => live(&args).await,
        ClockCommand::SetTime(args) => set_time(&args).await,
    }
}

async fn info(args: &ReadArgs) -> anyhow::Result<()> {
    let device = read_device(&options(args), random_byte(), crate::time::now()).await?;
    if args.json { print_json(&device) } else { print(&device_table(&device)) }
}

async fn dump(args: &ReadArgs) -> anyhow::Result<()> {
    let dump = read_dump(&options(args), random_byte(), crate::time::now()).await?;
    if args.json { print_json(&dump) } else { print(&dump_table(&dump)) }
}

/// Prints punches until Ctrl-C, the time is over or the clock is gone. All branches
/// of the `select!` are cancel safe: timers, a signal and a receive.
async fn live(args: &LiveArgs) -> anyhow::Result<()> {
    let options = options(&args.read);
    let (to_us, mut events) = mpsc::channel(EVENTS_MAX);
    let mut session = open(&options, to_us).await?;
    session.register_punches().await?;
    let ack = session.event_ack();
    let over = sleep(Duration::from_secs(args.seconds.unwrap_or(u64::from(u32::MAX))));
    tokio::pin!(over);
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => {
                    print(&live_line(&event.data, &options, args.read.json))?;
                    ack.send();
                }
                // The connection is over; the next request says why.
                None => { session.time().await?; }
            },
            _ = heartbeat.tick() => { session.time().await?; }
            () = &mut over => break,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.with_context(|| say("clock-cli-interrupt", &[]))?;
                break;
            }
        }
    }
    session.close().await;
    Ok(())
}

async fn set_time(args: &ReadArgs) -> anyhow::Result<()> {
    let options = options(args);
    let (events, _) = mpsc::channel(1);
    let mut session = open(&options, events).await?;
    let now = crate::time::now().with_timezone(&options.zone).naive_local();
    let before = session.time().await?;
    let result = session.set_time(ClockTime::from_naive(now)).await;
    let after = match result {
        Ok(()) => session.time().await,
        Err(error) => Err(error),
    };
    if !session.is_broken() {
        session.close().await;
    }
    let after = after?;
    if args.json {
        let [before, after] = [before, after].map(|time| with_offset(time, options.zone));
        print_json(&serde_json::json!({ "before": before, "after": after }))
    } else {
        print(&format!("{before} -> {after}\n"))
    }
}

async fn open(
    options: &DumpOptions,
    events: mpsc::Sender<crate::clock::Event>,
) -> Result<Session, ClientError> {
    let DumpOptions { target, comm_key, timeouts, .. } = options;
    let mut session = Session::open(target, *comm_key, random_byte(), *timeouts, events).await?;
    session.enable().await?;
    Ok(session)
}

fn options(args: &ReadArgs) -> DumpOptions {
    let transport = if args.udp { Transport::Udp } else { Transport::Tcp };
    DumpOptions {
        target: args.addr.clone().over(transport),
        comm_key: CommKey::new(args.comm_key),
        zone: args.timezone,
        layout: args.layout,
        timeouts: Timeouts::default(),
    }
}

fn parse_target(text: &str) -> Result<Target, String> {
    Target::parse(text).ok_or_else(|| say("clock-cli-target", &[]))
}

fn random_byte() -> u8 {
    let mut byte = [50];
    // Without randomness the vendor's own constant does.
    let _ = SystemRandom::new().fill(&mut byte);
    let [byte] = byte;
    byte
}

fn live_line(data: &[u8], options: &DumpOptions, is_json: bool) -> String {
    let raw = data_encoding::HEXLOWER.encode(data);
    let Some(live) = decode_punch_event(data) else {
        let line = serde_json::json!({ "raw": raw, "layout": null });
        let text = say("clock-cli-unknown-event", &[("raw", &raw)]);
        return if is_json { format!("{line}\n") } else { format!("{text}\n") };
    };
    let user = match &live.user {
        EventUser::UserId(user_id) => user_id.clone(),
        EventUser::Number(number) => number.to_string(),
    };
    let time = with_offset(live.time, options.zone);
    if !is_json {
        let user = format!("{user:<12}");
        let line = say(
            "clock-cli-live",
            &[("time", &time), ("user", &user), ("state", &live.state), ("verify", &live.verify)],
        );
        return format!("{line}\n");
    }
    let line = serde_json::json!({
        "user_id": user, "time": time, "state": live.state, "verify": live.verify,
        "layout": live.layout, "raw": raw,
    });
    format!("{line}\n")
}

fn device_table(device: &Device) -> String {
    let unknown = || say("clock-cli-unknown", &[]);
    let of = |count: u32, capacity: u32| {
        say("clock-cli-of", &[("count", &count), ("capacity", &capacity)])
    };
    let rows = [
        ("clock-cli-address", device.address.clone()),
        ("clock-cli-serial", device.serial.clone()),
        ("clock-cli-model", format!("{} {}", device.model, device.platform)),
        ("clock-cli-firmware", device.firmware.clone()),
        ("clock-cli-time", device.time.clone().unwrap_or_else(unknown)),
        ("clock-cli-drift", device.drift_ms.map_or_else(unknown, |drift| format!("{drift} ms"))),
        ("clock-cli-users", of(device.users, device.users_capacity)),
        ("clock-cli-records", of(device.records, device.records_capacity)),
    ];
    let lines = rows.map(|(name, value)| format!("{:<15} {value}\n", say(name, &[])));
    lines.concat()
}

fn dump_table(dump: &Dump) -> String {
    let mut text = device_table(&dump.device);
    text.push('\n');
    let mut add = |line: String| {
        text.push_str(line.trim_end());
        text.push('\n');
    };
    for user in &dump.users {
        let (id, slot) = (format!("{:<12}", user.user_id), format!("{:<6}", user.uid));
        let args: Given<'_> = &[("user", &id), ("slot", &slot), ("name", &user.name)];
        add(say("clock-cli-user", args));
    }
    add(String::new());
    for punch in &dump.punches {
        let (time, user) = (format!("{:<25}", punch.time), format!("{:<12}", punch.user_id));
        let (state, verify) = (format!("{:<3}", punch.state), format!("{:<3}", punch.verify));
        let odd = punch.anomalies.join(" ");
        let args: Given<'_> = &[
            ("time", &time),
            ("user", &user),
            ("state", &state),
            ("verify", &verify),
            ("odd", &odd),
        ];
        add(say("clock-cli-punch", args));
    }
    for warning in &dump.warnings {
        add(say("clock-cli-warning", &[("warning", warning)]));
    }
    text
}

fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut text =
        serde_json::to_string_pretty(value).with_context(|| say("clock-cli-unwritable", &[]))?;
    text.push('\n');
    print(&text)
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.with_context(|| say("clock-cli-stdout", &[]))
}
