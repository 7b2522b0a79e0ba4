//! `fournil-cloud serve` before the database answers: it waits, says so now and then, and
//! goes on by itself.
//!
//! Only what waiting cannot mend ends the process: tables of another release, a refused
//! password. Two nodes that start at once and get into each other's way are no such thing.

use std::time::Duration;

use sd_notify::NotifyState;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Fault;
use super::systemd::tell_systemd;
use crate::app::App;
use crate::db::{self, DbError};
use crate::i18n::Message;
use crate::schedule::Jobs;
use crate::web::Readiness;
use crate::{accounting, identity};

/// Between two tries to reach the database.
const RETRY: Duration = Duration::from_secs(2);
/// A try that takes longer is one that failed: a network that swallows packets would
/// otherwise keep the first word back for minutes.
const TRY_MAX: Duration = Duration::from_secs(15);
/// Between two lines in the log while it stays away.
const SAY_EVERY: Duration = Duration::from_mins(1);

/// Waits for the database, refuses tables of another release, then opens the pages and
/// starts the jobs that need it.
pub(super) async fn become_ready(
    jobs: Jobs,
    connect: PgConnectOptions,
    readiness: Readiness,
    fatal: oneshot::Sender<Fault>,
) {
    let texts = jobs.app.texts.in_language("fr");
    let say = |message: &Message| tracing::warn!("{}", texts.say(message));
    // Cancel safe: looking changes nothing.
    let waited = tokio::select! {
        () = jobs.stop.cancelled() => return,
        waited = until_there(|| look(&jobs.app, &connect), say) => waited,
    };
    match waited {
        Ok(()) => {
            readiness.set_ready();
            jobs.start_with_database();
            tell_systemd(&[NotifyState::Status("serving")]);
            tracing::info!("ready: the database answers and is of this release");
        }
        Err(fault) => {
            let _: Result<(), Fault> = fatal.send(fault);
        }
    }
}

/// Looks until the database is there. What to do is said at the first failure, then once
/// a minute, and its return too when its absence was said.
async fn until_there<L>(
    mut look: impl FnMut() -> L,
    mut say: impl FnMut(&Message),
) -> Result<(), Fault>
where
    L: Future<Output = Result<(), Looked>>,
{
    let mut said_at: Option<Instant> = None;
    loop {
        let cause = match look().await {
            Ok(()) => {
                if said_at.is_some() {
                    say(&Message::new("cli-database-back"));
                }
                return Ok(());
            }
            Err(Looked::Refused(fault)) => return Err(fault),
            Err(Looked::Away(cause)) => cause,
        };
        if said_at.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            said_at = Some(Instant::now());
            tell_systemd(&[NotifyState::Status("waiting for the database")]);
            let message = Message::new("cli-waiting-database").with("cause", cause);
            say(&message.with("seconds", RETRY.as_secs()));
        }
        tokio::time::sleep(RETRY).await;
    }
}

#[derive(Debug)]
enum Looked {
    /// It will do later; why not now.
    Away(String),
    Refused(Fault),
}

impl From<DbError> for Looked {
    fn from(error: DbError) -> Self {
        match error {
            // Another node that starts brings the same roles up to date at this moment.
            DbError::Unavailable(cause) | DbError::Contention(cause) => {
                Self::Away(cause.to_string())
            }
            other => Self::Refused(other.into()),
        }
    }
}

async fn look(app: &App, connect: &PgConnectOptions) -> Result<(), Looked> {
    let looked = tokio::time::timeout(TRY_MAX, look_now(app, connect)).await;
    looked.unwrap_or_else(|_| Err(Looked::Away(format!("{} s", TRY_MAX.as_secs()))))
}

async fn look_now(app: &App, connect: &PgConnectOptions) -> Result<(), Looked> {
    match db::pending(connect).await {
        Ok(0) => {}
        Ok(count) => {
            let message = Message::new("cli-migrations-wait").with("count", count);
            return Err(Looked::Refused(message.into()));
        }
        Err(MigrateError::Execute(error)) => return Err(DbError::from(error).into()),
        Err(other) => return Err(Looked::Refused(other.into())),
    }
    identity::sync_roles(&app.db).await?;
    let companies = identity::companies(&app.db).await?;
    let companies: Vec<_> = companies.into_iter().map(|(company, _)| company).collect();
    Ok(accounting::sync_charts(&app.db, &companies).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Result<(), Looked> {
        Err(Looked::Away("connection refused".to_owned()))
    }

    /// The ids said while the database answers at the try `there`, and the outcome.
    async fn waited(there: u32, last: fn() -> Result<(), Looked>) -> (Vec<&'static str>, bool) {
        let (mut tries, mut said) = (0, Vec::new());
        let look = || {
            tries += 1;
            std::future::ready(if tries >= there { last() } else { away() })
        };
        let outcome = until_there(look, |message| said.push(message.id)).await;
        (said, outcome.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_there_is_no_news() {
        assert_eq!(waited(1, || Ok(())).await, (vec![], true));
    }

    #[tokio::test(start_paused = true)]
    async fn its_absence_is_said_at_once_then_each_minute_and_its_return_once() {
        let absent = "cli-waiting-database";
        assert_eq!(waited(2, || Ok(())).await, (vec![absent, "cli-database-back"], true));
        // Three minutes of tries every two seconds.
        let long = vec![absent, absent, absent, "cli-database-back"];
        assert_eq!(waited(90, || Ok(())).await, (long, true));
    }

    #[tokio::test(start_paused = true)]
    async fn what_waiting_cannot_mend_ends_it() {
        let refused = || Err(Looked::Refused(Fault::usage("cli-no-command")));
        assert_eq!(waited(1, refused).await, (vec![], false));
    }

    #[test]
    fn two_nodes_in_each_others_way_wait_and_try_again() {
        let collided = || sqlx::Error::PoolTimedOut;
        assert!(matches!(DbError::Contention(collided()).into(), Looked::Away(_)));
        assert!(matches!(DbError::Unavailable(collided()).into(), Looked::Away(_)));
        assert!(matches!(DbError::KeyReused.into(), Looked::Refused(_)));
    }
}
