//! Finds what parses and cannot mean anything: comparisons that never hold, patterns that do not
//! compile, sums of text, unknown hints. An attribute may be of any type, so nothing is said of it.
//!
//! Numbers with limits (`topk(0)`, quantiles) are refused by the parser, which knows their places.

use regex::Regex;

use super::ast::{
    Aggregate, BinaryOp, Field, FieldExpr, FieldExprKind, Hint, Intrinsic, MetricsExpr,
    MetricsFunction, MetricsQuery, Pipeline, Place, Query, Root, ScalarExpr, ScalarFilter, Scope,
    SpansetExpr, Stage, Static,
};
use super::grammar::{self, DEBUG_HINTS, HINTS, TUNING_HINTS};
use super::lex::error;
use super::{Error, Result, parse};

/// Bytes that a compiled regular expression may take.
const PATTERN_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The tree of a query that parses and means something.
pub fn compile_text(text: &str) -> Result<Query> {
    let query = parse(text)?;
    check(&query)?;
    Ok(query)
}

/// Whether a query can mean something; the error says where it cannot.
pub fn check(query: &Query) -> Result<()> {
    query.hints.iter().try_for_each(hint)?;
    match &query.root {
        Root::Search(pipeline) => stages(pipeline),
        Root::Metrics(metrics) => metrics_expr(metrics),
    }
}

/// The regular expression of `=~`, which must match a whole string.
pub fn anchored(pattern: &str) -> std::result::Result<Regex, regex::Error> {
    let anchored = format!("^(?:{pattern})$");
    // Alone first: `a)(b` must not become right by what is put around it.
    regex::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build()?;
    regex::RegexBuilder::new(&anchored).size_limit(PATTERN_BYTES_MAX).build()
}

/// What is known of a value before there is one.
#[derive(Clone, Copy, PartialEq)]
enum Type {
    Unknown,
    Nil,
    String,
    Number,
    Bool,
    Status,
    Kind,
    /// `parent`: there or not.
    Presence,
}

impl Type {
    fn of(literal: &Static) -> Self {
        match literal {
            Static::Nil => Self::Nil,
            Static::String(_) => Self::String,
            Static::Int(_) | Static::Float(_) | Static::Duration(_) => Self::Number,
            Static::Bool(_) => Self::Bool,
            Static::Status(_) => Self::Status,
            Static::Kind(_) => Self::Kind,
        }
    }

    fn of_intrinsic(which: Intrinsic) -> Self {
        use Intrinsic as I;
        match which {
            I::Status => Self::Status,
            I::Kind => Self::Kind,
            I::Parent => Self::Presence,
            I::Duration | I::TraceDuration | I::ChildCount | I::EventTimeSinceStart => Self::Number,
            I::NestedSetLeft | I::NestedSetRight | I::NestedSetParent => Self::Number,
            I::Name | I::StatusMessage | I::RootName | I::RootServiceName => Self::String,
            I::TraceId | I::SpanId | I::ParentId | I::LinkTraceId | I::LinkSpanId => Self::String,
            I::EventName | I::InstrumentationName | I::InstrumentationVersion => Self::String,
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Unknown => "of any type",
            Self::Nil => "nil",
            Self::String => "text",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::Status => "a status",
            Self::Kind => "a kind",
            Self::Presence => "only there or not",
        }
    }

    fn is(self, wanted: Self) -> bool {
        self == wanted || self == Self::Unknown
    }

    fn is_ordered(self) -> bool {
        matches!(self, Self::Unknown | Self::String | Self::Number)
    }
}

fn stages(pipeline: &Pipeline) -> Result<()> {
    pipeline.stages.iter().try_for_each(|stage| match stage {
        Stage::Spans(spans) => spanset(spans),
        Stage::Scalar(filter) => scalar_filter(filter),
        Stage::By(by) => match field_expr(by)? {
            Type::Presence => Err(only_presence(by)),
            _ => Ok(()),
        },
        Stage::Coalesce | Stage::Select(_) => Ok(()),
    })
}

fn spanset(spans: &SpansetExpr) -> Result<()> {
    match spans {
        SpansetExpr::Filter(None) => Ok(()),
        SpansetExpr::Filter(Some(expr)) => condition(expr),
        SpansetExpr::Binary { left, right, .. } => {
            spanset(left)?;
            spanset(right)
        }
        SpansetExpr::Pipeline(pipeline) => stages(pipeline),
    }
}

fn scalar_filter(filter: &ScalarFilter) -> Result<()> {
    scalar(&filter.left, filter.place)?;
    scalar(&filter.right, filter.place)
}

