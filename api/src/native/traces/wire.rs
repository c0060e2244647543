//! What goes over the wire of trace search.

use serde::Serialize;
use throughline_model::TraceId;
use throughline_query::traces as query;
use utoipa::ToSchema;

use super::super::stats::Stats;
use crate::render::value::{exact_i64, text, time};

/// A page of traces, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct TracePage {
    /// The traces.
    pub traces: Vec<TraceSummary>,
    /// Cursor of the next page; null when there is nothing more.
    pub next_cursor: Option<String>,
    /// What the search cost.
    pub stats: Stats,
}

/// A trace in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct TraceSummary {
    /// Its id in hex digits.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: TraceId,
    /// Service of the root span, or of the earliest span where no root is stored.
    #[schema(example = "frontend")]
    pub root_service: String,
    /// Name of the same span.
    #[schema(example = "GET /cart")]
    pub root_operation: String,
    /// Whether a span without parent is stored.
    pub has_root: bool,
    /// Earliest start.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub start_time: i64,
    /// Latest end minus earliest start, in nanoseconds.
    #[serde(serialize_with = "exact_i64")]
    pub duration_ns: i64,
    /// Spans stored.
    pub span_count: u64,
    /// Spans with status ERROR.
    pub error_count: u64,
    /// Spans that meet the search.
    pub matched_spans: u64,
    /// By service, most spans first.
    pub services: Vec<TraceService>,
}

/// The part of a service in a trace.
#[derive(Debug, Serialize, ToSchema)]
pub struct TraceService {
    /// The service.
    #[schema(example = "cart")]
    pub name: String,
    /// Its spans.
    pub span_count: u64,
    /// Its spans with status ERROR.
    pub error_count: u64,
}

impl From<query::TracePage> for TracePage {
    fn from(page: query::TracePage) -> Self {
        Self {
            traces: page.traces.into_iter().map(TraceSummary::from).collect(),
            next_cursor: page.next,
            stats: page.stats.into(),
        }
    }
}

impl From<query::TraceSummary> for TraceSummary {
    fn from(trace: query::TraceSummary) -> Self {
        let service = |service: query::ServiceCount| TraceService {
            name: service.name,
            span_count: service.span_count,
            error_count: service.error_count,
        };
        Self {
            trace_id: trace.trace_id,
            root_service: trace.root_service,
            root_operation: trace.root_operation,
            has_root: trace.has_root,
            start_time: trace.start_time_ns,
            duration_ns: trace.duration_ns,
            span_count: trace.span_count,
            error_count: trace.error_count,
            matched_spans: trace.matched_spans,
            services: trace.services.into_iter().map(service).collect(),
        }
    }
}
