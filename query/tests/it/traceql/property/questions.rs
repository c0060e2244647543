//! Random queries.

use rand::Rng;
use rand::rngs::StdRng;
use throughline_model::span::Span;
use throughline_model::time::{SECOND_NS, TimeRange};
use throughline_query::traceql::ast::{
    Aggregate, AggregateOp, Field, Intrinsic, MetricsExpr, MetricsFunction, MetricsQuery, Pipeline,
    Place, Query, Root, ScalarExpr, ScalarFilter, SecondStage, SpansetExpr, SpansetOp, Stage,
    Static,
};

use super::data::{BASE_NS, SECONDS};
use super::expressions::{
    ARITHMETIC, ORDERED, condition, group_field, number, number_field, of_field,
    operation_condition, operation_field,
};
use super::pick;

/// A query with what else a request says.
#[derive(Clone, Debug)]
pub struct Question {
    pub query: Query,
    pub time: Option<TimeRange>,
    /// Of metrics; none for one point.
    pub step_ns: Option<i64>,
    /// Traces a page, or series at most.
    pub limit: usize,
    /// Spans a spanset, or exemplars at most.
    pub details: usize,
}

const RELATIONS: [SpansetOp; 5] = [
    SpansetOp::Child,
    SpansetOp::Descendant,
    SpansetOp::Parent,
    SpansetOp::Ancestor,
    SpansetOp::Sibling,
];

/// A question of any kind.
pub fn question(rng: &mut StdRng, spans: &[Span]) -> Question {
    if rng.random_bool(0.3) {
        let expr = metrics(rng, spans, 1);
        let query = Query { root: Root::Metrics(expr), hints: Vec::new() };
        let step_ns = pick(rng, &[None, Some(1), Some(7), Some(15), Some(30), Some(60)]);
        return Question {
            query,
            time: Some(range(rng)),
            step_ns: step_ns.map(|seconds| seconds * SECOND_NS),
            limit: pick(rng, &[10_000, 10_000, 10_000, 3]),
            details: pick(rng, &[0, 0, 5]),
        };
    }
    let pipeline = pipeline(rng, spans, 2);
    Question {
        query: Query { root: Root::Search(pipeline), hints: Vec::new() },
        time: rng.random_bool(0.4).then(|| range(rng)),
        step_ns: None,
        limit: pick(rng, &[1, 2, 3, 7, 100, 100, 100]),
        details: pick(rng, &[1, 3, 100, 100]),
    }
}

fn range(rng: &mut StdRng) -> TimeRange {
    let at = |rng: &mut StdRng| BASE_NS + rng.random_range(-5..SECONDS + 5) * SECOND_NS;
    let (a, b) = match rng.random_range(0..3) {
        0 => (BASE_NS - 5 * SECOND_NS, BASE_NS + (SECONDS + 5) * SECOND_NS),
        _ => (at(rng), at(rng)),
    };
    TimeRange { start_ns: a.min(b), end_ns: a.max(b).max(a.min(b) + SECOND_NS) }
}

/// Stages; the first picks spans.
fn pipeline(rng: &mut StdRng, spans: &[Span], depth: usize) -> Pipeline {
    let mut stages = vec![Stage::Spans(spansets(rng, spans, depth))];
    for _ in 0..pick(rng, &[0, 0, 0, 1, 1, 2, 3]) {
        stages.push(match rng.random_range(0..8) {
            0 | 1 => Stage::By(by(rng, spans)),
            2 => Stage::Coalesce,
            3 => Stage::Select((0..rng.random_range(1..4)).map(|_| any_field(rng)).collect()),
            4 => Stage::Spans(spansets(rng, spans, 1)),
            _ => Stage::Scalar(scalar_filter(rng, spans, depth)),
        });
    }
    Pipeline { stages }
}

fn any_field(rng: &mut StdRng) -> Field {
    if rng.random() { group_field(rng) } else { number_field(rng) }
}

fn by(rng: &mut StdRng, spans: &[Span]) -> throughline_query::traceql::ast::FieldExpr {
    match rng.random_range(0..6) {
        0 => number(rng, 1),
        1 => condition(rng, spans, 0),
        _ => of_field(group_field(rng)),
    }
}

