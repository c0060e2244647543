//! Quantiles: of numbers, of classic buckets, of native histograms; and the inverse, fractions.

use std::sync::Arc;

use throughline_model::histogram::{Bucket, NativeHistogram};

use crate::promql::ast::Span;
use crate::promql::notes::{Note, Notes};

/// Differences of counts below this part are rounding errors.
const TOLERANCE: f64 = 1e-12;

/// The quantile of numbers, which are sorted by it; a value between two is weighed.
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if let Some(outside) = outside(q) {
        return outside;
    }
    // What is not a number counts as the smallest.
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan())));
    let last = (values.len() - 1) as f64;
    let rank = q * last;
    let lower = rank.floor().max(0.0);
    let upper = (lower + 1.0).min(last);
    let weight = rank - rank.floor();
    values[lower as usize] * (1.0 - weight) + values[upper as usize] * weight
}

fn outside(q: f64) -> Option<f64> {
    match q {
        q if q < 0.0 => Some(f64::NEG_INFINITY),
        q if q > 1.0 => Some(f64::INFINITY),
        _ => None,
    }
}

/// A cumulative bucket: its upper bound and count.
pub(super) type ClassicBucket = (f64, f64);

/// How far buckets had to be changed to be monotonic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Forcing {
    /// The least and greatest upper bound.
    pub bucket: (f64, f64),
    /// The greatest difference.
    pub diff_max: f64,
}

fn sort_and_merge(buckets: &mut Vec<ClassicBucket>) -> bool {
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    if buckets.last().is_none_or(|last| last.0 != f64::INFINITY) {
        return false;
    }
    buckets.dedup_by(|later, earlier| {
        let is_same = later.0 == earlier.0;
        if is_same {
            earlier.1 += later.1;
        }
        is_same
    });
    true
}

/// The quantile of classic buckets, linear inside a bucket.
pub(super) fn of_classic(q: f64, buckets: &mut Vec<ClassicBucket>) -> (f64, Option<Forcing>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if let Some(outside) = outside(q) {
        return (outside, None);
    }
    if !sort_and_merge(buckets) {
        return (f64::NAN, None);
    }
    let forcing = make_monotonic(buckets);
    let last = buckets.len() - 1;
    if last == 0 || buckets[last].1 == 0.0 {
        return (f64::NAN, forcing);
    }
    let mut rank = q * buckets[last].1;
    let at = buckets[..last].partition_point(|bucket| bucket.1 < rank || bucket.1.is_nan());
    if at == last {
        return (buckets[last - 1].0, forcing);
    }
    if at == 0 && buckets[0].0 <= 0.0 {
        return (buckets[0].0, forcing);
    }
    let (mut start, end, mut count) = (0.0, buckets[at].0, buckets[at].1);
    if at > 0 {
        start = buckets[at - 1].0;
        count -= buckets[at - 1].1;
        rank -= buckets[at - 1].1;
    }
    (start + (end - start) * (rank / count), forcing)
}

fn make_monotonic(buckets: &mut [ClassicBucket]) -> Option<Forcing> {
    let mut forcing: Option<Forcing> = None;
    let mut before = buckets[0].1;
    for (upper, count) in buckets.iter_mut().skip(1) {
        if *count == before {
            continue;
        }
        if is_almost(before, *count) {
            *count = before;
        } else if *count < before {
            let diff = before - *count;
            let old = forcing
                .unwrap_or(Forcing { bucket: (f64::INFINITY, f64::NEG_INFINITY), diff_max: 0.0 });
            forcing = Some(Forcing {
                bucket: (old.bucket.0.min(*upper), old.bucket.1.max(*upper)),
                diff_max: old.diff_max.max(diff),
            });
            *count = before;
        } else {
            before = *count;
        }
    }
    forcing
}

fn is_almost(a: f64, b: f64) -> bool {
    if a == b || a.is_nan() && b.is_nan() {
        return true;
    }
    let (sum, diff) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return diff < TOLERANCE * f64::MIN_POSITIVE;
    }
    diff / sum.min(f64::MAX) < TOLERANCE
}

/// The part of the observations between two values, of classic buckets.
pub(super) fn classic_fraction(lower: f64, upper: f64, buckets: &mut Vec<ClassicBucket>) -> f64 {
    if !sort_and_merge(buckets) {
        return f64::NAN;
    }
    let count = buckets[buckets.len() - 1].1;
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let mut start = if buckets[0].0 <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    let mut ranks = Ranks::default();
    let mut rank = 0.0;
    for (end, cumulative) in buckets.iter().copied() {
        let interpolate = |value: f64| match start == f64::NEG_INFINITY {
            true => cumulative,
            false => rank + (cumulative - rank) * (value - start) / (end - start),
        };
        ranks.see((lower, upper), (start, end), rank, interpolate);
        if ranks.are_set() {
            break;
        }
        (rank, start) = (cumulative, end);
    }
    ranks.difference(count) / count
}

/// How many observations lie below each of two values.
#[derive(Default)]
struct Ranks {
    lower: Option<f64>,
    upper: Option<f64>,
}

