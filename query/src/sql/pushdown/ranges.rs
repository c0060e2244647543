//! Conditions joined by OR that look at one column of whole numbers, such as those of levels:
//!
//! ```text
//! severity_number BETWEEN 17 AND 20 OR severity_number = 0 AND lower(trim(severity_text)) IN ('error')
//! ```
//! leaves the numbers 0 and 17 to 20. What is said of other columns is left out, and checked above.

use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use throughline_model::predicate::{Op, Operand, Predicate, Target};

use super::subject::{Kind, Subject, integer};
use crate::sql::tables::columns::SqlColumn;

/// Numbers that are listed one by one at most, and gaps between those that are not.
const LISTED_MAX: i64 = 32;
/// How deep ORs and ANDs may nest to be looked at.
const DEPTH_MAX: usize = 64;

/// Numbers that a column may have: ranges with both ends, in order and apart.
struct Numbers {
    column: String,
    ranges: Vec<(i64, i64)>,
    // Whether these are all that is said.
    exact: bool,
}

/// Conditions on one column that follow from a condition, and whether nothing else does.
pub(super) fn convert(expr: &Expr, columns: &[SqlColumn]) -> Option<(Vec<Predicate>, bool)> {
    let Numbers { column, ranges, exact } = numbers(expr, columns, 0)?;
    let target = Target::Column(column);
    let predicate = |op| Predicate { target: target.clone(), op };
    let (first, last) = (ranges.first()?, ranges.last()?);
    let count = |(low, high): &(i64, i64)| high.saturating_sub(*low).saturating_add(1);
    let total = ranges.iter().map(count).fold(0i64, i64::saturating_add);
    if total <= LISTED_MAX {
        let all = ranges.iter().flat_map(|(low, high)| *low..=*high).map(Operand::Int);
        return Some((vec![predicate(Op::In(all.collect()))], exact));
    }
    let mut predicates = Vec::new();
    if first.0 != i64::MIN {
        predicates.push(predicate(Op::Ge(Operand::Int(first.0))));
    }
    if last.1 != i64::MAX {
        predicates.push(predicate(Op::Le(Operand::Int(last.1))));
    }
    let gaps = ranges.windows(2).flat_map(|pair| match pair {
        [before, after] => before.1.saturating_add(1)..after.0,
        _ => 0..0,
    });
    let gaps = gaps.take(LISTED_MAX as usize + 1).collect::<Vec<_>>();
    let lists_gaps = gaps.len() <= LISTED_MAX as usize;
    if lists_gaps {
        predicates.extend(gaps.into_iter().map(|gap| predicate(Op::Ne(Operand::Int(gap)))));
    }
    (!predicates.is_empty()).then_some((predicates, exact && lists_gaps))
}

fn numbers(expr: &Expr, columns: &[SqlColumn], depth: usize) -> Option<Numbers> {
    if depth > DEPTH_MAX {
        return None;
    }
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (op, &**left, &**right) {
            (Operator::Or, left, right) => {
                let left = numbers(left, columns, depth + 1)?;
                let right = numbers(right, columns, depth + 1)?;
                (left.column == right.column).then(|| left.or(right))
            }
            (Operator::And, left, right) => {
                let sides = [left, right].map(|side| numbers(side, columns, depth + 1));
                match sides {
                    [Some(left), Some(right)] if left.column == right.column => {
                        Some(left.and(&right))
                    }
                    [Some(one), _] | [None, Some(one)] => Some(Numbers { exact: false, ..one }),
                    [None, None] => None,
                }
            }
            (_, subject, Expr::Literal(value, _)) => {
                of_column(subject, columns, ranges(*op, integer(value)?)?)
            }
            (_, Expr::Literal(value, _), subject) => {
                of_column(subject, columns, ranges(op.swap()?, integer(value)?)?)
            }
            _ => None,
        },
        Expr::Between(Between { expr, negated: false, low, high }) => {
            let (Expr::Literal(low, _), Expr::Literal(high, _)) = (&**low, &**high) else {
                return None;
            };
            of_column(expr, columns, vec![(integer(low)?, integer(high)?)])
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            let number = |item: &Expr| match item {
                Expr::Literal(value, _) => integer(value).map(|number| (number, number)),
                _ => None,
            };
            of_column(expr, columns, list.iter().map(number).collect::<Option<Vec<_>>>()?)
        }
        _ => None,
    }
}

fn of_column(expr: &Expr, columns: &[SqlColumn], ranges: Vec<(i64, i64)>) -> Option<Numbers> {
    match Subject::of(expr, columns)? {
        Subject { target: Target::Column(column), kind: Kind::Number, nullable: false } => {
            Some(Numbers { column, ranges: merged(ranges), exact: true })
        }
        _ => None,
    }
}

fn ranges(op: Operator, number: i64) -> Option<Vec<(i64, i64)>> {
    let (below, above) = (number.checked_sub(1), number.checked_add(1));
    let below = below.map(|below| (i64::MIN, below));
    let above = above.map(|above| (above, i64::MAX));
    Some(match op {
        Operator::Eq => vec![(number, number)],
        Operator::NotEq => below.into_iter().chain(above).collect(),
        Operator::Lt => below.into_iter().collect(),
        Operator::LtEq => vec![(i64::MIN, number)],
        Operator::Gt => above.into_iter().collect(),
        Operator::GtEq => vec![(number, i64::MAX)],
        _ => return None,
    })
}

fn merged(mut ranges: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    ranges.retain(|(low, high)| low <= high);
    ranges.sort_unstable();
    let mut all = Vec::<(i64, i64)>::new();
    for (low, high) in ranges {
        match all.last_mut() {
            Some((_, end)) if low <= end.saturating_add(1) => *end = high.max(*end),
            _ => all.push((low, high)),
        }
    }
    all
}

impl Numbers {
    fn or(self, other: Self) -> Self {
        let ranges = merged([self.ranges, other.ranges].concat());
        Self { column: self.column, ranges, exact: self.exact && other.exact }
    }

    fn and(self, other: &Self) -> Self {
        let overlap = |(low, high): &(i64, i64)| {
            let (low, high) = (*low, *high);
            other.ranges.iter().map(move |(from, to)| (low.max(*from), high.min(*to)))
        };
        let ranges = merged(self.ranges.iter().flat_map(overlap).collect());
        Self { ranges, exact: self.exact && other.exact, ..self }
    }
}
