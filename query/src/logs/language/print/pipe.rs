//! Pipes as text.

use std::fmt::{self, Display, Formatter};

use super::super::ast::{
    Aggregate, Assignment, Diff, Extract, FieldName, Function, Group, Pipe, PipeKind, Replace,
    Sort, Stats, TimeSpan, Unpack, UnpackFormat,
};
use super::super::grammar::function_name;
use super::super::units::duration_text;
use super::quoted;

/// The name of a field in a pipe; `dashes` are part of it outside of expressions.
pub(super) fn name(text: &str, dashes: bool) -> String {
    let inside = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '_' | '.' | '@' | '$')
            || (dashes && matches!(c, '-' | '/'))
    };
    let starts = text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '@'));
    let reserved = [
        "by", "as", "if", "with", "desc", "asc", "bucket", "limit", "offset", "field", "fields",
        "span", "from",
    ];
    let is_reserved = reserved.iter().any(|word| text.eq_ignore_ascii_case(word));
    match starts && text.chars().all(inside) && !is_reserved {
        true => text.to_owned(),
        false => quoted(text),
    }
}

fn names(fields: &[FieldName]) -> String {
    list(fields.iter().map(|field| name(&field.text, true)))
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn renames(pairs: &[(FieldName, FieldName)]) -> String {
    list(
        pairs
            .iter()
            .map(|(from, to)| format!("{} as {}", name(&from.text, true), name(&to.text, true))),
    )
}

fn from(field: &Option<FieldName>) -> String {
    field.as_ref().map(|field| format!(" from {}", name(&field.text, true))).unwrap_or_default()
}

fn regex(pattern: &str) -> String {
    format!("\"{}\"", pattern.replace('"', "\\\""))
}

impl Display for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)
    }
}

impl Display for PipeKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Where(filter) => write!(f, "where {filter}"),
            Self::Fields(fields) => write!(f, "fields {}", names(fields)),
            Self::Delete(fields) => write!(f, "delete {}", names(fields)),
            Self::Rename(pairs) => write!(f, "rename {}", renames(pairs)),
            Self::Copy(pairs) => write!(f, "copy {}", renames(pairs)),
            Self::Stats(stats) => write!(f, "{stats}"),
            Self::Sort(sort) => write!(f, "{sort}"),
            Self::Top { count, fields, rare } => {
                let word = if *rare { "rare" } else { "top" };
                write!(f, "{word} {count} by ({})", names(fields))
            }
            Self::Uniq { fields, hits, limit } => {
                write!(f, "uniq by ({})", names(fields))?;
                if *hits {
                    f.write_str(" with hits")?;
                }
                limit.iter().try_for_each(|limit| write!(f, " limit {limit}"))
            }
            Self::Dedup(fields) => write!(f, "dedup {}", names(fields)),
            Self::Limit(rows) => write!(f, "limit {rows}"),
            Self::Offset(rows) => write!(f, "offset {rows}"),
            Self::Extract(extract) => write!(f, "{extract}"),
            Self::Unpack(unpack) => write!(f, "{unpack}"),
            Self::Math(assignments) => {
                write!(f, "math {}", list(assignments.iter().map(ToString::to_string)))
            }
            Self::Format { template, to } => {
                write!(f, "format {} as {}", quoted(template), name(&to.text, true))
            }
            Self::Replace(replace) => write!(f, "{replace}"),
            Self::Context { before, after } => {
                write!(f, "stream_context before {before} after {after}")
            }
            Self::Patterns(count) => {
                f.write_str("patterns")?;
                count.iter().try_for_each(|count| write!(f, " {count}"))
            }
            Self::Diff(Diff::Window(window)) => write!(f, "diff {}", duration_text(*window)),
            Self::Diff(Diff::Ranges(before, after)) => write!(f, "diff {before} {after}"),
            Self::Trace => f.write_str("trace"),
            Self::Hits { step_ns, by } => {
                f.write_str("hits")?;
                step_ns.iter().try_for_each(|step| write!(f, " {}", duration_text(*step)))?;
                if by.is_empty() { Ok(()) } else { write!(f, " by ({})", names(by)) }
            }
        }
    }
}

impl Display for Stats {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("stats ")?;
        if !self.by.is_empty() {
            write!(f, "by ({}) ", list(self.by.iter().map(ToString::to_string)))?;
        }
        f.write_str(&list(self.functions.iter().map(ToString::to_string)))
    }
}

impl Display for Group {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(&name(&field.text, true)),
            Self::Time(Some(step)) => f.write_str(&duration_text(*step)),
            Self::Time(None) => f.write_str("time:auto"),
            Self::Bucket { field, size } => {
                write!(f, "bucket({}, {size})", name(&field.text, true))
            }
        }
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.call())?;
        if let Some(condition) = &self.condition {
            write!(f, " if ({condition})")?;
        }
        self.name.iter().try_for_each(|given| write!(f, " as {}", name(&given.text, true)))
    }
}

impl Aggregate {
    /// The call, as it is written: the name of the result where none is given.
    pub fn call(&self) -> String {
        let field = self.field.as_ref().map(|field| name(&field.text, true)).unwrap_or_default();
        match self.function {
            Function::Quantile(quantile) => {
                let percent = quantile * 100.0;
                // The name must give the same quantile again.
                match (percent.round() - percent).abs() < 1e-9
                    && percent.round() / 100.0 == quantile
                {
                    true => format!("p{}({field})", percent.round()),
                    false => format!("quantile({quantile}, {field})"),
                }
            }
            function => format!("{}({field})", function_name(function)),
        }
    }
}

impl Display for Sort {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter().map(|key| {
            let desc = if key.descending { " desc" } else { "" };
            format!("{}{desc}", name(&key.field.text, true))
        });
        write!(f, "sort by ({})", list(keys))?;
        self.limit.iter().try_for_each(|limit| write!(f, " limit {limit}"))?;
        self.offset.iter().try_for_each(|offset| write!(f, " offset {offset}"))
    }
}

impl Display for Extract {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.regexp {
            true => write!(f, "extract_regexp {}{}", regex(&self.pattern), from(&self.from)),
            false => write!(f, "extract {}{}", quoted(&self.pattern), from(&self.from)),
        }
    }
}

impl Display for Unpack {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word = match self.format {
            UnpackFormat::Json => "unpack_json",
            UnpackFormat::Logfmt => "unpack_logfmt",
        };
        write!(f, "{word}{}", from(&self.from))?;
        match self.fields.as_slice() {
            [] => Ok(()),
            fields => write!(f, " fields ({})", names(fields)),
        }
    }
}

impl Display for Assignment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", name(&self.name.text, false), self.value)
    }
}

impl Display for Replace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (word, old) = match self.regexp {
            true => ("replace_regexp", regex(&self.old)),
            false => ("replace", quoted(&self.old)),
        };
        let field = name(&self.field.text, true);
        write!(f, "{word} ({old}, {}) at {field}", quoted(&self.new))
    }
}

impl Display for TimeSpan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.start, self.end)
    }
}
