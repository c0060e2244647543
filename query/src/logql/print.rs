//! A tree as text that parses into the same tree: in one spelling, with the parentheses that it needs
//! and no others.

use std::fmt::{self, Display, Formatter, Write};

use super::ast::{
    Binary, CompareOp, Expr, Extraction, Grouping, LabelFilter, LabelFormat, LabelPick,
    LabelReplace, LabelSource, LineFilter, LogExpr, Matcher, Matching, MetricExpr, Needle,
    Quantity, RangeAggregate, RangeExpr, Stage, Unwrap, VectorAggregate,
};
use super::grammar::STAGES_ALONE;
use super::lex::units::duration_text;

/// Numbers from here on are written with an exponent.
const PLAIN_NUMBER_MAX: f64 = 1e15;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Log(log) => write!(f, "{log}"),
            Expr::Metric(metric) => write!(f, "{metric}"),
        }
    }
}

impl Display for LogExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        list(f, &self.matchers)?;
        f.write_char('}')?;
        self.stages.iter().try_for_each(|stage| write!(f, " {stage}"))
    }
}

impl Display for Matcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.name, self.op.text(), Quoted(&self.value))
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Line(filter) => write!(f, "{filter}"),
            Stage::Json(extractions) => {
                f.write_str("| json")?;
                spaced_list(f, extractions)
            }
            Stage::Logfmt { strict, keep_empty, extractions } => {
                f.write_str("| logfmt")?;
                f.write_str(if *strict { " --strict" } else { "" })?;
                f.write_str(if *keep_empty { " --keep-empty" } else { "" })?;
                spaced_list(f, extractions)
            }
            Stage::Regexp(text) => write!(f, "| regexp {}", Quoted(&text.value)),
            Stage::Pattern(text) => write!(f, "| pattern {}", Quoted(&text.value)),
            Stage::Unpack => f.write_str("| unpack"),
            Stage::Decolorize => f.write_str("| decolorize"),
            Stage::LineFormat(text) => write!(f, "| line_format {}", Quoted(&text.value)),
            Stage::LabelFormat(formats) => {
                f.write_str("| label_format")?;
                spaced_list(f, formats)
            }
            Stage::Drop(picks) => {
                f.write_str("| drop")?;
                spaced_list(f, picks)
            }
            Stage::Keep(picks) => {
                f.write_str("| keep")?;
                spaced_list(f, picks)
            }
            Stage::Filter(filter) => filter_stage(f, filter),
        }
    }
}

impl Display for LineFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.text())?;
        for (nth, needle) in self.needles.iter().enumerate() {
            f.write_str(if nth > 0 { " or " } else { " " })?;
            match needle {
                Needle::Text(text) => write!(f, "{}", Quoted(&text.value))?,
                Needle::Ip(text) => write!(f, "ip({})", Quoted(&text.value))?,
            }
        }
        Ok(())
    }
}

impl Display for Extraction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.label, Quoted(&self.path.value))
    }
}

impl Display for LabelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.source {
            LabelSource::Rename(source) => write!(f, "{}={source}", self.label),
            LabelSource::Template(text) => write!(f, "{}={}", self.label, Quoted(&text.value)),
        }
    }
}

impl Display for LabelPick {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            LabelPick::Name(name) => f.write_str(name),
            LabelPick::Match(matcher) => write!(f, "{matcher}"),
        }
    }
}

impl Display for LabelFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            LabelFilter::Match(matcher) => write!(f, "{matcher}"),
            LabelFilter::Number { name, op, value } => {
                let op = if *op == CompareOp::Equal { "=" } else { op.text() };
                write!(f, "{name}{op}{value}")
            }
            LabelFilter::Ip { name, negated, range } => {
                let op = if *negated { "!=" } else { "=" };
                write!(f, "{name}{op}ip({})", Quoted(&range.value))
            }
            LabelFilter::And(left, right) => {
                let is_or = |side: &LabelFilter| matches!(side, LabelFilter::Or(..));
                let is_and = |side: &LabelFilter| matches!(side, LabelFilter::And(..));
                grouped(f, left, is_or(left))?;
                f.write_str(" and ")?;
                grouped(f, right, is_or(right) || is_and(right))
            }
            LabelFilter::Or(left, right) => {
                write!(f, "{left} or ")?;
                grouped(f, right, matches!(**right, LabelFilter::Or(..)))
            }
        }
    }
}

impl Display for Quantity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Quantity::Number(number) => write!(f, "{}", Number(*number)),
            Quantity::Duration(ns) => f.write_str(&duration_text(*ns)),
            Quantity::Bytes(bytes) => write!(f, "{bytes}B"),
        }
    }
}

