//! Sums of many numbers and histograms that keep what rounding loses.

use std::collections::BTreeMap;

use super::arithmetic::{combined_hint, common_bounds, index_on, whole_threshold};
use super::bounds::coarser;
use super::{Counts, Incompatible, NativeHistogram, Noted, ResetHint, bound};

/// Adds to a sum and its compensation (Kahan's summation with Neumaier's improvement).
pub fn kahan_add(increment: f64, (sum, compensation): (f64, f64)) -> (f64, f64) {
    let total = sum + increment;
    if total.is_infinite() {
        return (total, 0.0);
    }
    let lost = if sum.abs() >= increment.abs() {
        (sum - total) + increment
    } else {
        (increment - total) + sum
    };
    (total, compensation + lost)
}

/// A sum, and what rounding lost of it.
type Pair = (f64, f64);

/// A sum of native histograms.
#[derive(Clone, Debug, Default)]
pub struct KahanHistogram {
    hint: ResetHint,
    schema: i32,
    zero_threshold: f64,
    zero: Pair,
    count: Pair,
    sum: Pair,
    positive: BTreeMap<i32, Pair>,
    negative: BTreeMap<i32, Pair>,
    custom_values: Vec<f64>,
}

impl From<&NativeHistogram> for KahanHistogram {
    fn from(first: &NativeHistogram) -> Self {
        let pairs = |counts: &Counts| counts.iter().map(|(i, count)| (*i, (*count, 0.0))).collect();
        Self {
            hint: first.hint,
            schema: first.schema,
            zero_threshold: first.zero_threshold,
            zero: (first.zero_count, 0.0),
            count: (first.count, 0.0),
            sum: (first.sum, 0.0),
            positive: pairs(&first.positive),
            negative: pairs(&first.negative),
            custom_values: first.custom_values.clone(),
        }
    }
}

impl KahanHistogram {
    fn has_custom_buckets(&self) -> bool {
        self.schema == super::CUSTOM_SCHEMA
    }

    /// Adds a histogram.
    pub fn add(&mut self, other: &NativeHistogram) -> Result<Noted, Incompatible> {
        if self.has_custom_buckets() != other.has_custom_buckets() {
            return Err(Incompatible);
        }
        let mut noted = Noted::default();
        (self.hint, noted.has_collision) = combined_hint(self.hint, other.hint);
        self.count = kahan_add(other.count, self.count);
        self.sum = kahan_add(other.sum, self.sum);
        if self.has_custom_buckets() {
            noted.is_reconciled = self.custom_values != other.custom_values;
            if noted.is_reconciled {
                let bounds = common_bounds(&self.custom_values, &other.custom_values);
                let own = std::mem::take(&mut self.positive);
                for (index, pair) in own {
                    let index = index_on(index, &self.custom_values, &bounds);
                    add_pair(&mut self.positive, index, pair);
                }
                self.custom_values = bounds;
            }
            for (index, count) in &other.positive {
                let index = index_on(*index, &other.custom_values, &self.custom_values);
                add_pair(&mut self.positive, index, (*count, 0.0));
            }
            return Ok(noted);
        }
        let zero = self.widen_zero_bucket(other);
        self.zero = kahan_add(zero, self.zero);
        self.reduce(other.schema);
        let schema = self.schema.min(other.schema);
        for (own, others) in
            [(&mut self.positive, &other.positive), (&mut self.negative, &other.negative)]
        {
            for (index, count) in others {
                if bound(*index, other.schema) > self.zero_threshold {
                    add_pair(own, coarser_or_same(*index, other.schema, schema), (*count, 0.0));
                }
            }
        }
        Ok(noted)
    }

    fn reduce(&mut self, schema: i32) {
        if schema >= self.schema {
            return;
        }
        for side in [&mut self.positive, &mut self.negative] {
            for (index, pair) in std::mem::take(side) {
                add_pair(side, coarser(index, self.schema, schema), pair);
            }
        }
        self.schema = schema;
    }

    fn widen_zero_bucket(&mut self, other: &NativeHistogram) -> f64 {
        let (mut count, mut threshold) = (other.zero_count, other.zero_threshold);
        while threshold != self.zero_threshold {
            if self.zero_threshold > threshold {
                (count, threshold) = other.zero_count_within(self.zero_threshold);
            }
            if threshold > self.zero_threshold {
                self.take_into_zero(threshold);
            }
        }
        count
    }

    fn take_into_zero(&mut self, threshold: f64) {
        let counts = |side: &BTreeMap<i32, Pair>| -> Counts {
            side.iter().filter(|(_, pair)| pair.0 != 0.0).map(|(i, pair)| (*i, pair.0)).collect()
        };
        let (positive, negative) = (counts(&self.positive), counts(&self.negative));
        self.zero_threshold = whole_threshold(self.schema, &positive, &negative, threshold);
        for side in [&mut self.positive, &mut self.negative] {
            side.retain(|index, (count, compensation)| {
                let is_outside = bound(*index, self.schema) > self.zero_threshold;
                if !is_outside {
                    self.zero = kahan_add(*count, self.zero);
                    self.zero = kahan_add(*compensation, self.zero);
                }
                is_outside
            });
        }
    }

    /// Multiplies everything.
    pub fn multiply(&mut self, factor: f64) {
        let fixed = [&mut self.zero, &mut self.count, &mut self.sum];
        let sides = self.positive.values_mut().chain(self.negative.values_mut());
        for pair in fixed.into_iter().chain(sides) {
            *pair = (pair.0 * factor, pair.1 * factor);
        }
    }

    /// Divides everything.
    pub fn divide(&mut self, divisor: f64) {
        let fixed = [&mut self.zero, &mut self.count, &mut self.sum];
        let sides = self.positive.values_mut().chain(self.negative.values_mut());
        for pair in fixed.into_iter().chain(sides) {
            *pair = (pair.0 / divisor, pair.1 / divisor);
        }
    }

    /// Whether a sum has left the range of numbers.
    pub fn has_overflow(&self) -> bool {
        let sides = self.positive.values().chain(self.negative.values());
        [&self.zero, &self.count, &self.sum].into_iter().chain(sides).any(|p| p.0.is_infinite())
    }

    /// The sum.
    pub fn finish(&self) -> NativeHistogram {
        let total = |pair: &Pair| if pair.0.is_infinite() { pair.0 } else { pair.0 + pair.1 };
        let counts = |side: &BTreeMap<i32, Pair>| -> Counts {
            side.iter().map(|(i, pair)| (*i, total(pair))).filter(|(_, n)| *n != 0.0).collect()
        };
        NativeHistogram {
            hint: self.hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: total(&self.zero),
            count: total(&self.count),
            sum: total(&self.sum),
            positive: counts(&self.positive),
            negative: counts(&self.negative),
            custom_values: self.custom_values.clone(),
        }
    }
}

fn coarser_or_same(index: i32, from: i32, to: i32) -> i32 {
    if to < from { coarser(index, from, to) } else { index }
}

fn add_pair(side: &mut BTreeMap<i32, Pair>, index: i32, (count, compensation): Pair) {
    let pair = side.entry(index).or_default();
    *pair = kahan_add(count, *pair);
    if compensation != 0.0 {
        *pair = kahan_add(compensation, *pair);
    }
}
