//! Random trees, such as the parser can build.

use rand::Rng;
use rand::rngs::StdRng;
use throughline_query::traceql::ast::*;
use throughline_query::traceql::grammar;

/// Text for names and values, with all that must be quoted.
const LETTERS: &[char] = &[
    'a', 'b', 'Z', '0', '9', '_', '-', '.', '/', ' ', '"', '\\', '\n', '\t', '\u{7}', '{', '}',
    '(', ')', '=', '!', '~', '<', '>', '&', '|', ',', '^', '+', '*', '%', ':', '`', '\'', 'ä', 'µ',
    '→', '😀', '#',
];
const NAMES: &[&str] =
    &["http.method", "a", "status", "span.x", "span:name", "parent.x", "a-b", "0", "service.name"];
const ARITHMETIC: &[BinaryOp] =
    &[BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Mod, BinaryOp::Pow];
const COMPARISONS: &[BinaryOp] =
    &[BinaryOp::Eq, BinaryOp::Ne, BinaryOp::Lt, BinaryOp::Le, BinaryOp::Gt, BinaryOp::Ge];
const RELATIONS: &[SpansetOp] = &[
    SpansetOp::Child,
    SpansetOp::Descendant,
    SpansetOp::Parent,
    SpansetOp::Ancestor,
    SpansetOp::Sibling,
];

fn pick<T: Clone>(rng: &mut StdRng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())].clone()
}

fn text(rng: &mut StdRng) -> String {
    (0..rng.random_range(0..6)).map(|_| pick(rng, LETTERS)).collect()
}

/// Any query.
pub(crate) fn query(rng: &mut StdRng, depth: usize) -> Query {
    let root = if rng.random_bool(0.6) {
        Root::Search(pipeline(rng, depth))
    } else {
        Root::Metrics(series(rng, depth))
    };
    let names = ["exemplars", "sample", "most_recent", "anything_else"];
    let hint = |rng: &mut StdRng| Hint {
        name: pick(rng, &names).to_owned(),
        value: literal(rng),
        place: Place::default(),
    };
    let count = rng.random_range(0..6usize).saturating_sub(3);
    let hints = (0..count).map(|_| hint(rng)).collect();
    Query { root, hints }
}

/// One to three stages.
pub(crate) fn pipeline(rng: &mut StdRng, depth: usize) -> Pipeline {
    let stages = (0..rng.random_range(1..4)).map(|_| stage(rng, depth)).collect();
    Pipeline { stages }
}

fn stage(rng: &mut StdRng, depth: usize) -> Stage {
    match rng.random_range(0..8) {
        0 => Stage::Scalar(scalar_filter(rng, depth)),
        1 => Stage::By(field_expr(rng, depth)),
        2 => Stage::Coalesce,
        3 => Stage::Select(fields(rng)),
        _ => Stage::Spans(spanset(rng, depth)),
    }
}

fn spanset(rng: &mut StdRng, depth: usize) -> SpansetExpr {
    let kind = rng.random_range(0..if depth == 0 { 3 } else { 8 });
    match kind {
        0 => SpansetExpr::Filter(None),
        1..5 => SpansetExpr::Filter(Some(field_expr(rng, depth))),
        5 => {
            let mut inner = pipeline(rng, depth - 1);
            if matches!(inner.stages[..], [Stage::Spans(_)]) {
                inner.stages.push(Stage::Scalar(scalar_filter(rng, depth - 1)));
            }
            SpansetExpr::Pipeline(Box::new(inner))
        }
        _ => {
            let is_plain = rng.random_bool(0.4);
            let ops = [SpansetOp::And, SpansetOp::Or];
            let op = if is_plain { pick(rng, &ops) } else { pick(rng, RELATIONS) };
            let mark = rng.random_range(0..3);
            SpansetExpr::Binary {
                op,
                negated: !is_plain && mark == 1,
                union: !is_plain && mark == 2,
                left: Box::new(spanset(rng, depth - 1)),
                right: Box::new(spanset(rng, depth - 1)),
            }
        }
    }
}

