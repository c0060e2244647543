//! Answers of the engine as messages.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use throughline_model::Value;
use throughline_query::QueryStatsSnapshot;
use throughline_query::complete::fields::FieldValue;
use throughline_query::traceql::ast::{KINDS, STATUSES, Static};
use throughline_query::traceql::{
    FoundSpan, FoundSpanset, FoundTrace, MetricsAnswer, MetricsExemplar, MetricsSeries,
};
use throughline_query::traces::ServiceCount;

use super::messages::{
    Exemplar, InstantSeries, MetadataMetrics, PartialStatus, QueryInstantResponse,
    QueryRangeResponse, Sample, SearchMetrics, ServiceStats, Span, SpanSet, TagValue, TimeSeries,
    TraceSearchMetadata,
};
use crate::otlp::proto::key_values;

const MILLISECOND_NS: i64 = 1_000_000;
/// What clients know as the service of a trace whose root is not stored.
const ROOT_MISSING: &str = "<root span not yet received>";
/// The label of a series that has no other, as clients show it.
const NAME_LABEL: &str = "__name__";

/// A trace that was found.
pub fn trace(found: FoundTrace) -> TraceSearchMetadata {
    let summary = found.summary;
    let stats = |service: ServiceCount| {
        let counts = ServiceStats {
            span_count: small(service.span_count),
            error_count: small(service.error_count),
        };
        (service.name, counts)
    };
    let (root_service_name, root_trace_name) = match summary.has_root {
        true => (summary.root_service, summary.root_operation),
        false => (ROOT_MISSING.to_owned(), String::new()),
    };
    let span_sets: Vec<SpanSet> = found.spansets.into_iter().map(span_set).collect();
    TraceSearchMetadata {
        trace_id: summary.trace_id.to_string(),
        root_service_name,
        root_trace_name,
        start_time_unix_nano: summary.start_time_ns as u64,
        duration_ms: duration_ms(summary.duration_ns),
        span_set: span_sets.first().cloned(),
        span_sets,
        service_stats: summary.services.into_iter().map(stats).collect::<BTreeMap<_, _>>(),
    }
}

/// Whole milliseconds of a duration.
pub fn duration_ms(duration_ns: i64) -> u32 {
    u32::try_from((duration_ns / MILLISECOND_NS).max(0)).unwrap_or(u32::MAX)
}

fn span_set(set: FoundSpanset) -> SpanSet {
    let span = |span: FoundSpan| Span {
        span_id: span.span_id.to_string(),
        name: span.name,
        start_time_unix_nano: span.start_time_ns as u64,
        duration_nanos: span.duration_ns.max(0) as u64,
        attributes: key_values(&one_by_one(span.attributes)),
    };
    SpanSet {
        spans: set.spans.into_iter().map(span).collect(),
        matched: small(set.matched),
        attributes: key_values(&set.attributes),
    }
}

