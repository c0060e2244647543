//! Reading rows back: from heads and segments alike, by condition, by trace.
//!
//! Place in the flow: `query` asks with a [`ScanRequest`] and gets batches in item-schema types whose
//! rows are already filtered, so that it cannot tell where a row came from.

mod batch;
pub(crate) mod evaluate;
mod facts;
mod group;
mod head;
mod keys;
mod known;
mod left;
mod matching;
mod newest;
mod plan;
mod prune;
pub mod rollup;
mod run;
pub(crate) mod single;
mod tally;
mod templates;
#[cfg(test)]
mod tests;
mod text;
mod trace;
mod traces;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use throughline_model::predicate::{Predicate, Target};
use throughline_model::time::TimeRange;
use throughline_model::{Signal, TraceId};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use batch::BatchFilter;
pub use facts::{fold_exceptions, fold_versions};
pub use keys::{AttributeKeys, KnownKeys, attribute_keys, known_keys};
pub(crate) use matching::matching_rows;
pub use run::{ScanStream, scan_tier};
pub use tally::{
    Intervals, TALLY_ROWS_MAX, Tally, TallyBy, TallyRequest, TallyRow, TallyTemplate, tally_logs,
};
pub use trace::read_trace;
pub use traces::{NO_PARENT, Structure, TraceBatch, TraceScan, TraceScanRequest, Wanted};

use crate::Result;
use crate::view::View;

/// Scans the spans of a view. Must be called on a tokio runtime.
pub fn scan_spans(view: Arc<View>, request: ScanRequest, context: ScanContext) -> ScanStream {
    scan_tier(Signal::Traces, &view.spans, request, context)
}

/// Scans the log records of a view. Must be called on a tokio runtime.
pub fn scan_logs(view: Arc<View>, request: ScanRequest, context: ScanContext) -> ScanStream {
    scan_tier(Signal::Logs, &view.logs, request, context)
}

/// All spans of one trace: all columns of the item schema, or those asked for. Spans that are equal
/// in id and content count once. `hint` leaves out segments outside a range of time.
pub async fn trace_spans(
    view: &Arc<View>,
    id: TraceId,
    columns: Option<Vec<ScanColumn>>,
    hint: Option<TimeRange>,
    context: &ScanContext,
) -> Result<Vec<RecordBatch>> {
    read_trace(Signal::Traces, &view.spans, id, columns, hint, context).await
}

/// All log records of one trace: all columns of the item schema, or those asked for. `hint` leaves
/// out records outside a range of time.
pub async fn trace_logs(
    view: &Arc<View>,
    id: TraceId,
    columns: Option<Vec<ScanColumn>>,
    hint: Option<TimeRange>,
    context: &ScanContext,
) -> Result<Vec<RecordBatch>> {
    read_trace(Signal::Logs, &view.logs, id, columns, hint, context).await
}

/// A column of a scan's batches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ScanColumn {
    /// A column of the item schema, by name (not `attributes`).
    Fixed(String),
    /// The whole map of attributes.
    Attributes,
    /// One attribute as `Dictionary<UInt32, Binary>` of encoded values, null where absent. With
    /// [`Target::Column`] the same as [`ScanColumn::Fixed`].
    Attribute(Target),
}

impl ScanColumn {
    /// The name of the column in a scan's batches: the fixed column's own; else `attributes`,
    /// `attribute:<key>`, `resource:<key>`, `scope:<key>`, `any:<key>` or `present:<key>`.
    pub fn name(&self) -> String {
        match self {
            ScanColumn::Fixed(name) | ScanColumn::Attribute(Target::Column(name)) => name.clone(),
            ScanColumn::Attributes => throughline_model::schema::col::ATTRIBUTES.to_owned(),
            ScanColumn::Attribute(Target::Attribute(key)) => format!("attribute:{key}"),
            ScanColumn::Attribute(Target::ResourceAttribute(key)) => format!("resource:{key}"),
            ScanColumn::Attribute(Target::ScopeAttribute(key)) => format!("scope:{key}"),
            ScanColumn::Attribute(Target::AnyAttribute(key)) => format!("any:{key}"),
            ScanColumn::Attribute(Target::PresentAttribute(key)) => format!("present:{key}"),
        }
    }
}

