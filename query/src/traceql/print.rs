//! A tree as text that parses into the same tree: in one spelling, with the parentheses that it needs
//! and no others.

use std::fmt::{self, Display, Formatter, Write};

use super::ast::{
    Aggregate, BinaryOp, Field, FieldExpr, FieldExprKind, Hint, Intrinsic, KINDS, MetricsExpr,
    MetricsFunction, MetricsQuery, Pipeline, Query, Root, STATUSES, ScalarExpr, ScalarFilter,
    Scope, SecondStage, SpansetExpr, Stage, Static,
};
use super::grammar::{
    INTRINSIC_SCOPES, INTRINSICS, RANK_ATOM, RANK_NEGATE, RANK_NOT, SCOPES, rank, spanset_rank,
};

/// Doubles below this are written without an exponent.
const PLAIN_FLOAT_MAX: f64 = 1e15;

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.root {
            Root::Search(pipeline) => write!(f, "{pipeline}")?,
            Root::Metrics(metrics) => write!(f, "{metrics}")?,
        }
        if self.hints.is_empty() {
            return Ok(());
        }
        f.write_str(" with(")?;
        list(f, &self.hints, ", ")?;
        f.write_str(")")
    }
}

impl Display for Hint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl Display for Pipeline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        list(f, &self.stages, " | ")
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Spans(spans) => write!(f, "{spans}"),
            Stage::Scalar(filter) => write!(f, "{filter}"),
            Stage::By(by) => write!(f, "by({by})"),
            Stage::Coalesce => f.write_str("coalesce()"),
            Stage::Select(fields) => {
                f.write_str("select(")?;
                list(f, fields, ", ")?;
                f.write_str(")")
            }
        }
    }
}

impl Display for SpansetExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SpansetExpr::Filter(None) => f.write_str("{}"),
            SpansetExpr::Filter(Some(expr)) => write!(f, "{{ {expr} }}"),
            SpansetExpr::Pipeline(pipeline) => write!(f, "({pipeline})"),
            SpansetExpr::Binary { op, negated, union, left, right } => {
                let rank_of = |side: &SpansetExpr| match side {
                    SpansetExpr::Binary { op, .. } => spanset_rank(*op),
                    _ => RANK_ATOM,
                };
                let rank = spanset_rank(*op);
                let mark = if *negated { "!" } else { "" };
                let mark = if *union { "&" } else { mark };
                grouped(f, left, rank_of(left) < rank)?;
                write!(f, " {mark}{} ", op.text())?;
                grouped(f, right, rank_of(right) <= rank)
            }
        }
    }
}

impl Display for ScalarFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.left, self.op.text(), self.right)
    }
}

impl ScalarExpr {
    fn rank(&self) -> u8 {
        match self {
            ScalarExpr::Binary { op, .. } => rank(*op),
            ScalarExpr::Negate(_) => RANK_NEGATE,
            _ => RANK_ATOM,
        }
    }
}

impl Display for ScalarExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ScalarExpr::Static(literal) => write!(f, "{literal}"),
            ScalarExpr::Aggregate(aggregate) => write!(f, "{aggregate}"),
            ScalarExpr::Binary { op, left, right } => {
                binary(f, *op, (left, left.rank()), (right, right.rank()))
            }
            ScalarExpr::Negate(inner) => {
                let is_number =
                    matches!(&**inner, ScalarExpr::Static(literal) if needs_distance(literal));
                f.write_str("-")?;
                grouped(f, inner, inner.rank() < RANK_NEGATE || is_number)
            }
            ScalarExpr::Pipeline { pipeline, scalar } => write!(f, "({pipeline} | {scalar})"),
        }
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.of {
            Some(of) => write!(f, "{}({of})", self.op.text()),
            None => write!(f, "{}()", self.op.text()),
        }
    }
}

impl FieldExpr {
    fn rank(&self) -> u8 {
        match &self.kind {
            FieldExprKind::Binary { op, .. } => rank(*op),
            FieldExprKind::Not(_) => RANK_NOT,
            FieldExprKind::Negate(_) => RANK_NEGATE,
            FieldExprKind::Static(_) | FieldExprKind::Field(_) => RANK_ATOM,
        }
    }
}

