//! Figures for Prometheus. Areas register their own on the same [`Metrics`].
//!
//! Labels are route paths as written in the table, never paths as asked: the number of
//! series is bounded by the program.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// Upper bounds of the latency classes, in seconds.
#[expect(clippy::disallowed_types, reason = "seconds of a figure, as Prometheus counts them")]
const LATENCY_S: [f64; 11] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteLabel {
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabel {
    reason: &'static str,
}

/// The program's figures.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabel, Histogram, fn() -> Histogram>,
    refused: Family<ReasonLabel, Counter>,
    pub(super) connections_open: Gauge,
    pub(super) tunnels_open: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::default();
        let latency: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(LATENCY_S));
        let refused = Family::default();
        let (connections_open, tunnels_open) = (Gauge::default(), Gauge::default());
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("fournil")),
            requests,
            latency,
            refused,
            connections_open,
            tunnels_open,
        };
        metrics.register("http_requests", "Requests answered", metrics.requests.clone());
        metrics.register("http_latency_seconds", "Time to answer", metrics.latency.clone());
        metrics.register("connections_refused", "Connections refused", metrics.refused.clone());
        metrics.register("connections_open", "Connections", metrics.connections_open.clone());
        metrics.register("tunnels_open", "Upgraded sockets", metrics.tunnels_open.clone());
        metrics
    }
}

impl Metrics {
    /// Adds a figure. The name gets the prefix `fournil_`.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register(name, help, metric);
    }

    pub(super) fn answered(
        &self,
        route: &'static str,
        method: &'static str,
        status: u16,
        took: Duration,
    ) {
        self.requests.get_or_create(&RequestLabels { route, method, status }).inc();
        self.latency.get_or_create(&RouteLabel { route }).observe(took.as_secs_f64());
    }

    /// A connection that was turned away, and why.
    pub(super) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Everything in the text format of OpenMetrics.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}
