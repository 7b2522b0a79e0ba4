//! The figures of the README, each beside this machine's own baseline of the same run.
//!
//! Run by `make bench`: release binaries, a PostgreSQL cluster with full durability.
//! Prints one table; `FOURNIL_BENCH_IDLE_S` shortens the minute of idling.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod baseline;
mod clocks;
mod commands;
mod gateway;
mod journal;
mod paper;

use std::time::{Duration, Instant};

use anyhow::Context;
use fournil_tests::world::cluster::Cluster;
use fournil_tests::world::house::{House, drawers};
use fournil_tests::world::shop::Shop;
use fournil_tests::world::thin::{Line, ThinLine};
use fournil_tests::world::till::Till;
use sqlx::postgres::PgListener;
use uuid::Uuid;

const PUNCHES: usize = 200;
const SALES: usize = 100;
const DRAWERS: usize = 100;
const WAIT: Duration = Duration::from_secs(10);

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(figures())
}

async fn figures() -> anyhow::Result<()> {
    paper::rows().await?;
    let cluster = Cluster::start("bench")?;
    let mut shop = Shop::open_in(&cluster.url).await?;
    let baseline = baseline::measure(&shop.db).await?;
    println!("{:<52}{:>10}{:>10}{:>10}", "", "p50 ms", "p99 ms", "ratio");
    let floor = baseline.rows();
    println!("{:-<82}", "");

    let mut punches = measure_punches(&shop).await?;
    row("punch in the clock to row in PostgreSQL (live)", &mut punches, floor);
    let (mut from_commit, mut from_click) = measure_receipts(&shop).await?;
    row("command committed to first bytes at the printer", &mut from_commit, floor);
    row("sale asked for to first bytes at the printer", &mut from_click, floor);
    journal::rows(baseline.sync_ms()).await?;
    for (what, asked) in [
        ("status: wish committed to report committed", commands::Asked::Status),
        ("drawer: wish committed to report committed", commands::Asked::Drawer),
    ] {
        let mut trips = commands::measure(&shop, asked).await?;
        row(what, &mut trips.whole, floor);
        for (stage, mut times) in trips.stages {
            row(stage, &mut times, floor);
        }
    }
    println!("(ratio: p50 over TLS WebSocket echo + one commit + one fdatasync = {floor:.2} ms)");

    println!("{:-<82}", "");
    gateway::size_and_memory(&shop)?;
    gateway::events_a_second(&shop).await?;
    gateway::cold_start(&mut shop).await?;
    let idle = idle_cpu(&shop).await?;
    println!("gateway idle CPU          {idle:>8.3} % of one core");
    println!("{:-<82}", "");
    clocks::rows(&mut shop, floor).await?;
    println!("{:-<82}", "");
    println!("on a line of 2 Mbit/s, 10 ms each way:");
    let (mut alone, mut beside) = measure_drawers(&mut shop).await?;
    row("drawer asked for to known as open", &mut alone, floor);
    row("the same beside an upload of 5 MB", &mut beside, floor);
    Ok(())
}

/// Live punches, at uneven moments, until the hint that follows the commit.
async fn measure_punches(shop: &Shop) -> anyhow::Result<Vec<f64>> {
    let mut listener = PgListener::connect_with(&shop.db).await?;
    listener.listen("fournil_hints").await?;
    let mut times = Vec::with_capacity(PUNCHES);
    for index in 0..PUNCHES {
        // Never in step with the clock's seconds nor with a poll.
        tokio::time::sleep(Duration::from_millis(200 + (index as u64 * 37) % 150)).await;
        let began = Instant::now();
        shop.clock.punch(&(index % 6 + 1).to_string(), 0)?;
        wait_for_hint(&mut listener, "punches").await?;
        times.push(milliseconds(began.elapsed()));
    }
    Ok(times)
}

