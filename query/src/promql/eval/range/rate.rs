//! `rate`, `increase`, `delta`.
//!
//! The change between the first and last point of a window, extrapolated to the window: to its edge
//! where a point could be expected there, else by half of the average distance of points; a counter
//! never to before the time at which it would have been zero.

use throughline_model::histogram::{Incompatible, NativeHistogram, ResetHint};

use super::{
    Context, Points, Result, Sample, Samples, Sliding, Window, extended, move_to, reference_ms,
};
use crate::promql::ast::Edges;
use crate::promql::eval::histograms;
use crate::promql::notes::{HistogramOp, Note};

/// How much later than usual a point may be for its series to reach the window's edge.
const EXPECTED: f64 = 1.1;

pub(super) fn rate(window: &Window<'_>, context: &mut Context<'_>) -> Result<Option<Sample>> {
    Ok(change(window, context, true, true))
}

pub(super) fn increase(window: &Window<'_>, context: &mut Context<'_>) -> Result<Option<Sample>> {
    Ok(change(window, context, true, false))
}

pub(super) fn delta(window: &Window<'_>, context: &mut Context<'_>) -> Result<Option<Sample>> {
    Ok(change(window, context, false, false))
}

fn change(
    window: &Window<'_>,
    context: &mut Context<'_>,
    is_counter: bool,
    is_rate: bool,
) -> Option<Sample> {
    if !window.floats.is_empty() && !window.histograms.is_empty() {
        context.note(Note::MixedFloatsHistograms);
        return None;
    }
    if context.edges != Edges::Plain {
        return extended::change(window, context, is_counter, is_rate);
    }
    match window.histograms.is_empty() {
        true => of_floats(window, context, is_counter, is_rate).map(Sample::Float),
        false => of_histograms(window, context, is_counter, is_rate)
            .map(|histogram| Sample::Histogram(histogram.into())),
    }
}

/// The ends of what was sampled, and how far it is extrapolated.
struct Extent {
    first_ms: i64,
    last_ms: i64,
    /// Points less one.
    intervals: usize,
    /// Where the counter began, if that is inside the window.
    start_ms: Option<i64>,
}

impl Extent {
    fn new(window: &Window<'_>, times: &[i64], starts: &[i64], is_counter: bool) -> Self {
        let (first_ms, last_ms) = (times[0], times[times.len() - 1]);
        let is_inside =
            |start: &&i64| **start > window.start_ms && **start < first_ms && **start != 0;
        let start_ms = starts.first().filter(is_inside).copied().filter(|_| is_counter);
        Self { first_ms, last_ms, intervals: times.len() - 1, start_ms }
    }

    /// By what the change is multiplied. `to_zero` is the change's size over the first value's.
    fn factor(&self, window: &Window<'_>, zero: Option<f64>, is_rate: bool) -> f64 {
        let seconds = |ms: i64| ms as f64 / 1e3;
        let mut sampled = seconds(self.last_ms - self.first_ms);
        let average = if self.intervals > 0 { sampled / self.intervals as f64 } else { 0.0 };
        let threshold = average * EXPECTED;
        let mut to_start = seconds(self.first_ms - window.start_ms);
        let mut to_end = seconds(window.end_ms - self.last_ms);
        if let Some(start_ms) = self.start_ms {
            (to_start, sampled) = (0.0, seconds(self.last_ms - start_ms));
        } else {
            if to_start >= threshold {
                to_start = average / 2.0;
            }
            if let Some(part) = zero {
                let to_zero = sampled * part;
                to_start = if to_zero < to_start { to_zero } else { to_start };
            }
        }
        if to_end >= threshold {
            to_end = average / 2.0;
        }
        let factor = if sampled == 0.0 { 1.0 } else { (sampled + to_start + to_end) / sampled };
        let range = seconds(window.end_ms - window.start_ms);
        if is_rate { factor / range } else { factor }
    }
}

