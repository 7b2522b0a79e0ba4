//! The live list: new punches as server-sent events, each once, in order of arrival.
//!
//! A hint says when to look; what is sent is what the database has after the last number
//! sent. The web ground beats, ends streams at shutdown and after a while.

use std::collections::{HashMap, VecDeque};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::timeout;

use super::TOPIC;
use super::sql::{self, Filter, PunchRow};
use crate::db::{CompanyId, Db, DbError, Heard};

/// Open streams per company; one browser tab is one.
pub(super) const STREAMS_PER_COMPANY_MAX: usize = 64;
/// Punches read at once; the next look takes the rest.
const ROWS_PER_LOOK: i64 = 200;
/// A look without a hint: hints of other nodes may be lost.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

static OPEN: LazyLock<Mutex<HashMap<CompanyId, usize>>> = LazyLock::new(Mutex::default);

/// A place among a company's streams, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat(CompanyId);

impl Seat {
    /// `None` when all places are taken.
    pub(super) fn take(company: CompanyId) -> Option<Self> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(company).or_default();
        if *count >= STREAMS_PER_COMPANY_MAX {
            return None;
        }
        *count += 1;
        Some(Self(company))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.0);
            }
        }
    }
}

/// What a stream follows.
#[derive(Debug, Clone)]
pub(super) struct Following {
    pub(super) db: Db,
    pub(super) company: CompanyId,
    pub(super) filter: Filter,
    /// The last number the reader has.
    pub(super) after: i64,
}

struct Feed {
    following: Following,
    hints: Receiver<Heard>,
    ready: VecDeque<PunchRow>,
    _seat: Seat,
}

/// Every punch after `after`, each once; never ends by itself.
pub(super) fn follow(following: Following, seat: Seat) -> impl Stream<Item = PunchRow> + Send {
    // Listening begins before the first look, so nothing falls between the two.
    let hints = following.db.hints().listen();
    let feed = Feed { following, hints, ready: VecDeque::new(), _seat: seat };
    stream::unfold(feed, |mut feed| async move {
        loop {
            if let Some(row) = feed.ready.pop_front() {
                return Some((row, feed));
            }
            match feed.look().await {
                Ok(true) => {}
                Ok(false) => feed.wait().await,
                Err(error) => {
                    // The browser keeps its place and gets what it missed later.
                    tracing::debug!(%error, "a live list could not look");
                    feed.wait().await;
                }
            }
        }
    })
}

impl Feed {
    /// Reads what came after the last; true when there was something.
    async fn look(&mut self) -> Result<bool, DbError> {
        let Following { db, company, filter, after } = &self.following;
        let mut scope = db.read(*company).await?;
        let rows = sql::since(scope.connection(), *company, filter, *after, ROWS_PER_LOOK).await?;
        if let Some(last) = rows.last() {
            self.following.after = last.punch_no;
        }
        self.ready.extend(rows);
        Ok(!self.ready.is_empty())
    }

    /// Until there may be something: a hint of this company, a lag, or a while.
    async fn wait(&mut self) {
        let company = self.following.company;
        let hints = &mut self.hints;
        let hinted = async {
            loop {
                match hints.recv().await {
                    Ok(heard) if heard.company == company && heard.topic == TOPIC => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let _ = timeout(LOOK_INTERVAL, hinted).await;
    }
}
