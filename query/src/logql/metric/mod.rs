//! Queries for numbers: lines into series, and series into the answer.
//!
//! A query is split into leaves, one for each range function. The caller scans what each [`Leaf`]
//! asks for, feeds any number of [`LeafWorker`]s in any order, and hands them to
//! [`RangeEval::finish`].
//!
//! - [`grid`]: steps and cells of time
//! - [`cells`], [`samples`], [`store`]: what entries come to, and windows out of cells
//! - [`worker`]: entries to series
//! - [`vector`], [`binary`]: series to series
//! - [`shape`]: counts that an index can answer

mod binary;
mod cells;
mod grid;
mod plan;
mod samples;
mod shape;
mod store;
mod vector;
mod worker;

use std::sync::Arc;

use super::ast::{Expr, Grouping, LogExpr};
use super::error::{Error, ErrorKind, Result};
use super::grammar::RangeOp;
use super::labels::Labels;
use super::pipeline::{Pipeline, Unwrap, Wanted};
use super::pushdown::Pushdown;
use binary::Value;
use grid::Cuts;
pub use grid::Grid;
use plan::Node;
pub use shape::CountShape;
use vector::SeriesRow;
pub use worker::LeafWorker;

/// What a query may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Series of a leaf.
    pub series_max: usize,
    /// Steps of a range.
    pub steps_max: usize,
    /// Series times steps, of each part of the query.
    pub points_max: usize,
    /// Cells of time of all series of a worker, and of workers that were merged; a cell is 8 to 32
    /// bytes.
    pub cells_max: usize,
    /// Values that quantiles and rates of counters keep, of a worker and of workers that were merged.
    pub samples_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            series_max: 10_000,
            steps_max: 11_000,
            points_max: 10_000_000,
            cells_max: 16_000_000,
            samples_max: 10_000_000,
        }
    }
}

impl Limits {
    fn check_points(&self, series: usize, steps: usize) -> Result<()> {
        if series.saturating_mul(steps) > self.points_max {
            let message = format!(
                "{series} series of {steps} steps are more than {} points",
                self.points_max
            );
            return Err(Error::limit(message));
        }
        Ok(())
    }
}

/// What a leaf makes of the entries in a window.
#[derive(Clone, Copy, Debug)]
struct LeafFunction {
    op: RangeOp,
    is_unwrapped: bool,
    parameter: f64,
    range_ns: i64,
    offset_ns: i64,
}

impl LeafFunction {
    fn counts_bytes(&self) -> bool {
        matches!(self.op, RangeOp::Bytes | RangeOp::BytesRate)
    }
}

/// One range function of a query, and what it needs.
pub struct Leaf {
    index: usize,
    log: LogExpr,
    pushdown: Pushdown,
    function: LeafFunction,
    grouping: Grouping,
    pipeline: Pipeline,
    unwrap: Option<Unwrap>,
    cuts: Cuts,
    grid: Grid,
}

impl Leaf {
    /// Its place among the leaves.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The lines that it is about.
    pub fn log(&self) -> &LogExpr {
        &self.log
    }

    /// What a scan for it may leave out.
    pub fn pushdown(&self) -> &Pushdown {
        &self.pushdown
    }

    /// The labels of structured metadata that it looks at.
    pub fn structured(&self) -> &Wanted {
        self.pipeline.structured()
    }

    /// Whether it looks at lines, and not at their number and labels alone.
    pub fn reads_line(&self) -> bool {
        self.function.counts_bytes() || self.pipeline.reads_line()
    }

    /// The times that it looks at, in nanoseconds since the epoch: after the first, up to and with the
    /// second.
    pub fn range_ns(&self) -> (i64, i64) {
        self.cuts.range()
    }

    /// The times at which windows begin and end, ascending: entries after one and up to and with the
    /// next belong to the same windows.
    pub fn cuts(&self) -> Vec<i64> {
        self.cuts.times()
    }
}

