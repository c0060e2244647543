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
use super::{Evaluator, Noted, Result, SAME_LABELS, Value, failed, merge_same};
use crate::promql::ast::{Call, Edges, Expr, MatrixSelector, Shift, Span, Type};
use crate::promql::labels::NAME;
use crate::promql::notes::{Note, Notes};
use crate::promql::series::{Grid, PointSeries, Points, Sample, Samples, Series};

/// The points of one series in one window.
#[derive(Default)]
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
    pub metric: &'a Arc<str>,
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

/// A function over a range, with all but the points.
struct Sliding<'a> {
    name: &'static str,
    function: RangeFunction,
    span: Span,
    shift: Shift,
    range_ms: i64,
    edges: Edges,
    scalars: Vec<Vec<f64>>,
    grid: &'a Grid,
}

impl Evaluator<'_> {
    pub(super) fn over_range(
        &mut self,
        call: &Call,
        function: RangeFunction,
        grid: &Grid,
    ) -> Result<Value> {
        let name = call.function.name;
        let (mut scalars, mut range) = (Vec::new(), None);
        for argument in &call.arguments {
            match argument.value_type() {
                Type::Matrix => range = Some(argument.without_parens()),
                _ => scalars.push(self.scalar(argument, grid)?),
            }
        }
        let (shift, range_ms, edges) = match range {
            Some(Expr::Matrix(matrix)) => {
                let selector = &matrix.selector;
                check_edges(name, selector.edges)?;
                (selector.shift.clone(), matrix.range.ms, selector.edges)
            }
            Some(Expr::Subquery(subquery)) => {
                (subquery.shift.clone(), subquery.range.ms, Edges::Plain)
            }
            _ => return Err(failed(format!("{name} has no range"))),
        };
        let span = self.argument_span(call, 0);
        let sliding = Sliding { name, function, span, shift, range_ms, edges, scalars, grid };
        let results = match range {
            Some(Expr::Matrix(matrix)) => self.over_points(matrix, &sliding)?,
            Some(Expr::Subquery(subquery)) => {
                let series = self.subquery(subquery, grid)?;
                let points = series.iter().map(|series| series.points.len()).sum();
                let found = series.into_iter().map(|series| self.over_series(series, &sliding));
                let found = found.collect::<Result<Vec<_>>>()?;
                self.release(points);
                found
            }
            _ => Vec::new(),
        };
        let results = self.noted(results);
        if name == "absent_over_time" {
            return Ok(Value::Vector(self.absent_over_time(call, &results, grid)));
        }
        if self.options.delays_name_removal || keeps_name(name) {
            return Ok(Value::Vector(results));
        }
        let count = results.len();
        let merged = merge_same(results)?;
        if merged.len() != count {
            return Err(failed(SAME_LABELS));
        }
        Ok(Value::Vector(merged))
    }

    /// Slides along stored points at all steps.
    fn over_points(
        &self,
        matrix: &MatrixSelector,
        sliding: &Sliding<'_>,
    ) -> Result<Vec<Noted<Series>>> {
        let (first, last) = references_ms(&sliding.shift, sliding.grid);
        let (before, after) = self.margins(sliding.edges);
        let from = first - matrix.range.ms - before + 1;
        self.each(&matrix.selector, (from, last + after), &|mut series| {
            series.points.drop_stale();
            let count = series.points.len();
            self.hold(count)?;
            let found = self.over_series(series, sliding)?;
            self.release(count);
            Ok(Some(found))
        })
    }

    /// How far before and after a range points tell what is at its edges.
    fn margins(&self, edges: Edges) -> (i64, i64) {
        let lookback_ms = self.options.lookback_ms;
        match edges {
            Edges::Plain => (0, 0),
            Edges::Anchored => (lookback_ms, 0),
            Edges::Smoothed => (lookback_ms, lookback_ms),
        }
    }

    fn over_series(&self, series: PointSeries, sliding: &Sliding<'_>) -> Result<Noted<Series>> {
        let mut notes = Notes::default();
        let samples = self.slide(&series, sliding, &mut notes)?;
        let count = samples.len();
        if count == 0 {
            return Ok((None, notes));
        }
        self.hold(count)?;
        if matches!(sliding.name, "rate" | "increase") {
            self.note_if_no_counter(&series, &samples, sliding.span, &mut notes);
        }
        let drops_name = series.drops_name;
        let mut result = Series { labels: series.labels, drops_name, samples };
        if !keeps_name(sliding.name) || drops_name {
            self.calculated(&mut result);
        }
        Ok((Some(result), notes))
    }

    fn slide(
        &self,
        series: &PointSeries,
        sliding: &Sliding<'_>,
        notes: &mut Notes,
    ) -> Result<Samples> {
        let (points, grid) = (&series.points, sliding.grid);
        let mut samples = Samples::missing(grid.steps);
        let has_starts = self.options.uses_start_times;
        if let Some(change) = rate::plain(sliding, points, has_starts) {
            change.over(sliding, points, &mut samples);
            return Ok(samples);
        }
        if sliding.name == "last_over_time" && points.histograms.is_empty() {
            plain_last(sliding, points, &mut samples);
            return Ok(samples);
        }
        let (before, after) = self.margins(sliding.edges);
        let metric = series.labels.find(NAME).cloned().unwrap_or_else(|| "".into());
        let (mut floats, mut histograms) = (0..0, 0..0);
        let mut others = vec![0.0; sliding.scalars.len()];
        for step in 0..grid.steps {
            let at_ms = grid.time_ms(step);
            let end_ms = reference_ms(&sliding.shift, at_ms);
            let start_ms = end_ms - sliding.range_ms;
            let (from, to) = (start_ms - before, end_ms + after);
            move_to(&mut floats, &points.float_times, from, to);
            move_to(&mut histograms, &points.histogram_times, from, to);
            if floats.is_empty() && histograms.is_empty() {
                continue;
            }
            others.iter_mut().zip(&sliding.scalars).for_each(|(own, all)| *own = all[step]);
            let (span, edges) = (sliding.span, sliding.edges);
            let mut context = Context { notes, metric: &metric, span, edges, scalars: &others };
            let window = window(points, &floats, &histograms, has_starts);
            let window = Window { start_ms, end_ms, at_ms, ..window };
            if let Some(sample) = (sliding.function)(&window, &mut context)? {
                samples.set(step, sample);
            }
        }
        Ok(samples)
    }

    fn note_if_no_counter(
        &self,
        series: &PointSeries,
        samples: &Samples,
        span: Span,
        notes: &mut Notes,
    ) {
        const ENDINGS: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];
        let Some(metric) = series.labels.find(NAME) else { return };
        if !(0..samples.steps()).any(|step| samples.float(step).is_some()) {
            return;
        }
        if self.options.has_type_labels {
            let found = series.labels.get(crate::promql::labels::TYPE);
            if !matches!(found, "counter" | "histogram") {
                let (metric, found) = (metric.clone(), found.into());
                notes.add(Note::PossibleNonCounterType { metric, found }, span);
            }
        } else if !ENDINGS.iter().any(|ending| metric.ends_with(ending)) {
            notes.add(Note::PossibleNonCounter(metric.clone()), span);
        }
    }
}

/// The last number of each window.
fn plain_last(sliding: &Sliding<'_>, points: &Points, samples: &mut Samples) {
    let mut floats = 0..0;
    for step in 0..sliding.grid.steps {
        let end_ms = reference_ms(&sliding.shift, sliding.grid.time_ms(step));
        move_to(&mut floats, &points.float_times, end_ms - sliding.range_ms, end_ms);
        if let Some(value) = points.floats[floats.clone()].last() {
            samples.set_float(step, *value);
        }
    }
}

/// Whether the value is one of the metric.
fn keeps_name(function: &str) -> bool {
    matches!(function, "last_over_time" | "first_over_time")
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
