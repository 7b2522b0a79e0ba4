//! Why a command failed, as the one line it prints.

use sqlx::migrate::MigrateError;

use crate::config::ConfigError;
use crate::db::DbError;
use crate::i18n::{Message, Texts};
use crate::identity::IdentityError;
use crate::web::TlsError;

/// A failed command.
#[derive(Debug)]
pub struct Fault {
    message: Message,
    exit_status: u8,
}

impl Fault {
    /// Something could not be done.
    #[must_use]
    pub const fn new(message: Message) -> Self {
        Self { message, exit_status: 1 }
    }

    /// The command was called wrongly.
    #[must_use]
    pub const fn usage(id: &'static str) -> Self {
        Self { message: Message::new(id), exit_status: 2 }
    }

    pub(super) const fn exit_status(&self) -> u8 {
        self.exit_status
    }

    /// The line, without breaks whatever the cause says.
    pub(super) fn say(&self, texts: &Texts) -> String {
        let text = texts.say(&self.message);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl From<Message> for Fault {
    fn from(message: Message) -> Self {
        Self::new(message)
    }
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        Self::new(error.0)
    }
}

impl From<anyhow::Error> for Fault {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<DbError>() {
            Ok(error) => error.into(),
            Err(error) => Self::new(Message::new("cli-failed").with("cause", format!("{error:#}"))),
        }
    }
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        let id = match &error {
            DbError::Unavailable(_) => "cli-database-away",
            // 42883, 42P01, 42704: a function, table or role that a migration makes.
            DbError::Other(cause) if is_unmigrated(cause) => "cli-not-migrated",
            _ => "cli-database-fault",
        };
        let cause = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), ToString::to_string);
        Self::new(Message::new(id).with("cause", cause))
    }
}

impl From<MigrateError> for Fault {
    fn from(error: MigrateError) -> Self {
        let told = |id, version: i64| {
            let message = Message::new(id).with("version", format!("{version:04}"));
            Self::new(message.with("release", env!("CARGO_PKG_VERSION")))
        };
        match error {
            MigrateError::Execute(error) => DbError::from(error).into(),
            MigrateError::VersionMissing(version) => told("cli-schema-newer", version),
            MigrateError::VersionMismatch(version) => told("cli-schema-changed", version),
            MigrateError::Dirty(version) => told("cli-schema-dirty", version),
            other => Self::new(Message::new("cli-migration-failed").with("cause", other)),
        }
    }
}

impl From<IdentityError> for Fault {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Db(error) => error.into(),
            IdentityError::UnknownUser => Self::new(Message::new("cli-unknown-user")),
            other => match crate::web::Error::from(other) {
                crate::web::Error::Invalid(faults) => faults.into_iter().next().map_or_else(
                    || Self::new(Message::new("error-invalid")),
                    |fault| Self::new(fault.message),
                ),
                error => Self::new(error.message()),
            },
        }
    }
}

impl From<TlsError> for Fault {
    fn from(error: TlsError) -> Self {
        if let TlsError::HalfAuthority { missing, present } = &error {
            let message = Message::new("cli-tls-half-authority");
            let message = message.with("missing", missing.display());
            return Self::new(message.with("present", present.display()));
        }
        let cause = std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), |source| format!("{error} ({source})"));
        Self::new(Message::new("cli-tls").with("cause", cause))
    }
}

fn is_unmigrated(cause: &sqlx::Error) -> bool {
    let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["42883", "42P01", "42704", "22023"].contains(&&*code))
}