/// A query for numbers over a grid of times.
pub struct RangeEval {
    leaves: Vec<Arc<Leaf>>,
    root: Node,
    grid: Grid,
    limits: Limits,
}

/// A value of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The series.
    pub labels: Labels,
    /// When, in nanoseconds since the epoch.
    pub time_ns: i64,
    /// The value.
    pub value: f64,
}

/// A series with its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What tells it from others.
    pub labels: Labels,
    /// Time in nanoseconds since the epoch and value, by time; steps without a value are left out.
    pub points: Vec<(i64, f64)>,
}

/// What a query comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One number at one moment.
    Scalar(i64, f64),
    /// Series at one moment: by labels, or as `sort` and `topk` order them.
    Vector(Vec<Sample>),
    /// Series over a range, by labels.
    Matrix(Vec<Series>),
}

impl RangeEval {
    /// Prepares a query; `now_ns` is what templates take for the present.
    pub fn new(expr: &Expr, grid: Grid, limits: Limits, now_ns: i64) -> Result<Self> {
        grid.check(limits.steps_max)?;
        super::check(expr)?;
        let Expr::Metric(metric) = expr else {
            let message = "a query for log lines gives no numbers";
            return Err(Error::new(ErrorKind::Meaning, message));
        };
        let mut leaves = Vec::new();
        let root = plan::node(metric, None, &mut leaves, &grid, now_ns)?;
        Ok(Self { leaves, root, grid, limits })
    }

    /// The leaves: one scan each.
    pub fn leaves(&self) -> &[Arc<Leaf>] {
        &self.leaves
    }

    /// A worker for a leaf.
    pub fn worker(&self, leaf: &Arc<Leaf>) -> LeafWorker {
        LeafWorker::new(leaf, self.limits)
    }

    /// The answer out of all workers; a leaf without any has found nothing.
    pub fn finish(&self, workers: Vec<LeafWorker>) -> Result<Answer> {
        let mut merged: Vec<Option<LeafWorker>> = Vec::new();
        merged.resize_with(self.leaves.len(), || None);
        for worker in workers {
            let Some(slot) = merged.get_mut(worker.leaf().index) else { continue };
            match slot {
                Some(first) => first.merge(&worker)?,
                None => *slot = Some(worker),
            }
        }
        let steps = self.grid.steps();
        let mut series = Vec::with_capacity(merged.len());
        for (worker, leaf) in merged.into_iter().zip(&self.leaves) {
            let rows = worker.map_or(Ok(Vec::new()), |worker| worker.rows(steps))?;
            series.push(if leaf.function.op == RangeOp::Absent { leaf.absent(rows) } else { rows });
        }
        let value = self.root.value(&mut series, steps, &self.limits)?;
        Ok(self.answer(value))
    }

    fn answer(&self, value: Value) -> Answer {
        let steps = self.grid.steps();
        let mut rows = match value {
            Value::Scalar(number) if self.grid.is_instant() => {
                return Answer::Scalar(self.grid.start_ns, number);
            }
            Value::Scalar(number) => {
                vec![SeriesRow { labels: Labels::default(), points: vec![Some(number); steps] }]
            }
            Value::Series(rows) => rows,
        };
        if !(self.grid.is_instant() && self.root.is_ordered()) {
            rows.sort_by(|a, b| a.labels.cmp(&b.labels));
        }
        if self.grid.is_instant() {
            let time_ns = self.grid.start_ns;
            let sample = |row: SeriesRow| {
                let value = row.points.first().copied().flatten()?;
                Some(Sample { labels: row.labels, time_ns, value })
            };
            return Answer::Vector(rows.into_iter().filter_map(sample).collect());
        }
        let series = rows.into_iter().map(|row| {
            let points = row.points.iter().enumerate();
            let points = points.filter_map(|(at, point)| Some((self.grid.time_ns(at), (*point)?)));
            Series { labels: row.labels, points: points.collect() }
        });
        Answer::Matrix(series.filter(|series| !series.points.is_empty()).collect())
    }
}
