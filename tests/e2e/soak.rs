//! A week of a busy shop as fast as it goes, with the real daemon: its memory and its open
//! files do not grow once it is warm.
//!
//! A tenth of the week in `make test`; the whole of it with `FOURNIL_SOAK_WEEKS=1`, best with
//! `cargo test --release`, where the ceiling of resident memory is held too.

use std::time::Duration;

use fournil_tests::world::shop::{PATIENCE, Shop};
use fournil_tests::world::till::Till;
use tokio::time::Instant;
use uuid::Uuid;

/// A busy bakery's week.
const PUNCHES: usize = 2_500;
const RECEIPTS: usize = 2_000;
const RECONNECTIONS: usize = 50;
/// Turns of the soak; each does its share of everything.
const TURNS: usize = 50;
const SHORT_TURNS: usize = 5;
/// Of which so many warm it up.
const WARM_ONE_IN: usize = 3;

/// What it may grow by after it is warm: ids of settled commands are remembered, some 150
/// bytes each.
const GROWTH_MAX: u64 = 1024 * 1024;
/// Of the release build.
const RESIDENT_MAX: u64 = 15_000_000;
/// A gateway that is cut off again and again waits up to a minute before it dials.
const TURN_MAX: Duration = Duration::from_mins(3);
/// A connection may be opening or closing at the moment of the look.
const FILES_SLACK: usize = 3;

#[derive(Debug, Clone, Copy)]
struct Sample {
    resident_bytes: u64,
    files: usize,
}

fn sample(pid: u32) -> Sample {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let row = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = row.trim().trim_end_matches("kB").trim().parse().unwrap();
    // The journal's segments come and go with its retention, whose bound is checked apart.
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let targets = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    let files = targets.filter(|target| target.extension().is_none_or(|end| end != "seg")).count();
    Sample { resident_bytes: kib * 1024, files }
}

/// Small segments that go soon, so that retention runs as it would over a month.
const JOURNAL: &str = "[journal]\nsegment_bytes = 262144\nreserve_bytes = 1048576\n\
    acked_kept_bytes_max = 524288\nseen_ids_min = 200\nseen_days_min = 0\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_week_of_traffic_leaves_memory_and_files_as_they_were() {
    let weeks: usize =
        std::env::var("FOURNIL_SOAK_WEEKS").ok().and_then(|weeks| weeks.parse().ok()).unwrap_or(0);
    let turns = if weeks == 0 { SHORT_TURNS } else { TURNS * weeks };
    let mut shop = Shop::open().await.unwrap();
    let path = shop.dir.path().join("gateway.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{config}\n{JOURNAL}")).unwrap();
    assert!(shop.gateway.stop(PATIENCE).await.unwrap().success());
    shop.gateway.restart().unwrap();
    let pid = shop.gateway.pid().unwrap();
    // More than a week sells.
    let plenty = "update stock_items set quantity = quantity + 100000, value = value + 100000;
         update stock_balances set quantity = quantity + 100000";
    sqlx::raw_sql(plenty).execute(&shop.db).await.unwrap();
    let mut till = Till::open(shop.owner().await.unwrap()).await.unwrap();
    let began = Instant::now();
    let mut samples = Vec::new();
    for turn in 0..turns {
        live(&shop, &mut till).await;
        samples.push(sample(pid));
        let Sample { resident_bytes, files } = samples[turn];
        println!("turn {turn}: {} KiB resident, {files} files", resident_bytes / 1024);
    }
    let made = (turns * PUNCHES / TURNS, turns * RECEIPTS / TURNS, turns * RECONNECTIONS / TURNS);
    println!("{made:?} punches, receipts and reconnections in {:?}", began.elapsed());

    let warm = samples[turns / WARM_ONE_IN];
    let last = samples[turns - 1];
    let growth = last.resident_bytes.saturating_sub(warm.resident_bytes);
    assert!(growth <= GROWTH_MAX, "{growth} bytes more after {turns} turns: {samples:?}");
    assert!(last.files <= warm.files + FILES_SLACK, "files stay open: {samples:?}");
    if !cfg!(debug_assertions) {
        let most = samples.iter().map(|sample| sample.resident_bytes).max().unwrap();
        assert!(most <= RESIDENT_MAX, "{most} bytes resident");
    }
    let counted = shop.count("select count(*) from punches").await.unwrap();
    assert_eq!(usize::try_from(counted).unwrap(), made.0);
    assert_eq!(shop.printer.receipts().len(), made.1, "receipts on paper");
    let (status, out, err) = shop.gateway_command(&["journal", "stat", "--json"]).await.unwrap();
    assert_eq!(status, 0, "{err}");
    let stat: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(stat["segment_bytes"].as_u64().unwrap() <= 4 * 1024 * 1024, "{out}");
}

/// One turn: people come, goods are sold, the line breaks once.
async fn live(shop: &Shop, till: &mut Till) {
    let punches_before = shop.clock.punches().len();
    for index in 0..PUNCHES / TURNS {
        let user = ((punches_before + index) % 6 + 1).to_string();
        shop.clock.punch(&user, u8::from(index % 2 == 1)).unwrap();
        if index % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let good = till.plenty().unwrap();
    for index in 0..RECEIPTS / TURNS {
        let sale = till.sale_of_one(Uuid::now_v7(), &good);
        let answer = till.sell(&sale).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        if index == RECEIPTS / TURNS / 2 {
            shop.wire.cut();
            // Long enough to be seen; what is sold meanwhile waits.
            tokio::time::sleep(Duration::from_millis(50)).await;
            shop.wire.mend();
        }
    }
    let settled = "select count(*) = 0 as ok from commands where settled_at is null";
    shop.until_within("every receipt of the turn is printed", settled, TURN_MAX).await.unwrap();
    let wanted = shop.clock.punches().len();
    let arrived = async {
        loop {
            let there = shop.count("select count(*) from punches").await.unwrap();
            if usize::try_from(there).unwrap() >= wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(TURN_MAX, arrived).await.expect("every punch arrives");
}
