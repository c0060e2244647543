//! What goes over the wire of Jaeger's v3 API, in the JSON mapping of protobuf: 64-bit integers are
//! strings, fields of no value are left out.

use serde::{Serialize, Serializer};
use throughline_query::traces::{ServiceCount, TraceSummary};

/// Services.
#[derive(Debug, Serialize)]
pub struct Services {
    /// Their names; never null.
    pub services: Vec<String>,
}

/// Names and kinds of spans.
#[derive(Debug, Serialize)]
pub struct Operations {
    /// They.
    pub operations: Vec<super::super::wire::OperationJson>,
}

/// Traces in a list.
#[derive(Debug, Serialize)]
pub struct Summaries {
    /// They, newest first; never null.
    pub summaries: Vec<Summary>,
}

/// A trace in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    trace_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    root_service_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    root_operation_name: String,
    #[serde(serialize_with = "nanos")]
    min_start_time_unix_nano: i64,
    #[serde(serialize_with = "nanos")]
    max_end_time_unix_nano: i64,
    span_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    error_span_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    orphan_span_count: u64,
    services: Vec<Service>,
}

/// The part of a service in a trace.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    name: String,
    span_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    error_span_count: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn nanos<S: Serializer>(t_ns: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&(*t_ns as u64))
}

impl From<TraceSummary> for Summary {
    fn from(trace: TraceSummary) -> Self {
        let service = |service: ServiceCount| Service {
            name: service.name,
            span_count: service.span_count,
            error_span_count: service.error_count,
        };
        let mut services: Vec<_> = trace.services.into_iter().map(service).collect();
        services.sort_by(|a, b| a.name.cmp(&b.name));
        // The names of Jaeger's root are of a span without parent; without one the UI says so itself.
        let of_root = |name: String| if trace.has_root { name } else { String::new() };
        Self {
            trace_id: trace.trace_id.to_string(),
            root_service_name: of_root(trace.root_service),
            root_operation_name: of_root(trace.root_operation),
            min_start_time_unix_nano: trace.start_time_ns,
            max_end_time_unix_nano: trace.start_time_ns.saturating_add(trace.duration_ns),
            span_count: trace.span_count,
            error_span_count: trace.error_count,
            orphan_span_count: trace.orphan_count,
            services,
        }
    }
}