impl Ranks {
    fn are_set(&self) -> bool {
        self.lower.is_some() && self.upper.is_some()
    }

    /// Looks at a bucket, below which `rank` observations lie.
    fn see(
        &mut self,
        values: (f64, f64),
        bucket: (f64, f64),
        rank: f64,
        interpolate: impl Fn(f64) -> f64,
    ) {
        for (slot, value) in [(&mut self.lower, values.0), (&mut self.upper, values.1)] {
            if slot.is_none() && bucket.0 >= value {
                *slot = Some(rank);
            } else if slot.is_none() && bucket.0 < value && bucket.1 > value {
                *slot = Some(interpolate(value));
            }
        }
    }

    fn difference(&self, count: f64) -> f64 {
        let rank =
            |rank: Option<f64>| rank.map_or(count, |rank| if rank > count { count } else { rank });
        rank(self.upper) - rank(self.lower)
    }
}

/// The quantile of a native histogram: linear in custom and zero buckets, else exponential.
pub(super) fn of_native(
    q: f64,
    histogram: &NativeHistogram,
    metric: &Arc<str>,
    notes: &mut Notes,
    span: Span,
) -> f64 {
    if let Some(outside) = outside(q) {
        return outside;
    }
    if histogram.count == 0.0 || q.is_nan() {
        return f64::NAN;
    }
    let has_nan = histogram.sum.is_nan();
    // From the nearer end, where rounding matters less; observations that are no number are in no
    // bucket, so that only the lower end tells then.
    let is_forward = has_nan || q < 0.5;
    let mut buckets = histogram.buckets();
    if !is_forward {
        buckets.reverse();
    }
    let mut rank = if is_forward { q * histogram.count } else { (1.0 - q) * histogram.count };
    let (mut count, mut found, mut seen) = (0.0, None, 0);
    for bucket in &buckets {
        found = Some(*bucket);
        count += bucket.count;
        seen += 1;
        if count >= rank {
            break;
        }
    }
    let Some(mut bucket) = found else {
        if has_nan {
            notes.add(Note::NanQuantile(metric.clone()), span);
        }
        return if has_nan { f64::NAN } else { 0.0 };
    };
    if let Some(edge) = cut_open_end(histogram, &mut bucket) {
        return edge;
    }
    count = count.min(histogram.count);
    if count < rank {
        if has_nan {
            notes.add(Note::NanQuantile(metric.clone()), span);
            return f64::NAN;
        }
        return bucket.upper;
    }
    rank = if is_forward { rank - (count - bucket.count) } else { count - rank };
    if has_nan {
        let all = count + buckets[seen..].iter().map(|bucket| bucket.count).sum::<f64>();
        if all < histogram.count {
            notes.add(Note::NanSkew(metric.clone()), span);
        }
    }
    let part = rank / bucket.count;
    if histogram.has_custom_buckets() || bucket.lower <= 0.0 && bucket.upper >= 0.0 {
        return bucket.lower + (bucket.upper - bucket.lower) * part;
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    if bucket.lower > 0.0 {
        return (lower + (upper - lower) * part).exp2();
    }
    -(upper + (lower - upper) * (1.0 - part)).exp2()
}

/// Zero bounds the zero bucket of one-sided histograms, and the first custom bucket; the infinite
/// ends of custom buckets have no inside.
fn cut_open_end(histogram: &NativeHistogram, bucket: &mut Bucket) -> Option<f64> {
    if histogram.has_custom_buckets() {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return Some(bucket.upper);
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return Some(bucket.lower);
        }
    } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
        one_sided(histogram, bucket);
    }
    None
}

fn one_sided(histogram: &NativeHistogram, bucket: &mut Bucket) {
    match (histogram.negative.is_empty(), histogram.positive.is_empty()) {
        (true, false) => bucket.lower = 0.0,
        (false, true) => bucket.upper = 0.0,
        _ => {}
    }
}

/// The part of the observations between two values, of a native histogram.
pub(super) fn native_fraction(
    (lower, upper): (f64, f64),
    histogram: &NativeHistogram,
    metric: &Arc<str>,
    notes: &mut Notes,
    span: Span,
) -> f64 {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let buckets = histogram.buckets();
    let mut ranks = Ranks::default();
    let mut rank = 0.0;
    for bucket in &buckets {
        let mut bucket = *bucket;
        let is_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        if is_zero {
            one_sided(histogram, &mut bucket);
        }
        let is_linear = histogram.has_custom_buckets() || is_zero;
        let interpolate = |value: f64| match is_linear && bucket.lower == f64::NEG_INFINITY {
            true => bucket.count,
            false => rank + bucket.count * bucket.part_below(value, is_linear),
        };
        ranks.see((lower, upper), (bucket.lower, bucket.upper), rank, interpolate);
        if ranks.are_set() {
            break;
        }
        rank += bucket.count;
    }
    let mut count = histogram.count;
    if histogram.sum.is_nan() {
        count = buckets.iter().map(|bucket| bucket.count).sum();
        if count < histogram.count {
            notes.add(Note::NanFraction(metric.clone()), span);
        }
    }
    ranks.difference(count) / histogram.count
}
