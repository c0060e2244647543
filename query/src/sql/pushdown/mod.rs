//! Conditions of SQL as predicates of the scan.
//!
//! What means the same to both is pushed down exactly and leaves the plan; what can only narrow the
//! scan (SQL's null where the scan says "not equal") is pushed down and checked again above.
//!
//! - here: one conjunct of a `WHERE`; [`subject`]: what it looks at; [`like`]: patterns
//! - [`opposite`]: NOT and `IS NOT TRUE`; [`ranges`], [`any_of`]: ORs that look at one thing;
//!   [`whole`]: conditions that leave nothing to check above

mod any_of;
mod like;
mod opposite;
mod ranges;
mod subject;
mod whole;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Between, InList, Like};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use throughline_model::predicate::{Op, Operand, Predicate};
use throughline_model::time::TimeRange;

use super::functions::{amount_of, whole_words};
use super::tables::columns::SqlColumn;
use super::words::HasWords;
use subject::{Kind, Subject, nanoseconds};
pub(crate) use whole::convert_all_exactly;

/// What a condition becomes.
#[derive(Clone, Debug)]
pub(crate) struct Pushed {
    /// Conditions for the scan.
    pub predicates: Vec<Predicate>,
    /// The range of time that the condition leaves.
    pub time: TimeRange,
    /// Whether nothing needs to be checked above the scan.
    pub exact: bool,
    /// Whether SQL says null of rows without the value.
    pub nullable: bool,
}

/// Converts one conjunct of a `WHERE`.
pub(crate) fn convert(expr: &Expr, columns: &[SqlColumn]) -> Option<Pushed> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
            if let Some((predicates, exact)) = ranges::convert(expr, columns) {
                return Some(Pushed { predicates, time: TimeRange::ALL, exact, nullable: false });
            }
            any_of::of(expr, columns)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (&**left, &**right) {
            (subject, Expr::Literal(value, _)) => compare(subject, *op, value, columns),
            (Expr::Literal(value, _), subject) => {
                let op = match op {
                    Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => *op,
                    op => op.swap()?,
                };
                compare(subject, op, value, columns)
            }
            _ => None,
        },
        Expr::Between(Between { expr, negated: false, low, high }) => {
            let (Expr::Literal(low, _), Expr::Literal(high, _)) = (&**low, &**high) else {
                return None;
            };
            let low = compare(expr, Operator::GtEq, low, columns)?;
            Some(low.and(compare(expr, Operator::LtEq, high, columns)?))
        }
        Expr::InList(InList { expr, list, negated }) => {
            let subject = Subject::of(expr, columns)?;
            let operand = |item: &Expr| match item {
                Expr::Literal(value, _) => subject.operand(value),
                _ => None,
            };
            let operands = list.iter().map(operand).collect::<Option<Vec<_>>>()?;
            let found = pushed(&subject, Op::In(operands));
            if *negated { opposite::not(found) } else { Some(found) }
        }
        Expr::Like(like) => self::like(like, columns),
        Expr::ScalarFunction(_) => call(expr, columns),
        Expr::Not(inner) => opposite::not(convert(inner, columns)?),
        Expr::IsNotTrue(inner) => opposite::is_not_true(convert(inner, columns)?),
        Expr::IsTrue(inner) => convert(inner, columns),
        Expr::IsNotNull(expr) => {
            // A typed function wants more than any value.
            Some(Pushed { nullable: false, ..pushed(&Subject::of(expr, columns)?, Op::Exists) })
        }
        Expr::IsNull(expr) => {
            let subject = Subject::of(expr, columns)?;
            let missing = Pushed { nullable: false, ..pushed(&subject, Op::Missing) };
            subject.is_exact().then_some(missing)
        }
        _ => None,
    }
}

impl Pushed {
    fn and(mut self, other: Self) -> Self {
        self.predicates.extend(other.predicates);
        self.time.start_ns = self.time.start_ns.max(other.time.start_ns);
        self.time.end_ns = self.time.end_ns.min(other.time.end_ns);
        self.exact &= other.exact;
        self.nullable |= other.nullable;
        self
    }
}

fn pushed(subject: &Subject<'_>, op: Op) -> Pushed {
    Pushed {
        predicates: vec![Predicate { target: subject.target.clone(), op }],
        time: TimeRange::ALL,
        exact: subject.is_exact(),
        nullable: subject.nullable,
    }
}

