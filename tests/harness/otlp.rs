//! OTLP bodies with prost's types: small, distinct, and countable by their `body` attribute.

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

/// 2026-11-20T12:00:00Z.
pub const T0: u64 = 1_795_176_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// Items in each of the bodies below.
pub const ITEMS: u64 = 10;

pub fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

pub fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.to_owned()))
}

pub fn resource(service: &str) -> Option<Resource> {
    Some(Resource { attributes: vec![text("service.name", service)], ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "tests".to_owned(), ..InstrumentationScope::default() })
}

// Spreads bodies over a little more than two hours, so that windows of every level are met.
fn time(body: u64, item: u64) -> u64 {
    T0 + (body * 7 % 9_000) * SECOND + item * 1_000
}

fn trace_id(body: u64) -> Vec<u8> {
    let mixed = (body + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [mixed.to_be_bytes(), body.to_be_bytes()].concat()
}

fn span_id(body: u64, item: u64) -> Vec<u8> {
    (body * ITEMS + item + 1).to_be_bytes().to_vec()
}

/// A trace of [`ITEMS`] spans.
pub fn spans(body: u64) -> Vec<u8> {
    let span = |item: u64| Span {
        trace_id: trace_id(body),
        span_id: span_id(body, item),
        parent_span_id: if item == 0 { Vec::new() } else { span_id(body, 0) },
        name: format!("operation {}", item % 3),
        kind: 2,
        start_time_unix_nano: time(body, item),
        end_time_unix_nano: time(body, item) + 500,
        attributes: vec![
            text("body", &body.to_string()),
            attribute("item", any_value::Value::IntValue(item as i64)),
        ],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans {
        scope: scope(),
        spans: (0..ITEMS).map(span).collect(),
        ..ScopeSpans::default()
    }];
    let resource = resource(&format!("service-{}", body % 5));
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// [`ITEMS`] log records of the trace of the same number.
pub fn logs(body: u64) -> Vec<u8> {
    let record = |item: u64| LogRecord {
        time_unix_nano: time(body, item),
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(AnyValue {
            value: Some(any_value::Value::StringValue(format!("item {item} of body {body}"))),
        }),
        attributes: vec![text("body", &body.to_string())],
        trace_id: trace_id(body),
        span_id: span_id(body, item),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs {
        scope: scope(),
        log_records: (0..ITEMS).map(record).collect(),
        ..ScopeLogs::default()
    }];
    let resource = resource(&format!("service-{}", body % 5));
    let resource_logs = vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

/// [`ITEMS`] points of a series of its own.
pub fn metrics(body: u64) -> Vec<u8> {
    let point = |item: u64| NumberDataPoint {
        time_unix_nano: time(body, 0) + item * SECOND,
        attributes: vec![text("body", &body.to_string())],
        value: Some(number_data_point::Value::AsInt((body * ITEMS + item) as i64)),
        ..NumberDataPoint::default()
    };
    let data = metric::Data::Gauge(Gauge { data_points: (0..ITEMS).map(point).collect() });
    let metrics =
        vec![Metric { name: "tests.level".to_owned(), data: Some(data), ..Metric::default() }];
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..ScopeMetrics::default() }];
    let resource = resource(&format!("service-{}", body % 5));
    let resource_metrics =
        vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

/// Bytes of text in each item of a [`large`] body.
const LARGE_TEXT_BYTES: usize = 16 * 1024;
/// Items of a [`large`] body, which is 1 MiB long.
pub const LARGE_ITEMS: u64 = 64;

/// Text that differs from item to item and from line to line.
fn large_text(body: u64, item: u64) -> String {
    let words = (0..LARGE_TEXT_BYTES as u64 / 16).map(|word| {
        let mixed = (body * LARGE_ITEMS + item + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ word;
        format!("{:016x}", mixed.wrapping_mul(0xd6e8_feb8_6659_fd93))
    });
    words.collect()
}

/// Log records with long texts: many bytes, quickly decoded.
pub fn large_logs(body: u64) -> Vec<u8> {
    let record = |item: u64| LogRecord {
        time_unix_nano: time(body, item),
        body: Some(AnyValue { value: Some(any_value::Value::StringValue(large_text(body, item))) }),
        ..LogRecord::default()
    };
    let log_records = (0..LARGE_ITEMS).map(record).collect();
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }];
    let resource_logs =
        vec![ResourceLogs { resource: resource("large"), scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

/// Spans with a long attribute.
pub fn large_spans(body: u64) -> Vec<u8> {
    let span = |item: u64| Span {
        trace_id: trace_id(body),
        span_id: span_id(body * LARGE_ITEMS, item),
        name: "large".to_owned(),
        start_time_unix_nano: time(body, item),
        end_time_unix_nano: time(body, item) + 500,
        attributes: vec![text("db.query.text", &large_text(body, item))],
        ..Span::default()
    };
    let spans = (0..LARGE_ITEMS).map(span).collect();
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans {
        resource: resource("large"),
        scope_spans,
        ..ResourceSpans::default()
    }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}
