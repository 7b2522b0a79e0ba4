//! The command line: one file per command.

pub mod clock;
pub mod printer;