// A function that says yes or no about a text.
fn call(expr: &Expr, columns: &[SqlColumn]) -> Option<Pushed> {
    if let Some((text, op)) = HasWords::call(expr) {
        let subject = text_subject(text, columns)?;
        return Some(Pushed { nullable: false, ..pushed(&subject, op) });
    }
    if let Some((text, phrases)) = whole_words(expr) {
        let subject = text_subject(text, columns)?;
        let mut found = Pushed { exact: false, ..pushed(&subject, Op::Exists) };
        let words = phrases
            .into_iter()
            .map(|phrase| Predicate { target: subject.target.clone(), op: Op::Phrase(phrase) });
        let words = words.collect::<Vec<_>>();
        if !words.is_empty() {
            found.predicates = words;
        }
        return Some(found);
    }
    let Expr::ScalarFunction(call) = expr else { return None };
    match (call.func.name(), call.args.as_slice()) {
        ("contains", [text, Expr::Literal(part, _)]) => {
            let part = part.try_as_str().flatten()?.to_owned();
            Some(pushed(&text_subject(text, columns)?, Op::Contains(part)))
        }
        _ => None,
    }
}

fn text_subject<'c>(expr: &Expr, columns: &'c [SqlColumn]) -> Option<Subject<'c>> {
    Subject::of(expr, columns).filter(|subject| matches!(subject.kind, Kind::Text))
}

fn compare(
    expr: &Expr,
    op: Operator,
    value: &ScalarValue,
    columns: &[SqlColumn],
) -> Option<Pushed> {
    if value.is_null() {
        return None;
    }
    if let Some(text) = amount_of(expr) {
        // Texts may hold numbers that the scan sees as none: it can only tell where a text is.
        let is_strict = op.supports_propagation()
            && !matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom);
        let subject = text_subject(text, columns)?;
        return is_strict.then(|| Pushed { exact: false, ..pushed(&subject, Op::Exists) });
    }
    let subject = Subject::of(expr, columns)?;
    if let Kind::EndTime = subject.kind {
        return end_time(op, nanoseconds(value)?);
    }
    if let Some(pattern) = like::regex(op, value) {
        let negated = matches!(op, Operator::RegexNotMatch | Operator::RegexNotIMatch);
        let matches = pushed(&subject, Op::Matches(pattern));
        let is_text = matches!(subject.kind, Kind::Text);
        return is_text.then(|| if negated { opposite::not(matches) } else { Some(matches) })?;
    }
    let operand = subject.operand(value)?;
    let ordered = !matches!(subject.kind, Kind::Named(_) | Kind::Bool | Kind::Id);
    let mut exact = subject.is_exact();
    let op = match op {
        Operator::Eq | Operator::IsNotDistinctFrom => Op::Eq(operand),
        Operator::NotEq => {
            exact &= !subject.nullable;
            Op::Ne(operand)
        }
        // The scan's "not equal" is met by rows without the value, as this is. What a typed function
        // does not see differs too.
        Operator::IsDistinctFrom => exact.then_some(Op::Ne(operand))?,
        Operator::Lt if ordered => {
            // A range that ends with the last nanosecond holds it too.
            exact &= operand != Operand::Int(i64::MAX);
            Op::Lt(operand)
        }
        Operator::LtEq if ordered => Op::Le(operand),
        Operator::Gt if ordered => Op::Gt(operand),
        Operator::GtEq if ordered => Op::Ge(operand),
        _ => return None,
    };
    // SQL puts NaN above all numbers, the scan compares it with none: it can only tell where a value
    // is, and the order is checked above.
    let is_float_order = matches!(subject.kind, Kind::Float) && !matches!(op, Op::Eq(_));
    let op = if is_float_order { Op::Exists } else { op };
    let time = match (subject.kind, &op) {
        (Kind::Time, Op::Eq(Operand::Int(t))) => range(*t, t.saturating_add(1)),
        (Kind::Time, Op::Lt(Operand::Int(t))) => range(i64::MIN, *t),
        (Kind::Time, Op::Le(Operand::Int(t))) => range(i64::MIN, t.saturating_add(1)),
        (Kind::Time, Op::Gt(Operand::Int(t)) | Op::Ge(Operand::Int(t))) => range(*t, i64::MAX),
        _ => TimeRange::ALL,
    };
    Some(Pushed { time, exact, ..pushed(&subject, op) })
}

// A span that ends at or after `t` overlaps what follows `t`. Nothing follows from a span's end
// being before `t`, because clocks may put an end before its start.
fn end_time(op: Operator, t: i64) -> Option<Pushed> {
    matches!(op, Operator::Gt | Operator::GtEq | Operator::Eq).then(|| Pushed {
        predicates: Vec::new(),
        time: range(t, i64::MAX),
        exact: false,
        nullable: false,
    })
}

fn range(start_ns: i64, end_ns: i64) -> TimeRange {
    TimeRange { start_ns, end_ns }
}

fn like(like: &Like, columns: &[SqlColumn]) -> Option<Pushed> {
    let Expr::Literal(pattern, _) = &*like.pattern else { return None };
    let pattern = pattern.try_as_str()??;
    let subject = text_subject(&like.expr, columns).filter(|_| like.escape_char.is_none())?;
    let found = pushed(&subject, like::op(like, pattern));
    if like.negated { opposite::not(found) } else { Some(found) }
}
