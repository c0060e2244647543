//! Columns of a rollup and their bytes: durations by row, and numbers that are mostly small.

use throughline_model::codec::{Reader, put_varint};
use throughline_model::exponential::{Distribution, bucket};

use crate::{Error, Result};

/// Instead of a bucket: the value is zero or negative.
pub(crate) const NOT_POSITIVE: i16 = i16::MIN;

/// The bucket of a duration.
pub(crate) fn size_of_duration(duration_ns: i64) -> i16 {
    if duration_ns <= 0 { NOT_POSITIVE } else { bucket(duration_ns as f64) as i16 }
}

/// Durations by row: their sum, and how many lie in each exponential bucket.
///
/// ```text
/// columns := zigzag sum* | varint buckets* | zigzag first bucket − first of the row before*
///            | (varint (bucket − the one before) × 2, + 1 if the count is not 1)*
///            | varint count* of the firsts, varint count* of the others that are not 1
///            | varint n, (varint row − the one before, varint zeros)*
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DurationColumns {
    pub sums_ns: Vec<i64>,
    /// Durations that are zero or negative.
    pub zeros: Vec<u64>,
    /// Where the buckets of each row end.
    pub ends: Vec<u32>,
    /// Ascending in each row.
    pub buckets: Vec<i16>,
    pub counts: Vec<u64>,
}

impl DurationColumns {
    /// The buckets of a row with their counts.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (i16, u64)> + '_ {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        let range = start..self.ends[row] as usize;
        range.map(|i| (self.buckets[i], self.counts[i]))
    }

    /// Adds the durations of a row to a distribution, each `weight` times.
    pub(crate) fn add_to(&self, row: usize, weight: f64, into: &mut Distribution) {
        into.zero += self.zeros[row] as f64 * weight;
        for (bucket, count) in self.row(row) {
            into.add_bucket(i32::from(bucket), count as f64 * weight);
        }
    }

    /// Some of the rows.
    pub(crate) fn only(&self, rows: &[usize]) -> Self {
        let mut some = Self::default();
        for row in rows {
            some.sums_ns.push(self.sums_ns[*row]);
            some.zeros.push(self.zeros[*row]);
            for (bucket, count) in self.row(*row) {
                some.buckets.push(bucket);
                some.counts.push(count);
            }
            some.ends.push(some.buckets.len() as u32);
        }
        some
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        self.sums_ns.iter().for_each(|sum| put_signed(out, *sum));
        let mut start = 0;
        for end in &self.ends {
            put_varint(out, u64::from(end - start));
            start = *end;
        }
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let rows = || starts.clone().zip(&self.ends).map(|(a, b)| a as usize..*b as usize);
        let mut before = 0i64;
        for range in rows().filter(|range| !range.is_empty()) {
            let first = i64::from(self.buckets[range.start]);
            put_signed(out, first - before);
            before = first;
        }
        for range in rows() {
            for i in range.skip(1) {
                let step = (self.buckets[i] - self.buckets[i - 1]) as u64;
                put_varint(out, step << 1 | u64::from(self.counts[i] != 1));
            }
        }
        for range in rows().filter(|range| !range.is_empty()) {
            put_varint(out, self.counts[range.start]);
        }
        for range in rows() {
            let others = range.skip(1).map(|i| self.counts[i]).filter(|count| *count != 1);
            others.for_each(|count| put_varint(out, count));
        }
        put_sparse(out, &self.zeros, |count| *count != 0, |out, count| put_varint(out, *count));
    }

    pub(crate) fn read(reader: &mut Reader<'_>, rows: usize) -> Result<Self> {
        let mut columns = Self { sums_ns: read_signed_column(reader, rows)?, ..Self::default() };
        let mut end = 0u64;
        for _ in 0..rows {
            end = end.saturating_add(reader.varint()?);
            columns.ends.push(u32::try_from(end).map_err(|_| too_many())?);
        }
        // Each bucket takes a byte at least, so that damaged lengths claim no memory.
        if end > reader.rest().len() as u64 {
            return Err(too_many());
        }
        columns.buckets = vec![0; end as usize];
        columns.counts = vec![1; end as usize];
        let starts = std::iter::once(0).chain(columns.ends.iter().copied());
        let rows_of = starts.zip(&columns.ends).map(|(a, b)| a as usize..*b as usize);
        let ranges = rows_of.collect::<Vec<_>>();
        let mut first = 0i64;
        for range in ranges.iter().filter(|range| !range.is_empty()) {
            first = first.wrapping_add(read_signed(reader)?);
            columns.buckets[range.start] = first as i16;
        }
        for range in &ranges {
            for i in range.clone().skip(1) {
                let step = reader.varint()?;
                columns.buckets[i] = columns.buckets[i - 1].wrapping_add((step >> 1) as i16);
                columns.counts[i] = if step & 1 == 1 { 0 } else { 1 };
            }
        }
        for range in ranges.iter().filter(|range| !range.is_empty()) {
            columns.counts[range.start] = reader.varint()?;
        }
        for range in &ranges {
            for i in range.clone().skip(1) {
                if columns.counts[i] == 0 {
                    columns.counts[i] = reader.varint()?;
                }
            }
        }
        columns.zeros = read_sparse(reader, rows, 0, |reader| Ok(reader.varint()?))?;
        Ok(columns)
    }
}

fn too_many() -> Error {
    Error::corrupt("a rollup has more buckets than bytes")
}

/// Durations by row, under construction.
#[derive(Debug, Default)]
pub(crate) struct DurationsBuilder {
    sums_ns: Vec<i64>,
    zeros: Vec<u64>,
    entries: Vec<(u32, i16)>,
}

