//! Log records as they come: a search over what is published from now on.
//!
//! ```text
//! storage: view + subscription (one moment) ─┬─ view: the newest records that match, oldest first
//!                                            └─ task: batch → filter → records → channel → LogTail
//! ```
//!
//! The task lives as long as its [`LogTail`]. It waits when the reader is slow; then the subscription's
//! queue fills, and what does not fit is dropped there and counted.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use futures::Stream;
use throughline_model::Signal;
use throughline_model::time::TimeRange;
use throughline_storage::scan::{BatchFilter, ScanOrder, ScanRequest};
use throughline_storage::{LogSubscription, Tailed};
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use super::read::read_logs;
use super::search::{Walk, predicates, whole_records};
use super::{LogOrder, LogRecord, LogSearch};
use crate::{Engine, Error, QueryContext, Result};

/// The most records of the past that a tail begins with.
pub const TAIL_PAST_MAX: usize = 1000;
/// Chunks that wait for a slow reader, apart from the batches in the subscription's queue.
const CHUNKS_QUEUED: usize = 4;
/// Records in one chunk.
const CHUNK_RECORDS_MAX: usize = 500;
/// Batches up to this many rows are filtered where they are; larger ones off the async workers.
const INLINE_ROWS_MAX: usize = 64;

/// A piece of a tail: records, or a gap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TailChunk {
    /// Records that match, in the order of their publication.
    pub records: Vec<LogRecord>,
    /// Records that came after those before this chunk and were dropped because the reader was slow.
    /// They were not looked at: how many of them match is unknown.
    pub dropped: u64,
}

/// A tail of log records, as a stream that ends when the store shuts down or fails, or when the
/// asker's context is cancelled. Dropping it ends its task.
#[derive(Debug)]
pub struct LogTail {
    past: VecDeque<TailChunk>,
    chunks: mpsc::Receiver<Result<TailChunk>>,
    _stop: DropGuard,
}

impl Stream for LogTail {
    type Item = Result<TailChunk>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.past.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(chunk))),
            None => self.chunks.poll_recv(cx),
        }
    }
}

impl Engine {
    /// The log records that match, as they are published, after the `past` newest that are there
    /// already, at most [`TAIL_PAST_MAX`]. Of the search its conditions and its range of time count;
    /// order, limit and cursor do not.
    ///
    /// Reading the past is a query like any other, with its deadline and its place among the running.
    /// What follows has no deadline. At most [`throughline_storage::TAILS_MAX`] tails run at a time:
    /// a further one is refused as [`crate::ErrorKind::Busy`].
    pub async fn tail_logs(
        &self,
        search: &LogSearch,
        past: usize,
        ctx: &QueryContext,
    ) -> Result<LogTail> {
        if past > TAIL_PAST_MAX {
            return Err(Error::invalid(
                "tail_from",
                format!("tail_from is {past}, allowed are 0 to {TAIL_PAST_MAX}"),
            ));
        }
        let predicates = predicates(search)?;
        let time = search.time.unwrap_or(TimeRange::ALL);
        let request = ScanRequest {
            columns: whole_records(),
            predicates: predicates.clone(),
            time,
            order: ScanOrder::Any,
            limit: None,
        };
        let filter = Arc::new(BatchFilter::new(Signal::Logs, request)?);
        let admitted = match past {
            0 => None,
            _ => Some(self.admit(ctx).await?),
        };
        let (view, subscription) = self.store().tail_logs()?;
        let mut found = Vec::new();
        if let Some(admitted) = &admitted {
            let (scan, order) = (&admitted.budget.scan, LogOrder::NewestFirst);
            let walk = Walk { view: &view, scan, predicates, time, order };
            found = admitted.budget.run(walk.page(0, past)).await?.records;
            found.reverse();
        }
        drop((admitted, view));
        let (sender, chunks) = mpsc::channel(CHUNKS_QUEUED);
        let cancel = ctx.cancel.child_token();
        let tail = LogTail {
            past: in_chunks(found).collect(),
            chunks,
            _stop: cancel.clone().drop_guard(),
        };
        let task = Task { subscription, filter, sender, tracker: self.tracker().clone() };
        self.tracker().spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = task.run() => {}
            }
        });
        Ok(tail)
    }
}

// What runs beside the reader.
struct Task {
    subscription: LogSubscription,
    filter: Arc<BatchFilter>,
    sender: mpsc::Sender<Result<TailChunk>>,
    tracker: TaskTracker,
}

impl Task {
    async fn run(mut self) {
        while let Some(tailed) = self.subscription.next().await {
            let records = match tailed {
                Tailed::Batch(batch) => self.matching(batch).await,
                Tailed::Dropped(dropped) => {
                    let gap = TailChunk { records: Vec::new(), dropped };
                    if self.sender.send(Ok(gap)).await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            let records = match records {
                Ok(records) => records,
                Err(err) => {
                    // The reader may be gone; the tail ends either way.
                    let _ = self.sender.send(Err(err)).await;
                    return;
                }
            };
            for chunk in in_chunks(records) {
                if self.sender.send(Ok(chunk)).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn matching(&self, batch: RecordBatch) -> Result<Vec<LogRecord>> {
        let filter = self.filter.clone();
        let rows = batch.num_rows();
        let work = move || match filter.matching(&batch)? {
            Some(found) => read_logs(&found),
            None => Ok(Vec::new()),
        };
        if rows <= INLINE_ROWS_MAX {
            return work();
        }
        let done = self.tracker.spawn_blocking(work).await;
        done.unwrap_or_else(|err| Err(Error::internal(format!("a tail's filter: {err}"))))
    }
}

fn in_chunks(records: Vec<LogRecord>) -> impl Iterator<Item = TailChunk> {
    let mut records = records.into_iter();
    std::iter::from_fn(move || {
        let records: Vec<_> = records.by_ref().take(CHUNK_RECORDS_MAX).collect();
        (!records.is_empty()).then_some(TailChunk { records, dropped: 0 })
    })
}
