//! Whether a counter was reset between two native histograms.

use super::arithmetic::{common_bounds, on_bounds, reduced};
use super::{Counts, NativeHistogram, ResetHint, bound};

impl NativeHistogram {
    /// Whether the counter was reset since `previous`: some count is smaller, or the buckets are finer
    /// than before. A hint decides without a look at the counts.
    pub fn is_reset_since(&self, previous: &Self) -> bool {
        match self.hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.has_custom_buckets() {
            return !previous.has_custom_buckets() || self.is_reset_on_bounds(previous);
        }
        if previous.has_custom_buckets() || self.schema > previous.schema {
            return true;
        }
        if self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let (zero_count, threshold) = previous.zero_count_within(self.zero_threshold);
        // A wider zero bucket that cuts through a bucket comes with a reset only.
        if threshold != self.zero_threshold || self.zero_count < zero_count {
            return true;
        }
        let is_less = |own: &Counts, before: &Counts| {
            let outside = |(index, _): &&(i32, f64)| bound(*index, previous.schema) > threshold;
            let before = before.iter().filter(outside).copied().collect::<Counts>();
            let before = reduced(&before, previous.schema, self.schema);
            before.iter().any(|(index, count)| count_at(own, *index) < *count)
        };
        is_less(&self.positive, &previous.positive) || is_less(&self.negative, &previous.negative)
    }

    fn is_reset_on_bounds(&self, previous: &Self) -> bool {
        let bounds = common_bounds(&self.custom_values, &previous.custom_values);
        let own = on_bounds(&self.positive, &self.custom_values, &bounds);
        let before = on_bounds(&previous.positive, &previous.custom_values, &bounds);
        before.iter().any(|(index, count)| count_at(&own, *index) < *count)
    }
}

fn count_at(counts: &Counts, index: i32) -> f64 {
    counts.binary_search_by_key(&index, |(index, _)| *index).map_or(0.0, |at| counts[at].1)
}
