//! Employees: who works here. Kept small: a name, a job, their number and card on
//! the clocks, and whether they still do.
//!
//! Invariant: nobody is ever removed or set inactive by the program; people decide.
//! Door: [`add`], [`set_active`], [`set_clock`], [`active`].

mod service;
mod sql;

pub mod pages;
#[cfg(test)]
mod tests;

pub use service::{active, add, set_active, set_clock};
pub use sql::Employee;
