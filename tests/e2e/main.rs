//! End-to-end tests: the real daemons against simulated devices.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod escpos;
mod printer;
