//! What a reading of the log comes to: its new punches in the journal, part by part, and what
//! the whole of it says about what was recorded before.

use std::collections::HashSet;
use std::sync::Arc;

use fournil_protocol::event::{Body, Punch};
use tokio::time::Instant;

use super::{ClockPart, SessionEnd};
use crate::clock::layout::{AttendanceLayout, Sizes};
use crate::clock::ledger::{Key, Ledger, Origin, Pass};
use crate::clock::visit::{Log, Part, Reading};

/// Records decoded, and punches written to the journal, at once.
const BATCH_RECORDS: usize = 200;

/// A reading of the log as far as it was recorded.
pub(super) struct Digest {
    awaited: HashSet<Key>,
    pass: Option<Pass>,
    new: usize,
}

impl Digest {
    pub(super) fn of(awaited: HashSet<Key>) -> Self {
        Self { awaited, pass: None, new: 0 }
    }

    fn pass(&mut self, ledger: &mut Ledger, layout: AttendanceLayout) -> &mut Pass {
        let Self { awaited, pass, .. } = self;
        pass.get_or_insert_with(|| ledger.pass(layout, std::mem::take(awaited)))
    }
}

impl ClockPart {
    /// Records the new punches of a part of a long log.
    pub(super) async fn take_part(
        &mut self,
        part: &Part,
        digest: &mut Digest,
        origin: &Origin,
    ) -> Result<(), SessionEnd> {
        self.memory.users = Some(Arc::clone(&part.users));
        self.record_bytes(&part.bytes, part.layout, digest, origin).await
    }

    async fn record_bytes(
        &mut self,
        bytes: &[u8],
        layout: AttendanceLayout,
        digest: &mut Digest,
        origin: &Origin,
    ) -> Result<(), SessionEnd> {
        // What is known of the log's count is from before.
        self.memory.settled = None;
        for part in bytes.chunks(layout.stride() * BATCH_RECORDS) {
            let pass = digest.pass(&mut self.memory.ledger, layout);
            let new = self.record_part(part, layout, pass, origin).await?;
            digest.new += new;
        }
        Ok(())
    }

    /// Records what a reading brought and was not given out before; returns how many punches
    /// were new in all.
    pub(super) async fn digest(
        &mut self,
        reading: Reading,
        mut digest: Digest,
        origin: &Origin,
    ) -> Result<usize, SessionEnd> {
        let sizes = reading.sizes;
        let (layout, bytes, held) = match reading.log {
            Log::Unchanged => return Ok(0),
            Log::Empty => (AttendanceLayout::FORTY, Vec::new(), 0),
            Log::Records { layout, bytes } => {
                let held = bytes.len() / layout.stride();
                self.memory.layout = Some(layout);
                (layout, bytes, held)
            }
            Log::Poured { layout, records } => {
                self.memory.layout = Some(layout);
                (layout, Vec::new(), records)
            }
            Log::Ambiguous { candidates, bytes } => {
                self.tell_ambiguity(&sizes, &candidates, &bytes).await?;
                return Ok(0);
            }
        };
        self.condition.layout_unclear = None;
        self.record_bytes(&bytes, layout, &mut digest, origin).await?;
        let ledger = &mut self.memory.ledger;
        let pass = digest.pass(ledger, layout);
        let finding = ledger.finish(pass);
        let new = digest.new;
        if finding.is_pruned {
            self.memory.note(&self.config.name, |index, ledger| {
                index.replace(ledger.recorded(), ledger.trust())
            });
        } else if finding.is_trust_changed {
            self.memory.note(&self.config.name, |index, ledger| index.set_trust(ledger.trust()));
        }
        if finding.unconfirmed > 0 {
            self.tell_unconfirmed(finding.unconfirmed).await?;
        }
        let read_ms = self.now().timestamp_millis();
        self.told.whole_read = Some((read_ms, u32::try_from(held).unwrap_or(u32::MAX)));
        self.learn_layout();
        self.memory.settled = settled_count(&sizes, held).map(|count| (count, Instant::now()));
        tracing::debug!(clock.name = self.config.name, clock.new = new, "log read");
        Ok(new)
    }

    /// Records the new punches of a part of the log with one request to the journal.
    async fn record_part(
        &mut self,
        part: &[u8],
        layout: AttendanceLayout,
        pass: &mut Pass,
        origin: &Origin,
    ) -> Result<usize, SessionEnd> {
        let now = self.now();
        let users = self.memory.users.clone().unwrap_or_default();
        let records = layout.decode_all(part, &users);
        let met =
            records.iter().filter_map(|record| self.memory.ledger.meet(pass, record, origin, now));
        let new: Vec<Punch> = met.collect();
        if new.is_empty() {
            return Ok(0);
        }
        self.recorder.record(new.iter().cloned().map(Body::Punch).collect()).await?;
        let numbers: Vec<_> = new.iter().map(|punch| self.memory.ledger.mark(punch)).collect();
        self.memory.note(&self.config.name, |index, _| index.add(&numbers));
        Ok(new.len())
    }
}

/// The count at which the log needs no reading: only for a clock that counts right and
/// whose log is not full, since a full log changes without its count.
fn settled_count(sizes: &Sizes, held: usize) -> Option<u32> {
    let is_count_right = usize::try_from(sizes.records).is_ok_and(|count| count == held);
    let has_room = sizes.records_capacity == 0 || sizes.records < sizes.records_capacity;
    (is_count_right && has_room && held > 0).then_some(sizes.records)
}
