//! The command line: one file per command.

pub mod clock;
pub mod journal;
pub mod printer;
