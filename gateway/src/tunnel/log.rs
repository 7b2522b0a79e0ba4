//! What the tunnel needs from the journal: the two durable logs, nothing else.
//!
//! The journal is the one implementation in the product; it is a trait because this
//! is the border to the disk, where tests put a log in memory that fails on order.

use std::future::Future;

use fournil_protocol::command::Command;
use fournil_protocol::hello::{DownHead, UpHead};
use tokio::sync::watch;

use crate::journal::{AcceptError, Accepted, EventRun, Journal, UpError, UpMark};
use crate::seam::RecordError;

/// The two logs, as [`Journal`] documents them. Cheap to clone.
pub trait Log: Clone + Send + Sync + 'static {
    /// Where both logs stand.
    fn heads(&self) -> impl Future<Output = Result<(UpHead, DownHead), RecordError>> + Send;

    /// Takes the cloud's word at the start of a session on what it has of the up log.
    fn resume_up(
        &self,
        epoch: u64,
        durable: u64,
    ) -> impl Future<Output = Result<(), UpError>> + Send;

    /// Takes the cloud's word on where the down log goes on.
    fn resume_down(
        &self,
        epoch: u64,
        resume_from: u64,
    ) -> impl Future<Output = Result<(), AcceptError>> + Send;

    /// Begins a new up log with what is kept from `carry_from` on.
    fn renew_up_epoch(
        &self,
        carry_from: u64,
    ) -> impl Future<Output = Result<(), RecordError>> + Send;

    /// Writes commands; on disk when it returns. May be dropped: what was written is
    /// found again as already known.
    fn accept(
        &self,
        epoch: u64,
        commands: Vec<Command>,
    ) -> impl Future<Output = Result<Accepted, AcceptError>> + Send;

    /// Notes what the cloud has.
    fn ack_up(&self, epoch: u64, seq: u64) -> impl Future<Output = Result<(), UpError>> + Send;

    /// Encoded events from a sequence on, in order, at most so many and so heavy.
    fn read_events(
        &self,
        from_seq: u64,
        events_max: usize,
        bytes_max: usize,
    ) -> impl Future<Output = Result<EventRun, RecordError>> + Send;

    /// The newest event on disk, told on each change.
    fn changed(&self) -> watch::Receiver<UpMark>;

    /// Cloud time minus wall time, to be written beside what happens from now on.
    fn set_cloud_offset_ms(&self, offset_ms: i64);
}

impl Log for Journal {
    async fn heads(&self) -> Result<(UpHead, DownHead), RecordError> {
        Journal::heads(self).await
    }

    async fn resume_up(&self, epoch: u64, durable: u64) -> Result<(), UpError> {
        Journal::resume_up(self, epoch, durable).await
    }

    async fn resume_down(&self, epoch: u64, resume_from: u64) -> Result<(), AcceptError> {
        Journal::resume_down(self, epoch, resume_from).await
    }

    async fn renew_up_epoch(&self, carry_from: u64) -> Result<(), RecordError> {
        Journal::renew_up_epoch(self, carry_from).await
    }

    async fn accept(&self, epoch: u64, commands: Vec<Command>) -> Result<Accepted, AcceptError> {
        Journal::accept(self, epoch, commands).await
    }

    async fn ack_up(&self, epoch: u64, seq: u64) -> Result<(), UpError> {
        Journal::ack_up(self, epoch, seq).await
    }

    async fn read_events(
        &self,
        from_seq: u64,
        events_max: usize,
        bytes_max: usize,
    ) -> Result<EventRun, RecordError> {
        Journal::read_events(self, from_seq, events_max, bytes_max).await
    }

    fn changed(&self) -> watch::Receiver<UpMark> {
        Journal::changed(self)
    }

    fn set_cloud_offset_ms(&self, offset_ms: i64) {
        Journal::set_cloud_offset_ms(self, Some(offset_ms));
    }
}
