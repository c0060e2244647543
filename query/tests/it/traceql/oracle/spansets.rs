//! Pipelines: spansets in, spansets out.

use std::collections::BTreeSet;

use throughline_query::traceql::ast::{
    Aggregate, AggregateOp, BinaryOp, Field, FieldExpr, FieldExprKind, Intrinsic, Pipeline,
    ScalarExpr, ScalarFilter, SpansetExpr, SpansetOp, Stage, Static,
};

use super::trace::Trace;
use super::value::{Val, calculate, compare, negate, number_order};

/// Rows of a trace that belong together, and what is recorded of them.
#[derive(Clone, Debug, Default)]
pub struct Set {
    pub rows: BTreeSet<usize>,
    pub records: Vec<(String, Val)>,
}

impl Set {
    fn record(&mut self, name: String, val: Val) {
        match self.records.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = val,
            None => self.records.push((name, val)),
        }
    }
}

impl Trace<'_> {
    /// The spansets that a pipeline leaves of the whole trace.
    pub fn pipeline(&self, pipeline: &Pipeline) -> Vec<Set> {
        let rows = (0..self.spans.len()).collect();
        self.stages(pipeline, Set { rows, records: Vec::new() })
    }

    fn stages(&self, pipeline: &Pipeline, all: Set) -> Vec<Set> {
        let mut sets = vec![all];
        for stage in &pipeline.stages {
            sets = match stage {
                Stage::Spans(expr) => sets
                    .into_iter()
                    .map(|set| Set { rows: self.spans_of(expr, &set.rows), ..set })
                    .collect(),
                Stage::Scalar(filter) => {
                    sets.into_iter().filter_map(|set| self.scalar_filter(filter, set)).collect()
                }
                Stage::By(expr) => sets.iter().flat_map(|set| self.split(expr, set)).collect(),
                Stage::Coalesce => {
                    let rows = sets.into_iter().flat_map(|set| set.rows).collect();
                    vec![Set { rows, records: Vec::new() }]
                }
                Stage::Select(_) => sets,
            };
            sets.retain(|set| !set.rows.is_empty());
        }
        sets
    }

    fn union(&self, pipeline: &Pipeline, rows: &BTreeSet<usize>) -> BTreeSet<usize> {
        let all = Set { rows: rows.clone(), records: Vec::new() };
        self.stages(pipeline, all).into_iter().flat_map(|set| set.rows).collect()
    }

    /// The rows among `rows` that an expression over spansets leaves.
    pub fn spans_of(&self, expr: &SpansetExpr, rows: &BTreeSet<usize>) -> BTreeSet<usize> {
        match expr {
            SpansetExpr::Filter(None) => rows.clone(),
            SpansetExpr::Filter(Some(expr)) => {
                let keeps = |row: &&usize| self.value(expr, **row) == Val::Bool(true);
                rows.iter().filter(keeps).copied().collect()
            }
            SpansetExpr::Pipeline(pipeline) => self.union(pipeline, rows),
            SpansetExpr::Binary { op, negated, union, left, right } => {
                let (left, right) = (self.spans_of(left, rows), self.spans_of(right, rows));
                match op {
                    SpansetOp::And if left.is_empty() || right.is_empty() => BTreeSet::new(),
                    SpansetOp::And | SpansetOp::Or => &left | &right,
                    _ => self.related(*op, *negated, *union, &left, &right),
                }
            }
        }
    }

    fn related(
        &self,
        op: SpansetOp,
        negated: bool,
        union: bool,
        left: &BTreeSet<usize>,
        right: &BTreeSet<usize>,
    ) -> BTreeSet<usize> {
        let has_left = |b: &usize| left.iter().any(|a| self.is_related(op, *a, *b));
        let has_right = |a: &usize| right.iter().any(|b| self.is_related(op, *a, *b));
        let mut kept =
            right.iter().filter(|b| has_left(b) != negated).copied().collect::<BTreeSet<_>>();
        if union {
            kept.extend(left.iter().filter(|a| has_right(a)));
        }
        kept
    }

    // Whether `a op b`.
    fn is_related(&self, op: SpansetOp, a: usize, b: usize) -> bool {
        match op {
            SpansetOp::Child => self.is_child(b, a),
            SpansetOp::Descendant => self.ancestors(b).contains(&a),
            SpansetOp::Parent => self.is_child(a, b),
            SpansetOp::Ancestor => self.ancestors(a).contains(&b),
            SpansetOp::Sibling => {
                let parent = |row: usize| self.spans[row].parent_span_id;
                a != b && parent(a).is_some() && parent(a) == parent(b)
            }
            SpansetOp::And | SpansetOp::Or => panic!("{op:?} relates no spans"),
        }
    }

    fn split(&self, expr: &FieldExpr, set: &Set) -> Vec<Set> {
        let name = format!("by({expr})");
        let mut groups: Vec<(Val, Set)> = Vec::new();
        for row in &set.rows {
            let val = self.value(expr, *row).first();
            let known = groups.iter_mut().find(|(known, _)| is_same(known, &val));
            match known {
                Some((_, group)) => {
                    group.rows.insert(*row);
                }
                None => {
                    let mut group =
                        Set { rows: BTreeSet::from([*row]), records: set.records.clone() };
                    group.record(name.clone(), val.clone());
                    groups.push((val, group));
                }
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    fn scalar_filter(&self, filter: &ScalarFilter, mut set: Set) -> Option<Set> {
        let left = self.scalar(&filter.left, &set.rows);
        let right = self.scalar(&filter.right, &set.rows);
        if !compare(filter.op, &left, &right) {
            return None;
        }
        let mut aggregates = Vec::new();
        aggregates_of(&filter.left, &mut aggregates);
        aggregates_of(&filter.right, &mut aggregates);
        for aggregate in aggregates {
            let val = self.aggregate(aggregate, &set.rows);
            set.record(aggregate.to_string(), val);
        }
        Some(set)
    }

    fn scalar(&self, expr: &ScalarExpr, rows: &BTreeSet<usize>) -> Val {
        match expr {
            ScalarExpr::Static(literal) => literal.into(),
            ScalarExpr::Aggregate(aggregate) => self.aggregate(aggregate, rows),
            ScalarExpr::Binary { op, left, right } => {
                calculate(*op, &self.scalar(left, rows), &self.scalar(right, rows))
            }
            ScalarExpr::Negate(expr) => negate(&self.scalar(expr, rows)),
            ScalarExpr::Pipeline { pipeline, scalar } => {
                let all = (0..self.spans.len()).collect();
                self.scalar(scalar, &self.union(pipeline, &all))
            }
        }
    }

    fn aggregate(&self, aggregate: &Aggregate, rows: &BTreeSet<usize>) -> Val {
        let Some(of) = &aggregate.of else { return Val::Int(rows.len() as i64) };
        let numbers = rows
            .iter()
            .map(|row| self.value(of, *row).first())
            .filter(|val| val.number().is_some())
            .collect::<Vec<_>>();
        let count = numbers.len() as f64;
        let least = |a: Val, b: Val| {
            if number_order(&b, &a).is_some_and(std::cmp::Ordering::is_lt) { b } else { a }
        };
        let most = |a: Val, b: Val| {
            if number_order(&b, &a).is_some_and(std::cmp::Ordering::is_gt) { b } else { a }
        };
        let sum = |a: Val, b: Val| calculate(BinaryOp::Add, &a, &b);
        let numbers = numbers.into_iter();
        match aggregate.op {
            AggregateOp::Count => Some(Val::Int(rows.len() as i64)),
            AggregateOp::Min => numbers.reduce(least),
            AggregateOp::Max => numbers.reduce(most),
            AggregateOp::Sum => numbers.reduce(sum),
            AggregateOp::Avg => numbers
                .reduce(sum)
                .map(|total| calculate(BinaryOp::Div, &total, &Val::Float(count))),
        }
        .unwrap_or(Val::Nil)
    }

    /// The value of an expression for a row.
    pub fn value(&self, expr: &FieldExpr, row: usize) -> Val {
        match &expr.kind {
            FieldExprKind::Static(literal) => literal.into(),
            FieldExprKind::Field(field) => self.field(row, field),
            FieldExprKind::Negate(expr) => negate(&self.value(expr, row)),
            FieldExprKind::Not(expr) => match self.value(expr, row) {
                Val::Bool(flag) => Val::Bool(!flag),
                _ => Val::Nil,
            },
            FieldExprKind::Binary { op, left, right } => self.binary(*op, left, right, row),
        }
    }

    fn binary(&self, op: BinaryOp, left: &FieldExpr, right: &FieldExpr, row: usize) -> Val {
        let (a, b) = (self.value(left, row), self.value(right, row));
        let is_true = |val: &Val| *val == Val::Bool(true);
        match op {
            BinaryOp::And => Val::Bool(is_true(&a) && is_true(&b)),
            BinaryOp::Or => Val::Bool(is_true(&a) || is_true(&b)),
            BinaryOp::Eq if is_nil(right) => Val::Bool(a.is_nil()),
            BinaryOp::Eq if is_nil(left) => Val::Bool(b.is_nil()),
            BinaryOp::Ne if is_nil(right) => Val::Bool(!a.is_nil()),
            BinaryOp::Ne if is_nil(left) => Val::Bool(!b.is_nil()),
            _ if op.is_arithmetic() => calculate(op, &a, &b),
            _ => match id_digits(left).into_iter().chain(id_digits(right)).max() {
                Some(_) if matches!(op, BinaryOp::Matches | BinaryOp::NotMatches) => {
                    Val::Bool(compare(op, &a, &any_case(b)))
                }
                Some(digits) => Val::Bool(compare(op, &as_id(a, digits), &as_id(b, digits))),
                None => Val::Bool(compare(op, &a, &b)),
            },
        }
    }
}

/// Whether two values are one group of `by`.
pub fn is_same(a: &Val, b: &Val) -> bool {
    match (a, b) {
        (Val::Float(a), Val::Float(b)) => a.total_cmp(b).is_eq(),
        _ => a == b,
    }
}

fn is_nil(expr: &FieldExpr) -> bool {
    matches!(expr.kind, FieldExprKind::Static(Static::Nil))
}

// Whether a side is an id, and to how many digits it is filled up with zeros.
fn id_digits(expr: &FieldExpr) -> Option<usize> {
    let FieldExprKind::Field(Field::Intrinsic { which, .. }) = &expr.kind else { return None };
    match which {
        Intrinsic::TraceId | Intrinsic::LinkTraceId => Some(32),
        Intrinsic::SpanId | Intrinsic::ParentId | Intrinsic::LinkSpanId => Some(0),
        _ => None,
    }
}

fn as_id(val: Val, digits: usize) -> Val {
    match val {
        Val::String(text) => Val::String(format!("{:0>digits$}", text.to_lowercase())),
        Val::List(items) => Val::List(items.into_iter().map(|item| as_id(item, digits)).collect()),
        other => other,
    }
}

fn any_case(pattern: Val) -> Val {
    match pattern {
        Val::String(pattern) => Val::String(format!("(?i:{pattern})")),
        other => other,
    }
}

fn aggregates_of<'e>(expr: &'e ScalarExpr, found: &mut Vec<&'e Aggregate>) {
    match expr {
        ScalarExpr::Static(_) | ScalarExpr::Pipeline { .. } => {}
        ScalarExpr::Aggregate(aggregate) => found.push(aggregate),
        ScalarExpr::Negate(expr) => aggregates_of(expr, found),
        ScalarExpr::Binary { left, right, .. } => {
            aggregates_of(left, found);
            aggregates_of(right, found);
        }
    }
}
