//! Services: which calls which, and rate, errors and durations of their operations, from the rollups
//! that segments carry.
//!
//! Both questions are exact for any range of time and any mix of heads and segments; counts come with
//! weights where spans say by which probability they were sampled.

mod edges;
mod red;
pub(crate) mod series;

use std::sync::Arc;

use throughline_model::exponential::Distribution;
use throughline_model::time::TimeRange;
pub use throughline_storage::scan::rollup::{ConnectionType, ExemplarSpan, ROLLUP_NS};

use crate::context::Budget;
use crate::{Error, ErrorKind, QueryStatsSnapshot, Result};

/// The most rows of one answer.
pub const ROWS_MAX: usize = 200_000;

/// Which edges of the service map.
#[derive(Clone, Debug)]
pub struct EdgesQuery {
    /// Calls in it: by the start of the called span, or of the calling one where the called side has
    /// no span.
    pub time: TimeRange,
    /// One row an edge and step of this length, a multiple of [`ROLLUP_NS`]; none for one an edge.
    pub step_ns: Option<i64>,
    /// Either side is one of these; empty for all.
    pub services: Vec<String>,
}

/// The calls along one edge, in one step or in all.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceEdge {
    /// The calling service.
    pub client: Arc<str>,
    /// The called service, or the name of a database, destination or host without spans.
    pub server: Arc<str>,
    /// How it is called.
    pub connection_type: ConnectionType,
    /// Start of the step, or of the range.
    pub start_ns: i64,
    /// Calls.
    pub calls: u64,
    /// Calls of which either side has the status of an error.
    pub failed: u64,
    /// How many calls these stand for, by their sampling probability.
    pub weighted_calls: f64,
    /// The same of failed ones.
    pub weighted_failed: f64,
    /// Durations of the calling spans, as far as these are clients or producers. Not weighted.
    pub client_durations: Durations,
    /// Durations of the called spans. Not weighted.
    pub server_durations: Durations,
}

/// Durations in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Durations {
    /// Their sum.
    pub sum_ns: f64,
    /// How they are distributed.
    pub distribution: Distribution,
}

impl Durations {
    /// The mean, of any.
    pub fn mean_ns(&self) -> Option<f64> {
        let count = self.distribution.count();
        (count > 0.0).then(|| self.sum_ns / count)
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Durations) {
        self.sum_ns += other.sum_ns;
        self.distribution.merge(&other.distribution);
    }
}

/// Edges by step, client, server and type.
#[derive(Clone, Debug, Default)]
pub struct ServiceEdges {
    /// The edges.
    pub edges: Vec<ServiceEdge>,
    /// What the query did; `partial` names segments that the answer lacks.
    pub stats: QueryStatsSnapshot,
}

/// Calls from one service to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCalls {
    /// The calling service.
    pub parent: String,
    /// The called service.
    pub child: String,
    /// Calls.
    pub calls: u64,
    /// Of these, those of which either side has the status of an error.
    pub errors: u64,
}

/// Which operations.
#[derive(Clone, Debug)]
pub struct OperationsQuery {
    /// Spans that start in it.
    pub time: TimeRange,
    /// One row an operation and step of this length, a multiple of [`ROLLUP_NS`]; none for one an
    /// operation.
    pub step_ns: Option<i64>,
    /// Of one of these services; empty for all.
    pub services: Vec<String>,
    /// `SpanKind`s as numbers; empty for all.
    pub kinds: Vec<i32>,
    /// Whether operations are told apart by their names; else all of a service have the empty one.
    pub by_name: bool,
    /// Whether each row comes with its slowest span.
    pub exemplars: bool,
}

/// Spans of one operation, kind and status, in one step or in all.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationRed {
    /// The service.
    pub service: Arc<str>,
    /// The spans' name.
    pub name: Arc<str>,
    /// `SpanKind` as a number.
    pub kind: i32,
    /// `StatusCode` as a number: 2 is an error.
    pub status_code: i32,
    /// Start of the step, or of the range.
    pub start_ns: i64,
    /// Spans.
    pub spans: u64,
    /// How many these stand for, by their sampling probability.
    pub weighted_spans: f64,
    /// Their durations, each with the mean weight of its bucket of time.
    pub durations: Durations,
    /// The slowest of them, or one of nearly its duration.
    pub exemplar: Option<ExemplarSpan>,
}

/// Operations by step, service, name, kind and status.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    /// The rows.
    pub operations: Vec<OperationRed>,
    /// Whether every operation has its name: a segment of very many names counts some of them under
    /// the empty one.
    pub names_complete: bool,
    /// What the query did; `partial` names segments that the answer lacks.
    pub stats: QueryStatsSnapshot,
}

/// Runs a blocking read off the async workers, within the query's budget.
async fn off_the_workers<T: Send + 'static>(
    budget: &Budget,
    read: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let task = budget.scan.tracker.spawn_blocking(read);
    budget.run(async { task.await.map_err(|err| Error::internal(err.to_string()))? }).await
}

fn check_step(step_ns: Option<i64>) -> Result<()> {
    match step_ns {
        Some(step) if step <= 0 || step % ROLLUP_NS != 0 => Err(Error::invalid(
            "step",
            format!("a step of {step} ns is no multiple of {} s", ROLLUP_NS / 1_000_000_000),
        )),
        _ => Ok(()),
    }
}

fn check_rows(rows: usize) -> Result<()> {
    if rows <= ROWS_MAX {
        return Ok(());
    }
    let message = format!("there are more than {ROWS_MAX} rows: take a longer step or less time");
    Err(Error::new(ErrorKind::Limit, message))
}
