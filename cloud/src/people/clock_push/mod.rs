//! Clock push: attendance clocks that call the cloud by themselves (ADMS, "cloud server" in
//! their menus), for a shop without a gateway or a clock far from it. The dialect is in
//! `fournil_protocol::iclock`, which the gateway serves too; here is who may call and what
//! becomes of what is told.
//!
//! Words: an *allowed* clock is one whose number a company let in; a *mark* is the clock's own
//! word for how far its log was taken. Invariants: from a number nobody let in, nothing is
//! kept; `OK` is said after the commit, never before; a block told again adds nothing.
//!
//! Door: the routes; punches go to [`super::attendance`], the rest to [`super::clocks`].

mod model;
pub mod pages;
mod service;
mod sql;
mod talk;
#[cfg(test)]
mod tests;
