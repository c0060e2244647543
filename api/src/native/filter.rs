//! The `filter` parameter: one condition in a line of text.
//!
//! ```text
//! filter := key | !key | key op value          exists, is missing, compares
//! op     := = | != | > | >= | < | <= | ~ | =~ | !~
//!                                  (~, =~: regular expression, anywhere in the text)
//! key    := [span. | log. | resource. | scope.] name | "any name"
//! ```
//! Without prefix a name means a field of the item where there is one of that name (`name`, `kind`,
//! `status`, `duration`, `body`, `severity_text`, …), else an attribute of the item or of its
//! resource. `=` and `!=` compare the text of a value of any type, so that `http.status_code=500`
//! finds the number and the string; order comparisons with a number look at numbers. A quoted name
//! (`"resource.x"`) is taken as it stands.

use regex::Regex;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::{Signal, SpanId, TraceId};

use super::duration::parse_duration_ns;
use crate::error::{ApiError, Result};

const FIELD: &str = "filter";
// Longer ones first. `=~` is what Prometheus writes for `~`.
const OPERATORS: [&str; 9] = [">=", "<=", "!=", "!~", "=~", "=", ">", "<", "~"];
const PREFIXES: [&str; 4] = ["span.", "log.", "resource.", "scope."];

const KINDS: [(&str, i64); 6] = [
    ("UNSPECIFIED", 0),
    ("INTERNAL", 1),
    ("SERVER", 2),
    ("CLIENT", 3),
    ("PRODUCER", 4),
    ("CONSUMER", 5),
];
const STATUSES: [(&str, i64); 3] = [("UNSET", 0), ("OK", 1), ("ERROR", 2)];

const METRIC_KINDS: [(&str, i64); 5] =
    [("GAUGE", 1), ("SUM", 2), ("HISTOGRAM", 3), ("EXPONENTIAL_HISTOGRAM", 4), ("SUMMARY", 5)];
const TEMPORALITIES: [(&str, i64); 3] = [("UNSPECIFIED", 0), ("DELTA", 1), ("CUMULATIVE", 2)];

// A field of an item that a filter may name.
struct ItemField {
    name: &'static str,
    column: &'static str,
    values: Values,
}

enum Values {
    Text,
    Number,
    Duration,
    Named(&'static [(&'static str, i64)]),
    TraceId,
    SpanId,
}

const SPAN_FIELDS: [ItemField; 12] = [
    field("name", col::NAME, Values::Text),
    field("service", col::SERVICE_NAME, Values::Text),
    field("service_name", col::SERVICE_NAME, Values::Text),
    field("kind", col::KIND, Values::Named(&KINDS)),
    field("status", col::STATUS_CODE, Values::Named(&STATUSES)),
    field("status_code", col::STATUS_CODE, Values::Named(&STATUSES)),
    field("status_message", col::STATUS_MESSAGE, Values::Text),
    field("trace_state", col::TRACE_STATE, Values::Text),
    field("duration", col::DURATION_NS, Values::Duration),
    field("trace_id", col::TRACE_ID, Values::TraceId),
    field("span_id", col::SPAN_ID, Values::SpanId),
    field("parent_span_id", col::PARENT_SPAN_ID, Values::SpanId),
];

const LOG_FIELDS: [ItemField; 8] = [
    field("body", col::BODY, Values::Text),
    field("service", col::SERVICE_NAME, Values::Text),
    field("service_name", col::SERVICE_NAME, Values::Text),
    field("severity_number", col::SEVERITY_NUMBER, Values::Number),
    field("severity_text", col::SEVERITY_TEXT, Values::Text),
    field("event_name", col::EVENT_NAME, Values::Text),
    field("trace_id", col::TRACE_ID, Values::TraceId),
    field("span_id", col::SPAN_ID, Values::SpanId),
];

const METRIC_FIELDS: [ItemField; 6] = [
    field("service", col::SERVICE_NAME, Values::Text),
    field("service_name", col::SERVICE_NAME, Values::Text),
    field("metric_name", col::METRIC_NAME, Values::Text),
    field("unit", col::UNIT, Values::Text),
    field("kind", col::METRIC_KIND, Values::Named(&METRIC_KINDS)),
    field("temporality", col::TEMPORALITY, Values::Named(&TEMPORALITIES)),
];

const fn field(name: &'static str, column: &'static str, values: Values) -> ItemField {
    ItemField { name, column, values }
}

/// Parses the filters of a request.
pub fn parse_filters<'a>(
    signal: Signal,
    texts: impl Iterator<Item = &'a str>,
) -> Result<Vec<Predicate>> {
    texts.map(|text| parse_filter(signal, text)).collect()
}

