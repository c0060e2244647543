//! Series of values: at the steps of a query, and as they were stored.

use std::sync::Arc;

use throughline_model::histogram::{NativeHistogram, is_stale};

use super::labels::Labels;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<NativeHistogram>),
}

/// The times at which an expression is evaluated: `start_ms`, and every `step_ms` until `steps` are
/// reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The first time, in milliseconds since the epoch.
    pub start_ms: i64,
    /// Between two times; not zero.
    pub step_ms: i64,
    /// How many times there are.
    pub steps: usize,
}

impl Grid {
    /// One time.
    pub fn instant(time_ms: i64) -> Self {
        Self { start_ms: time_ms, step_ms: 1, steps: 1 }
    }

    /// From `start_ms` to at most `end_ms`.
    pub fn new(start_ms: i64, end_ms: i64, step_ms: i64) -> Self {
        let steps = if end_ms < start_ms { 0 } else { (end_ms - start_ms) / step_ms + 1 };
        Self { start_ms, step_ms, steps: steps as usize }
    }

    /// The time of a step.
    pub fn time_ms(&self, step: usize) -> i64 {
        self.start_ms + self.step_ms * step as i64
    }

    /// The last time.
    pub fn end_ms(&self) -> i64 {
        self.time_ms(self.steps.saturating_sub(1))
    }

    /// The times.
    pub fn times(&self) -> impl Iterator<Item = i64> + '_ {
        (0..self.steps).map(|step| self.time_ms(step))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Missing,
    Float,
    Histogram,
}

/// At most one value at each step.
#[derive(Clone, Debug)]
pub struct Samples {
    kinds: Vec<Kind>,
    floats: Vec<f64>,
    /// Empty where there is no histogram at all.
    histograms: Vec<Option<Arc<NativeHistogram>>>,
}

impl Samples {
    /// No value at any of so many steps.
    pub fn missing(steps: usize) -> Self {
        let kinds = vec![Kind::Missing; steps];
        Self { kinds, floats: vec![0.0; steps], histograms: Vec::new() }
    }

    /// How many steps there are.
    pub fn steps(&self) -> usize {
        self.kinds.len()
    }

    /// Sets a number.
    pub fn set_float(&mut self, step: usize, value: f64) {
        self.kinds[step] = Kind::Float;
        self.floats[step] = value;
    }

    /// Sets a value.
    pub fn set(&mut self, step: usize, sample: Sample) {
        match sample {
            Sample::Float(value) => self.set_float(step, value),
            Sample::Histogram(histogram) => {
                if self.histograms.is_empty() {
                    self.histograms = vec![None; self.kinds.len()];
                }
                self.kinds[step] = Kind::Histogram;
                self.histograms[step] = Some(histogram);
            }
        }
    }

    /// Takes a value away.
    pub fn clear(&mut self, step: usize) {
        self.kinds[step] = Kind::Missing;
    }

    /// Whether there is a value.
    pub fn has(&self, step: usize) -> bool {
        self.kinds[step] != Kind::Missing
    }

    /// The number at a step, if there is one.
    pub fn float(&self, step: usize) -> Option<f64> {
        (self.kinds[step] == Kind::Float).then(|| self.floats[step])
    }

    /// Does something with every number.
    pub fn for_each_float(&self, mut with: impl FnMut(usize, f64)) {
        for (step, (kind, value)) in self.kinds.iter().zip(&self.floats).enumerate() {
            if *kind == Kind::Float {
                with(step, *value);
            }
        }
    }

    /// Whether there may be histograms.
    pub fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    /// The histogram at a step, if there is one.
    pub fn histogram(&self, step: usize) -> Option<&Arc<NativeHistogram>> {
        match self.kinds[step] {
            Kind::Histogram => self.histograms[step].as_ref(),
            _ => None,
        }
    }

