//! What the root hands over: the parts that answer, and what the server knows about itself.

use std::sync::Arc;

use throughline_model::time::Clock;
use throughline_query::{Engine, QueryContext};
use throughline_storage::Store;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::counters::ApiCounters;
use crate::prometheus::targets::TargetPools;

/// Everything that handlers need. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// Answers questions.
    pub engine: Engine,
    /// Says how it is.
    pub store: Store,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Where tasks of answers live.
    pub tracker: TaskTracker,
    /// Whether the server takes requests; the root sets it to not ready when it stops.
    pub ready: watch::Receiver<Readiness>,
    /// What is running.
    pub build: BuildInfo,
    /// Limits of answers.
    pub limits: ApiLimits,
    /// What the API did, for the page of [`ApiState::metrics_page`].
    pub counters: Arc<ApiCounters>,
    /// Writes the page of `/metrics`: OpenMetrics text up to and including `# EOF`.
    pub metrics_page: MetricsPage,
    /// Says what is scraped.
    pub target_pools: TargetPools,
}

/// Writes the page of `/metrics`.
pub type MetricsPage = Arc<dyn Fn() -> String + Send + Sync>;

/// Whether the server takes requests, and what it does meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Whether it is ready.
    pub ready: bool,
    /// The stage of its life in words, with progress: `replaying the log: 40 %`.
    pub stage: String,
}

/// What is running.
#[derive(Clone, Debug, Default)]
pub struct BuildInfo {
    /// The version of the binary.
    pub version: String,
    /// The commit it was built from, if known.
    pub commit: Option<String>,
    /// When the process started, nanoseconds since the epoch.
    pub started_at_ns: i64,
}

/// Limits of answers, all of them settings.
#[derive(Clone, Copy, Debug)]
pub struct ApiLimits {
    /// Rows of a JSON answer to SQL, which is built in memory; streams have no such limit.
    pub json_rows_max: usize,
    /// Bytes of a JSON answer to SQL.
    pub json_bytes_max: usize,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self { json_rows_max: 100_000, json_bytes_max: 32 << 20 }
    }
}

/// A question's context, and the guard that cancels it: keep the guard as long as someone waits for
/// the answer. When the client leaves, its handler or stream is dropped, and the guard with it.
pub fn asker() -> (QueryContext, DropGuard) {
    let cancel = CancellationToken::new();
    (QueryContext { cancel: cancel.clone(), ..QueryContext::default() }, cancel.drop_guard())
}
