//! `histogram_quantile`, `histogram_quantiles`, `histogram_fraction`: classic buckets of one histogram
//! are gathered, and native histograms answer for themselves.

use std::sync::Arc;

use hashbrown::HashMap;

use super::quantiles::{self, ClassicBucket};
use super::{Evaluator, Result, Value, drop_empty, merge_same};
use crate::promql::ast::{Call, Span};
use crate::promql::labels::{BUCKET, Labels, NAME};
use crate::promql::notes::{Forced, Note};
use crate::promql::numbers::open_metrics;
use crate::promql::series::{Grid, Samples, Series};

/// Histograms among the series of a vector.
struct Histograms {
    series: Vec<Series>,
    /// For each series the upper bound it says it has.
    bounds: Vec<Option<f64>>,
    /// For each series the classic histogram that it is a bucket of, or that has its labels.
    groups: Vec<Option<usize>>,
    /// The labels of classic histograms.
    classic: Vec<Labels>,
}

impl Histograms {
    fn new(series: Vec<Series>) -> Self {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut classic = Vec::new();
        let bounds = series.iter().map(|series| bound(series.labels.get(BUCKET)));
        let bounds = bounds.collect::<Vec<_>>();
        let mut groups = vec![None; series.len()];
        for (i, series) in series.iter().enumerate() {
            if bounds[i].is_some() {
                let labels = series.labels.filter(|name| name != BUCKET);
                let new = classic.len();
                let place = *places.entry(labels.clone()).or_insert(new);
                if place == new {
                    classic.push(labels);
                }
                groups[i] = Some(place);
            }
        }
        for (i, series) in series.iter().enumerate().filter(|(i, _)| bounds[*i].is_none()) {
            groups[i] = places.get(&series.labels).copied();
        }
        Self { series, bounds, groups, classic }
    }
}

/// A bound as senders write it.
fn bound(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|bound| !bound.is_nan())
}

/// What a histogram is asked for.
enum Question {
    Quantile(f64),
    Fraction(f64, f64),
}

