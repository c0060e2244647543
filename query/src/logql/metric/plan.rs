//! The tree of a query for numbers, ready to run: its range functions are taken out as leaves.

use std::sync::Arc;

use regex::Regex;

use super::super::ast::{Grouping, MatchOp, Matcher, MetricExpr, RangeAggregate, VectorAggregate};
use super::super::error::{Error, ErrorKind, Result};
use super::super::grammar::{RangeOp, VectorOp};
use super::super::labels::Labels;
use super::super::pipeline::{Pipeline, Unwrap, Wanted, anchored};
use super::super::pushdown::Pushdown;
use super::binary::{Operator, Value};
use super::grid::{Cuts, Grid};
use super::vector::{SeriesRow, aggregate};
use super::{Leaf, LeafFunction, Limits};

/// A part of a query.
pub enum Node {
    Scalar(f64),
    Vector(f64),
    Leaf(usize),
    Aggregate { op: VectorOp, parameter: Option<f64>, grouping: Option<Grouping>, of: Box<Node> },
    Binary(Operator, Box<Node>, Box<Node>),
    Replace(Box<Replace>),
}

/// `label_replace`, prepared.
pub struct Replace {
    of: Node,
    target: String,
    replacement: String,
    source: String,
    regex: Regex,
}

/// A part of a query and all below it; leaves are appended. `outer` is the grouping that a leaf may
/// take over from the aggregation around it.
pub fn node(
    expr: &MetricExpr,
    outer: Option<&VectorAggregate>,
    leaves: &mut Vec<Arc<Leaf>>,
    grid: &Grid,
    now_ns: i64,
) -> Result<Node> {
    Ok(match expr {
        MetricExpr::Literal(number) => Node::Scalar(*number),
        MetricExpr::Vector(number) => Node::Vector(*number),
        MetricExpr::Range(range) => {
            let index = leaves.len();
            leaves.push(Arc::new(leaf(range, outer, index, grid, now_ns)?));
            Node::Leaf(index)
        }
        MetricExpr::Aggregate(aggregate) => Node::Aggregate {
            op: aggregate.op,
            parameter: aggregate.parameter,
            grouping: aggregate.grouping.clone(),
            of: Box::new(node(&aggregate.of, Some(aggregate), leaves, grid, now_ns)?),
        },
        MetricExpr::Binary(binary) => {
            let left = node(&binary.left, None, leaves, grid, now_ns)?;
            let right = node(&binary.right, None, leaves, grid, now_ns)?;
            Node::Binary(Operator::new(binary), Box::new(left), Box::new(right))
        }
        MetricExpr::LabelReplace(replace) => Node::Replace(Box::new(Replace {
            of: node(&replace.of, None, leaves, grid, now_ns)?,
            target: replace.target.clone(),
            replacement: replace.replacement.clone(),
            source: replace.source.clone(),
            regex: anchored(&replace.pattern.value, replace.pattern.at.0)?,
        })),
    })
}

// Sums of sums, smallest of smallest and largest of largest may be made at once: fewer series are
// kept, and parsers need only look for the labels of the groups.
fn is_foldable(outer: VectorOp, inner: RangeOp) -> bool {
    match outer {
        VectorOp::Sum => matches!(
            inner,
            RangeOp::Rate | RangeOp::Count | RangeOp::Bytes | RangeOp::BytesRate | RangeOp::Sum
        ),
        VectorOp::Min => inner == RangeOp::Min,
        VectorOp::Max => inner == RangeOp::Max,
        _ => false,
    }
}

fn leaf(
    range: &RangeAggregate,
    outer: Option<&VectorAggregate>,
    index: usize,
    grid: &Grid,
    now_ns: i64,
) -> Result<Leaf> {
    let outer = outer.filter(|outer| range.grouping.is_none() && is_foldable(outer.op, range.op));
    let grouping = match (&range.grouping, outer) {
        _ if range.op == RangeOp::Absent => Grouping::default(),
        (Some(grouping), _) => grouping.clone(),
        (None, Some(outer)) => outer.grouping.clone().unwrap_or_default(),
        (None, None) => Grouping { without: true, labels: Vec::new() },
    };
    let unwrap = range.range.unwrap.as_ref().map(Unwrap::new).transpose()?;
    let mut wanted = match grouping.without {
        true => Wanted::All,
        false => Wanted::only(&grouping.labels),
    };
    let mut grouping = grouping;
    if let Some(unwrap) = &unwrap {
        unwrap.add_wanted(&mut wanted);
        if grouping.without {
            grouping.labels.push(unwrap.label().to_owned());
        }
    }
    let log = range.range.log.clone();
    let (range_ns, offset_ns) = (range.range.range_ns, range.range.offset_ns);
    Ok(Leaf {
        index,
        pushdown: Pushdown::new(&log),
        pipeline: Pipeline::with_wanted(&log, now_ns, wanted)?,
        log,
        function: LeafFunction {
            op: range.op,
            is_unwrapped: unwrap.is_some(),
            parameter: range.parameter.unwrap_or(0.0),
            range_ns,
            offset_ns,
        },
        grouping,
        unwrap,
        cuts: Cuts::new(grid, range_ns, offset_ns),
        grid: *grid,
    })
}

