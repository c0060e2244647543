//! Questions in PromQL.

use std::sync::Arc;

use super::ast::{Expr, Type};
use super::eval::{Evaluator, Value};
use super::labels::Labels;
use super::notes::Notes;
use super::series::{Grid, PointSeries, Points, Sample, Series};
use super::{EvalOptions, Source, expression, prepare};
use crate::{Engine, Error, QueryContext, QueryStatsSnapshot, Result};

/// A question.
#[derive(Clone, Debug)]
pub struct Request {
    /// The query.
    pub query: String,
    /// The first time of evaluation, in milliseconds.
    pub start_ms: i64,
    /// The last time of evaluation.
    pub end_ms: i64,
    /// Between two times; none for an instant query, whose start and end are the same.
    pub step_ms: Option<i64>,
    /// How it is evaluated.
    pub options: EvalOptions,
}

impl Request {
    /// A question about one time.
    pub fn instant(query: &str, time_ms: i64) -> Self {
        let query = query.to_owned();
        let options = EvalOptions::default();
        Self { query, start_ms: time_ms, end_ms: time_ms, step_ms: None, options }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The value. That of a range query is a matrix, sorted by labels.
    pub value: Value,
    /// The times of the values of scalars and vectors.
    pub time_ms: i64,
    /// What is to be read with it.
    pub notes: Notes,
    /// What the query did.
    pub stats: QueryStatsSnapshot,
}

impl Engine {
    /// Evaluates a query.
    pub async fn promql(&self, request: Request, ctx: &QueryContext) -> Result<Answer> {
        let expr =
            expression(&request.query).map_err(|err| Error::invalid("query", err.to_string()))?;
        let admitted = self.admit(ctx).await?;
        let (view, scan) = (admitted.view.clone(), admitted.budget.scan.clone());
        let tracker = scan.tracker.clone();
        let (index, threads) = (self.series_index().clone(), self.parallelism());
        let work = tracker.spawn_blocking(move || {
            let source = Source::new(view, scan, index, threads);
            run(expr, &request, &source)
        });
        let outcome = admitted.budget.run(async {
            work.await
                .map_err(|err| Error::internal(format!("a query of metrics failed: {err}")))?
        });
        let (value, notes, time_ms) = outcome.await?;
        Ok(Answer { value, time_ms, notes, stats: admitted.budget.stats.snapshot() })
    }
}

fn run(expr: Expr, request: &Request, source: &Source) -> Result<(Value, Notes, i64)> {
    let (start_ms, end_ms) = (request.start_ms, request.end_ms);
    let step_ms = request.step_ms.unwrap_or(0);
    let is_range = request.step_ms.is_some();
    if is_range && !matches!(expr.value_type(), Type::Scalar | Type::Vector) {
        return Err(Error::invalid(
            "query",
            format!(
                "invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
                expr.value_type().name()
            ),
        ));
    }
    let expr = prepare::prepare(expr, start_ms, end_ms, step_ms)?;
    let grid = match is_range {
        true => Grid::new(start_ms, end_ms, step_ms),
        false => Grid::instant(start_ms),
    };
    let mut evaluator = Evaluator::new(source, &request.options);
    let value = evaluator.run(&expr, &grid)?;
    let value = if is_range { matrix_of(value, &grid) } else { sorted(value) };
    Ok((value, evaluator.notes, start_ms))
}

/// The answer of a range query: series by labels, each with its points.
fn matrix_of(value: Value, grid: &Grid) -> Value {
    let series = match value {
        Value::Scalar(values) => {
            let mut points = Points::default();
            let times = grid.times().zip(values);
            times.for_each(|(time_ms, value)| points.push_float(time_ms, 0, value));
            vec![PointSeries { labels: Labels::default(), drops_name: false, points }]
        }
        Value::Vector(series) => series.iter().map(|series| points_of(series, grid)).collect(),
        other => return other,
    };
    sorted(Value::Matrix(series))
}

fn points_of(series: &Series, grid: &Grid) -> PointSeries {
    let mut points = Points::default();
    for step in 0..grid.steps {
        match series.samples.get(step) {
            Some(Sample::Float(value)) => points.push_float(grid.time_ms(step), 0, value),
            Some(Sample::Histogram(histogram)) => {
                points.push_histogram(grid.time_ms(step), 0, Arc::clone(&histogram));
            }
            None => {}
        }
    }
    PointSeries { labels: series.labels.clone(), drops_name: false, points }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Matrix(mut series) => {
            series.retain(|series| !series.points.is_empty());
            series.sort_by(|a, b| a.labels.cmp(&b.labels));
            Value::Matrix(series)
        }
        other => other,
    }
}
