//! Seeded schedules of the simulation. `FOURNIL_SIM_SCHEDULES` says how many (300),
//! `FOURNIL_SIM_FIRST` from which seed (1), `FOURNIL_SIM_SEED` replays one with its log.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use fournil_tests::simulation::{self, Base, Tally};

const SCHEDULES_DEFAULT: u64 = 300;
/// A schedule is its seed: every so many are run twice and compared.
const TWICE_EVERY: u64 = 50;
/// Failing seeds told before the rest is left.
const FAILURES_MAX: usize = 5;

fn main() -> ExitCode {
    let done = match number("FOURNIL_SIM_SEED") {
        Ok(Some(seed)) => replay(seed),
        Ok(None) => many(),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fournil: simulation: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn number(name: &str) -> anyhow::Result<Option<u64>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text.parse().with_context(|| format!("{name}={text} is no number"))?)),
        Err(_) => Ok(None),
    }
}

/// One schedule, twice: with its log, and again to show that it is the same.
fn replay(seed: u64) -> anyhow::Result<()> {
    let base = Arc::new(Base::new()?);
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    tracing_subscriber::fmt().with_env_filter(filter).without_time().with_ansi(false).init();
    let first = simulation::run(&base, seed);
    println!("seed {seed}: {first:#?}");
    let again = simulation::run(&base, seed);
    let is_same = match (&first, &again) {
        (Ok(first), Ok(again)) => first == again,
        (Err(first), Err(again)) => first.to_string() == again.to_string(),
        _ => false,
    };
    anyhow::ensure!(is_same, "seed {seed} went another way the second time: {again:?}");
    first.map(drop)
}

/// Schedules on every core, each core on a database of its own.
fn many() -> anyhow::Result<()> {
    let count = number("FOURNIL_SIM_SCHEDULES")?.unwrap_or(SCHEDULES_DEFAULT);
    let first = number("FOURNIL_SIM_FIRST")?.unwrap_or(1);
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::new());
    let total = Mutex::new(Tally::default());
    let began = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let work = || -> anyhow::Result<()> {
        let base = Arc::new(Base::new()?);
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let failed = failures.lock().unwrap_or_else(PoisonError::into_inner).len();
            if seed >= first + count || failed >= FAILURES_MAX {
                return Ok(());
            }
            let run = simulation::run(&base, seed).and_then(|outcome| {
                if seed % TWICE_EVERY == 0 {
                    let again = simulation::run(&base, seed)?;
                    anyhow::ensure!(again == outcome, "went another way the second time");
                }
                Ok(outcome)
            });
            match run {
                Ok(outcome) => {
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    *total = total.plus(&outcome.tally);
                }
                Err(error) => {
                    eprintln!("seed {seed}: {error:#}");
                    failures.lock().unwrap_or_else(PoisonError::into_inner).push(seed);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(done) => done,
            Err(_) => anyhow::bail!("a schedule panicked; its seed is the last one begun"),
        })
    })?;
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "simulation: seeds {first} to {}: {} faults, {} sessions, {} punches and {} commands in \
         {} s; 0 lost, 0 doubled, {} in doubt after {} deaths",
        first + count - 1,
        total.faults,
        total.sessions,
        total.punches,
        total.commands,
        began.elapsed().as_secs(),
        total.in_doubt,
        total.deaths,
    );
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    anyhow::ensure!(
        failures.is_empty(),
        "{} schedules failed; replay one with FOURNIL_SIM_SEED={} make sim",
        failures.len(),
        failures[0]
    );
    Ok(())
}
