//! Simulated devices that behave like the real ones, faults included, and the world
//! the end-to-end tests live in.

#![expect(clippy::indexing_slicing, reason = "a simulator may stop a test by panicking")]

pub mod clock_sim;
pub mod printer_sim;
pub mod simulation;
pub mod world;