/// Parses one filter.
pub fn parse_filter(signal: Signal, text: &str) -> Result<Predicate> {
    let trimmed = text.trim();
    let (missing, rest) = match trimmed.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, trimmed),
    };
    let (key, rest) = split_key(text, rest)?;
    let (target, values) = resolve(signal, key, text)?;
    let Some((operator, value)) = split_operator(rest) else {
        if !rest.is_empty() {
            return Err(wrong(text, "there is no operator after the key"));
        }
        let op = if missing { Op::Missing } else { Op::Exists };
        return Ok(Predicate { target, op });
    };
    if missing {
        return Err(wrong(text, "'!' before the key asks for its absence and takes no value"));
    }
    Ok(Predicate { target, op: op(text, operator, unquoted(value), values)? })
}

// A key is plain or in double quotes; a quoted one is never a field and has no prefix.
#[derive(Clone, Copy)]
enum Key<'a> {
    Plain(&'a str),
    Quoted(&'a str),
}

fn split_key<'a>(text: &str, rest: &'a str) -> Result<(Key<'a>, &'a str)> {
    let (key, rest) = if let Some(quoted) = rest.strip_prefix('"') {
        let (name, rest) =
            quoted.split_once('"').ok_or_else(|| wrong(text, "a quote is not closed"))?;
        (Key::Quoted(name), rest.trim_start())
    } else {
        let end = rest.find(['=', '!', '<', '>', '~']).unwrap_or(rest.len());
        (Key::Plain(rest[..end].trim_end()), &rest[end..])
    };
    let (Key::Plain(name) | Key::Quoted(name)) = key;
    if name.is_empty() {
        return Err(wrong(text, "the key is empty"));
    }
    Ok((key, rest))
}

fn split_operator(rest: &str) -> Option<(&'static str, &str)> {
    OPERATORS.into_iter().find_map(|operator| Some((operator, rest.strip_prefix(operator)?.trim())))
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

fn resolve(signal: Signal, key: Key<'_>, text: &str) -> Result<(Target, &'static Values)> {
    let name = match key {
        Key::Quoted(name) => return Ok((Target::AnyAttribute(name.to_owned()), &Values::Text)),
        Key::Plain(name) => name,
    };
    let fields: &'static [ItemField] = match signal {
        Signal::Traces => &SPAN_FIELDS,
        Signal::Logs => &LOG_FIELDS,
        Signal::Metrics => &METRIC_FIELDS,
    };
    if let Some(field) = fields.iter().find(|field| field.name == name) {
        return Ok((Target::Column(field.column.to_owned()), &field.values));
    }
    let Some(prefix) = PREFIXES.into_iter().find(|prefix| name.starts_with(prefix)) else {
        return Ok((Target::AnyAttribute(name.to_owned()), &Values::Text));
    };
    let rest = name[prefix.len()..].to_owned();
    if rest.is_empty() {
        return Err(wrong(text, "there is no name after the prefix"));
    }
    let target = match (prefix, signal) {
        ("resource.", _) => Target::ResourceAttribute(rest),
        ("scope.", _) => Target::ScopeAttribute(rest),
        ("span.", Signal::Traces) | ("log.", Signal::Logs) => Target::Attribute(rest),
        // An attribute that happens to be called so.
        _ => Target::AnyAttribute(name.to_owned()),
    };
    Ok((target, &Values::Text))
}

fn op(text: &str, operator: &str, value: &str, values: &Values) -> Result<Op> {
    if let "~" | "=~" | "!~" = operator {
        Regex::new(value).map_err(|err| wrong(text, &format!("no regular expression: {err}")))?;
        let pattern = value.to_owned();
        return Ok(if operator == "!~" { Op::NotMatches(pattern) } else { Op::Matches(pattern) });
    }
    let operand = operand(text, operator, value, values)?;
    Ok(match operator {
        "=" => Op::Eq(operand),
        "!=" => Op::Ne(operand),
        ">" => Op::Gt(operand),
        ">=" => Op::Ge(operand),
        "<" => Op::Lt(operand),
        _ => Op::Le(operand),
    })
}

fn operand(text: &str, operator: &str, value: &str, values: &Values) -> Result<Operand> {
    let named = |err: throughline_model::Error| wrong(text, &err.to_string());
    match values {
        Values::Text if matches!(operator, "=" | "!=") => Ok(Operand::Text(value.to_owned())),
        Values::Text => Ok(number(value).unwrap_or_else(|| Operand::Text(value.to_owned()))),
        Values::Number => number(value).ok_or_else(|| wrong(text, "the value is no number")),
        Values::Duration => Ok(Operand::Int(match value.parse() {
            Ok(plain_ns) => plain_ns,
            Err(_) => parse_duration_ns(FIELD, value)?,
        })),
        Values::Named(names) => {
            let by_name = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(value));
            let number = by_name.map(|(_, number)| *number).or_else(|| value.parse().ok());
            number.map(Operand::Int).ok_or_else(|| {
                let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
                wrong(text, &format!("'{value}' is none of {}", known.join(", ")))
            })
        }
        Values::TraceId => {
            TraceId::parse(value).map(|id| Operand::Bytes(id.0.to_vec())).map_err(named)
        }
        Values::SpanId => {
            SpanId::parse(value).map(|id| Operand::Bytes(id.0.to_vec())).map_err(named)
        }
    }
}

