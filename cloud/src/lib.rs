//! The ERP and the far end of every shop's tunnel.
//!
//! Cut by business area, the way a shopkeeper would name it. Ground (`app`, `db`,
//! `web`, `i18n`, `money`, `quantity`, `time`) names no area; areas use each
//! other's doors only, and only to their left in the order that `tidy` holds.

pub mod app;
pub mod cli;
pub mod config;
pub mod db;
pub mod home;
pub mod i18n;
pub mod identity;
pub mod money;
pub mod print;
pub mod quantity;
pub mod routes;
pub mod schedule;
#[cfg(test)]
mod tidy;
pub mod time;
pub mod web;
