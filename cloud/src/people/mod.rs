//! People: three areas under one roof. `employees` knows who works here, `attendance`
//! what the clocks recorded; pay comes later and stands to their right.

pub mod attendance;
pub mod employees;
