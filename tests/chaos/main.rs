//! Everything breaks at random while shops punch, sell and print: processes are killed and
//! frozen, wires cut, stalled, slowed and half opened, packets lost, cables pulled, disks full,
//! printers without power. Then everything heals and the books are checked: nothing lost,
//! nothing twice, and no doubt that a death does not explain.
//!
//! `CHAOS_SECONDS` says for how long (60 unless told), `FOURNIL_SEED` replays the schedule.
//! With root, iproute2 and nftables the shops have networks of their own; without, the output
//! says so and the proxy alone spoils their wires. Wall clocks are left alone: the simulation
//! turns those.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells its schedule, in its helpers too"
)]

mod books;
mod faults;
mod people;
mod town;

use std::time::Duration;

use faults::Chaos;
use fournil_tests::world::cluster::Cluster;
use fournil_tests::world::shop::PATIENCE;
use town::Town;

/// The two branches beside the main shop.
const BRANCHES: u8 = 2;
/// A gateway that was refused often stays away for a minute, and half-open wires take half of
/// one to be noticed.
const QUIET_WITHIN: Duration = Duration::from_mins(4);

/// Small, seeded, good enough to choose where it hurts.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

fn told<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_counts_twice_when_everything_breaks() {
    let seed = told("FOURNIL_SEED").unwrap_or_else(|| u64::from(std::process::id()) | 0x5eed_0000);
    let seconds = told("CHAOS_SECONDS").unwrap_or(60);
    println!("chaos: FOURNIL_SEED={seed} replays this schedule of {seconds} s");
    let cluster = Cluster::start("chaos").unwrap();
    let mut town = Town::build(&cluster.url, BRANCHES).await.unwrap();
    let before = town.holdings();

    let people = people::begin(&town, seed).await.unwrap();
    let mut chaos = Chaos::new(seed);
    chaos.rage(&mut town, &cluster, Duration::from_secs(seconds)).await.unwrap();
    chaos.heal_everything(&mut town).unwrap();
    let asked = people.stop().await;

    let settled = town.shop.until_within("all is settled", books::SETTLED, QUIET_WITHIN).await;
    if let Err(error) = settled {
        panic!("{error:#}\n{}", town.logs());
    }
    let made = town.punches_made();
    let arrived = books::until_punches_arrived(&town, made, PATIENCE).await;
    assert!(arrived, "punches are missing:\n{}", town.logs());
    let books = books::check(&town, &asked, &chaos).await;
    books::check_holdings(&before, &town.holdings());
    println!("chaos: {}", chaos.tally());
    println!(
        "chaos: seed {seed}, {seconds} s, {} faults, {made} punches, {} commands ({} printed, \
         {} drawers), 0 lost, 0 doubled, {} in doubt after {} deaths",
        chaos.total(),
        books.commands,
        books.printed,
        books.kicks,
        books.in_doubt,
        books.deaths,
    );
}
