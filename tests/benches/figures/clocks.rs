//! A long log of a clock: how fast we read it, beside an independent client on the same
//! simulator; how much memory the daemon takes for it; and punches that are pushed.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fournil_gateway::clock::{CommKey, DumpOptions, Target, Timeouts, read_dump};
use fournil_tests::clock_sim::{ClockSim, Model, Profile, PushTo};
use fournil_tests::world::daemon::Daemon;
use fournil_tests::world::shop::{COMM_KEY, Shop, free_port, gateway_spec, write_gateway_config};
use sqlx::postgres::PgListener;

use super::{milliseconds, percentile, row, wait_for_hint};

const RECORDS: usize = 100_000;
const READINGS: usize = 5;
const PUSHED: usize = 200;
const USERS: u16 = 60;
const LONG_READ: Duration = Duration::from_mins(5);

/// Everything about clocks; the shop's gateway gets another clock for it.
pub(super) async fn rows(shop: &mut Shop, floor: f64) -> anyhow::Result<()> {
    let model: Model = "big".parse().map_err(anyhow::Error::msg)?;
    let profile = Profile {
        comm_key: COMM_KEY,
        punches: RECORDS,
        users: 200,
        pace: Duration::ZERO,
        ..Profile::of(model)
    };
    let sim = ClockSim::start(profile).await?;
    let ours = read_by_us(&sim).await?;
    println!("100,000 records of 40 bytes read by us   {ours:>8.3} s");
    match read_by_pyzk(&sim).await {
        Ok(theirs) => {
            println!(
                "the same by pyzk                         {theirs:>8.3} s, {:.0} times ours",
                theirs / ours
            );
        }
        Err(error) => println!("the same by pyzk: not measured ({error:#})"),
    }
    daemon(shop, &sim).await?;
    drop(sim);
    pushed(shop, floor).await
}

/// The whole log as punches, the best of a few.
async fn read_by_us(sim: &ClockSim) -> anyhow::Result<f64> {
    let options = DumpOptions {
        target: Target::parse(&sim.addr().to_string()).context("an address")?,
        comm_key: CommKey::new(COMM_KEY),
        zone: chrono_tz::Tz::Africa__Algiers,
        layout: None,
        timeouts: Timeouts::default(),
    };
    let mut best = f64::INFINITY;
    for _ in 0..READINGS {
        let began = Instant::now();
        let read = read_dump(&options, 50, fournil_gateway::time::now()).await?;
        anyhow::ensure!(read.punches.len() == RECORDS, "{} read", read.punches.len());
        best = best.min(began.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// What pyzk takes for its call alone, without starting the interpreter.
async fn read_by_pyzk(sim: &ClockSim) -> anyhow::Result<f64> {
    let python = std::env::var("FOURNIL_PYTHON").context("FOURNIL_PYTHON is not set")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/pyzk_check.py");
    let address = sim.addr();
    let mut command = tokio::process::Command::new(python);
    command.arg(script).arg(address.ip().to_string()).arg(address.port().to_string());
    command.arg("--comm-key").arg(COMM_KEY.to_string()).arg("--time");
    let said = command.output().await?;
    if !said.status.success() {
        bail!("{}", String::from_utf8_lossy(&said.stderr).trim());
    }
    let said: serde_json::Value = serde_json::from_slice(&said.stdout)?;
    let records = said.get("records").and_then(serde_json::Value::as_u64);
    anyhow::ensure!(records == Some(RECORDS as u64), "pyzk read {said}");
    said.get("read_s").and_then(serde_json::Value::as_f64).context("how long it took")
}

/// The daemon takes the whole log up for the first time, into PostgreSQL.
async fn daemon(shop: &mut Shop, sim: &ClockSim) -> anyhow::Result<()> {
    shop.gateway.stop(Duration::from_secs(20)).await?;
    let state = shop.dir.path().join("gateway");
    write_gateway_config(shop.dir.path(), &state, sim, &shop.printer)?;
    let began = Instant::now();
    shop.gateway = Daemon::start(gateway_spec(shop.dir.path(), &["run"])?)?;
    shop.until_within(
        "the long log was read",
        "select exists (select from clocks where whole_read_records = 100000) as ok",
        LONG_READ,
    )
    .await?;
    let took = began.elapsed().as_secs_f64();
    let pid = shop.gateway.pid().context("the gateway runs")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: f64 = peak
        .and_then(|text| text.trim().strip_suffix(" kB"))
        .and_then(|kilobytes| kilobytes.trim().parse().ok())
        .context("VmHWM")?;
    println!("from its first contact to PostgreSQL     {took:>8.1} s");
    println!("peak memory of the daemon meanwhile      {:>8.1} MB (goal 32)", peak * 1_024.0 / 1e6);
    Ok(())
}

/// Punches that a clock pushes to the gateway, until the hint behind the commit.
async fn pushed(shop: &mut Shop, floor: f64) -> anyhow::Result<()> {
    shop.gateway.stop(Duration::from_secs(20)).await?;
    let listen = format!("127.0.0.1:{}", free_port()?);
    let state = shop.dir.path().join("gateway");
    write_gateway_config(shop.dir.path(), &state, &shop.clock, &shop.printer)?;
    let config = shop.dir.path().join("gateway.toml");
    let serial = "SIM0000000099";
    let section = format!(
        "\n[push]\nlisten = \"{listen}\"\n[[push.clock]]\nname = \"atelier\"\nserial = \"{serial}\"\n"
    );
    let text = std::fs::read_to_string(&config)? + &section;
    std::fs::write(&config, text)?;
    shop.gateway = Daemon::start(gateway_spec(shop.dir.path(), &["run"])?)?;
    shop.gateway.wait_for_line("session begins", Duration::from_secs(20)).await?;
    let push = PushTo { url: format!("http://{listen}"), ..PushTo::default() };
    // Enough people that nobody punches twice in a second: pushed, that is one punch told again.
    let (serial, users) = (serial.to_owned(), USERS);
    let profile = Profile { serial, users, punches: 1, push: Some(push), ..Profile::default() };
    let clock = ClockSim::start(profile).await?;
    shop.until(
        "the clock called",
        "select exists (select from punches where clock_serial = 'SIM0000000099') as ok",
    )
    .await?;
    let mut listener = PgListener::connect_with(&shop.db).await?;
    listener.listen("fournil_hints").await?;
    let mut times = Vec::with_capacity(PUSHED);
    for index in 0..PUSHED {
        tokio::time::sleep(Duration::from_millis(120 + (index as u64 * 37) % 90)).await;
        let began = Instant::now();
        clock.punch(&(index % usize::from(USERS) + 1).to_string(), 0)?;
        wait_for_hint(&mut listener, "punches").await?;
        times.push(milliseconds(began.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    anyhow::ensure!(percentile(&times, 50) > 0.0, "nothing was measured");
    row("punch pushed to the gateway to row in PostgreSQL", &mut times, floor);
    Ok(())
}
