//! Histograms without the observations above or below a value.

use super::{Bucket, NativeHistogram};

/// What is left of a bucket, and the value that stands for each of its observations.
type Left = (f64, f64);

impl NativeHistogram {
    /// Cuts off observations above a value (`is_upper`) or below it. A bucket that holds the value is
    /// divided as quantiles divide it; the sum is estimated from what is left of each bucket.
    pub fn trim(&mut self, value: f64, is_upper: bool) {
        let is_custom = self.has_custom_buckets();
        let (has_positive, has_negative) = (!self.positive.is_empty(), !self.negative.is_empty());
        let (mut count, mut sum, mut is_trimmed) = (0.0, 0.0, false);
        let mut trim = |buckets: Vec<Bucket>, is_positive: bool| -> Vec<f64> {
            let left = buckets.into_iter().map(|bucket| {
                let (kept, middle) = left_of(bucket, value, is_upper, is_positive, is_custom);
                count += kept;
                sum += middle * kept;
                is_trimmed |= kept != bucket.count;
                kept
            });
            left.collect()
        };
        let positive = trim(self.positive_buckets().collect(), true);
        let negative = trim(self.negative_buckets().collect(), false);
        if self.zero_count > 0.0 {
            let (kept, middle) =
                left_of_zero(self.zero_bucket(), value, is_upper, has_negative, has_positive);
            is_trimmed |= kept != self.zero_count;
            self.zero_count = kept;
            count += kept;
            sum += middle * kept;
        }
        if !is_trimmed {
            return;
        }
        for (counts, left) in [(&mut self.positive, positive), (&mut self.negative, negative)] {
            counts.iter_mut().zip(left).for_each(|((_, count), left)| *count = left);
        }
        (self.count, self.sum) = (count, sum);
        self.drop_empty();
    }
}

fn left_of(bucket: Bucket, value: f64, is_upper: bool, is_positive: bool, is_linear: bool) -> Left {
    let (is_inside, is_outside) = match is_upper {
        true => (bucket.upper <= value, bucket.lower >= value),
        false => (bucket.lower >= value, bucket.upper <= value),
    };
    if is_inside {
        return (bucket.count, middle(bucket.lower, bucket.upper, is_positive, is_linear));
    }
    if is_outside {
        return (0.0, 0.0);
    }
    if bucket.lower == f64::NEG_INFINITY || bucket.upper == f64::INFINITY {
        return left_of_infinite(bucket, value, is_upper);
    }
    let below = bucket.count * bucket.part_below(value, is_linear);
    match is_upper {
        true => (below, middle(bucket.lower, value, is_positive, is_linear)),
        false => (bucket.count - below, middle(value, bucket.upper, is_positive, is_linear)),
    }
}

/// How observations are spread in a bucket without an end is not known: it is kept or dropped whole,
/// unless zero may stand for the missing end.
fn left_of_infinite(bucket: Bucket, value: f64, is_upper: bool) -> Left {
    let finite = |bound: f64| if bound.is_infinite() { 0.0 } else { bound };
    if bucket.lower == f64::NEG_INFINITY {
        let has_end = bucket.upper > 0.0 && bucket.upper != f64::INFINITY;
        return match is_upper {
            true if value > 0.0 && has_end => (bucket.count * value / bucket.upper, value / 2.0),
            true if bucket.upper <= 0.0 => (bucket.count, value),
            false if value >= 0.0 && has_end && bucket.upper > value => {
                (bucket.count * (1.0 - value / bucket.upper), (value + bucket.upper) / 2.0)
            }
            _ => (0.0, finite(bucket.upper)),
        };
    }
    match is_upper {
        false if value >= bucket.lower => (bucket.count, value),
        _ => (0.0, finite(bucket.lower)),
    }
}

fn left_of_zero(
    zero: Bucket,
    value: f64,
    is_upper: bool,
    has_negative: bool,
    has_positive: bool,
) -> Left {
    let lower = if has_positive && !has_negative { 0.0 } else { zero.lower };
    let upper = if has_negative && !has_positive { 0.0 } else { zero.upper };
    let whole = (zero.count, (lower + upper) / 2.0);
    match is_upper {
        true if value <= lower => (0.0, 0.0),
        true if value >= upper => whole,
        true => (zero.count * ((value - lower) / (upper - lower)), (lower + value) / 2.0),
        false if value <= lower => whole,
        false if value >= upper => (0.0, 0.0),
        false => (zero.count * ((upper - value) / (upper - lower)), (value + upper) / 2.0),
    }
}

/// The value that stands for the observations between two bounds.
fn middle(lower: f64, upper: f64, is_positive: bool, is_linear: bool) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        _ if is_linear => (lower + upper) / 2.0,
        _ if is_positive => (lower * upper).abs().sqrt(),
        _ => -(lower * upper).abs().sqrt(),
    }
}
