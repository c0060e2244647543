//! A filter of TraceQL as conditions of a scan, as far as a scan can decide it.
//!
//! Completion lists what occurs on spans that meet a filter. A conjunction of comparisons with
//! literals is decided by the scan itself. Two things are taken wider here than in a query, since a
//! list may offer a little more than fits: `!=` and `!~` also hold for values of other types, and
//! elements of arrays are not looked at.

use regex::Regex;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;

use crate::traceql::ast::{BinaryOp, Field, FieldExpr, FieldExprKind, Intrinsic, Scope, Static};

/// The conditions of a filter.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// What the scan decides.
    pub predicates: Vec<Predicate>,
    /// Whether that is all of the filter.
    pub is_whole: bool,
}

impl Conditions {
    /// What a scan can decide of a filter; everything of an absent one.
    pub(super) fn of(filter: Option<&FieldExpr>) -> Self {
        let mut conditions = Self { predicates: Vec::new(), is_whole: true };
        if let Some(filter) = filter {
            conditions.add(filter);
        }
        conditions
    }

    fn add(&mut self, expr: &FieldExpr) {
        match &expr.kind {
            FieldExprKind::Binary { op: BinaryOp::And, left, right } => {
                self.add(left);
                self.add(right);
            }
            FieldExprKind::Static(Static::Bool(true)) => {}
            FieldExprKind::Binary { op, left, right } => match comparison(*op, left, right) {
                Some(predicates) => self.predicates.extend(predicates),
                None => self.is_whole = false,
            },
            _ => self.is_whole = false,
        }
    }
}

fn comparison(op: BinaryOp, left: &FieldExpr, right: &FieldExpr) -> Option<Vec<Predicate>> {
    match (&left.kind, &right.kind) {
        (FieldExprKind::Field(field), FieldExprKind::Static(value)) => predicates(field, op, value),
        (FieldExprKind::Static(value), FieldExprKind::Field(field)) => {
            predicates(field, mirrored(op)?, value)
        }
        _ => None,
    }
}

// The operator that says the same with the sides changed over.
fn mirrored(op: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        BinaryOp::Eq | BinaryOp::Ne => op,
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::Le => BinaryOp::Ge,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::Ge => BinaryOp::Le,
        _ => return None,
    })
}

fn predicates(field: &Field, op: BinaryOp, value: &Static) -> Option<Vec<Predicate>> {
    let target = target(field)?;
    let is_column = matches!(target, Target::Column(_));
    let with = |op: Op| Predicate { target: target.clone(), op };
    if *value == Static::Nil {
        // Columns hold a value in every row; an empty text is none, and no scan says that.
        return match op {
            BinaryOp::Eq if !is_column => Some(vec![with(Op::Missing)]),
            BinaryOp::Ne if !is_column => Some(vec![with(Op::Exists)]),
            _ => None,
        };
    }
    if let BinaryOp::Matches | BinaryOp::NotMatches = op {
        let Static::String(pattern) = value else { return None };
        let anchored = format!("^(?:{pattern})$");
        Regex::new(&anchored).ok()?;
        return Some(match op {
            BinaryOp::Matches => vec![with(Op::StringMatches(anchored))],
            _ => vec![with(Op::Exists), with(Op::NotMatches(anchored))],
        });
    }
    let operand = operand(value)?;
    Some(match op {
        BinaryOp::Eq => vec![with(Op::Eq(operand))],
        BinaryOp::Ne => vec![with(Op::Exists), with(Op::Ne(operand))],
        BinaryOp::Lt => vec![with(Op::Lt(operand))],
        BinaryOp::Le => vec![with(Op::Le(operand))],
        BinaryOp::Gt => vec![with(Op::Gt(operand))],
        BinaryOp::Ge => vec![with(Op::Ge(operand))],
        _ => return None,
    })
}

fn operand(value: &Static) -> Option<Operand> {
    Some(match value {
        Static::String(text) => Operand::Str(text.clone()),
        Static::Int(number) | Static::Duration(number) => Operand::Int(*number),
        Static::Float(number) => Operand::Float(*number),
        Static::Bool(flag) => Operand::Bool(*flag),
        Static::Status(code) | Static::Kind(code) => Operand::Int(i64::from(*code)),
        Static::Nil => return None,
    })
}

/// What a scan reads for a field of the span itself; none for what it cannot read as one value.
pub(super) fn target(field: &Field) -> Option<Target> {
    Some(match field {
        Field::Attribute { scope, parent: false, name } => attribute(*scope, name)?,
        Field::Intrinsic { which, parent: false } => Target::Column(
            match which {
                Intrinsic::Name => col::NAME,
                Intrinsic::StatusMessage => col::STATUS_MESSAGE,
                Intrinsic::Status => col::STATUS_CODE,
                Intrinsic::Kind => col::KIND,
                Intrinsic::Duration => col::DURATION_NS,
                _ => return None,
            }
            .to_owned(),
        ),
        _ => return None,
    })
}

/// What a scan reads for an attribute; none for those of events and links, which are many a span.
pub(super) fn attribute(scope: Scope, name: &str) -> Option<Target> {
    let name = name.to_owned();
    Some(match scope {
        Scope::Any => Target::AnyAttribute(name),
        Scope::Span => Target::Attribute(name),
        Scope::Resource => Target::ResourceAttribute(name),
        Scope::Instrumentation => Target::ScopeAttribute(name),
        Scope::Event | Scope::Link => return None,
    })
}
