//! Log records: search by words, fields, severity, ids, service and time; the log language; patterns.
//! `tail` hands out what matches as it comes, `context` what lies around one record, `export`
//! everything that matches.

mod ask;
mod context;
mod counts;
mod delete;
mod export;
mod histogram;
mod id;
pub mod language;
mod patterns;
mod read;
mod search;
mod tail;
mod text;

use std::sync::Arc;

use throughline_model::origin::{Resource, Scope};
use throughline_model::predicate::Predicate;
use throughline_model::time::TimeRange;
use throughline_model::{SpanId, TraceId, Value};

use crate::QueryStatsSnapshot;

pub use ask::{LogAnswer, formatted, lowered};
pub use context::{CONTEXT_MAX, CONTEXT_REACH_NS, ContextBy, ContextSearch, LogContext};
pub use counts::{COUNT_GROUPS_MAX, LogCount, LogCounts, LogCountsRequest};
pub use export::LogExport;
pub use histogram::BUCKETS_MAX;
pub use id::{LogId, log_ids};
pub use patterns::{
    ChangedPattern, PATTERNS_MAX, Pattern, Patterns, PatternsDiff, PatternsDiffRequest,
    PatternsRequest,
};
pub use read::read_logs;
pub use search::predicates as conditions;
pub use tail::{LogTail, TAIL_PAST_MAX, TailChunk};

/// In which order records come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogOrder {
    /// Newest first.
    #[default]
    NewestFirst,
    /// Oldest first.
    OldestFirst,
}

/// What a record must meet, all of it.
#[derive(Clone, Debug, Default)]
pub struct LogSearch {
    /// Words that all occur in the body, in either case; `"a quoted phrase"` occurs as a whole,
    /// `prefix*` begins a word, `-word` must not occur.
    pub text: String,
    /// The service is one of these; empty for any.
    pub services: Vec<String>,
    /// The severity number is at least this.
    pub severity_min: Option<i32>,
    /// The severity number is at most this.
    pub severity_max: Option<i32>,
    /// Further conditions.
    pub filters: Vec<Predicate>,
    /// The record belongs to this trace.
    pub trace_id: Option<TraceId>,
    /// The record belongs to this span.
    pub span_id: Option<SpanId>,
    /// The record's time lies in this range.
    pub time: Option<TimeRange>,
    /// Which end of the time line comes first.
    pub order: LogOrder,
    /// Records a page, 1 to [`LOGS_PAGE_MAX`].
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// The largest page of log records.
pub const LOGS_PAGE_MAX: usize = 5000;

/// A page of log records.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    /// The records, in the order asked for.
    pub records: Vec<LogRecord>,
    /// How many records that say the same as the first came before it, for [`log_ids`].
    pub repeats: usize,
    /// Cursor of the next page; none when there is nothing more.
    pub next: Option<String>,
    /// What the search did; `partial` names segments whose rows it lacks.
    pub stats: QueryStatsSnapshot,
}

/// A log record, owned and whole.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LogRecord {
    /// Effective time, see `model::schema::logs`.
    pub time_ns: i64,
    /// Whether the sender set that time; else it is the observed time or that of receipt.
    pub has_event_time: bool,
    /// Observed time; zero where unset.
    pub observed_time_ns: i64,
    /// Severity number, 0 to 24.
    pub severity_number: i32,
    /// Severity as the sender wrote it.
    pub severity_text: String,
    /// The body, which may be there and be `Empty`.
    pub body: Option<Value>,
    /// Name of the event, for records that are events.
    pub event_name: String,
    /// The trace it belongs to.
    pub trace_id: Option<TraceId>,
    /// The span it belongs to.
    pub span_id: Option<SpanId>,
    /// Trace flags.
    pub flags: u32,
    /// Its service.
    pub service_name: String,
    /// Who produced it.
    pub resource: Arc<Resource>,
    /// The instrumentation scope.
    pub scope: Arc<Scope>,
    /// Its attributes, in the order received.
    pub attributes: Vec<(String, Value)>,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

/// Counts of records in one step of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBucket {
    /// Start of the step.
    pub start_ns: i64,
    /// Records by severity: unset, trace, debug, info, warn, error, fatal.
    pub counts: [u64; 7],
}

/// Counts of records over time.
#[derive(Clone, Debug, Default)]
pub struct LogHistogram {
    /// The steps, oldest first, none left out.
    pub buckets: Vec<LogBucket>,
    /// What the count did.
    pub stats: QueryStatsSnapshot,
}
