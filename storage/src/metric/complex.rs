//! Chunks of complex points: histograms, exponential histograms, summaries.
//!
//! Points of a series usually have one shape (the same bounds, the same quantiles). Then each part is
//! a column of its own over the chunk, so that a bucket's counts are coded as differences in time.
//!
//! ```text
//! chunk   := u8 form (bit 0: columns, bit 2: flags listed) | flags (ints), if listed | body
//! body    := columns:  u8 kind | u8 present | counts ints | sum, min, max floats as present | shape
//!          | else:     (varint len, encoded point)*                  see `model::metric::ComplexPoint`;
//!                      native histograms always
//! shape   := histogram:   varint n, n × bound f64 LE | varint m, m × ints
//!          | exponential: scale ints | zero count ints | zero threshold floats | positive | negative
//!          | summary:     varint n, n × quantile f64 LE | n × floats
//! buckets := offset ints | len ints | counts: all points' one after the other, ints
//!            (where all lengths are equal: the first bucket of all points, then the second …)
//! ```

use throughline_model::codec::{Reader, put_bytes, put_varint};
use throughline_model::metric::{Buckets, ComplexPoint, MetricKind, Shape};
use throughline_model::{Error, Result};

use super::chunk::{checked_len, decode_flags, finished};
use super::codec::{SEQUENCE_LEN_MAX, floats, ints};
use super::points::ComplexPoints;

const COLUMNS: u8 = 1;
const FLAGS_LISTED: u8 = 4;

/// Appends flags and values of the points `from..to`.
pub fn encode(points: &ComplexPoints, from: usize, to: usize, out: &mut Vec<u8>) {
    let (flags, list) = (&points.flags[from..to], &points.points[from..to]);
    let is_flagged = flags.iter().any(|flags| *flags != 0);
    let is_uniform = is_uniform(list);
    out.push(u8::from(is_uniform) * COLUMNS + u8::from(is_flagged) * FLAGS_LISTED);
    if is_flagged {
        put_ints(flags.iter().map(|flags| i64::from(*flags)), out);
    }
    if is_uniform {
        encode_columns(list, out);
        return;
    }
    let mut encoded = Vec::new();
    for point in list {
        encoded.clear();
        point.encode(&mut encoded);
        put_bytes(out, &encoded);
    }
}

fn is_uniform(list: &[ComplexPoint]) -> bool {
    let same_bits = |a: &mut dyn Iterator<Item = f64>, b: &mut dyn Iterator<Item = f64>| {
        a.map(f64::to_bits).eq(b.map(f64::to_bits))
    };
    let Some(first) = list.first() else { return false };
    let mut buckets = 0;
    let is_same = list.iter().all(|point| {
        present(point) == present(first)
            && match (&point.shape, &first.shape) {
                (
                    Shape::Histogram { bounds, counts },
                    Shape::Histogram { bounds: first_bounds, counts: first_counts },
                ) => {
                    counts.len() == first_counts.len()
                        && same_bits(&mut bounds.iter().copied(), &mut first_bounds.iter().copied())
                }
                (Shape::Exponential { positive, negative, .. }, Shape::Exponential { .. }) => {
                    buckets += positive.counts.len().max(negative.counts.len());
                    true
                }
                (Shape::Summary { quantiles }, Shape::Summary { quantiles: first_quantiles }) => {
                    same_bits(
                        &mut quantiles.iter().map(|pair| pair.0),
                        &mut first_quantiles.iter().map(|pair| pair.0),
                    )
                }
                _ => false,
            }
    });
    is_same && buckets <= SEQUENCE_LEN_MAX
}

fn present(point: &ComplexPoint) -> u8 {
    let optional = [point.sum, point.min, point.max];
    (0..3).filter(|i| optional[*i].is_some()).fold(0, |bits, i| bits | 1 << i)
}

