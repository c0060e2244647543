//! Native histograms as both versions write them.
//!
//! ```text
//! Histogram { 1: count, or 2: count as double, 3: sum, 4: schema, 5: zero threshold
//!             6: zero count, or 7: as double, 8: span*, 9: delta*, or 10: count* of negative buckets
//!             11: span*, 12: delta*, or 13: count* of positive buckets
//!             14: reset hint, 15: time in ms, 16: custom bound*, 17: start in ms }
//! span { 1: buckets left out before it, 2: buckets }
//! ```
//! Of a histogram with whole counts each delta is to the bucket before.

use throughline_model::Result;
use throughline_model::histogram::{Counts, NativeHistogram, ResetHint, SCHEMA_MAX};

use super::columns::Moment;
use crate::otlp::decode::wire::{Field, Fields};
use crate::records::Read;

/// The finest schema that there is a definition of; what is finer than is kept is made coarser.
const SCHEMA_SENT_MAX: i32 = 52;

/// Buckets of one sign, as they stand on the wire.
#[derive(Default)]
struct Buckets {
    spans: Vec<(i32, u32)>,
    deltas: Vec<u64>,
    counts: Vec<f64>,
}

#[derive(Default)]
struct Raw {
    histogram: NativeHistogram,
    count: Option<u64>,
    positive: Buckets,
    negative: Buckets,
}

/// Reads a histogram, and when it was.
pub fn read(message: &[u8]) -> Result<(Moment, Read<NativeHistogram>)> {
    let (mut raw, mut moment) = (Raw::default(), Moment::default());
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        let histogram = &mut raw.histogram;
        match field.number {
            1 => raw.count = Some(field.varint("Histogram.count_int")?),
            2 => {
                raw.count = None;
                histogram.count = field.double("Histogram.count_float")?;
            }
            3 => histogram.sum = field.double("Histogram.sum")?,
            4 => histogram.schema = field.sint32("Histogram.schema")?,
            5 => histogram.zero_threshold = field.double("Histogram.zero_threshold")?,
            6 => histogram.zero_count = field.varint("Histogram.zero_count_int")? as f64,
            7 => histogram.zero_count = field.double("Histogram.zero_count_float")?,
            8..=10 => raw.negative.read(field.number - 8, field)?,
            11..=13 => raw.positive.read(field.number - 11, field)?,
            14 => {
                let number = field.varint("Histogram.reset_hint")?;
                histogram.hint = ResetHint::from_u8(u8::try_from(number).unwrap_or(0));
            }
            15 => moment.time_ms = field.varint("Histogram.timestamp")? as i64,
            16 => {
                let bounds = &mut histogram.custom_values;
                let push = |bits| bounds.push(f64::from_bits(bits));
                field.extend_fixed64("Histogram.custom_values", push)?;
            }
            17 => moment.start_ms = field.varint("Histogram.start_timestamp")? as i64,
            _ => {}
        }
    }
    Ok((moment, raw.finish()))
}

impl Buckets {
    fn read(&mut self, part: u32, field: Field<'_>) -> Result<()> {
        match part {
            0 => {
                let (mut offset, mut length) = (0, 0);
                let mut inner = Fields::new(field.bytes("Histogram.spans")?);
                while let Some(field) = inner.next_field()? {
                    match field.number {
                        1 => offset = field.sint32("BucketSpan.offset")?,
                        2 => length = field.varint("BucketSpan.length")? as u32,
                        _ => {}
                    }
                }
                self.spans.push((offset, length));
                Ok(())
            }
            1 => field.extend_varint("Histogram.deltas", &mut self.deltas),
            _ => field.extend_fixed64("Histogram.counts", |bits| {
                self.counts.push(f64::from_bits(bits));
            }),
        }
    }

    /// Counts by index, and their sum.
    fn finish(self, is_whole: bool) -> Read<(Counts, f64)> {
        let counts = if is_whole { whole(&self.deltas)? } else { self.counts };
        let expected = self.spans.iter().map(|(_, length)| u64::from(*length)).sum::<u64>();
        if expected != counts.len() as u64 {
            return Err(format!("the spans are of {expected} buckets, {} stand", counts.len()));
        }
        let (mut indexed, mut sum) = (Vec::with_capacity(counts.len()), 0.0);
        let mut counts = counts.into_iter();
        let mut index = 0i64;
        for (i, (offset, length)) in self.spans.iter().enumerate() {
            if i > 0 && *offset < 0 {
                return Err(format!(
                    "span {i} begins {} buckets before the one before",
                    -i64::from(*offset)
                ));
            }
            index += i64::from(*offset);
            for count in counts.by_ref().take(*length as usize) {
                let index_32 = i32::try_from(index).map_err(|_| format!("bucket {index}"))?;
                sum += count;
                if count != 0.0 {
                    indexed.push((index_32, count));
                }
                index += 1;
            }
        }
        Ok((indexed, sum))
    }
}

/// Counts from the differences between them.
fn whole(deltas: &[u64]) -> Read<Vec<f64>> {
    let mut count = 0i64;
    let mut counts = Vec::with_capacity(deltas.len());
    for delta in deltas {
        let delta = (*delta >> 1) as i64 ^ -((*delta & 1) as i64);
        count = count.checked_add(delta).ok_or("a count that exceeds 64 bits")?;
        counts.push(count as f64);
    }
    Ok(counts)
}

impl Raw {
    fn finish(self) -> Read<NativeHistogram> {
        let Raw { mut histogram, count, positive, negative } = self;
        let (positive, positive_sum) = positive.finish(count.is_some())?;
        let (negative, negative_sum) = negative.finish(count.is_some())?;
        (histogram.positive, histogram.negative) = (positive, negative);
        if let Some(count) = count {
            histogram.count = count as f64;
            let observed = positive_sum + negative_sum + histogram.zero_count;
            // What is no number is counted, but in no bucket.
            let is_right = match histogram.sum.is_nan() {
                true => observed <= histogram.count,
                false => observed == histogram.count,
            };
            if !is_right && !histogram.is_stale() {
                return Err(format!("the buckets hold {observed}, the count is {count}"));
            }
        }
        if (SCHEMA_MAX + 1..=SCHEMA_SENT_MAX).contains(&histogram.schema) {
            histogram.reduce(SCHEMA_MAX);
        }
        histogram.check()?;
        Ok(histogram)
    }
}
