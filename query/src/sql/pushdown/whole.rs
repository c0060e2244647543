//! All conditions on log records as predicates and a range of time, where nothing is left to check.

use datafusion::logical_expr::Expr;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::{convert, range};
use crate::sql::tables::columns::SqlColumn;

/// Converts all conditions on log records; none if one of them is not exact. Conditions on their time
/// become the range.
pub(crate) fn convert_all_exactly(
    filters: &[Expr],
    columns: &[SqlColumn],
) -> Option<(Vec<Predicate>, TimeRange)> {
    let (mut predicates, mut time) = (Vec::new(), TimeRange::ALL);
    for filter in filters {
        let pushed = convert(filter, columns).filter(|pushed| pushed.exact)?;
        for predicate in pushed.predicates {
            match time_range(&predicate) {
                Some(range) => {
                    time.start_ns = time.start_ns.max(range.start_ns);
                    time.end_ns = time.end_ns.min(range.end_ns);
                }
                None => predicates.push(predicate),
            }
        }
    }
    Some((predicates, time))
}

// The range that a condition on a record's time is.
fn time_range(predicate: &Predicate) -> Option<TimeRange> {
    if predicate.target != Target::Column(col::TIME.to_owned()) {
        return None;
    }
    // At the ends of time a range means something else.
    let inner = |t: &i64| (i64::MIN + 1..i64::MAX - 1).contains(t);
    Some(match &predicate.op {
        Op::Ge(Operand::Int(t)) if inner(t) => range(*t, i64::MAX),
        Op::Gt(Operand::Int(t)) if inner(t) => range(t + 1, i64::MAX),
        Op::Lt(Operand::Int(t)) if inner(t) => range(i64::MIN, *t),
        Op::Le(Operand::Int(t)) if inner(t) => range(i64::MIN, t + 1),
        Op::Eq(Operand::Int(t)) if inner(t) => range(*t, t + 1),
        _ => return None,
    })
}
