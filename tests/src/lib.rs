//! Simulated devices that behave like the real ones, faults included, and the world
//! the end-to-end tests live in.

pub mod clock_sim;
pub mod printer_sim;
pub mod world;
