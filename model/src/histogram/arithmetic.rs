//! Sums, differences, products of native histograms.

use super::bounds::coarser;
use super::{Counts, NativeHistogram, ResetHint, bound};

/// The two histograms cannot be combined: one has custom buckets, the other exponential ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a histogram with custom buckets meets one with exponential buckets")]
pub struct Incompatible;

/// What a reader should know about a sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// One says that the counter was reset, the other that it was not.
    pub has_collision: bool,
    /// Custom bounds differed, and only those of both are left.
    pub is_reconciled: bool,
}

impl NativeHistogram {
    /// Multiplies all counts and the sum.
    pub fn multiply(&mut self, factor: f64) {
        self.zero_count *= factor;
        self.count *= factor;
        self.sum *= factor;
        for counts in [&mut self.positive, &mut self.negative] {
            counts.iter_mut().for_each(|(_, count)| *count *= factor);
        }
        self.drop_empty();
        if factor < 0.0 {
            self.hint = ResetHint::Gauge;
        }
    }

    /// Divides all counts and the sum; by zero nothing is left of the buckets.
    pub fn divide(&mut self, divisor: f64) {
        self.zero_count /= divisor;
        self.count /= divisor;
        self.sum /= divisor;
        for counts in [&mut self.positive, &mut self.negative] {
            match divisor == 0.0 {
                true => counts.clear(),
                false => counts.iter_mut().for_each(|(_, count)| *count /= divisor),
            }
        }
        if divisor < 0.0 {
            self.hint = ResetHint::Gauge;
        }
    }

    /// Drops buckets without observations.
    pub fn drop_empty(&mut self) {
        self.positive.retain(|(_, count)| *count != 0.0);
        self.negative.retain(|(_, count)| *count != 0.0);
    }

    /// Adds another histogram. The result has the coarser of both schemas and the wider zero bucket.
    pub fn add(&mut self, other: &Self) -> Result<Noted, Incompatible> {
        self.combine(other, 1.0)
    }

    /// Subtracts another histogram.
    pub fn subtract(&mut self, other: &Self) -> Result<Noted, Incompatible> {
        self.combine(other, -1.0)
    }

    fn combine(&mut self, other: &Self, sign: f64) -> Result<Noted, Incompatible> {
        if self.has_custom_buckets() != other.has_custom_buckets() {
            return Err(Incompatible);
        }
        let mut noted = Noted { has_collision: false, is_reconciled: false };
        (self.hint, noted.has_collision) = combined_hint(self.hint, other.hint);
        self.count += sign * other.count;
        self.sum += sign * other.sum;
        if self.has_custom_buckets() {
            if self.custom_values == other.custom_values {
                self.positive = merged(&self.positive, &other.positive, sign);
            } else {
                noted.is_reconciled = true;
                let bounds = common_bounds(&self.custom_values, &other.custom_values);
                let own = on_bounds(&self.positive, &self.custom_values, &bounds);
                let others = on_bounds(&other.positive, &other.custom_values, &bounds);
                self.positive = merged(&own, &others, sign);
                self.custom_values = bounds;
            }
            return Ok(noted);
        }
        self.zero_count += sign * self.widen_zero_bucket(other);
        let threshold = self.zero_threshold;
        self.reduce(other.schema);
        for (own, others) in
            [(&mut self.positive, &other.positive), (&mut self.negative, &other.negative)]
        {
            let outside = others
                .iter()
                .copied()
                .filter(|(index, _)| bound(*index, other.schema) > threshold)
                .collect::<Vec<_>>();
            *own = merged(own, &reduced(&outside, other.schema, self.schema), sign);
        }
        Ok(noted)
    }

    /// Goes down to a schema, if it is coarser.
    pub fn reduce(&mut self, schema: i32) {
        if schema < self.schema && !self.has_custom_buckets() {
            self.positive = reduced(&self.positive, self.schema, schema);
            self.negative = reduced(&self.negative, self.schema, schema);
            self.schema = schema;
        }
    }

