//! Series with a value for each step, and aggregations over them.

use std::cmp::Ordering;

use hashbrown::HashMap;

use super::super::ast::Grouping;
use super::super::grammar::VectorOp;
use super::super::labels::Labels;
use super::samples::Points;

/// One series while a query is worked out.
#[derive(Clone, Debug)]
pub struct SeriesRow {
    pub labels: Labels,
    /// A value for each step that has one.
    pub points: Points,
}

/// The labels of a series that a grouping leaves.
pub fn grouped(labels: &Labels, grouping: Option<&Grouping>) -> Labels {
    let Some(grouping) = grouping else { return Labels::default() };
    let is_listed = |name: &str| grouping.labels.iter().any(|label| label == name);
    Labels::new(labels.pairs().filter(|(name, _)| is_listed(name) != grouping.without))
}

/// Series of one group become one, or some of them are kept.
pub fn aggregate(
    op: VectorOp,
    parameter: Option<f64>,
    grouping: Option<&Grouping>,
    rows: Vec<SeriesRow>,
    steps: usize,
) -> Vec<SeriesRow> {
    if op.is_sort() {
        return sorted(rows, op == VectorOp::SortDesc);
    }
    let mut groups: Vec<(Labels, Vec<usize>)> = Vec::new();
    let mut by_labels: HashMap<Labels, usize> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        let labels = grouped(&row.labels, grouping);
        let group = *by_labels.entry(labels).or_insert_with_key(|labels| {
            groups.push((labels.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[group].1.push(at);
    }
    if op.takes_parameter() {
        return top(op, parameter.unwrap_or(1.0) as usize, &groups, rows, steps);
    }
    let fold = |(labels, members): (Labels, Vec<usize>)| {
        let mut values = Vec::with_capacity(members.len());
        let mut points = Vec::with_capacity(steps);
        for step in 0..steps {
            values.clear();
            values.extend(members.iter().filter_map(|at| rows[*at].points[step]));
            points.push(folded(op, &values));
        }
        SeriesRow { labels, points }
    };
    groups.into_iter().map(fold).collect()
}

fn folded(op: VectorOp, values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let sum = || values.iter().sum::<f64>();
    let variance = || {
        let mean = sum() / count;
        values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count
    };
    Some(match op {
        VectorOp::Count => count,
        VectorOp::Avg => sum() / count,
        VectorOp::Min => values.iter().copied().fold(f64::NAN, f64::min),
        VectorOp::Max => values.iter().copied().fold(f64::NAN, f64::max),
        VectorOp::Stdvar => variance(),
        VectorOp::Stddev => variance().sqrt(),
        _ => sum(),
    })
}

// What is no number comes last, whichever end is asked for.
fn order(left: f64, right: f64, largest_first: bool) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ if largest_first => right.total_cmp(&left),
        _ => left.total_cmp(&right),
    }
}

fn sorted(mut rows: Vec<SeriesRow>, largest_first: bool) -> Vec<SeriesRow> {
    let value = |row: &SeriesRow| row.points.first().copied().flatten().unwrap_or(f64::NAN);
    rows.sort_by(|a, b| {
        order(value(a), value(b), largest_first).then_with(|| a.labels.cmp(&b.labels))
    });
    rows
}

// Of each group and step the series with the largest or smallest values; of equal ones the first by
// labels.
fn top(
    op: VectorOp,
    count: usize,
    groups: &[(Labels, Vec<usize>)],
    mut rows: Vec<SeriesRow>,
    steps: usize,
) -> Vec<SeriesRow> {
    let largest_first = op != VectorOp::BottomK;
    for (_, members) in groups {
        for step in 0..steps {
            let present = members.iter().filter_map(|at| rows[*at].points[step].map(|v| (v, *at)));
            let mut present: Vec<_> = present.collect();
            if present.len() <= count {
                continue;
            }
            present.sort_by(|a, b| {
                order(a.0, b.0, largest_first).then_with(|| rows[a.1].labels.cmp(&rows[b.1].labels))
            });
            for (_, at) in &present[count..] {
                rows[*at].points[step] = None;
            }
        }
    }
    rows.retain(|row| row.points.iter().any(Option::is_some));
    sorted(rows, largest_first)
}
