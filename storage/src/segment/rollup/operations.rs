//! Operations of a slab: how many spans, how long they took, which was the slowest.
//!
//! ```text
//! counts    := varint rows | steps key* | steps bucket* | varint count* | weights
//! durations := durations (see `columns`) | steps slowest*
//! ```
//! Steps are differences from the row before. Rows are sorted by key, then bucket.

use hashbrown::HashMap;
use throughline_model::codec::{Reader, put_varint};

use super::build::Spans;
use super::columns::{
    DurationColumns, DurationsBuilder, put_steps, put_weights, ranked, read_counts, read_rows,
    read_steps, read_weights,
};
use super::tables::Tables;
use crate::Result;

/// Counts by operation and bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OperationCounts {
    /// Numbers of operations.
    pub keys: Vec<u32>,
    /// Numbers of buckets of time.
    pub buckets: Vec<i64>,
    pub counts: Vec<u64>,
    /// How many spans the counted ones stand for.
    pub weighted: Vec<f64>,
}

impl OperationCounts {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.keys.len() as u64);
        put_steps(out, self.keys.iter().map(|key| i64::from(*key)));
        put_steps(out, self.buckets.iter().copied());
        self.counts.iter().for_each(|count| put_varint(out, *count));
        put_weights(out, &self.weighted, &self.counts);
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let rows = read_rows(&mut reader)?;
        let keys = read_steps(&mut reader, rows)?.into_iter().map(|key| key as u32).collect();
        let buckets = read_steps(&mut reader, rows)?;
        let counts = read_counts(&mut reader, rows)?;
        let weighted = read_weights(&mut reader, &counts)?;
        Ok(Self { keys, buckets, counts, weighted })
    }
}

/// Durations of the same rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OperationDurations {
    pub durations: DurationColumns,
    /// The row of the slowest span, in the slab.
    pub slowest: Vec<u32>,
}

impl OperationDurations {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        self.durations.put(out);
        put_steps(out, self.slowest.iter().map(|row| i64::from(*row)));
    }

    pub(crate) fn read(bytes: &[u8], rows: usize) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let durations = DurationColumns::read(&mut reader, rows)?;
        let slowest = read_steps(&mut reader, rows)?.into_iter().map(|row| row as u32).collect();
        Ok(Self { durations, slowest })
    }
}

/// Counts the spans whose start `is_wanted`.
pub(crate) fn count(
    spans: &Spans,
    tables: &mut Tables,
    is_wanted: impl Fn(i64) -> bool,
) -> Result<(OperationCounts, OperationDurations)> {
    let mut rows: HashMap<(u32, u32, i32, i32, i64), u32> = HashMap::new();
    let mut counts = OperationCounts::default();
    let mut durations = DurationsBuilder::default();
    let mut slowest: Vec<(i64, u32)> = Vec::new();
    for i in 0..spans.len() {
        if !is_wanted(spans.starts[i]) {
            continue;
        }
        let (kind, status, bucket) = (spans.kinds[i], spans.statuses[i], spans.bucket(i));
        let key = (spans.services[i], spans.names[i], kind, status, bucket);
        let next = counts.keys.len() as u32;
        let row = *rows.entry(key).or_insert(next);
        if row == next {
            let name = spans.name(i);
            counts.keys.push(tables.operation(spans.services[i], name, kind, status)?);
            counts.buckets.push(bucket);
            counts.counts.push(0);
            counts.weighted.push(0.0);
            durations.add_row();
            slowest.push((i64::MIN, i as u32));
        }
        counts.counts[row as usize] += 1;
        counts.weighted[row as usize] += spans.weight(i);
        durations.add(row, spans.durations[i], spans.sizes[i]);
        if spans.durations[i] > slowest[row as usize].0 {
            slowest[row as usize] = (spans.durations[i], i as u32);
        }
    }
    let ranks = ranks(&counts.keys, &counts.buckets);
    let counts = OperationCounts {
        keys: ranked(&counts.keys, &ranks),
        buckets: ranked(&counts.buckets, &ranks),
        counts: ranked(&counts.counts, &ranks),
        weighted: ranked(&counts.weighted, &ranks),
    };
    let slowest = slowest.into_iter().map(|(_, row)| row).collect::<Vec<_>>();
    let durations = OperationDurations {
        durations: durations.finish(&ranks),
        slowest: ranked(&slowest, &ranks),
    };
    Ok((counts, durations))
}

/// Where each row goes when rows are sorted by key, then bucket.
pub(super) fn ranks(keys: &[u32], buckets: &[i64]) -> Vec<u32> {
    let mut order = (0..keys.len() as u32).collect::<Vec<_>>();
    order.sort_unstable_by_key(|row| (keys[*row as usize], buckets[*row as usize], *row));
    let mut ranks = vec![0; order.len()];
    order.iter().enumerate().for_each(|(rank, row)| ranks[*row as usize] = rank as u32);
    ranks
}
