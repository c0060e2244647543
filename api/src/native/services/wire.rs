//! What goes over the wire of the service map and of rate, errors and durations.

use serde::Serialize;
use throughline_model::time::TimeRange;
use throughline_model::{SpanId, TraceId};
use throughline_query::services as query;
use utoipa::ToSchema;

use super::super::stats::Stats;
use super::params::kind_name;
use crate::render::value::{exact_i64, text, time};

const NS_PER_MS: f64 = 1e6;
const NS_PER_S: f64 = 1e9;
/// `StatusCode` of an error.
const ERROR: i32 = 2;

/// The service map.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceMap {
    /// The edges, by step, client, server and type.
    pub edges: Vec<Edge>,
    /// What the question cost.
    pub stats: Stats,
}

/// The calls along one edge, in one step or in the whole range.
#[derive(Debug, Serialize, ToSchema)]
pub struct Edge {
    /// Start of the step, or of the range.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub start: i64,
    /// The calling service.
    #[schema(example = "frontend")]
    pub client: String,
    /// The called service, or the name of a database, destination or host without spans.
    #[schema(example = "cart")]
    pub server: String,
    /// Empty for a call, `messaging_system`, `database`, or `virtual_node` for a host without spans.
    #[schema(example = "")]
    pub connection_type: &'static str,
    /// Calls.
    pub calls: u64,
    /// Calls of which either side has the status ERROR.
    pub failed: u64,
    /// How many calls these stand for, by their sampling probability.
    pub weighted_calls: f64,
    /// The same of failed ones.
    pub weighted_failed: f64,
    /// Calls a second, by `weighted_calls`.
    pub rate: f64,
    /// How long the calls took for those who made them; none where no caller is a client.
    pub client_duration: Option<DurationStats>,
    /// How long they took for those who were called; none where these have no spans.
    pub server_duration: Option<DurationStats>,
}

/// A distribution of durations in short. Quantiles are off by less than 4.5 %.
#[derive(Debug, Serialize, ToSchema)]
pub struct DurationStats {
    /// How many durations.
    pub count: f64,
    /// Their mean in milliseconds.
    pub mean_ms: f64,
    /// The median in milliseconds.
    pub p50_ms: f64,
    /// The 90th percentile in milliseconds.
    pub p90_ms: f64,
    /// The 95th percentile in milliseconds.
    pub p95_ms: f64,
    /// The 99th percentile in milliseconds.
    pub p99_ms: f64,
}

/// Rate, errors and durations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Red {
    /// The rows, by step, service, operation and kind.
    pub operations: Vec<RedOperation>,
    /// Whether every operation has its name: where a service makes names without end, some of its
    /// spans count under the empty one.
    pub names_complete: bool,
    /// What the question cost.
    pub stats: Stats,
}

/// Rate, errors and durations of one operation, in one step or in the whole range.
#[derive(Debug, Serialize, ToSchema)]
pub struct RedOperation {
    /// Start of the step, or of the range.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub start: i64,
    /// The service.
    #[schema(example = "cart")]
    pub service: String,
    /// The spans' name; empty where rows are by service.
    #[schema(example = "GET /cart")]
    pub operation: String,
    /// The spans' kind.
    #[schema(example = "server")]
    pub kind: String,
    /// Spans.
    pub spans: u64,
    /// Spans with status ERROR.
    pub errors: u64,
    /// How many spans these stand for, by their sampling probability.
    pub weighted_spans: f64,
    /// The same of those with status ERROR.
    pub weighted_errors: f64,
    /// Spans a second, by `weighted_spans`.
    pub rate: f64,
    /// How long they took.
    pub duration: Option<DurationStats>,
    /// The slowest of them, or one of nearly its duration.
    pub exemplar: Option<SpanExemplar>,
}

/// A span that stands for others.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpanExemplar {
    /// Its trace in hex digits.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: TraceId,
    /// Its id in hex digits.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "00f067aa0ba902b7")]
    pub span_id: SpanId,
    /// Its start.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub start_time: i64,
    /// Nanoseconds.
    #[serde(serialize_with = "exact_i64")]
    pub duration_ns: i64,
}

