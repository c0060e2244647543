//! Selectors: the value of series at steps, and the points of a range.

use std::sync::Arc;

use throughline_model::histogram::{NativeHistogram, ResetHint, is_stale};

use super::{Evaluator, Result, failed, histograms};
use crate::promql::ast::{At, Edges, MatrixSelector, Shift, Span, VectorSelector};
use crate::promql::labels::NAME;
use crate::promql::notes::{Note, Notes};
use crate::promql::series::{Grid, PointSeries, Points, Sample, Samples, Series};
use crate::promql::source::Work;
use crate::promql::source::points::keep_totals;

/// The time that a selector looks at for a step.
pub(super) fn reference_ms(shift: &Shift, step_ms: i64) -> i64 {
    match shift.at {
        Some(At::Time(at)) => at - shift.offset.ms,
        _ => step_ms - shift.offset.ms,
    }
}

/// The earliest and latest reference of a grid.
pub(super) fn references_ms(shift: &Shift, grid: &Grid) -> (i64, i64) {
    (reference_ms(shift, grid.start_ms), reference_ms(shift, grid.end_ms()))
}

impl Evaluator<'_> {
    /// Does `work` on the series of a selector with their points from `from_ms` to `to_ms`.
    pub(super) fn each<T: Send>(
        &self,
        selector: &VectorSelector,
        (from_ms, to_ms): (i64, i64),
        work: &Work<'_, T>,
    ) -> Result<Vec<T>> {
        self.source.each(&selector.matchers, from_ms, to_ms, &|mut series| {
            if selector.only_totals {
                keep_totals(&mut series.points);
            }
            work(series)
        })
    }

    /// The newest value of each series at each step, if it is not older than the lookback.
    pub(super) fn instant(
        &mut self,
        selector: &VectorSelector,
        grid: &Grid,
    ) -> Result<Vec<Series>> {
        let lookback_ms = self.options.lookback_ms;
        let (first, last) = references_ms(&selector.shift, grid);
        let is_smoothed = selector.edges == Edges::Smoothed;
        let last = if is_smoothed { last + lookback_ms } else { last };
        let this = &*self;
        let found = this.each(selector, (first - lookback_ms + 1, last), &|series| {
            let mut notes = Notes::default();
            let samples = match is_smoothed {
                true => this.smoothed(&series, selector, grid, &mut notes),
                false => newest(&series.points, &selector.shift, grid, lookback_ms),
            };
            let count = samples.len();
            this.hold(count)?;
            let result = Series { labels: series.labels, drops_name: false, samples };
            Ok(Some(((count > 0).then_some(result), notes)))
        })?;
        Ok(self.noted(found))
    }

    /// The times, in milliseconds, of the newest values of each series.
    pub(super) fn instant_times(
        &mut self,
        selector: &VectorSelector,
        grid: &Grid,
        of_start: bool,
    ) -> Result<Vec<Series>> {
        let lookback_ms = self.options.lookback_ms;
        let (first, last) = references_ms(&selector.shift, grid);
        let this = &*self;
        this.each(selector, (first - lookback_ms + 1, last), &|series| {
            let mut samples = Samples::missing(grid.steps);
            let mut cursor = Cursor::new(&series.points);
            for step in 0..grid.steps {
                let reference = reference_ms(&selector.shift, grid.time_ms(step));
                if let Some(place) = cursor.newest(reference, lookback_ms) {
                    let (time_ms, start_ms) = place.times(&series.points);
                    let ms = if of_start { start_ms } else { time_ms };
                    samples.set_float(step, ms as f64 / 1e3);
                }
            }
            if samples.is_empty() {
                return Ok(None);
            }
            this.hold(samples.len())?;
            Ok(Some(Series { labels: series.labels, drops_name: false, samples }))
        })
    }

    /// The points of a range, as the answer of a query.
    pub(super) fn matrix(
        &mut self,
        matrix: &MatrixSelector,
        grid: &Grid,
    ) -> Result<Vec<PointSeries>> {
        let end = reference_ms(&matrix.selector.shift, grid.start_ms);
        let start = end - matrix.range.ms;
        let lookback_ms = self.options.lookback_ms;
        let edges = matrix.selector.edges;
        let (from, to) = match edges {
            Edges::Plain => (start, end),
            Edges::Anchored => (start - lookback_ms, end),
            Edges::Smoothed => (start - lookback_ms, end + lookback_ms),
        };
        let this = &*self;
        this.each(&matrix.selector, (from + 1, to), &|mut series| {
            series.points.drop_stale();
            if edges != Edges::Plain && !series.points.histograms.is_empty() {
                let word = if edges == Edges::Anchored { "anchored" } else { "smoothed" };
                let message = format!("{word} modifier is not supported with histograms");
                return Err(failed(message));
            }
            if edges != Edges::Plain {
                extend(&mut series.points, start, end, edges == Edges::Smoothed);
            }
            this.hold(series.points.len())?;
            Ok((!series.points.is_empty()).then_some(series))
        })
    }

    /// The value at each step as a line between the points around it has it.
    fn smoothed(
        &self,
        series: &PointSeries,
        selector: &VectorSelector,
        grid: &Grid,
        notes: &mut Notes,
    ) -> Samples {
        let mut points = series.points.clone();
        points.drop_stale();
        let mut samples = Samples::missing(grid.steps);
        let lookback_ms = self.options.lookback_ms;
        for step in 0..grid.steps {
            let at = reference_ms(&selector.shift, grid.time_ms(step));
            let inside = |times: &[i64]| {
                let start = times.partition_point(|time| *time <= at - lookback_ms);
                start..times.partition_point(|time| *time <= at + lookback_ms)
            };
            let (floats, histograms) =
                (inside(&points.float_times), inside(&points.histogram_times));
            let name = || series.labels.find(NAME).cloned().unwrap_or_else(|| "".into());
            if !floats.is_empty() && !histograms.is_empty() {
                notes.add(Note::MixedFloatsHistograms(name()), selector.span);
            } else if !floats.is_empty() {
                let (times, values) = (&points.float_times[floats.clone()], &points.floats[floats]);
                if let Some(value) = between(times, values, at) {
                    samples.set_float(step, value);
                }
            } else if !histograms.is_empty() {
                let times = &points.histogram_times[histograms.clone()];
                let values = &points.histograms[histograms];
                let value = histogram_between((times, values), at, name(), selector.span, notes);
                if let Some(value) = value {
                    samples.set(step, Sample::Histogram(value));
                }
            }
        }
        samples
    }
}

