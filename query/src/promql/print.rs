//! From tree to text, in the form in which Prometheus prints expressions.

use std::fmt::{Display, Formatter, Result, Write};

use super::ast::{
    Aggregate, At, Binary, Cardinality, Duration, DurationOp, Edges, Expr, Length, Matching,
    Number, Shift, Subquery, VectorSelector,
};
use super::duration::format_ms;
use super::matcher::Matcher;
use super::numbers;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Expr::Aggregate(aggregate) => write!(f, "{aggregate}"),
            Expr::Binary(binary) => write!(f, "{binary}"),
            Expr::Call(call) => {
                write!(f, "{}(", call.function.name)?;
                for (i, argument) in call.arguments.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    write!(f, "{argument}")?;
                }
                f.write_char(')')
            }
            Expr::Matrix(matrix) => {
                write_selector(f, &matrix.selector)?;
                write!(f, "[{}]", matrix.range)?;
                write_edges(f, matrix.selector.edges)?;
                write_at(f, &matrix.selector.shift)?;
                write_offset(f, &matrix.selector.shift)
            }
            Expr::Number(number) => write!(f, "{number}"),
            Expr::Paren(paren) => write!(f, "({})", paren.inner),
            Expr::Subquery(subquery) => write!(f, "{subquery}"),
            Expr::Text(text) => f.write_str(&numbers::quoted(&text.value)),
            Expr::Unary(unary) => {
                write!(f, "{}{}", if unary.is_negative { '-' } else { '+' }, unary.operand)
            }
            Expr::Vector(vector) => {
                write_selector(f, vector)?;
                write_at(f, &vector.shift)?;
                write_edges(f, vector.edges)?;
                write_offset(f, &vector.shift)
            }
            Expr::Invariant(inner) => write!(f, "{inner}"),
        }
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.op.name())?;
        if self.is_without {
            f.write_str(" without ")?;
            write_labels(f, &self.grouping)?;
            f.write_char(' ')?;
        } else if !self.grouping.is_empty() {
            f.write_str(" by ")?;
            write_labels(f, &self.grouping)?;
            f.write_char(' ')?;
        }
        match &self.parameter {
            Some(parameter) => write!(f, "({parameter}, {})", self.operand),
            None => write!(f, "({})", self.operand),
        }
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} {}", self.left, self.op.symbol())?;
        f.write_str(if self.returns_bool { " bool" } else { "" })?;
        if let Some(matching) = &self.matching {
            write_matching(f, matching)?;
        }
        write!(f, " {}", self.right)
    }
}

fn write_matching(f: &mut Formatter<'_>, matching: &Matching) -> Result {
    let group = match matching.cardinality {
        Cardinality::ManyToOne => Some("left"),
        Cardinality::OneToMany => Some("right"),
        Cardinality::OneToOne | Cardinality::ManyToMany => None,
    };
    if !matching.labels.is_empty() || matching.is_on || group.is_some() {
        f.write_str(if matching.is_on { " on " } else { " ignoring " })?;
        write_labels(f, &matching.labels)?;
    }
    if let Some(side) = group {
        write!(f, " group_{side} ")?;
        write_labels(f, &matching.include)?;
    }
    match (matching.fill_left, matching.fill_right) {
        (Some(left), Some(right)) if left == right => {
            write!(f, " fill ({})", numbers::general(left))
        }
        (left, right) => {
            if let Some(left) = left {
                write!(f, " fill_left ({})", numbers::general(left))?;
            }
            if let Some(right) = right {
                write!(f, " fill_right ({})", numbers::general(right))?;
            }
            Ok(())
        }
    }
}

fn write_labels(f: &mut Formatter<'_>, labels: &[std::sync::Arc<str>]) -> Result {
    f.write_char('(')?;
    for (i, label) in labels.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        f.write_str(&label_name(label))?;
    }
    f.write_char(')')
}

/// A label name, quoted where it is no plain word.
fn label_name(name: &str) -> String {
    let is_plain =
        |(i, c): (usize, char)| c == '_' || c.is_ascii_alphabetic() || i > 0 && c.is_ascii_digit();
    match !name.is_empty() && name.char_indices().all(is_plain) {
        true => name.to_owned(),
        false => numbers::quoted(name),
    }
}

impl Display for Matcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (name, value) = (label_name(&self.name), numbers::quoted(&self.value));
        write!(f, "{name}{}{value}", self.op.symbol())
    }
}

fn write_selector(f: &mut Formatter<'_>, selector: &VectorSelector) -> Result {
    f.write_str(selector.name.as_deref().unwrap_or_default())?;
    let shown = match &selector.name {
        // The name stands before the braces.
        Some(_) => &selector.matchers[..selector.matchers.len() - 1],
        None => &selector.matchers[..],
    };
    let mut shown = shown.iter().map(Matcher::to_string).collect::<Vec<_>>();
    shown.sort();
    if !shown.is_empty() || selector.name.is_none() {
        write!(f, "{{{}}}", shown.join(","))?;
    }
    Ok(())
}

fn write_edges(f: &mut Formatter<'_>, edges: Edges) -> Result {
    f.write_str(match edges {
        Edges::Plain => "",
        Edges::Anchored => " anchored",
        Edges::Smoothed => " smoothed",
    })
}

fn write_at(f: &mut Formatter<'_>, shift: &Shift) -> Result {
    match shift.at {
        Some(At::Time(ms)) => write!(f, " @ {:.3}", ms as f64 / 1e3),
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
        None => Ok(()),
    }
}

fn write_offset(f: &mut Formatter<'_>, shift: &Shift) -> Result {
    match &shift.offset {
        Length { expr: None, ms: 0 } => Ok(()),
        offset => write!(f, " offset {offset}"),
    }
}

impl Display for Length {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.expr {
            Some(expr) => write!(f, "{expr}"),
            None if self.ms < 0 => write!(f, "-{}", format_ms(-self.ms)),
            None => f.write_str(&format_ms(self.ms)),
        }
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}[{}:", self.inner, self.range)?;
        if let Some(step) = &self.step {
            write!(f, "{step}")?;
        }
        f.write_char(']')?;
        write_at(f, &self.shift)?;
        write_offset(f, &self.shift)
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if !self.is_duration {
            return f.write_str(&numbers::plain(self.value));
        }
        f.write_str(if self.value < 0.0 { "-" } else { "" })?;
        f.write_str(&format_ms((self.value.abs() * 1e3).round() as i64))
    }
}

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Duration::Literal(number) => write!(f, "{number}"),
            Duration::Step(_) => f.write_str("step()"),
            Duration::Range(_) => f.write_str("range()"),
            Duration::Negative { operand, .. } => write!(f, "-{operand}"),
            Duration::Paren { inner, .. } => write!(f, "({inner})"),
            Duration::Binary { op: DurationOp::MinOf, left, right, .. } => {
                write!(f, "min_of({left}, {right})")
            }
            Duration::Binary { op: DurationOp::MaxOf, left, right, .. } => {
                write!(f, "max_of({left}, {right})")
            }
            Duration::Binary { op, left, right, .. } => {
                let sign = match op {
                    DurationOp::Add => '+',
                    DurationOp::Sub => '-',
                    DurationOp::Mul => '*',
                    DurationOp::Div => '/',
                    DurationOp::Mod => '%',
                    _ => '^',
                };
                write!(f, "{left} {sign} {right}")
            }
        }
    }
}
