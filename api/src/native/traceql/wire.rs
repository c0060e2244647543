//! What goes over the wire of TraceQL.

use serde::Serialize;
use throughline_model::{SpanId, TraceId, Value};
use throughline_query::traceql as query;
use throughline_query::traceql::ast::Place;
use utoipa::ToSchema;

use super::super::stats::Stats;
use super::super::traces::wire::TraceSummary;
use crate::render::value::{ValueJson, double, exact_i64, text, time};

/// A page of traces, that of the newest matched span first.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundPage {
    /// The traces.
    pub traces: Vec<FoundTrace>,
    /// Cursor of the next page; null when there is nothing more.
    pub next_cursor: Option<String>,
    /// What the search cost.
    pub stats: Stats,
}

/// A trace that was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundTrace {
    /// The trace.
    #[serde(flatten)]
    pub trace: TraceSummary,
    /// Its spansets.
    pub spansets: Vec<FoundSpanset>,
}

/// Spans that belong together.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundSpanset {
    /// Spans in the set.
    pub matched: u64,
    /// What groups and aggregates said of the set.
    pub attributes: Vec<NamedValue>,
    /// Some of the spans, by start.
    pub spans: Vec<FoundSpan>,
}

/// A span that was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundSpan {
    /// Its id in hex digits.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "00f067aa0ba902b7")]
    pub span_id: SpanId,
    /// Its name.
    #[schema(example = "GET /cart")]
    pub name: String,
    /// Its service.
    #[schema(example = "cart")]
    pub service: String,
    /// Its start.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub start_time: i64,
    /// Its duration in nanoseconds.
    #[serde(serialize_with = "exact_i64")]
    pub duration_ns: i64,
    /// The fields that the query names, where the span has them.
    pub attributes: Vec<NamedValue>,
}

/// A name with a value of its own type.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamedValue {
    /// The name.
    #[schema(example = "http.status_code")]
    pub name: String,
    /// The value.
    #[serde(serialize_with = "value")]
    #[schema(value_type = Object)]
    pub value: Value,
}

/// Numbers over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricsAnswer {
    /// The series.
    pub series: Vec<Series>,
    /// Whether there were more series than asked for.
    pub truncated: bool,
    /// What the query cost.
    pub stats: Stats,
}

/// A series of numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Series {
    /// What tells it from others.
    pub labels: Vec<NamedValue>,
    /// The numbers by time.
    pub points: Vec<Point>,
    /// Spans that stand for numbers.
    pub exemplars: Vec<Exemplar>,
}

/// A number at a time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Point {
    /// The end of the step that the number is of.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub time: i64,
    /// The number.
    #[serde(serialize_with = "double")]
    pub value: f64,
}

/// A span that stands for a number.
#[derive(Debug, Serialize, ToSchema)]
pub struct Exemplar {
    /// Its trace.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: TraceId,
    /// Its id.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "00f067aa0ba902b7")]
    pub span_id: SpanId,
    /// Its start.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub time: i64,
    /// What was measured; seconds of durations.
    #[serde(serialize_with = "double")]
    pub value: f64,
}

/// What fits at a cursor.
#[derive(Debug, Serialize, ToSchema)]
pub struct Completion {
    /// What the chosen text takes the place of.
    pub replace: Span,
    /// The proposals, the likelier first.
    pub proposals: Vec<Proposal>,
    /// Whether there may be more names or values.
    pub truncated: bool,
}

/// Characters of a query, from zero.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Span {
    /// The first.
    pub start: usize,
    /// One past the last.
    pub end: usize,
}

/// A text that fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Proposal {
    /// What is written.
    #[schema(example = "resource.service.name")]
    pub text: String,
    /// `value`, `field`, `keyword`, `function`, `operator` or `symbol`.
    #[schema(example = "field")]
    pub kind: &'static str,
    /// How often it occurs, of what was looked at.
    pub count: Option<u64>,
}

fn value<S: serde::Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    ValueJson(value).serialize(serializer)
}

fn named(pairs: Vec<(String, Value)>) -> Vec<NamedValue> {
    pairs.into_iter().map(|(name, value)| NamedValue { name, value }).collect()
}

impl From<Place> for Span {
    fn from(place: Place) -> Self {
        Self { start: place.start, end: place.end }
    }
}

impl From<query::SearchAnswer> for FoundPage {
    fn from(answer: query::SearchAnswer) -> Self {
        Self {
            traces: answer.traces.into_iter().map(FoundTrace::from).collect(),
            next_cursor: answer.next,
            stats: answer.stats.into(),
        }
    }
}

impl From<query::FoundTrace> for FoundTrace {
    fn from(found: query::FoundTrace) -> Self {
        let span = |span: query::FoundSpan| FoundSpan {
            span_id: span.span_id,
            name: span.name,
            service: span.service,
            start_time: span.start_time_ns,
            duration_ns: span.duration_ns,
            attributes: named(span.attributes),
        };
        let spanset = |set: query::FoundSpanset| FoundSpanset {
            matched: set.matched,
            attributes: named(set.attributes),
            spans: set.spans.into_iter().map(span).collect(),
        };
        let spansets = found.spansets.into_iter().map(spanset).collect();
        Self { trace: found.summary.into(), spansets }
    }
}

impl From<query::MetricsAnswer> for MetricsAnswer {
    fn from(answer: query::MetricsAnswer) -> Self {
        let exemplar = |exemplar: query::MetricsExemplar| Exemplar {
            trace_id: exemplar.trace_id,
            span_id: exemplar.span_id,
            time: exemplar.time_ns,
            value: exemplar.value,
        };
        let series = |series: query::MetricsSeries| Series {
            labels: named(series.labels),
            points: series.points.into_iter().map(|(time, value)| Point { time, value }).collect(),
            exemplars: series.exemplars.into_iter().map(exemplar).collect(),
        };
        Self {
            series: answer.series.into_iter().map(series).collect(),
            truncated: answer.truncated,
            stats: answer.stats.into(),
        }
    }
}