fn number(value: &str) -> Option<Operand> {
    if let Ok(whole) = value.parse() {
        return Some(Operand::Int(whole));
    }
    value.parse::<f64>().ok().filter(|number| number.is_finite()).map(Operand::Float)
}

fn wrong(text: &str, why: &str) -> ApiError {
    ApiError::invalid(FIELD, text, format!("filter '{text}': {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(signal: Signal, text: &str) -> String {
        let Predicate { target, op } = parse_filter(signal, text).expect(text);
        format!("{target:?} {op:?}")
    }

    #[test]
    fn conditions_on_spans() {
        for (text, expected) in [
            ("http.route=/cart", r#"AnyAttribute("http.route") Eq(Text("/cart"))"#),
            ("http.route = /a=b", r#"AnyAttribute("http.route") Eq(Text("/a=b"))"#),
            ("http.status_code>=500", r#"AnyAttribute("http.status_code") Ge(Int(500))"#),
            ("ratio<0.5", r#"AnyAttribute("ratio") Lt(Float(0.5))"#),
            ("version>b", r#"AnyAttribute("version") Gt(Text("b"))"#),
            ("user.id!=x", r#"AnyAttribute("user.id") Ne(Text("x"))"#),
            ("user.id=500", r#"AnyAttribute("user.id") Eq(Text("500"))"#),
            ("url~^/a.*b$", r#"AnyAttribute("url") Matches("^/a.*b$")"#),
            ("url=~x", r#"AnyAttribute("url") Matches("x")"#),
            ("url!~x", r#"AnyAttribute("url") NotMatches("x")"#),
            ("user.id", r#"AnyAttribute("user.id") Exists"#),
            ("!user.id", r#"AnyAttribute("user.id") Missing"#),
            ("resource.host.name=a", r#"ResourceAttribute("host.name") Eq(Text("a"))"#),
            ("span.name=a", r#"Attribute("name") Eq(Text("a"))"#),
            ("scope.x", r#"ScopeAttribute("x") Exists"#),
            (r#""resource.x"=a"#, r#"AnyAttribute("resource.x") Eq(Text("a"))"#),
            (r#""a=b" = "c d""#, r#"AnyAttribute("a=b") Eq(Text("c d"))"#),
            ("name=GET /", r#"Column("name") Eq(Text("GET /"))"#),
            ("kind=server", r#"Column("kind") Eq(Int(2))"#),
            ("status!=ERROR", r#"Column("status_code") Ne(Int(2))"#),
            ("duration>150ms", r#"Column("duration_ns") Gt(Int(150000000))"#),
            ("span_id=01", r#"Column("span_id") Eq(Bytes([0, 0, 0, 0, 0, 0, 0, 1]))"#),
            ("x=", r#"AnyAttribute("x") Eq(Text(""))"#),
        ] {
            assert_eq!(shown(Signal::Traces, text), expected, "{text}");
        }
    }

    #[test]
    fn conditions_on_logs() {
        for (text, expected) in [
            ("body~timeout", r#"Column("body") Matches("timeout")"#),
            ("severity_number>=17", r#"Column("severity_number") Ge(Int(17))"#),
            ("log.name=a", r#"Attribute("name") Eq(Text("a"))"#),
            ("name=a", r#"AnyAttribute("name") Eq(Text("a"))"#),
            ("span.x=a", r#"AnyAttribute("span.x") Eq(Text("a"))"#),
        ] {
            assert_eq!(shown(Signal::Logs, text), expected, "{text}");
        }
    }

    #[test]
    fn conditions_on_series() {
        for (text, expected) in [
            ("kind=sum", r#"Column("metric_kind") Eq(Int(2))"#),
            ("temporality=delta", r#"Column("temporality") Eq(Int(1))"#),
            ("service=cart", r#"Column("service_name") Eq(Text("cart"))"#),
            ("host.name=a", r#"AnyAttribute("host.name") Eq(Text("a"))"#),
        ] {
            assert_eq!(shown(Signal::Metrics, text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_an_error_with_its_text() {
        for text in [
            "",
            "=",
            "=x",
            "!",
            "!a=b",
            "resource.=x",
            "a~(",
            "kind=x",
            "\"a",
            "duration>x",
            "\"a\"b",
            "severity_number=x",
        ] {
            let signal = if text.starts_with("sev") { Signal::Logs } else { Signal::Traces };
            let err = parse_filter(signal, text).expect_err(text);
            assert_eq!(err.problem().field.as_deref(), Some("filter"), "{text}");
        }
    }
}
