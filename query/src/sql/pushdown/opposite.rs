//! The opposite of what a condition becomes. The scan's negations are met by rows without the value;
//! `IS NOT TRUE` is too, `NOT` is null there.

use throughline_model::predicate::{Op, Predicate};
use throughline_model::time::TimeRange;

use super::Pushed;

/// Values of a list that are ruled out one by one at most.
const RULED_OUT_MAX: usize = 64;

/// What `NOT` makes of a condition.
pub(super) fn not(pushed: Pushed) -> Option<Pushed> {
    let nullable = pushed.nullable;
    let opposite = is_not_true(pushed)?;
    Some(Pushed { exact: !nullable, nullable, ..opposite })
}

/// What `IS NOT TRUE` makes of it. Only of a condition that says all there is to say the opposite can be
/// told.
pub(super) fn is_not_true(pushed: Pushed) -> Option<Pushed> {
    let Pushed { predicates, time, exact, .. } = pushed;
    let [Predicate { target, op }] = predicates.as_slice() else { return None };
    if !exact || time != TimeRange::ALL {
        return None;
    }
    let ops = opposites(op)?;
    let predicates = ops.into_iter().map(|op| Predicate { target: target.clone(), op }).collect();
    Some(Pushed { predicates, time, exact: true, nullable: false })
}

fn opposites(op: &Op) -> Option<Vec<Op>> {
    Some(vec![match op {
        Op::Eq(operand) => Op::Ne(operand.clone()),
        Op::In(operands) if operands.len() <= RULED_OUT_MAX => {
            return Some(operands.iter().cloned().map(Op::Ne).collect());
        }
        Op::Matches(regex) => Op::NotMatches(regex.clone()),
        Op::Contains(part) => Op::NotContains(part.clone()),
        Op::Phrase(phrase) => Op::NotPhrase(phrase.clone()),
        Op::Exists => Op::Missing,
        Op::Missing => Op::Exists,
        _ => return None,
    }])
}
