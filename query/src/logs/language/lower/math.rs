//! Expressions of `math`: all numbers are doubles, so that `1 / 2` is a half.

use super::super::ast::{FieldName, MathExpr, MathFunction, MathOp};
use super::super::error::{Error, Result};
use super::super::grammar::ValueKind;
use super::scope::Scope;
use super::text::float;

/// An expression in SQL.
pub(super) fn lower(expr: &MathExpr, scope: &Scope) -> Result<String> {
    ranked(expr, scope).map(|(sql, _)| sql)
}

const RANK_SIGN: u8 = 3;
const RANK_ATOM: u8 = 4;

// An expression with how tight it binds. Chains stay flat, because SQL may not nest deep.
fn ranked(expr: &MathExpr, scope: &Scope) -> Result<(String, u8)> {
    let inside = |expr: &MathExpr, min: u8| {
        ranked(expr, scope).map(|(sql, rank)| if rank < min { format!("({sql})") } else { sql })
    };
    Ok(match expr {
        MathExpr::Number(number) => (float(*number), RANK_ATOM),
        MathExpr::Field(field) => (number_of(field, scope)?, RANK_ATOM),
        // Two minus signs would begin a comment.
        MathExpr::Negate(inner) => (format!("-{}", inside(inner, RANK_ATOM)?), RANK_SIGN),
        MathExpr::Binary { op: MathOp::Pow, left, right } => {
            let (left, right) = (lower(left, scope)?, lower(right, scope)?);
            (format!("power({left}, {right})"), RANK_ATOM)
        }
        MathExpr::Binary { op, left, right } => {
            let rank = if matches!(op, MathOp::Add | MathOp::Sub) { 1 } else { 2 };
            let (left, right) = (inside(left, rank)?, inside(right, rank + 1)?);
            (format!("{left} {} {right}", op.text()), rank)
        }
        MathExpr::Call { function, arguments } => (call(*function, arguments, scope)?, RANK_ATOM),
    })
}

fn number_of(field: &FieldName, scope: &Scope) -> Result<String> {
    let value = scope.resolve(field)?;
    match value.kind {
        ValueKind::Number => Ok(format!("CAST({} AS DOUBLE)", value.sql)),
        ValueKind::Text | ValueKind::Body => Ok(value.number()),
        ValueKind::Time => Ok(format!("CAST(date_part('epoch', {}) AS DOUBLE)", value.sql)),
        ValueKind::Id(_) | ValueKind::Level | ValueKind::List => {
            Err(Error::new(field.place, format!("'{}' is no number", field.text)))
        }
    }
}

fn call(function: MathFunction, arguments: &[MathExpr], scope: &Scope) -> Result<String> {
    let mut sql = arguments.iter().map(|a| lower(a, scope)).collect::<Result<Vec<_>>>()?;
    let name = match function {
        MathFunction::Min => "least",
        MathFunction::Max => "greatest",
        other => other.text(),
    };
    if function == MathFunction::Round
        && let Some(digits) = sql.get_mut(1)
    {
        *digits = format!("CAST({digits} AS BIGINT)");
    }
    Ok(format!("{name}({})", sql.join(", ")))
}

/// The fields that an expression names.
pub(super) fn fields<'e>(expr: &'e MathExpr, found: &mut Vec<&'e FieldName>) {
    match expr {
        MathExpr::Number(_) => {}
        MathExpr::Field(field) => found.push(field),
        MathExpr::Negate(inner) => fields(inner, found),
        MathExpr::Binary { left, right, .. } => {
            fields(left, found);
            fields(right, found);
        }
        MathExpr::Call { arguments, .. } => arguments.iter().for_each(|a| fields(a, found)),
    }
}