fn encode_columns(list: &[ComplexPoint], out: &mut Vec<u8>) {
    let kind = match list[0].shape {
        Shape::Histogram { .. } => MetricKind::Histogram,
        Shape::Exponential { .. } => MetricKind::ExponentialHistogram,
        Shape::Summary { .. } => MetricKind::Summary,
        Shape::Native(_) => return, // `is_uniform` lets none through
    };
    out.extend_from_slice(&[kind as u8, present(&list[0])]);
    put_ints(list.iter().map(|point| point.count as i64), out);
    for optional in [|p: &ComplexPoint| p.sum, |p: &ComplexPoint| p.min, |p: &ComplexPoint| p.max] {
        if optional(&list[0]).is_some() {
            put_floats(list.iter().filter_map(optional), out);
        }
    }
    match &list[0].shape {
        Shape::Histogram { bounds, counts } => {
            put_varint(out, bounds.len() as u64);
            bounds.iter().for_each(|bound| out.extend_from_slice(&bound.to_bits().to_le_bytes()));
            put_varint(out, counts.len() as u64);
            for bucket in 0..counts.len() {
                let column = list.iter().map(|point| match &point.shape {
                    Shape::Histogram { counts, .. } => counts[bucket] as i64,
                    _ => 0, // `is_uniform` let none through
                });
                put_ints(column, out);
            }
        }
        Shape::Exponential { .. } => encode_exponential(list, out),
        Shape::Native(_) => {}
        Shape::Summary { quantiles } => {
            put_varint(out, quantiles.len() as u64);
            for (quantile, _) in quantiles {
                out.extend_from_slice(&quantile.to_bits().to_le_bytes());
            }
            for i in 0..quantiles.len() {
                let column = list.iter().filter_map(|point| match &point.shape {
                    Shape::Summary { quantiles } => Some(quantiles[i].1),
                    _ => None,
                });
                put_floats(column, out);
            }
        }
    }
}

fn encode_exponential(list: &[ComplexPoint], out: &mut Vec<u8>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    let mut sides = [Vec::new(), Vec::new()];
    for point in list {
        if let Shape::Exponential { scale, zero_count, zero_threshold, positive, negative } =
            &point.shape
        {
            columns.0.push(i64::from(*scale));
            columns.1.push(*zero_count as i64);
            columns.2.push(zero_threshold.to_bits());
            sides[0].push(positive);
            sides[1].push(negative);
        }
    }
    ints::encode(&columns.0, out);
    ints::encode(&columns.1, out);
    floats::encode(&columns.2, out);
    for buckets in sides {
        put_ints(buckets.iter().map(|side| i64::from(side.offset)), out);
        put_ints(buckets.iter().map(|side| side.counts.len() as i64), out);
        let len = buckets[0].counts.len();
        let mut counts = Vec::new();
        if buckets.iter().all(|side| side.counts.len() == len) {
            (0..len).for_each(|i| counts.extend(buckets.iter().map(|side| side.counts[i] as i64)));
        } else {
            buckets.iter().for_each(|side| counts.extend(side.counts.iter().map(|n| *n as i64)));
        }
        ints::encode(&counts, out);
    }
}

fn put_ints(numbers: impl Iterator<Item = i64>, out: &mut Vec<u8>) {
    ints::encode(&numbers.collect::<Vec<_>>(), out);
}

fn put_floats(numbers: impl Iterator<Item = f64>, out: &mut Vec<u8>) {
    floats::encode(&numbers.map(f64::to_bits).collect::<Vec<_>>(), out);
}

/// Appends the points of a chunk, whose times and start times were stored apart. Appends nothing if
/// it fails.
pub fn decode(
    bytes: &[u8],
    times: &[i64],
    start_times: &[i64],
    points: &mut ComplexPoints,
) -> Result<()> {
    let before = points.len();
    let outcome = decode_values(bytes, checked_len(times, start_times)?, points);
    if outcome.is_err() {
        points.flags.truncate(before);
        points.points.truncate(before);
        return outcome;
    }
    points.times.extend_from_slice(times);
    points.start_times.extend_from_slice(start_times);
    Ok(())
}

fn decode_values(bytes: &[u8], len: usize, points: &mut ComplexPoints) -> Result<()> {
    let mut reader = Reader::new(bytes);
    let [form] = reader.array()?;
    decode_flags(&mut reader, form & FLAGS_LISTED != 0, len, &mut points.flags)?;
    if form & COLUMNS != 0 {
        decode_columns(&mut reader, len, &mut points.points)?;
    } else {
        for _ in 0..len {
            points.points.push(ComplexPoint::decode(reader.bytes()?)?);
        }
    }
    finished(&reader)
}

