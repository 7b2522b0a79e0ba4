//! End-to-end tests: the real daemons against simulated devices.

mod escpos;
mod printer;
