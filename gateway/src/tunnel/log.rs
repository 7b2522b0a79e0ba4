//! What the tunnel needs from the journal: the two durable logs, nothing else.
//!
//! The journal is the one implementation in the product; it is a trait because this
//! is the border to the disk, where tests put a log in memory that fails on order.

use std::future::Future;

use fournil_protocol::command::Command;
use fournil_protocol::hello::{DownHead, UpHead};
use tokio::sync::watch;

use crate::seam::{Job, RecordError};

/// What became of commands that were put into the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// Every command up to this sequence is on disk.
    pub down_durable: u64,
    /// The commands that were not known before.
    pub fresh: Vec<Job>,
}

/// The two logs. Cheap to clone.
pub trait Log: Clone + Send + Sync + 'static {
    /// Where both logs stand.
    fn heads(&self) -> (UpHead, DownHead);

    /// Writes commands; on disk when it returns. May be dropped: what was written is
    /// found again as already known.
    fn accept(
        &self,
        epoch: u64,
        commands: Vec<Command>,
    ) -> impl Future<Output = Result<Accepted, RecordError>> + Send;

    /// Notes what the cloud has. Need not be on disk when it returns.
    fn ack_up(&self, epoch: u64, seq: u64) -> impl Future<Output = Result<(), RecordError>> + Send;

    /// Encoded events from a sequence on, in order, at most so many and so heavy.
    fn read_events(
        &self,
        from_seq: u64,
        events_max: usize,
        bytes_max: usize,
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, RecordError>> + Send;

    /// The newest event on disk, told on each change.
    fn changed(&self) -> watch::Receiver<u64>;

    /// Cloud time minus wall time, to be written beside what happens from now on.
    fn set_cloud_offset_ms(&self, offset_ms: i64);
}