fn of_floats(
    window: &Window<'_>,
    context: &mut Context<'_>,
    is_counter: bool,
    is_rate: bool,
) -> Option<f64> {
    let (values, times) = (window.floats, window.times);
    let (first, last) = (*values.first()?, *values.last()?);
    let mut change = last - first;
    if is_counter {
        let mut has_overlap = false;
        for i in 1..values.len() {
            let starts = window.starts.get(i - 1..=i);
            has_overlap |= note_overlap(starts, times[i - 1], has_overlap, context);
            let is_new = starts.is_some_and(|s| is_reset((s[0], times[i - 1]), (s[1], times[i])));
            if values[i] < values[i - 1] || is_new {
                change += values[i - 1];
            }
        }
    }
    let extent = Extent::new(window, times, window.starts, is_counter);
    if extent.start_ms.is_some() {
        change += first;
    } else if extent.intervals == 0 {
        return None;
    }
    let zero = (is_counter && change > 0.0 && first >= 0.0).then(|| first / change);
    Some(change * extent.factor(window, zero, is_rate))
}

/// The change of numbers alone, whose starts do not matter: what nearly all questions are about.
pub(super) struct PlainChange {
    is_counter: bool,
    is_rate: bool,
    /// How many resets there were up to each point.
    resets: Vec<u32>,
}

/// The same result by a shorter way, where there is one.
pub(super) fn plain(
    sliding: &Sliding<'_>,
    points: &Points,
    has_starts: bool,
) -> Option<PlainChange> {
    let (is_counter, is_rate) = match sliding.name {
        "rate" => (true, true),
        "increase" => (true, false),
        "delta" => (false, false),
        _ => return None,
    };
    let is_plain = sliding.edges == Edges::Plain
        && points.histograms.is_empty()
        && (!has_starts || points.float_starts.is_empty());
    if !is_plain {
        return None;
    }
    let (mut resets, mut count) = (Vec::with_capacity(points.floats.len()), 0);
    let mut before = f64::NEG_INFINITY;
    for value in &points.floats {
        count += u32::from(*value < before);
        before = *value;
        resets.push(count);
    }
    Some(PlainChange { is_counter, is_rate, resets })
}

impl PlainChange {
    /// The change in the window of each step.
    pub(super) fn over(&self, sliding: &Sliding<'_>, points: &Points, samples: &mut Samples) {
        let grid = sliding.grid;
        let mut floats = 0..0;
        for step in 0..grid.steps {
            let end_ms = reference_ms(&sliding.shift, grid.time_ms(step));
            let start_ms = end_ms - sliding.range_ms;
            move_to(&mut floats, &points.float_times, start_ms, end_ms);
            if floats.len() < 2 {
                continue;
            }
            let (times, values) =
                (&points.float_times[floats.clone()], &points.floats[floats.clone()]);
            let (first, last) = (values[0], values[values.len() - 1]);
            let mut change = last - first;
            if self.is_counter && self.resets[floats.start] != self.resets[floats.end - 1] {
                for pair in values.windows(2).filter(|pair| pair[1] < pair[0]) {
                    change += pair[0];
                }
            }
            let window = Window { start_ms, end_ms, ..Window::default() };
            let extent = Extent::new(&window, times, &[], self.is_counter);
            let zero = (self.is_counter && change > 0.0 && first >= 0.0).then(|| first / change);
            samples.set_float(step, change * extent.factor(&window, zero, self.is_rate));
        }
    }
}

fn of_histograms(
    window: &Window<'_>,
    context: &mut Context<'_>,
    is_counter: bool,
    is_rate: bool,
) -> Option<NativeHistogram> {
    let (values, times) = (window.histograms, window.histogram_times);
    let extent = Extent::new(window, times, window.histogram_starts, is_counter);
    let mut change = match values.len() {
        1 => None,
        _ => Some(histogram_change(window, context, is_counter)?),
    };
    if extent.start_ms.is_some() {
        match &mut change {
            None => change = Some((*values[0]).clone()),
            Some(change) => {
                if histograms::add(change, &values[0], context.notes, context.span).is_err() {
                    context.note(Note::MixedExponentialCustom);
                    return None;
                }
            }
        }
    }
    let mut change = change?;
    let first = values[0].count;
    let zero = (is_counter && change.count > 0.0 && first >= 0.0).then(|| first / change.count);
    change.multiply(extent.factor(window, zero, is_rate));
    Some(change)
}

