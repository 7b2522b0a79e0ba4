//! Virtual time. The runtime's clock is paused and jumps to the next timer when nothing
//! else can happen; these functions turn it into the cloud's time and the shop's wall.
//!
//! The product takes its clocks as plain functions, so the world of a thread lies in
//! variables of that thread.

use std::cell::{Cell, RefCell};

use tokio::time::Instant;

use super::dice::Dice;

/// Where virtual time begins: 2026-11-26 08:00:00 UTC.
const BEGINNING_MS: i64 = 1_795_680_000_000;

thread_local! {
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
    static HELD_MS: Cell<Option<i64>> = const { Cell::new(None) };
    static SKEW_MS: Cell<i64> = const { Cell::new(0) };
    static TRACE: Cell<u64> = const { Cell::new(0) };
    static DICE: RefCell<Dice> = RefCell::new(Dice::new(0));
}

/// Begins a world on this thread, inside its runtime.
pub(super) fn begin(seed: u64) {
    BEGAN.set(Some(Instant::now()));
    HELD_MS.set(None);
    SKEW_MS.set(0);
    TRACE.set(0);
    DICE.with_borrow_mut(|dice| *dice = Dice::new(seed ^ 0x5eed));
}

/// Virtual milliseconds since the beginning.
pub(super) fn elapsed_ms() -> u64 {
    let since = BEGAN.get().map(|began| began.elapsed()).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The cloud's time, Unix milliseconds: the true one.
pub(super) fn cloud_ms() -> i64 {
    HELD_MS.get().unwrap_or_else(|| BEGINNING_MS + i64::try_from(elapsed_ms()).unwrap_or(0))
}

/// The wall clock of the shop's machine.
pub(super) fn shop_ms() -> i64 {
    cloud_ms() + SKEW_MS.get()
}

/// Sets the shop's wall clock to be off by so much.
pub(super) fn skew(skew_ms: i64) {
    SKEW_MS.set(skew_ms);
}

/// Chance, for whatever happens while the world runs.
pub(super) fn random() -> u64 {
    dice(Dice::roll)
}

/// Throws the world's dice. When and what was thrown is the trace of the schedule.
pub(super) fn dice<T>(throw: impl FnOnce(&mut Dice) -> T) -> T {
    let elapsed = BEGAN.get().map(|began| began.elapsed()).unwrap_or_default();
    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    DICE.with_borrow_mut(|dice| {
        let thrown = throw(dice);
        let mut mixed = Dice::new(dice.clone().roll() ^ TRACE.get() ^ micros);
        TRACE.set(mixed.roll());
        thrown
    })
}

/// A number that two runs share only if everything happened at the same moments.
pub(super) fn trace() -> u64 {
    TRACE.get()
}

/// Holds this thread's time at a moment of the world: a thread that works for it.
pub(super) fn hold(cloud_ms: i64) {
    HELD_MS.set(Some(cloud_ms));
}
