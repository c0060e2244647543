//! Conditions of SQL as predicates of the scan.
//!
//! What means the same to both is pushed down exactly and leaves the plan; what can only narrow the
//! scan (SQL's null where the scan says "not equal") is pushed down and checked again above.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, Like};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::sets::{AttrFunction, AttrType};
use super::tables::columns::{Make, SqlColumn};
use super::words::{self, HasWords};

/// What a condition becomes.
#[derive(Clone, Debug)]
pub(crate) struct Pushed {
    /// Conditions for the scan.
    pub predicates: Vec<Predicate>,
    /// The range of time that the condition leaves.
    pub time: TimeRange,
    /// Whether nothing needs to be checked above the scan.
    pub exact: bool,
}

// The left side of a comparison.
struct Subject<'a> {
    target: Target,
    kind: Kind<'a>,
    // Whether a row may lack the value: SQL then says null where the scan's negations match.
    nullable: bool,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Id,
    Text,
    Number,
    Float,
    Bool,
    Time,
    EndTime,
    Named(&'a [&'static str]),
}

/// Converts one conjunct of a `WHERE`.
pub(crate) fn convert(expr: &Expr, columns: &[SqlColumn]) -> Option<Pushed> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (&**left, &**right) {
            (subject, Expr::Literal(value, _)) => compare(subject, *op, value, columns),
            (Expr::Literal(value, _), subject) => compare(subject, op.swap()?, value, columns),
            _ => None,
        },
        Expr::InList(InList { expr, list, negated: false }) => {
            let subject = subject(expr, columns)?;
            let operands = list
                .iter()
                .map(|item| match item {
                    Expr::Literal(value, _) => operand(subject.kind, value),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()?;
            let exact = subject.is_exact();
            Some(pushed(subject.target, Op::In(operands), exact))
        }
        Expr::Like(like) => self::like(like, columns),
        Expr::ScalarFunction(_) => has_words(expr, columns, |op| op),
        Expr::Not(inner) => has_words(inner, columns, words::negated),
        Expr::IsNotNull(expr) => {
            let subject = subject(expr, columns)?;
            let exact = subject.is_exact(); // a typed function wants more than any value
            Some(pushed(subject.target, Op::Exists, exact))
        }
        Expr::IsNull(expr) => {
            let subject = subject(expr, columns)?;
            subject.is_exact().then(|| pushed(subject.target, Op::Missing, true))
        }
        _ => None,
    }
}

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

fn has_words(expr: &Expr, columns: &[SqlColumn], make: fn(Op) -> Op) -> Option<Pushed> {
    let (text, op) = HasWords::call(expr)?;
    let subject = subject(text, columns)?;
    matches!(subject.kind, Kind::Text).then(|| pushed(subject.target, make(op), true))
}

impl Subject<'_> {
    // Typed functions look at one type, the scan's numbers at all.
    fn is_exact(&self) -> bool {
        matches!(self.kind, Kind::Id | Kind::Text | Kind::Named(_))
            || matches!((&self.target, self.kind), (Target::Column(_), Kind::Number | Kind::Time))
    }
}

fn pushed(target: Target, op: Op, exact: bool) -> Pushed {
    Pushed { predicates: vec![Predicate { target, op }], time: TimeRange::ALL, exact }
}

fn subject<'a>(expr: &Expr, columns: &'a [SqlColumn]) -> Option<Subject<'a>> {
    let find = |name: &str| columns.iter().find(|column| column.name == name);
    if let Expr::Column(column) = expr {
        let column = find(&column.name)?;
        let kind = match &column.make {
            Make::Id(_) => Kind::Id,
            Make::Text(_) => Kind::Text,
            Make::Number(_) => Kind::Number,
            Make::Time(_) => Kind::Time,
            Make::EndTime => Kind::EndTime,
            Make::Named(_, names) => Kind::Named(names),
            _ => return None,
        };
        let target = Target::Column(column.make.source()?.to_owned());
        return Some(Subject { target, kind, nullable: column.nullable });
    }
    let (returns, set, key) = AttrFunction::call(expr)?;
    let Expr::Column(set) = set else { return None };
    let target = match find(&set.name)?.make {
        Make::ItemSet => Target::Attribute(key.to_owned()),
        Make::ResourceSet => Target::ResourceAttribute(key.to_owned()),
        Make::ScopeSet => Target::ScopeAttribute(key.to_owned()),
        _ => return None,
    };
    let kind = match returns {
        AttrType::Text => Kind::Text,
        AttrType::Int => Kind::Number,
        AttrType::Float => Kind::Float,
        AttrType::Bool => Kind::Bool,
    };
    Some(Subject { target, kind, nullable: true })
}

