//! Conditions that storage can look for, out of a query's filters.
//!
//! Each disjunct of a filter becomes a leaf: conditions that every span meets for which the disjunct
//! is true. What has no such condition becomes a leaf without conditions, which finds every span.

use throughline_model::origin::{SERVICE_NAME, SERVICE_UNKNOWN};
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::{SpanId, TraceId};
use throughline_storage::scan::Wanted;

use super::anchored;
use crate::traceql::ast::{
    BinaryOp, Field, FieldExpr, FieldExprKind, Intrinsic, Pipeline, Scope, SpansetExpr, SpansetOp,
    Stage, Static,
};

/// Disjuncts of one filter; a filter with more finds every span.
const DISJUNCTS_MAX: usize = 16;

/// Leaves under collection.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub leaves: Vec<Vec<Predicate>>,
}

impl Candidates {
    /// Which traces a pipeline can find something in.
    pub fn pipeline(&mut self, pipeline: &Pipeline) -> Wanted {
        let mut all = Vec::new();
        for stage in &pipeline.stages {
            match stage {
                Stage::Spans(expr) => all.push(self.spansets(expr)),
                // A stage after may only see what the ones before left.
                Stage::Scalar(_) | Stage::By(_) | Stage::Coalesce | Stage::Select(_) => {}
            }
        }
        match all.len() {
            0 => self.leaf(Vec::new()),
            1 => all.remove(0),
            _ => Wanted::All(all),
        }
    }

    fn leaf(&mut self, predicates: Vec<Predicate>) -> Wanted {
        self.leaves.push(predicates);
        Wanted::Leaf(self.leaves.len() - 1)
    }

    fn spansets(&mut self, expr: &SpansetExpr) -> Wanted {
        match expr {
            SpansetExpr::Filter(None) => self.leaf(Vec::new()),
            SpansetExpr::Filter(Some(expr)) => {
                let mut any = disjuncts(expr);
                if any.iter().any(Vec::is_empty) || any.len() > DISJUNCTS_MAX {
                    any = vec![Vec::new()];
                }
                match any.len() {
                    1 => self.leaf(any.remove(0)),
                    _ => Wanted::Any(any.into_iter().map(|all| self.leaf(all)).collect()),
                }
            }
            SpansetExpr::Binary { negated: true, right, .. } => self.spansets(right),
            SpansetExpr::Binary { op, left, right, .. } => {
                let sides = vec![self.spansets(left), self.spansets(right)];
                match op {
                    SpansetOp::Or => Wanted::Any(sides),
                    _ => Wanted::All(sides),
                }
            }
            SpansetExpr::Pipeline(pipeline) => self.pipeline(pipeline),
        }
    }
}

// Conditions one of which holds where the expression is true. An empty list holds everywhere.
fn disjuncts(expr: &FieldExpr) -> Vec<Vec<Predicate>> {
    match &expr.kind {
        FieldExprKind::Binary { op: BinaryOp::Or, left, right } => {
            let mut any = disjuncts(left);
            any.extend(disjuncts(right));
            any
        }
        FieldExprKind::Binary { op: BinaryOp::And, left, right } => {
            let (left, right) = (disjuncts(left), disjuncts(right));
            if left.len() * right.len() > DISJUNCTS_MAX {
                return if left.len() < right.len() { left } else { right };
            }
            let both = |a: &Vec<Predicate>| {
                let a = a.clone();
                right.iter().map(move |b| a.iter().chain(b).cloned().collect::<Vec<_>>())
            };
            left.iter().flat_map(both).collect()
        }
        FieldExprKind::Binary { op, left, right } => match (&left.kind, &right.kind) {
            (FieldExprKind::Field(field), FieldExprKind::Static(value)) => {
                vec![comparison(field, *op, value)]
            }
            (FieldExprKind::Static(value), FieldExprKind::Field(field)) => {
                vec![comparison(field, flipped(*op), value)]
            }
            _ => vec![Vec::new()],
        },
        FieldExprKind::Field(field) => vec![comparison(field, BinaryOp::Eq, &Static::Bool(true))],
        FieldExprKind::Static(Static::Bool(false)) => Vec::new(),
        _ => vec![Vec::new()],
    }
}

fn flipped(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::Le => BinaryOp::Ge,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::Ge => BinaryOp::Le,
        op => op,
    }
}

fn column(name: &str, op: Op) -> Vec<Predicate> {
    vec![Predicate { target: Target::Column(name.to_owned()), op }]
}

// Conditions that hold wherever `field op value` does.
fn comparison(field: &Field, op: BinaryOp, value: &Static) -> Vec<Predicate> {
    match field {
        Field::Attribute { parent: true, .. } | Field::Intrinsic { parent: true, .. } => Vec::new(),
        Field::Attribute { scope, name, .. } => attribute(*scope, name, op, value),
        Field::Intrinsic { which, .. } => intrinsic(*which, op, value),
    }
}

