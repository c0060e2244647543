//! Points of one series in memory, column by column: what chunks are made of and read back into.
//!
//! **Order and duplicates.** Points are ordered by time, then start time, then value, then flags. Equal
//! points (the same in all of these, to the bit) are one point, however often a sender repeated them;
//! points that differ at one time are all kept and all read. The order does not depend on which
//! arrived first, so that flush, merge and restart cannot change an answer. A reader that needs one
//! value a time takes the last of them ([`NumberPoints::last_per_time`]): the latest start, then the
//! greatest value.

use std::cmp::Ordering;

use throughline_model::metric::{ComplexPoint, Number, ValueKind};

/// Gauge and sum points of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NumberPoints {
    /// Nanoseconds since the epoch.
    pub times: Vec<i64>,
    /// Starts of the intervals; zero where unset.
    pub start_times: Vec<i64>,
    /// `DataPointFlags`.
    pub flags: Vec<u32>,
    /// [`ValueKind`] as numbers.
    pub kinds: Vec<u8>,
    /// The bits of the double or integer; zero where there is no value.
    pub bits: Vec<u64>,
}

impl NumberPoints {
    /// How many points there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Drops all points and keeps the memory.
    pub fn clear(&mut self) {
        self.times.clear();
        self.start_times.clear();
        self.flags.clear();
        self.kinds.clear();
        self.bits.clear();
    }

    /// Appends a point.
    pub fn push(&mut self, time_ns: i64, start_time_ns: i64, flags: u32, kind: u8, bits: u64) {
        self.times.push(time_ns);
        self.start_times.push(start_time_ns);
        self.flags.push(flags);
        self.kinds.push(kind);
        self.bits.push(if kind == ValueKind::None as u8 { 0 } else { bits });
    }

    /// Appends point `i` of `other`.
    pub fn push_from(&mut self, other: &NumberPoints, i: usize) {
        self.push(
            other.times[i],
            other.start_times[i],
            other.flags[i],
            other.kinds[i],
            other.bits[i],
        );
    }

    /// The value of point `i`.
    pub fn value(&self, i: usize) -> Number {
        Number::from_parts(self.kinds[i], self.bits[i])
    }

    /// Puts the points in order and drops repeated ones (see the module).
    pub fn sort(&mut self) {
        if self.times.is_sorted_by(|a, b| a < b) {
            return;
        }
        let mut order = (0..self.len()).collect::<Vec<_>>();
        order.sort_unstable_by_key(|i| self.order_key(*i));
        order.dedup_by_key(|i| self.order_key(*i));
        let mut sorted = NumberPoints::default();
        order.into_iter().for_each(|i| sorted.push_from(self, i));
        *self = sorted;
    }

    fn order_key(&self, i: usize) -> (i64, i64, u8, u64, u32) {
        let (kind, bits) = (self.kinds[i], self.bits[i]);
        // Bits that compare as the numbers do.
        let value = match self.value(i) {
            Number::None => 0,
            Number::Int(_) => bits ^ (1 << 63),
            Number::Double(_) if bits >> 63 == 1 => !bits,
            Number::Double(_) => bits | (1 << 63),
        };
        (self.times[i], self.start_times[i], kind, value, self.flags[i])
    }

    /// Keeps points of wanted times.
    pub fn retain(&mut self, wanted: impl Fn(i64) -> bool) {
        let Some(from) = self.times.iter().position(|time| wanted(*time)) else {
            return self.clear();
        };
        let to = self.times.iter().rposition(|time| wanted(*time)).map_or(from, |last| last + 1);
        if self.times[from..to].iter().all(|time| wanted(*time)) {
            return self.cut(from, to);
        }
        let mut kept = NumberPoints::default();
        (0..self.len()).filter(|i| wanted(self.times[*i])).for_each(|i| kept.push_from(self, i));
        *self = kept;
    }

