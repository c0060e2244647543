//! Writing a metric segment: from heads ([`write_metrics`]), and the writer that a merge shares.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, RecordBatch, TimestampNanosecondArray, UInt8Array, UInt32Array,
};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use throughline_model::Signal;
use throughline_model::columns::BinaryColumn;
use throughline_model::metric::MetricBatch;

use super::chunk::{self, Aggregates, Scratch};
use super::complex;
use super::exemplars::{Exemplar, ExemplarWriter};
use super::gather::{Gathered, Tables};
use super::index::{self, IndexWriter, SectionKind};
use super::layout::{self, FORM_COMPLEX, FORM_NUMBERS, FORMAT_VERSION};
use super::points::{ComplexPoints, NumberPoints};
use super::sequences::SequenceWriter;
use super::series::{self, SeriesColumns};
use crate::io::SegmentSink;
use crate::segment::{SegmentMeta, Sinks, WriteOptions};
use crate::{Error, Result};

/// Chunks that are handed to Parquet at once.
const BATCH_CHUNKS: usize = 4096;
/// The column of the stored series table that says how many chunks a series has.
pub(super) const CHUNK_COUNT: &str = "chunks";

/// Writes the points of the batches whose time lies in `options.window` (a window that ends at
/// `i64::MAX` has no end) as one segment. CPU-heavy; the caller syncs the sinks.
///
/// Points outside the window are left out, so that a caller can write one segment for each window of
/// the same batches.
pub fn write_metrics(
    batches: &[&MetricBatch],
    options: &WriteOptions,
    sinks: &mut Sinks,
) -> Result<SegmentMeta> {
    let tables = Tables::new(batches);
    let (table, rows) = series::union(&tables.distinct)?;
    let gathered = Gathered::new(batches, &tables, &rows, table.num_rows(), &options.window)?;
    let mut writer = SegmentWriter::new(&table, options, sinks)?;
    let (mut numbers, mut complex) = (NumberPoints::default(), ComplexPoints::default());
    for series in 0..table.num_rows() {
        numbers.clear();
        complex.clear();
        gathered.numbers(series, &mut numbers);
        gathered.complex(series, &mut complex)?;
        numbers.sort();
        complex.sort();
        writer.put(series, &numbers, &complex, gathered.exemplars(series)?)?;
    }
    let summary = writer.finish()?;
    Ok(summary.meta(options, sinks))
}

/// What the catalog wants to know of the rows.
pub(super) struct Summary {
    points: u64,
    min_time_ns: i64,
    max_time_ns: i64,
}

impl Summary {
    fn add_time(&mut self, time_ns: i64) {
        self.min_time_ns = self.min_time_ns.min(time_ns);
        self.max_time_ns = self.max_time_ns.max(time_ns);
    }

    pub(super) fn meta(&self, options: &WriteOptions, sinks: &Sinks) -> SegmentMeta {
        let is_empty = self.min_time_ns > self.max_time_ns;
        SegmentMeta {
            id: options.id,
            signal: Signal::Metrics,
            tenant: options.tenant.clone(),
            level: options.level,
            window_start_ns: options.window.start_ns,
            window_end_ns: options.window.end_ns,
            min_time_ns: if is_empty { options.window.start_ns } else { self.min_time_ns },
            max_time_ns: if is_empty { options.window.start_ns } else { self.max_time_ns },
            rows: self.points,
            data_bytes: sinks.data.bytes(),
            index_bytes: sinks.index.bytes(),
            data_crc32c: sinks.data.crc32c(),
            index_crc32c: sinks.index.crc32c(),
            format_version: FORMAT_VERSION,
            created_at_ns: options.created_at_ns,
        }
    }
}

/// Chunks on their way to Parquet.
#[derive(Default)]
struct ChunkRows {
    series: Vec<u32>,
    form: Vec<u8>,
    count: Vec<u32>,
    times: Vec<u32>,
    start_times: Vec<u32>,
    min_time: Vec<i64>,
    max_time: Vec<i64>,
    aggregates: [Vec<Option<f64>>; layout::AGGREGATES.len()],
    data: BinaryColumn,
}

impl ChunkRows {
    fn push_aggregates(&mut self, found: Option<Aggregates>) {
        let values = match found {
            Some(Aggregates { first, last, min, max, sum, increase }) => {
                [Some(first), Some(last), Some(min), Some(max), Some(sum), increase]
            }
            None => [None; 6],
        };
        self.aggregates.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
    }

    fn into_batch(self) -> Result<RecordBatch> {
        let numbers = |values: Vec<u32>| -> ArrayRef { Arc::new(UInt32Array::from(values)) };
        let times = |values: Vec<i64>| -> ArrayRef {
            Arc::new(TimestampNanosecondArray::from(values).with_timezone("UTC"))
        };
        let mut columns = vec![
            numbers(self.series),
            Arc::new(UInt8Array::from(self.form)) as ArrayRef,
            numbers(self.count),
            numbers(self.times),
            numbers(self.start_times),
            times(self.min_time),
            times(self.max_time),
        ];
        for values in self.aggregates {
            columns.push(Arc::new(Float64Array::from(values)));
        }
        columns.push(Arc::new(self.data.finish_required()));
        Ok(RecordBatch::try_new(layout::chunks(), columns)?)
    }
}

