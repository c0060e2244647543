//! Stored points as points of Prometheus's series.

use std::sync::Arc;

use hashbrown::HashMap;
use throughline_model::histogram::{NativeHistogram, ResetHint, SCHEMA_MAX, SCHEMA_MIN, STALE_NAN};
use throughline_model::metric::{Buckets, ComplexPoint, Number, Shape, ValueKind};
use throughline_storage::metric::points::NumberPoints;
use throughline_storage::metric::scan::SeriesPoints;

use super::index::{Part, Selected};
use super::translate::Derived;
use super::{NS_PER_MS, meets_one};
use crate::promql::labels::{BUCKET, QUANTILE};
use crate::promql::matcher::Matcher;
use crate::promql::numbers::plain;
use crate::promql::series::{PointSeries, Points};

/// `DataPointFlags`: the point says that there is no value.
const NO_RECORDED_VALUE: u32 = 1;

/// Appends the series that a stored series stands for, as far as they are wanted. `bounds` are conditions on
/// what points tell.
pub(super) fn derive(
    selected: &Selected,
    stored: &mut SeriesPoints,
    bounds: &[&Matcher],
    found: &mut Vec<PointSeries>,
) {
    stored.numbers.last_per_time();
    for part in selected.parts() {
        match part.derived {
            Derived::Buckets | Derived::Quantiles => bounded(part, stored, bounds, found),
            derived => {
                let mut points = Points::default();
                match derived {
                    Derived::Count => totals(&mut points, stored, |p| Some(p.count as f64)),
                    Derived::Sum => totals(&mut points, stored, |point| point.sum),
                    _ => as_they_are(&mut points, stored),
                }
                if !points.is_empty() {
                    let labels = part.labels.clone();
                    found.push(PointSeries { labels, drops_name: false, points });
                }
            }
        }
    }
}

/// Makes one series of those with the same labels, sorted.
pub(super) fn merged(mut series: Vec<PointSeries>) -> Vec<PointSeries> {
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    let mut merged: Vec<PointSeries> = Vec::with_capacity(series.len());
    for own in series {
        let Some(last) = merged.last_mut().filter(|last| last.labels == own.labels) else {
            merged.push(own);
            continue;
        };
        let points = &own.points;
        let at = |starts: &[i64], i: usize| starts.get(i).copied().unwrap_or(0);
        for (i, time) in points.float_times.iter().enumerate() {
            let start = at(&points.float_starts, i);
            push_float(&mut last.points, *time, start, points.floats[i]);
        }
        for (i, time) in points.histogram_times.iter().enumerate() {
            let start = at(&points.histogram_starts, i);
            push_histogram(&mut last.points, *time, start, points.histograms[i].clone());
        }
    }
    merged
}

fn ms(time_ns: i64) -> i64 {
    time_ns.div_euclid(NS_PER_MS)
}

fn stale() -> f64 {
    f64::from_bits(STALE_NAN)
}

/// Numbers as numbers, native and exponential histograms as native ones.
fn as_they_are(points: &mut Points, stored: &SeriesPoints) {
    let numbers = &stored.numbers;
    if !plain_doubles(points, numbers) {
        for i in 0..numbers.len() {
            let value = match numbers.value(i) {
                _ if numbers.flags[i] & NO_RECORDED_VALUE != 0 => stale(),
                Number::None => stale(),
                Number::Double(value) => value,
                Number::Int(value) => value as f64,
            };
            push_float(points, ms(numbers.times[i]), ms(numbers.start_times[i]), value);
        }
    }
    let complex = &stored.complex;
    for (i, point) in complex.points.iter().enumerate() {
        let (time_ns, start_ns) = (complex.times[i], complex.start_times[i]);
        if complex.flags[i] & NO_RECORDED_VALUE != 0 {
            let stale = NativeHistogram { sum: stale(), ..Default::default() };
            push_histogram(points, ms(time_ns), ms(start_ns), stale.into());
        } else if let Some(histogram) = native(point) {
            push_histogram(points, ms(time_ns), ms(start_ns), histogram.into());
        }
    }
}

