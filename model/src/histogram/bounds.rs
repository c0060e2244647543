//! Buckets with their bounds.

use super::{CUSTOM_SCHEMA, NativeHistogram};

/// A bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Its lower bound.
    pub lower: f64,
    /// Its upper bound.
    pub upper: f64,
    /// Whether the lower bound belongs to it.
    pub has_lower: bool,
    /// Whether the upper bound belongs to it.
    pub has_upper: bool,
    /// How many observations it holds.
    pub count: f64,
}

/// The upper bound of a bucket of an exponential schema: 2^(index × 2^-schema).
pub fn bound(index: i32, schema: i32) -> f64 {
    let exponent = f64::from(index) * f64::from(-schema).exp2();
    // The last bucket of finite values ends at the greatest of them.
    if exponent == 1024.0 { f64::MAX } else { exponent.exp2() }
}

/// The index of the bucket of a coarser schema that holds a bucket.
pub(super) fn coarser(index: i32, from: i32, to: i32) -> i32 {
    ((index - 1) >> (from - to)) + 1
}

impl NativeHistogram {
    /// The upper bound of a positive bucket.
    pub(super) fn upper(&self, index: i32) -> f64 {
        if self.schema != CUSTOM_SCHEMA {
            return bound(index, self.schema);
        }
        match usize::try_from(index) {
            Err(_) => f64::NEG_INFINITY,
            Ok(index) => self.custom_values.get(index).copied().unwrap_or(f64::INFINITY),
        }
    }

    fn positive_bucket(&self, (index, count): (i32, f64)) -> Bucket {
        let (lower, upper) = (self.upper(index - 1), self.upper(index));
        let has_lower = if self.has_custom_buckets() { index == 0 } else { lower < 0.0 };
        let has_upper = self.has_custom_buckets() || upper > 0.0;
        Bucket { lower, upper, has_lower, has_upper, count }
    }

    fn negative_bucket(&self, (index, count): (i32, f64)) -> Bucket {
        let (lower, upper) = (-self.upper(index), -self.upper(index - 1));
        Bucket { lower, upper, has_lower: lower < 0.0, has_upper: upper > 0.0, count }
    }

    /// The buckets of positive values, ascending, as far as their schema says.
    pub fn positive_buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        self.positive.iter().map(|bucket| self.positive_bucket(*bucket))
    }

    /// The buckets of negative values, from those next to zero downwards.
    pub fn negative_buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        self.negative.iter().map(|bucket| self.negative_bucket(*bucket))
    }

    /// The zero bucket.
    pub fn zero_bucket(&self) -> Bucket {
        let (lower, upper) = (-self.zero_threshold, self.zero_threshold);
        Bucket { lower, upper, has_lower: true, has_upper: true, count: self.zero_count }
    }

    /// All buckets that hold something, ascending. A bucket that reaches into the zero bucket ends at
    /// it.
    pub fn buckets(&self) -> Vec<Bucket> {
        let threshold = self.zero_threshold;
        let negative = self.negative_buckets().rev().map(|mut bucket| {
            if bucket.upper < 0.0 && bucket.upper > -threshold {
                bucket.upper = -threshold;
            }
            bucket
        });
        let positive = self.positive_buckets().map(|mut bucket| {
            if bucket.lower > 0.0 && bucket.lower < threshold {
                bucket.lower = threshold;
            }
            bucket
        });
        let zero = (self.zero_count > 0.0).then(|| self.zero_bucket());
        negative.chain(zero).chain(positive).collect()
    }
}

impl Bucket {
    /// The part of the bucket's width that lies below a value inside it: linear, or of the logarithm.
    pub fn part_below(&self, value: f64, is_linear: bool) -> f64 {
        if is_linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let (lower, upper) = (self.lower.abs().log2(), self.upper.abs().log2());
        let at = value.abs().log2();
        match value > 0.0 {
            true => (at - lower) / (upper - lower),
            false => 1.0 - (at - upper) / (lower - upper),
        }
    }
}
