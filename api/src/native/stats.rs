//! What a question cost, as answers say it.

use serde::Serialize;
use throughline_query::QueryStatsSnapshot;
use utoipa::ToSchema;

/// What a question cost.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Stats {
    /// Milliseconds since the question was admitted.
    #[schema(example = 3.2)]
    pub elapsed_ms: f64,
    /// The most memory that joins, sorts and aggregations held at once.
    pub memory_peak_bytes: u64,
    /// Rows or items in the answer.
    pub rows: u64,
    /// Segments of the signal.
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
    /// Rows that were looked at.
    pub rows_scanned: u64,
    /// Rows that met all conditions.
    pub rows_matched: u64,
    /// Bytes read from segments.
    pub bytes_read: u64,
    /// Segments that could not be read: the answer lacks their rows.
    pub partial: Vec<String>,
}

impl From<QueryStatsSnapshot> for Stats {
    fn from(stats: QueryStatsSnapshot) -> Self {
        let scan = stats.scan;
        Self {
            elapsed_ms: stats.elapsed_ms,
            memory_peak_bytes: stats.memory_peak_bytes,
            rows: stats.rows,
            segments_total: scan.segments_total,
            segments_pruned_time: scan.segments_pruned_time,
            segments_pruned_filter: scan.segments_pruned_filter,
            segments_pruned_statistics: scan.segments_pruned_statistics,
            row_groups_total: scan.row_groups_total,
            row_groups_pruned: scan.row_groups_pruned,
            pages_pruned: scan.pages_pruned,
            rows_scanned: scan.rows_scanned,
            rows_matched: scan.rows_matched,
            bytes_read: scan.bytes_read,
            partial: scan.partial,
        }
    }
}
