//! Exponential buckets: how durations and other measures are counted wherever a distribution is kept
//! or asked for, so that a rolled-up answer equals one from the rows.
//!
//! Sixteen buckets to a power of two, OpenTelemetry's exponential histogram of scale 4: bucket `i`
//! covers `(2^(i/16), 2^((i+1)/16)]`, and what is not positive is counted apart.

use std::collections::BTreeMap;

/// Buckets to a power of two.
pub const BUCKETS_PER_OCTAVE: i32 = 16;

/// The bucket of a positive, finite value.
///
/// Exact at powers of two: 8 is the last value of its bucket, not the first of the next.
pub fn bucket(value: f64) -> i32 {
    let bits = value.max(f64::MIN_POSITIVE).to_bits();
    let octave = (bits >> MANTISSA_BITS) as i32 - EXPONENT_BIAS;
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    let above = BOUNDS.iter().filter(|bound| mantissa > **bound).count() as i32;
    octave * BUCKETS_PER_OCTAVE + above - 1
}

/// The largest value of a bucket.
pub fn upper_bound(bucket: i32) -> f64 {
    let (octave, part) =
        ((bucket + 1).div_euclid(BUCKETS_PER_OCTAVE), (bucket + 1).rem_euclid(BUCKETS_PER_OCTAVE));
    let one = (EXPONENT_BIAS as u64) << MANTISSA_BITS;
    f64::from_bits(one | BOUNDS[part as usize]) * f64::from(octave).exp2()
}

const MANTISSA_BITS: u32 = 52;
const EXPONENT_BIAS: i32 = 1023;

/// The mantissas of `2^(i/16)`: bounds inside an octave. Written out, so that no machine's `exp2`
/// puts a value into another bucket.
const BOUNDS: [u64; BUCKETS_PER_OCTAVE as usize] = [
    0x0_0000_0000_0000,
    0x0_b558_6cf9_890f,
    0x1_72b8_3c7d_517b,
    0x2_387a_6e75_6238,
    0x3_06fe_0a31_b715,
    0x3_dea6_4c12_3422,
    0x4_bfda_d536_2a27,
    0x5_ab07_dd48_5429,
    0x6_a09e_667f_3bcd,
    0x7_a114_73eb_0187,
    0x8_ace5_422a_a0db,
    0x9_c491_82a3_f090,
    0xa_e89f_995a_d3ad,
    0xc_199b_dd85_529c,
    0xd_5818_dcfb_a487,
    0xe_a4af_a2a4_90da,
];

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
