//! The functions that need every value of a window: quantiles, and rates of counters.

use super::cells::{Cell, Pages, Samples, slide};
use super::grid::Cuts;

/// Values of a step, if its window has any.
pub type Points = Vec<Option<f64>>;

/// How many of each value are in the window, so that the nth is found by its rank.
struct Ranks {
    /// A Fenwick tree.
    counts: Vec<u32>,
    values: Vec<f64>,
    len: usize,
}

impl Ranks {
    fn change(&mut self, value: f64, by: i32) {
        let mut at = self.values.partition_point(|own| own.total_cmp(&value).is_lt()) + 1;
        while at < self.counts.len() {
            self.counts[at] = self.counts[at].wrapping_add_signed(by);
            at += at & at.wrapping_neg();
        }
        self.len = self.len.wrapping_add_signed(by as isize);
    }

    /// The nth smallest, from zero.
    fn nth(&self, nth: usize) -> f64 {
        let (mut at, mut rest) = (0, nth as u32);
        let mut bit = (self.counts.len() - 1).checked_ilog2().map_or(0, |bits| 1usize << bits);
        while bit > 0 {
            if at + bit < self.counts.len() && self.counts[at + bit] <= rest {
                at += bit;
                rest -= self.counts[at];
            }
            bit /= 2;
        }
        self.values.get(at).copied().unwrap_or(f64::NAN)
    }

    fn quantile(&self, quantile: f64) -> f64 {
        if quantile.is_nan() {
            return f64::NAN;
        }
        if quantile < 0.0 {
            return f64::NEG_INFINITY;
        }
        if quantile > 1.0 {
            return f64::INFINITY;
        }
        let rank = quantile * (self.len - 1) as f64;
        let lower = rank.floor();
        let upper = (lower as usize + 1).min(self.len - 1);
        let weight = rank - lower;
        self.nth(lower as usize) * (1.0 - weight) + self.nth(upper) * weight
    }
}

/// The quantile of each window.
pub fn quantiles(pages: &Pages<Samples>, cuts: &Cuts, steps: usize, quantile: f64) -> Points {
    let cells: Vec<_> = pages.cells().map(|(at, cell)| (cuts.steps_of(at), cell)).collect();
    let all = cells.iter().flat_map(|(_, cell)| cell.entries.iter());
    let mut values: Vec<f64> = all.map(|(_, value)| *value).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.dedup_by(|a, b| a.total_cmp(b).is_eq());
    let mut ranks = Ranks { counts: vec![0; values.len() + 1], values, len: 0 };
    let (mut entered, mut left) = (0, 0);
    let mut points = vec![None; steps];
    for (step, point) in points.iter_mut().enumerate() {
        while let Some(((first, _), cell)) = cells.get(entered)
            && *first <= step
        {
            cell.entries.iter().for_each(|(_, value)| ranks.change(*value, 1));
            entered += 1;
        }
        while let Some(((_, behind), cell)) = cells.get(left)
            && left < entered
            && *behind <= step
        {
            cell.entries.iter().for_each(|(_, value)| ranks.change(*value, -1));
            left += 1;
        }
        *point = (ranks.len > 0).then(|| ranks.quantile(quantile));
    }
    points
}

/// A counter over some time: where it was first and last, and what its resets hide.
#[derive(Clone, Copy, Default)]
struct Counter {
    entries: u64,
    first: (i64, f64),
    last: (i64, f64),
    resets: f64,
}

impl Cell for Counter {
    fn add(&mut self, time_ns: i64, value: f64) {
        if self.entries == 0 {
            self.first = (time_ns, value);
        } else if value < self.last.1 {
            self.resets += self.last.1;
        }
        self.last = (time_ns, value);
        self.entries += 1;
    }

    fn merge(&mut self, later: &Self) {
        if self.entries == 0 {
            *self = *later;
        } else if later.entries > 0 {
            let reset = if later.first.1 < self.last.1 { self.last.1 } else { 0.0 };
            self.resets += reset + later.resets;
            self.last = later.last;
            self.entries += later.entries;
        }
    }

    fn is_empty(&self) -> bool {
        self.entries == 0
    }
}

/// How fast a counter grew in each window, per second.
pub fn counter_rates(
    pages: &Pages<Samples>,
    cuts: &Cuts,
    steps: usize,
    end_of: impl Fn(usize) -> i64,
    range_ns: i64,
) -> Points {
    let mut counters = Vec::new();
    for (at, cell) in pages.cells() {
        let mut entries = cell.entries.clone();
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut counter = Counter::default();
        entries.iter().for_each(|(time_ns, value)| counter.add(*time_ns, *value));
        counters.push((at, counter));
    }
    let mut points = vec![None; steps];
    slide(counters.iter().map(|(at, cell)| (*at, cell)), cuts, steps, |step, counter| {
        points[step] = counter_rate(counter, end_of(step), range_ns);
    });
    points
}

// As Prometheus does it: the growth between the first and last value is stretched towards the ends of
// the window, by at most half of the usual distance of values where they do not reach it.
fn counter_rate(counter: &Counter, end_ns: i64, range_ns: i64) -> Option<f64> {
    let between = (counter.last.0 - counter.first.0) as f64 / 1e9;
    if counter.entries < 2 || between <= 0.0 {
        return None;
    }
    let range = range_ns as f64 / 1e9;
    let growth = counter.last.1 - counter.first.1 + counter.resets;
    let usual = between / (counter.entries - 1) as f64;
    let mut to_start = range - (end_ns - counter.first.0) as f64 / 1e9;
    let to_end = (end_ns - counter.last.0) as f64 / 1e9;
    if growth > 0.0 && counter.first.1 >= 0.0 {
        to_start = to_start.min(between * (counter.first.1 / growth));
    }
    let near = usual * 1.1;
    let reach = |gap: f64| if gap < near { gap } else { usual / 2.0 };
    let stretched = between + reach(to_start) + reach(to_end);
    Some(growth * (stretched / between) / range)
}