fn decode_columns(
    reader: &mut Reader<'_>,
    len: usize,
    points: &mut Vec<ComplexPoint>,
) -> Result<()> {
    let [kind, present] = reader.array()?;
    let counts = read_ints(reader, len)?;
    let mut optional = [None, None, None];
    for (i, column) in optional.iter_mut().enumerate() {
        if present & (1 << i) != 0 {
            *column = Some(read_floats(reader, len)?);
        }
    }
    let shapes = match MetricKind::from_i32(i32::from(kind)) {
        Some(MetricKind::Histogram) => decode_histograms(reader, len)?,
        Some(MetricKind::ExponentialHistogram) => decode_exponential(reader, len)?,
        Some(MetricKind::Summary) => decode_summaries(reader, len)?,
        _ => return Err(Error::corrupt(format!("complex chunk of kind {kind}"))),
    };
    let [sum, min, max] = optional;
    let at = |column: &Option<Vec<f64>>, i: usize| column.as_ref().map(|column| column[i]);
    for (i, shape) in shapes.into_iter().enumerate() {
        let (sum, min, max) = (at(&sum, i), at(&min, i), at(&max, i));
        points.push(ComplexPoint { count: counts[i] as u64, sum, min, max, shape });
    }
    Ok(())
}

fn decode_histograms(reader: &mut Reader<'_>, len: usize) -> Result<Vec<Shape>> {
    let bounds = read_bounds(reader)?;
    let columns = checked_columns(reader)?;
    let mut counts = vec![Vec::with_capacity(columns); len];
    for _ in 0..columns {
        let column = read_ints(reader, len)?;
        counts.iter_mut().zip(column).for_each(|(counts, count)| counts.push(count as u64));
    }
    let shape = |counts| Shape::Histogram { bounds: bounds.clone(), counts };
    Ok(counts.into_iter().map(shape).collect())
}

fn decode_summaries(reader: &mut Reader<'_>, len: usize) -> Result<Vec<Shape>> {
    let quantiles = read_bounds(reader)?;
    let mut pairs = vec![Vec::with_capacity(quantiles.len()); len];
    for quantile in quantiles {
        let column = read_floats(reader, len)?;
        pairs.iter_mut().zip(column).for_each(|(pairs, value)| pairs.push((quantile, value)));
    }
    Ok(pairs.into_iter().map(|quantiles| Shape::Summary { quantiles }).collect())
}

fn decode_exponential(reader: &mut Reader<'_>, len: usize) -> Result<Vec<Shape>> {
    let scales = read_ints(reader, len)?;
    let zero_counts = read_ints(reader, len)?;
    let zero_thresholds = read_floats(reader, len)?;
    let positive = decode_buckets(reader, len)?;
    let negative = decode_buckets(reader, len)?;
    let shapes = positive.into_iter().zip(negative).enumerate();
    Ok(shapes
        .map(|(i, (positive, negative))| Shape::Exponential {
            scale: scales[i] as i32,
            zero_count: zero_counts[i] as u64,
            zero_threshold: zero_thresholds[i],
            positive,
            negative,
        })
        .collect())
}

fn decode_buckets(reader: &mut Reader<'_>, len: usize) -> Result<Vec<Buckets>> {
    let offsets = read_ints(reader, len)?;
    let lens = read_ints(reader, len)?;
    let total = lens.iter().try_fold(0usize, |total, len| {
        let len = usize::try_from(*len).ok()?;
        total.checked_add(len).filter(|total| *total <= SEQUENCE_LEN_MAX)
    });
    let total = total.ok_or_else(|| Error::corrupt("the buckets of a chunk are too many"))?;
    let counts = read_ints(reader, total)?;
    let is_uniform = lens.iter().all(|len| *len == lens[0]);
    let mut start = 0;
    let buckets = |i: usize| {
        let own = lens[i] as usize;
        let list: Vec<u64> = if is_uniform {
            (0..own).map(|bucket| counts[bucket * len + i] as u64).collect()
        } else {
            counts[start..start + own].iter().map(|count| *count as u64).collect()
        };
        start += own;
        Buckets { offset: offsets[i] as i32, counts: list }
    };
    Ok((0..len).map(buckets).collect())
}

/// A number of columns that follow, each of at least one byte.
fn checked_columns(reader: &mut Reader<'_>) -> Result<usize> {
    let columns = reader.varint()?;
    if columns > reader.rest().len() as u64 {
        return Err(Error::corrupt(format!("{columns} columns in {} bytes", reader.rest().len())));
    }
    Ok(columns as usize)
}

