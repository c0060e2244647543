//! Random expressions over spans, biased to the keys and values that are there.

use rand::Rng;
use rand::rngs::StdRng;
use throughline_model::span::Span;
use throughline_query::traceql::ast::{
    BinaryOp, Field, FieldExpr, FieldExprKind, Intrinsic, Place, Scope, Static,
};

use super::data::{KEYS, WORDS};
use super::pick;
use crate::traceql::oracle;

/// Comparisons that have an order.
pub const ORDERED: [BinaryOp; 6] =
    [BinaryOp::Eq, BinaryOp::Ne, BinaryOp::Lt, BinaryOp::Le, BinaryOp::Gt, BinaryOp::Ge];
/// Calculations.
pub const ARITHMETIC: [BinaryOp; 6] =
    [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Mod, BinaryOp::Pow];
const EQUALITY: [BinaryOp; 2] = [BinaryOp::Eq, BinaryOp::Ne];
const PATTERNS: [&str; 7] = ["a.*", ".*a", "alpha|beta", "", "G.T /", "[a-z]+", "(?i)ALPHA.*"];

const NUMBERS: [Intrinsic; 4] = [
    Intrinsic::ChildCount,
    Intrinsic::NestedSetLeft,
    Intrinsic::NestedSetRight,
    Intrinsic::NestedSetParent,
];
const DURATIONS: [Intrinsic; 3] =
    [Intrinsic::Duration, Intrinsic::TraceDuration, Intrinsic::EventTimeSinceStart];
const STRINGS: [Intrinsic; 7] = [
    Intrinsic::Name,
    Intrinsic::StatusMessage,
    Intrinsic::RootName,
    Intrinsic::RootServiceName,
    Intrinsic::EventName,
    Intrinsic::InstrumentationName,
    Intrinsic::InstrumentationVersion,
];
const IDS: [Intrinsic; 5] = [
    Intrinsic::TraceId,
    Intrinsic::SpanId,
    Intrinsic::ParentId,
    Intrinsic::LinkTraceId,
    Intrinsic::LinkSpanId,
];

pub fn expr(kind: FieldExprKind) -> FieldExpr {
    FieldExpr { kind, place: Place::default() }
}

fn literal(value: Static) -> FieldExpr {
    expr(FieldExprKind::Static(value))
}

pub fn of_field(field: Field) -> FieldExpr {
    expr(FieldExprKind::Field(field))
}

fn binary(op: BinaryOp, left: FieldExpr, right: FieldExpr) -> FieldExpr {
    let (left, right) = (Box::new(left), Box::new(right));
    expr(FieldExprKind::Binary { op, left, right })
}

// In the source only intrinsics with a scoped spelling can be asked of the parent.
fn intrinsic(rng: &mut StdRng, which: Intrinsic) -> Field {
    let has_scope = !matches!(
        which,
        Intrinsic::Parent
            | Intrinsic::NestedSetLeft
            | Intrinsic::NestedSetRight
            | Intrinsic::NestedSetParent
    );
    Field::Intrinsic { which, parent: has_scope && rng.random_bool(0.15) }
}

/// An attribute of any scope, by one of these keys.
pub fn attribute(rng: &mut StdRng, keys: &[&str]) -> Field {
    let scope = match rng.random_range(0..12) {
        0 => Scope::Event,
        1 => Scope::Link,
        2 => Scope::Instrumentation,
        3 | 4 => Scope::Resource,
        5..8 => Scope::Any,
        _ => Scope::Span,
    };
    let name = if rng.random_bool(0.02) { "missing" } else { pick(rng, keys) };
    let name = match scope {
        Scope::Resource if rng.random_bool(0.4) => "service.name",
        _ => name,
    };
    Field::Attribute { scope, parent: rng.random_bool(0.15), name: name.to_owned() }
}

