//! The ERP and the far end of every shop's tunnel.
//!
//! Cut by business area, the way a shopkeeper would name it. Ground (`app`, `db`,
//! `web`, `i18n`, `money`, `quantity`, `time`) names no area; areas use each
//! other's doors only, and only to their left in the order that `tidy` holds.

pub mod accounting;
pub mod app;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod db;
pub mod demo;
pub mod gateways;
pub mod home;
pub mod i18n;
pub mod identity;
pub mod ingest;
pub mod money;
pub mod people;
pub mod print;
pub mod quantity;
pub mod recipes;
pub mod routes;
pub mod schedule;
pub mod stock;
#[cfg(test)]
mod tidy;
pub mod till;
pub mod time;
pub mod web;
