//! The memory of SQL queries: a pool that all share, and the part of it that one may take.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

use crate::QueryStats;

/// The part of one query: takes from the shared pool until its own limit is reached.
#[derive(Debug)]
pub(crate) struct QueryPool {
    shared: Arc<dyn MemoryPool>,
    bytes_max: usize,
    used: AtomicUsize,
    stats: Arc<QueryStats>,
}

impl QueryPool {
    pub fn new(shared: Arc<dyn MemoryPool>, bytes_max: usize, stats: Arc<QueryStats>) -> Self {
        Self { shared, bytes_max, used: AtomicUsize::new(0), stats }
    }

    fn add(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.stats.note_memory(used as u64);
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query pool of {} bytes", self.bytes_max)
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.shared.grow(reservation, additional);
        self.add(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.shared.shrink(reservation, shrink);
        self.used.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> DfResult<()> {
        let used = self.used.load(Ordering::Relaxed);
        if used + additional > self.bytes_max {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "the query needs more than query_memory_bytes_max = {} bytes of memory",
                self.bytes_max
            )));
        }
        self.shared.try_grow(reservation, additional).map_err(|_| {
            DataFusionError::ResourcesExhausted(format!(
                "all queries together need more than their memory limit ({} bytes held)",
                self.shared.reserved()
            ))
        })?;
        self.add(additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes_max)
    }
}
