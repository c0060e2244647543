//! A range of time in slices from one end, each longer than the one before: whoever wants the first
//! few lines looks at little, and whoever finds nothing has soon looked at all.

use throughline_model::time::{SECOND_NS, TimeRange};

use crate::logs::LogOrder;

/// The first slice is the range by this, and so long at most: where much comes in, a few seconds hold more than
/// anybody asks for.
const PARTS: i64 = 512;
const FIRST_NS_MAX: i64 = 2 * SECOND_NS;
/// A slice is so many times as long as the one before.
const GROWTH: i64 = 4;

/// The slices of a range.
pub struct Slices {
    // None when all were given: a range that ends with time itself is never empty.
    left: Option<TimeRange>,
    order: LogOrder,
    length_ns: i64,
}

impl Slices {
    /// Those of a range.
    pub fn new(range: TimeRange, order: LogOrder) -> Self {
        let span = range.end_ns.saturating_sub(range.start_ns);
        Self {
            left: Some(range).filter(|range| !range.is_empty()),
            order,
            length_ns: (span / PARTS).clamp(1, FIRST_NS_MAX),
        }
    }
}

impl Iterator for Slices {
    type Item = TimeRange;

    fn next(&mut self) -> Option<TimeRange> {
        let left = self.left?;
        let (slice, rest) = match self.order {
            LogOrder::NewestFirst => {
                let cut = left.end_ns.saturating_sub(self.length_ns).max(left.start_ns);
                (TimeRange { start_ns: cut, ..left }, TimeRange { end_ns: cut, ..left })
            }
            LogOrder::OldestFirst => {
                let cut = left.start_ns.saturating_add(self.length_ns).min(left.end_ns);
                (TimeRange { end_ns: cut, ..left }, TimeRange { start_ns: cut, ..left })
            }
        };
        self.left = Some(rest).filter(|rest| rest.start_ns < rest.end_ns);
        self.length_ns = self.length_ns.saturating_mul(GROWTH);
        Some(slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_cover_a_range_once() {
        for (start_ns, end_ns) in [(0, 0), (5, 6), (-3, 10_000 * SECOND_NS), (0, i64::MAX)] {
            let range = TimeRange { start_ns, end_ns };
            for order in [LogOrder::NewestFirst, LogOrder::OldestFirst] {
                let mut slices: Vec<_> = Slices::new(range, order).collect();
                assert!(slices.len() <= 32, "{}", slices.len());
                if order == LogOrder::NewestFirst {
                    slices.reverse();
                }
                let mut at = start_ns;
                for slice in &slices {
                    assert!(slice.start_ns == at && slice.end_ns > at);
                    at = slice.end_ns;
                }
                assert_eq!(at, end_ns);
            }
        }
    }
}
