//! How many sockets there may be, in all and from one address, and who takes a place.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::metrics::Metrics;
use super::peer::caller;

/// The places of all listeners.
#[derive(Debug)]
pub(super) struct Seats {
    all: Arc<Semaphore>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    metrics: Arc<Metrics>,
}

/// A socket's place, from its acceptance to its end, upgraded or not; dropped, it is
/// free again.
#[derive(Debug)]
pub(super) struct Seat {
    caller: IpAddr,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Seats {
    pub(super) fn new(connections_max: usize, metrics: Arc<Metrics>) -> Self {
        let all = Arc::new(Semaphore::new(connections_max));
        Self { all, by_address: Arc::default(), metrics }
    }

    /// A place, or the word for what is full.
    pub(super) fn take(
        &self,
        ip: IpAddr,
        address_max: Option<usize>,
    ) -> Result<Arc<Seat>, &'static str> {
        let permit = Arc::clone(&self.all).try_acquire_owned().map_err(|_| "full")?;
        let caller = caller(ip);
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(caller).or_insert(0);
        if address_max.is_some_and(|max| *count >= max) {
            return Err("address");
        }
        *count += 1;
        let (by_address, metrics) = (Arc::clone(&self.by_address), Arc::clone(&self.metrics));
        metrics.connections_open.inc();
        Ok(Arc::new(Seat { caller, by_address, metrics, _permit: permit }))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.metrics.connections_open.dec();
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.caller);
            }
        }
    }
}
