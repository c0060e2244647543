//! The evaluation of expressions: all steps of a query at once, series by series.
//!
//! Scalars are a column of numbers, vectors are series with a column of values each. A function over a
//! range slides its window along the points of one series at a time.

mod aggregate;
mod aggregate_floats;
mod aggregate_k;
mod binary;
mod call;
mod classic;
mod dates;
mod histograms;
mod info;
mod label_functions;
mod quantiles;
mod range;
mod select;
mod sort;

use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;

use super::EvalOptions;
use super::ast::{Expr, Span, Subquery};
use super::labels::Labels;
use super::notes::Notes;
use super::prepare::subquery_grid;
use super::series::{Grid, PointSeries, Points, Sample, Samples, Series};
use super::source::Source;
use crate::{Error, ErrorKind, Result};

/// Two results that only differed in what was dropped.
const SAME_LABELS: &str = "vector cannot contain metrics with the same labelset";

/// The value of an expression.
#[derive(Debug)]
pub enum Value {
    /// A number at every step.
    Scalar(Vec<f64>),
    /// At most one value a step and series.
    Vector(Vec<Series>),
    /// The points of a range.
    Matrix(Vec<PointSeries>),
    /// A text.
    Text(String),
}

/// What was calculated apart, if anything came of it, and what it should be read with.
type Noted<T> = (Option<T>, Notes);

/// Evaluates expressions.
pub struct Evaluator<'a> {
    source: &'a Source,
    options: &'a EvalOptions,
    /// What the answer should be read with.
    pub notes: Notes,
    /// Samples that the query holds.
    samples: AtomicUsize,
}

/// An error of evaluation: the question is sound, but these data have no answer.
pub(super) fn failed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Evaluation, message)
}

impl<'a> Evaluator<'a> {
    /// An evaluator over a source of series.
    pub fn new(source: &'a Source, options: &'a EvalOptions) -> Self {
        Self { source, options, notes: Notes::default(), samples: AtomicUsize::new(0) }
    }

    /// Evaluates a whole query. Names that were to go are gone in the result.
    pub fn run(&mut self, expr: &Expr, grid: &Grid) -> Result<Value> {
        match self.eval(expr, grid)? {
            Value::Vector(series) if self.options.delays_name_removal => {
                let drop = |mut series: Series| {
                    if series.drops_name {
                        series.labels = series.labels.without_metric();
                    }
                    series
                };
                Ok(Value::Vector(merge_same(series.into_iter().map(drop).collect())?))
            }
            Value::Matrix(mut series) => {
                for series in series.iter_mut().filter(|series| series.drops_name) {
                    series.labels = series.labels.without_metric();
                }
                Ok(Value::Matrix(series))
            }
            other => Ok(other),
        }
    }

