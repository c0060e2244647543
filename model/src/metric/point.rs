//! Points that are more than a number.

use super::MetricKind;
use crate::codec::{Reader, put_varint};
use crate::histogram::NativeHistogram;
use crate::{Error, Result};

/// A histogram, exponential-histogram or summary point.
///
/// ```text
/// u8 kind (MetricKind) | u8 present (1 sum, 2 min, 4 max) | varint count | sum, min, max f64 LE as present
/// histogram:   varint n, n × bound f64 LE, varint m, m × varint bucket count
/// exponential: zigzag scale | varint zero count | zero threshold f64 LE | buckets positive | buckets negative
///   buckets := zigzag offset | varint n, n × varint count
/// summary:     varint n, n × (quantile f64 LE, value f64 LE)
/// native:      a NativeHistogram (kind `Untyped`; count is the nearest whole number, sum absent)
/// ```
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // the fields are those of OTLP's data points
pub struct ComplexPoint {
    pub count: u64,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub shape: Shape,
}

/// What tells the complex kinds apart.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Shape {
    Histogram {
        bounds: Vec<f64>,
        counts: Vec<u64>,
    },
    Exponential {
        scale: i32,
        zero_count: u64,
        zero_threshold: f64,
        positive: Buckets,
        negative: Buckets,
    },
    Summary {
        quantiles: Vec<(f64, f64)>,
    },
    Native(Box<NativeHistogram>),
}

/// Buckets of an exponential histogram.
#[derive(Clone, Debug, PartialEq, Default)]
#[allow(missing_docs)]
pub struct Buckets {
    pub offset: i32,
    pub counts: Vec<u64>,
}

impl From<NativeHistogram> for ComplexPoint {
    fn from(histogram: NativeHistogram) -> Self {
        let count = histogram.count.round() as u64;
        let shape = Shape::Native(Box::new(histogram));
        Self { count, sum: None, min: None, max: None, shape }
    }
}

impl ComplexPoint {
    /// The point in a shape of OTLP: a native histogram becomes an exponential one, or one with
    /// bounds; counts that are no whole numbers are rounded.
    pub fn to_otlp(self) -> Self {
        let Shape::Native(histogram) = self.shape else { return self };
        let (count, sum) = (self.count, Some(histogram.sum));
        let whole = |count: f64| count.max(0.0).round() as u64;
        let dense = |counts: &[(i32, f64)]| {
            let first = counts.first().map_or(0, |(index, _)| *index);
            let last = counts.last().map_or(first, |(index, _)| *index);
            let len = (i64::from(last) - i64::from(first) + 1).clamp(0, DENSE_LEN_MAX) as usize;
            let mut dense = vec![0; if counts.is_empty() { 0 } else { len }];
            for (index, count) in counts {
                if let Some(slot) = dense.get_mut((index - first) as usize) {
                    *slot = whole(*count);
                }
            }
            (first, dense)
        };
        let shape = if histogram.has_custom_buckets() {
            let mut counts = vec![0; histogram.custom_values.len() + 1];
            for (index, count) in &histogram.positive {
                if let Some(slot) = counts.get_mut(*index as usize) {
                    *slot = whole(*count);
                }
            }
            Shape::Histogram { bounds: histogram.custom_values, counts }
        } else {
            // OTLP counts buckets by their lower bound.
            let buckets = |counts: &[(i32, f64)]| {
                let (first, counts) = dense(counts);
                Buckets { offset: if counts.is_empty() { 0 } else { first - 1 }, counts }
            };
            Shape::Exponential {
                scale: histogram.schema,
                zero_count: whole(histogram.zero_count),
                zero_threshold: histogram.zero_threshold,
                positive: buckets(&histogram.positive),
                negative: buckets(&histogram.negative),
            }
        };
        Self { count, sum, min: None, max: None, shape }
    }