// Clients show no lists, and some fail on one: each element of a list stands by itself, under the same
// key, as Tempo does with the attributes of several events.
fn one_by_one(attributes: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let mut singles = Vec::with_capacity(attributes.len());
    for (key, value) in attributes {
        match value {
            Value::Array(items) => {
                singles.extend(items.into_iter().map(|item| (key.clone(), item)));
            }
            value => singles.push((key, value)),
        }
    }
    singles
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What a question did, all of it done.
pub fn search_metrics(stats: &QueryStatsSnapshot, traces: usize) -> SearchMetrics {
    SearchMetrics {
        inspected_traces: small(traces as u64),
        inspected_bytes: stats.scan.bytes_read,
        total_blocks: small(stats.scan.segments_total),
        completed_jobs: 1,
        total_jobs: 1,
        total_block_bytes: 0,
    }
}

/// What a look for names or values did.
pub fn metadata_metrics(stats: &QueryStatsSnapshot) -> MetadataMetrics {
    MetadataMetrics {
        inspected_bytes: stats.scan.bytes_read,
        total_jobs: 1,
        completed_jobs: 1,
        total_blocks: small(stats.scan.segments_total),
    }
}

/// Numbers over time. `name` is the function's, for the series that has no labels.
pub fn range(answer: MetricsAnswer, series_max: usize, name: &str) -> QueryRangeResponse {
    let (status, message) = status(&answer, series_max);
    let metrics = Some(search_metrics(&answer.stats, 0));
    let series = answer.series.into_iter().map(|one| time_series(one, name)).collect();
    QueryRangeResponse { series, metrics, status: status as i32, message }
}

/// One number a series.
pub fn instant(answer: MetricsAnswer, series_max: usize, name: &str) -> QueryInstantResponse {
    let (status, message) = status(&answer, series_max);
    let metrics = Some(search_metrics(&answer.stats, 0));
    let one = |series: MetricsSeries| {
        let (_, value) = *series.points.last()?;
        Some(InstantSeries { labels: labels(series.labels, name), value })
    };
    let series = answer.series.into_iter().filter_map(one).collect();
    QueryInstantResponse { series, metrics, status: status as i32, message }
}

fn status(answer: &MetricsAnswer, series_max: usize) -> (PartialStatus, String) {
    let mut reasons = Vec::new();
    if answer.truncated {
        reasons.push(format!(
            "Response exceeds maximum series limit of {series_max}, a partial response is returned."
        ));
    }
    if let Some(missing) = missing(&answer.stats.scan.partial) {
        reasons.push(missing);
    }
    let status = if reasons.is_empty() { PartialStatus::Complete } else { PartialStatus::Partial };
    (status, reasons.join(" "))
}

/// What an answer lacks whose segments could not all be read.
pub fn missing(partial: &[String]) -> Option<String> {
    let count = partial.len();
    (count > 0).then(|| {
        format!(
            "{count} segments could not be read: {}; their spans are missing.",
            partial.join(", ")
        )
    })
}

fn time_series(series: MetricsSeries, name: &str) -> TimeSeries {
    let labels = labels(series.labels, name);
    let sample =
        |(time_ns, value): (i64, f64)| Sample { value, timestamp_ms: time_ns / MILLISECOND_NS };
    TimeSeries {
        prom_labels: prom_labels(&labels),
        labels,
        samples: series.points.into_iter().map(sample).collect(),
        exemplars: series.exemplars.into_iter().map(exemplar).collect(),
    }
}

fn exemplar(exemplar: MetricsExemplar) -> Exemplar {
    let id = |key: &str, id: String| (key.to_owned(), Value::String(id));
    let ids = [
        id("trace:id", exemplar.trace_id.to_string()),
        id("span:id", exemplar.span_id.to_string()),
    ];
    Exemplar {
        labels: key_values(&ids),
        value: exemplar.value,
        timestamp_ms: exemplar.time_ns / MILLISECOND_NS,
    }
}

fn labels(mut labels: Vec<(String, Value)>, name: &str) -> Vec<KeyValue> {
    for (_, value) in &mut labels {
        if *value == Value::Empty {
            *value = Value::String("nil".to_owned());
        }
    }
    if labels.is_empty() && !name.is_empty() {
        labels.push((NAME_LABEL.to_owned(), Value::String(name.to_owned())));
    }
    key_values(&labels)
}

// `{a="b", c="1"}`.
fn prom_labels(labels: &[KeyValue]) -> String {
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Proto;
    let label = |label: &KeyValue| {
        let text = match label.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Proto::StringValue(text)) => text.clone(),
            Some(Proto::BoolValue(flag)) => flag.to_string(),
            Some(Proto::IntValue(number)) => number.to_string(),
            Some(Proto::DoubleValue(number)) => number.to_string(),
            _ => String::new(),
        };
        format!("{}={}", label.key, Static::String(text))
    };
    format!("{{{}}}", labels.iter().map(label).collect::<Vec<_>>().join(", "))
}

/// A value with its type.
pub fn tag_value(value: &FieldValue) -> Option<TagValue> {
    let word = |words: &[&str], number: i32| {
        usize::try_from(number)
            .ok()
            .and_then(|number| words.get(number))
            .map(|word| (*word).to_owned())
    };
    let (kind, value) = match &value.value {
        Static::Nil => return None,
        Static::String(text) => ("string", text.clone()),
        Static::Int(number) => ("int", number.to_string()),
        Static::Float(number) => ("float", number.to_string()),
        Static::Bool(flag) => ("bool", flag.to_string()),
        Static::Duration(ns) => ("duration", format!("{ns}ns")),
        Static::Status(number) => ("keyword", word(&STATUSES, *number)?),
        Static::Kind(number) => ("keyword", word(&KINDS, *number)?),
    };
    Some(TagValue { kind: kind.to_owned(), value })
}
