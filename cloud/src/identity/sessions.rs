//! The look-up behind each request, with a small cache so that a page and its parts cost
//! one query.
//!
//! What ends or changes sessions sends a hint (`sessions`, the user) after its commit;
//! the cache reads the hints before each answer, so a node never honours a session it
//! ended itself, and others follow within a moment, at worst within `FRESH`.
//!
//! A cookie that is no session is remembered too: none ever becomes one, because its
//! digest is made of 32 random bytes when a session begins.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use uuid::Uuid;

use super::service::{SESSIONS_TOPIC, token_digest};
use super::sql;
use crate::db::{Db, DbError, Heard};
use crate::time::TimeSource;
use crate::web::{Known, Looked, Session, Sessions};

/// How long an answer may be used again.
const FRESH: TimeDelta = TimeDelta::seconds(4);
/// Past it the cache is emptied; a cache may forget anything.
const CACHED_MAX: usize = 4_096;
/// How long a cookie that is no session is not asked for again.
const NOBODY_FOR: TimeDelta = TimeDelta::minutes(1);
/// A session is marked as used this often, not on every request.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(5);

struct Cached {
    session: Session,
    found_at: DateTime<Utc>,
}

struct Cache {
    sessions: HashMap<[u8; 32], Cached>,
    /// Digests of cookies that are no session, and when that was found.
    nobody: HashMap<[u8; 32], DateTime<Utc>>,
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
        let (sessions, nobody) = (HashMap::new(), HashMap::new());
        let cache = Cache { sessions, nobody, heard, forgotten: 0 };
        Self { db, time, cache: Mutex::new(cache) }
    }

    /// What the cache holds of a cookie, and the state of the cache to keep with.
    fn cached(&self, digest: &[u8; 32], now: DateTime<Utc>) -> (Known, u64) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.forget_what_changed();
        let known = match (cache.sessions.get(digest), cache.nobody.get(digest)) {
            (Some(cached), _) if now - cached.found_at < FRESH => {
                Known::Alive(cached.session.clone())
            }
            (Some(_), _) => Known::Stale,
            (None, Some(at)) if now - *at < NOBODY_FOR => Known::Nobody,
            (None, _) => Known::Unknown,
        };
        (known, cache.forgotten)
    }

    fn keep_nobody(&self, digest: [u8; 32], now: DateTime<Utc>) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.sessions.remove(&digest);
        if cache.nobody.len() >= CACHED_MAX {
            cache.nobody.clear();
        }
        cache.nobody.insert(digest, now);
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

    async fn look_up(&self, cookie: &str, is_use: bool) -> Result<Option<Session>, DbError> {
        let (digest, now) = (token_digest(cookie), self.time.now());
        let forgotten = match self.cached(&digest, now) {
            (Known::Alive(session), _) => return Ok(Some(session)),
            (Known::Nobody, _) => return Ok(None),
            (Known::Stale | Known::Unknown, forgotten) => forgotten,
        };
        let Some((session, seen_at)) = sql::find_session(self.db.pool(), &digest).await? else {
            self.keep_nobody(digest, now);
            return Ok(None);
        };
        if is_use && now - seen_at > TOUCH_EVERY {
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
    fn known(&self, cookie: &str) -> Known {
        self.cached(&token_digest(cookie), self.time.now()).0
    }

    fn find<'a>(&'a self, cookie: &'a str) -> Looked<'a> {
        Box::pin(async move { Ok(self.look_up(cookie, true).await?) })
    }

    fn look<'a>(&'a self, cookie: &'a str) -> Looked<'a> {
        Box::pin(async move { Ok(self.look_up(cookie, false).await?) })
    }
}
