//! What the gateway itself weighs and takes: size, memory, start, events a second, silence.

use std::time::{Duration, Instant};

use anyhow::Context;
use fournil_tests::clock_sim::SimPunch;
use fournil_tests::world::daemon::binary;
use fournil_tests::world::shop::{PATIENCE, Shop};

use super::{milliseconds, percentile};

/// Events kept back by a wire that is cut, then sent at once.
const EVENTS: i64 = 5_000;
const STARTS: usize = 5;

/// Prints size and memory.
pub(super) fn size_and_memory(shop: &Shop) -> anyhow::Result<()> {
    let dist = std::env::var_os("FOURNIL_BENCH_DIST").map(std::path::PathBuf::from);
    let packaged = dist.filter(|path| path.exists());
    let (path, what) = match packaged {
        Some(path) => (path, "as packaged"),
        None => (binary("fournil-gateway")?, "not packaged"),
    };
    let size = std::fs::metadata(path)?.len();
    let (resident, _) = shop.gateway.holds()?;
    println!("gateway binary            {:>8.1} MB ({what}; goal 10)", megabytes(size));
    println!("gateway resident memory   {:>8.1} MB (goal 15)", megabytes(resident));
    Ok(())
}

/// From the start of the process to its first session, the median of a few.
pub(super) async fn cold_start(shop: &mut Shop) -> anyhow::Result<()> {
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        shop.gateway.stop(PATIENCE).await?;
        let began = Instant::now();
        shop.gateway.restart()?;
        shop.gateway.wait_for_line("session begins", PATIENCE).await?;
        times.push(milliseconds(began.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    let median = percentile(&times, 50);
    println!("gateway start to session  {median:>8.0} ms (goal 300)");
    Ok(())
}

/// Events a second from the journal into PostgreSQL, once the wire is whole again.
pub(super) async fn events_a_second(shop: &Shop) -> anyhow::Result<()> {
    let count = "select count(*) from punches";
    let before = shop.count(count).await?;
    shop.wire.cut();
    let template = shop.clock.punch("1", 0)?;
    for _ in 1..EVENTS {
        shop.clock.add_punch(SimPunch { ..template.clone() })?;
    }
    // The clock is read to the end before anything may leave.
    let recorded = async {
        loop {
            let (_, out, _) = shop.gateway_command(&["status", "--json"]).await?;
            let status: serde_json::Value = serde_json::from_str(&out)?;
            let unacked =
                status.pointer("/journal/unacked_events").and_then(serde_json::Value::as_i64);
            if unacked.unwrap_or(0) >= EVENTS {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, recorded).await.context("the clock was not read")??;
    shop.wire.mend();
    let (mut first, mut at_first) = (None, 0);
    let arrived = async {
        loop {
            let stored = shop.count(count).await? - before;
            if stored > 0 && first.is_none() {
                (first, at_first) = (Some(Instant::now()), stored);
            }
            if stored >= EVENTS {
                return anyhow::Ok(Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    // The gateway may be waiting before it tries again.
    let done =
        tokio::time::timeout(PATIENCE * 2, arrived).await.context("events are missing")??;
    let first = first.context("a first event")?;
    let seconds = done.duration_since(first).as_secs_f64();
    let rate = f64::from(i32::try_from(EVENTS - at_first)?) / seconds;
    println!("events through one gateway{rate:>8.0} a second");
    Ok(())
}

/// Bytes an hour on a wire on which nothing happens, from `seconds` of it.
pub(super) fn idle_bytes(carried: u64, seconds: u32) -> anyhow::Result<()> {
    let an_hour = f64::from(u32::try_from(carried)?) * 3600.0 / f64::from(seconds);
    println!("idle wire                 {:>8.1} kB an hour (goal 100)", an_hour / 1000.0);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
