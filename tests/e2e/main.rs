//! End-to-end tests: the product against simulated devices and independent judges.

mod clock;
mod pyzk;
