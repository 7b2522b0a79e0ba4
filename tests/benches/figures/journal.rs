//! The journal alone: one durable record after the other, and a start with a full one.

use std::path::Path;
use std::time::Instant;

use fournil_gateway::journal::{Journal, JournalConfig, TimeSource};
use fournil_protocol::event::{Body, Punch};

use super::gateway::megabytes;
use super::{milliseconds, row};

const RECORDS: usize = 2_000;
const BATCH: usize = 500;

fn punch(number: usize) -> Body {
    Body::Punch(Punch {
        clock_serial: "BENCH0001".into(),
        user_id: (number % 40).to_string(),
        local_time: "2026-11-24T08:05:12".into(),
        zone: "Africa/Algiers".into(),
        raw: vec![7; 40],
        ..Punch::default()
    })
}

fn open(folder: &Path) -> anyhow::Result<Journal> {
    Ok(Journal::open(folder, JournalConfig::default(), TimeSource::system()?)?.0)
}

/// Prints the rows; `floor` is the median of one `fdatasync` on the same disk.
pub(super) async fn rows(floor: f64) -> anyhow::Result<()> {
    // Beside the clusters, so that all are on the same disk.
    let folder = tempfile::tempdir_in("/var/tmp")?;
    let journal = open(folder.path())?;
    let mut times = Vec::with_capacity(RECORDS);
    for number in 0..RECORDS {
        let began = Instant::now();
        journal.append(vec![punch(number)]).await?;
        times.push(milliseconds(began.elapsed()));
    }
    row("journal: one durable punch (ratio to one fdatasync)", &mut times, floor);

    let mut number = RECORDS;
    while journal.append((number..number + BATCH).map(punch).collect()).await.is_ok() {
        number += BATCH;
    }
    let stat = journal.stat().await?;
    journal.close().await?;
    drop(journal);
    let began = Instant::now();
    let journal = open(folder.path())?;
    let took = milliseconds(began.elapsed());
    let (events, bytes) = (stat.unacked_events, megabytes(stat.segment_bytes));
    println!("journal: start with {events} unsent punches ({bytes:.0} MB) {took:>8.0} ms");
    journal.close().await?;
    Ok(())
}
