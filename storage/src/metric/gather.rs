//! The points of many requests, regrouped by series: what a flush does before it encodes.
//!
//! Each batch's series rows are looked up once; its points then follow by number, in one pass that
//! counts and one that places. Requests of one sender share their series table (see
//! [`super::share`]), and a shared table is looked up once for all of them.

use std::collections::HashMap;
use std::ops::Range;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch};
use arrow::datatypes::{TimestampNanosecondType, UInt8Type, UInt32Type, UInt64Type};
use throughline_model::metric::{ComplexPoint, MetricBatch};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::exemplars::{Exemplar, ExemplarColumns};
use super::points::{ComplexPoints, NumberPoints};
use crate::{Error, Result};

/// The columns of number or complex points, borrowed.
pub struct PointColumns<'a> {
    /// Row of the series in the batch's table.
    pub series: &'a [u32],
    /// Times.
    pub times: &'a [i64],
    /// Start times.
    pub start_times: &'a [i64],
    /// Flags.
    pub flags: &'a [u32],
}

impl<'a> PointColumns<'a> {
    fn find(batch: &'a RecordBatch) -> Option<Self> {
        let numbers = |name: &str| -> Option<&'a [u32]> {
            Some(batch.column_by_name(name)?.as_primitive_opt::<UInt32Type>()?.values())
        };
        let times = |name: &str| -> Option<&'a [i64]> {
            let column = batch.column_by_name(name)?;
            Some(column.as_primitive_opt::<TimestampNanosecondType>()?.values())
        };
        Some(Self {
            series: numbers(col::SERIES)?,
            times: times(col::TIME)?,
            start_times: times(col::START_TIME)?,
            flags: numbers(col::FLAGS)?,
        })
    }
}

/// Times, kinds and bits of a batch's number points.
pub fn number_columns(batch: &RecordBatch) -> Result<(PointColumns<'_>, &[u8], &[u64])> {
    let find = || {
        let kinds = batch.column_by_name(col::VALUE_KIND)?.as_primitive_opt::<UInt8Type>()?;
        let bits = batch.column_by_name(col::VALUE_BITS)?.as_primitive_opt::<UInt64Type>()?;
        Some((PointColumns::find(batch)?, kinds.values().as_ref(), bits.values().as_ref()))
    };
    find().ok_or_else(|| Error::corrupt("a batch of points has other columns than expected"))
}

/// Times and encoded points of a batch's complex points.
pub fn complex_columns(batch: &RecordBatch) -> Result<(PointColumns<'_>, &BinaryArray)> {
    let find = || {
        let points = batch.column_by_name(col::POINT)?.as_binary_opt::<i32>()?;
        Some((PointColumns::find(batch)?, points))
    };
    find()
        .ok_or_else(|| Error::corrupt("a batch of complex points has other columns than expected"))
}

/// Batches with the distinct series tables among them.
pub struct Tables<'a> {
    /// The distinct tables.
    pub distinct: Vec<&'a RecordBatch>,
    /// For each batch, the number of its table.
    pub of_batch: Vec<u32>,
}

impl<'a> Tables<'a> {
    /// Finds the tables that batches share.
    pub fn new(batches: &[&'a MetricBatch]) -> Self {
        let mut known: HashMap<*const u8, u32> = HashMap::new();
        let mut tables =
            Tables { distinct: Vec::new(), of_batch: Vec::with_capacity(batches.len()) };
        for batch in batches {
            // A shared table is the same memory; its column of ids tells.
            let address = match batch.series.column(0).as_fixed_size_binary_opt() {
                Some(ids) if !ids.is_empty() => ids.value_data().as_ptr(),
                _ => std::ptr::null(),
            };
            let number = *known.entry(address).or_insert_with(|| {
                tables.distinct.push(&batch.series);
                tables.distinct.len() as u32 - 1
            });
            tables.of_batch.push(number);
        }
        tables
    }
}

#[derive(Clone, Copy, Default)]
struct Placed {
    time_ns: i64,
    start_time_ns: i64,
    bits: u64,
    flags: u32,
    kind: u8,
}

/// A row of a head's series table that is not wanted.
pub const NOT_WANTED: u32 = u32::MAX;

/// Points by series. Complex points and exemplars are named by series, batch and row.
pub struct Gathered<'a> {
    batches: Vec<&'a MetricBatch>,
    numbers: Vec<Placed>,
    /// For each series, where its numbers begin; one more entry for the end.
    number_starts: Vec<usize>,
    complex: Vec<(u32, u32, u32)>,
    exemplars: Vec<(u32, u32, u32)>,
}

