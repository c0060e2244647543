//! Log records: `{"resourceLogs":[…]}`.

use serde::Serialize;
use throughline_query::logs::LogRecord;

use super::{AnyValue, Attributes, Hex, Names, Nanos, document, is_unset, is_zero};
use crate::otlp::ResourceGroup;

const NAMES: Names = Names { resources: "resourceLogs", scopes: "scopeLogs", items: "logRecords" };

/// The JSON text of grouped log records.
pub fn write_logs(groups: &[ResourceGroup<'_, LogRecord>]) -> serde_json::Result<Vec<u8>> {
    document(&NAMES, groups, |records| records.iter().map(|record| record_json(record)).collect())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time_unix_nano: Option<Nanos>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_time_unix_nano: Option<Nanos>,
    #[serde(skip_serializing_if = "is_unset")]
    severity_number: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    severity_text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<AnyValue<'a>>,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    event_name: &'a str,
}

fn record_json(record: &LogRecord) -> RecordJson<'_> {
    RecordJson {
        time_unix_nano: Nanos::unless_zero(record.time_ns).filter(|_| record.has_event_time),
        observed_time_unix_nano: Nanos::unless_zero(record.observed_time_ns),
        severity_number: record.severity_number,
        severity_text: &record.severity_text,
        body: record.body.as_ref().map(AnyValue),
        attributes: Attributes(&record.attributes),
        dropped_attributes_count: record.dropped_attributes_count,
        flags: record.flags,
        trace_id: record.trace_id.as_ref().map(|id| Hex(&id.0)),
        span_id: record.span_id.as_ref().map(|id| Hex(&id.0)),
        event_name: &record.event_name,
    }
}
