//! Traces: one by its id ([`TraceResult`]), what its page shows ([`page`]), those that match a search
//! ([`TraceSearch`]), and what is different between traces ([`compare`]).
//!
//! A trace belongs to the page of its newest matched span; pages are ordered by that span's start,
//! newest first, then by trace id.

pub mod compare;
pub(crate) mod cursor;
mod lookup;
mod names;
pub mod page;
pub(crate) mod pager;
mod rates;
mod search;
pub(crate) mod summary;
mod tags;

use throughline_model::TraceId;
use throughline_model::predicate::Predicate;
use throughline_model::span::Span;
use throughline_model::time::TimeRange;

use crate::QueryStatsSnapshot;
pub use names::{Operation, Operations};
pub use rates::{RATE_POINTS_MAX, RatePoint, RateQuery, RateSeries};
pub use tags::{FieldTest, SpanTest, TagCondition, TagTest};

/// `SpanStatus` as a search names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The sender set none.
    Unset = 0,
    /// The sender said that all is well.
    Ok = 1,
    /// An error.
    Error = 2,
}

/// What a trace must contain: one span that meets every condition here.
#[derive(Clone, Debug, Default)]
pub struct TraceSearch {
    /// The span's service is one of these; empty for any.
    pub services: Vec<String>,
    /// The span's name is one of these; empty for any.
    pub operations: Vec<String>,
    /// Further conditions, all of which the span meets.
    pub filters: Vec<Predicate>,
    /// Conditions on attributes wherever they stand, all of which the span meets.
    pub tags: Vec<TagCondition>,
    /// A test that the span passes, of spans that meet everything else.
    pub test: Option<SpanTest>,
    /// The span lasts at least this long.
    pub min_duration_ns: Option<i64>,
    /// The span lasts at most this long.
    pub max_duration_ns: Option<i64>,
    /// The span's status.
    pub status: Option<Status>,
    /// The span starts in this range.
    pub time: Option<TimeRange>,
    /// Traces a page, 1 to [`TRACES_PAGE_MAX`].
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// The largest page of traces.
pub const TRACES_PAGE_MAX: usize = 1000;

/// A page of traces, newest first.
#[derive(Clone, Debug, Default)]
pub struct TracePage {
    /// The traces.
    pub traces: Vec<TraceSummary>,
    /// Cursor of the next page; none when there is nothing more.
    pub next: Option<String>,
    /// What the search did; `partial` names segments whose rows it lacks.
    pub stats: QueryStatsSnapshot,
}

/// A trace in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSummary {
    /// Its id.
    pub trace_id: TraceId,
    /// Service of the root span, or of the earliest span where no root is stored.
    pub root_service: String,
    /// Name of the same span.
    pub root_operation: String,
    /// Whether a span without parent is stored.
    pub has_root: bool,
    /// Earliest start.
    pub start_time_ns: i64,
    /// Latest end minus earliest start.
    pub duration_ns: i64,
    /// Spans stored.
    pub span_count: u64,
    /// Spans with status ERROR.
    pub error_count: u64,
    /// Spans whose parent is not stored.
    pub orphan_count: u64,
    /// Spans that meet the search.
    pub matched_spans: u64,
    /// By service, most spans first.
    pub services: Vec<ServiceCount>,
}

/// The part of a service in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCount {
    /// The service.
    pub name: String,
    /// Its spans.
    pub span_count: u64,
    /// Its spans with status ERROR.
    pub error_count: u64,
}

/// Everything stored of one trace.
#[derive(Clone, Debug, Default)]
pub struct TraceResult {
    /// The spans by start; spans that were stored twice appear once.
    pub spans: Vec<Span>,
    /// What the lookup did; `partial` names segments whose spans it lacks.
    pub stats: QueryStatsSnapshot,
}
