//! Aggregations of the points of a window.

use throughline_model::histogram::{
    Incompatible, KahanHistogram, NativeHistogram, ResetHint, kahan_add,
};

use super::{Context, Result, Sample, Window};
use crate::promql::eval::quantiles;
use crate::promql::notes::{HistogramOp, Note};

type Answer = Result<Option<Sample>>;

fn float(value: f64) -> Answer {
    Ok(Some(Sample::Float(value)))
}

pub(super) fn count(window: &Window<'_>, _: &mut Context<'_>) -> Answer {
    float((window.floats.len() + window.histograms.len()) as f64)
}

pub(super) fn first(window: &Window<'_>, _: &mut Context<'_>) -> Answer {
    let float = window.times.first().zip(window.floats.first());
    let histogram = window.histogram_times.first().zip(window.histograms.first());
    Ok(match (float, histogram) {
        (Some((time, value)), Some((other, _))) if time < other => Some(Sample::Float(*value)),
        (_, Some((_, histogram))) => Some(Sample::Histogram(histogram.clone())),
        (Some((_, value)), None) => Some(Sample::Float(*value)),
        (None, None) => None,
    })
}

pub(super) fn last(window: &Window<'_>, _: &mut Context<'_>) -> Answer {
    let float = window.times.last().zip(window.floats.last());
    let histogram = window.histogram_times.last().zip(window.histograms.last());
    Ok(match (float, histogram) {
        (Some((time, value)), Some((other, _))) if time > other => Some(Sample::Float(*value)),
        (_, Some((_, histogram))) => Some(Sample::Histogram(histogram.clone())),
        (Some((_, value)), None) => Some(Sample::Float(*value)),
        (None, None) => None,
    })
}

pub(super) fn ts_of_first(window: &Window<'_>, _: &mut Context<'_>) -> Answer {
    let times = [window.times.first(), window.histogram_times.first()];
    Ok(times.into_iter().flatten().min().map(|ms| Sample::Float(*ms as f64 / 1e3)))
}

pub(super) fn ts_of_last(window: &Window<'_>, _: &mut Context<'_>) -> Answer {
    let times = [window.times.last(), window.histogram_times.last()];
    Ok(times.into_iter().flatten().max().map(|ms| Sample::Float(*ms as f64 / 1e3)))
}

/// Whether there are numbers; notes where histograms beside them are passed over.
fn has_floats(window: &Window<'_>, context: &mut Context<'_>) -> bool {
    if window.floats.is_empty() {
        return false;
    }
    if !window.histograms.is_empty() {
        context.note(Note::HistogramIgnoredInRange);
    }
    true
}

/// The number that wins all comparisons, and its time.
fn best(
    window: &Window<'_>,
    context: &mut Context<'_>,
    wins: fn(f64, f64) -> bool,
) -> Option<(f64, i64)> {
    if !has_floats(window, context) {
        return None;
    }
    let mut best = (window.floats[0], window.times[0]);
    for (value, time) in window.floats.iter().zip(window.times) {
        if wins(*value, best.0) || best.0.is_nan() {
            best = (*value, *time);
        }
    }
    Some(best)
}

pub(super) fn max(window: &Window<'_>, context: &mut Context<'_>) -> Answer {
    Ok(best(window, context, |a, b| a > b).map(|(value, _)| Sample::Float(value)))
}

pub(super) fn min(window: &Window<'_>, context: &mut Context<'_>) -> Answer {
    Ok(best(window, context, |a, b| a < b).map(|(value, _)| Sample::Float(value)))
}

pub(super) fn ts_of_max(window: &Window<'_>, context: &mut Context<'_>) -> Answer {
    Ok(best(window, context, |a, b| a >= b).map(|(_, ms)| Sample::Float(ms as f64 / 1e3)))
}

pub(super) fn ts_of_min(window: &Window<'_>, context: &mut Context<'_>) -> Answer {
    Ok(best(window, context, |a, b| a <= b).map(|(_, ms)| Sample::Float(ms as f64 / 1e3)))
}

pub(super) fn mad(window: &Window<'_>, context: &mut Context<'_>) -> Answer {
    if !has_floats(window, context) {
        return Ok(None);
    }
    if window.floats.iter().any(|value| value.is_nan()) {
        return float(f64::NAN);
    }
    let mut values = window.floats.to_vec();
    let median = quantiles::quantile(0.5, &mut values);
    values.iter_mut().for_each(|value| *value = (*value - median).abs());
    float(quantiles::quantile(0.5, &mut values))
}

pub(super) fn quantile(window: &Window<'_>, context: &mut Context<'_>) -> Answer {
    let q = context.scalars[0];
    if window.floats.is_empty() {
        return Ok(None);
    }
    if !(0.0..=1.0).contains(&q) {
        context.note(|_| Note::InvalidQuantile(q.to_bits()));
    }
    has_floats(window, context);
    float(quantiles::quantile(q, &mut window.floats.to_vec()))
}

fn variance(window: &Window<'_>, context: &mut Context<'_>) -> Option<f64> {
    if !has_floats(window, context) {
        return None;
    }
    let (mut mean, mut squares) = ((0.0, 0.0), (0.0, 0.0));
    for (i, value) in window.floats.iter().enumerate() {
        let delta = value - (mean.0 + mean.1);
        mean = kahan_add(delta / (i + 1) as f64, mean);
        squares = kahan_add(delta * (value - (mean.0 + mean.1)), squares);
    }
    Some((squares.0 + squares.1) / window.floats.len() as f64)
}

pub(super) fn stdvar(window: &Window<'_>, context: &mut Context<'_>) -> Answer {
    Ok(variance(window, context).map(Sample::Float))
}