// `place` is that of the condition: literals of this level have none of their own.
fn scalar(expr: &ScalarExpr, place: Place) -> Result<()> {
    match expr {
        ScalarExpr::Static(literal) if literal.number().is_none() => {
            let message =
                format!("{literal} is {}, and aggregates are numbers", literal_what(literal));
            Err(error(place.start, message))
        }
        ScalarExpr::Static(_) => Ok(()),
        ScalarExpr::Aggregate(of) => aggregate(of),
        ScalarExpr::Binary { left, right, .. } => {
            scalar(left, place)?;
            scalar(right, place)
        }
        ScalarExpr::Negate(inner) => scalar(inner, place),
        ScalarExpr::Pipeline { pipeline, scalar: inner } => {
            stages(pipeline)?;
            scalar(inner, place)
        }
    }
}

fn literal_what(literal: &Static) -> &'static str {
    Type::of(literal).what()
}

fn aggregate(aggregate: &Aggregate) -> Result<()> {
    let Some(of) = &aggregate.of else { return Ok(()) };
    let name = aggregate.op.text();
    match field_expr(of)? {
        found if found.is(Type::Number) => Ok(()),
        found => {
            let message = format!("{name} needs a number, and '{of}' is {}", found.what());
            Err(error(of.place.start, message))
        }
    }
}

// What must be true for a span to be kept.
fn condition(expr: &FieldExpr) -> Result<()> {
    match field_expr(expr)? {
        found if found.is(Type::Bool) => Ok(()),
        Type::Presence => Err(only_presence(expr)),
        found => {
            let message = format!(
                "'{expr}' is {} and never true: compare it, as in {expr} = …",
                found.what()
            );
            Err(error(expr.place.start, message))
        }
    }
}

fn only_presence(expr: &FieldExpr) -> Error {
    error(expr.place.start, format!("'{expr}' can only be compared with nil"))
}

// Checks an expression and says what it gives.
fn field_expr(expr: &FieldExpr) -> Result<Type> {
    match &expr.kind {
        FieldExprKind::Static(literal) => Ok(Type::of(literal)),
        FieldExprKind::Field(field) => Ok(match field {
            Field::Attribute { .. } => Type::Unknown,
            Field::Intrinsic { which, .. } => Type::of_intrinsic(*which),
        }),
        FieldExprKind::Negate(inner) => operand(inner, "-"),
        FieldExprKind::Not(inner) => condition(inner).map(|()| Type::Bool),
        FieldExprKind::Binary { op: BinaryOp::And | BinaryOp::Or, left, right } => {
            condition(left)?;
            condition(right)?;
            Ok(Type::Bool)
        }
        FieldExprKind::Binary { op, left, right } if op.is_arithmetic() => {
            operand(left, op.text())?;
            operand(right, op.text())
        }
        FieldExprKind::Binary {
            op: op @ (BinaryOp::Matches | BinaryOp::NotMatches),
            left,
            right,
        } => matches(*op, left, right),
        FieldExprKind::Binary { op, left, right } => comparison(*op, left, right, expr.place),
    }
}

// A side of arithmetic.
fn operand(expr: &FieldExpr, op: &str) -> Result<Type> {
    if let FieldExprKind::Field(field) = &expr.kind
        && is_list(field)
    {
        let message = format!("'{expr}' is a list, and '{op}' needs numbers");
        return Err(error(expr.place.start, message));
    }
    match field_expr(expr)? {
        found if found.is(Type::Number) => Ok(Type::Number),
        Type::Presence => Err(only_presence(expr)),
        found => {
            let message = format!("'{op}' needs numbers, and '{expr}' is {}", found.what());
            Err(error(expr.place.start, message))
        }
    }
}

// Whether it has a value for each event or link; arithmetic with that gives nil.
fn is_list(field: &Field) -> bool {
    use Intrinsic as I;
    match field {
        Field::Attribute { scope, .. } => matches!(scope, Scope::Event | Scope::Link),
        Field::Intrinsic { which, .. } => {
            matches!(which, I::EventName | I::EventTimeSinceStart | I::LinkTraceId | I::LinkSpanId)
        }
    }
}

fn matches(op: BinaryOp, left: &FieldExpr, right: &FieldExpr) -> Result<Type> {
    let op = op.text();
    match field_expr(left)? {
        found if found.is(Type::String) => {}
        Type::Presence => return Err(only_presence(left)),
        found => {
            let message = format!("'{op}' needs text, and '{left}' is {}", found.what());
            return Err(error(left.place.start, message));
        }
    }
    let FieldExprKind::Static(Static::String(pattern)) = &right.kind else {
        let message = format!("'{op}' needs a regular expression in quotes, not '{right}'");
        return Err(error(right.place.start, message));
    };
    let Err(err) = anchored(pattern) else { return Ok(Type::Bool) };
    let text = err.to_string();
    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    let message = format!("regular expression {right} does not compile: {reason}");
    Err(error(right.place.start, message))
}

