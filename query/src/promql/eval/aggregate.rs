//! Aggregations that make one series of each group.

use std::sync::Arc;

use hashbrown::HashMap;
use throughline_model::histogram::{Incompatible, KahanHistogram, NativeHistogram, kahan_add};

use super::range::over_time::{HistogramMean, Mean, Met};
use super::{
    Evaluator, Result, Value, aggregate_floats, drop_empty, failed, merge_same, quantiles,
};
use crate::promql::ast::{Aggregate, AggregateOp, Span};
use crate::promql::labels::{Labels, NAME};
use crate::promql::notes::{HistogramOp, Note, Notes};
use crate::promql::numbers::plain;
use crate::promql::series::{Grid, Sample, Samples, Series};

/// The groups of the series of a vector.
pub(super) struct Groups {
    /// The group of each series.
    pub of_series: Vec<usize>,
    /// The labels of each group.
    pub labels: Vec<Labels>,
}

impl Groups {
    pub(super) fn new(series: &[Series], grouping: &[Arc<str>], is_without: bool) -> Self {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut groups = Self { of_series: Vec::with_capacity(series.len()), labels: Vec::new() };
        for series in series {
            let labels = group_labels(&series.labels, grouping, is_without);
            let new = groups.labels.len();
            let place = *places.entry_ref(&labels).or_insert(new);
            if place == new {
                groups.labels.push(labels);
            }
            groups.of_series.push(place);
        }
        groups
    }
}

fn group_labels(labels: &Labels, grouping: &[Arc<str>], is_without: bool) -> Labels {
    match is_without {
        true => labels.filter(|name| name != NAME && !grouping.iter().any(|own| **own == *name)),
        false => labels.only(grouping),
    }
}

impl Evaluator<'_> {
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate, grid: &Grid) -> Result<Value> {
        if aggregate.op == AggregateOp::CountValues {
            return self.count_values(aggregate, grid);
        }
        let parameter = match &aggregate.parameter {
            Some(parameter) => self.scalar(parameter, grid)?,
            None => Vec::new(),
        };
        let before = self.held();
        let series = self.vector(&aggregate.operand, grid)?;
        let groups = Groups::new(&series, &aggregate.grouping, aggregate.is_without);
        use AggregateOp::{BottomK, LimitK, LimitRatio, TopK};
        let result = match aggregate.op {
            TopK | BottomK | LimitK | LimitRatio => {
                self.aggregate_k(aggregate, &parameter, series, &groups, grid)?
            }
            _ => self.aggregate_groups(aggregate, &parameter, &series, groups, grid),
        };
        self.hold_instead(before, result.iter().map(|series| series.samples.len()).sum())?;
        Ok(Value::Vector(result))
    }

    fn aggregate_groups(
        &mut self,
        aggregate: &Aggregate,
        parameter: &[f64],
        series: &[Series],
        groups: Groups,
        grid: &Grid,
    ) -> Vec<Series> {
        let op = aggregate.op;
        if let Some(results) = aggregate_floats::aggregate(op, series, &groups, grid.steps) {
            return results;
        }
        let span = aggregate.operand.span();
        if op == AggregateOp::Quantile
            && let Some(place) = &aggregate.parameter
        {
            note_quantiles(parameter, place.span(), &mut self.notes);
        }
        let mut cells = Vec::new();
        cells.resize_with(groups.labels.len() * grid.steps, || None::<Cell>);
        let mut drops = vec![false; groups.labels.len()];
        for (series, group) in series.iter().zip(&groups.of_series) {
            drops[*group] |= series.drops_name;
            let cells = &mut cells[group * grid.steps..][..grid.steps];
            let mut add = Add { op, span, notes: &mut self.notes, labels: &series.labels };
            for (step, cell) in cells.iter_mut().enumerate() {
                if let Some(value) = series.samples.float(step) {
                    add.float(cell, value);
                } else if let Some(histogram) = series.samples.histogram(step) {
                    add.histogram(cell, histogram);
                }
            }
        }
        let mut cells = cells.into_iter();
        let mut results = Vec::with_capacity(groups.labels.len());
        for (labels, drops_name) in groups.labels.into_iter().zip(drops) {
            let mut samples = Samples::missing(grid.steps);
            for step in 0..grid.steps {
                let cell = cells.next().flatten();
                let q = parameter.get(step).copied().unwrap_or(0.0);
                let value = cell.and_then(|cell| cell.finish(op, q, span, &mut self.notes));
                if let Some(value) = value {
                    samples.set(step, value);
                }
            }
            results.push(Series { labels, drops_name, samples });
        }
        drop_empty(&mut results);
        results
    }

    fn count_values(&mut self, aggregate: &Aggregate, grid: &Grid) -> Result<Value> {
        let label = match &aggregate.parameter {
            Some(parameter) => self.text(parameter)?,
            None => "",
        };
        if label.is_empty() {
            return Err(failed(format!("invalid label name \"{label}\"")));
        }
        let label: Arc<str> = label.into();
        let mut grouping = aggregate.grouping.clone();
        if !aggregate.is_without {
            grouping.push(label.clone());
        }
        let series = self.vector(&aggregate.operand, grid)?;
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut results: Vec<Series> = Vec::new();
        for series in &series {
            for step in 0..grid.steps {
                let value = match series.samples.get(step) {
                    Some(Sample::Float(value)) => plain(value),
                    Some(Sample::Histogram(histogram)) => histogram.to_string(),
                    None => continue,
                };
                let labels = series.labels.with(&label, &value);
                let labels = group_labels(&labels, &grouping, aggregate.is_without);
                let new = results.len();
                let place = *places.entry_ref(&labels).or_insert(new);
                if place == new {
                    let samples = Samples::missing(grid.steps);
                    results.push(Series { labels, drops_name: false, samples });
                }
                let samples = &mut results[place].samples;
                samples.set_float(step, samples.float(step).unwrap_or(0.0) + 1.0);
            }
        }
        self.hold(results.iter().map(|series| series.samples.len()).sum())?;
        Ok(Value::Vector(merge_same(results)?))
    }
}