fn read_bounds(reader: &mut Reader<'_>) -> Result<Vec<f64>> {
    let columns = checked_columns(reader)?;
    (0..columns).map(|_| Ok(f64::from_bits(u64::from_le_bytes(reader.array()?)))).collect()
}

fn read_ints(reader: &mut Reader<'_>, len: usize) -> Result<Vec<i64>> {
    let mut numbers = Vec::new();
    ints::decode(reader, len, &mut numbers)?;
    Ok(numbers)
}

fn read_floats(reader: &mut Reader<'_>, len: usize) -> Result<Vec<f64>> {
    let mut bits = Vec::new();
    floats::decode(reader, len, &mut bits)?;
    Ok(bits.into_iter().map(f64::from_bits).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_buckets() -> impl Strategy<Value = Buckets> {
        (any::<i32>(), proptest::collection::vec(any::<u64>(), 0..6))
            .prop_map(|(offset, counts)| Buckets { offset, counts })
    }

    fn any_shape() -> impl Strategy<Value = Shape> {
        prop_oneof![
            proptest::collection::vec(any::<u64>(), 3)
                .prop_map(|counts| Shape::Histogram { bounds: vec![0.5, 1.0], counts }),
            (
                proptest::collection::vec(any::<f64>(), 0..4),
                proptest::collection::vec(any::<u64>(), 0..4)
            )
                .prop_map(|(bounds, counts)| Shape::Histogram { bounds, counts }),
            (any::<i32>(), any::<u64>(), any::<f64>(), any_buckets(), any_buckets()).prop_map(
                |(scale, zero_count, zero_threshold, positive, negative)| Shape::Exponential {
                    scale,
                    zero_count,
                    zero_threshold,
                    positive,
                    negative
                }
            ),
            proptest::collection::vec((any::<f64>(), any::<f64>()), 0..4)
                .prop_map(|quantiles| Shape::Summary { quantiles }),
        ]
    }

    fn any_point(shape: impl Strategy<Value = Shape>) -> impl Strategy<Value = ComplexPoint> {
        let optional = || proptest::option::of(any::<f64>());
        (any::<u64>(), optional(), optional(), optional(), shape)
            .prop_map(|(count, sum, min, max, shape)| ComplexPoint { count, sum, min, max, shape })
    }

    fn round_trip(list: Vec<ComplexPoint>) -> usize {
        let mut points = ComplexPoints::default();
        for (i, point) in list.into_iter().enumerate() {
            points.push(i as i64, 0, (i % 2) as u32, point);
        }
        let mut bytes = Vec::new();
        encode(&points, 0, points.len(), &mut bytes);
        let mut back = ComplexPoints::default();
        decode(&bytes, &points.times, &points.start_times, &mut back).expect("decodes");
        // Through bytes, since a NaN is not equal to itself.
        let encoded = |points: &ComplexPoints| {
            let mut bytes = Vec::new();
            points.points.iter().for_each(|point| point.encode(&mut bytes));
            bytes
        };
        assert_eq!(encoded(&back), encoded(&points));
        assert_eq!((back.times, back.flags), (points.times, points.flags));
        bytes.len()
    }

    #[test]
    fn buckets_cost_what_their_changes_cost() {
        let point = |i: u64| ComplexPoint {
            count: i * 30,
            sum: Some(i as f64 / 8.0),
            min: None,
            max: None,
            shape: Shape::Histogram {
                bounds: (0..17).map(f64::from).collect(),
                counts: (0..18).map(|bucket| i * bucket / 3).collect(),
            },
        };
        assert!(round_trip((0..240).map(point).collect()) < 240 * 10);
    }

    proptest! {
        #[test]
        fn any_points_round_trip(list in proptest::collection::vec(any_point(any_shape()), 1..12)) {
            round_trip(list);
        }

        #[test]
        fn points_of_one_shape_round_trip(
            list in any_shape().prop_flat_map(|shape| proptest::collection::vec(any_point(Just(shape)), 1..12))
        ) {
            round_trip(list);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..100), len in 0usize..300) {
            let times = vec![0; len];
            let _ = decode(&bytes, &times, &times, &mut ComplexPoints::default());
        }
    }
}
