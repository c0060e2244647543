//! Rows of chunks as they were read from a segment's Parquet file.

use arrow::array::{AsArray, BinaryArray, RecordBatch};
use arrow::datatypes::{TimestampNanosecondType, UInt8Type, UInt32Type};

use super::chunk;
use super::complex;
use super::layout::{FORM_COMPLEX, FORM_NUMBERS, at};
use super::points::{ComplexPoints, NumberPoints};
use super::segment::Opened;
use crate::{Error, Result};

/// The columns that decoding needs.
pub const ALL_DATA: [usize; 8] = [
    at::SERIES,
    at::FORM,
    at::COUNT,
    at::TIMES,
    at::START_TIMES,
    at::MIN_TIME,
    at::MAX_TIME,
    at::DATA,
];
/// The columns that say which times a chunk holds.
pub const ALL_TIMES: [usize; 4] = [at::SERIES, at::TIMES, at::MIN_TIME, at::MAX_TIME];

/// The columns of a batch read with [`ALL_DATA`], borrowed.
pub struct ChunkColumns<'a> {
    /// Row of the series in the segment's table.
    pub series: &'a [u32],
    /// First times.
    pub min_times: &'a [i64],
    /// Last times.
    pub max_times: &'a [i64],
    forms: &'a [u8],
    counts: &'a [u32],
    times: &'a [u32],
    start_times: &'a [u32],
    data: &'a BinaryArray,
}

impl<'a> ChunkColumns<'a> {
    /// The columns of a batch.
    pub fn new(batch: &'a RecordBatch) -> Result<Self> {
        Self::find(batch).ok_or_else(|| Error::corrupt("chunks have other columns than expected"))
    }

    fn find(batch: &'a RecordBatch) -> Option<Self> {
        Some(Self {
            series: numbers(batch, "series")?,
            min_times: times(batch, "min_time")?,
            max_times: times(batch, "max_time")?,
            forms: batch.column_by_name("form")?.as_primitive_opt::<UInt8Type>()?.values(),
            counts: numbers(batch, "count")?,
            times: numbers(batch, "times")?,
            start_times: numbers(batch, "start_times")?,
            data: batch.column_by_name("data")?.as_binary_opt::<i32>()?,
        })
    }

    /// Appends the points of a chunk.
    pub fn decode(
        &self,
        row: usize,
        segment: &Opened,
        numbers: &mut NumberPoints,
        complex: &mut ComplexPoints,
    ) -> Result<()> {
        let times = segment.sequence(self.times[row])?;
        let start_times = segment.sequence(self.start_times[row])?;
        if times.len() != self.counts[row] as usize {
            return Err(Error::corrupt(format!(
                "a chunk of {} points has {} times",
                self.counts[row],
                times.len()
            )));
        }
        let data = self.data.value(row);
        match self.forms[row] {
            FORM_NUMBERS => chunk::decode_numbers(data, &times, &start_times, numbers)?,
            FORM_COMPLEX => complex::decode(data, &times, &start_times, complex)?,
            other => return Err(Error::corrupt(format!("a chunk of form {other}"))),
        }
        Ok(())
    }
}

/// Series, sequence of times, first and last time of a batch read with [`ALL_TIMES`].
pub fn chunk_times(batch: &RecordBatch) -> Result<impl Iterator<Item = (u32, u32, i64, i64)> + '_> {
    let find = || {
        let columns = (
            numbers(batch, "series")?,
            numbers(batch, "times")?,
            times(batch, "min_time")?,
            times(batch, "max_time")?,
        );
        Some(
            (0..batch.num_rows())
                .map(move |row| (columns.0[row], columns.1[row], columns.2[row], columns.3[row])),
        )
    };
    find().ok_or_else(|| Error::corrupt("chunks have other columns than expected"))
}

fn numbers<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a [u32]> {
    Some(batch.column_by_name(name)?.as_primitive_opt::<UInt32Type>()?.values())
}

fn times<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a [i64]> {
    Some(batch.column_by_name(name)?.as_primitive_opt::<TimestampNanosecondType>()?.values())
}
