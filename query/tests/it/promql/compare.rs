//! Whether an answer is the expected one.

use throughline_model::histogram::NativeHistogram;
use throughline_query::promql::Value;
use throughline_query::promql::labels::Labels;
use throughline_query::promql::series::{PointSeries, Sample, Series};

use super::describe::Item;
use super::script::Eval;

const EPSILON: f64 = 1e-6;

/// Says how an answer differs from the expected one.
pub fn value(eval: &Eval, value: &Value) -> Result<(), String> {
    match value {
        Value::Matrix(series) => {
            let sorted = series.is_sorted_by(|a, b| a.labels <= b.labels);
            if !sorted {
                return Err("the series are not sorted".to_owned());
            }
            if eval.scalar.is_some() {
                return Err("a matrix in place of a scalar".to_owned());
            }
            let (start, end, step) =
                eval.range.unwrap_or((eval.start_ms, eval.end_ms, eval.step_ms.unwrap_or(1)));
            matrix(eval, series, start, end, step)
        }
        Value::Vector(series) => vector(eval, series),
        Value::Scalar(values) => scalar(eval, values[0]),
        Value::Text(text) => match eval.text.as_ref() == Some(text) {
            true => Ok(()),
            false => Err(format!("text {text:?} in place of {:?}", eval.text)),
        },
    }
}

pub fn scalar(eval: &Eval, found: f64) -> Result<(), String> {
    match eval.scalar {
        Some(wanted) if almost(wanted, found) => Ok(()),
        wanted => Err(format!("scalar {found} in place of {wanted:?}")),
    }
}

/// Compares series at one time with the first value of each expected.
pub fn vector(eval: &Eval, series: &[Series]) -> Result<(), String> {
    if eval.scalar.is_some() {
        return Err("a vector in place of a scalar".to_owned());
    }
    let values = series.iter().map(|series| (&series.labels, series.samples.get(0)));
    let values = values.filter_map(|(labels, sample)| Some((labels, sample?)));
    samples(eval, &values.collect::<Vec<_>>())
}

pub fn samples(eval: &Eval, found: &[(&Labels, Sample)]) -> Result<(), String> {
    for (at, (labels, sample)) in found.iter().enumerate() {
        let wanted = eval.series.iter().position(|(own, _)| own == *labels);
        let Some(place) = wanted else {
            return Err(format!("unexpected {labels} {}", show(sample)));
        };
        if eval.ordered && place != at {
            return Err(format!("{labels} is at {at}, not {place}"));
        }
        let item = eval.series[place].1.first().unwrap_or(&Item::Omitted);
        if !is_same(item, sample) {
            return Err(format!("{labels} is {}, not {}", show(sample), show_item(item)));
        }
    }
    missing(eval, found.iter().map(|(labels, _)| *labels).collect())
}

fn missing(eval: &Eval, found: Vec<&Labels>) -> Result<(), String> {
    let missing = eval.series.iter().find(|(labels, _)| !found.contains(&labels));
    missing.map_or(Ok(()), |(labels, items)| {
        Err(format!("{labels} {} is missing", items.first().map_or(String::new(), show_item)))
    })
}

fn matrix(
    eval: &Eval,
    series: &[PointSeries],
    start: i64,
    end: i64,
    step: i64,
) -> Result<(), String> {
    for series in series {
        let labels = &series.labels;
        let wanted = eval.series.iter().find(|(own, _)| own == labels);
        let points = points(series);
        let Some((_, items)) = wanted else {
            return Err(format!("unexpected {labels} {}", show_points(&points)));
        };
        let wanted = items.iter().enumerate().map(|(i, item)| (start + step * i as i64, item));
        let wanted = wanted.filter(|(_, item)| **item != Item::Omitted).collect::<Vec<_>>();
        if wanted.iter().any(|(time, _)| *time > end) {
            return Err(format!("{labels}: more values than times"));
        }
        let is_equal = wanted.len() == points.len()
            && wanted
                .iter()
                .zip(&points)
                .all(|((time, item), (found, sample))| time == found && is_same(item, sample));
        if !is_equal {
            let wanted = wanted.iter().map(|(t, item)| format!("{} @{t}", show_item(item)));
            let wanted = wanted.collect::<Vec<_>>().join(", ");
            return Err(format!("{labels} is {}, not {wanted}", show_points(&points)));
        }
    }
    missing(eval, series.iter().map(|series| &series.labels).collect())
}

/// The points of a series in order of time.
pub fn points(series: &PointSeries) -> Vec<(i64, Sample)> {
    let points = &series.points;
    let floats = points.float_times.iter().zip(&points.floats);
    let floats = floats.map(|(time, value)| (*time, Sample::Float(*value)));
    let histograms = points.histogram_times.iter().zip(&points.histograms);
    let histograms = histograms.map(|(time, value)| (*time, Sample::Histogram(value.clone())));
    let mut all = floats.chain(histograms).collect::<Vec<_>>();
    all.sort_by_key(|(time, _)| *time);
    all
}

fn show_points(points: &[(i64, Sample)]) -> String {
    let points = points.iter().map(|(time, sample)| format!("{} @{time}", show(sample)));
    points.collect::<Vec<_>>().join(", ")
}

fn show(sample: &Sample) -> String {
    match sample {
        Sample::Float(value) => value.to_string(),
        Sample::Histogram(histogram) => format!("{histogram} {:?}", histogram.hint),
    }
}

fn show_item(item: &Item) -> String {
    match item {
        Item::Omitted => "_".to_owned(),
        Item::Float(value) => value.to_string(),
        Item::Histogram(histogram, is_hinted) => match is_hinted {
            true => format!("{histogram} {:?}", histogram.hint),
            false => histogram.to_string(),
        },
    }
}

fn is_same(item: &Item, sample: &Sample) -> bool {
    match (item, sample) {
        (Item::Float(wanted), Sample::Float(found)) => almost(*wanted, *found),
        (Item::Histogram(wanted, is_hinted), Sample::Histogram(found)) => {
            same_histogram(wanted, found) && (!is_hinted || wanted.hint == found.hint)
        }
        _ => false,
    }
}

fn same_histogram(a: &NativeHistogram, b: &NativeHistogram) -> bool {
    let counts = |a: &[(i32, f64)], b: &[(i32, f64)]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && almost(a.1, b.1))
    };
    a.schema == b.schema
        && almost(a.count, b.count)
        && almost(a.sum, b.sum)
        && a.custom_values == b.custom_values
        && a.zero_threshold == b.zero_threshold
        && almost(a.zero_count, b.zero_count)
        && counts(&a.positive, &b.positive)
        && counts(&a.negative, &b.negative)
}

fn almost(a: f64, b: f64) -> bool {
    let is_stale = throughline_model::histogram::is_stale;
    if is_stale(a) || is_stale(b) {
        return is_stale(a) && is_stale(b);
    }
    if a == b || a.is_nan() && b.is_nan() {
        return true;
    }
    let (sum, diff) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return diff < EPSILON * f64::MIN_POSITIVE;
    }
    diff / sum.min(f64::MAX) < EPSILON
}
