//! Which attempts have begun since the daemon started.
//!
//! The journal knows of attempts that a restart of the daemon interrupted. When only a
//! device's part falls and starts again, this is what keeps a page that may be on paper
//! from being printed a second time. It looks at the requests on their way to the journal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fournil_protocol::event::CommandState;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::seam::{REQUESTS_MAX, Request};

/// The attempts. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Begun(Arc<Mutex<HashMap<Uuid, u32>>>);

impl Begun {
    /// The newest attempt of a command that began and has not ended.
    pub(super) fn attempt(&self, id: Uuid) -> Option<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    fn note(&self, id: Uuid, attempt: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, attempt);
    }

    fn forget(&self, id: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Stands between the devices and the journal. Begun is noted before the journal
    /// says so, and forgotten only when the outcome is on disk: to think that a byte may
    /// have left is the safe side. When the journal is behind, this waits, and so do the
    /// devices.
    pub(super) fn stand_between(
        &self,
        mut devices: mpsc::Receiver<Request>,
    ) -> (mpsc::Receiver<Request>, impl Future<Output = ()> + Send + 'static) {
        let (journal, served) = mpsc::channel(REQUESTS_MAX);
        let begun = self.clone();
        let pass_on = async move {
            let mut open = FuturesUnordered::new();
            loop {
                // Cancel safe: what is dropped has taken nothing.
                tokio::select! {
                    biased;
                    Some(()) = open.next(), if !open.is_empty() => {}
                    request = devices.recv() => {
                        let Some(request) = request else { break };
                        let (request, answered) = begun.follow(request);
                        open.extend(answered);
                        if journal.send(request).await.is_err() {
                            break;
                        }
                    }
                }
            }
            drop(journal);
            while open.next().await.is_some() {}
        };
        (served, pass_on)
    }

    /// Notes a begin. Of an outcome it gives what waits for the journal's answer and passes
    /// it on: one that the journal refused is not known to anybody, and whoever waited for
    /// it may be gone.
    fn follow(
        &self,
        request: Request,
    ) -> (Request, Option<impl Future<Output = ()> + Send + 'static>) {
        match request {
            Request::Report { report, done } if is_final(report.state()) => {
                let (answer, answered) = oneshot::channel();
                let (begun, id) = (self.clone(), Uuid::from_slice(&report.command_id));
                let pass_back = async move {
                    // A journal that stopped does not answer; nor does this.
                    let Ok(answer) = answered.await else { return };
                    if let (Ok(()), Ok(id)) = (&answer, id) {
                        begun.forget(id);
                    }
                    let _ = done.send(answer);
                };
                (Request::Report { report, done: answer }, Some(pass_back))
            }
            Request::Begin { command_id, attempt, .. } => {
                self.note(command_id, attempt);
                (request, None)
            }
            Request::Report { .. } | Request::Record { .. } | Request::Confirmed { .. } => {
                (request, None)
            }
        }
    }
}

fn is_final(state: CommandState) -> bool {
    match state {
        CommandState::Unknown | CommandState::Waiting | CommandState::Started => false,
        CommandState::Done
        | CommandState::Failed
        | CommandState::Expired
        | CommandState::Cancelled
        | CommandState::InDoubt
        | CommandState::Unsupported => true,
    }
}

#[cfg(test)]
mod tests {
    use fournil_protocol::event::CommandReport;

    use super::*;
    use crate::seam::{self, RecordError};

    fn done(id: Uuid) -> CommandReport {
        CommandReport {
            command_id: id.as_bytes().to_vec(),
            state: CommandState::Done as i32,
            ..CommandReport::default()
        }
    }

    #[tokio::test]
    async fn an_attempt_has_ended_only_when_its_outcome_is_on_disk() {
        let (recorder, requests) = seam::recorder();
        let begun = Begun::default();
        let (mut served, between) = begun.stand_between(requests);
        tokio::spawn(between);
        let id = Uuid::from_u128(7);
        let printing = tokio::spawn(async move {
            recorder.begin(id, 2, "caisse").await?;
            let refused = recorder.report(done(id)).await;
            assert!(matches!(refused, Err(RecordError::Full(_))), "{refused:?}");
            recorder.report(done(id)).await
        });
        let Some(Request::Begin { done, .. }) = served.recv().await else { panic!("no begin") };
        done.send(Ok(())).unwrap();
        let Some(Request::Report { done, .. }) = served.recv().await else { panic!("no report") };
        assert_eq!(begun.attempt(id), Some(2), "it is only on its way");
        done.send(Err(RecordError::Full("test".into()))).unwrap();
        let Some(Request::Report { done, .. }) = served.recv().await else { panic!("no report") };
        assert_eq!(begun.attempt(id), Some(2), "it was refused");
        done.send(Ok(())).unwrap();
        printing.await.unwrap().unwrap();
        assert_eq!(begun.attempt(id), None);
    }

    #[tokio::test]
    async fn an_outcome_whose_part_fell_counts_when_the_journal_has_it() {
        let (recorder, requests) = seam::recorder();
        let begun = Begun::default();
        let (mut served, between) = begun.stand_between(requests);
        let between = tokio::spawn(between);
        let id = Uuid::from_u128(7);
        begun.note(id, 1);
        let printing = tokio::spawn(async move { recorder.report(done(id)).await });
        let Some(Request::Report { done, .. }) = served.recv().await else { panic!("no report") };
        printing.abort();
        assert!(printing.await.unwrap_err().is_cancelled());
        assert_eq!(begun.attempt(id), Some(1));
        done.send(Ok(())).unwrap();
        between.await.unwrap();
        assert_eq!(begun.attempt(id), None);
    }
}