fn spansets(rng: &mut StdRng, spans: &[Span], depth: usize) -> SpansetExpr {
    if depth == 0 || rng.random_bool(0.45) {
        let is_all = rng.random_bool(0.1);
        return SpansetExpr::Filter((!is_all).then(|| condition(rng, spans, 2)));
    }
    if rng.random_bool(0.08) {
        let inner = pipeline(rng, spans, depth - 1);
        // A single spanset in parentheses is that spanset.
        if inner.stages.len() > 1 {
            return SpansetExpr::Pipeline(Box::new(inner));
        }
    }
    let (left, right) = (spansets(rng, spans, depth - 1), spansets(rng, spans, depth - 1));
    let is_logic = rng.random_bool(0.25);
    let op =
        if is_logic { pick(rng, &[SpansetOp::And, SpansetOp::Or]) } else { pick(rng, &RELATIONS) };
    let (negated, union) = if is_logic {
        (false, false)
    } else {
        pick(rng, &[(false, false), (true, false), (false, true)])
    };
    SpansetExpr::Binary { op, negated, union, left: Box::new(left), right: Box::new(right) }
}

fn aggregate(rng: &mut StdRng) -> ScalarExpr {
    let ops = [AggregateOp::Min, AggregateOp::Max, AggregateOp::Avg, AggregateOp::Sum];
    let (op, of) = match rng.random_range(0..5) {
        0 | 1 => (AggregateOp::Count, None),
        2 => (pick(rng, &ops), Some(number(rng, 1))),
        _ => (pick(rng, &ops), Some(of_field(number_field(rng)))),
    };
    let of = of.filter(has_field);
    let op = if of.is_none() { AggregateOp::Count } else { op };
    ScalarExpr::Aggregate(Aggregate { op, of, place: Place::default() })
}

fn has_field(expr: &throughline_query::traceql::ast::FieldExpr) -> bool {
    use throughline_query::traceql::ast::FieldExprKind as Kind;
    match &expr.kind {
        Kind::Static(_) => false,
        Kind::Field(_) => true,
        Kind::Negate(inner) | Kind::Not(inner) => has_field(inner),
        Kind::Binary { left, right, .. } => has_field(left) || has_field(right),
    }
}

fn scalar_literal(rng: &mut StdRng) -> ScalarExpr {
    ScalarExpr::Static(match rng.random_range(0..4) {
        0 => Static::Duration(rng.random_range(0..10) * 500_000_000),
        1 => Static::Float(f64::from(rng.random_range(0..12)) / 4.0),
        _ => Static::Int(rng.random_range(0..5)),
    })
}

fn scalar(rng: &mut StdRng, spans: &[Span], depth: usize) -> ScalarExpr {
    match rng.random_range(0..6) {
        0 => scalar_literal(rng),
        1 if depth > 0 => ScalarExpr::Binary {
            op: pick(rng, &ARITHMETIC),
            left: Box::new(aggregate(rng)),
            right: Box::new(scalar(rng, spans, depth - 1)),
        },
        2 if depth > 0 => ScalarExpr::Pipeline {
            pipeline: Box::new(pipeline(rng, spans, 0)),
            scalar: Box::new(aggregate(rng)),
        },
        3 if depth > 0 => ScalarExpr::Negate(Box::new(aggregate(rng))),
        _ => aggregate(rng),
    }
}

fn scalar_filter(rng: &mut StdRng, spans: &[Span], depth: usize) -> ScalarFilter {
    let left = match scalar(rng, spans, depth) {
        ScalarExpr::Static(_) => aggregate(rng),
        other => other,
    };
    let right = if rng.random() { scalar_literal(rng) } else { scalar(rng, spans, depth) };
    ScalarFilter { op: pick(rng, &ORDERED), left, right, place: Place::default() }
}

fn function(rng: &mut StdRng, spans: &[Span]) -> MetricsFunction {
    let field = number_field(rng);
    match rng.random_range(0..12) {
        0 | 1 => MetricsFunction::Rate,
        2 | 3 => MetricsFunction::CountOverTime,
        4 => MetricsFunction::MinOverTime(field),
        5 => MetricsFunction::MaxOverTime(field),
        6 => MetricsFunction::AvgOverTime(field),
        7 => MetricsFunction::SumOverTime(field),
        8 | 9 => {
            let some = pick(rng, &[&[0.5][..], &[0.9, 0.99], &[0.0, 1.0, 0.25]]);
            MetricsFunction::QuantileOverTime(field, some.to_vec())
        }
        10 => MetricsFunction::HistogramOverTime(field),
        _ => {
            let selection = SpansetExpr::Filter(Some(condition(rng, spans, 1)));
            let range = rng.random_bool(0.3).then(|| range(rng));
            MetricsFunction::Compare {
                selection: Box::new(selection),
                top: pick(rng, &[1, 2, 10]),
                start_ns: range.map(|range| range.start_ns),
                end_ns: range.map(|range| range.end_ns),
            }
        }
    }
}