pub(super) fn stddev(window: &Window<'_>, context: &mut Context<'_>) -> Answer {
    Ok(variance(window, context).map(|variance| Sample::Float(variance.sqrt())))
}

pub(super) fn sum(window: &Window<'_>, context: &mut Context<'_>) -> Answer {
    if is_mixed(window, context) {
        return Ok(None);
    }
    if window.floats.is_empty() {
        return of_histograms(window, context, sum_of_histograms);
    }
    let (sum, compensation) =
        window.floats.iter().fold((0.0, 0.0), |sum, value| kahan_add(*value, sum));
    float(if f64::is_infinite(sum) { sum } else { sum + compensation })
}

pub(super) fn avg(window: &Window<'_>, context: &mut Context<'_>) -> Answer {
    if is_mixed(window, context) {
        return Ok(None);
    }
    if window.floats.is_empty() {
        return of_histograms(window, context, mean_of_histograms);
    }
    float(mean(window.floats.iter().copied()))
}

fn is_mixed(window: &Window<'_>, context: &mut Context<'_>) -> bool {
    let is_mixed = !window.floats.is_empty() && !window.histograms.is_empty();
    if is_mixed {
        context.note(Note::MixedFloatsHistograms);
    }
    is_mixed
}

/// The mean of numbers: their sum by their count, unless the sum would overflow; then the mean of
/// those so far moves with each.
pub(in crate::promql::eval) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let mut mean = Mean::default();
    values.for_each(|value| mean.add(value));
    mean.finish()
}

/// A mean under way.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::promql::eval) struct Mean {
    count: f64,
    /// The sum, or the mean of those so far.
    total: (f64, f64),
    is_incremental: bool,
}

impl Mean {
    pub(in crate::promql::eval) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.total = (value, 0.0);
            return;
        }
        if !self.is_incremental {
            let total = kahan_add(value, self.total);
            if !total.0.is_infinite() {
                self.total = total;
                return;
            }
            self.is_incremental = true;
            let before = self.count - 1.0;
            self.total = (self.total.0 / before, self.total.1 / before);
        }
        let part = (self.count - 1.0) / self.count;
        let before = (part * self.total.0, part * self.total.1);
        self.total = kahan_add(value / self.count, before);
    }

    pub(in crate::promql::eval) fn finish(&self) -> f64 {
        match self.is_incremental {
            true => self.total.0 + self.total.1,
            false => self.total.0 / self.count + self.total.1 / self.count,
        }
    }
}

/// What was met among histograms that were added up.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::promql::eval) struct Met {
    pub reset: bool,
    pub not_reset: bool,
    pub is_reconciled: bool,
}

impl Met {
    pub(in crate::promql::eval) fn hint(&mut self, histogram: &NativeHistogram) {
        self.reset |= histogram.hint == ResetHint::Reset;
        self.not_reset |= histogram.hint == ResetHint::NotReset;
    }
}

type Total = fn(&Window<'_>, &mut Met) -> std::result::Result<NativeHistogram, Incompatible>;

fn of_histograms(window: &Window<'_>, context: &mut Context<'_>, total: Total) -> Answer {
    let mut met = Met::default();
    window.histograms.iter().for_each(|histogram| met.hint(histogram));
    match total(window, &mut met) {
        Ok(histogram) => {
            if met.reset && met.not_reset {
                context.note(|_| Note::CounterResetCollision(HistogramOp::Aggregation));
            }
            if met.is_reconciled {
                context.note(|_| Note::MismatchedCustomBuckets(HistogramOp::Aggregation));
            }
            Ok(Some(Sample::Histogram(histogram.into())))
        }
        Err(Incompatible) => {
            context.note(Note::MixedExponentialCustom);
            Ok(None)
        }
    }
}

fn sum_of_histograms(
    window: &Window<'_>,
    met: &mut Met,
) -> std::result::Result<NativeHistogram, Incompatible> {
    let mut sum = KahanHistogram::from(&*window.histograms[0]);
    for histogram in &window.histograms[1..] {
        met.is_reconciled |= sum.add(histogram)?.is_reconciled;
    }
    Ok(sum.finish())
}

fn mean_of_histograms(
    window: &Window<'_>,
    met: &mut Met,
) -> std::result::Result<NativeHistogram, Incompatible> {
    let mut mean = HistogramMean::new(&window.histograms[0]);
    for histogram in &window.histograms[1..] {
        met.is_reconciled |= mean.add(histogram)?;
    }
    Ok(mean.finish())
}

/// A mean of histograms under way, as [`Mean`].
#[derive(Clone, Debug)]
pub(in crate::promql::eval) struct HistogramMean {
    count: f64,
    total: KahanHistogram,
    is_incremental: bool,
}

impl HistogramMean {
    pub(in crate::promql::eval) fn new(first: &NativeHistogram) -> Self {
        Self { count: 1.0, total: KahanHistogram::from(first), is_incremental: false }
    }

    /// Adds one; answers whether custom bounds differed.
    pub(in crate::promql::eval) fn add(
        &mut self,
        histogram: &NativeHistogram,
    ) -> std::result::Result<bool, Incompatible> {
        self.count += 1.0;
        if !self.is_incremental {
            let mut total = self.total.clone();
            let noted = total.add(histogram)?;
            if !total.has_overflow() {
                self.total = total;
                return Ok(noted.is_reconciled);
            }
            self.is_incremental = true;
            self.total.divide(self.count - 1.0);
        }
        self.total.multiply((self.count - 1.0) / self.count);
        let mut part = histogram.clone();
        part.divide(self.count);
        Ok(self.total.add(&part)?.is_reconciled)
    }

    pub(in crate::promql::eval) fn finish(mut self) -> NativeHistogram {
        if !self.is_incremental {
            self.total.divide(self.count);
        }
        self.total.finish()
    }
}
