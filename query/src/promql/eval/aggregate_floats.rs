//! Aggregations of numbers alone: columns of running values, a group and step each.

use throughline_model::histogram::kahan_add;

use super::aggregate::Groups;
use super::drop_empty;
use crate::promql::ast::AggregateOp;
use crate::promql::series::{Samples, Series};

/// The running values of one group.
#[derive(Clone)]
struct Column {
    samples: Samples,
    /// What sums lack.
    rest: Vec<f64>,
}

/// The same result as a value at a time gives, where all are numbers and the operation needs no more than a running
/// value; nothing otherwise.
pub(super) fn aggregate(
    op: AggregateOp,
    series: &[Series],
    groups: &Groups,
    steps: usize,
) -> Option<Vec<Series>> {
    use AggregateOp::{Count, Group, Max, Min, Sum};
    let add: fn(&mut Column, usize, f64) = match op {
        Sum => |column, step, value| {
            let sum = column.samples.float(step);
            let (sum, rest) = match sum {
                Some(sum) => kahan_add(value, (sum, column.rest[step])),
                None => (value, 0.0),
            };
            column.samples.set_float(step, sum);
            column.rest[step] = rest;
        },
        Count => |column, step, _| {
            let count = column.samples.float(step).unwrap_or(0.0);
            column.samples.set_float(step, count + 1.0);
        },
        Group => |column, step, _| column.samples.set_float(step, 1.0),
        Max => |column, step, value| {
            let kept = column.samples.float(step);
            if kept.is_none_or(|kept| kept < value || kept.is_nan()) {
                column.samples.set_float(step, value);
            }
        },
        Min => |column, step, value| {
            let kept = column.samples.float(step);
            if kept.is_none_or(|kept| kept > value || kept.is_nan()) {
                column.samples.set_float(step, value);
            }
        },
        _ => return None,
    };
    if series.iter().any(|series| series.samples.has_histograms()) {
        return None;
    }
    let rest = if op == Sum { vec![0.0; steps] } else { Vec::new() };
    let empty = Column { samples: Samples::missing(steps), rest };
    let mut columns = vec![empty; groups.labels.len()];
    let mut drops = vec![false; groups.labels.len()];
    for (series, group) in series.iter().zip(&groups.of_series) {
        drops[*group] |= series.drops_name;
        let column = &mut columns[*group];
        series.samples.for_each_float(|step, value| add(column, step, value));
    }
    let finish = |((labels, mut column), drops_name): ((_, Column), bool)| {
        for (step, rest) in column.rest.iter().enumerate() {
            if let Some(sum) = column.samples.float(step) {
                column.samples.set_float(step, sum + rest);
            }
        }
        Series { labels, drops_name, samples: column.samples }
    };
    let columns = groups.labels.iter().cloned().zip(columns).zip(drops);
    let mut results = columns.map(finish).collect::<Vec<_>>();
    drop_empty(&mut results);
    Some(results)
}
