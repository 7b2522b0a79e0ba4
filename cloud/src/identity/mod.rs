//! Identity: who may sign in and what they may do.

pub mod permission;
