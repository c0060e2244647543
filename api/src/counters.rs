//! What the API did, counted by route and status, for `/metrics`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;

/// Counts of requests. Routes are the patterns of the router, so that there are few.
#[derive(Debug, Default)]
pub struct ApiCounters {
    routes: Mutex<BTreeMap<(String, u16), RouteCounts>>,
    in_flight: AtomicU64,
    panics: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct RouteCounts {
    requests: u64,
    seconds: f64,
}

/// Requests of one route that ended with one status.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteCount {
    /// The route's pattern, such as `/api/v1/traces/{id}`.
    pub route: String,
    /// The HTTP status.
    pub status: u16,
    /// Requests.
    pub requests: u64,
    /// Time until the head of the response, summed.
    pub seconds: f64,
}

impl ApiCounters {
    /// Requests by route and status, sorted.
    pub fn by_route(&self) -> Vec<RouteCount> {
        let routes = self.routes.lock();
        let count = |((route, status), counts): (&(String, u16), &RouteCounts)| RouteCount {
            route: route.clone(),
            status: *status,
            requests: counts.requests,
            seconds: counts.seconds,
        };
        routes.iter().map(count).collect()
    }

    /// Requests whose response has not begun.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Handlers that panicked.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Counts a request until the returned guard is dropped.
    pub(crate) fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    pub(crate) fn add(&self, route: &str, status: StatusCode, took: Duration) {
        let mut routes = self.routes.lock();
        let counts = routes.entry((route.to_owned(), status.as_u16())).or_default();
        counts.requests += 1;
        counts.seconds += took.as_secs_f64();
    }

    pub(crate) fn add_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request whose response has not begun.
#[derive(Debug)]
pub(crate) struct InFlight<'a>(&'a ApiCounters);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
