//! Functions over ranges: a window slides along the points of each series.

mod changes;
mod extended;
mod instant;
pub(super) mod over_time;
mod rate;
mod regression;

use std::ops::Range;
use std::sync::Arc;

use throughline_model::histogram::NativeHistogram;

use super::select::{reference_ms, references_ms};
use super::{Evaluator, Result, SAME_LABELS, Value, failed, merge_same};
use crate::promql::ast::{Call, Edges, Expr, Shift, Span, Type};
use crate::promql::labels::NAME;
use crate::promql::notes::{Note, Notes};
use crate::promql::series::{Grid, PointSeries, Points, Sample, Samples, Series};

/// The points of one series in one window.
pub(super) struct Window<'a> {
    /// Times of numbers in milliseconds.
    pub times: &'a [i64],
    /// Numbers.
    pub floats: &'a [f64],
    /// When their counters began; empty if nothing is known.
    pub starts: &'a [i64],
    /// Times of histograms.
    pub histogram_times: &'a [i64],
    /// Histograms.
    pub histograms: &'a [Arc<NativeHistogram>],
    /// When the histograms began.
    pub histogram_starts: &'a [i64],
    /// The range's first millisecond is after this.
    pub start_ms: i64,
    /// Its last millisecond.
    pub end_ms: i64,
    /// The time of evaluation.
    pub at_ms: i64,
}

/// What a function knows besides its window.
pub(super) struct Context<'a> {
    /// For what the answer should be read with.
    pub notes: &'a mut Notes,
    /// The metric's name.
    pub metric: Arc<str>,
    /// Where the first argument stands.
    pub span: Span,
    /// How the edges of the range are found.
    pub edges: Edges,
    /// The other arguments at this step.
    pub scalars: &'a [f64],
}

impl Context<'_> {
    fn note(&mut self, note: impl FnOnce(Arc<str>) -> Note) {
        let note = note(self.metric.clone());
        self.notes.add(note, self.span);
    }
}

/// A function over a range.
pub(super) type RangeFunction = fn(&Window<'_>, &mut Context<'_>) -> Result<Option<Sample>>;

/// The function over a range of that name.
pub(super) fn function(name: &str) -> Option<RangeFunction> {
    Some(match name {
        "absent_over_time" | "present_over_time" => |_, _| Ok(Some(Sample::Float(1.0))),
        "avg_over_time" => over_time::avg,
        "changes" => changes::changes,
        "count_over_time" => over_time::count,
        "delta" => rate::delta,
        "deriv" => regression::deriv,
        "double_exponential_smoothing" => regression::double_exponential_smoothing,
        "first_over_time" => over_time::first,
        "idelta" => instant::idelta,
        "increase" => rate::increase,
        "irate" => instant::irate,
        "last_over_time" => over_time::last,
        "mad_over_time" => over_time::mad,
        "max_over_time" => over_time::max,
        "min_over_time" => over_time::min,
        "predict_linear" => regression::predict_linear,
        "quantile_over_time" => over_time::quantile,
        "rate" => rate::rate,
        "resets" => changes::resets,
        "stddev_over_time" => over_time::stddev,
        "stdvar_over_time" => over_time::stdvar,
        "sum_over_time" => over_time::sum,
        "ts_of_first_over_time" => over_time::ts_of_first,
        "ts_of_last_over_time" => over_time::ts_of_last,
        "ts_of_max_over_time" => over_time::ts_of_max,
        "ts_of_min_over_time" => over_time::ts_of_min,
        _ => return None,
    })
}

/// A range whose points are loaded.
struct Ranged {
    series: Vec<PointSeries>,
    shift: Shift,
    range_ms: i64,
    edges: Edges,
}

