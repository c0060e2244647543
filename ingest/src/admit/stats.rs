//! What the receivers count about themselves, for the root's `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use throughline_model::Signal;

use crate::ErrorKind;

/// Upper bounds of the duration histogram's buckets, in milliseconds; the last bucket has none.
pub const DURATION_BOUNDS_MS: [u64; 10] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000, 5_000];

const KINDS: usize = ErrorKind::ALL.len();

/// Counters of all signals.
#[derive(Debug, Default)]
pub struct IngestStats {
    signals: [Counters; 3],
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    repeated: AtomicU64,
    items_accepted: AtomicU64,
    items_rejected: AtomicU64,
    refused: [AtomicU64; KINDS],
    body_bytes: AtomicU64,
    inflated_bytes: AtomicU64,
    duration_ns: AtomicU64,
    durations: [AtomicU64; DURATION_BOUNDS_MS.len() + 1],
}

/// What was counted for one signal until now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SignalCounts {
    /// The signal.
    pub signal: Signal,
    /// Requests acknowledged, repeated ones included.
    pub requests: u64,
    /// Requests recognised as repeated, acknowledged and not stored again.
    pub repeated: u64,
    /// Items stored.
    pub items_accepted: u64,
    /// Items refused for ever (`partial_success`).
    pub items_rejected: u64,
    /// Requests refused, by kind.
    pub refused: Vec<(ErrorKind, u64)>,
    /// Bytes of acknowledged bodies as received.
    pub body_bytes: u64,
    /// Bytes of acknowledged bodies, inflated.
    pub inflated_bytes: u64,
    /// Seconds from a request's head to its acknowledgement, in sum.
    pub duration_s: f64,
    /// Requests by duration, not cumulative; bounds in [`DURATION_BOUNDS_MS`].
    pub durations: Vec<u64>,
}

/// What an acknowledged request adds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acknowledged {
    /// It was a repeated one.
    pub repeated: bool,
    /// Items stored.
    pub items_accepted: u64,
    /// Items refused for ever.
    pub items_rejected: u64,
    /// Size as received.
    pub body_bytes: u64,
    /// Size inflated.
    pub inflated_bytes: u64,
}

impl IngestStats {
    fn of(&self, signal: Signal) -> &Counters {
        &self.signals[signal as usize - 1]
    }

    /// Counts an acknowledged request.
    pub fn acknowledged(&self, signal: Signal, request: &Acknowledged) {
        let counters = self.of(signal);
        let add = |counter: &AtomicU64, by: u64| counter.fetch_add(by, Ordering::Relaxed);
        add(&counters.requests, 1);
        add(&counters.repeated, u64::from(request.repeated));
        add(&counters.items_accepted, request.items_accepted);
        add(&counters.items_rejected, request.items_rejected);
        add(&counters.body_bytes, request.body_bytes);
        add(&counters.inflated_bytes, request.inflated_bytes);
    }

    /// Counts the time an acknowledged request took.
    pub fn took(&self, signal: Signal, duration: Duration) {
        let counters = self.of(signal);
        let ms = duration.as_millis() as u64;
        let bucket = DURATION_BOUNDS_MS.partition_point(|bound| *bound < ms);
        counters.durations[bucket].fetch_add(1, Ordering::Relaxed);
        counters.duration_ns.fetch_add(duration.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Counts a refused request.
    pub fn refused(&self, signal: Signal, kind: ErrorKind) {
        self.of(signal).refused[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted until now, one entry a signal.
    pub fn snapshot(&self) -> Vec<SignalCounts> {
        Signal::ALL.into_iter().map(|signal| self.of(signal).snapshot(signal)).collect()
    }
}

impl Counters {
    fn snapshot(&self, signal: Signal) -> SignalCounts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SignalCounts {
            signal,
            requests: get(&self.requests),
            repeated: get(&self.repeated),
            items_accepted: get(&self.items_accepted),
            items_rejected: get(&self.items_rejected),
            refused: ErrorKind::ALL.into_iter().zip(self.refused.iter().map(get)).collect(),
            body_bytes: get(&self.body_bytes),
            inflated_bytes: get(&self.inflated_bytes),
            duration_s: get(&self.duration_ns) as f64 / 1e9,
            durations: self.durations.iter().map(get).collect(),
        }
    }
}