/// In which order a scan hands rows back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ScanOrder {
    /// As they come; segments are read in parallel.
    #[default]
    Any,
    /// By start (spans) or time (logs), descending; with a limit the scan stops early.
    NewestFirst,
}

/// What to read.
#[derive(Clone, Debug)]
pub struct ScanRequest {
    /// The columns of the batches, in order.
    pub columns: Vec<ScanColumn>,
    /// Conditions, all of which a row meets.
    pub predicates: Vec<Predicate>,
    /// Spans that overlap the range with `[start, end]`; log records whose time lies in it.
    pub time: TimeRange,
    /// The order of rows.
    pub order: ScanOrder,
    /// At most this many rows.
    pub limit: Option<usize>,
}

/// Who asks, and how much they may use.
#[derive(Clone, Debug)]
pub struct ScanContext {
    /// Set when the asker went away.
    pub cancel: CancellationToken,
    /// When the scan gives up.
    pub deadline: Option<Instant>,
    /// Most bytes read from segments.
    pub bytes_max: u64,
    /// What the scan did, for the answer's statistics.
    pub stats: Arc<ScanStats>,
    /// Where the scan's tasks live.
    pub tracker: TaskTracker,
}

/// What scans did, summed over all that share it.
#[derive(Debug, Default)]
pub struct ScanStats {
    pub(crate) segments_total: AtomicU64,
    pub(crate) segments_pruned_time: AtomicU64,
    pub(crate) segments_pruned_filter: AtomicU64,
    pub(crate) segments_pruned_statistics: AtomicU64,
    pub(crate) row_groups_total: AtomicU64,
    pub(crate) row_groups_pruned: AtomicU64,
    pub(crate) pages_pruned: AtomicU64,
    pub(crate) rows_scanned: AtomicU64,
    pub(crate) rows_matched: AtomicU64,
    pub(crate) bytes_read: AtomicU64,
    pub(crate) partial: parking_lot::Mutex<Vec<String>>,
}

/// [`ScanStats`] at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanStatsSnapshot {
    /// Segments of the signal in the view.
    pub segments_total: u64,
    /// Segments outside the range of time.
    pub segments_pruned_time: u64,
    /// Segments without the trace, the key or the value.
    pub segments_pruned_filter: u64,
    /// Segments of which statistics left no row.
    pub segments_pruned_statistics: u64,
    /// Row groups of the segments that were not pruned.
    pub row_groups_total: u64,
    /// Row groups that were skipped.
    pub row_groups_pruned: u64,
    /// Pages skipped by their statistics.
    pub pages_pruned: u64,
    /// Rows that were looked at, in heads and segments.
    pub rows_scanned: u64,
    /// Rows that met all conditions.
    pub rows_matched: u64,
    /// Bytes read from segments.
    pub bytes_read: u64,
    /// Segments that could not be read: the answer lacks their rows.
    pub partial: Vec<String>,
}

impl ScanStats {
    /// The counters now.
    pub fn snapshot(&self) -> ScanStatsSnapshot {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ScanStatsSnapshot {
            segments_total: get(&self.segments_total),
            segments_pruned_time: get(&self.segments_pruned_time),
            segments_pruned_filter: get(&self.segments_pruned_filter),
            segments_pruned_statistics: get(&self.segments_pruned_statistics),
            row_groups_total: get(&self.row_groups_total),
            row_groups_pruned: get(&self.row_groups_pruned),
            pages_pruned: get(&self.pages_pruned),
            rows_scanned: get(&self.rows_scanned),
            rows_matched: get(&self.rows_matched),
            bytes_read: get(&self.bytes_read),
            partial: self.partial.lock().clone(),
        }
    }

    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}