/// Writes a segment, series after series in the order of its table.
pub(super) struct SegmentWriter<'a> {
    table: &'a RecordBatch,
    columns: SeriesColumns<'a>,
    zstd_level: i32,
    data: ArrowWriter<&'a mut SegmentSink>,
    index: IndexWriter<'a, SegmentSink>,
    sequences: SequenceWriter,
    exemplars: ExemplarWriter,
    rows: ChunkRows,
    chunk_counts: Vec<u32>,
    scratch: Scratch,
    summary: Summary,
}

impl<'a> SegmentWriter<'a> {
    pub(super) fn new(
        table: &'a RecordBatch,
        options: &WriteOptions,
        sinks: &'a mut Sinks,
    ) -> Result<Self> {
        let properties = layout::properties(options.level)?;
        let data = ArrowWriter::try_new(&mut sinks.data, layout::chunks(), Some(properties))
            .map_err(parquet_error)?;
        Ok(Self {
            table,
            columns: SeriesColumns::new(table)?,
            zstd_level: layout::zstd_level(options.level),
            data,
            index: IndexWriter::new(&mut sinks.index),
            sequences: SequenceWriter::default(),
            exemplars: ExemplarWriter::default(),
            rows: ChunkRows::default(),
            chunk_counts: vec![0; table.num_rows()],
            scratch: Scratch::default(),
            summary: Summary { points: 0, min_time_ns: i64::MAX, max_time_ns: i64::MIN },
        })
    }

    /// Appends what there is of a series; points must be in order.
    pub(super) fn put(
        &mut self,
        series: usize,
        numbers: &NumberPoints,
        complex: &ComplexPoints,
        exemplars: Vec<Exemplar>,
    ) -> Result<()> {
        let mut start = 0;
        for end in chunk::cuts(&numbers.times) {
            self.begin_chunk(
                series,
                FORM_NUMBERS,
                &numbers.times[start..end],
                &numbers.start_times[start..end],
            )?;
            let out = &mut self.rows.data.bytes;
            chunk::encode_numbers(numbers, start, end, &mut self.scratch, out);
            let is_counter = self.columns.is_counter(series);
            self.end_chunk(chunk::aggregates(numbers, start, end, is_counter))?;
            start = end;
        }
        start = 0;
        for end in chunk::cuts(&complex.times) {
            self.begin_chunk(
                series,
                FORM_COMPLEX,
                &complex.times[start..end],
                &complex.start_times[start..end],
            )?;
            complex::encode(complex, start, end, &mut self.rows.data.bytes);
            self.end_chunk(None)?;
            start = end;
        }
        for exemplar in &exemplars {
            self.summary.add_time(exemplar.time_ns);
        }
        self.exemplars.put(series as u32, exemplars, &mut self.index, self.zstd_level)
    }

    fn begin_chunk(
        &mut self,
        series: usize,
        form: u8,
        times: &[i64],
        start_times: &[i64],
    ) -> Result<()> {
        let (min, max) = (times[0], times[times.len() - 1]);
        let times_at = self.sequences.put(times, &mut self.index)?;
        let start_times_at = self.sequences.put(start_times, &mut self.index)?;
        self.rows.series.push(series as u32);
        self.rows.form.push(form);
        self.rows.count.push(times.len() as u32);
        self.rows.times.push(times_at);
        self.rows.start_times.push(start_times_at);
        self.rows.min_time.push(min);
        self.rows.max_time.push(max);
        self.chunk_counts[series] += 1;
        self.summary.points += times.len() as u64;
        self.summary.add_time(min);
        self.summary.add_time(max);
        Ok(())
    }

    fn end_chunk(&mut self, aggregates: Option<Aggregates>) -> Result<()> {
        self.rows.push_aggregates(aggregates);
        self.rows.data.end_row()?;
        if self.rows.series.len() == BATCH_CHUNKS {
            self.write_rows()?;
        }
        Ok(())
    }

    fn write_rows(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.rows).into_batch()?;
        self.data.write(&batch).map_err(parquet_error)
    }

    /// Writes the rest of both files.
    pub(super) fn finish(mut self) -> Result<Summary> {
        self.write_rows()?;
        self.data.close().map_err(parquet_error)?;
        self.sequences.end_page(&mut self.index)?;
        self.exemplars.end_section(&mut self.index, self.zstd_level)?;
        let table = series::without_ids(self.table)?;
        let mut fields = table.schema().fields().to_vec();
        fields.push(Arc::new(Field::new(CHUNK_COUNT, DataType::UInt32, false)));
        let mut columns = table.columns().to_vec();
        columns.push(Arc::new(UInt32Array::from(self.chunk_counts)));
        let stored = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        let bytes = index::encode_batch(&stored, self.zstd_level)?;
        self.index.section(SectionKind::Series, 0, stored.num_rows() as u32, &bytes)?;
        self.index.finish()?;
        Ok(self.summary)
    }
}

/// A failed write must not be taken for damage.
fn parquet_error(err: ParquetError) -> Error {
    match err {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(err) => index::write_error(*err),
            Err(other) => Error::corrupt(other.to_string()),
        },
        other => Error::corrupt(other.to_string()),
    }
}
