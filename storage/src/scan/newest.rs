//! Rows found so far by a scan that hands out the newest first.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::Schema;

use super::group::BATCH_ROWS;
use crate::Result;

/// Rows that are held back until nothing newer can come.
pub(crate) struct Held {
    batches: Vec<RecordBatch>,
    /// Time, batch, row.
    rows: Vec<(i64, u32, u32)>,
    /// Rows that may still be handed out; none without a limit.
    left: Option<usize>,
}

impl Held {
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { batches: Vec::new(), rows: Vec::new(), left: limit }
    }

    pub(crate) fn add(&mut self, batch: RecordBatch, times: &[i64]) -> Result<()> {
        let number = self.batches.len() as u32;
        let rows = times.iter().enumerate().map(|(row, time)| (*time, number, row as u32));
        self.rows.extend(rows);
        self.batches.push(batch);
        if let Some(left) = self.left
            && self.rows.len() > left.saturating_mul(4).max(BATCH_ROWS)
        {
            self.sort();
            self.rows.truncate(left);
            self.compact();
        }
        Ok(())
    }

    /// How many more rows are wanted.
    pub(crate) fn wanted(&self) -> usize {
        self.left.unwrap_or(usize::MAX)
    }

    /// The oldest time that can still make it into the answer.
    pub(crate) fn floor_ns(&mut self) -> i64 {
        match self.left {
            Some(0) => i64::MAX,
            Some(left) if self.rows.len() >= left => {
                let (_, kth, _) = self.rows.select_nth_unstable_by(left - 1, newer_first);
                kth.0
            }
            _ => i64::MIN,
        }
    }

    /// Takes out the rows that are newer than everything still to come, newest first.
    pub(crate) fn release(&mut self, next_ns: Option<i64>) -> Result<Vec<RecordBatch>> {
        self.sort();
        let end = match next_ns {
            Some(next_ns) => self.rows.partition_point(|(time, _, _)| *time > next_ns),
            None => self.rows.len(),
        };
        let end = end.min(self.wanted());
        if let Some(left) = &mut self.left {
            *left -= end;
        }
        let kept = self.rows.split_off(end);
        let out = std::mem::replace(&mut self.rows, kept);
        let batches = out.chunks(BATCH_ROWS).map(|rows| self.interleave(rows)).collect();
        if end > 0 {
            self.compact();
        }
        batches
    }

    fn sort(&mut self) {
        self.rows.sort_unstable_by(newer_first);
    }

    fn interleave(&self, rows: &[(i64, u32, u32)]) -> Result<RecordBatch> {
        let batches = self.batches.iter().collect::<Vec<_>>();
        if batches.first().is_none_or(|batch| batch.num_columns() == 0) {
            let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
            let schema = Arc::new(Schema::empty());
            return Ok(RecordBatch::try_new_with_options(schema, Vec::new(), &options)?);
        }
        let places = rows.iter().map(|(_, batch, row)| (*batch as usize, *row as usize));
        Ok(interleave_record_batch(&batches, &places.collect::<Vec<_>>())?)
    }

    // Lets go of batches without a row.
    fn compact(&mut self) {
        let mut moved = vec![u32::MAX; self.batches.len()];
        let mut kept = Vec::new();
        for (_, batch, _) in &mut self.rows {
            let place = &mut moved[*batch as usize];
            if *place == u32::MAX {
                *place = kept.len() as u32;
                kept.push(self.batches[*batch as usize].clone());
            }
            *batch = *place;
        }
        self.batches = kept;
    }
}

fn newer_first(a: &(i64, u32, u32), b: &(i64, u32, u32)) -> std::cmp::Ordering {
    b.0.cmp(&a.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2)))
}