/// Seconds that a row stands for: its step as far as it lies in the range.
fn seconds(start_ns: i64, range: TimeRange, step_ns: Option<i64>) -> f64 {
    let from = start_ns.max(range.start_ns);
    let to = match step_ns {
        Some(step) => start_ns.saturating_add(step).min(range.end_ns),
        None => range.end_ns,
    };
    to.saturating_sub(from).max(1) as f64 / NS_PER_S
}

fn duration_stats(durations: &query::Durations) -> Option<DurationStats> {
    let quantile = |q: f64| durations.distribution.quantile(q).map(|ns| ns / NS_PER_MS);
    Some(DurationStats {
        count: durations.distribution.count(),
        mean_ms: durations.mean_ns()? / NS_PER_MS,
        p50_ms: quantile(0.5)?,
        p90_ms: quantile(0.9)?,
        p95_ms: quantile(0.95)?,
        p99_ms: quantile(0.99)?,
    })
}

impl ServiceMap {
    /// The answer about a range in steps.
    pub fn new(edges: query::ServiceEdges, range: TimeRange, step_ns: Option<i64>) -> Self {
        let edge = |edge: query::ServiceEdge| Edge {
            start: edge.start_ns,
            client: edge.client.to_string(),
            server: edge.server.to_string(),
            connection_type: edge.connection_type.name(),
            calls: edge.calls,
            failed: edge.failed,
            weighted_calls: edge.weighted_calls,
            weighted_failed: edge.weighted_failed,
            rate: edge.weighted_calls / seconds(edge.start_ns, range, step_ns),
            client_duration: duration_stats(&edge.client_durations),
            server_duration: duration_stats(&edge.server_durations),
        };
        Self { edges: edges.edges.into_iter().map(edge).collect(), stats: edges.stats.into() }
    }
}

impl Red {
    /// The answer about a range in steps: statuses of one operation become one row.
    pub fn new(found: query::Operations, range: TimeRange, step_ns: Option<i64>) -> Self {
        let mut operations: Vec<RedOperation> = Vec::new();
        let mut durations = query::Durations::default();
        for row in found.operations {
            let kind = kind_name(row.kind);
            // Statuses follow each other in the order of the rows.
            let is_known = operations.last().is_some_and(|last| {
                (last.start, &*last.service, &*last.operation)
                    == (row.start_ns, &*row.service, &*row.name)
                    && last.kind == kind
            });
            if !is_known {
                durations = query::Durations::default();
                operations.push(RedOperation {
                    start: row.start_ns,
                    service: row.service.to_string(),
                    operation: row.name.to_string(),
                    kind,
                    spans: 0,
                    errors: 0,
                    weighted_spans: 0.0,
                    weighted_errors: 0.0,
                    rate: 0.0,
                    duration: None,
                    exemplar: None,
                });
            }
            durations.merge(&row.durations);
            let Some(operation) = operations.last_mut() else { continue };
            operation.add(&row);
            operation.duration = duration_stats(&durations);
            operation.rate = operation.weighted_spans / seconds(operation.start, range, step_ns);
        }
        Self { operations, names_complete: found.names_complete, stats: found.stats.into() }
    }
}

impl RedOperation {
    fn add(&mut self, row: &query::OperationRed) {
        self.spans += row.spans;
        self.weighted_spans += row.weighted_spans;
        if row.status_code == ERROR {
            self.errors += row.spans;
            self.weighted_errors += row.weighted_spans;
        }
        let Some(slowest) = row.exemplar else { return };
        let is_slower =
            self.exemplar.as_ref().is_none_or(|known| known.duration_ns < slowest.duration_ns);
        if is_slower {
            self.exemplar = Some(SpanExemplar {
                trace_id: slowest.trace_id,
                span_id: slowest.span_id,
                start_time: slowest.start_ns,
                duration_ns: slowest.duration_ns,
            });
        }
    }
}