    /// The value at a step, if there is one.
    pub fn get(&self, step: usize) -> Option<Sample> {
        match self.kinds[step] {
            Kind::Missing => None,
            Kind::Float => Some(Sample::Float(self.floats[step])),
            Kind::Histogram => self.histograms[step].clone().map(Sample::Histogram),
        }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.kinds.iter().filter(|kind| **kind != Kind::Missing).count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kinds.iter().all(|kind| *kind == Kind::Missing)
    }

    /// Changes every number; histograms are dropped.
    pub fn map_floats(&mut self, change: impl Fn(usize, f64) -> Option<f64>) {
        for step in 0..self.kinds.len() {
            match self.float(step).and_then(|value| change(step, value)) {
                Some(value) => self.floats[step] = value,
                None => self.kinds[step] = Kind::Missing,
            }
        }
        self.histograms = Vec::new();
    }
}

/// A series at the steps of a query.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Whether the name goes at the end of the evaluation.
    pub drops_name: bool,
    /// Its values.
    pub samples: Samples,
}

/// Points of a series in order of time: numbers and histograms apart.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// Times of numbers in milliseconds.
    pub float_times: Vec<i64>,
    /// Numbers.
    pub floats: Vec<f64>,
    /// When the counters of the numbers began, zero where that is not known; empty if none is.
    pub float_starts: Vec<i64>,
    /// Times of histograms.
    pub histogram_times: Vec<i64>,
    /// Histograms.
    pub histograms: Vec<Arc<NativeHistogram>>,
    /// When the histograms began, as [`Points::float_starts`].
    pub histogram_starts: Vec<i64>,
}

impl Points {
    /// How many points there are.
    pub fn len(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a number.
    pub fn push_float(&mut self, time_ms: i64, start_ms: i64, value: f64) {
        push_start(&mut self.float_starts, self.floats.len(), start_ms);
        self.float_times.push(time_ms);
        self.floats.push(value);
    }

    /// Appends a histogram.
    pub fn push_histogram(&mut self, time_ms: i64, start_ms: i64, value: Arc<NativeHistogram>) {
        push_start(&mut self.histogram_starts, self.histograms.len(), start_ms);
        self.histogram_times.push(time_ms);
        self.histograms.push(value);
    }

    /// Drops points before a time.
    pub fn drop_before(&mut self, time_ms: i64) {
        let floats = self.float_times.partition_point(|time| *time < time_ms);
        self.float_times.drain(..floats);
        self.floats.drain(..floats);
        self.float_starts.drain(..floats.min(self.float_starts.len()));
        let histograms = self.histogram_times.partition_point(|time| *time < time_ms);
        self.histogram_times.drain(..histograms);
        self.histograms.drain(..histograms);
        self.histogram_starts.drain(..histograms.min(self.histogram_starts.len()));
    }

    /// Drops the marks of where the series ended.
    pub fn drop_stale(&mut self) {
        if self.floats.iter().any(|value| is_stale(*value)) {
            let keep = self.floats.iter().map(|value| !is_stale(*value)).collect::<Vec<_>>();
            retain(&mut self.float_times, &keep);
            retain(&mut self.floats, &keep);
            retain(&mut self.float_starts, &keep);
        }
        if self.histograms.iter().any(|histogram| histogram.is_stale()) {
            let keep = self.histograms.iter().map(|h| !h.is_stale()).collect::<Vec<_>>();
            retain(&mut self.histogram_times, &keep);
            retain(&mut self.histograms, &keep);
            retain(&mut self.histogram_starts, &keep);
        }
    }
}

fn push_start(starts: &mut Vec<i64>, len: usize, start_ms: i64) {
    if start_ms != 0 && starts.is_empty() {
        starts.resize(len, 0);
    }
    if start_ms != 0 || !starts.is_empty() {
        starts.push(start_ms);
    }
}

fn retain<T>(list: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    list.retain(|_| *keep.next().unwrap_or(&true));
}

/// A series with its points.
#[derive(Clone, Debug)]
pub struct PointSeries {
    /// Its labels.
    pub labels: Labels,
    /// Whether the name goes at the end of the evaluation.
    pub drops_name: bool,
    /// Its points.
    pub points: Points,
}
