//! Seeded schedules of the simulation. `FOURNIL_SIM_SCHEDULES` says how many (300),
//! `FOURNIL_SIM_FIRST` from which seed (1), `FOURNIL_SIM_FAILURES` after how many failing
//! ones to stop (5); `FOURNIL_SIM_SEED` replays one with its log.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use fournil_tests::simulation::{self, Base, Outcome, Tally};

const SCHEDULES_DEFAULT: u64 = 300;
/// A schedule is its seed: every so many are run twice and compared.
const TWICE_EVERY: u64 = 50;
/// A long run says now and then where it is.
const TOLD_EVERY: u64 = 500;
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
    let run = Run {
        end: first + count,
        failures_max: number("FOURNIL_SIM_FAILURES")?.unwrap_or(FAILURES_DEFAULT),
        next: AtomicU64::new(first),
        ..Run::default()
    };
    let began = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let (over, is_over) = channel();
        let run = &run;
        scope.spawn(move || run.watch(&is_over));
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| run.work())).collect();
        let done = threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(done) => done,
            Err(_) => anyhow::bail!("a panic; under way were {:?}", lock(&run.under_way)),
        });
        drop::<std::sync::mpsc::Sender<()>>(over);
        done
    })?;
    let total = *lock(&run.total);
    let Tally { faults, sessions, punches, commands, in_doubt, deaths, printed, opened } = total;
    let (last, seconds) = (run.end - 1, began.elapsed().as_secs());
    println!(
        "simulation: seeds {first} to {last} in {seconds} s: {faults} faults, {sessions} sessions, \
         {punches} punches, {commands} commands ({printed} printed, {opened} drawers); {in_doubt} in \
         doubt after {deaths} deaths"
    );
    let is_enough = count >= TWICE_EVERY;
    anyhow::ensure!(!is_enough || (printed > 0 && opened > 0), "nothing was done at all");
    let failures = lock(&run.failures).clone();
    let Some(seed) = failures.first() else { return Ok(()) };
    anyhow::bail!("failing seeds: {failures:?}; replay one: make sim SEED={seed}")
}

/// What the threads share.
#[derive(Debug, Default)]
struct Run {
    /// Behind the last seed.
    end: u64,
    failures_max: u64,
    next: AtomicU64,
    failures: Mutex<Vec<u64>>,
    total: Mutex<Tally>,
    under_way: Mutex<BTreeMap<String, (u64, Instant)>>,
}

impl Run {
    /// Takes one seed after the other.
    fn work(&self) -> anyhow::Result<()> {
        let base = Arc::new(Base::new()?);
        let this: ThreadId = std::thread::current().id();
        loop {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            let failed = lock(&self.failures).len();
            if seed >= self.end || failed as u64 >= self.failures_max {
                lock(&self.under_way).remove(&format!("{this:?}"));
                return Ok(());
            }
            lock(&self.under_way).insert(format!("{this:?}"), (seed, Instant::now()));
            match live(&base, seed) {
                Ok(outcome) => {
                    let mut total = lock(&self.total);
                    *total = total.plus(&outcome.tally);
                    if seed.is_multiple_of(TOLD_EVERY) {
                        println!("simulation: seed {seed}, {} faults so far", total.faults);
                    }
                }
                Err(error) => {
                    eprintln!("seed {seed}: {error:#}");
                    lock(&self.failures).push(seed);
                }
            }
        }
    }

    /// A schedule that spins in its own time ends by nothing of its own: it is named, and
    /// everything ends.
    fn watch(&self, is_over: &Receiver<()>) {
        while is_over.recv_timeout(SCHEDULE_MAX / 10) == Err(RecvTimeoutError::Timeout) {
            let is_stuck = |(_, at): &&(u64, Instant)| at.elapsed() > SCHEDULE_MAX;
            let stuck = lock(&self.under_way).values().find(is_stuck).copied();
            if let Some((seed, _)) = stuck {
                eprintln!("seed {seed}: does not end, its time stands still");
                std::process::exit(1);
            }
        }
    }
}

/// One schedule; some are lived twice, which must not be told apart.
fn live(base: &Arc<Base>, seed: u64) -> anyhow::Result<Outcome> {
    let outcome = simulation::run(base, seed)?;
    if seed.is_multiple_of(TWICE_EVERY) {
        let again = simulation::run(base, seed)?;
        anyhow::ensure!(again == outcome, "went another way the second time");
    }
    Ok(outcome)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