    /// Makes the zero bucket as wide as both need, and says how many observations of the other fall
    /// into it.
    pub(super) fn widen_zero_bucket(&mut self, other: &Self) -> f64 {
        let (mut count, mut threshold) = (other.zero_count, other.zero_threshold);
        while threshold != self.zero_threshold {
            if self.zero_threshold > threshold {
                (count, threshold) = other.zero_count_within(self.zero_threshold);
            }
            if threshold > self.zero_threshold {
                (self.zero_count, self.zero_threshold) = self.zero_count_within(threshold);
                let (schema, threshold) = (self.schema, self.zero_threshold);
                let is_outside = |(index, _): &(i32, f64)| bound(*index, schema) > threshold;
                self.positive.retain(is_outside);
                self.negative.retain(is_outside);
            }
        }
        count
    }

    /// How many observations a zero bucket of at least this width would hold, and the width: a bucket
    /// is taken in as a whole.
    pub(super) fn zero_count_within(&self, threshold: f64) -> (f64, f64) {
        let threshold = whole_threshold(self.schema, &self.positive, &self.negative, threshold);
        let inside = self
            .positive
            .iter()
            .chain(&self.negative)
            .filter(|(index, _)| bound(*index, self.schema) <= threshold);
        (inside.fold(self.zero_count, |total, (_, count)| total + count), threshold)
    }
}

/// The least threshold from `threshold` on that cuts through no bucket.
pub(super) fn whole_threshold(
    schema: i32,
    positive: &Counts,
    negative: &Counts,
    threshold: f64,
) -> f64 {
    let mut threshold = threshold;
    loop {
        let cut = positive.iter().chain(negative).find(|(index, _)| {
            bound(*index - 1, schema) < threshold && bound(*index, schema) > threshold
        });
        match cut {
            Some((index, _)) => threshold = bound(*index, schema),
            None => return threshold,
        }
    }
}

/// The hint of a sum, and whether the two contradict each other.
pub(super) fn combined_hint(own: ResetHint, other: ResetHint) -> (ResetHint, bool) {
    use ResetHint::{Gauge, Unknown};
    match (own, other) {
        _ if own == other => (own, false),
        (Gauge, _) | (_, Gauge) => (Gauge, false),
        (Unknown, _) | (_, Unknown) => (Unknown, false),
        _ => (Unknown, true),
    }
}

/// The counts of both, the other's times `sign`.
fn merged(own: &Counts, others: &Counts, sign: f64) -> Counts {
    let mut all = Vec::with_capacity(own.len() + others.len());
    let (mut a, mut b) = (0, 0);
    while a < own.len() || b < others.len() {
        let is_own = b == others.len() || a < own.len() && own[a].0 < others[b].0;
        if is_own {
            all.push(own[a]);
            a += 1;
        } else if a < own.len() && own[a].0 == others[b].0 {
            all.push((own[a].0, own[a].1 + sign * others[b].1));
            (a, b) = (a + 1, b + 1);
        } else {
            all.push((others[b].0, sign * others[b].1));
            b += 1;
        }
    }
    all.retain(|(_, count)| *count != 0.0);
    all
}

/// Counts in the buckets of a coarser schema.
pub(super) fn reduced(counts: &Counts, from: i32, to: i32) -> Counts {
    if to >= from {
        return counts.clone();
    }
    let mut all: Counts = Vec::with_capacity(counts.len());
    for (index, count) in counts {
        let index = coarser(*index, from, to);
        match all.last_mut() {
            Some(last) if last.0 == index => last.1 += count,
            _ => all.push((index, *count)),
        }
    }
    all
}

/// The bounds that both lists have.
pub(super) fn common_bounds(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().copied().filter(|bound| b.contains(bound)).collect()
}

/// Where a bucket of one list of bounds falls in a list that is part of it.
pub(super) fn index_on(index: i32, from: &[f64], to: &[f64]) -> i32 {
    match usize::try_from(index).ok().and_then(|index| from.get(index)) {
        Some(upper) => to.partition_point(|bound| bound < upper) as i32,
        None => to.len() as i32,
    }
}

/// Counts in the buckets of another list of bounds.
pub(super) fn on_bounds(counts: &Counts, from: &[f64], to: &[f64]) -> Counts {
    let mut all: Counts = Vec::with_capacity(counts.len());
    for (index, count) in counts {
        let index = index_on(*index, from, to);
        match all.last_mut() {
            Some(last) if last.0 == index => last.1 += count,
            _ => all.push((index, *count)),
        }
    }
    all
}
