//! Commands, one file each.

pub mod demo_data;
