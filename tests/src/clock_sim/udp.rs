//! The simulated clock over UDP: a frame a datagram, on the same port as TCP. Who calls is told
//! apart by address; one that connects anew from the same machine takes the place of the one
//! before, which cannot say that it is gone.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use fournil_gateway::clock::wire::{Frame, WireError, code};
use tokio::net::UdpSocket;
use tokio::sync::broadcast;

use super::device::Visitor;
use super::fault::Fault;
use super::store::{SimPunch, noise};
use super::{Shared, lock};

/// Apart from the numbers of connections.
const FIRST_ID: u64 = 1 << 32;

pub(super) struct Datagrams {
    socket: UdpSocket,
    shared: Arc<Shared>,
    visitors: HashMap<SocketAddr, Visitor>,
    next_id: u64,
    sent: u64,
}

/// Serves until dropped. Both branches of the `select!` are cancel safe.
pub(super) async fn serve(socket: UdpSocket, shared: Arc<Shared>) {
    let mut punches = shared.news.subscribe();
    let visitors = HashMap::new();
    let mut datagrams = Datagrams { socket, shared, visitors, next_id: FIRST_ID, sent: 0 };
    let mut bytes = vec![0; 1 << 16];
    loop {
        tokio::select! {
            received = datagrams.socket.recv_from(&mut bytes) => {
                // An answer that nobody takes comes back as an error of the socket.
                let Ok((length, from)) = received else { continue };
                datagrams.hear(&bytes[..length], from).await;
            }
            punch = punches.recv() => match punch {
                Ok(punch) => datagrams.tell(&punch).await,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
        }
        datagrams.shared.changed.notify_waiters();
    }
}

impl Datagrams {
    async fn hear(&mut self, payload: &[u8], from: SocketAddr) {
        let request = match Frame::decode_payload(payload) {
            Ok(request) => request,
            Err(WireError::Checksum { .. }) => {
                lock(&self.shared.device).counters.bad_frames += 1;
                return;
            }
            Err(_) => return,
        };
        let shared = &self.shared;
        self.visitors.retain(|_, visitor| !lock(&shared.device).has_forgotten(visitor));
        if request.command == code::CONNECT && !self.visitors.contains_key(&from) {
            self.forget_others_of(from);
            lock(&self.shared.device).counters.connections += 1;
        }
        let next_id = &mut self.next_id;
        let visitor = self.visitors.entry(from).or_insert_with(|| {
            *next_id += 1;
            Visitor::by_datagrams(*next_id)
        });
        let now = self.shared.now();
        let answer = lock(&self.shared.device).answer(visitor, &request, now);
        self.answer(&answer, from).await;
    }

    fn forget_others_of(&mut self, from: SocketAddr) {
        let shared = &self.shared;
        self.visitors.retain(|other, visitor| {
            let stays = other.ip() != from.ip();
            if !stays {
                lock(&shared.device).leave(visitor);
            }
            stays
        });
    }

    async fn tell(&mut self, punch: &SimPunch) {
        let mut events = Vec::new();
        for (to, visitor) in &self.visitors {
            let event = lock(&self.shared.device).event(visitor, punch);
            events.extend(event.map(|event| (event, *to)));
        }
        for (event, to) in events {
            self.send(&event, to).await;
        }
    }

    async fn answer(&mut self, frames: &[Frame], to: SocketAddr) {
        let is_stream = frames.len() > 2;
        let mut order: Vec<usize> = (0..frames.len()).collect();
        let place = |seed: u64, of: usize| usize::try_from(seed).unwrap_or_default() % of;
        if is_stream && frames.len() > 3 && self.strikes(Fault::Overtaking) {
            // Two data frames: neither the announcement nor the acknowledgement.
            let first = 1 + place(noise(self.shared.seed, self.sent), frames.len() - 3);
            order.swap(first, first + 1);
        }
        let is_doubled = self.strikes(Fault::Doubled);
        if !frames.is_empty() && self.strikes(Fault::Lost) {
            order.remove(place(noise(self.shared.seed, self.sent), order.len()));
        }
        for at in order {
            for _ in 0..=u8::from(is_doubled) {
                self.send(&frames[at], to).await;
            }
            if is_stream {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn send(&mut self, frame: &Frame, to: SocketAddr) {
        self.sent += 1;
        let _ = self.socket.send_to(&frame.encode_payload(), to).await;
    }

    fn strikes(&self, fault: Fault) -> bool {
        lock(&self.shared.device).faults.strikes(fault)
    }
}
