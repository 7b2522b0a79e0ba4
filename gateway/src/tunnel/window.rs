//! Events under way: sent and not yet acknowledged, bounded in number and bytes. Pure.

use std::collections::VecDeque;

use fournil_protocol::limits::EVENTS_PER_FRAME_MAX;

/// Bytes of events in one frame, save that one event of any size passes. Small, so that
/// what goes before events (an acknowledgement, a ping) waits 33 ms at most on a line of
/// 2 Mbit/s; the cloud puts the frames that have arrived into one transaction anyway.
pub const EVENT_BYTES_PER_FRAME: usize = 8 * 1024;

/// The cloud acknowledged what was never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("event {acked} was acknowledged and {sent} is the last one sent")]
pub struct AckedUnsent {
    pub acked: u64,
    pub sent: u64,
}

/// What may be read from the log for the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub from_seq: u64,
    pub events: usize,
    pub bytes: usize,
}

/// Where the sender stands in the up log.
#[derive(Debug, Clone)]
pub struct UpWindow {
    events_max: usize,
    bytes_max: usize,
    under_way: VecDeque<usize>,
    bytes: usize,
    durable: u64,
}

impl UpWindow {
    /// Begins after what the cloud has.
    pub fn new(durable: u64, events_max: u32, bytes_max: u32) -> Self {
        let events_max = usize::try_from(events_max).unwrap_or(usize::MAX);
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        Self { events_max, bytes_max, under_way: VecDeque::new(), bytes: 0, durable }
    }

    /// The newest event sent in this session, or what the cloud already had.
    pub fn last_sent(&self) -> u64 {
        self.durable + self.under_way.len() as u64
    }

    /// What the cloud has acknowledged.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// Room for one more frame. With nothing under way one event of any size passes:
    /// a window narrower than an event must slow things down, not stop them.
    pub fn room(&self) -> Option<Room> {
        let from_seq = self.last_sent() + 1;
        if self.under_way.is_empty() {
            let events = self.events_max.clamp(1, EVENTS_PER_FRAME_MAX);
            let bytes = self.bytes_max.min(EVENT_BYTES_PER_FRAME);
            return Some(Room { from_seq, events, bytes });
        }
        let events = self.events_max.saturating_sub(self.under_way.len()).min(EVENTS_PER_FRAME_MAX);
        let bytes = self.bytes_max.saturating_sub(self.bytes).min(EVENT_BYTES_PER_FRAME);
        (events > 0 && bytes > 0).then_some(Room { from_seq, events, bytes })
    }

    /// Notes that the events after [`Self::last_sent`] left, one size each.
    pub fn sent(&mut self, sizes: impl IntoIterator<Item = usize>) {
        for size in sizes {
            self.under_way.push_back(size);
            self.bytes += size;
        }
    }

    /// Notes what the cloud has now; true when that is news. A lower number is an
    /// acknowledgement that was overtaken and says nothing.
    pub fn acked(&mut self, seq: u64) -> Result<bool, AckedUnsent> {
        if seq > self.last_sent() {
            return Err(AckedUnsent { acked: seq, sent: self.last_sent() });
        }
        let is_news = seq > self.durable;
        while self.durable < seq {
            self.bytes -= self.under_way.pop_front().unwrap_or(0);
            self.durable += 1;
        }
        Ok(is_news)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_window_is_never_exceeded(
            events_max in 1..40u32,
            bytes_max in 1..4_000u32,
            steps in prop::collection::vec((1..900usize, any::<bool>(), 0..50u64), 1..200),
        ) {
            let mut window = UpWindow::new(0, events_max, bytes_max);
            for (size, send, ack) in steps {
                match window.room() {
                    Some(room) if send && size <= room.bytes => {
                        prop_assert_eq!(room.from_seq, window.last_sent() + 1);
                        window.sent([size]);
                        let few = window.under_way.len() <= events_max as usize;
                        let light = window.bytes <= bytes_max as usize;
                        prop_assert!((few && light) || window.under_way.len() == 1);
                    }
                    _ => {
                        let seq = window.durable() + ack;
                        prop_assert_eq!(window.acked(seq).is_err(), seq > window.last_sent());
                    }
                }
                prop_assert_eq!(window.bytes, window.under_way.iter().sum::<usize>());
            }
        }
    }

    #[test]
    fn an_overtaken_ack_changes_nothing() {
        let mut window = UpWindow::new(10, 5, 1_000);
        window.sent([1, 2, 3]);
        assert_eq!(window.acked(12), Ok(true));
        assert_eq!(window.acked(11), Ok(false));
        assert_eq!((window.durable(), window.bytes), (12, 3));
    }

    #[test]
    fn an_ack_beyond_what_was_sent_is_told() {
        let mut window = UpWindow::new(10, 5, 1_000);
        assert_eq!(window.acked(11), Err(AckedUnsent { acked: 11, sent: 10 }));
    }
}
