//! A tree as text, in one spelling: what is printed parses to the same tree.
//!
//! - here: the query and the filter bar; [`pipe`]: the pipes; [`math`]: expressions

mod math;
mod pipe;

use std::fmt::{self, Display, Formatter, Write};

use super::ast::{
    Bound, CompareOp, Comparison, Condition, FieldName, Filter, Literal, Order, Part, Query, Test,
};
use super::parse::looks_like_value;

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.filter)?;
        self.pipes.iter().try_for_each(|pipe| write!(f, " | {pipe}"))
    }
}

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_char('*'),
            Self::And(parts) => separated(f, parts, " "),
            Self::Or(parts) => match one_field(parts) {
                Some(field) => grouped(f, field, parts),
                None => separated(f, parts, " OR "),
            },
            Self::Not(inner) => match **inner {
                Self::Is(_) => write!(f, "-{inner}"),
                _ => write!(f, "NOT ({inner})"),
            },
            Self::Is(condition) => write!(f, "{condition}"),
            Self::Compare(comparison) => write!(f, "{comparison}"),
        }
    }
}

// Members of an AND or OR; those that are one themselves in parentheses.
/// The name of a field as a query writes it: in the filter bar, or in a pipe.
pub fn written_field(name: &str, in_filter: bool) -> String {
    if in_filter { Name(name).to_string() } else { pipe::name(name, true) }
}

/// A value as a condition writes it.
pub fn written_value(text: &str) -> String {
    value(text)
}

fn separated(f: &mut Formatter<'_>, parts: &[Filter], separator: &str) -> fmt::Result {
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            f.write_str(separator)?;
        }
        let alone = match part {
            Filter::And(_) => true,
            Filter::Or(inner) => one_field(inner).is_none(),
            _ => false,
        };
        if alone { write!(f, "({part})")? } else { write!(f, "{part}")? }
    }
    Ok(())
}

// The field of which all members are plain values.
fn one_field(parts: &[Filter]) -> Option<&FieldName> {
    let field = |part: &'_ Filter| match part {
        Filter::Is(Condition { field: Some(_), test, .. }) => !matches!(test, Test::Exists),
        _ => false,
    };
    let Some(Filter::Is(Condition { field: Some(first), .. })) = parts.first() else { return None };
    let same = |part: &Filter| matches!(part, Filter::Is(is) if is.field.as_ref() == Some(first));
    parts.iter().all(|part| field(part) && same(part)).then_some(first)
}

fn grouped(f: &mut Formatter<'_>, field: &FieldName, parts: &[Filter]) -> fmt::Result {
    write!(f, "{}:(", Name(&field.text))?;
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            f.write_str(" OR ")?;
        }
        if let Filter::Is(condition) = part {
            write!(f, "{}", condition.test)?;
        }
    }
    f.write_char(')')
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            return write!(f, "{}:{}", Name(&field.text), self.test);
        }
        match &self.test {
            Test::Words(text) => f.write_str(&term(text)),
            Test::Pattern(parts) => pattern(f, parts, &is_plain),
            test => write!(f, "{test}"),
        }
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let op = match self.op {
            CompareOp::Equal => "=",
            CompareOp::NotEqual => "!=",
            CompareOp::Order(order) => order.text(),
        };
        let mut right = escaped(&self.right.text, &is_plain);
        if looks_like_value(&self.right.text) && !right.starts_with('\\') {
            right.insert(0, '\\');
        }
        write!(f, "{} {op} {right}", Name(&self.left.text))
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(text) => f.write_str(&value(text)),
            Self::Pattern(parts) => pattern(f, parts, &is_plain_value),
            Self::Exact(text) => write!(f, "={}", value(text)),
            Self::Matches(regex) => write!(f, "~\"{}\"", regex.replace('"', "\\\"")),
            Self::Compare(order, literal) => write!(f, "{}{literal}", order.text()),
            Self::Range { low, high } => {
                f.write_char(if low.inclusive { '[' } else { '{' })?;
                write!(f, "{low} TO {high}")?;
                f.write_char(if high.inclusive { ']' } else { '}' })
            }
            Self::Exists => f.write_char('*'),
        }
    }
}

impl Order {
    /// How it is written, in SQL too.
    pub fn text(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.quoted {
            true => f.write_str(&quoted(&self.text)),
            false => f.write_str(&escaped(&self.text, &is_plain_value)),
        }
    }
}

impl Display for Bound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(literal) => write!(f, "{literal}"),
            None => f.write_char('*'),
        }
    }
}

/// The name of a field in the filter bar.
struct Name<'n>(&'n str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let is_bare = self.0.chars().all(is_plain) && !self.0.starts_with(['-', '+']);
        match is_bare && !is_operator(self.0) && self.0 != "_exists_" {
            true => f.write_str(self.0),
            false => f.write_str(&quoted(self.0)),
        }
    }
}

fn is_operator(word: &str) -> bool {
    ["AND", "OR", "NOT", "TO"].into_iter().any(|operator| operator.eq_ignore_ascii_case(word))
}

// Characters that mean nothing but themselves in a term.
fn is_plain(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '.' | '/' | '@' | '-')
}

fn is_plain_value(char: char) -> bool {
    is_plain(char) || matches!(char, ':' | '+' | '%' | '#')
}

// A term of the filter bar.
fn term(text: &str) -> String {
    let is_bare = text.chars().all(is_plain) && !text.starts_with('-') && !text.is_empty();
    if is_bare && !is_operator(text) { text.to_owned() } else { quoted(text) }
}

// A value behind a colon.
fn value(text: &str) -> String {
    let starts_plain =
        text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.'));
    let is_bare = starts_plain && text.chars().all(is_plain) && !is_operator(text);
    if is_bare { text.to_owned() } else { quoted(text) }
}

/// A text in quotes.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

// A text without quotes. A sign that begins it would be read as an operator in some places.
fn escaped(text: &str, is_plain: &dyn Fn(char) -> bool) -> String {
    let mut out = String::new();
    for (at, char) in text.char_indices() {
        let is_sign = at == 0 && char == '+';
        if !is_plain(char) || is_sign {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

fn pattern(f: &mut Formatter<'_>, parts: &[Part], is_plain: &dyn Fn(char) -> bool) -> fmt::Result {
    for (number, part) in parts.iter().enumerate() {
        match part {
            // A minus at the start would negate.
            Part::Text(text) if number == 0 && text.starts_with('-') => {
                write!(f, "\\{}", escaped(text, is_plain))?;
            }
            Part::Text(text) => f.write_str(&escaped(text, is_plain))?,
            Part::Any => f.write_char('*')?,
        }
    }
    Ok(())
}
