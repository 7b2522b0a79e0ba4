//! Seeded schedules of the simulation. `FOURNIL_SIM_SCHEDULES` says how many (300),
//! `FOURNIL_SIM_FIRST` from which seed (1), `FOURNIL_SIM_FAILURES` after how many failing
//! ones to stop (5); `FOURNIL_SIM_SEED` replays one with its log.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use fournil_tests::simulation::{self, Base, Tally};

const SCHEDULES_DEFAULT: u64 = 300;
/// A schedule is its seed: every so many are run twice and compared.
const TWICE_EVERY: u64 = 50;
/// How long one schedule may take of real time, on a busy machine.
const SCHEDULE_MAX: Duration = Duration::from_mins(1);
/// Failing seeds told before the rest is left.
const FAILURES_DEFAULT: u64 = 5;

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
    let failures_max = number("FOURNIL_SIM_FAILURES")?.unwrap_or(FAILURES_DEFAULT);
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::new());
    let total = Mutex::new(Tally::default());
    let began = Instant::now();
    let under_way = Mutex::new(BTreeMap::new());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let work = || -> anyhow::Result<()> {
        let base = Arc::new(Base::new()?);
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let failed = lock(&failures).len();
            if seed >= first + count || failed as u64 >= failures_max {
                return Ok(());
            }
            let start = |seed| (seed, Instant::now());
            let this = std::thread::current().id();
            lock(&under_way).insert(format!("{this:?}"), start(seed));
            let run = simulation::run(&base, seed).and_then(|outcome| {
                if seed % TWICE_EVERY == 0 {
                    let again = simulation::run(&base, seed)?;
                    anyhow::ensure!(again == outcome, "went another way the second time");
                }
                Ok(outcome)
            });
            match run {
                Ok(outcome) => {
                    let mut total = lock(&total);
                    *total = total.plus(&outcome.tally);
                }
                Err(error) => {
                    eprintln!("seed {seed}: {error:#}");
                    lock(&failures).push(seed);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let (over, is_over) = std::sync::mpsc::channel::<()>();
        scope.spawn(|| watch(&under_way, &is_over));
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let done = threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(done) => done,
            Err(_) => anyhow::bail!("a schedule panicked; under way were {:?}", lock(&under_way)),
        });
        drop(over);
        done
    })?;
    let total = *lock(&total);
    let failures = lock(&failures).clone();
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
    anyhow::ensure!(
        failures.is_empty(),
        "{} schedules failed; replay one with FOURNIL_SIM_SEED={} make sim",
        failures.len(),
        failures[0]
    );
    Ok(())
}

/// A schedule that spins in its own time ends by nothing of its own: it is named and all ends.
fn watch(
    under_way: &Mutex<BTreeMap<String, (u64, Instant)>>,
    is_over: &std::sync::mpsc::Receiver<()>,
) {
    while is_over.recv_timeout(SCHEDULE_MAX / 10) == Err(RecvTimeoutError::Timeout) {
        let stuck = lock(under_way).values().find(|(_, at)| at.elapsed() > SCHEDULE_MAX).copied();
        if let Some((seed, _)) = stuck {
            eprintln!("seed {seed}: does not end, its time stands still");
            std::process::exit(1);
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
