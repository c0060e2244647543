//! `irate` and `idelta`: the last two points of a window.

use std::sync::Arc;

use throughline_model::histogram::{NativeHistogram, ResetHint};

use super::rate::is_reset;
use super::{Context, Result, Sample, Window};
use crate::promql::eval::histograms::subtract;
use crate::promql::notes::Note;

pub(super) fn irate(window: &Window<'_>, context: &mut Context<'_>) -> Result<Option<Sample>> {
    Ok(of_last_two(window, context, true))
}

pub(super) fn idelta(window: &Window<'_>, context: &mut Context<'_>) -> Result<Option<Sample>> {
    Ok(of_last_two(window, context, false))
}

/// A point: start, time, value.
type Point = (i64, i64, Sample);

/// The last two points of a window, whichever they are.
fn last_two(window: &Window<'_>) -> Option<(Point, Point)> {
    let start = |starts: &[i64], i: usize| starts.get(i).copied().unwrap_or(0);
    let floats = (window.floats.len().saturating_sub(2)..window.floats.len())
        .map(|i| (start(window.starts, i), window.times[i], Sample::Float(window.floats[i])));
    let histograms = &window.histograms;
    let histograms = (histograms.len().saturating_sub(2)..histograms.len()).map(|i| {
        let histogram = Sample::Histogram(window.histograms[i].clone());
        (start(window.histogram_starts, i), window.histogram_times[i], histogram)
    });
    let mut all = floats.chain(histograms).collect::<Vec<_>>();
    all.sort_by_key(|(_, time, _)| *time);
    let last = all.pop()?;
    Some((all.pop()?, last))
}

fn of_last_two(window: &Window<'_>, context: &mut Context<'_>, is_rate: bool) -> Option<Sample> {
    let (before, last) = last_two(window)?;
    let interval_ms = last.1 - before.1;
    if interval_ms == 0 {
        return None;
    }
    let starts_anew = is_reset((before.0, before.1), (last.0, last.1));
    let interval_s = interval_ms as f64 / 1e3;
    match (before.2, last.2) {
        (Sample::Float(before), Sample::Float(last)) => {
            let is_new = is_rate && (last < before || starts_anew);
            let change = if is_new { last } else { last - before };
            Some(Sample::Float(if is_rate { change / interval_s } else { change }))
        }
        (Sample::Histogram(before), Sample::Histogram(last)) => {
            let change = of_histograms(&before, &last, starts_anew, context, is_rate)?;
            let mut change = NativeHistogram { hint: ResetHint::Gauge, ..change };
            change.drop_empty();
            if is_rate {
                change.divide(interval_s);
            }
            Some(Sample::Histogram(change.into()))
        }
        _ => {
            context.note(Note::MixedFloatsHistograms);
            None
        }
    }
}

fn of_histograms(
    before: &Arc<NativeHistogram>,
    last: &Arc<NativeHistogram>,
    starts_anew: bool,
    context: &mut Context<'_>,
    is_rate: bool,
) -> Option<NativeHistogram> {
    let gauges = [before, last].iter().filter(|h| h.hint == ResetHint::Gauge).count();
    if is_rate && gauges > 0 {
        context.note(Note::NotCounter);
    }
    if !is_rate && gauges < 2 {
        context.note(Note::NotGauge);
    }
    let mut change = (**last).clone();
    if !is_rate || !(starts_anew || last.is_reset_since(before)) {
        let outcome = subtract(&mut change, before, context.notes, context.span);
        if outcome.is_err() {
            context.note(Note::MixedExponentialCustom);
            return None;
        }
    }
    Some(change)
}
