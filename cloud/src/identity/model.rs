//! Users, roles and the rules their fields obey. No input or output.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::db::DbError;
use crate::i18n::Message;
use crate::web::{Error, FieldFault};

pub(super) const PASSWORD_CHARS_MIN: usize = 10;
/// Argon2 takes any length; a bound keeps a login from being a load.
pub(super) const PASSWORD_CHARS_MAX: usize = 200;
/// Of a person or a shop; the tables hold the same bound.
pub const NAME_CHARS_MAX: usize = 80;
pub const COMPANY_NAME_CHARS_MAX: usize = 120;
const EMAIL_CHARS_MAX: usize = 200;
/// The role that holds everything.
pub(super) const OWNER: &str = "owner";

/// An e-mail address as a login name: lower case, one `@` with something on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Email(String);

impl Email {
    /// Reads what a person typed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let (local, host) = text.split_once('@')?;
        let is_plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
        let is_whole = !local.is_empty() && !host.is_empty() && !host.contains('@');
        (is_plain && is_whole && text.chars().count() <= EMAIL_CHARS_MAX).then_some(Self(text))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A company to be made, with its first shop.
#[derive(Debug, Clone, Serialize)]
pub struct NewCompany {
    pub name: String,
    pub store_name: String,
}

/// A user to be made.
#[derive(Debug, Clone, Serialize)]
pub struct NewUser {
    pub email: Email,
    pub name: String,
    /// A role's key, such as `cashier`.
    pub role: String,
    /// Kept out of what is digested for the idempotency key.
    #[serde(skip)]
    pub password_hash: String,
}

/// A user as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSummary {
    pub user_id: Uuid,
    pub name: String,
    pub email: String,
    pub role: String,
    pub role_name: String,
    pub active: bool,
    pub last_seen_at: Option<DateTime<Utc>>,
}

/// A role as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSummary {
    pub key: String,
    pub name: String,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuditLine {
    pub audit_id: i64,
    pub at: DateTime<Utc>,
    pub actor_kind: String,
    pub actor_label: String,
    pub act: String,
    pub subject_kind: String,
    pub subject_id: String,
    /// Names and values, as the act gave them.
    pub details: Vec<(String, String)>,
}

/// Which lines of the audit log, newest first, below `before`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AuditFilter {
    /// Beginning of the act, such as `till.`.
    pub act: String,
    /// Part of the actor's name.
    pub actor: String,
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    pub before: Option<i64>,
}

/// Why an identity act was refused.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("e-mail is already a user's")]
    EmailTaken,
    #[error("no role of that key")]
    UnknownRole,
    #[error("no such user")]
    UnknownUser,
    #[error("company would be left without an active owner")]
    LastOwner,
    #[error("users cannot take their own access away")]
    OwnAccount,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<IdentityError> for Error {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::EmailTaken => {
                Self::field("email", Message::new("identity-fault-email-taken"))
            }
            IdentityError::UnknownRole => Self::field("role", Message::new("identity-fault-role")),
            IdentityError::UnknownUser => Self::NotFound,
            IdentityError::LastOwner => Self::Refused(Message::new("identity-fault-last-owner")),
            IdentityError::OwnAccount => Self::Refused(Message::new("identity-fault-own-account")),
            IdentityError::Db(error) => error.into(),
        }
    }
}

/// True for a name with something in it and at most `most` characters.
#[must_use]
pub fn is_name(name: &str, most: usize) -> bool {
    (1..=most).contains(&name.trim().chars().count())
}

/// What is wrong with a person's name.
#[must_use]
pub(super) fn name_fault(name: &str) -> Option<FieldFault> {
    let message = Message::new("identity-fault-name").with("most", NAME_CHARS_MAX);
    (!is_name(name, NAME_CHARS_MAX)).then_some(FieldFault { field: "name", message })
}

/// What is wrong with a new password. Length is what counts; the obvious is refused.
#[must_use]
pub fn password_fault(password: &str, email: &str) -> Option<Message> {
    let chars = password.chars().count();
    if chars < PASSWORD_CHARS_MIN {
        return Some(
            Message::new("identity-fault-password-short").with("least", PASSWORD_CHARS_MIN),
        );
    }
    if chars > PASSWORD_CHARS_MAX {
        return Some(Message::new("identity-fault-password-long").with("most", PASSWORD_CHARS_MAX));
    }
    let plain = password.to_lowercase();
    let local = email.split('@').next().unwrap_or_default();
    let is_email = plain == email || (local.len() >= 4 && plain.starts_with(local));
    let mut kinds: Vec<char> = plain.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    let is_obvious = ["password", "motdepasse", "azerty", "qwerty", "12345678", "fournil"]
        .iter()
        .any(|word| plain.starts_with(word));
    (is_email || is_obvious || kinds.len() < 4)
        .then(|| Message::new("identity-fault-password-obvious"))
}

/// Where to go after signing in: a path of ours, or home. `//host` and `/\host` would
/// lead a browser away.
#[must_use]
pub(super) fn safe_next(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.starts_with("/\\")
        && !next.starts_with("/login")
        && next.len() <= 1_000
        && !next.chars().any(char::is_control);
    if is_ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_is_read_in_lower_case_and_nonsense_is_refused() {
        let read = |text| Email::parse(text).map(|email| email.as_str().to_owned());
        assert_eq!(read("  Amel@Example.DZ "), Some("amel@example.dz".to_owned()));
        for nonsense in ["", "amel", "@x", "amel@", "a b@x", "a@b@c"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn the_way_back_after_login_never_leaves_the_site() {
        assert_eq!(safe_next("/till?x=1"), "/till?x=1");
        for away in
            ["//evil.example", "/\\evil.example", "https://evil.example", "", "/login", "/a\nb"]
        {
            assert_eq!(safe_next(away), "/", "{away}");
        }
    }

    #[test]
    fn short_long_and_obvious_passwords_are_refused() {
        assert!(password_fault("court", "a@b.dz").is_some());
        assert!(password_fault("aaaaaaaaaaaa", "a@b.dz").is_some());
        assert!(password_fault("Motdepasse2026", "a@b.dz").is_some());
        assert!(password_fault("amel@example.dz", "amel@example.dz").is_some());
        assert!(password_fault(&"abcdef".repeat(50), "a@b.dz").is_some());
        assert!(password_fault("quatre chats gris", "a@b.dz").is_none());
    }
}