/// Appends points at once if all are plain doubles at distinct milliseconds, as nearly all are.
fn plain_doubles(points: &mut Points, numbers: &NumberPoints) -> bool {
    let is_plain = numbers.kinds.iter().all(|kind| *kind == ValueKind::Double as u8)
        && numbers.flags.iter().all(|flags| *flags == 0);
    if !is_plain {
        return false;
    }
    let times = numbers.times.iter().map(|time| ms(*time)).collect::<Vec<_>>();
    if !times.is_sorted_by(|a, b| a < b) {
        return false;
    }
    points.float_times = times;
    points.floats = numbers.bits.iter().map(|bits| f64::from_bits(*bits)).collect();
    if numbers.start_times.iter().any(|start| *start != 0) {
        points.float_starts = numbers.start_times.iter().map(|start| ms(*start)).collect();
    }
    true
}

/// Of points at one time the last stays; series that became one are merged in order.
fn push_float(points: &mut Points, time: i64, start: i64, value: f64) {
    let times = &points.float_times;
    if times.last().is_none_or(|last| *last < time) {
        return points.push_float(time, start, value);
    }
    let place = times.partition_point(|own| *own < time);
    if times[place] == time {
        points.floats[place] = value;
    } else {
        let starts = std::mem::take(&mut points.float_starts);
        if start != 0 || !starts.is_empty() {
            points.float_starts = starts;
            points.float_starts.resize(points.floats.len(), 0);
            points.float_starts.insert(place, start);
        }
        points.float_times.insert(place, time);
        points.floats.insert(place, value);
    }
}

fn push_histogram(points: &mut Points, time: i64, start: i64, value: Arc<NativeHistogram>) {
    let times = &points.histogram_times;
    let place = times.partition_point(|own| *own < time);
    if place == times.len() {
        points.push_histogram(time, start, value);
    } else if times[place] == time {
        points.histograms[place] = value;
    } else {
        let starts = std::mem::take(&mut points.histogram_starts);
        if start != 0 || !starts.is_empty() {
            points.histogram_starts = starts;
            points.histogram_starts.resize(points.histograms.len(), 0);
            points.histogram_starts.insert(place, start);
        }
        points.histogram_times.insert(place, time);
        points.histograms.insert(place, value);
    }
}

/// A native histogram of a stored point, where it has one.
fn native(point: &ComplexPoint) -> Option<NativeHistogram> {
    match &point.shape {
        Shape::Native(histogram) => Some((**histogram).clone()),
        Shape::Exponential { scale, zero_count, zero_threshold, positive, negative } => {
            // Coarser ones than Prometheus knows have no form there.
            if *scale < SCHEMA_MIN {
                return None;
            }
            let counts = |buckets: &Buckets| {
                let counts = buckets.counts.iter().enumerate();
                counts
                    .filter(|(_, count)| **count > 0)
                    // OTLP counts buckets by their lower bound.
                    .map(|(i, count)| {
                        (buckets.offset.saturating_add(i as i32).saturating_add(1), *count as f64)
                    })
                    .collect()
            };
            let mut histogram = NativeHistogram {
                schema: *scale,
                zero_threshold: *zero_threshold,
                zero_count: *zero_count as f64,
                count: point.count as f64,
                sum: point.sum.unwrap_or_default(),
                positive: counts(positive),
                negative: counts(negative),
                ..Default::default()
            };
            histogram.reduce(SCHEMA_MAX);
            Some(histogram)
        }
        Shape::Histogram { .. } | Shape::Summary { .. } => None,
    }
}

/// Says of each histogram whether its counter was not reset since the one before. A reset is left for
/// the reader to find, since it is one only for a reader that sees both.
pub(super) fn hint_resets(points: &mut Points) {
    let histograms = &mut points.histograms;
    for i in (0..histograms.len()).rev() {
        let own = &histograms[i];
        if own.hint == ResetHint::Gauge || own.is_stale() {
            continue;
        }
        let unhinted = NativeHistogram { hint: ResetHint::Unknown, ..(**own).clone() };
        let before = i.checked_sub(1).map(|before| &histograms[before]);
        let before = before.filter(|b| b.hint != ResetHint::Gauge && !b.is_stale());
        let is_continued = own.hint != ResetHint::Reset
            && before.is_some_and(|b| !is_other_kind(b, own) && !unhinted.is_reset_since(b));
        let hint = if is_continued { ResetHint::NotReset } else { ResetHint::Unknown };
        histograms[i] = NativeHistogram { hint, ..unhinted }.into();
    }
}

