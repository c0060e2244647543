//! A chunk: some points of one series, at most one window of [`CHUNK_WINDOW_NS`] and
//! [`CHUNK_POINTS_MAX`] points, as bytes. Times and start times stand outside, because many series
//! of one sender share them (see [`super::sequences`]).
//!
//! ```text
//! numbers := u8 form | kinds (ints), if listed | flags (ints), if listed | values
//!   form   := bit 0: values are integers (ints), else doubles (floats)
//!             bit 1: kinds are listed, else all points are of the form's kind
//!             bit 2: flags are listed, else all are zero
//! ```
//! A point without a value repeats its predecessor among the values. Where doubles and integers are
//! mixed, the bits of both go through the doubles' codec, which keeps any bits. Complex points are
//! in [`super::complex`].

use throughline_model::codec::Reader;
use throughline_model::metric::ValueKind;
use throughline_model::time::HOUR_NS;
use throughline_model::{Error, Result};

use super::codec::{floats, ints};
use super::points::NumberPoints;

/// A chunk holds points of one window of this width, aligned to the epoch.
pub const CHUNK_WINDOW_NS: i64 = 2 * HOUR_NS;
/// A chunk holds at most so many points.
pub const CHUNK_POINTS_MAX: usize = 8192;

const INTEGERS: u8 = 1;
const KINDS_LISTED: u8 = 2;
const FLAGS_LISTED: u8 = 4;

/// What can be asked of a chunk without decoding it. There is none for a chunk that holds a NaN or a
/// point without a value: such a chunk must be decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Aggregates {
    pub first: f64,
    pub last: f64,
    pub min: f64,
    pub max: f64,
    pub sum: f64,
    /// The growth from the first point to the last, where a value below its predecessor counts as
    /// growth from zero; only for cumulative monotonic sums.
    pub increase: Option<f64>,
}

/// Where to cut points, which are in order of time, into chunks: ends of the chunks.
pub fn cuts(times: &[i64]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut start = 0;
    while start < times.len() {
        let window = times[start].div_euclid(CHUNK_WINDOW_NS);
        let most = (times.len() - start).min(CHUNK_POINTS_MAX);
        let same = times[start..start + most]
            .partition_point(|time| time.div_euclid(CHUNK_WINDOW_NS) == window);
        start += same;
        ends.push(start);
    }
    ends
}

/// Buffers that encoding uses again and again.
#[derive(Debug, Default)]
pub struct Scratch {
    integers: Vec<i64>,
    bits: Vec<u64>,
}

/// Appends kinds, flags and values of the points `from..to`.
pub fn encode_numbers(
    points: &NumberPoints,
    from: usize,
    to: usize,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) {
    let (kinds, flags) = (&points.kinds[from..to], &points.flags[from..to]);
    let has = |kind: ValueKind| kinds.contains(&(kind as u8));
    let is_integers = has(ValueKind::Int) && !has(ValueKind::Double);
    let kind = if is_integers { ValueKind::Int } else { ValueKind::Double };
    let is_uniform = kinds.iter().all(|other| *other == kind as u8);
    let is_flagged = flags.iter().any(|flags| *flags != 0);
    out.push(
        u8::from(is_integers) * INTEGERS
            + u8::from(!is_uniform) * KINDS_LISTED
            + u8::from(is_flagged) * FLAGS_LISTED,
    );
    if !is_uniform {
        encode_as_integers(kinds.iter().map(|kind| i64::from(*kind)), scratch, out);
    }
    if is_flagged {
        encode_as_integers(flags.iter().map(|flags| i64::from(*flags)), scratch, out);
    }
    let mut last = 0;
    scratch.bits.clear();
    scratch.bits.extend(points.bits[from..to].iter().zip(kinds).map(|(bits, kind)| {
        if *kind != ValueKind::None as u8 {
            last = *bits;
        }
        last
    }));
    if is_integers {
        scratch.integers.clear();
        scratch.integers.extend(scratch.bits.iter().map(|bits| *bits as i64));
        ints::encode(&scratch.integers, out);
    } else {
        floats::encode(&scratch.bits, out);
    }
}

fn encode_as_integers(
    numbers: impl Iterator<Item = i64>,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) {
    scratch.integers.clear();
    scratch.integers.extend(numbers);
    ints::encode(&scratch.integers, out);
}

/// Appends the points of a chunk, whose times and start times were stored apart. Appends nothing if
/// it fails.
pub fn decode_numbers(
    bytes: &[u8],
    times: &[i64],
    start_times: &[i64],
    points: &mut NumberPoints,
) -> Result<()> {
    let before = points.len();
    let outcome = decode_values(bytes, checked_len(times, start_times)?, points);
    if outcome.is_err() {
        points.kinds.truncate(before);
        points.flags.truncate(before);
        points.bits.truncate(before);
        return outcome;
    }
    points.times.extend_from_slice(times);
    points.start_times.extend_from_slice(start_times);
    Ok(())
}

fn decode_values(bytes: &[u8], len: usize, points: &mut NumberPoints) -> Result<()> {
    let mut reader = Reader::new(bytes);
    let [form] = reader.array()?;
    let kind = if form & INTEGERS != 0 { ValueKind::Int } else { ValueKind::Double };
    let mut integers = Vec::new();
    let before = points.kinds.len();
    if form & KINDS_LISTED != 0 {
        ints::decode(&mut reader, len, &mut integers)?;
        points.kinds.extend(integers.drain(..).map(|kind| kind as u8));
    } else {
        points.kinds.resize(before + len, kind as u8);
    }
    decode_flags(&mut reader, form & FLAGS_LISTED != 0, len, &mut points.flags)?;
    if form & INTEGERS != 0 {
        ints::decode(&mut reader, len, &mut integers)?;
        points.bits.extend(integers.drain(..).map(|integer| integer as u64));
    } else {
        floats::decode(&mut reader, len, &mut points.bits)?;
    }
    if form & KINDS_LISTED != 0 {
        let values = points.bits[before..].iter_mut().zip(&points.kinds[before..]);
        values.filter(|(_, kind)| **kind == ValueKind::None as u8).for_each(|(bits, _)| *bits = 0);
    }
    finished(&reader)
}

