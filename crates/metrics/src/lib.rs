//! Figures for Prometheus, counted where things happen.
//!
//! ```text
//!  log, venues, HTTP ──count──▶ families ─┐
//!  health, sockets ───set, read at a look─┼──▶ registry ──▶ text, version 0.0.4 ──▶ GET /metrics
//!                                         ┘
//! ```
//! A name says its unit: `_seconds`, `_bytes`, `_records`; `_total` only grows. Labels have few values, all of them known
//! beforehand or set by an operator (a market, a route): never an order, a user or an address.

mod appends;
mod gauges;
mod reading;
mod requests;
mod venues;

use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::{
    encoding::prometheus_text,
    metrics::{family::Family, histogram::Histogram},
    registry::Registry,
};

pub use appends::{AppendOutcome, Appends, Attempt, EventKind};
pub use gauges::Gauges;
pub use requests::Requests;
pub use venues::{VenueCall, VenueCalls};

/// Before every name.
const PREFIX: &str = "fillstream";
/// The `Content-Type` of [`Metrics::text`].
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;
/// Upper bounds in seconds: from a publish that costs one sync to an append that is given up.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// All families of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    /// Counts of appends to the stream.
    pub appends: Appends,
    /// Counts of HTTP requests.
    pub requests: Requests,
    /// Counts of calls to venues.
    pub venues: VenueCalls,
    /// Health of the process, as of the last look.
    pub gauges: Gauges,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Families without a count.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let appends = Appends::register(&mut registry);
        let requests = Requests::register(&mut registry);
        let venues = VenueCalls::register(&mut registry);
        let gauges = Gauges::register(&mut registry);
        Self { registry: Mutex::new(registry), appends, requests, venues, gauges }
    }

    /// A counter that is kept elsewhere and read at each look: `name` without prefix and `_total`.
    pub fn counter(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        reading::register(&mut self.registry.lock(), name, help, reading::Kind::Counter, read);
    }

    /// A gauge that is kept elsewhere and read at each look: `name` without prefix.
    pub fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        reading::register(&mut self.registry.lock(), name, help, reading::Kind::Gauge, read);
    }

    /// Counters that are kept elsewhere under one name, told apart by a label, and read at each look.
    pub fn counters(
        &self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        read: impl Fn() -> Vec<(String, u64)> + Send + Sync + 'static,
    ) {
        reading::register_labelled(&mut self.registry.lock(), name, help, label, read);
    }

    /// All of them, as Prometheus reads them.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry.lock()).expect("a String takes everything");
        text
    }
}

/// A histogram of durations.
fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

/// Histograms of durations by labels.
type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

fn observe(histogram: &Histogram, elapsed: Duration) {
    histogram.observe(elapsed.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An alert on the first of something needs the none before it.
    #[test]
    fn what_can_be_counted_is_named_from_the_start() {
        let metrics = Metrics::new();
        metrics.counter("cats", "Cats that came", || 3);
        metrics.gauge("cats_here", "Cats that are here", || 2);
        metrics.counters("cats_by_colour", "Cats by colour", "colour", || vec![("black".to_owned(), 1)]);
        let text = metrics.text();
        for line in [
            "# TYPE fillstream_appends_total counter",
            "# TYPE fillstream_append_duration_seconds histogram",
            "fillstream_appends_total{kind=\"book\",outcome=\"full\"} 0",
            "fillstream_swap_attempts_total{outcome=\"review\"} 0",
            "fillstream_cats_total 3",
            "fillstream_cats_here 2",
            "fillstream_cats_by_colour_total{colour=\"black\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line:?} in\n{text}");
        }
    }

    #[test]
    fn counts_stand_under_their_labels() {
        let metrics = Metrics::new();
        let (took, append) = (Duration::from_millis(3), &metrics.appends);
        append.ended(EventKind::Commit, AppendOutcome::Stored, took);
        append.ended(EventKind::Commit, AppendOutcome::Stored, took);
        append.ended(EventKind::Swap, AppendOutcome::Fenced, took);
        append.attempt(Attempt::Confirmed);
        metrics.requests.answered("GET", "/ready", 200, took);
        metrics.venues.answered("raydium", VenueCall::Quote, true, took);
        let text = metrics.text();
        for line in [
            "fillstream_appends_total{kind=\"commit\",outcome=\"stored\"} 2",
            "fillstream_appends_total{kind=\"swap\",outcome=\"fenced\"} 1",
            "fillstream_append_duration_seconds_bucket{kind=\"commit\",le=\"0.005\"} 2",
            "fillstream_swap_attempts_total{outcome=\"confirmed\"} 1",
            "fillstream_http_requests_total{method=\"GET\",route=\"/ready\",status=\"200\"} 1",
            "fillstream_venue_calls_total{venue=\"raydium\",call=\"quote\",outcome=\"answered\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line:?} in\n{text}");
        }
    }
}
