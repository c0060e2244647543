//! What happens to series once they are there: arithmetic, filters, the largest and the smallest.

use std::cmp::Ordering;

use hashbrown::HashMap;
use throughline_model::Value;

use super::grid::Grid;
use crate::traceql::MetricsSeries;
use crate::traceql::ast::{BinaryOp, SecondStage};
use crate::traceql::eval::value::label_order;

/// The order of series: label by label.
pub(super) fn labels_order(a: &[(String, Value)], b: &[(String, Value)]) -> Ordering {
    for ((name_a, a), (name_b, b)) in a.iter().zip(b) {
        let order = name_a.cmp(name_b).then_with(|| label_order(a, b));
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// Applies a stage.
pub(super) fn apply(stage: &SecondStage, series: Vec<MetricsSeries>) -> Vec<MetricsSeries> {
    match stage {
        SecondStage::TopK(count) => ranked(series, *count, |a, b| b.total_cmp(&a)),
        SecondStage::BottomK(count) => ranked(series, *count, |a, b| a.total_cmp(&b)),
        SecondStage::Filter(op, bound) => keep(series, |_, _, value| holds(*op, value, *bound)),
    }
}

fn keep(
    mut series: Vec<MetricsSeries>,
    wanted: impl Fn(usize, i64, f64) -> bool,
) -> Vec<MetricsSeries> {
    for (at, one) in series.iter_mut().enumerate() {
        one.points.retain(|(time, value)| wanted(at, *time, *value));
    }
    series.retain(|one| !one.points.is_empty());
    series
}

fn holds(op: BinaryOp, value: f64, bound: f64) -> bool {
    match op {
        BinaryOp::Eq => value == bound,
        BinaryOp::Ne => value != bound,
        BinaryOp::Lt => value < bound,
        BinaryOp::Le => value <= bound,
        BinaryOp::Gt => value > bound,
        BinaryOp::Ge => value >= bound,
        _ => false,
    }
}

// Keeps the first points of each time; equal ones by the labels of their series.
fn ranked(
    mut series: Vec<MetricsSeries>,
    count: usize,
    order: fn(f64, f64) -> Ordering,
) -> Vec<MetricsSeries> {
    series.sort_by(|a, b| labels_order(&a.labels, &b.labels));
    let mut by_time: HashMap<i64, Vec<(f64, usize)>> = HashMap::new();
    for (at, one) in series.iter().enumerate() {
        for (time, value) in &one.points {
            by_time.entry(*time).or_default().push((*value, at));
        }
    }
    for points in by_time.values_mut() {
        points.sort_by(|a, b| order(a.0, b.0).then(a.1.cmp(&b.1)));
        points.truncate(count);
    }
    keep(series, |at, time, _| by_time[&time].iter().any(|(_, place)| *place == at))
}

/// Arithmetic of two numbers.
pub(super) fn calculate(op: BinaryOp, a: f64, b: f64) -> f64 {
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Mod => a % b,
        BinaryOp::Pow => a.powf(b),
        _ => f64::NAN,
    }
}

/// A number as a series without labels.
pub(super) fn constant(grid: &Grid, number: f64) -> Vec<MetricsSeries> {
    if !number.is_finite() {
        return Vec::new();
    }
    let points = (0..grid.points).map(|at| (grid.time_of(at), number)).collect();
    vec![MetricsSeries { points, ..MetricsSeries::default() }]
}

/// Every point with a number; `number_first` for `2 / series`.
pub(super) fn with_scalar(
    op: BinaryOp,
    series: Vec<MetricsSeries>,
    number: f64,
    number_first: bool,
) -> Vec<MetricsSeries> {
    let value = |value: f64| match number_first {
        true => calculate(op, number, value),
        false => calculate(op, value, number),
    };
    let each = |one: MetricsSeries| {
        let points = one.points.into_iter().map(|(time, point)| (time, value(point)));
        finite(MetricsSeries { points: points.collect(), ..one })
    };
    series.into_iter().filter_map(each).collect()
}

/// Points of equal labels and times. Exemplars are those of the left.
pub(super) fn joined(
    op: BinaryOp,
    left: Vec<MetricsSeries>,
    right: Vec<MetricsSeries>,
) -> Vec<MetricsSeries> {
    let key = |labels: &[(String, Value)]| {
        let mut key = Vec::new();
        for (name, value) in labels {
            key.extend_from_slice(name.as_bytes());
            key.push(0);
            value.encode(&mut key);
            key.push(0);
        }
        key
    };
    let partners = right
        .into_iter()
        .map(|one| (key(&one.labels), one.points.into_iter().collect::<HashMap<i64, f64>>()));
    let partners = partners.collect::<HashMap<_, _>>();
    let each = |one: MetricsSeries| {
        let partner = partners.get(&key(&one.labels))?;
        let points = one
            .points
            .into_iter()
            .filter_map(|(time, value)| Some((time, calculate(op, value, *partner.get(&time)?))));
        finite(MetricsSeries { points: points.collect(), ..one })
    };
    left.into_iter().filter_map(each).collect()
}

// None if no point is left.
fn finite(mut series: MetricsSeries) -> Option<MetricsSeries> {
    series.points.retain(|(_, value)| value.is_finite());
    (!series.points.is_empty()).then_some(series)
}