    fn eval(&mut self, expr: &Expr, grid: &Grid) -> Result<Value> {
        self.source.check()?;
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.eval_inner(expr, grid))
    }

    fn eval_inner(&mut self, expr: &Expr, grid: &Grid) -> Result<Value> {
        match expr {
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, grid),
            Expr::Binary(binary) => self.binary(binary, grid),
            Expr::Call(call) => self.call(call, grid),
            Expr::Matrix(matrix) => Ok(Value::Matrix(self.matrix(matrix, grid)?)),
            Expr::Number(number) => Ok(Value::Scalar(vec![number.value; grid.steps])),
            Expr::Paren(paren) => self.eval(&paren.inner, grid),
            Expr::Subquery(subquery) => Ok(Value::Matrix(self.subquery(subquery, grid)?)),
            Expr::Text(text) => Ok(Value::Text(text.value.clone())),
            Expr::Unary(unary) => match self.eval(&unary.operand, grid)? {
                value if !unary.is_negative => Ok(value),
                Value::Scalar(values) => Ok(Value::Scalar(values.iter().map(|v| -v).collect())),
                Value::Vector(series) => self.negative(series),
                _ => Err(Error::internal("a sign before a value of another type")),
            },
            Expr::Vector(selector) => Ok(Value::Vector(self.instant(selector, grid)?)),
            Expr::Invariant(inner) => {
                let value = self.eval(inner, &Grid { steps: 1, ..*grid })?;
                self.repeat(value, grid.steps)
            }
        }
    }

    fn scalar(&mut self, expr: &Expr, grid: &Grid) -> Result<Vec<f64>> {
        match self.eval(expr, grid)? {
            Value::Scalar(values) => Ok(values),
            _ => Err(Error::internal(format!("'{expr}' is no scalar"))),
        }
    }

    fn vector(&mut self, expr: &Expr, grid: &Grid) -> Result<Vec<Series>> {
        match self.eval(expr, grid)? {
            Value::Vector(series) => Ok(series),
            _ => Err(Error::internal(format!("'{expr}' is no vector"))),
        }
    }

    fn text<'e>(&self, expr: &'e Expr) -> Result<&'e str> {
        match expr.without_parens() {
            Expr::Text(text) => Ok(&text.value),
            _ => Err(Error::internal(format!("'{expr}' is no text"))),
        }
    }

    /// Counts samples that the query holds.
    fn hold(&self, samples: usize) -> Result<()> {
        let held = self.samples.fetch_add(samples, Ordering::Relaxed) + samples;
        if held > self.options.samples_max {
            return Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "query processing would load too many samples into memory in query execution: \
                     the limit is {}",
                    self.options.samples_max
                ),
            ));
        }
        Ok(())
    }

    fn release(&self, samples: usize) {
        self.samples.fetch_sub(samples, Ordering::Relaxed);
    }

    /// Samples that the query holds.
    fn held(&self) -> usize {
        self.samples.load(Ordering::Relaxed)
    }

    /// Holds as many as before something was calculated, and those of its result.
    fn hold_instead(&self, before: usize, samples: usize) -> Result<()> {
        self.samples.store(before, Ordering::Relaxed);
        self.hold(samples)
    }

    /// Takes the notes of what was calculated apart.
    fn noted<T>(&mut self, found: Vec<Noted<T>>) -> Vec<T> {
        let notes = &mut self.notes;
        let take = |(value, own): Noted<T>| {
            notes.merge(own);
            value
        };
        found.into_iter().filter_map(take).collect()
    }

    /// A series whose value is no longer that of its metric.
    fn calculated(&self, series: &mut Series) {
        series.drops_name = true;
        if !self.options.delays_name_removal {
            series.labels = series.labels.without_metric();
        }
    }

    fn negative(&self, mut series: Vec<Series>) -> Result<Value> {
        for series in &mut series {
            self.calculated(series);
            for step in 0..series.samples.steps() {
                match series.samples.get(step) {
                    Some(Sample::Float(value)) => series.samples.set_float(step, -value),
                    Some(Sample::Histogram(histogram)) => {
                        let mut histogram = (*histogram).clone();
                        histogram.multiply(-1.0);
                        series.samples.set(step, Sample::Histogram(histogram.into()));
                    }
                    None => {}
                }
            }
        }
        Ok(Value::Vector(merge_same(series)?))
    }

    /// The value of one step at every step.
    fn repeat(&mut self, value: Value, steps: usize) -> Result<Value> {
        Ok(match value {
            Value::Scalar(values) => {
                Value::Scalar(vec![values.first().copied().unwrap_or(f64::NAN); steps])
            }
            Value::Vector(mut series) => {
                self.hold(series.len() * steps.saturating_sub(1))?;
                for series in &mut series {
                    let mut samples = Samples::missing(steps);
                    if let Some(sample) = series.samples.get(0) {
                        (0..steps).for_each(|step| samples.set(step, sample.clone()));
                    }
                    series.samples = samples;
                }
                Value::Vector(series)
            }
            other => other,
        })
    }

    /// The values of a subquery as points.
    fn subquery(&mut self, subquery: &Subquery, grid: &Grid) -> Result<Vec<PointSeries>> {
        let step_ms = subquery.step.as_ref().map_or(self.options.default_step_ms, |s| s.ms).max(1);
        let inner = subquery_grid(grid, &subquery.shift, subquery.range.ms, step_ms);
        if inner.steps == 0 {
            return Ok(Vec::new());
        }
        let before = self.held();
        let series = self.vector(&subquery.inner, &inner)?;
        let points = series.into_iter().map(|series| {
            let mut points = Points::default();
            for step in 0..inner.steps {
                let time_ms = inner.time_ms(step);
                match series.samples.get(step) {
                    Some(Sample::Float(value)) => points.push_float(time_ms, 0, value),
                    Some(Sample::Histogram(histogram)) => {
                        let histogram = histograms::without_reset_hint(histogram);
                        points.push_histogram(time_ms, 0, histogram);
                    }
                    None => {}
                }
            }
            PointSeries { labels: series.labels, drops_name: series.drops_name, points }
        });
        let points = points.filter(|series| !series.points.is_empty()).collect::<Vec<_>>();
        self.hold_instead(before, points.iter().map(|series| series.points.len()).sum())?;
        Ok(points)
    }

    /// Whether the query has one step, so that an order of results can be kept.
    fn is_instant(&self, grid: &Grid) -> bool {
        grid.steps == 1
    }
}

/// Makes one series of those with the same labels; two values at one time are an error.
fn merge_same(series: Vec<Series>) -> Result<Vec<Series>> {
    if series.len() < 2 {
        return Ok(series);
    }
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(series.len());
    let mut merged: Vec<Series> = Vec::with_capacity(series.len());
    for series in series {
        match places.entry_ref(&series.labels) {
            hashbrown::hash_map::EntryRef::Vacant(entry) => {
                entry.insert(merged.len());
                merged.push(series);
            }
            hashbrown::hash_map::EntryRef::Occupied(entry) => {
                let kept = &mut merged[*entry.get()];
                for step in 0..series.samples.steps() {
                    let Some(sample) = series.samples.get(step) else { continue };
                    if kept.samples.has(step) {
                        return Err(failed(SAME_LABELS));
                    }
                    kept.samples.set(step, sample);
                }
            }
        }
    }
    Ok(merged)
}

/// Drops series without a value.
fn drop_empty(series: &mut Vec<Series>) {
    series.retain(|series| !series.samples.is_empty());
}

/// Where the argument of a call stands.
fn span_of(arguments: &[Expr], argument: usize) -> Span {
    arguments.get(argument).map(Expr::span).unwrap_or_default()
}
