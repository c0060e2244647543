//! The engine: admits a query, gives it a view and a budget, and offers every kind of question.

use std::sync::Arc;

use throughline_model::time::Clock;
use throughline_storage::{Store, View};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use crate::context::Budget;
use crate::logql::run::Origins;
use crate::promql::SeriesIndex;
use crate::sql::session::Sessions;
use crate::{EngineOptions, Error, ErrorKind, QueryContext, Result};

/// Answers questions over a store. Cheap to clone.
///
/// The questions are methods: `sql` in [`crate::sql`], `trace` and `search_traces` in
/// [`crate::traces`], `search_logs` in [`crate::logs`], names and values in [`crate::complete`].
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    store: Store,
    options: EngineOptions,
    clock: Arc<dyn Clock>,
    tracker: TaskTracker,
    sessions: Sessions,
    /// Resources as labels of streams.
    origins: Arc<Origins>,
    /// Series by the labels that clients of Prometheus know.
    series_index: Arc<SeriesIndex>,
    /// One permit a running query.
    running: Arc<Semaphore>,
    /// One permit a query that runs or waits.
    present: Arc<Semaphore>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("options", &self.0.options).finish_non_exhaustive()
    }
}

/// A query that may run: its snapshot, its budget, and its place among the running.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// The one view it reads.
    pub view: Arc<View>,
    /// What it may use.
    pub budget: Budget,
    _running: OwnedSemaphorePermit,
    _present: OwnedSemaphorePermit,
}

impl Engine {
    /// An engine over `store`. Tasks of queries live in `tracker`.
    pub fn new(
        store: Store,
        options: EngineOptions,
        clock: Arc<dyn Clock>,
        tracker: TaskTracker,
    ) -> Self {
        let concurrency = options.concurrency_max.max(1);
        Self(Arc::new(Inner {
            sessions: Sessions::new(&options),
            origins: Arc::default(),
            series_index: Arc::default(),
            running: Arc::new(Semaphore::new(concurrency)),
            present: Arc::new(Semaphore::new(concurrency + options.waiting_max)),
            store,
            options,
            clock,
            tracker,
        }))
    }

    /// Waits for a turn, then takes the snapshot.
    pub(crate) async fn admit(&self, ctx: &QueryContext) -> Result<Admitted> {
        let present = self.0.present.clone().try_acquire_owned().map_err(|_| {
            Error::new(
                ErrorKind::Busy,
                format!(
                    "{} queries run and {} wait: the limits are concurrency_max and waiting_max",
                    self.0.options.concurrency_max, self.0.options.waiting_max
                ),
            )
        })?;
        let budget = Budget::new(&self.0.options, ctx, &self.0.tracker);
        let running = self.0.running.clone();
        let running = budget
            .run(async {
                running.acquire_owned().await.map_err(|_| Error::internal("the engine is closed"))
            })
            .await?;
        Ok(Admitted { view: self.0.store.view(), budget, _running: running, _present: present })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Rows that one answer may have.
    pub(crate) fn rows_max(&self) -> usize {
        self.0.options.rows_max
    }

    pub(crate) fn tracker(&self) -> &TaskTracker {
        &self.0.tracker
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn origins(&self) -> &Arc<Origins> {
        &self.0.origins
    }

    pub(crate) fn series_index(&self) -> &Arc<SeriesIndex> {
        &self.0.series_index
    }

    /// Workers of one query.
    pub(crate) fn parallelism(&self) -> usize {
        self.0.options.parallelism
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }
}
