//! Native histograms: counts in buckets whose bounds follow from a schema, or are listed.
//!
//! Place in the flow: senders of Prometheus hand them over as they are, exponential histograms of
//! OTLP become them on read, and `query::promql` calculates with them. Specification: "Native
//! Histograms" of Prometheus; schemas -4 to 8 have 2^schema buckets per power of two, schema -53 has
//! the bounds of [`NativeHistogram::custom_values`].
//!
//! Only buckets with a count are kept, each with its index, so that two histograms of the same
//! observations are equal however their senders grouped empty buckets.

mod arithmetic;
mod bounds;
mod kahan;
mod reset;
mod text;
mod trim;

pub use arithmetic::{Incompatible, Noted};
pub use bounds::{Bucket, bound};
pub use kahan::{KahanHistogram, kahan_add};

use crate::codec::{Reader, put_varint};
use crate::{Error, Result};

/// The schema of histograms with listed bounds.
pub const CUSTOM_SCHEMA: i32 = -53;
/// The coarsest exponential schema.
pub const SCHEMA_MIN: i32 = -4;
/// The finest exponential schema.
pub const SCHEMA_MAX: i32 = 8;
/// The bits of the value that says that a series ended.
pub const STALE_NAN: u64 = 0x7ff0_0000_0000_0002;

/// Whether a value is the marker of a series that ended.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN
}

/// What is known about a reset of the counter before this histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum ResetHint {
    /// Nothing.
    #[default]
    Unknown = 0,
    /// There was one.
    Reset = 1,
    /// There was none.
    NotReset = 2,
    /// This is no counter.
    Gauge = 3,
}

impl ResetHint {
    /// The hint of a stored number; what is not known says nothing.
    pub fn from_u8(number: u8) -> Self {
        match number {
            1 => ResetHint::Reset,
            2 => ResetHint::NotReset,
            3 => ResetHint::Gauge,
            _ => ResetHint::Unknown,
        }
    }
}

/// Counts by index of bucket, ascending, none zero.
pub type Counts = Vec<(i32, f64)>;

/// A native histogram.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeHistogram {
    /// What is known about a reset.
    pub hint: ResetHint,
    /// The schema of the bounds.
    pub schema: i32,
    /// Half the width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Their sum; [`STALE_NAN`] where the series ended.
    pub sum: f64,
    /// Buckets of positive values; for custom buckets those of all values.
    pub positive: Counts,
    /// Buckets of negative values, by the index of their absolute values.
    pub negative: Counts,
    /// Upper bounds of custom buckets but the last, ascending.
    pub custom_values: Vec<f64>,
}