impl Display for FieldExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FieldExprKind::Static(literal) => write!(f, "{literal}"),
            FieldExprKind::Field(field) => write!(f, "{field}"),
            FieldExprKind::Negate(inner) => {
                let is_number = matches!(&inner.kind, FieldExprKind::Static(literal)
                    if needs_distance(literal));
                f.write_str("-")?;
                grouped(f, inner, inner.rank() < RANK_NEGATE || is_number)
            }
            FieldExprKind::Not(inner) => {
                f.write_str("!")?;
                grouped(f, inner, inner.rank() < RANK_NOT)
            }
            FieldExprKind::Binary { op, left, right } => {
                binary(f, *op, (left, left.rank()), (right, right.rank()))
            }
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Field::Attribute { scope, parent, name } => {
                let scope_name = SCOPES.iter().find(|(_, known)| known == scope);
                if *parent {
                    f.write_str("parent")?;
                    f.write_str(if *scope == Scope::Any { "" } else { "." })?;
                }
                f.write_str(scope_name.map_or("", |(name, _)| name))?;
                f.write_str(".")?;
                attribute_name(f, name, *parent && *scope == Scope::Any)
            }
            Field::Intrinsic { which, parent: false } => write!(f, "{which}"),
            Field::Intrinsic { which, parent: true } => {
                let known = INTRINSICS.iter().find(|(known, ..)| known == which);
                let scoped = known.and_then(|(.., scoped)| *scoped);
                match scoped {
                    Some(scoped) => write!(f, "parent.{scoped}"),
                    None => write!(f, "parent.span:{which}"),
                }
            }
        }
    }
}

impl Display for Intrinsic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let known = INTRINSICS.iter().find(|(known, ..)| known == self);
        let name = known.and_then(|(_, alone, scoped)| alone.or(*scoped));
        f.write_str(name.unwrap_or_default())
    }
}

// In quotes unless it is plain, or would be read as a scope of the parent's.
fn attribute_name(f: &mut Formatter<'_>, name: &str, could_be_scope: bool) -> fmt::Result {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./@".contains(c);
    let starts_with_scope = || {
        let word = name.split(['.', ':']).next().unwrap_or_default();
        word.len() < name.len() && INTRINSIC_SCOPES.contains(&word)
    };
    if !name.is_empty() && name.chars().all(is_plain) && !(could_be_scope && starts_with_scope()) {
        return f.write_str(name);
    }
    f.write_char('"')?;
    for c in name.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

impl Display for Static {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Static::Nil => f.write_str("nil"),
            Static::String(text) => string(f, text),
            Static::Int(number) => write!(f, "{number}"),
            Static::Float(number) => write!(f, "{number:?}"),
            Static::Bool(truth) => write!(f, "{truth}"),
            Static::Duration(ns) => duration(f, *ns),
            Static::Status(number) => f.write_str(word(&STATUSES, *number)),
            Static::Kind(number) => f.write_str(word(&KINDS, *number)),
        }
    }
}

