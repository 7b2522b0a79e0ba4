//! Uploads within a session: offered, granted, sent in chunks that stand in nobody's way.
//!
//! A chunk leaves only when nothing else wants to, and the next one only after the cloud
//! has confirmed it: never more than one is between here and the cloud's disk. What one
//! chunk takes on the line is measured and its size follows, so that a frame that comes
//! behind it waits a few hundredths of a second on a thin line and nothing on a good one.

use std::collections::VecDeque;
use std::time::Duration;

use fournil_protocol::bulk::{Chunk, Grant, Offer, Stop};
use fournil_protocol::frame::Kind;
use fournil_protocol::limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN};
use fournil_protocol::{close, words};
use tokio::time::Instant;

use super::End;
use crate::tunnel::uploads::{Outcome, Upload, Uploads};

/// Answers to offers nobody reads wait at most so many.
const STOPS_MAX: usize = 16;
/// What a chunk may take on the line: above it the next ones are smaller, below the least
/// they are larger.
const LINE_TIME_MAX: Duration = Duration::from_millis(18);
const LINE_TIME_MIN: Duration = Duration::from_millis(8);
const CHUNK_BYTES_FIRST: usize = 4 * 1024;

/// The session's part in the uploads.
#[derive(Debug)]
pub(super) struct Bulk {
    uploads: Uploads,
    /// What the cloud takes; 0 when it speaks version 1.
    transfers_max: usize,
    open: Vec<Sending>,
    stops: VecDeque<Stop>,
    pace: Pace,
}

#[derive(Debug)]
struct Sending {
    upload: Upload,
    /// When the offer left.
    offered_at: Option<Instant>,
    /// The cloud has answered it.
    is_granted: bool,
    next_offset: usize,
    window_chunks: u32,
    window_bytes: usize,
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    bytes: usize,
    left_at: Instant,
}

impl Bulk {
    pub(super) fn new(uploads: Uploads, transfers_max: usize) -> Self {
        let (open, stops) = (Vec::new(), VecDeque::new());
        Self { uploads, transfers_max, open, stops, pace: Pace::default() }
    }

    /// Takes in what was added to the uploads and lets go of what was withdrawn.
    pub(super) fn look(&mut self) {
        if self.transfers_max == 0 {
            return;
        }
        let ready = self.uploads.ready();
        let stops = &mut self.stops;
        self.open.retain(|sending| {
            let stays = ready.iter().any(|upload| upload.id == sending.upload.id);
            if !stays && sending.offered_at.is_some() {
                stops.push_back(stop(sending.upload.id.as_bytes(), words::CANCELLED));
            }
            stays
        });
        for upload in ready {
            let is_new = self.open.iter().all(|sending| sending.upload.id != upload.id);
            if is_new && self.open.len() < self.transfers_max {
                self.open.push(Sending::new(upload));
            }
        }
    }

    /// An offer or the end of one: short, so it goes with the control frames.
    pub(super) fn next_control(&mut self, now: Instant) -> Option<Kind> {
        if let Some(stop) = self.stops.pop_front() {
            return Some(Kind::Stop(stop));
        }
        let sending = self.open.iter_mut().find(|sending| sending.offered_at.is_none())?;
        sending.offered_at = Some(now);
        Some(Kind::Offer(Offer {
            transfer_id: sending.upload.id.as_bytes().to_vec(),
            total_bytes: sending.upload.bytes.len() as u64,
            sha256: sending.upload.sha256.to_vec(),
        }))
    }

    /// The next chunk; the caller has nothing else to send.
    pub(super) fn next_chunk(&mut self, now: Instant) -> Option<Kind> {
        if self.open.iter().any(|sending| sending.under_way.is_some()) {
            return None;
        }
        let at_most = self.pace.chunk_bytes;
        let sending = self.open.iter_mut().find(|sending| sending.has_room())?;
        let from = sending.next_offset;
        let left = sending.upload.bytes.get(from..).unwrap_or_default();
        let length = left.len().min(at_most).min(sending.window_bytes);
        let bytes = left.get(..length).unwrap_or_default().to_vec();
        let is_last = length == left.len();
        sending.next_offset += length;
        sending.under_way = Some(UnderWay { bytes: length, left_at: now });
        let transfer_id = sending.upload.id.as_bytes().to_vec();
        Some(Kind::Chunk(Chunk { transfer_id, offset: from as u64, bytes, is_last }))
    }

