//! Requests of one sender carry the same series again and again: their series tables are shared.
//!
//! Place in the flow: before a batch goes into a head. A table that was seen before (the same ids,
//! descriptions and metadata in the same order) is replaced by the one that is kept, so that a head
//! holds each table once, and flushes and reads look its series up once.

use arrow::array::{AsArray, RecordBatch};
use hashbrown::HashMap;
use throughline_model::metric::MetricBatch;
use throughline_model::schema::col;
use xxhash_rust::xxh3::Xxh3;

use super::series::SeriesColumns;

/// Tables that are kept at most; a sender's table needs some kilobytes.
const TABLES_MAX: usize = 4096;
/// Rows that are kept at most, in all tables: some 30 MiB.
const ROWS_MAX: usize = 1 << 18;

/// The series tables of late.
#[derive(Debug, Default)]
pub struct SeriesShare {
    tables: HashMap<u128, RecordBatch>,
    rows: usize,
}

impl SeriesShare {
    /// Gives the batch a series table that is kept already, if there is one, and says how many bytes of
    /// memory that saves.
    pub fn share(&mut self, batch: &mut MetricBatch) -> usize {
        let Some(hash) = fingerprint(&batch.series) else { return 0 };
        if let Some(kept) = self.tables.get(&hash) {
            let saved = batch.series.get_array_memory_size();
            batch.series = kept.clone();
            return saved;
        }
        if self.tables.len() >= TABLES_MAX || self.rows >= ROWS_MAX {
            // What is still sent comes back at once.
            self.tables.clear();
            self.rows = 0;
        }
        self.rows += batch.series.num_rows();
        self.tables.insert(hash, batch.series.clone());
        0
    }
}

/// A hash of all that tells one table from another; ids stand for identities.
fn fingerprint(table: &RecordBatch) -> Option<u128> {
    let columns = SeriesColumns::new(table).ok()?;
    let mut hash = Xxh3::new();
    hash.update(&(table.num_rows() as u64).to_le_bytes());
    hash.update(table.column_by_name(col::SERIES_ID)?.as_fixed_size_binary_opt()?.value_data());
    let descriptions = columns.dict(col::DESCRIPTION)?;
    for key in 0..descriptions.values() {
        hash.update(&(descriptions.value(key).len() as u64).to_le_bytes());
        hash.update(descriptions.value(key));
    }
    for row in 0..table.num_rows() {
        let metadata = columns.metadata.value(row);
        hash.update(&(descriptions.key(row) as u32).to_le_bytes());
        hash.update(&(metadata.len() as u32).to_le_bytes());
        hash.update(metadata);
    }
    Some(hash.digest128())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::request;
    use super::*;

    #[test]
    fn equal_tables_are_shared_and_others_are_not() {
        let mut kept = SeriesShare::default();
        let mut share = |services: &[&str], step| {
            let mut batch = MetricBatch::clone(&request(services, step));
            kept.share(&mut batch);
            batch
        };
        let same =
            |a: &MetricBatch, b: &MetricBatch| Arc::ptr_eq(a.series.column(0), b.series.column(0));
        let first = share(&["ad", "web"], 1);
        let second = share(&["ad", "web"], 2);
        assert!(same(&first, &second));
        assert_ne!(first.numbers, second.numbers);
        assert!(!same(&first, &share(&["web", "ad"], 3)));
        assert!(!same(&first, &share(&["ad"], 4)));
    }
}