/// A field that can be grouped by: its values have a kind each.
pub fn group_field(rng: &mut StdRng) -> Field {
    match rng.random_range(0..3) {
        0 => attribute(rng, &KEYS[..8]),
        1 => string_field(rng),
        _ => {
            let which = [
                Intrinsic::Status,
                Intrinsic::Kind,
                Intrinsic::ChildCount,
                Intrinsic::NestedSetParent,
                Intrinsic::Duration,
                Intrinsic::SpanId,
            ];
            let which = pick(rng, &which);
            intrinsic(rng, which)
        }
    }
}

fn string_field(rng: &mut StdRng) -> Field {
    let which = pick(rng, &STRINGS);
    intrinsic(rng, which)
}

/// A field that is a number now and then.
pub fn number_field(rng: &mut StdRng) -> Field {
    match rng.random_range(0..4) {
        0 | 1 => attribute(rng, &["n", "f", "k", "list"]),
        2 => {
            let which = pick(rng, &DURATIONS);
            intrinsic(rng, which)
        }
        _ => {
            let which = pick(rng, &NUMBERS);
            intrinsic(rng, which)
        }
    }
}

// What is no list by its name: arithmetic with one is refused.
fn operand(rng: &mut StdRng) -> Field {
    loop {
        let field = number_field(rng);
        let is_list = match &field {
            Field::Attribute { scope, .. } => matches!(scope, Scope::Event | Scope::Link),
            Field::Intrinsic { which, .. } => *which == Intrinsic::EventTimeSinceStart,
        };
        if !is_list {
            return field;
        }
    }
}

/// A calculation.
pub fn number(rng: &mut StdRng, depth: usize) -> FieldExpr {
    match rng.random_range(0..if depth == 0 { 5 } else { 9 }) {
        0 => literal(Static::Int(rng.random_range(0..5))),
        1 => match rng.random_range(0..2) {
            0 => literal(Static::Float(f64::from(rng.random_range(0..9)) / 4.0)),
            _ => literal(Static::Duration(rng.random_range(0..20) * 250_000_000)),
        },
        2..5 => of_field(operand(rng)),
        // In front of a field: `-1` is a literal in some trees and a calculation in others.
        5 => expr(FieldExprKind::Negate(Box::new(of_field(operand(rng))))),
        _ => {
            let (left, right) = (number(rng, depth - 1), number(rng, depth - 1));
            let op = pick(rng, &ARITHMETIC);
            binary(op, left, right)
        }
    }
}

fn with_field(rng: &mut StdRng) -> FieldExpr {
    let field = of_field(operand(rng));
    let other = number(rng, 1);
    match rng.random_range(0..3) {
        0 => field,
        _ => binary(pick(rng, &ARITHMETIC), field, other),
    }
}

fn any_literal(rng: &mut StdRng) -> Static {
    match rng.random_range(0..6) {
        0 => Static::Int(rng.random_range(0..5)),
        1 => Static::Float(f64::from(rng.random_range(0..9)) / 4.0),
        2 => Static::Bool(rng.random()),
        3 => Static::Duration(rng.random_range(0..3)),
        _ => Static::String(pick(rng, &WORDS).to_owned()),
    }
}

fn ops(value: &Static) -> &'static [BinaryOp] {
    match value {
        Static::Bool(_) | Static::Status(_) | Static::Kind(_) => &EQUALITY,
        _ => &ORDERED,
    }
}

// A field against a value that some span has there.
fn hit(rng: &mut StdRng, spans: &[Span], field: Field, fallback: Static) -> FieldExpr {
    let all = oracle::values(spans, &field);
    let value = if all.is_empty() || rng.random_bool(0.1) {
        fallback
    } else {
        all[rng.random_range(0..all.len())].clone()
    };
    let op = pick(rng, ops(&value));
    let (left, right) = (of_field(field), literal(value));
    if rng.random_bool(0.1) { binary(op, right, left) } else { binary(op, left, right) }
}

