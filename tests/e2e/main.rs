//! End-to-end tests: the product against simulated devices and independent judges.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod browser;
mod clock;
mod doctor;
mod errors;
mod escpos;
mod faults;
mod journey;
mod printer;
mod pyzk;
mod stranger;
