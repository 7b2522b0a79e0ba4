//! Stands between the tunnel and the journal and believes nobody: what the cloud says it
//! has must be in its database at that moment. The journal would forgive a cloud that says
//! so too early, since it keeps what was acknowledged for a month; the rule is broken all
//! the same.

use std::sync::{Arc, Mutex, PoisonError};

use fournil_cloud::db::{Actor, CompanyId, Db};
use fournil_gateway::journal::{AcceptError, Accepted, EventRun, Journal, UpError, UpMark};
use fournil_gateway::seam::RecordError;
use fournil_gateway::tunnel::log::Log;
use fournil_protocol::command::Command;
use fournil_protocol::hello::{DownHead, UpHead};
use tokio::sync::watch;
use uuid::Uuid;

use super::base::Base;

/// What the auditor looks into, and what it found.
#[derive(Debug, Clone)]
pub(super) struct Books {
    pub(super) base: Arc<Base>,
    pub(super) db: Db,
    pub(super) company: CompanyId,
    pub(super) gateway_id: Uuid,
    pub(super) lies: Arc<Mutex<Vec<String>>>,
}

impl Books {
    fn compare(&self, epoch: u64, claimed: u64) {
        let stored = self.base.work(&self.db, async {
            let mut act = self.db.begin(&Actor::system(self.company, "auditor")).await?;
            let query = sqlx::query_scalar::<_, i64>(
                "select durable from gateway_up where gateway_id = $1 and epoch = $2",
            );
            let query = query.bind(self.gateway_id).bind(epoch.cast_signed());
            let durable = query.fetch_optional(act.connection()).await?;
            anyhow::Ok(durable.unwrap_or(0))
        });
        let lie = match stored {
            Ok(durable) if durable.cast_unsigned() >= claimed => return,
            Ok(durable) => format!("the cloud said it has event {claimed} and holds {durable}"),
            Err(error) => format!("the auditor cannot look: {error:#}"),
        };
        self.lies.lock().unwrap_or_else(PoisonError::into_inner).push(lie);
    }
}

/// The journal as the tunnel sees it.
#[derive(Debug, Clone)]
pub(super) struct Audited {
    pub(super) journal: Journal,
    pub(super) books: Books,
}

impl Log for Audited {
    async fn heads(&self) -> Result<(UpHead, DownHead), RecordError> {
        self.journal.heads().await
    }

    async fn resume_up(&self, epoch: u64, durable: u64) -> Result<(), UpError> {
        self.books.compare(epoch, durable);
        self.journal.resume_up(epoch, durable).await
    }

    async fn resume_down(&self, epoch: u64, resume_from: u64) -> Result<(), AcceptError> {
        self.journal.resume_down(epoch, resume_from).await
    }

    async fn renew_up_epoch(&self, carry_from: u64) -> Result<(), RecordError> {
        self.journal.renew_up_epoch(carry_from).await
    }

    async fn accept(&self, epoch: u64, commands: Vec<Command>) -> Result<Accepted, AcceptError> {
        self.journal.accept(epoch, commands).await
    }

    async fn ack_up(&self, epoch: u64, seq: u64) -> Result<(), UpError> {
        self.books.compare(epoch, seq);
        self.journal.ack_up(epoch, seq).await
    }

    async fn read_events(
        &self,
        from_seq: u64,
        events_max: usize,
        bytes_max: usize,
    ) -> Result<EventRun, RecordError> {
        self.journal.read_events(from_seq, events_max, bytes_max).await
    }

    fn changed(&self) -> watch::Receiver<UpMark> {
        self.journal.changed()
    }

    fn set_cloud_offset_ms(&self, offset_ms: i64) {
        self.journal.set_cloud_offset_ms(Some(offset_ms));
    }
}
