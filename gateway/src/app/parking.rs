//! Jobs that lie in the journal until their device has room, by device and in order, so
//! that the journal need not be asked for them at every look. Holds ids only; bounded by
//! what the journal accepts.

use std::collections::{HashMap, HashSet, VecDeque};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::route::Seat;

/// A job that waits, and what may end its waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parked {
    pub(super) id: Uuid,
    /// As in the command; 0 is never.
    pub(super) not_after_ms: i64,
}

/// The jobs, oldest first.
#[derive(Debug, Default)]
pub(super) struct Parking {
    by_device: HashMap<String, VecDeque<Parked>>,
}

impl Parking {
    pub(super) fn park(&mut self, device: &str, parked: Parked) {
        let waiting = self.by_device.entry(device.to_owned()).or_default();
        if waiting.iter().all(|known| known.id != parked.id) {
            waiting.push_back(parked);
        }
    }

    /// Lets go of whatever waits for a device that is gone.
    pub(super) fn abandon(&mut self, device: &str) {
        self.by_device.remove(device);
    }

    /// Whether something waits for this device.
    pub(super) fn holds(&self, device: &str) -> bool {
        self.by_device.get(device).is_some_and(|waiting| !waiting.is_empty())
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.by_device.values().flatten().map(|parked| parked.id)
    }

    /// Lets go of as many as their devices have room for, and of those that are too late.
    /// Gives them, because they go before whatever else the journal holds.
    pub(super) fn release(&mut self, seats: &[Seat], cloud_ms: Option<i64>) -> HashSet<Uuid> {
        let mut released = HashSet::new();
        for (device, waiting) in &mut self.by_device {
            let jobs = seats.iter().find(|seat| seat.name == *device);
            let jobs = jobs.and_then(|seat| seat.jobs.as_ref());
            let jobs = jobs.filter(|jobs| !jobs.is_closed());
            let room = jobs.map_or(0, mpsc::Sender::capacity).min(waiting.len());
            released.extend(waiting.drain(..room).map(|parked| parked.id));
            let is_late = |parked: &Parked| {
                parked.not_after_ms != 0 && cloud_ms.is_some_and(|now| now > parked.not_after_ms)
            };
            waiting.retain(|parked| !is_late(parked));
        }
        released
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fournil_protocol::event::DeviceKind;

    #[test]
    fn as_many_are_let_go_as_there_is_room_and_those_that_are_too_late() {
        let (jobs, _taken) = mpsc::channel(2);
        let seat = |name: &str, jobs| Seat { name: name.into(), kind: DeviceKind::Printer, jobs };
        let seats = [seat("caisse", Some(jobs)), seat("cuisine", None)];
        let mut parking = Parking::default();
        for number in 1..=4 {
            let parked = Parked { id: Uuid::from_u128(number), not_after_ms: 0 };
            parking.park("caisse", parked);
            parking.park("caisse", parked);
        }
        let late = Parked { id: Uuid::from_u128(8), not_after_ms: 1_000 };
        parking.park("cuisine", late);
        parking.park("cuisine", Parked { id: Uuid::from_u128(9), not_after_ms: 0 });
        let released = parking.release(&seats, Some(1_001));
        assert_eq!(released, HashSet::from([1, 2].map(Uuid::from_u128)));
        let mut left: Vec<u128> = parking.ids().map(|id| id.as_u128()).collect();
        left.sort_unstable();
        assert_eq!(left, [3, 4, 9]);
    }
}
