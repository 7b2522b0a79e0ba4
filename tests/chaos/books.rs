//! The books: what the devices did against what the database says.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;
use tokio::time::{Instant, sleep};

use super::faults::Chaos;
use super::people::Asked;
use super::town::{Holdings, Town};

/// Nothing is queued and nothing is under way.
pub(crate) const SETTLED: &str = "select count(*) = 0 as ok from commands
     where state not in ('done', 'failed', 'expired', 'cancelled', 'in_doubt', 'unsupported')";

/// More than that was not there before and is a leak.
const MEMORY_GROWTH_BYTES_MAX: u64 = 24 * 1024 * 1024;
const FILES_GROWTH_MAX: usize = 24;

/// What it came to.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) commands: usize,
    pub(crate) printed: usize,
    pub(crate) kicks: usize,
    pub(crate) in_doubt: usize,
    pub(crate) deaths: usize,
}

pub(crate) async fn until_punches_arrived(town: &Town, made: usize, within: Duration) -> bool {
    let began = Instant::now();
    while began.elapsed() < within {
        let stored = town.shop.count("select count(*) from punches").await.unwrap_or(0);
        if usize::try_from(stored).is_ok_and(|stored| stored >= made) {
            return true;
        }
        sleep(Duration::from_millis(50)).await;
    }
    false
}

pub(crate) async fn check(town: &Town, asked: &Asked, chaos: &Chaos) -> Books {
    every_punch_is_there_once_and_in_order(town).await;
    let query = "select g.name as gateway, c.kind, c.title, c.state, c.reason
                 from commands c join gateways g using (company_id, gateway_id)
                 order by c.queue_no";
    let rows = sqlx::raw_sql(query).fetch_all(&town.shop.db).await.expect("commands");
    let mut books = Books { commands: rows.len(), ..Books::default() };
    for (shop, (name, printer)) in town.printers().into_iter().enumerate() {
        let own: Vec<&PgRow> = rows.iter().filter(|row| text(row, "gateway") == name).collect();
        let receipts = printer.receipts();
        let mut in_doubt = 0;
        for row in own.iter().filter(|row| text(row, "kind") == "print") {
            let (title, state) = (text(row, "title"), text(row, "state"));
            let printed = receipts.iter().filter(|r| r.text.contains(mark_of(&title))).count();
            let reason = text(row, "reason");
            assert!(printed <= 1, "{title} was printed {printed} times ({state} {reason})");
            match state.as_str() {
                "done" => assert_eq!(printed, 1, "{title} is called printed and is not on paper"),
                "in_doubt" => in_doubt += 1,
                _ => assert_eq!(printed, 0, "{title} ended {state} ({reason}) and is on paper"),
            }
            books.printed += printed;
        }
        let of_drawers = |state: &str| {
            let is_such =
                |row: &&&PgRow| text(row, "kind") == "drawer" && text(row, "state") == state;
            own.iter().filter(is_such).count()
        };
        let (opened, doubtful) = (of_drawers("done"), of_drawers("in_doubt"));
        let kicks = printer.kicks().len();
        assert!(
            kicks <= opened + doubtful,
            "{name}: {kicks} kicks for {opened} + {doubtful} drawers"
        );
        assert!(kicks >= opened, "{name}: {opened} drawers are called open after {kicks} kicks");
        books.kicks += kicks;
        // One job at a time: a death leaves at most one doubt.
        let deaths = chaos.deaths_of(shop);
        let doubts = in_doubt + doubtful;
        assert!(doubts <= deaths, "{name}: {doubts} doubts after {deaths} deaths");
        books.in_doubt += doubts;
        books.deaths += deaths;
    }
    let titles: Vec<String> = rows
        .iter()
        .filter(|row| text(row, "kind") == "print")
        .map(|row| mark_of(&text(row, "title")).to_owned())
        .collect();
    let distinct: BTreeSet<&String> = titles.iter().collect();
    assert_eq!(distinct.len(), titles.len(), "one wish has two commands");
    for wish in asked.tickets.iter().chain(&asked.pages) {
        assert!(distinct.contains(wish), "{wish} was answered and has no command");
    }
    books
}

/// A ticket's number or a page's own title.
fn mark_of(title: &str) -> &str {
    title.split_whitespace().find(|word| word.contains('-')).unwrap_or(title)
}

fn text(row: &PgRow, column: &str) -> String {
    row.get(column)
}

async fn every_punch_is_there_once_and_in_order(town: &Town) {
    let query = "select clock_serial, user_id, local_time, state from punches order by punch_no";
    let rows = sqlx::raw_sql(query).fetch_all(&town.shop.db).await.expect("punches");
    for clock in town.clocks() {
        let made: Vec<(String, String, i64)> = clock
            .punches()
            .iter()
            .map(|punch| (punch.user_id.clone(), punch.local_time(), i64::from(punch.state)))
            .collect();
        let stored: Vec<(String, String, i64)> = rows
            .iter()
            .filter(|row| text(row, "clock_serial") == clock.serial())
            .map(|row| (text(row, "user_id"), text(row, "local_time"), row.get("state")))
            .collect();
        let serial = clock.serial();
        assert_eq!(made.len(), stored.len(), "{serial}: a punch is missing or counted twice");
        let differs = made.iter().zip(&stored).position(|(made, stored)| made != stored);
        assert_eq!(differs, None, "{serial}: the order is not the clock's");
    }
}

/// Nobody holds much more than before.
pub(crate) fn check_holdings(before: &Holdings, after: &Holdings) {
    for ((name, bytes, files), (_, bytes_after, files_after)) in before.iter().zip(after) {
        println!(
            "chaos: {name} held {} KiB and {files} files, now {} KiB and {files_after}",
            bytes / 1024,
            bytes_after / 1024
        );
        assert!(*bytes_after <= bytes + MEMORY_GROWTH_BYTES_MAX, "{name} grows");
        assert!(*files_after <= files + FILES_GROWTH_MAX, "{name} leaves files open");
    }
}
