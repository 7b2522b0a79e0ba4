//! The index of the up log: which event stands where, in a few bytes per span.
//!
//! A span is a contiguous run of events within one segment; every
//! [`MARK_EVERY`]th event is marked with its offset, and a reader walks from the
//! mark, so no span goes over damage. A million events cost about half a megabyte.

const MARK_EVERY: u64 = 32;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// The up log of one epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UpLog {
    pub(super) epoch: u64,
    /// Newest sequence written, 0 when there is none.
    pub(super) last: u64,
    /// Everything up to here is committed by the cloud.
    pub(super) acked: u64,
    spans: Vec<Span>,
    /// Damage was met since the newest event.
    is_interrupted: bool,
}

/// A stretch of one segment to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// A record at or before the event asked for.
    pub(super) place: Place,
    /// The last event that may be read there.
    pub(super) last: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    segment: u64,
    first: u64,
    last: u64,
    bytes: u64,
    /// (sequence, offset), ascending.
    marks: Vec<(u64, u64)>,
}

impl UpLog {
    pub(super) fn new(epoch: u64) -> Self {
        Self { epoch, ..Self::default() }
    }

    /// Takes in an event. Sequences only grow.
    pub(super) fn add(&mut self, seq: u64, place: Place, bytes: u64) {
        self.last = self.last.max(seq);
        let is_whole = !std::mem::take(&mut self.is_interrupted);
        match self.spans.last_mut() {
            Some(span) if is_whole && span.segment == place.segment && span.last + 1 == seq => {
                span.last = seq;
                span.bytes += bytes;
                if (seq - span.first).is_multiple_of(MARK_EVERY) {
                    span.marks.push((seq, place.offset));
                }
            }
            _ => self.spans.push(Span {
                segment: place.segment,
                first: seq,
                last: seq,
                bytes,
                marks: vec![(seq, place.offset)],
            }),
        }
    }

    /// Damage stands here: no reader can walk on from the events before to those behind.
    pub(super) fn interrupt(&mut self) {
        self.is_interrupted = true;
    }

    /// Oldest sequence from which on nothing is missing; `last + 1` when nothing is kept.
    pub(super) fn first_kept(&self) -> u64 {
        let mut first = self.last + 1;
        for span in self.spans.iter().rev() {
            if span.last + 1 != first {
                break;
            }
            first = span.first;
        }
        first
    }

    /// True when an event that the cloud has not committed cannot be read any more.
    pub(super) fn lost_unacked(&self) -> bool {
        self.first_kept() > self.acked + 1
    }

    /// Where to start reading for the event `seq`, or for the next readable one when it
    /// is lost.
    pub(super) fn seek(&self, seq: u64) -> Option<Run> {
        let span = self.spans.iter().find(|span| span.last >= seq)?;
        let mark = span.marks.iter().rev().find(|mark| mark.0 <= seq).or(span.marks.first())?;
        let place = Place { segment: span.segment, offset: mark.1 };
        Some(Run { place, last: span.last })
    }

    /// Bytes of events the cloud has not committed.
    pub(super) fn unacked_bytes(&self) -> u64 {
        self.bytes_after(self.acked)
    }

    /// Bytes of the events behind `seq`. Within a span that is counted in part the bytes are
    /// shared out evenly, so that no error adds up.
    pub(super) fn bytes_after(&self, seq: u64) -> u64 {
        let behind = |span: &Span| {
            let count = span.last - span.first + 1;
            let open = span.last.saturating_sub(seq.max(span.first - 1));
            span.bytes * open / count
        };
        self.spans.iter().rev().take_while(|span| span.last > seq).map(behind).sum()
    }

    /// True when the segment holds an event the cloud has not committed.
    pub(super) fn needs_segment(&self, segment: u64) -> bool {
        self.spans.iter().any(|span| span.segment == segment && span.last > self.acked)
    }

    pub(super) fn forget_segment(&mut self, segment: u64) {
        self.spans.retain(|span| span.segment != segment);
    }

    /// Takes the newest events, from `seq` on, out of the index; they fill `bytes`.
    pub(super) fn take_back(&mut self, seq: u64, mut bytes: u64) {
        while let Some(span) = self.spans.pop_if(|span| span.first >= seq) {
            bytes = bytes.saturating_sub(span.bytes);
        }
        if let Some(span) = self.spans.last_mut() {
            span.last = span.last.min(seq - 1);
            span.bytes = span.bytes.saturating_sub(bytes);
            span.marks.retain(|mark| mark.0 < seq);
        }
    }
}
