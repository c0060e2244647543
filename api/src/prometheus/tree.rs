//! The syntax tree of a query as JSON, in the form in which Prometheus's own pages read it.

use serde_json::{Value, json};
use throughline_query::promql::ast::{
    At, Cardinality, Duration, DurationOp, Edges, Expr, Length, Shift, Type, VectorSelector,
};
use throughline_query::promql::functions::{Function, Variadic};
use throughline_query::promql::matcher::Matcher;
use throughline_query::promql::numbers::plain;

/// The tree of an expression.
pub fn tree(expr: &Expr) -> Value {
    match expr {
        Expr::Aggregate(aggregate) => json!({
            "type": "aggregation",
            "op": aggregate.op.name(),
            "expr": tree(&aggregate.operand),
            "param": aggregate.parameter.as_ref().map(tree),
            "grouping": aggregate.grouping,
            "without": aggregate.is_without,
        }),
        Expr::Binary(binary) => json!({
            "type": "binaryExpr",
            "op": binary.op.symbol(),
            "lhs": tree(&binary.left),
            "rhs": tree(&binary.right),
            "matching": binary.matching.as_ref().map(|matching| json!({
                "card": cardinality(matching.cardinality),
                "labels": matching.labels,
                "on": matching.is_on,
                "include": matching.include,
                "fillValues": { "lhs": matching.fill_left, "rhs": matching.fill_right },
            })),
            "bool": binary.returns_bool,
        }),
        Expr::Call(call) => json!({
            "type": "call",
            "func": function(call.function),
            "args": call.arguments.iter().map(tree).collect::<Vec<_>>(),
        }),
        Expr::Matrix(matrix) => {
            let mut node = selector("matrixSelector", &matrix.selector);
            node["range"] = json!(matrix.range.ms);
            node["rangeExpr"] = length(&matrix.range);
            node
        }
        Expr::Number(number) => json!({ "type": "numberLiteral", "val": plain(number.value) }),
        Expr::Paren(paren) => json!({ "type": "parenExpr", "expr": tree(&paren.inner) }),
        Expr::Subquery(subquery) => {
            let mut node = json!({
                "type": "subquery",
                "expr": tree(&subquery.inner),
                "range": subquery.range.ms,
                "rangeExpr": length(&subquery.range),
                "step": subquery.step.as_ref().map_or(0, |step| step.ms),
                "stepExpr": subquery.step.as_ref().map_or(Value::Null, length),
            });
            shift(&mut node, &subquery.shift);
            node
        }
        Expr::Text(text) => json!({ "type": "stringLiteral", "val": text.value }),
        Expr::Unary(unary) => json!({
            "type": "unaryExpr",
            "op": if unary.is_negative { "-" } else { "+" },
            "expr": tree(&unary.operand),
        }),
        Expr::Vector(vector) => selector("vectorSelector", vector),
        Expr::Invariant(inner) => tree(inner),
    }
}

fn selector(kind: &str, vector: &VectorSelector) -> Value {
    let mut node = json!({
        "type": kind,
        "name": vector.name.as_deref().unwrap_or_default(),
        "matchers": vector.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "anchored": vector.edges == Edges::Anchored,
        "smoothed": vector.edges == Edges::Smoothed,
    });
    shift(&mut node, &vector.shift);
    node
}

fn shift(node: &mut Value, shift: &Shift) {
    node["offset"] = json!(shift.offset.ms);
    node["offsetExpr"] = length(&shift.offset);
    let (time, word) = match shift.at {
        Some(At::Time(ms)) => (Some(ms), None),
        Some(At::Start) => (None, Some("start")),
        Some(At::End) => (None, Some("end")),
        None => (None, None),
    };
    node["timestamp"] = json!(time);
    node["startOrEnd"] = json!(word);
}

fn matcher(matcher: &Matcher) -> Value {
    json!({ "name": &*matcher.name, "value": &*matcher.value, "type": matcher.op.symbol() })
}

fn cardinality(cardinality: Cardinality) -> &'static str {
    match cardinality {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    }
}

fn type_name(value: Type) -> &'static str {
    match value {
        Type::Scalar => "scalar",
        Type::Vector => "vector",
        Type::Matrix => "matrix",
        Type::Text => "string",
    }
}

fn function(function: &Function) -> Value {
    let variadic = match function.variadic {
        Variadic::No => 0,
        Variadic::UpTo(more) => more as i64,
        Variadic::Any => -1,
    };
    json!({
        "name": function.name,
        "argTypes": function.parameters.iter().map(|p| type_name(*p)).collect::<Vec<_>>(),
        "variadic": variadic,
        "returnType": type_name(function.returns),
    })
}

fn length(length: &Length) -> Value {
    length.expr.as_ref().map_or(Value::Null, |expr| duration(expr))
}

fn duration(expr: &Duration) -> Value {
    let node = |op: &str, left: Value, right: Value| json!({ "type": "durationExpr", "op": op, "lhs": left, "rhs": right, "wrapped": false });
    match expr {
        Duration::Literal(number) => json!({
            "type": "numberLiteral",
            "val": plain(number.value),
            "duration": number.is_duration,
        }),
        Duration::Step(_) => node("step", Value::Null, Value::Null),
        Duration::Range(_) => node("range", Value::Null, Value::Null),
        Duration::Negative { operand, .. } => node("-", Value::Null, duration(operand)),
        Duration::Paren { inner, .. } => {
            let mut inner = match &**inner {
                Duration::Literal(_) => node("+", Value::Null, duration(inner)),
                other => duration(other),
            };
            inner["wrapped"] = json!(true);
            inner
        }
        Duration::Binary { op, left, right, .. } => {
            let op = match op {
                DurationOp::Add => "+",
                DurationOp::Sub => "-",
                DurationOp::Mul => "*",
                DurationOp::Div => "/",
                DurationOp::Mod => "%",
                DurationOp::Pow => "^",
                DurationOp::MinOf => "min_of",
                DurationOp::MaxOf => "max_of",
            };
            node(op, duration(left), duration(right))
        }
    }
}