impl Leaf {
    /// One where the series has nothing; its labels are those that the selector asks for.
    pub(super) fn absent(&self, rows: Vec<SeriesRow>) -> Vec<SeriesRow> {
        let is_asked = |matcher: &&Matcher| matcher.op == MatchOp::Equal;
        let asked = self.log.matchers.iter().filter(is_asked);
        let labels = Labels::new(asked.map(|matcher| (&matcher.name, &matcher.value)));
        let is_there = |step: usize| rows.iter().any(|row| row.points[step].is_some());
        let points = (0..self.grid.steps()).map(|step| (!is_there(step)).then_some(1.0)).collect();
        vec![SeriesRow { labels, points }]
    }
}

impl Node {
    /// What it comes to; the series of the leaves are taken.
    pub fn value(
        &self,
        leaves: &mut Vec<Vec<SeriesRow>>,
        steps: usize,
        limits: &Limits,
    ) -> Result<Value> {
        let value = match self {
            Self::Scalar(number) => Value::Scalar(*number),
            Self::Vector(number) => {
                let points = vec![Some(*number); steps];
                Value::Series(vec![SeriesRow { labels: Labels::default(), points }])
            }
            Self::Leaf(index) => {
                Value::Series(leaves.get_mut(*index).map(std::mem::take).unwrap_or_default())
            }
            Self::Aggregate { op, parameter, grouping, of } => {
                let rows = of.series(leaves, steps, limits)?;
                Value::Series(aggregate(*op, *parameter, grouping.as_ref(), rows, steps))
            }
            Self::Binary(operator, left, right) => {
                let left = left.value(leaves, steps, limits)?;
                let right = right.value(leaves, steps, limits)?;
                operator.run(left, right, steps)?
            }
            Self::Replace(replace) => {
                let rows = replace.of.series(leaves, steps, limits)?;
                Value::Series(replace.run(rows)?)
            }
        };
        if let Value::Series(rows) = &value {
            limits.check_points(rows.len(), steps)?;
        }
        Ok(value)
    }

    fn series(
        &self,
        leaves: &mut Vec<Vec<SeriesRow>>,
        steps: usize,
        limits: &Limits,
    ) -> Result<Vec<SeriesRow>> {
        match self.value(leaves, steps, limits)? {
            Value::Series(rows) => Ok(rows),
            Value::Scalar(_) => Err(Error::new(ErrorKind::Meaning, "a number is no series")),
        }
    }

    /// Whether the order of its series means something.
    pub fn is_ordered(&self) -> bool {
        match self {
            Self::Aggregate { op, .. } => op.is_sort() || op.takes_parameter(),
            _ => false,
        }
    }
}

impl Replace {
    fn run(&self, rows: Vec<SeriesRow>) -> Result<Vec<SeriesRow>> {
        let mut replaced: Vec<SeriesRow> = Vec::with_capacity(rows.len());
        let mut seen = hashbrown::HashMap::new();
        for row in rows {
            let source = row.labels.get(&self.source).unwrap_or_default();
            let labels = match self.regex.captures(source) {
                None => row.labels.clone(),
                Some(captures) => {
                    let mut value = String::new();
                    captures.expand(&self.replacement, &mut value);
                    let pairs = row.labels.pairs().filter(|(name, _)| *name != self.target);
                    Labels::new(pairs.chain([(self.target.as_str(), value.as_str())]))
                }
            };
            if let Some(at) = seen.insert(labels.clone(), replaced.len()) {
                let both = replaced[at].points.iter().zip(&row.points);
                if both.into_iter().any(|(a, b)| a.is_some() && b.is_some()) {
                    let message = format!("label_replace makes two series {labels}");
                    return Err(Error::new(ErrorKind::Matching, message));
                }
            }
            replaced.push(SeriesRow { labels, points: row.points });
        }
        Ok(replaced)
    }
}
