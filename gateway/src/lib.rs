//! The shop's daemon: one outbound tunnel, a durable journal, the clock and the printer.
//!
//! Two halves meet only in [`seam`]: tunnel and journal on one side, devices on
//! the other. Nothing outside [`printer`] knows ESC/POS, nothing outside
//! [`clock`] knows ZKTeco, and neither knows that a cloud exists.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod i18n;
pub mod journal;
pub mod logs;
pub mod printer;
pub mod seam;
pub mod supervise;
pub mod time;
pub mod tunnel;