    /// Appends the encoded point.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self.shape {
            Shape::Histogram { .. } => MetricKind::Histogram,
            Shape::Exponential { .. } => MetricKind::ExponentialHistogram,
            Shape::Summary { .. } => MetricKind::Summary,
            Shape::Native(_) => MetricKind::Untyped,
        };
        let optional = [self.sum, self.min, self.max];
        let present = (0..3).filter(|i| optional[*i].is_some()).fold(0u8, |bits, i| bits | 1 << i);
        out.extend_from_slice(&[kind as u8, present]);
        put_varint(out, self.count);
        optional.iter().flatten().for_each(|number| put_f64(out, *number));
        match &self.shape {
            Shape::Histogram { bounds, counts } => {
                put_varint(out, bounds.len() as u64);
                bounds.iter().for_each(|bound| put_f64(out, *bound));
                put_counts(out, counts);
            }
            Shape::Exponential { scale, zero_count, zero_threshold, positive, negative } => {
                put_varint(out, zigzag(*scale));
                put_varint(out, *zero_count);
                put_f64(out, *zero_threshold);
                for buckets in [positive, negative] {
                    put_varint(out, zigzag(buckets.offset));
                    put_counts(out, &buckets.counts);
                }
            }
            Shape::Summary { quantiles } => {
                put_varint(out, quantiles.len() as u64);
                for (quantile, value) in quantiles {
                    put_f64(out, *quantile);
                    put_f64(out, *value);
                }
            }
            Shape::Native(histogram) => histogram.encode(out),
        }
    }

    /// Reads an encoded point.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let [kind, present] = reader.array()?;
        let count = reader.varint()?;
        let mut optional = [None; 3];
        for (i, slot) in optional.iter_mut().enumerate() {
            if present & (1 << i) != 0 {
                *slot = Some(read_f64(&mut reader)?);
            }
        }
        let shape = match MetricKind::from_i32(i32::from(kind)) {
            Some(MetricKind::Histogram) => Shape::Histogram {
                bounds: read_many(&mut reader, read_f64)?,
                counts: read_many(&mut reader, |r| r.varint())?,
            },
            Some(MetricKind::ExponentialHistogram) => Shape::Exponential {
                scale: unzigzag(reader.varint()?),
                zero_count: reader.varint()?,
                zero_threshold: read_f64(&mut reader)?,
                positive: read_buckets(&mut reader)?,
                negative: read_buckets(&mut reader)?,
            },
            Some(MetricKind::Summary) => Shape::Summary {
                quantiles: read_many(&mut reader, |r| Ok((read_f64(r)?, read_f64(r)?)))?,
            },
            Some(MetricKind::Untyped) => {
                Shape::Native(Box::new(NativeHistogram::decode(&mut reader)?))
            }
            _ => return Err(Error::corrupt(format!("complex point of kind {kind}"))),
        };
        let [sum, min, max] = optional;
        Ok(Self { count, sum, min, max, shape })
    }
}

/// Buckets of an exponential histogram of OTLP, at most.
const DENSE_LEN_MAX: i64 = 100_000;

fn put_f64(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(&number.to_bits().to_le_bytes());
}

fn put_counts(out: &mut Vec<u8>, counts: &[u64]) {
    put_varint(out, counts.len() as u64);
    counts.iter().for_each(|count| put_varint(out, *count));
}

fn read_f64(reader: &mut Reader<'_>) -> Result<f64> {
    Ok(f64::from_bits(u64::from_le_bytes(reader.array()?)))
}

fn read_many<T>(
    reader: &mut Reader<'_>,
    mut one: impl FnMut(&mut Reader<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let n = reader.varint()?;
    if n > reader.rest().len() as u64 {
        return Err(Error::corrupt(format!("{n} items in {} bytes", reader.rest().len())));
    }
    (0..n).map(|_| one(reader)).collect()
}

fn read_buckets(reader: &mut Reader<'_>) -> Result<Buckets> {
    Ok(Buckets { offset: unzigzag(reader.varint()?), counts: read_many(reader, |r| r.varint())? })
}

fn zigzag(number: i32) -> u64 {
    u64::from(((number << 1) ^ (number >> 31)) as u32)
}

fn unzigzag(number: u64) -> i32 {
    let number = number as u32;
    (number >> 1) as i32 ^ -((number & 1) as i32)
}
