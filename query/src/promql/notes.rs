//! What an answer should be read with: warnings and infos, in the words that Prometheus's clients know.
//!
//! Notes of the same words are one; each names the place of the expression that it is about.

use std::sync::Arc;

use hashbrown::HashMap;
use throughline_model::time::format_rfc3339;

use super::ast::Span;
use super::error::position;
use super::numbers::{general, quoted, two_digits};

/// What happened to two histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum HistogramOp {
    Addition,
    Subtraction,
    Aggregation,
}

impl HistogramOp {
    fn name(self) -> &'static str {
        match self {
            HistogramOp::Addition => "addition",
            HistogramOp::Subtraction => "subtraction",
            HistogramOp::Aggregation => "aggregation",
        }
    }
}

/// A note; names are those of metrics, and empty where there is none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the text of each says what it means
pub enum Note {
    BadBucketLabel { metric: Arc<str>, value: Arc<str> },
    CounterResetCollision(HistogramOp),
    HistogramIgnoredInAggregation(&'static str),
    HistogramIgnoredInRange(Arc<str>),
    IncompatibleBuckets(&'static str),
    IncompatibleTypes { left: &'static str, operator: &'static str, right: &'static str },
    InvalidQuantile(u64),
    InvalidRatio { given: u64, used: u64 },
    MismatchedCustomBuckets(HistogramOp),
    MixedClassicNative(Arc<str>),
    MixedExponentialCustom(Arc<str>),
    MixedFloatsHistograms(Arc<str>),
    MixedFloatsHistogramsInAggregation,
    NanFraction(Arc<str>),
    NanQuantile(Arc<str>),
    NanSkew(Arc<str>),
    NotCounter(Arc<str>),
    NotGauge(Arc<str>),
    PossibleNonCounter(Arc<str>),
    PossibleNonCounterType { metric: Arc<str>, found: Arc<str> },
    QuantileForcedMonotonic(Arc<str>),
    SortInRangeQuery,
    StartTimeOverlap(Arc<str>),
}

/// The details of buckets that had to be made monotonic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forced {
    /// The first and last time in milliseconds.
    pub time_ms: (i64, i64),
    /// The least and greatest bucket.
    pub bucket: (f64, f64),
    /// The greatest difference.
    pub diff_max: f64,
    /// How often.
    pub count: u64,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    span: Span,
    forced: Option<Forced>,
    count: u64,
}

/// The notes of a query.
#[derive(Clone, Debug, Default)]
pub struct Notes(HashMap<Note, Found>);

impl Notes {
    /// Adds a note about the expression at `span`.
    pub fn add(&mut self, note: Note, span: Span) {
        let found = self.0.entry(note).or_insert(Found { span, forced: None, count: 0 });
        found.span = span;
        found.count += 1;
    }

    /// Notes that buckets were not monotonic.
    pub fn add_forced(&mut self, metric: Arc<str>, span: Span, new: Forced) {
        let note = Note::QuantileForcedMonotonic(metric);
        let found = self.0.entry(note).or_insert(Found { span, forced: None, count: 0 });
        found.span = span;
        found.forced = Some(match found.forced {
            None => new,
            Some(old) => Forced {
                time_ms: (old.time_ms.0.min(new.time_ms.0), old.time_ms.1.max(new.time_ms.1)),
                bucket: (old.bucket.0.min(new.bucket.0), old.bucket.1.max(new.bucket.1)),
                diff_max: old.diff_max.max(new.diff_max),
                count: old.count + new.count,
            },
        });
    }

    /// Adds all notes of another part of the query.
    pub fn merge(&mut self, other: Notes) {
        for (note, found) in other.0 {
            match (note, found.forced) {
                (Note::QuantileForcedMonotonic(metric), Some(forced)) => {
                    self.add_forced(metric, found.span, forced);
                }
                (note, _) => {
                    let count = self.0.get(&note).map_or(0, |old| old.count);
                    self.0.insert(note, Found { count: count + found.count, ..found });
                }
            }
        }
    }

    /// Warnings and infos as texts, sorted.
    pub fn texts(&self, query: &str) -> (Vec<String>, Vec<String>) {
        let (mut warnings, mut infos) = (Vec::new(), Vec::new());
        for (note, found) in &self.0 {
            let (is_info, text) = note.text();
            let level = if is_info { "PromQL info" } else { "PromQL warning" };
            let place = position(query, found.span.start);
            let details = found.details(note);
            let text = format!("{level}: {text}{details} ({place})");
            if is_info { infos.push(text) } else { warnings.push(text) }
        }
        warnings.sort();
        infos.sort();
        (warnings, infos)
    }
}

impl Found {
    fn details(&self, note: &Note) -> String {
        if matches!(note, Note::StartTimeOverlap(_)) && self.count > 1 {
            return format!(" ({} occurrences)", self.count);
        }
        let Some(forced) = self.forced else { return String::new() };
        let time = |ms: i64| format_rfc3339(ms.div_euclid(1000) * 1_000_000_000);
        format!(
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            general(forced.bucket.0),
            general(forced.bucket.1),
            two_digits(forced.diff_max),
            forced.count,
            time(forced.time_ms.0),
            time(forced.time_ms.1),
        )
    }
}

fn for_metric(metric: &str) -> String {
    match metric {
        "" => String::new(),
        metric => format!(" for metric name {}", quoted(metric)),
    }
}

impl Note {
    /// Whether it is an info, and its text.
    fn text(&self) -> (bool, String) {
        match self {
            Note::BadBucketLabel { .. }
            | Note::CounterResetCollision(_)
            | Note::IncompatibleBuckets(_)
            | Note::InvalidQuantile(_)
            | Note::InvalidRatio { .. }
            | Note::MixedClassicNative(_)
            | Note::MixedExponentialCustom(_)
            | Note::MixedFloatsHistograms(_)
            | Note::MixedFloatsHistogramsInAggregation
            | Note::NotCounter(_)
            | Note::NotGauge(_)
            | Note::SortInRangeQuery
            | Note::StartTimeOverlap(_) => (false, self.warning()),
            _ => (true, self.info()),
        }
    }

    fn warning(&self) -> String {
        match self {
            Note::BadBucketLabel { metric, value } => format!(
                "bucket label \"le\" is missing or has a malformed value of {}{}",
                quoted(value),
                for_metric(metric)
            ),
            Note::CounterResetCollision(op) => {
                format!("conflicting counter resets during histogram {}", op.name())
            }
            Note::IncompatibleBuckets(operator) => {
                format!("incompatible bucket layout encountered for binary operator {operator}")
            }
            Note::InvalidQuantile(bits) => format!(
                "quantile value should be between 0 and 1, got {}",
                general(f64::from_bits(*bits))
            ),
            Note::InvalidRatio { given, used } => format!(
                "ratio value should be between -1 and 1, got {}, capping to {}",
                general(f64::from_bits(*given)),
                general(f64::from_bits(*used))
            ),
            Note::MixedClassicNative(metric) => format!(
                "vector contains a mix of classic and native histograms{}",
                for_metric(metric)
            ),
            Note::MixedExponentialCustom(metric) => format!(
                "vector contains a mix of histograms with exponential and custom buckets schemas \
                 for metric name {}",
                quoted(metric)
            ),
            Note::MixedFloatsHistograms(metric) => format!(
                "encountered a mix of histograms and floats for metric name {}",
                quoted(metric)
            ),
            Note::MixedFloatsHistogramsInAggregation => {
                "encountered a mix of histograms and floats for aggregation".to_owned()
            }
            Note::NotCounter(metric) => {
                format!("this native histogram metric is not a counter: {}", quoted(metric))
            }
            Note::NotGauge(metric) => {
                format!("this native histogram metric is not a gauge: {}", quoted(metric))
            }
            Note::SortInRangeQuery => "sort is ineffective for range queries since results are \
                 always ordered by labels"
                .to_owned(),
            Note::StartTimeOverlap(metric) => format!(
                "sample has start time that overlaps with previous sample timestamp for metric {}",
                quoted(metric)
            ),
            _ => String::new(),
        }
    }

    fn info(&self) -> String {
        match self {
            Note::HistogramIgnoredInAggregation(name) => {
                format!("ignored histogram in {name} aggregation")
            }
            Note::HistogramIgnoredInRange(metric) => format!(
                "ignored histograms in a range containing both floats and histograms for metric \
                 name {}",
                quoted(metric)
            ),
            Note::IncompatibleTypes { left, operator, right } => format!(
                "incompatible sample types encountered for binary operator \"{operator}\": {left} \
                 {operator} {right}"
            ),
            Note::MismatchedCustomBuckets(op) => {
                format!("mismatched custom buckets were reconciled during {}", op.name())
            }
            Note::NanFraction(metric) => format!(
                "input to histogram_fraction has NaN observations, which are excluded from all \
                 fractions{}",
                for_metric(metric)
            ),
            Note::NanQuantile(metric) => format!(
                "input to histogram_quantile has NaN observations, result is NaN{}",
                for_metric(metric)
            ),
            Note::NanSkew(metric) => format!(
                "input to histogram_quantile has NaN observations, result is skewed higher{}",
                for_metric(metric)
            ),
            Note::PossibleNonCounter(metric) => format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                quoted(metric)
            ),
            Note::PossibleNonCounterType { metric, found } => format!(
                "metric might not be a counter, __type__ label is not set to \"counter\" or \
                 \"histogram\", got {}: {}",
                quoted(found),
                quoted(metric)
            ),
            Note::QuantileForcedMonotonic(metric) => format!(
                "input to histogram_quantile needed to be fixed for monotonicity (see \
                 https://prometheus.io/docs/prometheus/latest/querying/functions/\
                 #histogram_quantile){}",
                for_metric(metric)
            ),
            _ => String::new(),
        }
    }
}