    /// Keeps the points `from..to`.
    fn cut(&mut self, from: usize, to: usize) {
        if from == 0 && to == self.len() {
            return;
        }
        self.times.truncate(to);
        self.start_times.truncate(to);
        self.flags.truncate(to);
        self.kinds.truncate(to);
        self.bits.truncate(to);
        self.times.drain(..from);
        self.start_times.drain(..from);
        self.flags.drain(..from);
        self.kinds.drain(..from);
        self.bits.drain(..from);
    }

    /// Of points at one time, keeps the last. The points must be in order.
    pub fn last_per_time(&mut self) {
        if self.times.is_sorted_by(|a, b| a < b) {
            return;
        }
        let mut kept = NumberPoints::default();
        (0..self.len())
            .filter(|i| self.times.get(i + 1) != Some(&self.times[*i]))
            .for_each(|i| kept.push_from(self, i));
        *self = kept;
    }
}

/// Histogram, exponential-histogram and summary points of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ComplexPoints {
    /// Nanoseconds since the epoch.
    pub times: Vec<i64>,
    /// Starts of the intervals; zero where unset.
    pub start_times: Vec<i64>,
    /// `DataPointFlags`.
    pub flags: Vec<u32>,
    /// What was measured.
    pub points: Vec<ComplexPoint>,
}

impl ComplexPoints {
    /// How many points there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Drops all points.
    pub fn clear(&mut self) {
        self.times.clear();
        self.start_times.clear();
        self.flags.clear();
        self.points.clear();
    }

    /// Appends a point.
    pub fn push(&mut self, time_ns: i64, start_time_ns: i64, flags: u32, point: ComplexPoint) {
        self.times.push(time_ns);
        self.start_times.push(start_time_ns);
        self.flags.push(flags);
        self.points.push(point);
    }

    /// Puts the points in order and drops repeated ones (see the module).
    pub fn sort(&mut self) {
        if self.times.is_sorted_by(|a, b| a < b) {
            return;
        }
        let mut order = (0..self.len()).collect::<Vec<_>>();
        order.sort_by(|a, b| self.compare(*a, *b));
        order.dedup_by(|a, b| self.compare(*a, *b) == Ordering::Equal);
        let mut points = std::mem::take(&mut self.points).into_iter().map(Some).collect::<Vec<_>>();
        let mut sorted = ComplexPoints::default();
        for i in order {
            if let Some(point) = points[i].take() {
                sorted.push(self.times[i], self.start_times[i], self.flags[i], point);
            }
        }
        *self = sorted;
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        let fixed =
            |i: usize| (self.times[i], self.start_times[i], self.points[i].count, self.flags[i]);
        // Equal to here only for repeated points, so the encoding is seldom needed.
        fixed(a).cmp(&fixed(b)).then_with(|| self.encoded(a).cmp(&self.encoded(b)))
    }

    fn encoded(&self, i: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.points[i].encode(&mut bytes);
        bytes
    }

    /// Keeps points of wanted times.
    pub fn retain(&mut self, wanted: impl Fn(i64) -> bool) {
        if self.times.iter().all(|time| wanted(*time)) {
            return;
        }
        let all = std::mem::take(self);
        let points = all.points.into_iter().enumerate();
        for (i, point) in points.filter(|(i, _)| wanted(all.times[*i])) {
            self.push(all.times[i], all.start_times[i], all.flags[i], point);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_points_are_one_and_different_ones_stay() {
        let mut points = NumberPoints::default();
        for (time, number) in [(2, 5.0), (1, 1.0), (2, 5.0), (2, -7.0), (2, 9.0)] {
            points.push(time, 0, 0, ValueKind::Double as u8, f64::to_bits(number));
        }
        points.sort();
        let values = (0..points.len()).map(|i| points.value(i).as_f64()).collect::<Vec<_>>();
        assert_eq!(points.times, [1, 2, 2, 2]);
        assert_eq!(values, [Some(1.0), Some(-7.0), Some(5.0), Some(9.0)]);
        points.last_per_time();
        assert_eq!(points.times, [1, 2]);
        assert_eq!(points.value(1), Number::Double(9.0));
    }
}