pub(super) fn decode_flags(
    reader: &mut Reader<'_>,
    is_listed: bool,
    len: usize,
    flags: &mut Vec<u32>,
) -> Result<()> {
    if is_listed {
        let mut integers = Vec::new();
        ints::decode(reader, len, &mut integers)?;
        flags.extend(integers.into_iter().map(|flags| flags as u32));
    } else {
        flags.resize(flags.len() + len, 0);
    }
    Ok(())
}

pub(super) fn checked_len(times: &[i64], start_times: &[i64]) -> Result<usize> {
    if times.len() != start_times.len() || times.is_empty() || times.len() > CHUNK_POINTS_MAX {
        return Err(Error::corrupt(format!(
            "a chunk of {} times and {} start times, expected the same and at most {CHUNK_POINTS_MAX}",
            times.len(),
            start_times.len()
        )));
    }
    Ok(times.len())
}

pub(super) fn finished(reader: &Reader<'_>) -> Result<()> {
    match reader.rest().len() {
        0 => Ok(()),
        left => Err(Error::corrupt(format!("{left} bytes are left at the end of a chunk"))),
    }
}

/// The aggregates of the points `from..to`.
pub fn aggregates(
    points: &NumberPoints,
    from: usize,
    to: usize,
    is_counter: bool,
) -> Option<Aggregates> {
    let first = points.value(from).as_f64()?;
    let (mut last, mut min, mut max) = (first, first, first);
    let (mut sum, mut increase) = (0.0, 0.0);
    for i in from..to {
        let value = points.value(i).as_f64().filter(|value| !value.is_nan())?;
        min = min.min(value);
        max = max.max(value);
        sum += value;
        increase += if value < last { value } else { value - last };
        last = value;
    }
    Some(Aggregates { first, last, min, max, sum, increase: is_counter.then_some(increase) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use throughline_model::metric::Number;

    use super::*;

    fn any_number() -> impl Strategy<Value = Number> {
        prop_oneof![
            4 => (-1000i64..1000).prop_map(|cents| Number::Double(cents as f64 / 100.0)),
            2 => any::<i64>().prop_map(Number::Int),
            2 => any::<u64>().prop_map(|bits| Number::Double(f64::from_bits(bits))),
            1 => Just(Number::None),
            1 => prop_oneof![Just(i64::MIN), Just(i64::MAX)].prop_map(Number::Int),
            1 => prop_oneof![Just(-0.0), Just(f64::INFINITY), Just(f64::NEG_INFINITY)].prop_map(Number::Double),
        ]
    }

    proptest! {
        #[test]
        fn any_points_round_trip(
            list in proptest::collection::vec((any::<i64>(), any::<i64>(), 0u32..3, any_number()), 1..80)
        ) {
            let mut points = NumberPoints::default();
            for (time, start, flags, number) in list {
                let (kind, bits) = number.to_parts();
                points.push(time, start, flags, kind as u8, bits);
            }
            let mut bytes = Vec::new();
            encode_numbers(&points, 0, points.len(), &mut Scratch::default(), &mut bytes);
            let mut back = NumberPoints::default();
            decode_numbers(&bytes, &points.times, &points.start_times, &mut back).expect("decodes");
            prop_assert_eq!(back, points);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..100), len in 0usize..300) {
            let times = vec![0; len];
            let mut points = NumberPoints::default();
            let outcome = decode_numbers(&bytes, &times, &times, &mut points);
            let expected = if outcome.is_ok() { len } else { 0 };
            let lens = [points.times.len(), points.kinds.len(), points.flags.len(), points.bits.len()];
            prop_assert_eq!(lens, [expected; 4]);
        }
    }

    #[test]
    fn chunks_end_with_their_window_and_when_full() {
        let hour = |h: i64| h * HOUR_NS;
        assert_eq!(cuts(&[hour(-1), hour(0), hour(1), hour(2), hour(5)]), [1, 3, 4, 5]);
        assert_eq!(cuts(&vec![7; CHUNK_POINTS_MAX + 1]), [CHUNK_POINTS_MAX, CHUNK_POINTS_MAX + 1]);
        assert!(cuts(&[]).is_empty());
    }

    #[test]
    fn aggregates_know_resets_and_missing_values() {
        let mut points = NumberPoints::default();
        for (time, number) in [10.0, 15.0, 3.0, 4.0].into_iter().enumerate() {
            points.push(time as i64, 0, 0, ValueKind::Double as u8, f64::to_bits(number));
        }
        let all = aggregates(&points, 0, 4, true).expect("all are numbers");
        assert_eq!((all.first, all.last, all.min, all.max), (10.0, 4.0, 3.0, 15.0));
        assert_eq!((all.sum, all.increase), (32.0, Some(9.0)));
        points.push(9, 0, 1, ValueKind::None as u8, 0);
        assert_eq!(aggregates(&points, 0, 5, true), None);
        assert_eq!(aggregates(&points, 0, 4, false).and_then(|all| all.increase), None);
    }
}
