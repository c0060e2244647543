//! The cells of all series of one leaf, of the kind that its function needs.

use super::super::error::{Error, Result};
use super::super::grammar::RangeOp;
use super::cells::{Cell, Count, Edge, Extreme, Moments, Pages, Samples, Sum, slide};
use super::grid::{Cuts, Grid};
use super::samples::{Points, counter_rates, quantiles};
use super::{LeafFunction, Limits};

/// Cells by series.
pub enum Store {
    Count(Vec<Pages<Count>>),
    Sum(Vec<Pages<Sum>>),
    Min(Vec<Pages<Extreme<false>>>),
    Max(Vec<Pages<Extreme<true>>>),
    Moments(Vec<Pages<Moments>>),
    First(Vec<Pages<Edge<false>>>),
    Last(Vec<Pages<Edge<true>>>),
    Samples(Vec<Pages<Samples>>),
}

/// What a store has used of the limits.
#[derive(Clone, Copy, Default)]
pub struct Used {
    cells: usize,
    kept: usize,
}

macro_rules! each {
    ($store:expr, $all:ident => $run:expr) => {
        match $store {
            Store::Count($all) => $run,
            Store::Sum($all) => $run,
            Store::Min($all) => $run,
            Store::Max($all) => $run,
            Store::Moments($all) => $run,
            Store::First($all) => $run,
            Store::Last($all) => $run,
            Store::Samples($all) => $run,
        }
    };
}

impl Store {
    pub fn new(function: &LeafFunction) -> Self {
        match (function.op, function.is_unwrapped) {
            (RangeOp::Rate, true) | (RangeOp::Sum | RangeOp::Avg, _) => Self::Sum(Vec::new()),
            (RangeOp::Min, _) => Self::Min(Vec::new()),
            (RangeOp::Max, _) => Self::Max(Vec::new()),
            (RangeOp::Stddev | RangeOp::Stdvar, _) => Self::Moments(Vec::new()),
            (RangeOp::First, _) => Self::First(Vec::new()),
            (RangeOp::Last, _) => Self::Last(Vec::new()),
            (RangeOp::Quantile | RangeOp::RateCounter, _) => Self::Samples(Vec::new()),
            _ => Self::Count(Vec::new()),
        }
    }

    /// One more series.
    pub fn push(&mut self) {
        each!(self, all => all.push(Pages::default()));
    }

    /// One more entry of a series.
    pub fn add(
        &mut self,
        (series, cell): (usize, usize),
        (time_ns, value): (i64, f64),
        cuts: &Cuts,
        used: &mut Used,
        limits: &Limits,
    ) -> Result<()> {
        if matches!(self, Self::Samples(_)) {
            used.kept += 1;
        }
        each!(self, all => {
            let (cell, allocated) = all[series].cell(cell, cuts.len());
            used.cells += allocated;
            if let Some(cell) = cell {
                cell.add(time_ns, value);
            }
        });
        used.check(limits)
    }

    /// Several entries of a series that only counts; false if it does not.
    pub fn add_count(
        &mut self,
        (series, cell): (usize, usize),
        count: Count,
        cuts: &Cuts,
        used: &mut Used,
    ) -> bool {
        let Self::Count(all) = self else { return false };
        let (cell, allocated) = all[series].cell(cell, cuts.len());
        used.cells += allocated;
        if let Some(cell) = cell {
            cell.merge(&count);
        }
        true
    }

    /// The cells of a series of another worker.
    pub fn merge(&mut self, to: usize, other: &Self, from: usize, cuts: &Cuts, used: &mut Used) {
        macro_rules! pair {
            ($($kind:ident),*) => {
                match (self, other) {
                    $((Store::$kind(own), Store::$kind(other)) => {
                        merge_pages(&mut own[to], &other[from], cuts, used);
                    })*
                    _ => {}
                }
            };
        }
        pair!(Count, Sum, Min, Max, Moments, First, Last, Samples);
    }

    /// The values of a series.
    pub fn points(&self, at: usize, function: &LeafFunction, cuts: &Cuts, grid: &Grid) -> Points {
        let steps = grid.steps();
        let seconds = function.range_ns as f64 / 1e9;
        let deviation = function.op == RangeOp::Stddev;
        match self {
            Self::Count(all) => {
                let is_rate = matches!(function.op, RangeOp::Rate | RangeOp::BytesRate);
                let by = if is_rate { seconds } else { 1.0 };
                windows(&all[at], cuts, steps, |count| count.total as f64 / by)
            }
            Self::Sum(all) => windows(&all[at], cuts, steps, |sum| match function.op {
                RangeOp::Rate => sum.sum / seconds,
                RangeOp::Avg => sum.sum / sum.entries as f64,
                _ => sum.sum,
            }),
            Self::Min(all) => windows(&all[at], cuts, steps, |cell| cell.value.unwrap_or(f64::NAN)),
            Self::Max(all) => windows(&all[at], cuts, steps, |cell| cell.value.unwrap_or(f64::NAN)),
            Self::Moments(all) => windows(&all[at], cuts, steps, |moments| {
                if deviation { moments.variance().sqrt() } else { moments.variance() }
            }),
            Self::First(all) => {
                windows(&all[at], cuts, steps, |edge| edge.entry.map_or(0.0, |e| e.1))
            }
            Self::Last(all) => {
                windows(&all[at], cuts, steps, |edge| edge.entry.map_or(0.0, |e| e.1))
            }
            Self::Samples(all) if function.op == RangeOp::Quantile => {
                quantiles(&all[at], cuts, steps, function.parameter)
            }
            Self::Samples(all) => {
                let end_of = |step| grid.time_ns(step).saturating_sub(function.offset_ns);
                counter_rates(&all[at], cuts, steps, end_of, function.range_ns)
            }
        }
    }
}

impl Used {
    pub fn check(&self, limits: &Limits) -> Result<()> {
        if self.cells > limits.cells_max {
            let message = format!("the series have more than {} cells of time", limits.cells_max);
            return Err(Error::limit(message));
        }
        if self.kept > limits.samples_max {
            let message = format!("more than {} values must be kept", limits.samples_max);
            return Err(Error::limit(message));
        }
        Ok(())
    }
}

fn merge_pages<C: Cell>(own: &mut Pages<C>, other: &Pages<C>, cuts: &Cuts, used: &mut Used) {
    for (at, cell) in other.cells() {
        let (own, allocated) = own.cell(at, cuts.len());
        used.cells += allocated;
        used.kept += cell.kept();
        if let Some(own) = own {
            own.merge(cell);
        }
    }
}

fn windows<C: Cell>(
    pages: &Pages<C>,
    cuts: &Cuts,
    steps: usize,
    value: impl Fn(&C) -> f64,
) -> Points {
    let mut points = vec![None; steps];
    slide(pages.cells(), cuts, steps, |step, cell| points[step] = Some(value(cell)));
    points
}
