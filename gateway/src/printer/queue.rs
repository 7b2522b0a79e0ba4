//! The jobs that wait for one printer, in the order they are served: drawers first,
//! because somebody stands there with money in hand. Pure: time is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use fournil_protocol::command::Body;
use tokio::time::Instant;
use uuid::Uuid;

use crate::seam::Job;

/// Jobs taken over; more wait in the channel, and behind it in the journal.
pub(super) const QUEUE_MAX: usize = 64;
/// A drawer that opens later than this opens behind nobody.
pub(crate) const DRAWER_PATIENCE: Duration = Duration::from_secs(5);

/// A job and where it stands.
#[derive(Debug)]
pub(super) struct Entry {
    pub job: Job,
    /// The last attempt begun.
    pub attempt: u32,
    /// An attempt whose end was not seen, and why.
    pub interrupted: Option<String>,
    /// Since when its end is being looked for.
    pub settling_since: Option<Instant>,
    /// The reason for waiting that has been reported.
    pub waiting: Option<String>,
    pub accepted: Instant,
}

impl Entry {
    pub(super) fn new(job: Job, now: Instant) -> Self {
        Self {
            attempt: job.interrupted_attempt.unwrap_or(0),
            interrupted: job
                .interrupted_attempt
                .map(|_| "the daemon stopped during the attempt".to_owned()),
            job,
            settling_since: None,
            waiting: None,
            accepted: now,
        }
    }

    pub(super) fn is_drawer(&self) -> bool {
        matches!(self.job.command.body, Some(Body::OpenDrawer(_)))
    }

    /// Whether it must not begin any more. An attempt that began is past expiring.
    /// While the cloud's time is unknown a deadline cannot be judged; the router gives
    /// out no job that has one.
    pub(super) fn expired(&self, cloud_now_ms: Option<i64>, now: Instant) -> bool {
        if self.interrupted.is_some() {
            return false;
        }
        let not_after_ms = self.job.command.not_after_ms;
        (not_after_ms != 0 && cloud_now_ms.is_some_and(|now_ms| now_ms > not_after_ms))
            || (self.is_drawer() && now.duration_since(self.accepted) > DRAWER_PATIENCE)
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
}

impl Queue {
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= QUEUE_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a job; one that is already here is not added again.
    pub(super) fn push(&mut self, entry: Entry) {
        if self.entries.iter().any(|known| known.job.id == entry.job.id) {
            return;
        }
        let place = if entry.is_drawer() {
            self.entries.iter().take_while(|known| known.is_drawer()).count()
        } else {
            self.entries.len()
        };
        self.entries.insert(place, entry);
    }

    /// Takes the next job out; [`Queue::put_back`] returns it to its place.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        self.entries.pop_front()
    }

    pub(super) fn put_back(&mut self, entry: Entry) {
        self.entries.push_front(entry);
    }

    /// Takes out a job that has not begun.
    pub(super) fn cancel(&mut self, id: Uuid) -> Option<Entry> {
        let begun = |entry: &Entry| entry.interrupted.is_some();
        let place = self.entries.iter().position(|e| e.job.id == id && !begun(e))?;
        self.entries.remove(place)
    }

    /// Takes out every job that is too late.
    pub(super) fn expired(&mut self, cloud_now_ms: Option<i64>, now: Instant) -> Vec<Entry> {
        let (late, kept) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition::<Vec<_>, _>(|entry| entry.expired(cloud_now_ms, now));
        self.entries = kept.into();
        late
    }
}

#[cfg(test)]
mod tests {
    use fournil_protocol::command::{Command, OpenDrawer, Print};
    use fournil_protocol::document::Document;

    use super::*;

    fn job(id: u128, body: Body, not_after_ms: i64) -> Job {
        let command = Command { not_after_ms, body: Some(body), ..Command::default() };
        Job { id: Uuid::from_u128(id), command, interrupted_attempt: None }
    }

    fn print() -> Body {
        Body::Print(Print { document: Document::default(), copy_of: Vec::new() })
    }

    fn ids(queue: &mut Queue) -> Vec<u128> {
        std::iter::from_fn(|| queue.pop()).map(|entry| entry.job.id.as_u128()).collect()
    }

    #[test]
    fn drawers_overtake_receipts_and_keep_their_own_order() {
        let mut queue = Queue::default();
        let now = Instant::now();
        for (id, body) in [
            (1, print()),
            (2, Body::OpenDrawer(OpenDrawer { pin: 2 })),
            (3, print()),
            (4, Body::OpenDrawer(OpenDrawer { pin: 2 })),
            (3, print()),
        ] {
            queue.push(Entry::new(job(id, body, 0), now));
        }
        assert_eq!(ids(&mut queue), [2, 4, 1, 3]);
    }

    #[test]
    fn what_is_too_late_leaves_the_queue_unless_it_began() {
        let mut queue = Queue::default();
        let now = Instant::now();
        queue.push(Entry::new(job(1, print(), 1_000), now));
        queue.push(Entry::new(job(2, print(), 0), now));
        let begun = Job { interrupted_attempt: Some(1), ..job(3, print(), 1_000) };
        queue.push(Entry::new(begun, now));
        queue.push(Entry::new(job(4, Body::OpenDrawer(OpenDrawer { pin: 2 }), 0), now));
        assert!(queue.expired(Some(1_000), now).is_empty());
        let later = now + DRAWER_PATIENCE + Duration::from_millis(1);
        let late: Vec<u128> =
            queue.expired(Some(1_001), later).iter().map(|e| e.job.id.as_u128()).collect();
        assert_eq!(late, [4, 1]);
        assert_eq!(ids(&mut queue), [2, 3]);
    }

    #[test]
    fn only_what_has_not_begun_can_be_cancelled() {
        let mut queue = Queue::default();
        let now = Instant::now();
        queue.push(Entry::new(job(1, print(), 0), now));
        queue.push(Entry::new(Job { interrupted_attempt: Some(1), ..job(2, print(), 0) }, now));
        assert!(queue.cancel(Uuid::from_u128(1)).is_some());
        assert!(queue.cancel(Uuid::from_u128(2)).is_none());
    }
}