fn scalar_filter(rng: &mut StdRng, depth: usize) -> ScalarFilter {
    let one = ScalarExpr::Aggregate(aggregate(rng, depth));
    let other = scalar(rng, depth);
    let (left, right) = if rng.random() { (one, other) } else { (other, one) };
    ScalarFilter { op: pick(rng, COMPARISONS), left, right, place: Place::default() }
}

fn scalar(rng: &mut StdRng, depth: usize) -> ScalarExpr {
    match rng.random_range(0..if depth == 0 { 4 } else { 8 }) {
        0 | 1 => ScalarExpr::Static(literal(rng)),
        2 | 3 => ScalarExpr::Aggregate(aggregate(rng, depth)),
        4 => ScalarExpr::Negate(Box::new(scalar(rng, depth - 1))),
        5 => ScalarExpr::Pipeline {
            pipeline: Box::new(pipeline(rng, depth - 1)),
            scalar: Box::new(scalar(rng, depth - 1)),
        },
        _ => ScalarExpr::Binary {
            op: pick(rng, ARITHMETIC),
            left: Box::new(scalar(rng, depth - 1)),
            right: Box::new(scalar(rng, depth - 1)),
        },
    }
}

fn aggregate(rng: &mut StdRng, depth: usize) -> Aggregate {
    let op = pick(rng, grammar::AGGREGATES);
    let of = (op != AggregateOp::Count).then(|| field_expr(rng, depth));
    Aggregate { op, of, place: Place::default() }
}

/// Any expression over a span.
pub(crate) fn field_expr(rng: &mut StdRng, depth: usize) -> FieldExpr {
    let kind = match rng.random_range(0..if depth == 0 { 4 } else { 10 }) {
        0 | 1 => FieldExprKind::Static(literal(rng)),
        2 | 3 => FieldExprKind::Field(field(rng)),
        4 => FieldExprKind::Negate(Box::new(field_expr(rng, depth - 1))),
        5 => FieldExprKind::Not(Box::new(field_expr(rng, depth - 1))),
        _ => FieldExprKind::Binary {
            op: pick(rng, grammar::BINARY_OPS),
            left: Box::new(field_expr(rng, depth - 1)),
            right: Box::new(field_expr(rng, depth - 1)),
        },
    };
    FieldExpr { kind, place: Place::default() }
}

/// Any literal.
pub(crate) fn literal(rng: &mut StdRng) -> Static {
    let integers = [0, 1, -1, 5, 1500, i64::MAX, i64::MIN, 3_600_000_000_000, -90_000_000_001];
    let doubles = [0.0, -0.0, 1.0, -1.5, 1e300, 1e-300, 1e16, 0.1, f64::MAX, f64::MIN_POSITIVE];
    match rng.random_range(0..9) {
        0 => Static::Nil,
        1 => Static::Int(pick(rng, &integers)),
        2 => Static::Float(pick(rng, &doubles)),
        3 => Static::Bool(rng.random()),
        4 => Static::Duration(pick(rng, &integers)),
        5 => Static::Status(rng.random_range(0..STATUSES.len() as i32)),
        6 => Static::Kind(rng.random_range(0..KINDS.len() as i32)),
        _ => Static::String(text(rng)),
    }
}

/// Any field.
pub(crate) fn field(rng: &mut StdRng) -> Field {
    let parent = rng.random_bool(0.2);
    if rng.random() {
        let (which, _, scoped) = pick(rng, grammar::INTRINSICS);
        return Field::Intrinsic { which, parent: parent && scoped.is_some() };
    }
    let scopes = [
        Scope::Any,
        Scope::Span,
        Scope::Resource,
        Scope::Event,
        Scope::Link,
        Scope::Instrumentation,
    ];
    let random = text(rng);
    let is_random = rng.random() && !random.is_empty();
    let name = if is_random { random } else { pick(rng, NAMES).to_owned() };
    Field::Attribute { scope: pick(rng, &scopes), parent, name }
}

