//! Parts that live and die alone.

mod pulse;

pub use pulse::Pulse;