/// The change between the first and last histogram of a window, resets taken into account.
fn histogram_change(
    window: &Window<'_>,
    context: &mut Context<'_>,
    is_counter: bool,
) -> Option<NativeHistogram> {
    let (values, times) = (window.histograms, window.histogram_times);
    let (first, last) = (&values[0], &values[values.len() - 1]);
    let is_gauge = |histogram: &NativeHistogram| histogram.hint == ResetHint::Gauge;
    if is_counter && values.iter().any(|histogram| is_gauge(histogram)) {
        context.note(Note::NotCounter);
    }
    let starts = window.histogram_starts;
    let is_new = |i: usize| {
        let starts = starts.get(i - 1..=i);
        starts.is_some_and(|s| is_reset((s[0], times[i - 1]), (s[1], times[i])))
    };
    // Where the counter was reset after the first point, the layout of that one does not matter.
    let starts_over = is_counter && (is_new(1) || values[1].is_reset_since(first));
    let nothing = NativeHistogram {
        schema: values[1].schema,
        custom_values: values[1].custom_values.clone(),
        ..Default::default()
    };
    let first = if starts_over { &nothing } else { &**first };
    let is_custom = first.has_custom_buckets();
    let between = &values[1..values.len() - 1];
    let is_mixed = last.has_custom_buckets() != is_custom
        || is_counter && between.iter().any(|h| h.has_custom_buckets() != is_custom);
    if is_mixed {
        context.note(Note::MixedExponentialCustom);
        return None;
    }
    let mut change = (**last).clone();
    // A coarser histogram between would lose a reset if the ends were finer.
    if is_counter {
        between.iter().for_each(|histogram| change.reduce(histogram.schema));
    }
    let outcome = accumulate(&mut change, first, window, context, is_counter.then_some(&is_new));
    if outcome.is_err() {
        context.note(Note::MixedExponentialCustom);
        return None;
    }
    let are_gauges = is_gauge(&values[0]) && is_gauge(last);
    if !is_counter && !are_gauges {
        context.note(Note::NotGauge);
    }
    change.hint = ResetHint::Gauge;
    change.drop_empty();
    Some(change)
}

fn accumulate(
    change: &mut NativeHistogram,
    first: &NativeHistogram,
    window: &Window<'_>,
    context: &mut Context<'_>,
    is_new: Option<&dyn Fn(usize) -> bool>,
) -> std::result::Result<(), Incompatible> {
    histograms::subtract(change, first, context.notes, context.span)?;
    let Some(is_new) = is_new else { return Ok(()) };
    let mut before = first;
    let mut has_overlap = false;
    for (i, histogram) in window.histograms.iter().enumerate().skip(1) {
        let starts = window.histogram_starts.get(i - 1..=i);
        let before_ms = window.histogram_times[i - 1];
        has_overlap |= note_overlap(starts, before_ms, has_overlap, context);
        let is_reset = is_new(i) || histogram.is_reset_since(before);
        if is_reset && change.add(before)?.is_reconciled {
            let note = Note::MismatchedCustomBuckets(HistogramOp::Addition);
            context.notes.add(note, context.span);
        }
        before = histogram;
    }
    Ok(())
}

/// Whether the start of the later point says that the counter began anew: `(start, time)` each.
pub(super) fn is_reset(before: (i64, i64), now: (i64, i64)) -> bool {
    let (start, time) = now;
    // No start, a start that cannot be, or OpenTelemetry's "not known".
    if start == 0 || start >= time || start < before.1 {
        return false;
    }
    if start > before.1 {
        return true;
    }
    // Deltas follow each other without a gap; so do cumulative points whose start is not known.
    before.0 <= before.1 && before.0 != 0 && before.0 != before.1
}

/// Notes, once a window, that a counter began before the point that precedes it.
fn note_overlap(
    starts: Option<&[i64]>,
    before_ms: i64,
    is_noted: bool,
    context: &mut Context<'_>,
) -> bool {
    let Some(starts) = starts.filter(|_| !is_noted) else { return false };
    let is_overlap = starts[1] != 0 && starts[1] < before_ms && starts[1] != starts[0];
    if is_overlap {
        context.note(Note::StartTimeOverlap);
    }
    is_overlap
}
