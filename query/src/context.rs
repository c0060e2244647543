//! What a query may use, who asked, and what it did: settings, context, budget and statistics.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use throughline_storage::scan::{ScanContext, ScanStats, ScanStatsSnapshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::{Error, ErrorKind, Result};

/// Limits of the engine, all of them settings.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Memory of all queries together.
    pub memory_bytes_max: usize,
    /// Memory of one query.
    pub query_memory_bytes_max: usize,
    /// Deadline of a query that names none, and the longest that one may name.
    pub timeout_ms: u64,
    /// Bytes that one query may read from segments.
    pub scan_bytes_max: u64,
    /// Rows that one query may return.
    pub rows_max: usize,
    /// Queries that run at once.
    pub concurrency_max: usize,
    /// Queries that wait for their turn; further ones are refused.
    pub waiting_max: usize,
    /// Threads' worth of parallel work of one SQL query.
    pub parallelism: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            memory_bytes_max: 128 << 20,
            query_memory_bytes_max: 96 << 20,
            timeout_ms: 30_000,
            scan_bytes_max: 64 << 30,
            rows_max: 1_000_000,
            concurrency_max: 8,
            waiting_max: 64,
            parallelism: 2,
        }
    }
}

/// Who asks: one per query.
#[derive(Clone, Debug, Default)]
pub struct QueryContext {
    /// Set when the asker went away.
    pub cancel: CancellationToken,
    /// Deadline of this query; at most [`EngineOptions::timeout_ms`].
    pub timeout_ms: Option<u64>,
    /// Rows this query may return; at most [`EngineOptions::rows_max`].
    pub rows_max: Option<usize>,
}

/// What a query does, counted while it runs.
#[derive(Debug)]
pub struct QueryStats {
    started: Instant,
    memory_peak_bytes: AtomicU64,
    rows: AtomicU64,
    scan: Arc<ScanStats>,
}

/// [`QueryStats`] at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueryStatsSnapshot {
    /// Time since the query was admitted.
    pub elapsed_ms: f64,
    /// The most memory that joins, sorts and aggregations held at once.
    pub memory_peak_bytes: u64,
    /// Rows in the answer so far.
    pub rows: u64,
    /// What the scans did. `partial` names segments whose rows the answer lacks.
    #[serde(flatten)]
    pub scan: ScanStatsSnapshot,
}

impl QueryStatsSnapshot {
    /// Adds what another part of the same question did.
    pub(crate) fn add(&mut self, more: Self) {
        self.elapsed_ms += more.elapsed_ms;
        self.memory_peak_bytes = self.memory_peak_bytes.max(more.memory_peak_bytes);
        self.rows += more.rows;
        let (all, more) = (&mut self.scan, more.scan);
        all.segments_total = all.segments_total.max(more.segments_total);
        all.segments_pruned_time += more.segments_pruned_time;
        all.segments_pruned_filter += more.segments_pruned_filter;
        all.segments_pruned_statistics += more.segments_pruned_statistics;
        all.row_groups_total += more.row_groups_total;
        all.row_groups_pruned += more.row_groups_pruned;
        all.pages_pruned += more.pages_pruned;
        all.rows_scanned += more.rows_scanned;
        all.rows_matched += more.rows_matched;
        all.bytes_read += more.bytes_read;
        all.partial.extend(more.partial);
        all.partial.sort();
        all.partial.dedup();
    }
}

impl QueryStats {
    fn start() -> Self {
        Self {
            started: Instant::now(),
            memory_peak_bytes: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            scan: Arc::default(),
        }
    }

    /// The counters now.
    pub fn snapshot(&self) -> QueryStatsSnapshot {
        QueryStatsSnapshot {
            elapsed_ms: self.started.elapsed().as_secs_f64() * 1e3,
            memory_peak_bytes: self.memory_peak_bytes.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
            scan: self.scan.snapshot(),
        }
    }

    pub(crate) fn note_memory(&self, bytes: u64) {
        self.memory_peak_bytes.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Counts rows of the answer and says how many there are now.
    pub(crate) fn add_rows(&self, rows: usize) -> u64 {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed) + rows as u64
    }
}

/// The budget of one running query. Dropping it cancels the query's scans.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Handed to every scan of the query.
    pub scan: ScanContext,
    /// What the query did so far.
    pub stats: Arc<QueryStats>,
    /// Rows the query may return.
    pub rows_max: usize,
    timeout_ms: u64,
    deadline: Instant,
    _cancel_on_drop: DropGuard,
}

impl Budget {
    pub(crate) fn new(options: &EngineOptions, ctx: &QueryContext, tracker: &TaskTracker) -> Self {
        let stats = Arc::new(QueryStats::start());
        let timeout_ms = ctx.timeout_ms.unwrap_or(options.timeout_ms).min(options.timeout_ms);
        let deadline = stats.started + Duration::from_millis(timeout_ms);
        let cancel = ctx.cancel.child_token();
        let scan = ScanContext {
            cancel: cancel.clone(),
            deadline: Some(deadline),
            bytes_max: options.scan_bytes_max,
            stats: stats.scan.clone(),
            tracker: tracker.clone(),
        };
        Self {
            scan,
            stats,
            rows_max: ctx.rows_max.unwrap_or(options.rows_max).min(options.rows_max),
            timeout_ms,
            deadline,
            _cancel_on_drop: cancel.drop_guard(),
        }
    }

    /// Waits for `work` until the deadline or until the asker leaves.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        if Instant::now() >= self.deadline {
            return Err(self.deadline_error()); // also for work that would be done at once
        }
        tokio::select! {
            biased;
            () = self.scan.cancel.cancelled() => {
                Err(Error::new(ErrorKind::Cancelled, "the query was cancelled"))
            }
            outcome = tokio::time::timeout_at(self.deadline.into(), work) => outcome
                .unwrap_or_else(|_| Err(self.deadline_error())),
        }
    }

    /// The error of a query whose time is up.
    pub(crate) fn deadline_error(&self) -> Error {
        Error::new(
            ErrorKind::Deadline,
            format!("the query ran longer than its deadline of {} ms", self.timeout_ms),
        )
    }
}
