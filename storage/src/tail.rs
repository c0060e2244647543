//! Log records as they come: a bounded queue for each who listens.
//!
//! ```text
//! append → WAL, fsync → view swapped → queue of each subscriber → LogSubscription::next
//!          '-------- one lock: a subscriber's view and queue miss nothing, double nothing
//! ```
//!
//! Ingest never waits for a subscriber. What does not fit into a queue is dropped for that subscriber
//! alone, and stands in the queue as a count at the place where the rows are missing. Whoever drops
//! their subscription is forgotten at the next request. Without subscribers an append looks at one
//! empty list.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use arrow::array::RecordBatch;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{Error, Result};

/// Subscribers at the same time.
pub const TAILS_MAX: usize = 32;
/// Batches that wait for one subscriber.
pub const TAIL_BATCHES_MAX: usize = 256;
/// Bytes of memory of the batches that wait for one subscriber. A larger batch is taken by an empty
/// queue only.
pub const TAIL_BYTES_MAX: u64 = 4 << 20;

/// What a subscriber gets, in the order of publication.
#[derive(Clone, Debug)]
pub enum Tailed {
    /// The log records of one request, in `model::schema::logs`.
    Batch(RecordBatch),
    /// So many rows are missing here: the subscriber was too slow for them.
    Dropped(u64),
}

/// A batch of log records on its way to the subscribers.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub batch: RecordBatch,
    pub rows: u64,
    pub bytes: u64,
}

/// The subscribers. Guarded by the lock under which views change.
#[derive(Debug, Default)]
pub(crate) struct Tails(Vec<Weak<Queue>>);

impl Tails {
    /// Whether nobody listens, as far as is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a subscriber.
    pub fn add(&mut self) -> Result<Arc<Queue>> {
        self.0.retain(|queue| queue.strong_count() > 0);
        if self.0.len() >= TAILS_MAX {
            return Err(Error::overloaded(format!(
                "{TAILS_MAX} tails of log records run, the limit is {TAILS_MAX}"
            )));
        }
        let queue = Arc::new(Queue::default());
        self.0.push(Arc::downgrade(&queue));
        Ok(queue)
    }

    /// Hands batches to everyone who still listens.
    pub fn offer(&mut self, batches: &[Offered]) {
        self.0.retain(|queue| match queue.upgrade() {
            Some(queue) => {
                queue.put(batches);
                true
            }
            None => false,
        });
    }
}

/// What waits for one subscriber.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    batches: usize,
    bytes: u64,
}

#[derive(Debug)]
enum Entry {
    Batch(Offered),
    /// Follows a batch, never another count: there are at most as many as batches.
    Dropped(u64),
}

impl Queue {
    fn put(&self, batches: &[Offered]) {
        let mut waiting = self.waiting.lock();
        batches.iter().for_each(|offered| waiting.put(offered));
        drop(waiting);
        self.filled.notify_one();
    }

    fn take(&self) -> Option<Tailed> {
        let mut waiting = self.waiting.lock();
        Some(match waiting.entries.pop_front()? {
            Entry::Dropped(rows) => Tailed::Dropped(rows),
            Entry::Batch(Offered { batch, bytes, .. }) => {
                waiting.batches -= 1;
                waiting.bytes -= bytes;
                Tailed::Batch(batch)
            }
        })
    }
}

impl Waiting {
    fn put(&mut self, offered: &Offered) {
        let is_full = self.batches >= TAIL_BATCHES_MAX
            || self.bytes.saturating_add(offered.bytes) > TAIL_BYTES_MAX;
        if self.batches == 0 || !is_full {
            self.batches += 1;
            self.bytes += offered.bytes;
            self.entries.push_back(Entry::Batch(offered.clone()));
        } else if let Some(Entry::Dropped(rows)) = self.entries.back_mut() {
            *rows += offered.rows;
        } else {
            self.entries.push_back(Entry::Dropped(offered.rows));
        }
    }
}

/// The receiving end of a subscription. Dropping it ends it.
#[derive(Debug)]
pub struct LogSubscription {
    pub(crate) queue: Arc<Queue>,
    pub(crate) closing: CancellationToken,
    pub(crate) failed: CancellationToken,
}

impl LogSubscription {
    /// The next batch or gap; none once the store shuts down or has failed, whatever still waits.
    /// May be dropped at any point without losing anything.
    pub async fn next(&mut self) -> Option<Tailed> {
        loop {
            if self.closing.is_cancelled() || self.failed.is_cancelled() {
                return None;
            }
            if let Some(tailed) = self.queue.take() {
                return Some(tailed);
            }
            // A wake-up that came since is kept: there is one listener.
            tokio::select! {
                () = self.queue.filled.notified() => {}
                () = self.closing.cancelled() => {}
                () = self.failed.cancelled() => {}
            }
        }
    }
}
