//! Expressions over single spans, for all spans of a batch at once.

use std::rc::Rc;

use super::batch::Spans;
use super::column::Column;
use super::value::{Val, calculate, compare, matches, negate};
use crate::traceql::ast::{BinaryOp, Field, FieldExpr, FieldExprKind, Intrinsic, Static};
use crate::traceql::plan::Regexes;
use crate::{Error, Result};

/// True, false or neither, by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    No,
    Yes,
    /// The value is no bool.
    Nil,
}

/// Evaluates expressions over a batch.
pub(crate) struct Evaluator<'a> {
    pub spans: &'a Spans,
    pub regexes: &'a Regexes,
}

impl Evaluator<'_> {
    /// The rows for which an expression is true.
    pub fn filter(&self, expr: &FieldExpr) -> Result<Vec<bool>> {
        Ok(match &expr.kind {
            FieldExprKind::Binary { op: BinaryOp::And, left, right } => {
                let mut both = self.filter(left)?;
                if both.contains(&true) {
                    both.iter_mut().zip(self.filter(right)?).for_each(|(a, b)| *a &= b);
                }
                both
            }
            FieldExprKind::Binary { op: BinaryOp::Or, left, right } => {
                let mut any = self.filter(left)?;
                if any.contains(&false) {
                    any.iter_mut().zip(self.filter(right)?).for_each(|(a, b)| *a |= b);
                }
                any
            }
            FieldExprKind::Binary { op, left, right } if op.is_comparison() => {
                self.comparison(*op, left, right)?
            }
            _ => self.truth(expr)?.iter().map(|truth| *truth == Truth::Yes).collect(),
        })
    }

    fn truth(&self, expr: &FieldExpr) -> Result<Vec<Truth>> {
        let of_bool = |yes: bool| if yes { Truth::Yes } else { Truth::No };
        Ok(match &expr.kind {
            FieldExprKind::Binary { op, .. } if !op.is_arithmetic() => {
                self.filter(expr)?.into_iter().map(of_bool).collect()
            }
            FieldExprKind::Not(inner) => {
                let not = |truth: Truth| match truth {
                    Truth::No => Truth::Yes,
                    Truth::Yes => Truth::No,
                    Truth::Nil => Truth::Nil,
                };
                self.truth(inner)?.into_iter().map(not).collect()
            }
            FieldExprKind::Static(Static::Bool(flag)) => vec![of_bool(*flag); self.spans.rows()],
            FieldExprKind::Field(field) => {
                let column = self.spans.column(field)?;
                let yes = column.test(self.spans.rows(), |value| *value == Val::Bool(true));
                let no = column.test(self.spans.rows(), |value| *value == Val::Bool(false));
                let truth = |(yes, no)| match (yes, no) {
                    (true, _) => Truth::Yes,
                    (_, true) => Truth::No,
                    _ => Truth::Nil,
                };
                yes.into_iter().zip(no).map(truth).collect()
            }
            _ => vec![Truth::Nil; self.spans.rows()],
        })
    }

    fn comparison(&self, op: BinaryOp, left: &FieldExpr, right: &FieldExpr) -> Result<Vec<bool>> {
        let rows = self.spans.rows();
        if let Some(value) = beside_nil(left, right) {
            let column = self.column(value)?;
            return Ok(match op {
                BinaryOp::Eq => column.test(rows, Val::is_nil),
                BinaryOp::Ne => column.test(rows, |value| !value.is_nil()),
                _ => vec![false; rows],
            });
        }
        if matches!(op, BinaryOp::Matches | BinaryOp::NotMatches) {
            let FieldExprKind::Static(Static::String(pattern)) = &right.kind else {
                return Err(Error::internal("a regular expression that is no text"));
            };
            let pattern = self.regexes.get(pattern, id_kind(left).is_some())?;
            let negated = op == BinaryOp::NotMatches;
            return Ok(self.column(left)?.test(rows, |value| matches(value, pattern, negated)));
        }
        let (mut a, mut b) = (self.column(left)?, self.column(right)?);
        if let Some(kind) = id_kind(left).or(id_kind(right)) {
            (a, b) = (Rc::new(kind.normal(&a, rows)), Rc::new(kind.normal(&b, rows)));
        }
        Ok(match (&*a, &*b) {
            (column, Column::Same(value)) => column.test(rows, |left| compare(op, left, value)),
            (Column::Same(value), column) => column.test(rows, |right| compare(op, value, right)),
            (a, b) => (0..rows).map(|row| compare(op, &a.get(row), &b.get(row))).collect(),
        })
    }

    /// The value of an expression for every row.
    pub fn column(&self, expr: &FieldExpr) -> Result<Rc<Column>> {
        let rows = self.spans.rows();
        Ok(match &expr.kind {
            FieldExprKind::Static(literal) => Rc::new(Column::Same(Val::of(literal))),
            FieldExprKind::Field(field) => self.spans.column(field)?,
            FieldExprKind::Negate(inner) => Rc::new(self.column(inner)?.map(rows, negate)),
            FieldExprKind::Binary { op, left, right } if op.is_arithmetic() => {
                let (a, b) = (self.column(left)?, self.column(right)?);
                Rc::new(match (&*a, &*b) {
                    (column, Column::Same(value)) => {
                        column.map(rows, |left| calculate(*op, left, value))
                    }
                    (Column::Same(value), column) => {
                        column.map(rows, |right| calculate(*op, value, right))
                    }
                    (a, b) => {
                        let value = |row| calculate(*op, &a.get(row), &b.get(row));
                        Column::Mixed((0..rows).map(value).collect())
                    }
                })
            }
            FieldExprKind::Binary { .. } | FieldExprKind::Not(_) => {
                let value = |truth: Truth| match truth {
                    Truth::Yes => Val::Bool(true),
                    Truth::No => Val::Bool(false),
                    Truth::Nil => Val::Nil,
                };
                Rc::new(Column::Mixed(self.truth(expr)?.into_iter().map(value).collect()))
            }
        })
    }
}

// The side that is compared with a literal nil.
fn beside_nil<'e>(left: &'e FieldExpr, right: &'e FieldExpr) -> Option<&'e FieldExpr> {
    let is_nil = |expr: &FieldExpr| matches!(expr.kind, FieldExprKind::Static(Static::Nil));
    match (is_nil(left), is_nil(right)) {
        (_, true) => Some(left),
        (true, false) => Some(right),
        (false, false) => None,
    }
}

#[derive(Clone, Copy)]
enum IdKind {
    Span,
    Trace,
}

fn id_kind(expr: &FieldExpr) -> Option<IdKind> {
    let FieldExprKind::Field(Field::Intrinsic { which, .. }) = &expr.kind else { return None };
    match which {
        Intrinsic::TraceId | Intrinsic::LinkTraceId => Some(IdKind::Trace),
        Intrinsic::SpanId | Intrinsic::ParentId | Intrinsic::LinkSpanId => Some(IdKind::Span),
        _ => None,
    }
}

impl IdKind {
    // Ids are compared without regard to case; a short trace id has lost its leading zeros.
    fn normal(self, column: &Column, rows: usize) -> Column {
        let one = |value: &Val| match (self, value) {
            (IdKind::Span, Val::Str(text)) => Val::Str(text.to_lowercase().into()),
            (IdKind::Trace, Val::Str(text)) => {
                Val::Str(format!("{:0>32}", text.to_lowercase()).into())
            }
            (_, value) => value.clone(),
        };
        column.map(rows, |value| match value {
            Val::List(elements) => Val::List(elements.iter().map(one).collect()),
            value => one(value),
        })
    }
}
