//! People: areas under one roof. `employees` knows who works here, `attendance` what the
//! clocks recorded, `clocks` the clocks themselves; pay comes later and stands to their right.

pub mod attendance;
pub mod clock_push;
pub mod clocks;
pub mod employees;