impl NativeHistogram {
    /// Whether the bounds are listed.
    pub fn has_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_SCHEMA
    }

    /// Whether this marks the end of the series.
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    /// Whether both hold the same, to the bit; what is known about a reset does not matter.
    pub fn is_same(&self, other: &Self) -> bool {
        let fixed = |h: &Self| [h.count, h.sum, h.zero_count].map(f64::to_bits);
        let bits = |counts: &Counts| -> Vec<(i32, u64)> {
            counts.iter().map(|(index, count)| (*index, count.to_bits())).collect()
        };
        self.schema == other.schema
            && fixed(self) == fixed(other)
            && self.zero_threshold == other.zero_threshold
            && self.custom_values == other.custom_values
            && bits(&self.positive) == bits(&other.positive)
            && bits(&self.negative) == bits(&other.negative)
    }

    /// Whether a sum has left the range of numbers.
    pub fn has_overflow(&self) -> bool {
        let fixed = [self.zero_count, self.count, self.sum];
        let counts = self.positive.iter().chain(&self.negative).map(|(_, count)| *count);
        fixed.into_iter().chain(counts).any(f64::is_infinite)
    }

    /// What makes it no histogram, if anything does.
    pub fn check(&self) -> std::result::Result<(), String> {
        let is_exponential = (SCHEMA_MIN..=SCHEMA_MAX).contains(&self.schema);
        if !is_exponential && !self.has_custom_buckets() {
            return Err(format!(
                "schema {} is neither between {SCHEMA_MIN} and {SCHEMA_MAX} nor {CUSTOM_SCHEMA}",
                self.schema
            ));
        }
        if self.has_custom_buckets() {
            self.check_custom()?;
        } else if !self.custom_values.is_empty() {
            return Err("custom bounds in a histogram of an exponential schema".to_owned());
        }
        let counts = self.positive.iter().chain(&self.negative).map(|(_, count)| *count);
        match counts.chain([self.zero_count, self.count]).find(|count| *count < 0.0) {
            Some(count) => Err(format!("a count of {count} is negative")),
            None => Ok(()),
        }
    }

    fn check_custom(&self) -> std::result::Result<(), String> {
        if self.zero_count != 0.0 || self.zero_threshold != 0.0 || !self.negative.is_empty() {
            return Err("a zero bucket or negative buckets beside custom buckets".to_owned());
        }
        let bounds = &self.custom_values;
        if let Some(bound) = bounds.iter().find(|bound| bound.is_nan() || **bound == f64::INFINITY)
        {
            return Err(format!("a custom bound of {bound}"));
        }
        if let Some(pair) = bounds.windows(2).find(|pair| pair[1] <= pair[0]) {
            return Err(format!("custom bound {} follows {}", pair[1], pair[0]));
        }
        let is_outside = |(index, _): &&(i32, f64)| *index < 0 || *index as usize > bounds.len();
        match self.positive.iter().find(is_outside) {
            Some((index, _)) => {
                Err(format!("bucket {index} beside {} custom bounds", bounds.len()))
            }
            None => Ok(()),
        }
    }

    /// Appends the encoded histogram.
    ///
    /// ```text
    /// u8 hint | zigzag schema | zero threshold, zero count, count, sum f64 LE
    /// | counts positive | counts negative | varint n, n × custom bound f64 LE
    /// counts := varint n | u8 form, if n > 0 | n × (zigzag index - index before, count)
    ///           form 0: counts are varints; 1: f64 LE
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.hint as u8);
        put_varint(out, zigzag(self.schema));
        for number in [self.zero_threshold, self.zero_count, self.count, self.sum] {
            out.extend_from_slice(&number.to_bits().to_le_bytes());
        }
        for counts in [&self.positive, &self.negative] {
            encode_counts(counts, out);
        }
        put_varint(out, self.custom_values.len() as u64);
        for bound in &self.custom_values {
            out.extend_from_slice(&bound.to_bits().to_le_bytes());
        }
    }

    /// Reads an encoded histogram.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let [hint] = reader.array()?;
        let schema = unzigzag(reader.varint()?);
        let mut fixed = [0.0; 4];
        for number in &mut fixed {
            *number = read_f64(reader)?;
        }
        let [zero_threshold, zero_count, count, sum] = fixed;
        let positive = decode_counts(reader)?;
        let negative = decode_counts(reader)?;
        let bounds = checked(reader)?;
        let custom_values = (0..bounds).map(|_| read_f64(reader)).collect::<Result<_>>()?;
        let hint = ResetHint::from_u8(hint);
        Ok(Self {
            hint,
            schema,
            zero_threshold,
            zero_count,
            count,
            sum,
            positive,
            negative,
            custom_values,
        })
    }
}

fn encode_counts(counts: &Counts, out: &mut Vec<u8>) {
    put_varint(out, counts.len() as u64);
    if counts.is_empty() {
        return;
    }
    // Up to 2^53 a double holds every whole number.
    let is_whole = |count: f64| (0.0..9e15).contains(&count) && count.fract() == 0.0;
    let are_whole = counts.iter().all(|(_, count)| is_whole(*count));
    out.push(u8::from(!are_whole));
    let mut before = 0i32;
    for (index, count) in counts {
        put_varint(out, zigzag(index.wrapping_sub(before)));
        before = *index;
        match are_whole {
            true => put_varint(out, *count as u64),
            false => out.extend_from_slice(&count.to_bits().to_le_bytes()),
        }
    }
}

fn decode_counts(reader: &mut Reader<'_>) -> Result<Counts> {
    let len = checked(reader)?;
    if len == 0 {
        return Ok(Vec::new());
    }
    let [form] = reader.array()?;
    let mut before = 0i32;
    (0..len)
        .map(|_| {
            before = before.wrapping_add(unzigzag(reader.varint()?));
            let count = if form == 0 { reader.varint()? as f64 } else { read_f64(reader)? };
            Ok((before, count))
        })
        .collect()
}

/// A number of items that follow, each of at least one byte.
fn checked(reader: &mut Reader<'_>) -> Result<u64> {
    let len = reader.varint()?;
    if len > reader.rest().len() as u64 {
        return Err(Error::corrupt(format!("{len} items in {} bytes", reader.rest().len())));
    }
    Ok(len)
}

fn read_f64(reader: &mut Reader<'_>) -> Result<f64> {
    Ok(f64::from_bits(u64::from_le_bytes(reader.array()?)))
}

fn zigzag(number: i32) -> u64 {
    u64::from(((number << 1) ^ (number >> 31)) as u32)
}

fn unzigzag(number: u64) -> i32 {
    let number = number as u32;
    (number >> 1) as i32 ^ -((number & 1) as i32)
}

#[cfg(test)]
mod tests;