fn histogram_between(
    (times, values): (&[i64], &[Arc<NativeHistogram>]),
    at: i64,
    name: Arc<str>,
    span: Span,
    notes: &mut Notes,
) -> Option<Arc<NativeHistogram>> {
    let i = times.partition_point(|time| *time < at);
    if times.get(i) == Some(&at) {
        return Some(values[i].clone());
    }
    if i == 0 {
        return None;
    }
    let Some(next) = values.get(i) else {
        // Nothing comes after: the last value holds.
        return Some(
            NativeHistogram { hint: ResetHint::Unknown, ..(*values[i - 1]).clone() }.into(),
        );
    };
    let last = &values[i - 1];
    if last.has_custom_buckets() != next.has_custom_buckets() {
        notes.add(Note::MixedExponentialCustom(name), span);
        return None;
    }
    let is_counter = last.hint != ResetHint::Gauge || next.hint != ResetHint::Gauge;
    let (left, right) = ((times[i - 1], &**last), (times[i], &**next));
    histograms::interpolate(left, right, at, is_counter, notes, span).ok().map(Arc::new)
}

/// Where the newest point is.
#[derive(Clone, Copy)]
enum Place {
    Float(usize),
    Histogram(usize),
}

impl Place {
    fn times(self, points: &Points) -> (i64, i64) {
        let at = |starts: &[i64], i: usize| starts.get(i).copied().unwrap_or(0);
        match self {
            Place::Float(i) => (points.float_times[i], at(&points.float_starts, i)),
            Place::Histogram(i) => (points.histogram_times[i], at(&points.histogram_starts, i)),
        }
    }
}

/// Walks along points as the reference grows.
struct Cursor<'a> {
    points: &'a Points,
    float: usize,
    histogram: usize,
    before_ms: i64,
}

impl<'a> Cursor<'a> {
    fn new(points: &'a Points) -> Self {
        Self { points, float: 0, histogram: 0, before_ms: i64::MIN }
    }

