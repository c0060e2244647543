//! What goes over the wire of log search.

use serde::{Serialize, Serializer};
use throughline_model::{SpanId, TraceId, Value};
use throughline_query::logs as query;
use utoipa::ToSchema;

use super::super::origin::{Scope, attributes, optional_text};
use super::super::stats::Stats;
use crate::render::value::{ValueJson, time, time_or_null};

/// A page of log records.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogPage {
    /// The records, in the order asked for.
    pub logs: Vec<LogRecord>,
    /// Cursor of the next page; null when there is nothing more.
    pub next_cursor: Option<String>,
    /// What the search cost.
    pub stats: Stats,
}

/// A log record.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogRecord)]
pub struct LogRecord {
    /// What singles it out, for `/api/v1/logs/context`.
    #[schema(example = "1795176000000000000.9b1f2c3d4e5f6071.0")]
    pub id: String,
    /// When it happened.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub time: i64,
    /// When it was observed; null where the sender did not say.
    #[serde(serialize_with = "time_or_null")]
    #[schema(value_type = Option<String>)]
    pub observed_time: i64,
    /// Severity number, 0 to 24.
    #[schema(example = 17)]
    pub severity_number: i32,
    /// Severity as the sender wrote it.
    #[schema(example = "ERROR")]
    pub severity_text: String,
    /// The body in its own type; null where there is none.
    #[serde(serialize_with = "value")]
    #[schema(value_type = Object, example = "card declined")]
    pub body: Value,
    /// Name of the event, for records that are events.
    pub event_name: String,
    /// The trace it belongs to, in hex digits.
    #[serde(serialize_with = "optional_text")]
    #[schema(value_type = Option<String>, example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: Option<TraceId>,
    /// The span it belongs to, in hex digits.
    #[serde(serialize_with = "optional_text")]
    #[schema(value_type = Option<String>, example = "00f067aa0ba902b7")]
    pub span_id: Option<SpanId>,
    /// Trace flags.
    pub flags: u32,
    /// Its service.
    #[schema(example = "payment")]
    pub service_name: String,
    /// Its attributes in their own types.
    #[serde(serialize_with = "attributes")]
    #[schema(value_type = Object)]
    pub attributes: Vec<(String, Value)>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
    /// The attributes of its resource.
    #[serde(serialize_with = "attributes")]
    #[schema(value_type = Object)]
    pub resource_attributes: Vec<(String, Value)>,
    /// The instrumentation scope.
    pub scope: Scope,
}

impl From<query::LogPage> for LogPage {
    fn from(page: query::LogPage) -> Self {
        Self {
            logs: log_records(page.records, page.repeats),
            next_cursor: page.next,
            stats: page.stats.into(),
        }
    }
}

/// Records in the order of a search, of which `repeats` that say the same as the first came before.
pub fn log_records(records: Vec<query::LogRecord>, repeats: usize) -> Vec<LogRecord> {
    let ids = query::log_ids(&records, repeats);
    records.into_iter().zip(ids).map(|(record, id)| LogRecord::new(record, id)).collect()
}

impl LogRecord {
    /// A record and its id.
    pub fn new(record: query::LogRecord, id: query::LogId) -> Self {
        Self {
            id: id.to_string(),
            time: record.time_ns,
            observed_time: record.observed_time_ns,
            severity_number: record.severity_number,
            severity_text: record.severity_text,
            body: record.body.unwrap_or_default(),
            event_name: record.event_name,
            trace_id: record.trace_id,
            span_id: record.span_id,
            flags: record.flags,
            service_name: record.service_name,
            attributes: record.attributes,
            dropped_attributes_count: record.dropped_attributes_count,
            resource_attributes: record.resource.attributes.clone(),
            scope: record.scope.as_ref().clone().into(),
        }
    }
}

fn value<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    ValueJson(value).serialize(serializer)
}
