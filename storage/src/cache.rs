//! What reads of segments keep in memory: parsed footers, indexes and decoded helper columns.
//!
//! One bounded cache serves all segments of a store; what was used longest ago goes first. Pages of
//! rows are left to the operating system.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;
use ulid::Ulid;

/// Names one cached thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    pub segment: Ulid,
    pub part: Part,
}

/// What of a segment is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// The footer.
    Opened,
    /// The table of series.
    Series,
    /// The head of the index.
    Index,
    /// The table of trace ids, and their filter.
    Traces,
    TraceFilter,
    /// The filter of an attribute column (by its number) of a row group.
    Filter(u32, u32),
    /// The rows of each trace in a slab.
    TraceRows(u32),
    /// The span ids of a slab.
    SpanIds(u32),
    /// The runs of a column (by its leaf) of a slab.
    Runs(u32, u32),
    /// The rows of a row group that meet some conditions, by the hash of these.
    Found(u32, u128),
    /// What log records look like.
    Templates,
    /// What the log records of a row group share, and which words they have.
    LogRuns(u32),
    Words(u32),
    /// What the numbers of the rollup mean.
    RollupKeys,
    /// Exceptions by group.
    Exceptions,
    /// When versions were seen.
    Versions,
}

type Shared = Arc<dyn Any + Send + Sync>;

struct Entry {
    value: Shared,
    bytes: usize,
    used: u64,
}

#[derive(Default)]
struct State {
    entries: HashMap<CacheKey, Entry>,
    /// Keys by when they were used, the oldest first.
    by_use: BTreeMap<u64, CacheKey>,
    bytes: usize,
    uses: u64,
}

/// A cache bounded in bytes.
pub struct Cache {
    bytes_max: usize,
    state: Mutex<State>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

impl Cache {
    /// A cache of so many bytes.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, state: Mutex::default() })
    }

    /// Bytes held now.
    pub fn bytes(&self) -> usize {
        self.state.lock().bytes
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self, key: CacheKey) -> Option<Arc<T>> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.uses += 1;
        let entry = state.entries.get_mut(&key)?;
        state.by_use.remove(&entry.used);
        entry.used = state.uses;
        state.by_use.insert(entry.used, key);
        entry.value.clone().downcast().ok()
    }

    /// Keeps a value of so many bytes, in place of others that were used longer ago.
    pub(crate) fn put<T: Send + Sync + 'static>(&self, key: CacheKey, value: Arc<T>, bytes: usize) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.remove(&key);
        state.uses += 1;
        let used = state.uses;
        state.entries.insert(key, Entry { value, bytes, used });
        state.by_use.insert(used, key);
        state.bytes += bytes;
        while state.bytes > self.bytes_max {
            let Some((_, oldest)) = state.by_use.first_key_value() else { break };
            let oldest = *oldest;
            state.remove(&oldest);
        }
    }

    /// Forgets all parts of a segment.
    pub(crate) fn forget(&self, segment: Ulid) {
        let mut state = self.state.lock();
        let keys = state.entries.keys().filter(|key| key.segment == segment).copied();
        keys.collect::<Vec<_>>().iter().for_each(|key| state.remove(key));
    }
}

impl State {
    fn remove(&mut self, key: &CacheKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_use.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let cache = Cache::new(100);
        let key = |n| CacheKey { segment: Ulid(n), part: Part::Opened };
        for n in 0..4u128 {
            cache.put(key(n), Arc::new(n), 30);
            assert_eq!(cache.get::<u128>(key(0)).as_deref(), Some(&0));
        }
        assert_eq!(cache.bytes(), 90);
        assert!(cache.get::<u128>(key(1)).is_none());
        assert!(cache.get::<u128>(key(3)).is_some());
        cache.forget(Ulid(0));
        assert!(cache.get::<u128>(key(0)).is_none());
    }
}