// What the number says where it is none of the known ones is not in the language.
fn word(words: &[&'static str], number: i32) -> &'static str {
    usize::try_from(number).ok().and_then(|number| words.get(number)).unwrap_or(&words[0])
}

fn string(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            _ if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            _ => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

// In the largest units that give whole numbers: `1h30m`, `1500us`.
fn duration(f: &mut Formatter<'_>, ns: i64) -> fmt::Result {
    const UNITS: [(u64, &str); 6] = [
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    if ns < 0 {
        f.write_char('-')?;
    }
    let mut rest = ns.unsigned_abs();
    if rest == 0 {
        return f.write_str("0s");
    }
    for (unit_ns, unit) in UNITS {
        if rest >= unit_ns {
            write!(f, "{}{unit}", rest / unit_ns)?;
            rest %= unit_ns;
        }
    }
    Ok(())
}

// Whether a minus before it would become part of it.
fn needs_distance(literal: &Static) -> bool {
    match literal {
        Static::Int(number) | Static::Duration(number) => *number >= 0,
        Static::Float(number) => !number.is_sign_negative(),
        _ => false,
    }
}

impl MetricsExpr {
    fn rank(&self) -> u8 {
        match self {
            MetricsExpr::Scalar(_) => RANK_ATOM,
            MetricsExpr::Negate(_) => RANK_NEGATE,
            MetricsExpr::Binary { op, .. } => rank(*op),
            // Their bars need parentheses inside anything.
            MetricsExpr::Query(_) | MetricsExpr::Staged { .. } => 0,
        }
    }
}

impl Display for MetricsExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            MetricsExpr::Query(query) => write!(f, "{query}"),
            MetricsExpr::Scalar(number) => scalar(f, *number),
            MetricsExpr::Binary { op, left, right } => {
                binary(f, *op, (left, left.rank()), (right, right.rank()))
            }
            MetricsExpr::Negate(inner) => {
                let is_number =
                    matches!(**inner, MetricsExpr::Scalar(number) if !number.is_sign_negative());
                f.write_str("-")?;
                grouped(f, inner, inner.rank() < RANK_NEGATE || is_number)
            }
            MetricsExpr::Staged { input, stages } => {
                grouped(f, input, matches!(**input, MetricsExpr::Staged { .. }))?;
                f.write_str(" | ")?;
                list(f, stages, " | ")
            }
        }
    }
}

// A double that need not be told from an integer.
fn scalar(f: &mut Formatter<'_>, number: f64) -> fmt::Result {
    if number.abs() < PLAIN_FLOAT_MAX { write!(f, "{number}") } else { write!(f, "{number:?}") }
}

impl Display for MetricsQuery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {}", self.pipeline, self.function)?;
        if self.by.is_empty() {
            return Ok(());
        }
        f.write_str(" by(")?;
        list(f, &self.by, ", ")?;
        f.write_str(")")
    }
}

impl Display for MetricsFunction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            MetricsFunction::Rate => f.write_str("rate()"),
            MetricsFunction::CountOverTime => f.write_str("count_over_time()"),
            MetricsFunction::MinOverTime(of) => write!(f, "min_over_time({of})"),
            MetricsFunction::MaxOverTime(of) => write!(f, "max_over_time({of})"),
            MetricsFunction::AvgOverTime(of) => write!(f, "avg_over_time({of})"),
            MetricsFunction::SumOverTime(of) => write!(f, "sum_over_time({of})"),
            MetricsFunction::HistogramOverTime(of) => write!(f, "histogram_over_time({of})"),
            MetricsFunction::QuantileOverTime(of, quantiles) => {
                write!(f, "quantile_over_time({of}")?;
                for quantile in quantiles {
                    f.write_str(", ")?;
                    scalar(f, *quantile)?;
                }
                f.write_str(")")
            }
            MetricsFunction::Compare { selection, top, start_ns, end_ns } => {
                write!(f, "compare({selection}, {top}")?;
                for time_ns in [start_ns, end_ns].into_iter().flatten() {
                    write!(f, ", {time_ns}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl Display for SecondStage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SecondStage::TopK(count) => write!(f, "topk({count})"),
            SecondStage::BottomK(count) => write!(f, "bottomk({count})"),
            SecondStage::Filter(op, number) => {
                write!(f, "{} ", op.text())?;
                scalar(f, *number)
            }
        }
    }
}

// Two sides with their ranks.
fn binary<T: Display>(
    f: &mut Formatter<'_>,
    op: BinaryOp,
    (left, left_rank): (&T, u8),
    (right, right_rank): (&T, u8),
) -> fmt::Result {
    let rank = rank(op);
    let goes_right = op == BinaryOp::Pow;
    grouped(f, left, left_rank < rank || (goes_right && left_rank == rank))?;
    write!(f, " {} ", op.text())?;
    grouped(f, right, right_rank < rank || (!goes_right && right_rank == rank))
}

fn grouped(f: &mut Formatter<'_>, inner: &impl Display, in_parentheses: bool) -> fmt::Result {
    if in_parentheses { write!(f, "({inner})") } else { write!(f, "{inner}") }
}

fn list<T: Display>(f: &mut Formatter<'_>, items: &[T], between: &str) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { between })?;
        write!(f, "{item}")?;
    }
    Ok(())
}