fn comparison(op: BinaryOp, left: &FieldExpr, right: &FieldExpr, place: Place) -> Result<Type> {
    let (found_left, found_right) = (field_expr(left)?, field_expr(right)?);
    let is_equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
    let with_nil = found_left == Type::Nil || found_right == Type::Nil;
    if with_nil && is_equality {
        return Ok(Type::Bool);
    }
    if with_nil {
        let message = format!("nil is compared by '=' and '!=' only, not by '{}'", op.text());
        return Err(error(place.start, message));
    }
    for (side, found) in [(left, found_left), (right, found_right)] {
        if found == Type::Presence {
            return Err(only_presence(side));
        }
        if !is_equality && !found.is_ordered() {
            let message = format!(
                "'{side}' is {} and compared by '=' and '!=' only, not by '{}'",
                found.what(),
                op.text()
            );
            return Err(error(place.start, message));
        }
    }
    if found_left.is(found_right) || found_right.is(found_left) {
        return Ok(Type::Bool);
    }
    let message = format!(
        "'{left}' is {} and '{right}' is {}: they never compare",
        found_left.what(),
        found_right.what()
    );
    Err(error(place.start, message))
}

fn metrics_expr(metrics: &MetricsExpr) -> Result<()> {
    match metrics {
        MetricsExpr::Query(query) => metrics_query(query),
        MetricsExpr::Scalar(_) => Ok(()),
        MetricsExpr::Binary { left, right, .. } => {
            metrics_expr(left)?;
            metrics_expr(right)
        }
        MetricsExpr::Negate(inner) | MetricsExpr::Staged { input: inner, .. } => {
            metrics_expr(inner)
        }
    }
}

fn metrics_query(query: &MetricsQuery) -> Result<()> {
    use MetricsFunction as F;
    stages(&query.pipeline)?;
    let of = match &query.function {
        F::Rate | F::CountOverTime => return by(query),
        F::Compare { selection, .. } => {
            spanset(selection)?;
            return by(query);
        }
        F::MinOverTime(of)
        | F::MaxOverTime(of)
        | F::AvgOverTime(of)
        | F::SumOverTime(of)
        | F::QuantileOverTime(of, _)
        | F::HistogramOverTime(of) => of,
    };
    if let Field::Intrinsic { which, .. } = of
        && Type::of_intrinsic(*which) != Type::Number
    {
        let found = Type::of_intrinsic(*which).what();
        let message = format!("'{}' needs a number, and '{of}' is {found}", query.function);
        return Err(error(query.place.start, message));
    }
    by(query)
}

fn by(query: &MetricsQuery) -> Result<()> {
    let parent = Field::Intrinsic { which: Intrinsic::Parent, parent: false };
    if query.by.contains(&parent) {
        return Err(error(query.place.end, "'parent' can only be compared with nil"));
    }
    if !query.by.is_empty() && matches!(query.function, MetricsFunction::Compare { .. }) {
        let message = "compare groups by every attribute and takes no by(…)";
        return Err(error(query.place.start, message));
    }
    Ok(())
}

fn hint(hint: &Hint) -> Result<()> {
    let start = hint.place.start;
    let name = hint.name.as_str();
    let (fits, wanted) = match name {
        "exemplars" => {
            (matches!(hint.value, Static::Bool(_) | Static::Int(0..)), "a truth value or a number")
        }
        "most_recent" => (matches!(hint.value, Static::Bool(_)), "true or false"),
        "sample" => (
            matches!(hint.value, Static::Bool(_) | Static::Int(0..) | Static::Float(_)),
            "a truth value or a share",
        ),
        _ if TUNING_HINTS.contains(&name) || name.starts_with(DEBUG_HINTS) => return Ok(()),
        _ => {
            let known = HINTS.iter().chain(TUNING_HINTS).copied();
            let advice = grammar::did_you_mean(name, known)
                .unwrap_or_else(|| format!("there are {}", HINTS.join(", ")));
            return Err(error(start, format!("unknown hint '{name}': {advice}")));
        }
    };
    if fits {
        return Ok(());
    }
    Err(error(start, format!("hint '{name}' takes {wanted}, not {}", hint.value)))
}
