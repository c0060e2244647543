//! Conditions joined by OR that each name values of one subject: `a = 'x' OR a IN ('y', 'z')`.

use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use throughline_model::predicate::{Op, Predicate};

use super::{Pushed, convert};
use crate::sql::tables::columns::SqlColumn;

/// Values that are listed at most.
const LISTED_MAX: usize = 256;

/// The one condition that an OR comes to; none if its sides look at different things.
pub(super) fn of(expr: &Expr, columns: &[SqlColumn]) -> Option<Pushed> {
    let mut sides = vec![expr];
    let mut found: Option<Pushed> = None;
    let mut values = Vec::new();
    while let Some(side) = sides.pop() {
        if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) = side {
            sides.extend([&**left, &**right]);
            continue;
        }
        let mut pushed = convert(side, columns)?;
        let Predicate { target, op } = pushed.predicates.pop()?;
        if !pushed.predicates.is_empty() {
            return None;
        }
        match op {
            Op::Eq(value) => values.push(value),
            Op::In(more) => values.extend(more),
            _ => return None,
        }
        if values.len() > LISTED_MAX {
            return None;
        }
        match &mut found {
            Some(found) => {
                let same = found.predicates.first().is_some_and(|first| first.target == target);
                found.exact &= pushed.exact;
                found.nullable |= pushed.nullable;
                found.time.start_ns = found.time.start_ns.min(pushed.time.start_ns);
                found.time.end_ns = found.time.end_ns.max(pushed.time.end_ns);
                same.then_some(())?;
            }
            None => {
                pushed.predicates = vec![Predicate { target, op: Op::Exists }];
                found = Some(pushed);
            }
        }
    }
    let mut found = found?;
    found.predicates.first_mut()?.op = Op::In(values);
    Some(found)
}
