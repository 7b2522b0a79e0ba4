//! End-to-end tests: the product against simulated devices and independent judges.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod browser;
mod bulk;
mod clock;
mod diagnostics;
mod doctor;
mod errors;
mod escpos;
mod identity;
mod journey;
mod printer;
mod push;
mod pyzk;
mod rustzk;
mod soak;
mod stranger;
mod supervision;
mod versions;
