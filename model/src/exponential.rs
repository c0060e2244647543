//! Exponential buckets: how durations and other measures are counted wherever a distribution is kept
//! or asked for, so that a rolled-up answer equals one from the rows.
//!
//! Sixteen buckets to a power of two, OpenTelemetry's exponential histogram of scale 4: bucket `i`
//! covers `(2^(i/16), 2^((i+1)/16)]`, and what is not positive is counted apart.

use std::collections::BTreeMap;

/// Buckets to a power of two.
pub const BUCKETS_PER_OCTAVE: i32 = 16;

/// The bucket of a positive value.
///
/// Exact at powers of two: 8 is the last value of its bucket, not the first of the next.
pub fn bucket(value: f64) -> i32 {
    let mut bucket = (value.log2() * f64::from(BUCKETS_PER_OCTAVE)).ceil() as i32 - 1;
    // The logarithm may be off by its last bit; the bounds decide.
    if value > upper_bound(bucket) {
        bucket += 1;
    } else if value <= upper_bound(bucket - 1) {
        bucket -= 1;
    }
    bucket
}

/// The largest value of a bucket.
pub fn upper_bound(bucket: i32) -> f64 {
    (f64::from(bucket + 1) / f64::from(BUCKETS_PER_OCTAVE)).exp2()
}

/// The power of two that bounds a bucket from above: 3 for the buckets of `(4, 8]`.
pub fn octave(bucket: i32) -> i32 {
    bucket.div_euclid(BUCKETS_PER_OCTAVE) + 1
}

/// A distribution.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// Values that are zero, negative or not a number.
    pub zero: f64,
    /// Count by bucket. Counts are fractions where values have weights.
    pub buckets: BTreeMap<i32, f64>,
}

impl Distribution {
    /// Counts a value.
    pub fn add(&mut self, value: f64, weight: f64) {
        if value > 0.0 {
            *self.buckets.entry(bucket(value)).or_default() += weight;
        } else {
            self.zero += weight;
        }
    }

    /// Counts so many values of one bucket.
    pub fn add_bucket(&mut self, bucket: i32, count: f64) {
        *self.buckets.entry(bucket).or_default() += count;
    }

    /// Counts everything that another one counted.
    pub fn merge(&mut self, other: &Distribution) {
        self.zero += other.zero;
        for (bucket, count) in &other.buckets {
            self.add_bucket(*bucket, *count);
        }
    }

    /// How many values there are.
    pub fn count(&self) -> f64 {
        self.zero + self.buckets.values().sum::<f64>()
    }

    /// The `q`-quantile (`q` is cut to 0..1), `None` of nothing. Inside a bucket values are taken as
    /// evenly spread in their logarithm.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.count();
        if total <= 0.0 || q.is_nan() {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * total;
        let mut before = self.zero;
        if self.zero > 0.0 && rank <= before {
            return Some(0.0);
        }
        let mut last = 0.0;
        for (bucket, count) in self.buckets.iter().filter(|(_, count)| **count > 0.0) {
            if rank <= before + count {
                let part = ((rank - before) / count).clamp(0.0, 1.0);
                let exponent = (f64::from(*bucket) + part) / f64::from(BUCKETS_PER_OCTAVE);
                return Some(exponent.exp2());
            }
            before += count;
            last = upper_bound(*bucket);
        }
        Some(last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn powers_of_two_close_their_bucket() {
        for power in -60..62 {
            let value = f64::from(power).exp2();
            assert_eq!(octave(bucket(value)), power, "{value}");
            assert_eq!(octave(bucket(value * 1.000_001)), power + 1, "{value}");
        }
    }

    #[test]
    fn quantiles_of_nothing_of_zeros_and_of_one() {
        let mut all = Distribution::default();
        assert_eq!(all.quantile(0.5), None);
        all.add(0.0, 1.0);
        assert_eq!(all.quantile(0.99), Some(0.0));
        all.add(8.0, 1.0);
        assert_eq!(all.quantile(1.0), Some(8.0));
        assert_eq!(all.quantile(0.5), Some(0.0));
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(value in 1e-9f64..1e18) {
            let bucket = bucket(value);
            prop_assert!(upper_bound(bucket - 1) < value && value <= upper_bound(bucket));
        }

        #[test]
        fn a_quantile_is_off_by_less_than_a_bucket(
            mut values in proptest::collection::vec(1f64..1e12, 1..200),
            q in 0.01f64..1.0,
        ) {
            let mut all = Distribution::default();
            values.iter().for_each(|value| all.add(*value, 1.0));
            values.sort_by(f64::total_cmp);
            let rank = ((q * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let exact = values[rank - 1];
            let found = all.quantile(q).expect("a value");
            prop_assert!(found / exact < 1.045 && exact / found < 1.045, "{found} {exact}");
        }
    }
}
