//! What is kept of the spans of one series, step by step.

use throughline_model::exponential::{Distribution, bucket};

use super::grid::Grid;

/// Which numbers a function keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Count,
    Min,
    Max,
    /// Sum and count.
    Sum,
    Distribution,
}

/// Cells by step.
#[derive(Clone, Debug)]
pub(super) enum Cells {
    Count(Vec<f64>),
    /// Not a number where there is none.
    Min(Vec<f64>),
    Max(Vec<f64>),
    Sum(Vec<(f64, f64)>),
    Distribution(Vec<Buckets>),
}

impl Cells {
    pub fn new(kept: Kept, grid: &Grid) -> Self {
        let points = grid.points;
        match kept {
            Kept::Count => Cells::Count(vec![0.0; points]),
            Kept::Min => Cells::Min(vec![f64::NAN; points]),
            Kept::Max => Cells::Max(vec![f64::NAN; points]),
            Kept::Sum => Cells::Sum(vec![(0.0, 0.0); points]),
            Kept::Distribution => Cells::Distribution(vec![Buckets::default(); points]),
        }
    }

    /// Counts a span.
    pub fn count(&mut self, step: usize) {
        if let Cells::Count(counts) = self {
            counts[step] += 1.0;
        }
    }

    /// Adds a value.
    pub fn add(&mut self, step: usize, value: f64) {
        match self {
            Cells::Count(counts) => counts[step] += 1.0,
            Cells::Min(values) => values[step] = values[step].min(value),
            Cells::Max(values) => values[step] = values[step].max(value),
            Cells::Sum(sums) => {
                sums[step].0 += value;
                sums[step].1 += 1.0;
            }
            Cells::Distribution(all) => all[step].add(value),
        }
    }

    /// Adds what another worker found.
    pub fn merge(&mut self, other: Cells) {
        match (self, other) {
            (Cells::Count(a), Cells::Count(b)) => a.iter_mut().zip(b).for_each(|(a, b)| *a += b),
            (Cells::Min(a), Cells::Min(b)) => a.iter_mut().zip(b).for_each(|(a, b)| *a = a.min(b)),
            (Cells::Max(a), Cells::Max(b)) => a.iter_mut().zip(b).for_each(|(a, b)| *a = a.max(b)),
            (Cells::Sum(a), Cells::Sum(b)) => a.iter_mut().zip(b).for_each(|(a, b)| {
                a.0 += b.0;
                a.1 += b.1;
            }),
            (Cells::Distribution(a), Cells::Distribution(b)) => {
                a.iter_mut().zip(b).for_each(|(a, b)| a.merge(&b));
            }
            _ => debug_assert!(false, "cells of one query are of one kind"),
        }
    }
}

/// Counts by exponential bucket, from the first to the last that holds a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets {
    zero: u64,
    first: i32,
    counts: Vec<u64>,
}

impl Buckets {
    fn add(&mut self, value: f64) {
        if value > 0.0 && value.is_finite() {
            *self.slot(bucket(value)) += 1;
        } else {
            self.zero += 1;
        }
    }

    fn slot(&mut self, bucket: i32) -> &mut u64 {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let more = (self.first - bucket) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, more));
            self.first = bucket;
        }
        let at = (bucket - self.first) as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        &mut self.counts[at]
    }

    fn merge(&mut self, other: &Buckets) {
        self.zero += other.zero;
        for (at, count) in other.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            *self.slot(other.first + at as i32) += count;
        }
    }

    /// Counts so many values of a bucket.
    pub fn add_bucket(&mut self, bucket: i32, count: u64) {
        *self.slot(bucket) += count;
    }

    /// Counts so many values of zero and less.
    pub fn add_zero(&mut self, count: u64) {
        self.zero += count;
    }

    /// The distribution.
    pub fn distribution(&self) -> Distribution {
        let counts = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let buckets = counts.map(|(at, count)| (self.first + at as i32, *count as f64)).collect();
        Distribution { zero: self.zero as f64, buckets }
    }
}
