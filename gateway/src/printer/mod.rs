//! The receipt printer: documents in, paper and evidence out.
//!
//! A document goes through [`render`] (lines for a width; [`lettering`] draws those the
//! printer has no letters for), [`escpos`] (bytes) and
//! [`spool`] (when to send them, and what is known afterwards) to a [`transport`].
//! [`status`] understands what the printer says. [`preview`] draws the same lines as
//! a picture. [`profile`] and [`codepage`] say what a model can do.
//!
//! Limits: a character that neither a table of the printer nor the font has is printed as
//! `?` or as an empty box, and the command's report says how many there were.

pub mod canvas;
pub mod codepage;
pub mod config;
mod delivery;
mod desk;
mod direction;
pub mod escpos;
mod lettering;
mod narrator;
pub mod picture;
pub mod preview;
pub mod profile;
mod queue;
pub mod render;
mod share;
pub mod spool;
pub mod status;
pub mod symbol;
pub mod talk;
pub mod transport;

pub use config::PrinterConfig;
pub(crate) use narrator::remedy;
pub(crate) use queue::DRAWER_PATIENCE;
pub use spool::run;
