//! Stored points as points of Prometheus's series.

use std::sync::Arc;

use hashbrown::HashMap;
use throughline_model::histogram::{NativeHistogram, ResetHint, SCHEMA_MAX, SCHEMA_MIN, STALE_NAN};
use throughline_model::metric::{Buckets, ComplexPoint, Number, Shape};
use throughline_storage::metric::scan::SeriesPoints;

use super::translate::{Base, Derived};
use super::{NS_PER_MS, meets};
use crate::Result;
use crate::promql::labels::{BUCKET, Labels, NAME};
use crate::promql::matcher::Matcher;
use crate::promql::numbers::plain;
use crate::promql::series::{PointSeries, Points};

/// `DataPointFlags`: the point says that there is no value.
const NO_RECORDED_VALUE: u32 = 1;

/// Adds the series that a stored series stands for, as far as they meet the conditions.
pub(super) fn derive(
    base: &Base,
    stored: &mut SeriesPoints,
    matchers: &[Matcher],
    found: &mut HashMap<Labels, PointSeries>,
) -> Result<()> {
    stored.numbers.last_per_time();
    for derived in base.derives {
        match derived {
            Derived::AsIs | Derived::Value => {
                let labels = match derived {
                    Derived::AsIs => base.labels.clone(),
                    _ => base.labels.with(NAME, &base.name),
                };
                if meets(&labels, matchers) {
                    as_they_are(points_of(labels, found), stored);
                }
            }
            Derived::Native => {
                let labels = base.labels.with(NAME, &base.name);
                if meets(&labels, matchers) {
                    as_they_are(points_of(labels, found), stored);
                }
            }
            part => parts(base, *part, stored, matchers, found),
        }
    }
    Ok(())
}

fn points_of(labels: Labels, found: &mut HashMap<Labels, PointSeries>) -> &mut Points {
    let series = found.entry(labels.clone()).or_insert_with(|| PointSeries {
        labels,
        drops_name: false,
        points: Points::default(),
    });
    &mut series.points
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
    for i in 0..numbers.len() {
        let value = match numbers.value(i) {
            _ if numbers.flags[i] & NO_RECORDED_VALUE != 0 => stale(),
            Number::None => stale(),
            Number::Double(value) => value,
            Number::Int(value) => value as f64,
        };
        push_float(points, numbers.times[i], numbers.start_times[i], value);
    }
    let complex = &stored.complex;
    for (i, point) in complex.points.iter().enumerate() {
        let (time_ns, start_ns) = (complex.times[i], complex.start_times[i]);
        if complex.flags[i] & NO_RECORDED_VALUE != 0 {
            let stale = NativeHistogram { sum: stale(), ..Default::default() };
            push_histogram(points, time_ns, start_ns, stale);
        } else if let Some(histogram) = native(point) {
            push_histogram(points, time_ns, start_ns, histogram);
        }
    }
}

/// Of points at one time the last stays; series that became one are merged in order.
fn push_float(points: &mut Points, time_ns: i64, start_ns: i64, value: f64) {
    let (time, start) = (ms(time_ns), ms(start_ns));
    let times = &points.float_times;
    let place = times.partition_point(|own| *own < time);
    if place == times.len() {
        points.push_float(time, start, value);
    } else if times[place] == time {
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

fn push_histogram(points: &mut Points, time_ns: i64, start_ns: i64, value: NativeHistogram) {
    let (time, start) = (ms(time_ns), ms(start_ns));
    let times = &points.histogram_times;
    let place = times.partition_point(|own| *own < time);
    let value = Arc::new(value);
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

/// Count, sum, buckets and quantiles of histograms and summaries.
fn parts(
    base: &Base,
    part: Derived,
    stored: &SeriesPoints,
    matchers: &[Matcher],
    found: &mut HashMap<Labels, PointSeries>,
) {
    let name = base.part_name(part);
    let named = base.labels.with(NAME, &name);
    // Conditions on what a part adds are looked at for each of its series.
    let is_single = matches!(part, Derived::Count | Derived::Sum);
    if is_single && !meets(&named, matchers) {
        return;
    }
    let others = matchers.iter().filter(|m| !matches!(&*m.name, BUCKET | "quantile"));
    if !is_single && !meets(&named, &others.cloned().collect::<Vec<_>>()) {
        return;
    }
    let mut known: HashMap<u64, Option<Labels>> = HashMap::new();
    let complex = &stored.complex;
    for (i, point) in complex.points.iter().enumerate() {
        let (time_ns, start_ns) = (complex.times[i], complex.start_times[i]);
        let is_stale = complex.flags[i] & NO_RECORDED_VALUE != 0;
        let mut push = |labels: &Labels, value: f64| {
            let value = if is_stale { stale() } else { value };
            push_float(points_of(labels.clone(), found), time_ns, start_ns, value);
        };
        match part {
            Derived::Count => push(&named, point.count as f64),
            Derived::Sum => {
                if let Some(sum) = point.sum.or(is_stale.then_some(0.0)) {
                    push(&named, sum);
                }
            }
            _ => {
                for (bound, value) in bounds_of(point) {
                    let labels = known.entry(bound.to_bits()).or_insert_with(|| {
                        let label = if part == Derived::Buckets { BUCKET } else { "quantile" };
                        let labels = named.with(label, &plain(bound));
                        meets(&labels, matchers).then_some(labels)
                    });
                    if let Some(labels) = labels {
                        push(labels, value);
                    }
                }
            }
        }
    }
}

/// Bounds with cumulative counts, or quantiles with their values.
fn bounds_of(point: &ComplexPoint) -> Vec<(f64, f64)> {
    match &point.shape {
        Shape::Histogram { bounds, counts } => {
            let mut total = 0u64;
            let mut all = Vec::with_capacity(bounds.len() + 1);
            for (bound, count) in bounds.iter().zip(counts) {
                total = total.saturating_add(*count);
                all.push((*bound, total as f64));
            }
            all.push((f64::INFINITY, point.count as f64));
            all
        }
        Shape::Summary { quantiles } => quantiles.clone(),
        Shape::Exponential { .. } | Shape::Native(_) => Vec::new(),
    }
}
