//! What all parts of an open store share.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use throughline_model::Signal;
use throughline_model::time::Clock;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use ulid::Ulid;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::cache::Cache;
use crate::catalog::{Catalog, Checkpoints};
use crate::dedup::Dedup;
use crate::head::Budget;
use crate::io::SegmentStore;
use crate::maintain::Maintenance;
use crate::options::StoreOptions;
use crate::publish::Publisher;
use crate::segment::SegmentMeta;
use crate::status::{Counters, Progress, Quarantined};
use crate::wal::WalFiles;
use crate::{Error, ErrorKind, Result};

/// The shared parts of a store. The senders of the committers are not here, so that the committers
/// end when the last [`crate::Store`] is dropped.
pub(crate) struct Core {
    pub options: StoreOptions,
    pub clock: Arc<dyn Clock>,
    pub tracker: TaskTracker,
    pub segments: Arc<SegmentStore>,
    pub cache: Arc<Cache>,
    pub catalog: Arc<dyn Catalog>,
    pub dedup: Arc<Dedup>,
    pub budget: Arc<Budget>,
    pub publisher: Publisher,
    pub wal: [Arc<WalFiles>; Signal::ALL.len()],
    pub state: Mutex<State>,
    pub counters: SharedCounters,
    pub ids: Ids,
    pub maintenance: Maintenance,
    /// Appends are refused, committers finish their queues.
    pub closing: CancellationToken,
    /// The committers, so that [`crate::Store::shutdown`] can wait for them.
    pub committers: TaskTracker,
    /// Cancelled by [`Core::fail`].
    pub failed: CancellationToken,
    /// Told when a head should be sealed or flushed.
    pub wake_flush: Notify,
    /// Told when segments changed.
    pub wake_compact: Notify,
    /// Held by whoever flushes: one flush at a time.
    pub flushing: Semaphore,
    /// Held by whoever compacts or drops: one change of the levels at a time.
    pub compacting: Semaphore,
    /// Held while segments and their deleted rows change together.
    pub replacing: tokio::sync::Mutex<()>,
    /// Whether the disk has less than its reserve.
    pub disk_is_low: AtomicBool,
    pub disk_available_bytes: AtomicU64,
    pub preparing_spare: AtomicBool,
    pub replay: Mutex<Progress>,
    /// Keeps other processes out of the folder.
    pub _lock: std::fs::File,
}

/// The catalog's content as it was last committed.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub segments: Vec<SegmentMeta>,
    pub checkpoints: Checkpoints,
    pub quarantined: Vec<Quarantined>,
    /// Segments of which retention has looked at the rows of a class.
    pub passed: HashSet<(Ulid, u64)>,
    /// Why writes have stopped.
    pub failure: Option<Error>,
}

impl Core {
    /// Stops all writes for good: what is on disk is unknown, only a restart tells.
    pub fn fail(&self, error: Error) {
        let mut state = self.state.lock();
        if state.failure.is_none() {
            tracing::error!(%error, "the store takes no more writes; restart to recover");
            state.failure = Some(error);
        }
        drop(state);
        self.failed.cancel();
    }

    /// Why writes have stopped, if they have.
    pub fn failure(&self) -> Option<Error> {
        if !self.failed.is_cancelled() {
            return None;
        }
        let message = match &self.state.lock().failure {
            Some(error) => format!("the store has stopped: {error}"),
            None => "the store has stopped".to_owned(),
        };
        Some(Error::new(ErrorKind::Io, message))
    }

    /// Whether an append may start.
    pub fn check_writable(&self) -> Result<()> {
        if let Some(error) = self.failure() {
            return Err(error);
        }
        if self.closing.is_cancelled() {
            return Err(Error::closed());
        }
        if self.disk_is_low.load(Ordering::Relaxed) {
            return Err(Error::overloaded(format!(
                "the disk has {} bytes left, disk_reserve_bytes is {}",
                self.disk_available_bytes.load(Ordering::Relaxed),
                self.options.disk_reserve_bytes
            )));
        }
        Ok(())
    }

    /// The log files of a signal.
    pub fn wal(&self, signal: Signal) -> &Arc<WalFiles> {
        &self.wal[signal as usize - 1]
    }

    /// Makes a spare log file in the background, one at a time.
    pub fn prepare_spare(self: &Arc<Self>, signal: Signal) {
        if self.wal(signal).has_spare() || self.preparing_spare.swap(true, Ordering::AcqRel) {
            return;
        }
        let core = self.clone();
        self.tracker.spawn_blocking(move || {
            if let Err(error) = core.wal(signal).prepare_spare() {
                tracing::warn!(%signal, %error, "no spare log file; the next one will grow");
            }
            core.preparing_spare.store(false, Ordering::Release);
        });
    }

    /// Looks how much room the disk has.
    pub fn look_at_disk(&self) {
        match self.options.disk.available_bytes(&self.options.data_dir) {
            Ok(bytes) => {
                let is_low = bytes < self.options.disk_reserve_bytes;
                self.disk_available_bytes.store(bytes, Ordering::Relaxed);
                if self.disk_is_low.swap(is_low, Ordering::Relaxed) != is_low {
                    let reserve = self.options.disk_reserve_bytes;
                    tracing::warn!(bytes, reserve, is_low, "room on the disk");
                }
            }
            Err(error) => tracing::warn!(%error, "could not ask the disk for its room"),
        }
    }

    /// Runs blocking work on a tracked thread. A panic in it is an error of the work, not the end of
    /// the store: data that trips an encoder would trip it after a restart too.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.tracker.spawn_blocking(work).await.unwrap_or_else(|ended| match ended.is_cancelled() {
            // The runtime goes down: nothing is wrong with the rows.
            true => Err(Error::closed()),
            false => Err(Error::corrupt(format!("blocking work ended early: {ended}"))),
        })
    }
}

/// Makes segment ids: time of day, and numbers that nobody else has.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: u64,
    counter: AtomicU64,
}

impl Ids {
    /// Ids from a seed that differs from start to start.
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: AtomicU64::new(0) }
    }

    /// The next id.
    pub fn next(&self, now_ns: i64) -> Ulid {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let random = xxh3_128_with_seed(&count.to_le_bytes(), self.seed);
        Ulid::from_parts(now_ns.max(0) as u64 / 1_000_000, random)
    }

    /// A number that no earlier start of the store has used.
    pub fn epoch(&self) -> u64 {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        xxhash_rust::xxh3::xxh3_64_with_seed(&count.to_le_bytes(), self.seed)
    }
}

/// [`Counters`] as they count.
#[derive(Debug, Default)]
pub(crate) struct SharedCounters(Mutex<Counters>);

impl SharedCounters {
    /// Counts a group commit.
    pub fn committed(&self, requests: u64, rows: u64) {
        self.update(|counters| {
            counters.commits += 1;
            counters.requests += requests;
            counters.rows += rows;
        });
    }

    /// Counts anything.
    pub fn update(&self, count: impl FnOnce(&mut Counters)) {
        count(&mut self.0.lock());
    }

    /// The counts so far.
    pub fn get(&self) -> Counters {
        *self.0.lock()
    }
}
