//! Hints: "something of this kind changed for this company, look again".
//!
//! A hint carries no truth, so losing one costs a poll interval and nothing else.
//! Inside the process they go by a broadcast; to other nodes by one NOTIFY sent as
//! its own statement after the commit.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use tokio::time::timeout;
use uuid::Uuid;

use super::CompanyId;

/// Hints a slow listener may fall behind; past that it is told to look at everything.
const HINTS_MAX: usize = 1024;
const CHANNEL: &str = "fournil_hints";
/// How long an answer may wait for its hints to leave.
const SEND_TIMEOUT: Duration = Duration::from_millis(250);

/// Who should look again at what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hint {
    pub company: CompanyId,
    /// A word of the area that sends it, such as `commands` or `punches`.
    pub topic: &'static str,
    pub subject: Option<Uuid>,
}

/// A hint as listeners get it: the topic of another node's hint is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub company: CompanyId,
    pub topic: String,
    pub subject: Option<Uuid>,
}

/// The process's hints. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hints {
    node: Uuid,
    sender: broadcast::Sender<Heard>,
}

impl Hints {
    pub(super) fn new() -> Self {
        Self { node: Uuid::new_v4(), sender: broadcast::Sender::new(HINTS_MAX) }
    }

    /// Hears every hint from now on. `RecvError::Lagged` means: look at everything.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Heard> {
        self.sender.subscribe()
    }

    /// Wakes this process at once, then the other nodes, for whom the one who acted waits
    /// only a moment: what was committed is committed.
    pub(super) async fn send_after_commit(&self, pool: &PgPool, hints: Vec<Hint>) {
        if hints.is_empty() {
            return;
        }
        for hint in &hints {
            // Nobody listening is fine.
            let _ = self.sender.send(Heard {
                company: hint.company,
                topic: hint.topic.to_owned(),
                subject: hint.subject,
            });
        }
        let payloads: Vec<String> = hints.iter().map(|hint| self.payload(hint)).collect();
        let sending = sqlx::query!(
            r#"select count(pg_notify($1, payload)) as "count!"
               from unnest($2::text[]) as given (payload)"#,
            CHANNEL,
            &payloads
        )
        .fetch_one(pool);
        match timeout(SEND_TIMEOUT, sending).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "hints to other nodes were lost; they poll"),
            Err(_) => tracing::debug!("hints to other nodes took too long; they poll"),
        }
    }

    fn payload(&self, hint: &Hint) -> String {
        let subject = hint.subject.map(|id| id.to_string()).unwrap_or_default();
        format!("{}|{}|{}|{subject}", self.node, hint.company.0, hint.topic)
    }

    /// Passes on the hints of other nodes until the database goes away; the caller
    /// starts it again.
    pub async fn relay(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            let notification = listener.recv().await?;
            if let Some(heard) = self.heard_elsewhere(notification.payload()) {
                let _ = self.sender.send(heard);
            }
        }
    }

    fn heard_elsewhere(&self, payload: &str) -> Option<Heard> {
        let mut parts = payload.splitn(4, '|');
        let node: Uuid = parts.next()?.parse().ok()?;
        let company: Uuid = parts.next()?.parse().ok()?;
        let topic = parts.next()?.to_owned();
        let subject = parts.next()?.parse().ok();
        (node != self.node).then_some(Heard { company: CompanyId(company), topic, subject })
    }
}
