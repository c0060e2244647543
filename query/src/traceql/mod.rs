//! TraceQL: spans and traces by what they are and how they relate, and numbers out of them.
//!
//! Place in the flow: `api` hands over the text with a range of time; [`parse`] makes a tree of it,
//! [`check`] finds what cannot mean anything, the plan says which columns and which traces are
//! needed, and the evaluator runs over whole traces as `storage::scan` hands them out. The language
//! and the exact meaning of each construct: `docs/traceql.md`.

pub mod ast;
mod check;
mod complete;
mod eval;
pub mod grammar;
mod lex;
mod metrics;
mod parse;
mod plan;
mod print;
mod rewrite;
mod search;

pub use check::{anchored, check, compile_text};
pub use complete::{Completion, Expect, complete, lenient_filter};
pub use metrics::EXEMPLARS_MAX;
pub use parse::parse;
pub use search::SPANS_PER_SPANSET_MAX;

use throughline_model::time::TimeRange;
use throughline_model::value::Value;
use throughline_model::{SpanId, TraceId};

use crate::traces::TraceSummary;
use crate::{Error, QueryStatsSnapshot, Result};

/// A search: which traces have spansets that the query leaves.
#[derive(Clone, Debug, Default)]
pub struct SearchRequest {
    /// The query.
    pub query: String,
    /// Spans that start in this range are looked at, all others are not; none for all.
    pub time: Option<TimeRange>,
    /// Traces a page.
    pub limit: usize,
    /// Spans that each spanset lists.
    pub spans_per_spanset: usize,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// A page of traces: that of the newest matched span first.
#[derive(Clone, Debug, Default)]
pub struct SearchAnswer {
    /// The traces.
    pub traces: Vec<FoundTrace>,
    /// Cursor of the next page; none when there is nothing more.
    pub next: Option<String>,
    /// What the search did; `partial` names segments whose rows it lacks.
    pub stats: QueryStatsSnapshot,
}

/// A trace that has what was asked for.
#[derive(Clone, Debug)]
pub struct FoundTrace {
    /// The trace as a whole; `matched_spans` counts the spans of all spansets, each once.
    pub summary: TraceSummary,
    /// Its spansets.
    pub spansets: Vec<FoundSpanset>,
}

/// Spans that belong together in the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundSpanset {
    /// Spans in the set; `spans` lists the first of them by start.
    pub matched: u64,
    /// What `by` and aggregates said of the set: `by(name)`, `avg(duration)`.
    pub attributes: Vec<(String, Value)>,
    /// Some of the spans, by start, then id.
    pub spans: Vec<FoundSpan>,
}

/// A span in an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundSpan {
    /// Its id.
    pub span_id: SpanId,
    /// Its name.
    pub name: String,
    /// Its service.
    pub service: String,
    /// Start, nanoseconds since the epoch.
    pub start_time_ns: i64,
    /// End minus start.
    pub duration_ns: i64,
    /// The fields that the query names, where the span has them: `http.method`, `status`.
    pub attributes: Vec<(String, Value)>,
}

/// A question for numbers over time.
#[derive(Clone, Debug)]
pub struct MetricsRequest {
    /// The query.
    pub query: String,
    /// The range; made larger to whole steps.
    pub time: TimeRange,
    /// Distance of points; `None` asks for one point over the whole range.
    pub step_ns: Option<i64>,
    /// Exemplars at most, over all series of one function; a hint of the query may ask for fewer.
    pub exemplars_max: usize,
    /// Series at most; more make the answer [`MetricsAnswer::truncated`].
    pub series_max: usize,
}

/// Series of numbers.
#[derive(Clone, Debug, Default)]
pub struct MetricsAnswer {
    /// The series, by labels.
    pub series: Vec<MetricsSeries>,
    /// Whether there were more series than asked for.
    pub truncated: bool,
    /// What the query did; `partial` names segments whose rows it lacks.
    pub stats: QueryStatsSnapshot,
}

/// One series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricsSeries {
    /// Labels in the order of `by`, then `p`, `__bucket` or `__meta_type`.
    pub labels: Vec<(String, Value)>,
    /// Time in nanoseconds (the end of the step that the value covers) and value, by time.
    pub points: Vec<(i64, f64)>,
    /// Spans that stand for the values.
    pub exemplars: Vec<MetricsExemplar>,
}

/// A span that stands for a value.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsExemplar {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
    /// Its start, nanoseconds since the epoch.
    pub time_ns: i64,
    /// The measured value: of `duration` in seconds, of other fields as they are.
    pub value: f64,
}