    /// The cloud has more of it, or all.
    pub(super) fn hear_grant(&mut self, grant: &Grant, now: Instant) -> Result<(), End> {
        // One that was withdrawn: the word of it is on its way.
        let Some(at) = self.position(&grant.transfer_id) else { return Ok(()) };
        let Some(sending) = self.open.get_mut(at) else { return Ok(()) };
        let total = sending.upload.bytes.len();
        let durable = usize::try_from(grant.durable_bytes).unwrap_or(usize::MAX);
        // More than was sent here is no fault: a chunk of the session before may be stored
        // late, and its bytes are those of this offer.
        if sending.offered_at.is_none() || durable > total {
            let reason = "more of a transfer was confirmed than there is".to_owned();
            return Err(End::Refused { code: close::MALFORMED, reason });
        }
        let held = Duration::from_micros(u64::from(grant.held_us));
        if let Some(sent) = sending.under_way.take() {
            self.pace.chunk_took(sent.bytes, (now - sent.left_at).saturating_sub(held));
        } else if let Some(offered_at) = sending.offered_at.filter(|_| !sending.is_granted) {
            self.pace.line_is((now - offered_at).saturating_sub(held));
        }
        sending.is_granted = true;
        sending.next_offset = durable;
        sending.window_chunks = grant.window_chunks;
        sending.window_bytes = usize::try_from(grant.window_bytes).unwrap_or(usize::MAX);
        if durable == total {
            let sent = self.open.remove(at);
            self.uploads.settle(sent.upload.id, Outcome::Stored);
        }
        Ok(())
    }

    /// The cloud takes no more of it.
    pub(super) fn hear_stop(&mut self, stop: &Stop) {
        if let Some(at) = self.position(&stop.transfer_id) {
            let refused = self.open.remove(at);
            self.uploads.settle(refused.upload.id, Outcome::Refused(stop.reason.clone()));
        }
    }

    /// Nothing comes down in chunks yet.
    pub(super) fn refuse(&mut self, offer: &Offer) {
        if self.stops.len() < STOPS_MAX {
            self.stops.push_back(stop(&offer.transfer_id, words::TRANSFER_UNEXPECTED));
        }
    }

    /// How long the line takes there and back when nothing is on it.
    pub(super) fn round_trip(&mut self, round_trip: Duration) {
        self.pace.line_is_at_most(round_trip);
    }

    fn position(&self, transfer_id: &[u8]) -> Option<usize> {
        self.open.iter().position(|sending| sending.upload.id.as_bytes() == transfer_id)
    }
}

impl Sending {
    const fn new(upload: Upload) -> Self {
        Self {
            upload,
            offered_at: None,
            is_granted: false,
            next_offset: 0,
            window_chunks: 0,
            window_bytes: 0,
            under_way: None,
        }
    }

    fn has_room(&self) -> bool {
        let has_window = self.window_chunks > 0 && self.window_bytes > 0;
        self.is_granted && has_window && self.next_offset < self.upload.bytes.len()
    }
}

fn stop(transfer_id: &[u8], reason: &str) -> Stop {
    Stop { transfer_id: transfer_id.to_vec(), reason: reason.to_owned() }
}

/// How large a chunk may be.
#[derive(Debug)]
struct Pace {
    chunk_bytes: usize,
    /// There and back without a chunk in front.
    line: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { chunk_bytes: CHUNK_BYTES_FIRST, line: None }
    }
}

impl Pace {
    fn line_is(&mut self, round_trip: Duration) {
        self.line = Some(round_trip);
    }

    fn line_is_at_most(&mut self, round_trip: Duration) {
        self.line = Some(self.line.map_or(round_trip, |line| line.min(round_trip)));
    }

    /// Follows what a chunk added to the line's own time. A short one says little.
    fn chunk_took(&mut self, bytes: usize, round_trip: Duration) {
        let Some(line) = self.line else { return self.line_is(round_trip) };
        let on_the_line = round_trip.saturating_sub(line);
        if on_the_line > LINE_TIME_MAX {
            self.chunk_bytes = (self.chunk_bytes / 2).max(CHUNK_BYTES_MIN);
        } else if on_the_line < LINE_TIME_MIN && bytes >= self.chunk_bytes {
            self.chunk_bytes = (self.chunk_bytes * 2).min(CHUNK_BYTES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A line of so many bits a second and such a round trip.
    fn settled(bits_per_s: u64, round_trip: Duration) -> usize {
        let mut pace = Pace::default();
        pace.line_is(round_trip);
        for _ in 0..12 {
            let on_the_line = pace.chunk_bytes as u64 * 8 * 1_000_000 / bits_per_s;
            pace.chunk_took(pace.chunk_bytes, round_trip + Duration::from_micros(on_the_line));
        }
        pace.chunk_bytes
    }

    #[test]
    fn a_chunk_is_as_large_as_the_line_bears() {
        let far = Duration::from_millis(60);
        assert_eq!(settled(2_000_000, far), 4 * 1024);
        assert_eq!(settled(1_000_000, far), 2 * 1024);
        assert_eq!(settled(64_000, far), CHUNK_BYTES_MIN);
        assert_eq!(settled(100_000_000, far), CHUNK_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn no_chunk_is_ever_out_of_bounds(times in prop::collection::vec(0..400u64, 0..60)) {
            let mut pace = Pace::default();
            pace.line_is(Duration::from_millis(20));
            for time_ms in times {
                pace.chunk_took(pace.chunk_bytes, Duration::from_millis(time_ms));
                prop_assert!((CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX).contains(&pace.chunk_bytes));
            }
        }
    }
}