fn is_other_kind(a: &NativeHistogram, b: &NativeHistogram) -> bool {
    a.schema != b.schema
        || a.zero_threshold != b.zero_threshold
        || a.custom_values != b.custom_values
}

/// Says of each histogram whether its counter was reset since the one before, and keeps counts and
/// sums only.
pub(crate) fn keep_totals(points: &mut Points) {
    let histograms = &mut points.histograms;
    for i in (0..histograms.len()).rev() {
        let own = &histograms[i];
        let before = i.checked_sub(1).map(|before| &histograms[before]);
        let hint = match (own.hint, before) {
            (ResetHint::Unknown, Some(before)) if !own.is_stale() && !before.is_stale() => {
                match own.is_reset_since(before) {
                    true => ResetHint::Reset,
                    false => ResetHint::NotReset,
                }
            }
            (hint, _) => hint,
        };
        let (schema, count, sum) = (own.schema, own.count, own.sum);
        histograms[i] = NativeHistogram { hint, schema, count, sum, ..Default::default() }.into();
    }
}

/// Counts or sums of histograms and summaries.
fn totals(points: &mut Points, stored: &SeriesPoints, of: impl Fn(&ComplexPoint) -> Option<f64>) {
    let complex = &stored.complex;
    for (i, point) in complex.points.iter().enumerate() {
        let is_stale = complex.flags[i] & NO_RECORDED_VALUE != 0;
        if let Some(value) = if is_stale { Some(stale()) } else { of(point) } {
            push_float(points, ms(complex.times[i]), ms(complex.start_times[i]), value);
        }
    }
}

/// Buckets and quantiles.
fn bounded(part: &Part, stored: &SeriesPoints, tests: &[&Matcher], found: &mut Vec<PointSeries>) {
    let label = if part.derived == Derived::Buckets { BUCKET } else { QUANTILE };
    let first = found.len();
    // The place of each bound among what was found; the points of a series have the same bounds, nearly always.
    let mut known: HashMap<u64, Option<usize>> = HashMap::new();
    let mut bounds: Vec<f64> = Vec::new();
    let mut places: Vec<Option<usize>> = Vec::new();
    let mut values: Vec<(f64, f64)> = Vec::new();
    let complex = &stored.complex;
    for (i, point) in complex.points.iter().enumerate() {
        let is_stale = complex.flags[i] & NO_RECORDED_VALUE != 0;
        bounds_of(point, &mut values);
        let is_same = bounds.len() == values.len()
            && bounds.iter().zip(&values).all(|(a, (b, _))| a.to_bits() == b.to_bits());
        if !is_same {
            bounds = values.iter().map(|(bound, _)| *bound).collect();
            let place = |bound: &f64| {
                *known.entry(bound.to_bits()).or_insert_with(|| {
                    let labels = part.labels.with(label, &plain(*bound));
                    let is_met =
                        |test: &&Matcher| meets_one(&test.name, labels.get(&test.name), test);
                    tests.iter().all(is_met).then(|| {
                        found.push(PointSeries {
                            labels,
                            drops_name: false,
                            points: Points::default(),
                        });
                        found.len() - 1
                    })
                })
            };
            places = bounds.iter().map(place).collect();
        }
        let (time, start) = (ms(complex.times[i]), ms(complex.start_times[i]));
        for ((_, value), place) in values.iter().zip(&places) {
            if let Some(place) = place {
                let value = if is_stale { stale() } else { *value };
                push_float(&mut found[*place].points, time, start, value);
            }
        }
    }
    found[first..].sort_by(|a, b| a.labels.cmp(&b.labels));
}

/// Bounds with cumulative counts, or quantiles with their values.
fn bounds_of(point: &ComplexPoint, all: &mut Vec<(f64, f64)>) {
    all.clear();
    match &point.shape {
        Shape::Histogram { bounds, counts } => {
            let mut total = 0u64;
            for (bound, count) in bounds.iter().zip(counts) {
                total = total.saturating_add(*count);
                all.push((*bound, total as f64));
            }
            all.push((f64::INFINITY, point.count as f64));
        }
        Shape::Summary { quantiles } => all.extend(quantiles),
        Shape::Exponential { .. } | Shape::Native(_) => {}
    }
}