fn note_quantiles(quantiles: &[f64], span: Span, notes: &mut Notes) {
    if quantiles.iter().any(|q| q.is_nan()) {
        notes.add(Note::InvalidQuantile(f64::NAN.to_bits()), span);
    }
    let least = quantiles.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = quantiles.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for q in [least, greatest] {
        if q < 0.0 && q.is_finite() || q > 1.0 && q.is_finite() || q.is_infinite() {
            let is_given = quantiles.contains(&q);
            if is_given {
                notes.add(Note::InvalidQuantile(q.to_bits()), span);
            }
        }
    }
}

/// What a group has come to at one step.
enum Cell {
    /// A sum of numbers.
    Sum((f64, f64)),
    /// A mean of numbers.
    Mean(Mean),
    /// The least, greatest or constant number.
    One(f64),
    /// How many values.
    Count(f64),
    /// Count, mean and sum of squared distances.
    Variance { count: f64, mean: f64, squares: f64 },
    /// All numbers.
    All(Vec<f64>),
    /// A sum or mean of histograms.
    Histograms(Box<Histograms>),
    /// Values that cannot be combined; nothing comes of them.
    Mixed,
    /// Histograms of different kinds; nothing comes of them.
    Incompatible,
}

struct Histograms {
    total: Total,
    met: Met,
}

enum Total {
    Sum(KahanHistogram),
    Mean(HistogramMean),
}

struct Add<'a> {
    op: AggregateOp,
    span: Span,
    notes: &'a mut Notes,
    labels: &'a Labels,
}