fn fields(rng: &mut StdRng) -> Vec<Field> {
    (0..rng.random_range(1..4)).map(|_| field(rng)).collect()
}

// With at least one query in it.
fn series(rng: &mut StdRng, depth: usize) -> MetricsExpr {
    let inner = depth.saturating_sub(1);
    match rng.random_range(0..if depth == 0 { 1 } else { 6 }) {
        0..3 => {
            let by = if rng.random() { fields(rng) } else { Vec::new() };
            let (pipeline, function) = (pipeline(rng, inner), function(rng, inner));
            let query = MetricsQuery { pipeline, function, by, place: Place::default() };
            MetricsExpr::Query(Box::new(query))
        }
        3 => MetricsExpr::Negate(Box::new(series(rng, inner))),
        4 => MetricsExpr::Staged {
            input: Box::new(series(rng, inner)),
            stages: (0..rng.random_range(1..4)).map(|_| second_stage(rng)).collect(),
        },
        _ => {
            let one = series(rng, inner);
            let other = if rng.random() { series(rng, inner) } else { constant(rng, inner) };
            let (left, right) = if rng.random() { (one, other) } else { (other, one) };
            let (left, right) = (Box::new(left), Box::new(right));
            MetricsExpr::Binary { op: pick(rng, ARITHMETIC), left, right }
        }
    }
}

fn number(rng: &mut StdRng) -> f64 {
    pick(rng, &[0.0, 1.0, -1.0, 100.0, 0.5, -2.25, 1e300, 1e-9, 123_456_789_012_345_680.0])
}

fn constant(rng: &mut StdRng, depth: usize) -> MetricsExpr {
    if depth == 0 || rng.random() {
        return MetricsExpr::Scalar(number(rng));
    }
    if rng.random() {
        return MetricsExpr::Negate(Box::new(constant(rng, depth - 1)));
    }
    let (left, right) = (constant(rng, depth - 1), constant(rng, depth - 1));
    let (left, right) = (Box::new(left), Box::new(right));
    MetricsExpr::Binary { op: pick(rng, ARITHMETIC), left, right }
}

fn function(rng: &mut StdRng, depth: usize) -> MetricsFunction {
    match rng.random_range(0..9) {
        0 => MetricsFunction::Rate,
        1 => MetricsFunction::CountOverTime,
        2 => MetricsFunction::MinOverTime(field(rng)),
        3 => MetricsFunction::MaxOverTime(field(rng)),
        4 => MetricsFunction::AvgOverTime(field(rng)),
        5 => MetricsFunction::SumOverTime(field(rng)),
        6 => {
            let quantiles = (0..rng.random_range(1..4)).map(|_| pick(rng, &[0.0, 0.5, 0.99, 1.0]));
            let quantiles = quantiles.collect();
            MetricsFunction::QuantileOverTime(field(rng), quantiles)
        }
        7 => MetricsFunction::HistogramOverTime(field(rng)),
        _ => {
            let filter = rng.random::<bool>().then(|| field_expr(rng, depth));
            let start_ns = rng.random::<bool>().then(|| rng.random_range(-5..5));
            MetricsFunction::Compare {
                selection: Box::new(SpansetExpr::Filter(filter)),
                top: rng.random_range(1..20),
                start_ns,
                end_ns: start_ns.filter(|_| rng.random()).map(|start| start + 7),
            }
        }
    }
}

fn second_stage(rng: &mut StdRng) -> SecondStage {
    match rng.random_range(0..3) {
        0 => SecondStage::TopK(rng.random_range(1..50)),
        1 => SecondStage::BottomK(rng.random_range(1..50)),
        _ => SecondStage::Filter(pick(rng, COMPARISONS), number(rng)),
    }
}