impl Display for MetricExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            MetricExpr::Literal(number) => write!(f, "{}", Number(*number)),
            MetricExpr::Vector(number) => write!(f, "vector({})", Number(*number)),
            MetricExpr::Range(range) => write!(f, "{range}"),
            MetricExpr::Aggregate(aggregate) => write!(f, "{aggregate}"),
            MetricExpr::Binary(binary) => write!(f, "{binary}"),
            MetricExpr::LabelReplace(replace) => write!(f, "{replace}"),
        }
    }
}

impl Display for RangeAggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.op.name())?;
        if let Some(parameter) = self.parameter {
            write!(f, "{}, ", Number(parameter))?;
        }
        write!(f, "{})", self.range)?;
        self.grouping.as_ref().map_or(Ok(()), |grouping| write!(f, " {grouping}"))
    }
}

impl Display for RangeExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.log)?;
        if let Some(unwrap) = &self.unwrap {
            write!(f, " {unwrap}")?;
        }
        write!(f, " [{}]", duration_text(self.range_ns))?;
        if self.offset_ns != 0 {
            write!(f, " offset {}", duration_text(self.offset_ns))?;
        }
        Ok(())
    }
}

impl Display for Unwrap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.conversion.name() {
            Some(name) => write!(f, "| unwrap {name}({})", self.label)?,
            None => write!(f, "| unwrap {}", self.label)?,
        }
        self.filters.iter().try_for_each(|filter| {
            f.write_char(' ')?;
            filter_stage(f, filter)
        })
    }
}

impl Display for Grouping {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.without { "without (" } else { "by (" })?;
        list(f, &self.labels)?;
        f.write_char(')')
    }
}

impl Display for VectorAggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.name())?;
        if let Some(grouping) = &self.grouping {
            write!(f, " {grouping} ")?;
        }
        f.write_char('(')?;
        if let Some(parameter) = self.parameter {
            write!(f, "{}, ", Number(parameter))?;
        }
        write!(f, "{})", self.of)
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rank = self.op.rank();
        let rank_of = |side: &MetricExpr| match side {
            MetricExpr::Binary(binary) => binary.op.rank(),
            _ => u8::MAX,
        };
        let (left, right) = (rank_of(&self.left), rank_of(&self.right));
        let is_right = self.op.is_right_associative();
        grouped(f, &self.left, left < rank || (left == rank && is_right))?;
        write!(f, " {}", self.op.text())?;
        f.write_str(if self.to_bool { " bool" } else { "" })?;
        if let Some(matching) = &self.matching {
            write!(f, " {matching}")?;
        }
        f.write_char(' ')?;
        grouped(f, &self.right, right < rank || (right == rank && !is_right))
    }
}

impl Display for Matching {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.on { "on (" } else { "ignoring (" })?;
        list(f, &self.labels)?;
        f.write_char(')')?;
        let Some(many) = &self.many else { return Ok(()) };
        f.write_str(if many.left { " group_left (" } else { " group_right (" })?;
        list(f, &many.include)?;
        f.write_char(')')
    }
}

impl Display for LabelReplace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { of, target, replacement, source, pattern, .. } = self;
        let (target, replacement) = (Quoted(target), Quoted(replacement));
        let (source, pattern) = (Quoted(source), Quoted(&pattern.value));
        write!(f, "label_replace({of}, {target}, {replacement}, {source}, {pattern})")
    }
}

/// A number so that it is read back as the same.
struct Number(f64);

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 != 0.0 && (self.0.abs() >= PLAIN_NUMBER_MAX || self.0.abs() < 1e-6) {
            return write!(f, "{:e}", self.0);
        }
        write!(f, "{}", self.0)
    }
}

/// Text in double quotes.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

// `| json != "x"` is a stage and a line filter; a label of that name is written in parentheses.
fn filter_stage(f: &mut Formatter<'_>, filter: &LabelFilter) -> fmt::Result {
    let text = filter.to_string();
    let is_stage = |word: &&str| text.strip_prefix(*word).is_some_and(|op| op.starts_with('!'));
    if STAGES_ALONE.iter().any(is_stage) {
        return write!(f, "| ({text})");
    }
    write!(f, "| {text}")
}

fn grouped(f: &mut Formatter<'_>, inner: &impl Display, is_grouped: bool) -> fmt::Result {
    if is_grouped { write!(f, "({inner})") } else { write!(f, "{inner}") }
}

fn list<T: Display>(f: &mut Formatter<'_>, entries: &[T]) -> fmt::Result {
    for (nth, entry) in entries.iter().enumerate() {
        f.write_str(if nth > 0 { ", " } else { "" })?;
        write!(f, "{entry}")?;
    }
    Ok(())
}

fn spaced_list<T: Display>(f: &mut Formatter<'_>, entries: &[T]) -> fmt::Result {
    f.write_str(if entries.is_empty() { "" } else { " " })?;
    list(f, entries)
}
