//! Merging metric segments: the chunks of a series become one a window again, points that several
//! inputs repeat become one.
//!
//! All tables are sorted alike, so the inputs are read once from front to back; what is held is the
//! series tables and the points of one series.

use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::chunk_rows::{ALL_DATA, ChunkColumns};
use super::exemplars::Exemplar;
use super::points::{ComplexPoints, NumberPoints};
use super::segment::{ExemplarStream, MetricSegment, Opened};
use super::series;
use super::write::SegmentWriter;
use crate::segment::{SegmentMeta, Sinks, WriteOptions};
use crate::{Error, Result};

/// Merges segments into one that holds their points with times in `options.window` (a window that
/// ends at `i64::MAX` has no end). CPU-heavy; the caller syncs the sinks.
///
/// Points outside the window are left out, so that inputs that span several windows can be merged
/// into one output for each. The points of a series do not depend on the order of inputs.
pub fn merge_metrics(
    inputs: &[Arc<MetricSegment>],
    options: &WriteOptions,
    sinks: &mut Sinks,
) -> Result<SegmentMeta> {
    let opened = inputs.iter().map(|input| input.open()).collect::<Result<Vec<_>>>()?;
    let tables = inputs.iter().map(|input| input.series()).collect::<Result<Vec<_>>>()?;
    let (table, rows) = series::union(&tables.iter().map(|table| &**table).collect::<Vec<_>>())?;
    drop(tables);
    let cursors = opened.iter().zip(rows).map(|(input, rows)| Cursor::new(input, rows));
    let mut cursors = cursors.collect::<Result<Vec<_>>>()?;
    let mut writer = SegmentWriter::new(&table, options, sinks)?;
    let mut points = Points::default();
    for series in 0..table.num_rows() as u32 {
        points.clear();
        for cursor in &mut cursors {
            cursor.take(series, &mut points)?;
        }
        points.retain(|time_ns| options.window.contains(time_ns));
        points.numbers.sort();
        points.complex.sort();
        let exemplars = std::mem::take(&mut points.exemplars);
        writer.put(series as usize, &points.numbers, &points.complex, exemplars)?;
    }
    if let Some(at) = cursors.iter().position(|cursor| cursor.batch.is_some()) {
        let name = inputs[at].meta.data_name();
        return Err(Error::corrupt(format!("the chunks of {name} are not in the order of series")));
    }
    let summary = writer.finish()?;
    Ok(summary.meta(options, sinks))
}

#[derive(Default)]
struct Points {
    numbers: NumberPoints,
    complex: ComplexPoints,
    exemplars: Vec<Exemplar>,
}

impl Points {
    fn clear(&mut self) {
        self.numbers.clear();
        self.complex.clear();
        self.exemplars.clear();
    }

    fn retain(&mut self, wanted: impl Fn(i64) -> bool) {
        self.numbers.retain(&wanted);
        self.complex.retain(&wanted);
        self.exemplars.retain(|exemplar| wanted(exemplar.point_time_ns));
    }
}

/// Where a merge stands in one of its inputs.
struct Cursor {
    opened: Arc<Opened>,
    /// Row in the output's table of each series.
    rows: Vec<u32>,
    reader: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    at: usize,
    exemplars: ExemplarStream,
}

impl Cursor {
    fn new(opened: &Arc<Opened>, rows: Vec<u32>) -> Result<Self> {
        let mut reader = opened.chunks(None, &ALL_DATA, None)?;
        let batch = reader.next().transpose()?;
        let exemplars = opened.exemplars();
        Ok(Self { opened: opened.clone(), rows, reader, batch, at: 0, exemplars })
    }

    /// Moves everything of a series of the output into `points`.
    fn take(&mut self, series: u32, points: &mut Points) -> Result<()> {
        while let Some(batch) = &self.batch {
            let columns = ChunkColumns::new(batch)?;
            while self.at < batch.num_rows() {
                let own = columns.series[self.at] as usize;
                if self.rows.get(own) != Some(&series) {
                    break;
                }
                columns.decode(self.at, &self.opened, &mut points.numbers, &mut points.complex)?;
                self.at += 1;
            }
            if self.at < batch.num_rows() {
                break;
            }
            self.batch = self.reader.next().transpose()?;
            self.at = 0;
        }
        while let Some(own) = self.exemplars.peek()? {
            if self.rows.get(own as usize) != Some(&series) {
                break;
            }
            points.exemplars.extend(self.exemplars.pop());
        }
        Ok(())
    }
}