impl Add<'_> {
    fn float(&mut self, cell: &mut Option<Cell>, value: f64) {
        let Some(cell) = cell else {
            *cell = Some(self.first_float(value));
            return;
        };
        match cell {
            Cell::Sum(sum) => *sum = kahan_add(value, *sum),
            Cell::Mean(mean) => mean.add(value),
            Cell::Count(count) => *count += 1.0,
            Cell::One(kept) => {
                let is_better = match self.op {
                    AggregateOp::Max => *kept < value || kept.is_nan(),
                    AggregateOp::Min => *kept > value || kept.is_nan(),
                    _ => false,
                };
                *kept = if is_better { value } else { *kept };
            }
            Cell::Variance { count, mean, squares } => {
                *count += 1.0;
                let delta = value - *mean;
                *mean += delta / *count;
                *squares += delta * (value - *mean);
            }
            Cell::All(values) => values.push(value),
            Cell::Histograms(_) => *cell = Cell::Mixed,
            Cell::Mixed | Cell::Incompatible => {}
        }
    }

    fn first_float(&self, value: f64) -> Cell {
        match self.op {
            AggregateOp::Sum => Cell::Sum((value, 0.0)),
            AggregateOp::Avg => {
                let mut mean = Mean::default();
                mean.add(value);
                Cell::Mean(mean)
            }
            AggregateOp::Count => Cell::Count(1.0),
            AggregateOp::Group => Cell::One(1.0),
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                let squares = if value.is_finite() { 0.0 } else { f64::NAN };
                Cell::Variance { count: 1.0, mean: value, squares }
            }
            AggregateOp::Quantile => Cell::All(vec![value]),
            _ => Cell::One(value),
        }
    }

    fn histogram(&mut self, cell: &mut Option<Cell>, histogram: &NativeHistogram) {
        match self.op {
            AggregateOp::Sum | AggregateOp::Avg => self.add_histogram(cell, histogram),
            AggregateOp::Count => match cell {
                Some(Cell::Count(count)) => *count += 1.0,
                _ => *cell = Some(Cell::Count(1.0)),
            },
            AggregateOp::Group => *cell = Some(Cell::One(1.0)),
            op => {
                self.notes.add(Note::HistogramIgnoredInAggregation(op.name()), self.span);
            }
        }
    }

    fn add_histogram(&mut self, cell: &mut Option<Cell>, histogram: &NativeHistogram) {
        match cell {
            None => {
                let total = match self.op {
                    AggregateOp::Sum => Total::Sum(KahanHistogram::from(histogram)),
                    _ => Total::Mean(HistogramMean::new(histogram)),
                };
                let mut met = Met::default();
                met.hint(histogram);
                *cell = Some(Cell::Histograms(Box::new(Histograms { total, met })));
            }
            Some(Cell::Histograms(histograms)) => {
                histograms.met.hint(histogram);
                let outcome = match &mut histograms.total {
                    Total::Sum(sum) => sum.add(histogram).map(|noted| noted.is_reconciled),
                    Total::Mean(mean) => mean.add(histogram),
                };
                match outcome {
                    Ok(false) => {}
                    Ok(true) => {
                        let note = Note::MismatchedCustomBuckets(HistogramOp::Aggregation);
                        self.notes.add(note, self.span);
                    }
                    Err(Incompatible) => {
                        let metric = self.labels.find(NAME).cloned();
                        let metric = metric.unwrap_or_else(|| "".into());
                        self.notes.add(Note::MixedExponentialCustom(metric), self.span);
                        *cell = Some(Cell::Incompatible);
                    }
                }
            }
            Some(Cell::Mixed | Cell::Incompatible) => {}
            Some(cell) => *cell = Cell::Mixed,
        }
    }
}

impl Cell {
    fn finish(self, op: AggregateOp, q: f64, span: Span, notes: &mut Notes) -> Option<Sample> {
        Some(Sample::Float(match self {
            Cell::Sum((sum, compensation)) => sum + compensation,
            Cell::Mean(mean) => mean.finish(),
            Cell::One(value) | Cell::Count(value) => value,
            Cell::Variance { count, squares, .. } if op == AggregateOp::Stdvar => squares / count,
            Cell::Variance { count, squares, .. } => (squares / count).sqrt(),
            Cell::All(mut values) => quantiles::quantile(q, &mut values),
            Cell::Histograms(histograms) => {
                if histograms.met.reset && histograms.met.not_reset {
                    let note = Note::CounterResetCollision(HistogramOp::Aggregation);
                    notes.add(note, span);
                }
                let total = match histograms.total {
                    Total::Sum(sum) => sum.finish(),
                    Total::Mean(mean) => mean.finish(),
                };
                return Some(Sample::Histogram(total.into()));
            }
            Cell::Mixed => {
                notes.add(Note::MixedFloatsHistogramsInAggregation, span);
                return None;
            }
            Cell::Incompatible => return None,
        }))
    }
}