/// Sales until the printer holds the first byte: from the commit, and from the click.
async fn measure_receipts(shop: &Shop) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let mut till = Till::open(shop.owner().await?).await?;
    let good = till.plenty()?;
    let mut listener = PgListener::connect_with(&shop.db).await?;
    listener.listen("fournil_hints").await?;
    let (mut from_commit, mut from_click) = (Vec::new(), Vec::new());
    for _ in 0..SALES {
        let before = shop.printer.received_bytes();
        let sale = till.sale_of_one(Uuid::now_v7(), &good);
        let began = Instant::now();
        let arrival = async {
            let arrived = shop.printer.until(WAIT, |sim| sim.received_bytes() > before).await;
            anyhow::ensure!(arrived, "no byte reached the printer");
            anyhow::Ok(Instant::now())
        };
        let commit = async {
            wait_for_hint(&mut listener, "commands").await?;
            anyhow::Ok(Instant::now())
        };
        let (sold, arrived, committed) = tokio::join!(till.sell(&sale), arrival, commit);
        anyhow::ensure!(sold?.status == 200, "a sale was refused");
        let (arrived, committed) = (arrived?, committed?);
        from_commit.push(milliseconds(arrived.saturating_duration_since(committed)));
        from_click.push(milliseconds(arrived - began));
        // The next sale must find the printer idle.
        let quiet = "select count(*) = 0 as ok from commands where settled_at is null";
        shop.until("the receipt is settled", quiet).await?;
        while let Ok(next) = tokio::time::timeout(Duration::from_millis(30), listener.recv()).await
        {
            next?;
        }
    }
    Ok((from_commit, from_click))
}

/// Drawers on a thin line, alone and beside an upload. The shop's own gateway is stopped.
async fn measure_drawers(shop: &mut Shop) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let line = Line { bits_per_s: 2_000_000, delay: Duration::from_millis(10) };
    let thin = ThinLine::start(shop.address, line)?;
    let mut house = House::take_over(shop, thin.address).await?;
    drawers(&mut house, 5).await?;
    let alone = drawers(&mut house, DRAWERS).await?;
    let _upload = house.upload(vec![0x5a; 5_000_000]).await?;
    let beside = drawers(&mut house, DRAWERS).await?;
    let shown = |times: Vec<Duration>| times.into_iter().map(milliseconds).collect();
    Ok((shown(alone), shown(beside)))
}

async fn wait_for_hint(listener: &mut PgListener, topic: &str) -> anyhow::Result<()> {
    let wanted = format!("|{topic}|");
    let hint = async {
        loop {
            if listener.recv().await?.payload().contains(&wanted) {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(WAIT, hint).await.context("the hint never came")?
}

fn row(what: &str, times: &mut [f64], floor: f64) {
    times.sort_by(f64::total_cmp);
    let (p50, p99) = (percentile(times, 50), percentile(times, 99));
    println!("{what:<52}{p50:>10.2}{p99:>10.2}{:>10.2}", p50 / floor);
}

/// A percentile of sorted times.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).copied().unwrap_or(f64::NAN)
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Percent of one core over a minute without work (clock and printer still watched).
async fn idle_cpu(shop: &Shop) -> anyhow::Result<f64> {
    let pid = shop.gateway.pid().context("the gateway runs")?;
    let seconds = std::env::var("FOURNIL_BENCH_IDLE_S").ok().and_then(|s| s.parse().ok());
    let seconds: u32 = seconds.unwrap_or(60);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (before, carried) = (cpu_ticks(pid)?, shop.wire.carried());
    tokio::time::sleep(Duration::from_secs(seconds.into())).await;
    let ticks = u32::try_from(cpu_ticks(pid)? - before)?;
    gateway::idle_bytes(shop.wire.carried() - carried, seconds)?;
    // The kernel counts a hundred ticks a second.
    Ok(f64::from(ticks) / f64::from(seconds))
}

fn cpu_ticks(pid: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit(')').next().context("a stat line")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    Ok(field(11) + field(12))
}
