//! Every outcome a user can meet that is not success, turned into a response in
//! one place. Causes are logged and never shown.

use std::fmt;

use crate::db::DbError;
use crate::i18n::Message;

/// What handlers return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A field of a form and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    pub field: &'static str,
    pub message: Message,
}

/// The faults of a form being shown again; empty when it is shown first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<FieldFault>);

impl Faults {
    /// What is wrong with a field, or nothing: `{{ faults.of("email", page) }}`.
    #[must_use]
    pub fn of(&self, field: &str, page: &super::Page) -> String {
        let fault = self.0.iter().find(|fault| fault.field == field);
        fault.map(|fault| page.texts.say(&fault.message)).unwrap_or_default()
    }

    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.0.iter().any(|fault| fault.field == field)
    }
}

/// An outcome other than success.
#[derive(Debug)]
pub enum Error {
    /// 404, also for a path parameter that does not parse.
    NotFound,
    /// 405 with the methods that exist.
    MethodNotAllowed(Vec<&'static str>),
    /// 401 for programs, a redirect to the login for browsers.
    SignInNeeded,
    /// 403: the permission that is missing.
    Forbidden(&'static str),
    /// 403: the form was not made by a page of this session.
    StaleForm,
    /// 400: the request itself is malformed.
    Malformed(Message),
    /// 422: the input breaks a rule; says where and what to do.
    Invalid(Vec<FieldFault>),
    /// 409: the act cannot be done as things stand.
    Refused(Message),
    /// 408: the body came too slowly.
    TooSlow,
    /// 413 with the limit in bytes.
    TooLarge(usize),
    /// 429 with the seconds to wait.
    TooMany(u64),
    /// 503: the database or a part is away; try again.
    Unavailable,
    /// 500: a fault of ours, with its cause for the log.
    Internal(anyhow::Error),
}

impl Error {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::SignInNeeded => 401,
            Self::Forbidden(_) | Self::StaleForm => 403,
            Self::Malformed(_) => 400,
            Self::Invalid(_) => 422,
            Self::Refused(_) => 409,
            Self::TooSlow => 408,
            Self::TooLarge(_) => 413,
            Self::TooMany(_) => 429,
            Self::Unavailable => 503,
            Self::Internal(_) => 500,
        }
    }

    /// One field is wrong.
    #[must_use]
    pub fn field(field: &'static str, message: Message) -> Self {
        Self::Invalid(vec![FieldFault { field, message }])
    }

    /// What to tell the user, in the words of `web/fr.ftl`.
    #[must_use]
    pub fn message(&self) -> Message {
        match self {
            Self::NotFound => Message::new("error-not-found"),
            Self::MethodNotAllowed(_) => Message::new("error-method"),
            Self::SignInNeeded => Message::new("error-sign-in"),
            Self::Forbidden(permission) => {
                Message::new("error-forbidden").with("permission", *permission)
            }
            Self::StaleForm => Message::new("error-stale-form"),
            Self::Malformed(message) | Self::Refused(message) => message.clone(),
            Self::Invalid(faults) => faults
                .first()
                .map_or_else(|| Message::new("error-invalid"), |fault| fault.message.clone()),
            Self::TooSlow => Message::new("error-too-slow"),
            Self::TooLarge(limit) => Message::new("error-too-large").with("limit", limit),
            Self::TooMany(seconds) => Message::new("error-too-many").with("seconds", seconds),
            Self::Unavailable => Message::new("error-unavailable"),
            Self::Internal(_) => Message::new("error-internal"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.status(), self.message().id)
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(cause) => {
                tracing::warn!(error = %cause, "database unavailable");
                Self::Unavailable
            }
            DbError::Contention(cause) => {
                tracing::info!(error = %cause, "two acts collided");
                Self::Refused(Message::new("error-contention"))
            }
            DbError::KeyReused => Self::Refused(Message::new("error-key-reused")),
            other @ (DbError::Constraint { .. } | DbError::Other(_)) => {
                Self::Internal(anyhow::Error::new(other))
            }
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}

impl From<askama::Error> for Error {
    fn from(error: askama::Error) -> Self {
        Self::Internal(anyhow::Error::new(error).context("a page could not be rendered"))
    }
}