impl Evaluator<'_> {
    pub(super) fn over_range(
        &mut self,
        call: &Call,
        function: RangeFunction,
        grid: &Grid,
    ) -> Result<Value> {
        let name = call.function.name;
        let mut scalars = Vec::new();
        let mut ranged = None;
        for argument in &call.arguments {
            match argument.value_type() {
                Type::Matrix => ranged = Some(self.ranged(name, argument, grid)?),
                _ => scalars.push(self.scalar(argument, grid)?),
            }
        }
        let Some(ranged) = ranged else {
            return Err(failed(format!("{name} has no range")));
        };
        let loaded = ranged.series.iter().map(|series| series.points.len()).sum();
        let span = self.argument_span(call, 0);
        let keeps_name = matches!(name, "last_over_time" | "first_over_time");
        let mut results = Vec::with_capacity(ranged.series.len());
        for series in &ranged.series {
            let samples = self.slide(series, &ranged, &scalars, function, span, grid)?;
            if samples.is_empty() {
                continue;
            }
            self.hold(samples.len())?;
            if matches!(name, "rate" | "increase") {
                self.note_if_no_counter(series, &samples, span);
            }
            let drops_name = series.drops_name;
            let mut result = Series { labels: series.labels.clone(), drops_name, samples };
            if !keeps_name || drops_name {
                self.calculated(&mut result);
            }
            results.push(result);
        }
        self.release(loaded);
        if name == "absent_over_time" {
            return Ok(Value::Vector(self.absent_over_time(call, &results, grid)));
        }
        if self.options.delays_name_removal || keeps_name {
            return Ok(Value::Vector(results));
        }
        let count = results.len();
        let merged = merge_same(results)?;
        if merged.len() != count {
            return Err(failed(SAME_LABELS));
        }
        Ok(Value::Vector(merged))
    }

    /// Loads the points of a range at all steps.
    fn ranged(&mut self, name: &str, argument: &Expr, grid: &Grid) -> Result<Ranged> {
        match argument.without_parens() {
            Expr::Matrix(matrix) => {
                let selector = &matrix.selector;
                check_edges(name, selector.edges)?;
                let (first, last) = references_ms(&selector.shift, grid);
                let lookback_ms = self.options.lookback_ms;
                let (before, after) = match selector.edges {
                    Edges::Plain => (0, 0),
                    Edges::Anchored => (lookback_ms, 0),
                    Edges::Smoothed => (lookback_ms, lookback_ms),
                };
                let from = first - matrix.range.ms - before + 1;
                let mut series = self.load(selector, from, last + after)?;
                series.iter_mut().for_each(|series| series.points.drop_stale());
                self.hold(series.iter().map(|series| series.points.len()).sum())?;
                let (shift, edges) = (selector.shift.clone(), selector.edges);
                Ok(Ranged { series, shift, range_ms: matrix.range.ms, edges })
            }
            Expr::Subquery(subquery) => Ok(Ranged {
                series: self.subquery(subquery, grid)?,
                shift: subquery.shift.clone(),
                range_ms: subquery.range.ms,
                edges: Edges::Plain,
            }),
            other => Err(failed(format!("'{other}' is no range"))),
        }
    }

    fn slide(
        &mut self,
        series: &PointSeries,
        ranged: &Ranged,
        scalars: &[Vec<f64>],
        function: RangeFunction,
        span: Span,
        grid: &Grid,
    ) -> Result<Samples> {
        let points = &series.points;
        let lookback_ms = self.options.lookback_ms;
        let (before, after) = match ranged.edges {
            Edges::Plain => (0, 0),
            Edges::Anchored => (lookback_ms, 0),
            Edges::Smoothed => (lookback_ms, lookback_ms),
        };
        let metric = series.labels.find(NAME).cloned().unwrap_or_else(|| "".into());
        let mut samples = Samples::missing(grid.steps);
        let (mut floats, mut histograms) = (0..0, 0..0);
        let has_starts = self.options.uses_start_times;
        for step in 0..grid.steps {
            let at_ms = grid.time_ms(step);
            let end_ms = reference_ms(&ranged.shift, at_ms);
            let start_ms = end_ms - ranged.range_ms;
            let (from, to) = (start_ms - before, end_ms + after);
            move_to(&mut floats, &points.float_times, from, to);
            move_to(&mut histograms, &points.histogram_times, from, to);
            if floats.is_empty() && histograms.is_empty() {
                continue;
            }
            let others = scalars.iter().map(|values| values[step]).collect::<Vec<_>>();
            let metric = metric.clone();
            let (notes, edges) = (&mut self.notes, ranged.edges);
            let mut context = Context { notes, metric, span, edges, scalars: &others };
            let window = window(points, &floats, &histograms, has_starts);
            let window = Window { start_ms, end_ms, at_ms, ..window };
            if let Some(sample) = function(&window, &mut context)? {
                samples.set(step, sample);
            }
        }
        Ok(samples)
    }

    fn note_if_no_counter(&mut self, series: &PointSeries, samples: &Samples, span: Span) {
        const ENDINGS: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];
        let Some(metric) = series.labels.find(NAME) else { return };
        if !(0..samples.steps()).any(|step| samples.float(step).is_some()) {
            return;
        }
        if self.options.has_type_labels {
            let found = series.labels.get(crate::promql::labels::TYPE);
            if !matches!(found, "counter" | "histogram") {
                let (metric, found) = (metric.clone(), found.into());
                self.notes.add(Note::PossibleNonCounterType { metric, found }, span);
            }
        } else if !ENDINGS.iter().any(|ending| metric.ends_with(ending)) {
            self.notes.add(Note::PossibleNonCounter(metric.clone()), span);
        }
    }
}

/// Moves a window over sorted times to those after `from` and up to `to`.
fn move_to(window: &mut Range<usize>, times: &[i64], from: i64, to: i64) {
    let is_ahead =
        |at: usize, limit: i64| times.get(at.wrapping_sub(1)).is_none_or(|t| *t <= limit);
    if !is_ahead(window.start, from) || !is_ahead(window.end, to) {
        *window = 0..0;
    }
    while times.get(window.end).is_some_and(|time| *time <= to) {
        window.end += 1;
    }
    while window.start < window.end && times[window.start] <= from {
        window.start += 1;
    }
}

fn window<'a>(
    points: &'a Points,
    floats: &Range<usize>,
    histograms: &Range<usize>,
    has_starts: bool,
) -> Window<'a> {
    let starts = |starts: &'a [i64], range: &Range<usize>| match has_starts && !starts.is_empty() {
        true => &starts[range.clone()],
        false => &[],
    };
    Window {
        times: &points.float_times[floats.clone()],
        floats: &points.floats[floats.clone()],
        starts: starts(&points.float_starts, floats),
        histogram_times: &points.histogram_times[histograms.clone()],
        histograms: &points.histograms[histograms.clone()],
        histogram_starts: starts(&points.histogram_starts, histograms),
        start_ms: 0,
        end_ms: 0,
        at_ms: 0,
    }
}

fn check_edges(name: &str, edges: Edges) -> Result<()> {
    let (word, functions): (_, &[&str]) = match edges {
        Edges::Plain => return Ok(()),
        Edges::Anchored => ("anchored", &["changes", "delta", "increase", "rate", "resets"]),
        Edges::Smoothed => ("smoothed", &["delta", "increase", "rate"]),
    };
    match functions.contains(&name) {
        true => Ok(()),
        false => Err(failed(format!(
            "{word} modifier can only be used with: {} - not with {name}",
            functions.join(", ")
        ))),
    }
}
