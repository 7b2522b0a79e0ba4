//! Finding a clock by its serial number when nobody answers at its address: the router gave it
//! another one. Only where the configuration names a network to look in.

use std::net::Ipv4Addr;
use std::time::Duration;

use fournil_protocol::event::Severity;
use fournil_protocol::words;
use futures_util::{StreamExt as _, stream};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::{ClockPart, random};
use crate::clock::client::Session;
use crate::clock::config::Target;
use crate::i18n::say;
use crate::supervise::progress;

/// Failures in a row before a search.
const FAILURES_BEFORE: u32 = 3;
/// Between two searches: strangers are knocked at.
const SEARCH_EVERY: Duration = Duration::from_mins(10);
const KNOCK_WITHIN: Duration = Duration::from_millis(600);
const KNOCKS_AT_ONCE: usize = 32;
/// Whoever listens on the clocks' port and says nothing is none.
const ASK_WITHIN: Duration = Duration::from_secs(4);
const SLACK: Duration = Duration::from_mins(2);

impl ClockPart {
    /// After some failures in a row, looks for the clock and goes on where it is.
    pub(super) async fn search_after(&mut self, failures: u32) {
        let (Some(net), Some(serial)) =
            (self.config.search_subnet, self.config.expected_serial.clone())
        else {
            return;
        };
        let is_due = self.searched_at.is_none_or(|at| at.elapsed() >= SEARCH_EVERY);
        if failures < FAILURES_BEFORE || !is_due {
            return;
        }
        self.searched_at = Some(Instant::now());
        tracing::info!(clock.name = self.config.name, net = %net, "looking for the clock");
        let port = self.target.port;
        let mut listening = stream::iter(net.hosts())
            .map(|host| async move { knock(host, port).await.then_some(host) })
            .buffer_unordered(KNOCKS_AT_ONCE);
        progress(KNOCK_WITHIN * 64 + SLACK);
        let mut hosts = Vec::new();
        while let Some(host) = listening.next().await {
            hosts.extend(host);
        }
        for host in hosts {
            if self.stop.is_cancelled() {
                return;
            }
            progress(ASK_WITHIN + SLACK);
            let target = Target { host: host.to_string(), ..self.target.clone() };
            if timeout(ASK_WITHIN, self.is_at(&target, &serial)).await == Ok(true) {
                self.move_to(target, &serial).await;
                return;
            }
        }
    }

    async fn is_at(&self, target: &Target, serial: &str) -> bool {
        let (events, _) = mpsc::channel(1);
        let [tick, ..] = random().to_le_bytes();
        let opening = Session::open(target, self.config.comm_key, tick, self.timeouts, events);
        let Ok(mut session) = opening.await else { return false };
        let told = session.option("~SerialNumber").await;
        session.close().await;
        told.is_ok_and(|told| told.as_deref() == Some(serial))
    }

    async fn move_to(&mut self, target: Target, serial: &str) {
        let detail =
            say("clock-moved", &[("serial", &serial), ("was", &self.target), ("now", &target)]);
        tracing::warn!(clock.name = self.config.name, "{detail}");
        self.target = target;
        // Without a journal nothing else works either; it is told again at the next start.
        if let Err(error) = self.notice(Severity::Warning, words::CLOCK_MOVED, detail).await {
            tracing::debug!(%error, "the move is not recorded");
        }
    }
}

async fn knock(host: Ipv4Addr, port: u16) -> bool {
    matches!(timeout(KNOCK_WITHIN, TcpStream::connect((host, port))).await, Ok(Ok(_)))
}