    fn newest(&mut self, reference_ms: i64, lookback_ms: i64) -> Option<Place> {
        if reference_ms < self.before_ms {
            (self.float, self.histogram) = (0, 0);
        }
        self.before_ms = reference_ms;
        let points = self.points;
        let ahead = |times: &[i64], at: &mut usize| {
            *at += times[*at..].iter().take_while(|time| **time <= reference_ms).count();
        };
        ahead(&points.float_times, &mut self.float);
        ahead(&points.histogram_times, &mut self.histogram);
        let float = self.float.checked_sub(1).map(|i| (points.float_times[i], Place::Float(i)));
        let histogram = self.histogram.checked_sub(1);
        let histogram = histogram.map(|i| (points.histogram_times[i], Place::Histogram(i)));
        let (time_ms, place) = match (float, histogram) {
            (Some(float), Some(histogram)) if histogram.0 >= float.0 => histogram,
            (Some(float), _) => float,
            (None, Some(histogram)) => histogram,
            (None, None) => return None,
        };
        let is_over = match place {
            Place::Float(i) => is_stale(points.floats[i]),
            Place::Histogram(i) => points.histograms[i].is_stale(),
        };
        (time_ms > reference_ms - lookback_ms && !is_over).then_some(place)
    }
}

fn newest(points: &Points, shift: &Shift, grid: &Grid, lookback_ms: i64) -> Samples {
    let mut samples = Samples::missing(grid.steps);
    if points.histograms.is_empty() && shift.at.is_none() {
        newest_floats(points, shift, grid, lookback_ms, &mut samples);
        return samples;
    }
    let mut cursor = Cursor::new(points);
    for step in 0..grid.steps {
        match cursor.newest(reference_ms(shift, grid.time_ms(step)), lookback_ms) {
            Some(Place::Float(i)) => samples.set_float(step, points.floats[i]),
            Some(Place::Histogram(i)) => {
                samples.set(step, Sample::Histogram(points.histograms[i].clone()));
            }
            None => {}
        }
    }
    samples
}

/// The same where all are numbers, and the reference grows with the steps.
fn newest_floats(
    points: &Points,
    shift: &Shift,
    grid: &Grid,
    lookback_ms: i64,
    samples: &mut Samples,
) {
    let times = &points.float_times;
    let mut next = 0;
    for step in 0..grid.steps {
        let reference = reference_ms(shift, grid.time_ms(step));
        while times.get(next).is_some_and(|time| *time <= reference) {
            next += 1;
        }
        let Some(newest) = next.checked_sub(1) else { continue };
        if times[newest] > reference - lookback_ms && !is_stale(points.floats[newest]) {
            samples.set_float(step, points.floats[newest]);
        }
    }
}

/// The value at a time on the line between the points around it; after the last point, its value.
fn between(times: &[i64], values: &[f64], at: i64) -> Option<f64> {
    let i = times.partition_point(|time| *time < at);
    if times.get(i) == Some(&at) {
        return Some(values[i]);
    }
    if i == 0 {
        return None;
    }
    match values.get(i) {
        None => Some(values[i - 1]),
        Some(_) => Some(line((times[i - 1], values[i - 1]), (times[i], values[i]), at, false)),
    }
}

/// The value at a time on the line between two points. A counter that was reset between them starts
/// from zero.
pub(super) fn line(left: (i64, f64), right: (i64, f64), at: i64, is_counter: bool) -> f64 {
    let y = if is_counter && right.1 < left.1 { 0.0 } else { left.1 };
    y + (right.1 - y) * (at - left.0) as f64 / (right.0 - left.0) as f64
}

/// Puts values at the edges of a range in place of the points outside it.
fn extend(points: &mut Points, start: i64, end: i64, is_smoothed: bool) {
    let (times, values) = (&points.float_times, &points.floats);
    let len = times.len();
    if len == 0 {
        return;
    }
    let mut last = len - 1;
    let first = times[..last].partition_point(|time| *time <= start).saturating_sub(1);
    if is_smoothed {
        last = times[..last].partition_point(|time| *time < end);
    }
    if times[last] <= start {
        *points = Points::default();
        return;
    }
    let pair = |i: usize| (times[i], values[i]);
    let left = match is_smoothed && times[first] < start {
        true => line(pair(first), pair(first + 1), start, false),
        false => values[first],
    };
    let right = match is_smoothed && last > 0 && times[last] > end {
        true => line(pair(last - 1), pair(last), end, false),
        false => values[last],
    };
    let mut extended = Points::default();
    extended.push_float(start, 0, left);
    for i in (0..len).filter(|i| *i >= first && *i <= last) {
        if times[i] > start && times[i] < end {
            extended.push_float(times[i], 0, values[i]);
        }
    }
    extended.push_float(end, 0, right);
    *points = extended;
}