impl<'a> Gathered<'a> {
    /// Regroups the points whose time lies in the range, and the exemplars that came
    /// with them. `rows` says for each row of each table which of `series` series it is, or
    /// [`NOT_WANTED`]; those of a table of which nothing is wanted may be missing.
    pub fn new(
        batches: &[&'a MetricBatch],
        tables: &Tables<'_>,
        rows: &[Vec<u32>],
        series: usize,
        range: &TimeRange,
    ) -> Result<Self> {
        let mut gathered = Gathered {
            batches: batches.to_vec(),
            numbers: Vec::new(),
            number_starts: vec![0; series + 1],
            complex: Vec::new(),
            exemplars: Vec::new(),
        };
        let is_wanted = rows.iter().map(|rows| rows.iter().any(|row| *row != NOT_WANTED));
        let is_wanted = is_wanted.collect::<Vec<_>>();
        // A batch of which no series is wanted is not looked at; one without series has no points.
        let rows_of = |batch: usize| -> Option<&[u32]> {
            let table = tables.of_batch[batch] as usize;
            let has_series = batches[batch].series.num_rows() > 0;
            (is_wanted[table] || !has_series).then_some(rows[table].as_slice())
        };
        for (i, batch) in batches.iter().enumerate() {
            let Some(rows) = rows_of(i) else { continue };
            let (points, ..) = number_columns(&batch.numbers)?;
            for (series, time) in points.series.iter().zip(points.times) {
                let row = row(rows, *series)?;
                if row != NOT_WANTED && range.contains(*time) {
                    gathered.number_starts[row as usize + 1] += 1;
                }
            }
            let (points, _) = complex_columns(&batch.complex)?;
            let place =
                |series: &[u32], times: &[i64], out: &mut Vec<(u32, u32, u32)>| -> Result<()> {
                    for (at, (series, time)) in series.iter().zip(times).enumerate() {
                        let row = row(rows, *series)?;
                        if row != NOT_WANTED && range.contains(*time) {
                            out.push((row, i as u32, at as u32));
                        }
                    }
                    Ok(())
                };
            place(points.series, points.times, &mut gathered.complex)?;
            let exemplars = ExemplarColumns::new(&batch.exemplars)?;
            place(exemplars.series, exemplars.point_times, &mut gathered.exemplars)?;
        }
        gathered.complex.sort_unstable();
        gathered.exemplars.sort_unstable();
        gathered.place_numbers(rows_of, range)?;
        Ok(gathered)
    }

    fn place_numbers<'r>(
        &mut self,
        rows_of: impl Fn(usize) -> Option<&'r [u32]>,
        range: &TimeRange,
    ) -> Result<()> {
        let mut total = 0;
        for start in &mut self.number_starts {
            total += *start;
            *start = total;
        }
        let mut next = self.number_starts.clone();
        self.numbers = vec![Placed::default(); total];
        for (i, batch) in self.batches.iter().enumerate() {
            let Some(rows) = rows_of(i) else { continue };
            let (points, kinds, bits) = number_columns(&batch.numbers)?;
            for (at, series) in points.series.iter().enumerate() {
                let (row, time_ns) = (row(rows, *series)?, points.times[at]);
                if row == NOT_WANTED || !range.contains(time_ns) {
                    continue;
                }
                let place = &mut next[row as usize];
                self.numbers[*place] = Placed {
                    time_ns,
                    start_time_ns: points.start_times[at],
                    bits: bits[at],
                    flags: points.flags[at],
                    kind: kinds[at],
                };
                *place += 1;
            }
        }
        Ok(())
    }

    /// Appends the numbers of a series, in the order of arrival.
    pub fn numbers(&self, series: usize, out: &mut NumberPoints) {
        for point in &self.numbers[self.number_starts[series]..self.number_starts[series + 1]] {
            out.push(point.time_ns, point.start_time_ns, point.flags, point.kind, point.bits);
        }
    }

    /// Appends the complex points of a series, in the order of arrival.
    pub fn complex(&self, series: usize, out: &mut ComplexPoints) -> Result<()> {
        for (_, batch, at) in &self.complex[of_series(&self.complex, series)] {
            let (points, encoded) = complex_columns(&self.batches[*batch as usize].complex)?;
            let at = *at as usize;
            let point = ComplexPoint::decode(encoded.value(at))?;
            out.push(points.times[at], points.start_times[at], points.flags[at], point);
        }
        Ok(())
    }

    /// The exemplars of a series.
    pub fn exemplars(&self, series: usize) -> Result<Vec<Exemplar>> {
        let mut exemplars = Vec::new();
        for (_, batch, at) in &self.exemplars[of_series(&self.exemplars, series)] {
            let columns = ExemplarColumns::new(&self.batches[*batch as usize].exemplars)?;
            exemplars.push(columns.get(*at as usize));
        }
        Ok(exemplars)
    }
}

fn of_series(rows: &[(u32, u32, u32)], series: usize) -> Range<usize> {
    let start = rows.partition_point(|row| (row.0 as usize) < series);
    let len = rows[start..].partition_point(|row| row.0 as usize == series);
    start..start + len
}

fn row(rows: &[u32], series: u32) -> Result<u32> {
    rows.get(series as usize).copied().ok_or_else(|| {
        Error::corrupt(format!("a point of series {series}, the batch has {}", rows.len()))
    })
}