impl DurationsBuilder {
    pub(crate) fn add_row(&mut self) {
        self.sums_ns.push(0);
        self.zeros.push(0);
    }

    /// Counts a duration whose bucket is `size`.
    pub(crate) fn add(&mut self, row: u32, duration_ns: i64, size: i16) {
        let sum = &mut self.sums_ns[row as usize];
        *sum = sum.saturating_add(duration_ns);
        match size {
            NOT_POSITIVE => self.zeros[row as usize] += 1,
            size => self.entries.push((row, size)),
        }
    }

    /// The columns; row `i` becomes row `ranks[i]`.
    pub(crate) fn finish(self, ranks: &[u32]) -> DurationColumns {
        let mut entries = self.entries;
        entries.iter_mut().for_each(|(row, _)| *row = ranks[*row as usize]);
        entries.sort_unstable();
        let mut columns = DurationColumns {
            sums_ns: ranked(&self.sums_ns, ranks),
            zeros: ranked(&self.zeros, ranks),
            ..DurationColumns::default()
        };
        let mut last = None;
        for (row, bucket) in entries {
            columns.ends.resize(row as usize, columns.buckets.len() as u32);
            if last == Some((row, bucket))
                && let Some(count) = columns.counts.last_mut()
            {
                *count += 1;
                continue;
            }
            columns.buckets.push(bucket);
            columns.counts.push(1);
            last = Some((row, bucket));
        }
        columns.ends.resize(ranks.len(), columns.buckets.len() as u32);
        columns
    }
}

/// Values in the order that `ranks` gives them.
pub(crate) fn ranked<T: Copy + Default>(values: &[T], ranks: &[u32]) -> Vec<T> {
    let mut out = vec![T::default(); values.len()];
    values.iter().zip(ranks).for_each(|(value, rank)| out[*rank as usize] = *value);
    out
}

/// Appends a number of either sign, short if it is near zero.
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_varint(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// Reads what [`put_signed`] wrote.
pub(crate) fn read_signed(reader: &mut Reader<'_>) -> Result<i64> {
    let number = reader.varint()?;
    Ok((number >> 1) as i64 ^ -((number & 1) as i64))
}

fn read_signed_column(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<i64>> {
    (0..rows).map(|_| read_signed(reader)).collect()
}

/// Appends numbers as their differences.
pub(crate) fn put_steps(out: &mut Vec<u8>, numbers: impl Iterator<Item = i64>) {
    let mut before = 0i64;
    for number in numbers {
        put_signed(out, number.wrapping_sub(before));
        before = number;
    }
}

/// Reads so many numbers that [`put_steps`] wrote.
pub(crate) fn read_steps(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<i64>> {
    let mut number = 0i64;
    (0..rows)
        .map(|_| {
            number = number.wrapping_add(read_signed(reader)?);
            Ok(number)
        })
        .collect()
}

/// Reads so many varints.
pub(crate) fn read_counts(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<u64>> {
    (0..rows).map(|_| Ok(reader.varint()?)).collect()
}

/// How many rows a column has, no more than bytes are left.
pub(crate) fn read_rows(reader: &mut Reader<'_>) -> Result<usize> {
    let rows = reader.varint()?;
    if rows > reader.rest().len() as u64 {
        return Err(Error::corrupt(format!("{rows} rows in {} bytes", reader.rest().len())));
    }
    Ok(rows as usize)
}

/// Appends the values that are not the usual one, with their rows.
pub(crate) fn put_sparse<T>(
    out: &mut Vec<u8>,
    values: &[T],
    is_unusual: impl Fn(&T) -> bool,
    put: impl Fn(&mut Vec<u8>, &T),
) {
    put_varint(out, values.iter().filter(|value| is_unusual(value)).count() as u64);
    let mut before = 0;
    for (row, value) in values.iter().enumerate().filter(|(_, value)| is_unusual(value)) {
        put_varint(out, (row - before) as u64);
        put(out, value);
        before = row;
    }
}

/// Reads a column that [`put_sparse`] wrote.
pub(crate) fn read_sparse<T: Clone>(
    reader: &mut Reader<'_>,
    rows: usize,
    usual: T,
    read: impl Fn(&mut Reader<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut values = vec![usual; rows];
    let mut row = 0usize;
    for _ in 0..read_rows(reader)? {
        row = row.saturating_add(reader.varint()? as usize);
        let value = read(reader)?;
        match values.get_mut(row) {
            Some(slot) => *slot = value,
            None => return Err(Error::corrupt(format!("row {row} of {rows} in a rollup"))),
        }
    }
    Ok(values)
}

/// Appends weights where they differ from counts; none if no row's does.
pub(crate) fn put_weights(out: &mut Vec<u8>, weights: &[f64], counts: &[u64]) {
    let pairs = weights.iter().copied().zip(counts.iter().copied()).collect::<Vec<_>>();
    let differs = |(weight, count): &(f64, u64)| *weight != *count as f64;
    put_sparse(out, &pairs, differs, |out, (weight, _)| {
        out.extend_from_slice(&weight.to_bits().to_le_bytes());
    });
}

/// Reads weights that [`put_weights`] wrote.
pub(crate) fn read_weights(reader: &mut Reader<'_>, counts: &[u64]) -> Result<Vec<f64>> {
    let read = |reader: &mut Reader<'_>| Ok(f64::from_bits(u64::from_le_bytes(reader.array()?)));
    let unusual = read_sparse(reader, counts.len(), f64::NAN, read)?;
    let pairs = unusual.into_iter().zip(counts);
    Ok(pairs.map(|(weight, count)| if weight.is_nan() { *count as f64 } else { weight }).collect())
}
