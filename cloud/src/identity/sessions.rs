//! The look-up behind each request, with a small cache so that a page and its parts cost
//! one query.
//!
//! What ends or changes sessions sends a hint (`sessions`, the user) after its commit;
//! the cache reads the hints before each answer, so a node never honours a session it
//! ended itself, and others follow within a moment, at worst within `FRESH`.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use uuid::Uuid;

use super::service::{SESSIONS_TOPIC, token_digest};
use super::sql;
use crate::db::{Db, DbError, Heard};
use crate::time::TimeSource;
use crate::web::{Session, Sessions};

/// How long an answer may be used again.
const FRESH: TimeDelta = TimeDelta::seconds(4);
/// Past it the cache is emptied; a cache may forget anything.
const CACHED_MAX: usize = 4_096;
/// A session is marked as used this often, not on every request.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(5);

struct Cached {
    session: Session,
    found_at: DateTime<Utc>,
}

struct Cache {
    sessions: HashMap<[u8; 32], Cached>,
    heard: Receiver<Heard>,
    /// Counts what was forgotten: an answer read before that may not be kept after it.
    forgotten: u64,
}

/// Sessions in the database.
pub struct DbSessions {
    db: Db,
    time: TimeSource,
    cache: Mutex<Cache>,
}

impl std::fmt::Debug for DbSessions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DbSessions").finish_non_exhaustive()
    }
}

impl DbSessions {
    #[must_use]
    pub fn new(db: Db, time: TimeSource) -> Self {
        let heard = db.hints().listen();
        let cache = Cache { sessions: HashMap::new(), heard, forgotten: 0 };
        Self { db, time, cache: Mutex::new(cache) }
    }

    /// The session if it is known and fresh, else the state of the cache to keep with.
    fn cached(&self, digest: &[u8; 32], now: DateTime<Utc>) -> Result<Session, u64> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.forget_what_changed();
        match cache.sessions.get(digest) {
            Some(cached) if now - cached.found_at < FRESH => Ok(cached.session.clone()),
            _ => Err(cache.forgotten),
        }
    }

    fn keep(&self, digest: [u8; 32], session: &Session, found_at: DateTime<Utc>, forgotten: u64) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.forget_what_changed();
        if cache.forgotten != forgotten {
            return;
        }
        if cache.sessions.len() >= CACHED_MAX {
            cache.sessions.clear();
        }
        cache.sessions.insert(digest, Cached { session: session.clone(), found_at });
    }

    async fn look_up(&self, cookie: &str) -> Result<Option<Session>, DbError> {
        let (digest, now) = (token_digest(cookie), self.time.now());
        let forgotten = match self.cached(&digest, now) {
            Ok(session) => return Ok(Some(session)),
            Err(forgotten) => forgotten,
        };
        let Some((session, seen_at)) = sql::find_session(self.db.pool(), &digest).await? else {
            return Ok(None);
        };
        if now - seen_at > TOUCH_EVERY {
            let mut act = self.db.begin(&session.actor()).await?;
            sql::touch_session(act.connection(), session.company, &digest).await?;
            act.commit().await?;
        }
        self.keep(digest, &session, now, forgotten);
        Ok(Some(session))
    }
}

impl Cache {
    fn forget_what_changed(&mut self) {
        loop {
            match self.heard.try_recv() {
                Ok(heard) if heard.topic == SESSIONS_TOPIC => self.forget(heard.subject),
                Ok(_) => {}
                Err(TryRecvError::Lagged(_)) => self.forget(None),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn forget(&mut self, user_id: Option<Uuid>) {
        self.forgotten += 1;
        match user_id {
            Some(user_id) => self.sessions.retain(|_, cached| cached.session.user_id != user_id),
            None => self.sessions.clear(),
        }
    }
}

impl Sessions for DbSessions {
    fn find<'a>(
        &'a self,
        cookie: &'a str,
    ) -> Pin<Box<dyn Future<Output = crate::web::Result<Option<Session>>> + Send + 'a>> {
        Box::pin(async move { Ok(self.look_up(cookie).await?) })
    }
}
