//! Lines and curves through the numbers of a window.

use throughline_model::histogram::kahan_add;

use super::{Context, Result, Sample, Window, failed};
use crate::promql::notes::Note;

/// Whether there are enough numbers; notes where histograms were passed over.
fn has_enough(window: &Window<'_>, context: &mut Context<'_>) -> bool {
    let is_enough = window.floats.len() >= 2;
    if !window.histograms.is_empty() && !window.floats.is_empty() {
        context.note(Note::HistogramIgnoredInRange);
    }
    is_enough
}

pub(super) fn deriv(window: &Window<'_>, context: &mut Context<'_>) -> Result<Option<Sample>> {
    if !has_enough(window, context) {
        return Ok(None);
    }
    // A time near the points keeps the numbers small.
    let (slope, _) = line(window, window.times[0]);
    Ok(Some(Sample::Float(slope)))
}

pub(super) fn predict_linear(
    window: &Window<'_>,
    context: &mut Context<'_>,
) -> Result<Option<Sample>> {
    if !has_enough(window, context) {
        return Ok(None);
    }
    let (slope, intercept) = line(window, window.at_ms);
    let ahead_s = context.scalars[0];
    Ok(Some(Sample::Float(slope * ahead_s + intercept)))
}

/// Slope and value at a time of the line with the least squares.
fn line(window: &Window<'_>, at_ms: i64) -> (f64, f64) {
    let first = window.floats[0];
    if window.floats.iter().all(|value| *value == first) {
        if first.is_infinite() {
            return (f64::NAN, f64::NAN);
        }
        return (0.0, first);
    }
    let mut sums = [(0.0, 0.0); 4];
    for (time, y) in window.times.iter().zip(window.floats) {
        let x = (time - at_ms) as f64 / 1e3;
        for (sum, value) in sums.iter_mut().zip([x, *y, x * y, x * x]) {
            *sum = kahan_add(value, *sum);
        }
    }
    let n = window.floats.len() as f64;
    let [x, y, xy, xx] = sums.map(|(sum, compensation)| sum + compensation);
    let slope = (xy - x * y / n) / (xx - x * x / n);
    (slope, y / n - slope * x / n)
}

pub(super) fn double_exponential_smoothing(
    window: &Window<'_>,
    context: &mut Context<'_>,
) -> Result<Option<Sample>> {
    let (smoothing, trend) = (context.scalars[0], context.scalars[1]);
    if smoothing <= 0.0 || smoothing >= 1.0 {
        let message =
            format!("invalid smoothing factor. Expected: 0 < sf < 1, got: {smoothing:.6}");
        return Err(failed(message));
    }
    if trend <= 0.0 || trend >= 1.0 {
        let message = format!("invalid trend factor. Expected: 0 < tf < 1, got: {trend:.6}");
        return Err(failed(message));
    }
    if !has_enough(window, context) {
        return Ok(None);
    }
    let values = window.floats;
    let (mut before, mut now, mut slope) = (0.0, values[0], values[1] - values[0]);
    for (i, value) in values.iter().enumerate().skip(1) {
        if i > 1 {
            slope = trend * (now - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (now + slope);
        (before, now) = (now, next);
    }
    Ok(Some(Sample::Float(now)))
}
