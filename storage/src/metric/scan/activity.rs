//! When series had points, by the times of their chunks: no point is read.

use throughline_model::metric::MetricBatch;

use super::{ALL_TIMES, SeriesSet, check, chunk_times, gather, leave_out};
use crate::Result;
use crate::metric::gather::Tables;
use crate::scan::ScanContext;

impl SeriesSet {
    /// Tells `found` when series of the table had points: a series' row, the first and the last time of points
    /// that were written together. They may reach beyond the set's range.
    pub fn activity(
        &self,
        context: &ScanContext,
        found: &mut dyn FnMut(usize, i64, i64),
    ) -> Result<()> {
        let heads = self.view.metrics.heads.iter().collect::<Vec<_>>();
        let tables = Tables::new(&heads);
        for (batch, table) in heads.iter().zip(&tables.of_batch) {
            check(context)?;
            head_activity(batch, &self.head_rows[*table as usize], found)?;
        }
        for rows in &self.segments {
            if let Err(err) = self.segment_activity(rows, context, found) {
                leave_out(&rows.segment, err, context)?;
            }
        }
        Ok(())
    }

    fn segment_activity(
        &self,
        rows: &super::SegmentRows,
        context: &ScanContext,
        found: &mut dyn FnMut(usize, i64, i64),
    ) -> Result<()> {
        let mut at = 0;
        for batch in rows.opened.chunks(Some(&rows.own), &ALL_TIMES, Some(&context.stats))? {
            check(context)?;
            for (series, _, min, max) in chunk_times(&batch?)? {
                while rows.own.get(at).is_some_and(|own| *own < series) {
                    at += 1;
                }
                if rows.own.get(at) == Some(&series) && self.time.overlaps(min, max) {
                    found(rows.global[at] as usize, min, max);
                }
            }
        }
        Ok(())
    }
}

fn head_activity(
    batch: &MetricBatch,
    rows: &[u32],
    found: &mut dyn FnMut(usize, i64, i64),
) -> Result<()> {
    let (numbers, ..) = gather::number_columns(&batch.numbers)?;
    let (complex, _) = gather::complex_columns(&batch.complex)?;
    for points in [numbers, complex] {
        for (series, time_ns) in points.series.iter().zip(points.times) {
            match rows.get(*series as usize) {
                Some(row) if *row != gather::NOT_WANTED => found(*row as usize, *time_ns, *time_ns),
                _ => {}
            }
        }
    }
    Ok(())
}
