//! Identity: who may sign in and what they may do.
//!
//! Words: a *user* has one *role* of its company; a role is a set of *permissions*; a
//! *session* is a cookie whose digest stands in the database for twelve hours after its
//! last use and thirty days in all. Invariants: an e-mail belongs to one user of one company; a company always
//! keeps an active owner; a changed password, role or state ends the sessions it must;
//! passwords are argon2id and a login takes the same time whether the e-mail exists.

mod model;
pub mod pages;
mod password;
pub mod permission;
mod service;
mod sessions;
mod sql;
#[cfg(test)]
mod tests;

pub use model::{
    COMPANY_NAME_CHARS_MAX, Email, IdentityError, NAME_CHARS_MAX, NewCompany, NewUser, RoleSummary,
    UserSummary, is_name, password_fault,
};
pub use password::{generated as generated_password, hash as hash_password};
pub use service::{
    SignIn, companies, create_company, create_user, ensure_built_in_roles, find_user,
    forget_expired_sessions, reset_password, sessions_alive, sign_in, sync_roles,
};
pub use sessions::DbSessions;
