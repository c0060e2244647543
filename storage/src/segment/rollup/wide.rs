//! Services of a whole segment by buckets of [`WIDE_NS`]: most questions are about services over hours,
//! and need not add up a row of every operation and slab every 15 s.
//!
//! The rows of a wide bucket are those that its slabs have in it, summed over names and written as
//! operations of a slab are (see `operations`) under the empty name, with rows of the segment instead
//! of rows of a slab.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::ROLLUP_NS;
use super::build::SlabRollup;
use super::columns::DurationColumns;
use super::operations::{OperationCounts, OperationDurations};
use super::tables::Tables;
use crate::Result;

/// The length of a wide bucket.
pub(crate) const WIDE_NS: i64 = BUCKETS * ROLLUP_NS;
/// Buckets that a wide one holds.
const BUCKETS: i64 = 20;

/// The wide bucket in which a bucket lies.
pub(crate) fn wide_of(bucket: i64) -> i64 {
    bucket.div_euclid(BUCKETS)
}

/// Sums by wide bucket and key.
#[derive(Debug, Default)]
pub(crate) struct WideBuilder {
    by_bucket: BTreeMap<i64, BTreeMap<u32, Sums>>,
    /// Rows of the slabs so far.
    rows: u32,
}

#[derive(Debug, Default)]
struct Sums {
    count: u64,
    weighted: f64,
    sum_ns: i64,
    zeros: u64,
    /// How long the slowest span took, and its row in the segment.
    slowest: Option<(i64, u32)>,
    /// The bucket that the first count is of.
    first: i16,
    /// Counts by bucket, one after the other.
    counts: Vec<u32>,
}

impl WideBuilder {
    /// Adds the next slab.
    pub(crate) fn push(&mut self, slab: &SlabRollup, tables: &mut Tables) -> Result<()> {
        let SlabRollup { counts, durations, .. } = slab;
        let mut nameless: HashMap<u32, u32> = HashMap::new();
        for row in 0..counts.keys.len() {
            let key = counts.keys[row];
            let key = match nameless.get(&key) {
                Some(key) => *key,
                None => {
                    let of = tables.operations.keys[key as usize];
                    let own = tables.operation(of.service, b"", of.kind, of.status)?;
                    nameless.insert(key, own);
                    own
                }
            };
            let wide = wide_of(counts.buckets[row]);
            let sums = self.by_bucket.entry(wide).or_default().entry(key).or_default();
            sums.count += counts.counts[row];
            sums.weighted += counts.weighted[row];
            sums.sum_ns = sums.sum_ns.saturating_add(durations.durations.sums_ns[row]);
            sums.zeros += durations.durations.zeros[row];
            let slowest = (slab.slowest_ns[row], self.rows + durations.slowest[row]);
            if sums.slowest.is_none_or(|(ns, _)| slowest.0 > ns) {
                sums.slowest = Some(slowest);
            }
            sums.add(durations.durations.row(row));
        }
        self.rows += slab.rows;
        Ok(())
    }

    /// The rows of each wide bucket.
    pub(crate) fn finish(&self) -> Vec<(i64, OperationCounts, OperationDurations)> {
        let columns = |(bucket, by_key): (&i64, &BTreeMap<u32, Sums>)| {
            let (counts, durations) = columns(*bucket, by_key);
            (*bucket, counts, durations)
        };
        self.by_bucket.iter().map(columns).collect()
    }
}

impl Sums {
    fn add(&mut self, buckets: impl Iterator<Item = (i16, u64)>) {
        for (bucket, count) in buckets {
            if self.counts.is_empty() {
                self.first = bucket;
            }
            if bucket < self.first {
                let more = i32::from(self.first) - i32::from(bucket);
                self.counts.splice(0..0, std::iter::repeat_n(0, more as usize));
                self.first = bucket;
            }
            let at = (i32::from(bucket) - i32::from(self.first)) as usize;
            if at >= self.counts.len() {
                self.counts.resize(at + 1, 0);
            }
            self.counts[at] += count as u32;
        }
    }
}

fn columns(bucket: i64, by_key: &BTreeMap<u32, Sums>) -> (OperationCounts, OperationDurations) {
    let (mut counts, mut slowest) = (OperationCounts::default(), Vec::new());
    let mut durations = DurationColumns::default();
    for (key, sums) in by_key {
        counts.keys.push(*key);
        counts.buckets.push(bucket * BUCKETS);
        counts.counts.push(sums.count);
        counts.weighted.push(sums.weighted);
        durations.sums_ns.push(sums.sum_ns);
        durations.zeros.push(sums.zeros);
        for (at, count) in sums.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            durations.buckets.push((i32::from(sums.first) + at as i32) as i16);
            durations.counts.push(u64::from(*count));
        }
        durations.ends.push(durations.buckets.len() as u32);
        slowest.push(sums.slowest.map_or(0, |(_, row)| row));
    }
    (counts, OperationDurations { durations, slowest })
}