fn attribute(scope: Scope, name: &str, op: BinaryOp, value: &Static) -> Vec<Predicate> {
    let target = match scope {
        Scope::Any => Target::AnyAttribute(name.to_owned()),
        Scope::Span => Target::Attribute(name.to_owned()),
        Scope::Instrumentation => Target::ScopeAttribute(name.to_owned()),
        Scope::Resource => {
            if let (SERVICE_NAME, BinaryOp::Eq, Static::String(text)) = (name, op, value) {
                return service(text);
            }
            Target::ResourceAttribute(name.to_owned())
        }
        Scope::Event => return present(col::EVENTS, op, value),
        Scope::Link => return present(col::LINKS, op, value),
    };
    let op = match (op, value) {
        // An empty list is nil too, but not absent.
        (BinaryOp::Eq, Static::Nil) => return Vec::new(),
        (BinaryOp::Ne | BinaryOp::NotMatches, _) => Op::Exists,
        (BinaryOp::Matches, Static::String(pattern)) => Op::StringMatches(anchored(pattern)),
        (op, value) => match operand(value).and_then(|operand| ordered(op, operand)) {
            Some(op) => op,
            None => return Vec::new(),
        },
    };
    vec![Predicate { target, op }]
}

// A resource without a text for its service is under the unknown one in the column.
fn service(text: &str) -> Vec<Predicate> {
    let names = [text, SERVICE_UNKNOWN].map(|name| Operand::Str(name.to_owned()));
    column(col::SERVICE_NAME, Op::In(names.to_vec()))
}

// Events or links are there, unless nil is what is asked for.
fn present(name: &str, op: BinaryOp, value: &Static) -> Vec<Predicate> {
    match (op, value) {
        (BinaryOp::Eq, Static::Nil) => Vec::new(),
        _ => column(name, Op::Exists),
    }
}

fn operand(value: &Static) -> Option<Operand> {
    match value {
        Static::String(text) => Some(Operand::Str(text.clone())),
        Static::Int(number) | Static::Duration(number) => Some(Operand::Int(*number)),
        Static::Float(number) => Some(Operand::Float(*number)),
        Static::Bool(flag) => Some(Operand::Bool(*flag)),
        Static::Nil | Static::Status(_) | Static::Kind(_) => None,
    }
}

fn ordered(op: BinaryOp, operand: Operand) -> Option<Op> {
    Some(match op {
        BinaryOp::Eq => Op::Eq(operand),
        BinaryOp::Lt => Op::Lt(operand),
        BinaryOp::Le => Op::Le(operand),
        BinaryOp::Gt => Op::Gt(operand),
        BinaryOp::Ge => Op::Ge(operand),
        _ => return None,
    })
}

fn intrinsic(which: Intrinsic, op: BinaryOp, value: &Static) -> Vec<Predicate> {
    match (which, value) {
        (Intrinsic::Name, Static::String(_)) => text(col::NAME, op, value),
        (Intrinsic::StatusMessage, Static::String(_)) => text(col::STATUS_MESSAGE, op, value),
        (Intrinsic::Duration, Static::Int(_) | Static::Duration(_) | Static::Float(_)) => {
            number(col::DURATION_NS, op, operand(value))
        }
        (Intrinsic::Status, Static::Status(code)) => {
            number(col::STATUS_CODE, op, Some(Operand::Int(i64::from(*code))))
        }
        (Intrinsic::Kind, Static::Kind(kind)) => {
            number(col::KIND, op, Some(Operand::Int(i64::from(*kind))))
        }
        (Intrinsic::Parent, Static::Nil) => match op {
            BinaryOp::Eq => column(col::PARENT_SPAN_ID, Op::Missing),
            _ => column(col::PARENT_SPAN_ID, Op::Exists),
        },
        (Intrinsic::TraceId, Static::String(text)) if op == BinaryOp::Eq => {
            match TraceId::parse(&format!("{text:0>32}")) {
                Ok(id) => column(col::TRACE_ID, Op::Eq(Operand::Bytes(id.0.to_vec()))),
                Err(_) => Vec::new(),
            }
        }
        (Intrinsic::SpanId, Static::String(text)) if op == BinaryOp::Eq && text.len() == 16 => {
            match SpanId::parse(text) {
                Ok(id) => column(col::SPAN_ID, Op::Eq(Operand::Bytes(id.0.to_vec()))),
                Err(_) => Vec::new(),
            }
        }
        (Intrinsic::EventName | Intrinsic::EventTimeSinceStart, value) => {
            present(col::EVENTS, op, value)
        }
        (Intrinsic::LinkTraceId | Intrinsic::LinkSpanId, value) => present(col::LINKS, op, value),
        _ => Vec::new(),
    }
}

fn text(name: &str, op: BinaryOp, value: &Static) -> Vec<Predicate> {
    match (op, value) {
        (BinaryOp::Matches, Static::String(pattern)) => {
            column(name, Op::StringMatches(anchored(pattern)))
        }
        (op, value) => {
            let op = operand(value).and_then(|operand| ordered(op, operand));
            op.map_or_else(Vec::new, |op| column(name, op))
        }
    }
}

fn number(name: &str, op: BinaryOp, operand: Option<Operand>) -> Vec<Predicate> {
    let op = operand.and_then(|operand| match op {
        BinaryOp::Ne => Some(Op::Ne(operand)),
        op => ordered(op, operand),
    });
    op.map_or_else(Vec::new, |op| column(name, op))
}
