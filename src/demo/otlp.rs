//! Simulated traces and log records as OTLP requests, built by hand with the protocol's own types.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::faults::Faults;
use super::resource::{self, SCOPE_NAME, SCOPE_VERSION};
use super::trace::{Attributes, Log, Pod, SpanRef, Trace, Val};

const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";
/// Trace flags: sampled.
const FLAGS_SAMPLED: u32 = 1;

/// What is sent together: a pod in one of its versions.
type Group = (Pod, &'static str);

/// One request with the spans of these traces.
pub fn spans(traces: &[Trace], faults: &Faults) -> ExportTraceServiceRequest {
    let mut groups: BTreeMap<Group, Vec<Span>> = BTreeMap::new();
    for span in traces.iter().flat_map(|trace| &trace.spans) {
        let version = resource::version(span.pod, faults, span.start_ns);
        groups.entry((span.pod, version)).or_default().push(span_of(span));
    }
    let resource_spans = groups.into_iter().map(|((pod, version), spans)| ResourceSpans {
        resource: Some(resource_of(pod, version)),
        scope_spans: vec![ScopeSpans {
            scope: Some(scope()),
            spans,
            schema_url: SCHEMA_URL.to_owned(),
        }],
        schema_url: SCHEMA_URL.to_owned(),
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
}

/// One request with the log records of these traces.
pub fn logs(traces: &[Trace], faults: &Faults) -> ExportLogsServiceRequest {
    let mut groups: BTreeMap<Group, Vec<LogRecord>> = BTreeMap::new();
    for log in traces.iter().flat_map(|trace| &trace.logs) {
        let version = resource::version(log.pod, faults, log.time_ns);
        groups.entry((log.pod, version)).or_default().push(log_of(log));
    }
    let resource_logs = groups.into_iter().map(|((pod, version), log_records)| ResourceLogs {
        resource: Some(resource_of(pod, version)),
        scope_logs: vec![ScopeLogs {
            scope: Some(scope()),
            log_records,
            schema_url: SCHEMA_URL.to_owned(),
        }],
        schema_url: SCHEMA_URL.to_owned(),
    });
    ExportLogsServiceRequest { resource_logs: resource_logs.collect() }
}

/// The resource of a pod.
pub fn resource_of(pod: Pod, version: &str) -> Resource {
    Resource { attributes: key_values(&resource::attributes(pod, version)), ..Resource::default() }
}

/// The scope of everything.
pub fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: SCOPE_NAME.to_owned(),
        version: SCOPE_VERSION.to_owned(),
        ..InstrumentationScope::default()
    }
}

/// Attributes as key-value pairs.
pub fn key_values(attributes: &Attributes) -> Vec<KeyValue> {
    attributes
        .iter()
        .map(|(key, value)| KeyValue {
            key: (*key).to_owned(),
            value: Some(any_value_of(value)),
            ..KeyValue::default()
        })
        .collect()
}

fn any_value_of(value: &Val) -> AnyValue {
    use any_value::Value;
    let text = |text: &String| Value::StringValue(text.clone());
    let value = match value {
        Val::Text(value) => text(value),
        Val::Int(number) => Value::IntValue(*number),
        Val::Float(number) => Value::DoubleValue(*number),
        Val::Bool(truth) => Value::BoolValue(*truth),
        Val::Texts(texts) => Value::ArrayValue(ArrayValue {
            values: texts.iter().map(|t| AnyValue { value: Some(text(t)) }).collect(),
        }),
    };
    AnyValue { value: Some(value) }
}

fn span_of(span: &super::trace::Span) -> Span {
    Span {
        trace_id: span.id.trace_id.to_be_bytes().to_vec(),
        span_id: span.id.span_id.to_be_bytes().to_vec(),
        parent_span_id: span.parent.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default(),
        flags: FLAGS_SAMPLED,
        name: span.name.clone(),
        kind: span.kind as i32,
        start_time_unix_nano: span.start_ns as u64,
        end_time_unix_nano: span.end_ns as u64,
        attributes: key_values(&span.attributes),
        events: span.events.iter().map(event_of).collect(),
        links: span.links.iter().map(link_of).collect(),
        status: span
            .error
            .as_ref()
            .map(|message| Status { code: StatusCode::Error as i32, message: message.clone() }),
        ..Span::default()
    }
}

fn event_of(event: &super::trace::Event) -> Event {
    Event {
        time_unix_nano: event.time_ns as u64,
        name: event.name.to_owned(),
        attributes: key_values(&event.attributes),
        dropped_attributes_count: 0,
    }
}

fn link_of(link: &SpanRef) -> Link {
    Link {
        trace_id: link.trace_id.to_be_bytes().to_vec(),
        span_id: link.span_id.to_be_bytes().to_vec(),
        flags: FLAGS_SAMPLED,
        ..Link::default()
    }
}

/// `severityText` of a number.
pub fn severity_text(number: i32) -> &'static str {
    match number {
        ..=4 => "TRACE",
        5..=8 => "DEBUG",
        9..=12 => "INFO",
        13..=16 => "WARN",
        17..=20 => "ERROR",
        21.. => "FATAL",
    }
}

fn log_of(log: &Log) -> LogRecord {
    let (trace_id, span_id) = match log.span {
        Some(id) => (id.trace_id.to_be_bytes().to_vec(), id.span_id.to_be_bytes().to_vec()),
        None => (Vec::new(), Vec::new()),
    };
    LogRecord {
        time_unix_nano: log.time_ns as u64,
        observed_time_unix_nano: log.time_ns as u64,
        severity_number: log.severity,
        severity_text: severity_text(log.severity).to_owned(),
        body: Some(any_value_of(&Val::Text(log.text.clone()))),
        attributes: key_values(&log.attributes),
        flags: if trace_id.is_empty() { 0 } else { FLAGS_SAMPLED },
        trace_id,
        span_id,
        ..LogRecord::default()
    }
}
