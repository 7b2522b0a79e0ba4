//! Which attempts have begun since the daemon started.
//!
//! The journal knows of attempts that a restart of the daemon interrupted. When only a
//! device's part falls and starts again, this is what keeps a page that may be on paper
//! from being printed a second time. It looks at the requests on their way to the journal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fournil_protocol::event::CommandState;
use tokio::sync::mpsc;
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

    fn note(&self, request: &Request) {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match request {
            Request::Begin { command_id, attempt, .. } => {
                begun.insert(*command_id, *attempt);
            }
            Request::Report { report, .. } if is_final(report.state()) => {
                if let Ok(id) = Uuid::from_slice(&report.command_id) {
                    begun.remove(&id);
                }
            }
            Request::Report { .. } | Request::Record { .. } => {}
        }
    }

    /// Stands between the devices and the journal. Begun is noted before the journal
    /// says so: to think that a byte may have left is the safe side. When the journal is
    /// behind, this waits, and so do the devices.
    pub(super) fn stand_between(
        &self,
        mut devices: mpsc::Receiver<Request>,
    ) -> (mpsc::Receiver<Request>, impl Future<Output = ()> + Send + 'static) {
        let (journal, served) = mpsc::channel(REQUESTS_MAX);
        let begun = self.clone();
        let pass_on = async move {
            while let Some(request) = devices.recv().await {
                begun.note(&request);
                if journal.send(request).await.is_err() {
                    return;
                }
            }
        };
        (served, pass_on)
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
