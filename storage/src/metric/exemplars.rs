//! Exemplars of a segment: rows by series and time, in sections of the index file that each hold a
//! run of series.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, TimestampNanosecondArray,
    UInt8Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{TimestampNanosecondType, UInt8Type, UInt32Type, UInt64Type};
use throughline_model::columns::{BinaryColumn, IdColumn};
use throughline_model::metric::Number;
use throughline_model::schema::{self, col};

use super::index::{self, IndexWriter, SectionKind};
use crate::{Error, Result};

const SECTION_ROWS: usize = 8192;

/// An exemplar. Equal ones of a series are one, as with points.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exemplar {
    /// Nanoseconds since the epoch.
    pub time_ns: i64,
    /// `ValueKind` as a number.
    pub kind: u8,
    /// The bits of the double or integer.
    pub bits: u64,
    /// The trace during which it was measured.
    pub trace_id: Option<[u8; 16]>,
    /// The span during which it was measured.
    pub span_id: Option<[u8; 8]>,
    /// The filtered attributes, an encoded set.
    pub attributes: Vec<u8>,
    /// Time of the point that carried it.
    pub point_time_ns: i64,
}

impl Exemplar {
    /// The measured value.
    pub fn value(&self) -> Number {
        Number::from_parts(self.kind, self.bits)
    }
}

/// The columns of [`schema::exemplars`], borrowed.
pub struct ExemplarColumns<'a> {
    /// Row of the series in the table that belongs to the batch.
    pub series: &'a [u32],
    /// Times.
    pub times: &'a [i64],
    kinds: &'a [u8],
    bits: &'a [u64],
    trace_ids: &'a FixedSizeBinaryArray,
    span_ids: &'a FixedSizeBinaryArray,
    attributes: &'a arrow::array::BinaryArray,
    /// Times of the points that carried them.
    pub point_times: &'a [i64],
}

impl<'a> ExemplarColumns<'a> {
    /// The columns of a batch.
    pub fn new(batch: &'a RecordBatch) -> Result<Self> {
        Self::find(batch)
            .ok_or_else(|| Error::corrupt("a batch of exemplars has other columns than expected"))
    }

    fn find(batch: &'a RecordBatch) -> Option<Self> {
        let times = |name: &str| -> Option<&'a [i64]> {
            let column = batch.column_by_name(name)?;
            Some(column.as_primitive_opt::<TimestampNanosecondType>()?.values())
        };
        let column = |name: &str| batch.column_by_name(name);
        Some(Self {
            series: column(col::SERIES)?.as_primitive_opt::<UInt32Type>()?.values(),
            times: times(col::TIME)?,
            kinds: column(col::VALUE_KIND)?.as_primitive_opt::<UInt8Type>()?.values(),
            bits: column(col::VALUE_BITS)?.as_primitive_opt::<UInt64Type>()?.values(),
            trace_ids: column(col::TRACE_ID)?.as_fixed_size_binary_opt()?,
            span_ids: column(col::SPAN_ID)?.as_fixed_size_binary_opt()?,
            attributes: column(col::ATTRIBUTES)?.as_binary_opt::<i32>()?,
            point_times: times("point_time")?,
        })
    }

    /// One row.
    pub fn get(&self, row: usize) -> Exemplar {
        Exemplar {
            time_ns: self.times[row],
            kind: self.kinds[row],
            bits: self.bits[row],
            trace_id: fixed(self.trace_ids, row),
            span_id: fixed(self.span_ids, row),
            attributes: self.attributes.value(row).to_vec(),
            point_time_ns: self.point_times[row],
        }
    }
}

fn fixed<const N: usize>(array: &FixedSizeBinaryArray, row: usize) -> Option<[u8; N]> {
    array.is_valid(row).then(|| array.value(row).try_into().ok()).flatten()
}

/// Gathers exemplars and writes them as sections. Series must come in order.
#[derive(Default)]
pub struct ExemplarWriter {
    rows: Vec<(u32, Exemplar)>,
}

impl ExemplarWriter {
    /// Appends the exemplars of a series.
    pub fn put<W: Write>(
        &mut self,
        series: u32,
        mut exemplars: Vec<Exemplar>,
        index: &mut IndexWriter<'_, W>,
        level: i32,
    ) -> Result<()> {
        exemplars.sort_unstable();
        exemplars.dedup();
        for exemplar in exemplars {
            self.rows.push((series, exemplar));
            if self.rows.len() == SECTION_ROWS {
                self.end_section(index, level)?;
            }
        }
        Ok(())
    }

    /// Writes what is left.
    pub fn end_section<W: Write>(
        &mut self,
        index: &mut IndexWriter<'_, W>,
        level: i32,
    ) -> Result<()> {
        let Some((first, _)) = self.rows.first() else { return Ok(()) };
        let batch = batch(&self.rows)?;
        let bytes = index::encode_batch(&batch, level)?;
        index.section(SectionKind::Exemplars, *first, self.rows.len() as u32, &bytes)?;
        self.rows.clear();
        Ok(())
    }
}

/// Exemplars in [`schema::exemplars`].
pub fn batch(rows: &[(u32, Exemplar)]) -> Result<RecordBatch> {
    let (mut trace_ids, mut span_ids) = (IdColumn::<16>::default(), IdColumn::<8>::default());
    let mut attributes = BinaryColumn::default();
    for (_, exemplar) in rows {
        trace_ids.push(exemplar.trace_id.as_ref());
        span_ids.push(exemplar.span_id.as_ref());
        attributes.bytes.extend_from_slice(&exemplar.attributes);
        attributes.end_row()?;
    }
    let times = |of: fn(&Exemplar) -> i64| -> ArrayRef {
        let times = TimestampNanosecondArray::from_iter_values(rows.iter().map(|(_, e)| of(e)));
        Arc::new(times.with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|(series, _)| *series))),
        times(|exemplar| exemplar.time_ns),
        Arc::new(UInt8Array::from_iter_values(rows.iter().map(|(_, e)| e.kind))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(_, e)| e.bits))),
        Arc::new(trace_ids.finish_optional()),
        Arc::new(span_ids.finish_optional()),
        Arc::new(attributes.finish_required()),
        times(|exemplar| exemplar.point_time_ns),
    ];
    Ok(RecordBatch::try_new(schema::exemplars(), columns)?)
}