fn metrics(rng: &mut StdRng, spans: &[Span], depth: usize) -> MetricsExpr {
    match rng.random_range(0..10) {
        0 if depth > 0 => {
            let single = metrics_query(rng, spans);
            let second = MetricsQuery { pipeline: pipeline(rng, spans, 1), ..single.clone() };
            MetricsExpr::Binary {
                op: pick(rng, &ARITHMETIC[..5]),
                left: Box::new(MetricsExpr::Query(Box::new(single))),
                right: Box::new(MetricsExpr::Query(Box::new(second))),
            }
        }
        1 if depth > 0 => {
            let series = Box::new(metrics(rng, spans, 0));
            let number = Box::new(MetricsExpr::Scalar(f64::from(rng.random_range(0..6)) / 2.0));
            let op = pick(rng, &ARITHMETIC);
            let (left, right) = if rng.random() { (series, number) } else { (number, series) };
            MetricsExpr::Binary { op, left, right }
        }
        2 if depth > 0 => MetricsExpr::Negate(Box::new(metrics(rng, spans, 0))),
        3..6 if depth > 0 => {
            let stage = |rng: &mut StdRng| match rng.random_range(0..3) {
                0 => SecondStage::TopK(rng.random_range(1..4)),
                1 => SecondStage::BottomK(rng.random_range(1..4)),
                _ => {
                    let limit = f64::from(rng.random_range(0..8)) / 2.0;
                    SecondStage::Filter(pick(rng, &ORDERED), limit)
                }
            };
            let input = metrics(rng, spans, 0);
            let stages = (0..rng.random_range(1..3)).map(|_| stage(rng)).collect();
            MetricsExpr::Staged { input: Box::new(input), stages }
        }
        _ => MetricsExpr::Query(Box::new(metrics_query(rng, spans))),
    }
}

fn metrics_query(rng: &mut StdRng, spans: &[Span]) -> MetricsQuery {
    if rng.random_bool(0.3) {
        return of_operations(rng, spans);
    }
    let function = function(rng, spans);
    let is_compare = matches!(function, MetricsFunction::Compare { .. });
    let count = if is_compare { 0 } else { pick(rng, &[0, 0, 1, 1, 2]) };
    let mut by = Vec::new();
    for _ in 0..count {
        let field = group_field(rng);
        if !by.contains(&field) {
            by.push(field);
        }
    }
    MetricsQuery { pipeline: pipeline(rng, spans, 1), function, by, place: Place::default() }
}

// What the rollups of operations can answer without the spans.
fn of_operations(rng: &mut StdRng, spans: &[Span]) -> MetricsQuery {
    let duration = || Field::Intrinsic { which: Intrinsic::Duration, parent: false };
    let function = match rng.random_range(0..6) {
        0 => MetricsFunction::Rate,
        1 => MetricsFunction::CountOverTime,
        2 => MetricsFunction::AvgOverTime(duration()),
        3 => MetricsFunction::SumOverTime(duration()),
        4 => MetricsFunction::QuantileOverTime(duration(), vec![0.5, 1.0]),
        _ => MetricsFunction::HistogramOverTime(duration()),
    };
    let filter = |rng: &mut StdRng| {
        let is_all = rng.random_bool(0.3);
        SpansetExpr::Filter((!is_all).then(|| operation_condition(rng, spans)))
    };
    let mut stages = vec![Stage::Spans(filter(rng))];
    if rng.random_bool(0.2) {
        stages.push(Stage::Spans(SpansetExpr::Binary {
            op: SpansetOp::Or,
            negated: false,
            union: false,
            left: Box::new(filter(rng)),
            right: Box::new(filter(rng)),
        }));
    }
    let mut by = Vec::new();
    for _ in 0..rng.random_range(0..3) {
        let field = operation_field(rng);
        if !by.contains(&field) {
            by.push(field);
        }
    }
    MetricsQuery { pipeline: Pipeline { stages }, function, by, place: Place::default() }
}
