//! The world the end-to-end tests live in: a real database, the real cloud and
//! gateway processes, simulated devices, and a wire that can be cut.

pub mod browse;
pub mod chromium;
pub mod cluster;
pub mod daemon;
pub mod house;
pub mod net;
pub mod proxy;
pub mod shop;
pub mod thin;
pub mod till;