/// A condition.
pub fn condition(rng: &mut StdRng, spans: &[Span], depth: usize) -> FieldExpr {
    match rng.random_range(0..if depth == 0 { 18 } else { 27 }) {
        0..5 => {
            let field = attribute(rng, &KEYS);
            let fallback = any_literal(rng);
            hit(rng, spans, field, fallback)
        }
        5 | 6 => {
            let field = string_field(rng);
            hit(rng, spans, field, Static::String("none".to_owned()))
        }
        7 => {
            let which = pick(rng, &DURATIONS);
            let field = intrinsic(rng, which);
            hit(rng, spans, field, Static::Duration(500_000_000))
        }
        8 => {
            let which = pick(rng, &NUMBERS);
            let field = intrinsic(rng, which);
            hit(rng, spans, field, Static::Int(2))
        }
        9 => {
            let field = intrinsic(rng, Intrinsic::Status);
            hit(rng, spans, field, Static::Status(2))
        }
        10 => {
            let field = intrinsic(rng, Intrinsic::Kind);
            hit(rng, spans, field, Static::Kind(3))
        }
        11 => {
            let which = pick(rng, &IDS);
            let field = intrinsic(rng, which);
            hit(rng, spans, field, Static::String("ab".to_owned()))
        }
        12 => {
            let field = match rng.random_range(0..3) {
                0 => string_field(rng),
                _ => attribute(rng, &["k", "s", "list", "host.name"]),
            };
            let op = pick(rng, &[BinaryOp::Matches, BinaryOp::NotMatches]);
            binary(op, of_field(field), literal(Static::String(pick(rng, &PATTERNS).to_owned())))
        }
        13 => {
            let field = match rng.random_range(0..4) {
                0 => Field::Intrinsic { which: Intrinsic::Parent, parent: false },
                1 => intrinsic(rng, Intrinsic::ParentId),
                _ => attribute(rng, &KEYS),
            };
            binary(pick(rng, &EQUALITY), of_field(field), literal(Static::Nil))
        }
        14 | 15 => {
            let (left, right) = (with_field(rng), number(rng, 1));
            binary(pick(rng, &ORDERED), left, right)
        }
        16 => {
            let (left, right) = (attribute(rng, &KEYS), attribute(rng, &KEYS));
            binary(pick(rng, &ORDERED), of_field(left), of_field(right))
        }
        17 => of_field(attribute(rng, &["b", "k", "list"])),
        18..24 => {
            let left = condition(rng, spans, depth - 1);
            let right = condition(rng, spans, depth - 1);
            binary(pick(rng, &[BinaryOp::And, BinaryOp::Or]), left, right)
        }
        _ => expr(FieldExprKind::Not(Box::new(condition(rng, spans, depth - 1)))),
    }
}

/// A field that operations have too.
pub fn operation_field(rng: &mut StdRng) -> Field {
    match rng.random_range(0..4) {
        0 => Field::Attribute {
            scope: Scope::Resource,
            parent: false,
            name: "service.name".to_owned(),
        },
        1 => Field::Intrinsic { which: Intrinsic::Name, parent: false },
        2 => Field::Intrinsic { which: Intrinsic::Kind, parent: false },
        _ => Field::Intrinsic { which: Intrinsic::Status, parent: false },
    }
}

/// A condition on such fields.
pub fn operation_condition(rng: &mut StdRng, spans: &[Span]) -> FieldExpr {
    let field = operation_field(rng);
    let fallback = match &field {
        Field::Intrinsic { which: Intrinsic::Kind, .. } => Static::Kind(3),
        Field::Intrinsic { which: Intrinsic::Status, .. } => Static::Status(2),
        _ => Static::String("none".to_owned()),
    };
    let one = hit(rng, spans, field, fallback);
    match rng.random_range(0..5) {
        0 => expr(FieldExprKind::Not(Box::new(one))),
        1 | 2 => {
            let op = pick(rng, &[BinaryOp::And, BinaryOp::Or]);
            binary(op, one, operation_condition(rng, spans))
        }
        _ => one,
    }
}