impl Evaluator<'_> {
    pub(super) fn histogram_quantile(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let quantiles = self.scalar(&call.arguments[0], grid)?;
        let series = self.vector(&call.arguments[1], grid)?;
        self.note_quantiles(&quantiles, self.argument_span(call, 0));
        let histograms = Histograms::new(series);
        let ask = |step: usize| Question::Quantile(quantiles[step]);
        let results = self.ask(&histograms, ask, self.argument_span(call, 1), grid);
        Ok(Value::Vector(merge_same(results)?))
    }

    pub(super) fn histogram_fraction(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let lower = self.scalar(&call.arguments[0], grid)?;
        let upper = self.scalar(&call.arguments[1], grid)?;
        let histograms = Histograms::new(self.vector(&call.arguments[2], grid)?);
        let ask = |step: usize| Question::Fraction(lower[step], upper[step]);
        let results = self.ask(&histograms, ask, self.argument_span(call, 2), grid);
        Ok(Value::Vector(merge_same(results)?))
    }

    pub(super) fn histogram_quantiles(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let series = self.vector(&call.arguments[0], grid)?;
        let label = self.text(&call.arguments[1])?.to_owned();
        let histograms = Histograms::new(series);
        let mut results = Vec::new();
        for (i, argument) in call.arguments.iter().enumerate().skip(2) {
            let quantiles = self.scalar(argument, grid)?;
            self.note_quantiles(&quantiles, self.argument_span(call, i));
            let ask = |step: usize| Question::Quantile(quantiles[step]);
            let found = self.ask(&histograms, ask, self.argument_span(call, 0), grid);
            // A quantile that changes from step to step makes a series for each of its values.
            for series in found {
                let mut parts: Vec<(u64, Series)> = Vec::new();
                for (step, q) in quantiles.iter().enumerate() {
                    let Some(value) = series.samples.float(step) else { continue };
                    let bits = q.to_bits();
                    let place = parts.iter().position(|(other, _)| *other == bits);
                    let place = place.unwrap_or_else(|| {
                        let labels = series.labels.with(&label, &open_metrics(*q));
                        let samples = Samples::missing(grid.steps);
                        parts.push((bits, Series { labels, drops_name: true, samples }));
                        parts.len() - 1
                    });
                    parts[place].1.samples.set_float(step, value);
                }
                results.extend(parts.into_iter().map(|(_, series)| series));
            }
        }
        Ok(Value::Vector(merge_same(results)?))
    }

    fn note_quantiles(&mut self, quantiles: &[f64], span: Span) {
        for q in quantiles.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
            self.notes.add(Note::InvalidQuantile(q.to_bits()), span);
        }
    }

    fn ask(
        &mut self,
        histograms: &Histograms,
        question: impl Fn(usize) -> Question,
        span: Span,
        grid: &Grid,
    ) -> Vec<Series> {
        let series = &histograms.series;
        let classic = histograms.classic.len();
        let mut answers = vec![Samples::missing(grid.steps); classic + series.len()];
        let mut buckets: Vec<Vec<ClassicBucket>> = vec![Vec::new(); classic];
        for step in 0..grid.steps {
            let question = question(step);
            buckets.iter_mut().for_each(Vec::clear);
            self.gather(histograms, step, span, &mut buckets);
            for (i, series) in series.iter().enumerate() {
                let Some(histogram) = series.samples.histogram(step) else { continue };
                let metric = self.metric_name(&series.labels);
                // A series with a bound of its own is no native histogram of the classic one.
                let group = histograms.groups[i].filter(|_| histograms.bounds[i].is_none());
                let is_both = group.is_some_and(|group| !buckets[group].is_empty());
                if let Some(group) = group.filter(|_| is_both) {
                    self.notes.add(Note::MixedClassicNative(metric), span);
                    buckets[group].clear();
                    continue;
                }
                let value = match question {
                    Question::Quantile(q) => {
                        quantiles::of_native(q, histogram, &metric, &mut self.notes, span)
                    }
                    Question::Fraction(lower, upper) => {
                        let range = (lower, upper);
                        let notes = &mut self.notes;
                        quantiles::native_fraction(range, histogram, &metric, notes, span)
                    }
                };
                answers[classic + i].set_float(step, value);
            }
            for (group, buckets) in buckets.iter_mut().enumerate() {
                if buckets.is_empty() {
                    continue;
                }
                let labels = &histograms.classic[group];
                let value = match question {
                    Question::Quantile(q) => {
                        let (value, forcing) = quantiles::of_classic(q, buckets);
                        if let Some(forcing) = forcing {
                            self.note_forcing(labels, forcing, grid.time_ms(step), span);
                        }
                        value
                    }
                    Question::Fraction(lower, upper) => {
                        quantiles::classic_fraction(lower, upper, buckets)
                    }
                };
                answers[group].set_float(step, value);
            }
        }
        let natives = series.iter().map(|series| series.labels.clone());
        let labels = histograms.classic.iter().cloned().chain(natives);
        let mut results = labels
            .zip(answers)
            .map(|(labels, samples)| Series { labels, drops_name: true, samples })
            .collect::<Vec<_>>();
        drop_empty(&mut results);
        results.iter_mut().for_each(|series| self.calculated(series));
        results
    }

    /// The buckets of each classic histogram at a step.
    fn gather(
        &mut self,
        histograms: &Histograms,
        step: usize,
        span: Span,
        buckets: &mut [Vec<ClassicBucket>],
    ) {
        for (i, series) in histograms.series.iter().enumerate() {
            let Some(count) = series.samples.float(step) else { continue };
            match (histograms.bounds[i], histograms.groups[i]) {
                (Some(bound), Some(group)) => buckets[group].push((bound, count)),
                _ => {
                    let metric = self.metric_name(&series.labels);
                    let value = series.labels.get(BUCKET).into();
                    self.notes.add(Note::BadBucketLabel { metric, value }, span);
                }
            }
        }
    }

    fn note_forcing(
        &mut self,
        labels: &Labels,
        forcing: quantiles::Forcing,
        time_ms: i64,
        span: Span,
    ) {
        let metric = self.metric_name(labels);
        let forced = Forced {
            time_ms: (time_ms, time_ms),
            bucket: forcing.bucket,
            diff_max: forcing.diff_max,
            count: 1,
        };
        self.notes.add_forced(metric, span, forced);
    }

    /// The name that notes say; calculated values have none unless names are dropped at the end.
    fn metric_name(&self, labels: &Labels) -> Arc<str> {
        let name = labels.find(NAME).filter(|_| self.options.delays_name_removal);
        name.cloned().unwrap_or_else(|| "".into())
    }
}
