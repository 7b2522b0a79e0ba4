//! What the console can do.

pub mod gateway;
