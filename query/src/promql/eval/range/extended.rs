//! `rate`, `increase`, `delta` over ranges with edges: anchored ones begin with the last point before
//! the range, smoothed ones interpolate at both ends. Nothing is extrapolated.

use std::sync::Arc;

use throughline_model::histogram::{Incompatible, NativeHistogram, ResetHint};

use super::{Context, Sample, Window};
use crate::promql::ast::Edges;
use crate::promql::eval::histograms::{add, interpolate, subtract};
use crate::promql::eval::select::line;
use crate::promql::notes::Note;

pub(super) fn change(
    window: &Window<'_>,
    context: &mut Context<'_>,
    is_counter: bool,
    is_rate: bool,
) -> Option<Sample> {
    match window.histograms.is_empty() {
        true => of_floats(window, context, is_counter, is_rate).map(Sample::Float),
        false => {
            let times = window.histogram_times;
            let (first, last) = ends(times, window, context.edges)?;
            let change = of_histograms(window, context, first, last, is_counter);
            match change {
                Ok(mut change) => {
                    if is_rate {
                        change.divide(range_s(window));
                    }
                    change.hint = ResetHint::Gauge;
                    change.drop_empty();
                    Some(Sample::Histogram(change.into()))
                }
                Err(Incompatible) => {
                    context.note(Note::MixedExponentialCustom);
                    None
                }
            }
        }
    }
}

fn range_s(window: &Window<'_>) -> f64 {
    (window.end_ms - window.start_ms) as f64 / 1e3
}

/// The points that stand for the edges.
fn ends(times: &[i64], window: &Window<'_>, edges: Edges) -> Option<(usize, usize)> {
    let mut last = times.len().checked_sub(1)?;
    let before = times[..last].partition_point(|time| *time <= window.start_ms);
    let first = before.saturating_sub(1);
    if edges == Edges::Smoothed {
        last = times[..last].partition_point(|time| *time < window.end_ms);
    }
    let is_outside =
        times[last] <= window.start_ms || edges == Edges::Smoothed && times[first] > window.end_ms;
    (!is_outside).then_some((first, last))
}

fn of_floats(
    window: &Window<'_>,
    context: &Context<'_>,
    is_counter: bool,
    is_rate: bool,
) -> Option<f64> {
    let (times, values) = (window.times, window.floats);
    let (first, last) = ends(times, window, context.edges)?;
    let is_smoothed = context.edges == Edges::Smoothed;
    let pair = |i: usize| (times[i], values[i]);
    let left = match is_smoothed && times[first] < window.start_ms {
        true => line(pair(first), pair(first + 1), window.start_ms, is_counter),
        false => values[first],
    };
    let right = match is_smoothed && last > 0 && times[last] > window.end_ms {
        true => line(pair(last - 1), pair(last), window.end_ms, is_counter),
        false => values[last],
    };
    let mut change = right - left;
    if is_counter {
        let inside = (first..=last)
            .filter(|i| times[*i] > window.start_ms || *i != first)
            .filter(|i| times[*i] < window.end_ms || *i != last);
        let mut before = left;
        for value in inside.map(|i| values[i]).chain([right]) {
            if value < before {
                change += before;
            }
            before = value;
        }
    }
    Some(if is_rate { change / range_s(window) } else { change })
}

fn of_histograms(
    window: &Window<'_>,
    context: &mut Context<'_>,
    first: usize,
    last: usize,
    is_counter: bool,
) -> Result<NativeHistogram, Incompatible> {
    let (times, values) = (window.histogram_times, window.histograms);
    let is_custom = values[first].has_custom_buckets();
    for histogram in &values[first..=last] {
        if histogram.has_custom_buckets() != is_custom {
            return Err(Incompatible);
        }
        if is_counter && histogram.hint == ResetHint::Gauge {
            context.note(Note::NotCounter);
        }
    }
    let is_smoothed = context.edges == Edges::Smoothed;
    let pair = |i: usize| (times[i], &*values[i]);
    let span = context.span;
    let left = match is_smoothed && times[first] < window.start_ms {
        true => {
            let (a, b) = (pair(first), pair(first + 1));
            interpolate(a, b, window.start_ms, is_counter, context.notes, span)?
        }
        false => (*values[first]).clone(),
    };
    let right = match is_smoothed && last > 0 && times[last] > window.end_ms {
        true => {
            let (a, b) = (pair(last - 1), pair(last));
            interpolate(a, b, window.end_ms, is_counter, context.notes, span)?
        }
        false => (*values[last]).clone(),
    };
    let is_gauge = left.hint == ResetHint::Gauge && right.hint == ResetHint::Gauge;
    if !is_counter && !is_gauge {
        context.note(Note::NotGauge);
    }
    let mut change = right.clone();
    subtract(&mut change, &left, context.notes, span)?;
    if is_counter {
        let is_left_reset = is_smoothed
            && times[first] < window.start_ms
            && values[first + 1].is_reset_since(&values[first]);
        let correction = correction(&values[first..=last], is_left_reset, &left, &right, context)?;
        if let Some(correction) = correction {
            add(&mut change, &correction, context.notes, span)?;
        }
    }
    Ok(change)
}

/// What the counter had reached before each of its resets.
fn correction(
    values: &[Arc<NativeHistogram>],
    is_left_reset: bool,
    left: &NativeHistogram,
    right: &NativeHistogram,
    context: &mut Context<'_>,
) -> Result<Option<NativeHistogram>, Incompatible> {
    let last = values.len() - 1;
    let (mut before, mut from) = (left, 1);
    if is_left_reset {
        // The left edge lies in the middle of a reset, which is in it already.
        (before, from) = (&*values[1], 2);
    }
    if from > last {
        return Ok(None); // nothing lies between the edges, or both lie in the same reset
    }
    let mut total: Option<NativeHistogram> = None;
    let between = values.get(from..last).unwrap_or_default();
    for histogram in between.iter().map(|histogram| &**histogram).chain([right]) {
        if histogram.is_reset_since(before) {
            match &mut total {
                None => total = Some(before.clone()),
                Some(total) => add(total, before, context.notes, context.span)?,
            }
        }
        before = histogram;
    }
    Ok(total)
}
