//! The levels and fields that a filter may name, and how a constant beside a field is read.

use throughline_model::time::parse_rfc3339;

use super::{Constant, Parsed};
use crate::jaeger::tags::kind_number;
use crate::native::duration::parse_duration_ns;

/// Where a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Span,
    Resource,
    Scope,
    Event,
    Link,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Bool,
    Duration,
    Time,
    /// One of a few words: a span's kind or status.
    Word,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Number => "a number",
            Kind::Bool => "a flag",
            Kind::Duration => "a duration",
            Kind::Time => "a time",
            Kind::Word => "a kind or status",
        }
    }
}

/// A field.
#[derive(Debug)]
pub struct Field {
    pub level: Level,
    pub name: &'static str,
    pub kind: Kind,
}

const fn field_of(level: Level, name: &'static str, kind: Kind) -> Field {
    Field { level, name, kind }
}

static FIELDS: [Field; 22] = [
    field_of(Level::Span, "traceID", Kind::Text),
    field_of(Level::Span, "spanID", Kind::Text),
    field_of(Level::Span, "parentSpanID", Kind::Text),
    field_of(Level::Span, "traceState", Kind::Text),
    field_of(Level::Span, "name", Kind::Text),
    field_of(Level::Span, "kind", Kind::Word),
    field_of(Level::Span, "startTime", Kind::Time),
    field_of(Level::Span, "endTime", Kind::Time),
    field_of(Level::Span, "status", Kind::Word),
    field_of(Level::Span, "statusMessage", Kind::Text),
    field_of(Level::Span, "duration", Kind::Duration),
    field_of(Level::Resource, "service", Kind::Text),
    field_of(Level::Resource, "schemaURL", Kind::Text),
    field_of(Level::Scope, "name", Kind::Text),
    field_of(Level::Scope, "version", Kind::Text),
    field_of(Level::Scope, "schemaURL", Kind::Text),
    field_of(Level::Event, "name", Kind::Text),
    field_of(Level::Event, "time", Kind::Time),
    field_of(Level::Event, "timeSinceStart", Kind::Duration),
    field_of(Level::Link, "traceID", Kind::Text),
    field_of(Level::Link, "spanID", Kind::Text),
    field_of(Level::Link, "traceState", Kind::Text),
];

const STATUSES: [&str; 3] = ["unset", "ok", "error"];

/// The words of a span's status, by number.
pub fn status_word(code: i32) -> &'static str {
    usize::try_from(code).ok().and_then(|code| STATUSES.get(code).copied()).unwrap_or("unset")
}

/// The word of a span's kind.
pub fn kind_word(kind: i32) -> &'static str {
    match crate::jaeger::translate::kind_text(kind) {
        "" => "unspecified",
        word => word,
    }
}

pub fn level(text: &str) -> Parsed<Level> {
    Ok(match text {
        "span" => Level::Span,
        "resource" => Level::Resource,
        "scope" => Level::Scope,
        "event" => Level::Event,
        "link" => Level::Link,
        _ => return Err(format!("level '{text}' is none of span, resource, scope, event, link")),
    })
}

pub fn field(level_text: &str, name: &str) -> Parsed<&'static Field> {
    let level = level(level_text)?;
    let of_level = || FIELDS.iter().filter(|field| field.level == level);
    of_level().find(|field| field.name == name).ok_or_else(|| {
        let known = of_level().map(|field| field.name).collect::<Vec<_>>().join(", ");
        format!("{level_text} has no field '{name}'; it has {known}")
    })
}

/// A constant as the field holds its values.
pub fn constant(field: &Field, text: &str) -> Parsed<Constant> {
    let wrong = |expected: &str| {
        format!("'{text}' is no value of field '{}': expected {expected}", field.name)
    };
    match (field.kind, field.name) {
        (Kind::Duration, _) => {
            let ns = parse_duration_ns(field.name, text);
            ns.map(Constant::Nanos).map_err(|_| wrong("a duration such as 2s"))
        }
        (Kind::Time, _) => {
            let ns = parse_rfc3339(text);
            ns.map(Constant::Nanos).map_err(|_| wrong("a time in RFC 3339"))
        }
        (Kind::Word, "kind") => match kind_number(text) {
            Some(number) => Ok(Constant::Text(kind_word(number).to_owned())),
            None => Err(wrong("unspecified, internal, server, client, producer or consumer")),
        },
        (Kind::Word, _) if STATUSES.contains(&text) => Ok(Constant::Text(text.to_owned())),
        (Kind::Word, _) => Err(wrong("unset, ok or error")),
        _ => Ok(Constant::Text(text.to_owned())),
    }
}