fn compare(
    expr: &Expr,
    op: Operator,
    value: &ScalarValue,
    columns: &[SqlColumn],
) -> Option<Pushed> {
    let subject = subject(expr, columns)?;
    if let Kind::EndTime = subject.kind {
        return end_time(op, nanoseconds(value)?);
    }
    if let Some(pattern) = regex(op, value) {
        let text = matches!(subject.kind, Kind::Text);
        let negated = matches!(op, Operator::RegexNotMatch | Operator::RegexNotIMatch);
        let op = if negated { Op::NotMatches(pattern) } else { Op::Matches(pattern) };
        return text.then(|| pushed(subject.target, op, !(negated && subject.nullable)));
    }
    let operand = operand(subject.kind, value)?;
    let ordered = !matches!(subject.kind, Kind::Named(_) | Kind::Bool | Kind::Id);
    let mut exact = subject.is_exact();
    let op = match op {
        Operator::Eq => Op::Eq(operand),
        Operator::NotEq => {
            exact &= !subject.nullable;
            Op::Ne(operand)
        }
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
    Some(Pushed { time, ..pushed(subject.target, op, exact) })
}

// A span that ends at or after `t` overlaps what follows `t`. Nothing follows from a span's end
// being before `t`, because clocks may put an end before its start.
fn end_time(op: Operator, t: i64) -> Option<Pushed> {
    matches!(op, Operator::Gt | Operator::GtEq | Operator::Eq).then(|| Pushed {
        predicates: Vec::new(),
        time: range(t, i64::MAX),
        exact: false,
    })
}

fn range(start_ns: i64, end_ns: i64) -> TimeRange {
    TimeRange { start_ns, end_ns }
}

fn operand(kind: Kind<'_>, value: &ScalarValue) -> Option<Operand> {
    Some(match kind {
        Kind::Text => Operand::Text(value.try_as_str()??.to_owned()),
        Kind::Id => match value {
            ScalarValue::Binary(Some(bytes)) => Operand::Bytes(bytes.clone()),
            _ => return None,
        },
        Kind::Number => Operand::Int(integer(value)?),
        Kind::Float => match value {
            ScalarValue::Float64(Some(number)) if number.is_finite() => Operand::Float(*number),
            _ => return None,
        },
        Kind::Bool => match value {
            ScalarValue::Boolean(Some(flag)) => Operand::Bool(*flag),
            _ => return None,
        },
        Kind::Time => Operand::Int(nanoseconds(value)?),
        Kind::EndTime => return None,
        Kind::Named(names) => {
            let name = value.try_as_str()??;
            Operand::Int(names.iter().position(|known| *known == name)? as i64)
        }
    })
}

fn integer(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int32(Some(number)) => Some(i64::from(*number)),
        ScalarValue::Int64(Some(number)) => Some(*number),
        ScalarValue::UInt32(Some(number)) => Some(i64::from(*number)),
        _ => None,
    }
}

fn nanoseconds(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampNanosecond(Some(t), _) => Some(*t),
        _ => None,
    }
}

fn regex(op: Operator, value: &ScalarValue) -> Option<String> {
    let pattern = value.try_as_str().flatten()?;
    match op {
        Operator::RegexMatch | Operator::RegexNotMatch => Some(pattern.to_owned()),
        Operator::RegexIMatch | Operator::RegexNotIMatch => Some(format!("(?i){pattern}")),
        _ => None,
    }
}

fn like(like: &Like, columns: &[SqlColumn]) -> Option<Pushed> {
    let subject = subject(&like.expr, columns)?;
    let Expr::Literal(pattern, _) = &*like.pattern else { return None };
    let pattern = pattern.try_as_str()??;
    if !matches!(subject.kind, Kind::Text) || like.escape_char.is_some() {
        return None;
    }
    let exact = !(like.negated && subject.nullable);
    let op = match contained(pattern) {
        Some(part) if !like.case_insensitive => match like.negated {
            true => Op::NotContains(part.to_owned()),
            false => Op::Contains(part.to_owned()),
        },
        _ => {
            let regex = like_regex(pattern, like.case_insensitive);
            if like.negated { Op::NotMatches(regex) } else { Op::Matches(regex) }
        }
    };
    Some(pushed(subject.target, op, exact))
}

// The plain text inside `%text%`.
fn contained(pattern: &str) -> Option<&str> {
    let part = pattern.strip_prefix('%')?.strip_suffix('%')?;
    (!part.contains(['%', '_', '\\'])).then_some(part)
}

fn like_regex(pattern: &str, case_insensitive: bool) -> String {
    let mut regex = String::from(if case_insensitive { "(?is)^" } else { "(?s)^" });
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '\\' => {
                let literal = chars.next().unwrap_or('\\');
                regex.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
            }
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    regex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_patterns_become_regexes() {
        for (pattern, expected) in [
            ("a%", "(?s)^a.*$"),
            ("a_c.", r"(?s)^a.c\.$"),
            (r"100\%", r"(?s)^100%$"),
            ("%x%y%", "(?s)^.*x.*y.*$"),
        ] {
            assert_eq!(like_regex(pattern, false), expected, "{pattern}");
        }
        assert_eq!(contained("%a b%"), Some("a b"));
        assert_eq!(contained("%a_b%"), None);
        assert_eq!(contained("%"), None);
    }
}
