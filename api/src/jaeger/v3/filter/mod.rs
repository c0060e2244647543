//! `query.filter`: Jaeger's structured filters (its RFC 0005), a JSON tree of operators over references
//! and constants, as a test of whole spans.
//!
//! [`parse`] checks everything that a filter must keep to, so that [`eval`] cannot fail: references that
//! exist, constants of their field's type, operators of their arity.

mod eval;
mod fields;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use throughline_query::traces::SpanTest;

use self::fields::{Field, Kind, Level};
use crate::error::{ApiError, Result};

/// How deep calls may nest.
const DEPTH_MAX: usize = 32;
/// Memory that an expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallJson {
    op: String,
    #[serde(default)]
    args: Vec<TermJson>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum TermJson {
    Attr(AttrJson),
    Field(FieldJson),
    Nested(NestedJson),
    Scalar(ScalarJson),
    List(ListJson),
    Call(CallJson),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttrJson {
    key: String,
    #[serde(default)]
    level: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldJson {
    name: String,
    level: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NestedJson {
    level: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScalarJson {
    value: String,
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListJson {
    values: Vec<String>,
    #[serde(default, rename = "type")]
    kind: String,
}

/// A checked filter.
#[derive(Clone, Debug)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Some(Level, Box<Node>),
    Exists(Operand),
    Compare(Comparison, Operand, Operand),
    Matches(Operand, Regex),
    In(Operand, Vec<Constant>, bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Eq,
    Ne,
    Gt,
    Lt,
    Gte,
    Lte,
}

/// A value that a filter reads or says.
#[derive(Clone, Debug)]
enum Operand {
    /// An attribute of a level; of the span or its resource without one.
    Attribute(Option<Level>, String),
    Field(&'static Field),
    Constant(Constant),
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
enum Constant {
    /// Under no type: compared with whatever is stored.
    Any(String),
    Text(String),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// Nanoseconds, of a duration or since the epoch.
    Nanos(i64),
}

/// Reads a filter.
pub fn parse(name: &str, text: &str) -> Result<SpanTest> {
    let wrong =
        |why: String| ApiError::invalid(name, text, format!("malformed parameter {name}: {why}"));
    let call: CallJson = serde_json::from_str(text).map_err(|err| wrong(err.to_string()))?;
    let node = node(&call, None, 1).map_err(wrong)?;
    Ok(SpanTest::new(move |span| eval::meets(&node, span)))
}

type Parsed<T> = std::result::Result<T, String>;

fn node(call: &CallJson, bound: Option<Level>, depth: usize) -> Parsed<Node> {
    if depth > DEPTH_MAX {
        return Err(format!("calls nest deeper than {DEPTH_MAX}"));
    }
    let op = call.op.as_str();
    let arity = |least: usize, most: usize| match call.args.len() {
        count if count < least || count > most => {
            Err(format!("'{op}' has {count} arguments, expected {least} to {most}"))
        }
        _ => Ok(()),
    };
    let predicate = |term: &TermJson, bound: Option<Level>| match term {
        TermJson::Call(call) => node(call, bound, depth + 1),
        _ => Err(format!("an argument of '{op}' is no predicate")),
    };
    Ok(match op {
        "and" | "or" => {
            arity(2, usize::MAX)?;
            let nodes =
                call.args.iter().map(|term| predicate(term, bound)).collect::<Parsed<_>>()?;
            if op == "and" { Node::And(nodes) } else { Node::Or(nodes) }
        }
        "not" => {
            arity(1, 1)?;
            Node::Not(Box::new(predicate(&call.args[0], bound)?))
        }
        "some" => {
            arity(2, 2)?;
            let TermJson::Nested(nested) = &call.args[0] else {
                return Err(
                    "the first argument of 'some' is no collection of events or links".into()
                );
            };
            let level = fields::level(&nested.level)?;
            if !matches!(level, Level::Event | Level::Link) || bound == Some(level) {
                return Err(format!("'some' cannot go over '{}' here", nested.level));
            }
            Node::Some(level, Box::new(predicate(&call.args[1], Some(level))?))
        }
        "exists" => {
            arity(1, 1)?;
            Node::Exists(reference(op, &call.args[0])?)
        }
        "regex" => {
            arity(2, 2)?;
            matches(&call.args)?
        }
        "in" | "not_in" => {
            arity(2, 2)?;
            membership(op, &call.args)?
        }
        _ => {
            let comparison = comparison(op).ok_or_else(|| format!("'{op}' is no operator"))?;
            arity(2, 2)?;
            compare(op, comparison, &call.args)?
        }
    })
}

fn comparison(op: &str) -> Option<Comparison> {
    Some(match op {
        "eq" => Comparison::Eq,
        "ne" => Comparison::Ne,
        "gt" => Comparison::Gt,
        "lt" => Comparison::Lt,
        "gte" => Comparison::Gte,
        "lte" => Comparison::Lte,
        _ => return None,
    })
}

fn matches(args: &[TermJson]) -> Parsed<Node> {
    let subject = reference("regex", &args[0])?;
    if matches!(kind(&subject), Some(Kind::Duration | Kind::Time)) {
        return Err("'regex' takes a reference that holds text".into());
    }
    let TermJson::Scalar(pattern) = &args[1] else {
        return Err("the second argument of 'regex' is no constant".into());
    };
    let regex = RegexBuilder::new(&pattern.value).size_limit(REGEX_BYTES_MAX).build();
    let regex = regex.map_err(|err| format!("'{}' is no expression: {err}", pattern.value))?;
    Ok(Node::Matches(subject, regex))
}

fn membership(op: &str, args: &[TermJson]) -> Parsed<Node> {
    let subject = reference(op, &args[0])?;
    let TermJson::List(list) = &args[1] else {
        return Err(format!("the second argument of '{op}' is no list"));
    };
    let values = list.values.iter().map(|value| match &subject {
        Operand::Field(field) => fields::constant(field, value),
        _ => constant(value, &list.kind),
    });
    Ok(Node::In(subject.clone(), values.collect::<Parsed<_>>()?, op == "not_in"))
}

fn compare(op: &str, comparison: Comparison, args: &[TermJson]) -> Parsed<Node> {
    let (left, right) = (operand(op, &args[0])?, operand(op, &args[1])?);
    let (left, right) = (resolve(left, &right)?, right);
    let right = resolve(right, &left)?;
    let (one, other) = (kind(&left), kind(&right));
    if let (Some(one), Some(other)) = (one, other)
        && one != other
    {
        return Err(format!("'{op}' compares {} with {}", one.name(), other.name()));
    }
    let ordered = !matches!(comparison, Comparison::Eq | Comparison::Ne);
    if let Some(kind) = one.or(other)
        && ordered
        && matches!(kind, Kind::Word | Kind::Bool)
    {
        return Err(format!("'{op}' cannot order {}", kind.name()));
    }
    Ok(Node::Compare(comparison, left, right))
}

// A constant without a type is read as the field on the other side holds its values.
fn resolve(operand: Operand, other: &Operand) -> Parsed<Operand> {
    match (operand, other) {
        (Operand::Constant(Constant::Any(text) | Constant::Text(text)), Operand::Field(field)) => {
            fields::constant(field, &text).map(Operand::Constant)
        }
        (operand, _) => Ok(operand),
    }
}

fn kind(operand: &Operand) -> Option<Kind> {
    match operand {
        Operand::Attribute(..) => None,
        Operand::Field(field) => Some(field.kind),
        Operand::Constant(constant) => match constant {
            Constant::Any(_) | Constant::Nanos(_) | Constant::Text(_) => None,
            Constant::Int(_) | Constant::Double(_) => Some(Kind::Number),
            Constant::Bool(_) => Some(Kind::Bool),
        },
    }
}

fn operand(op: &str, term: &TermJson) -> Parsed<Operand> {
    match term {
        TermJson::Scalar(scalar) => constant(&scalar.value, &scalar.kind).map(Operand::Constant),
        term => reference(op, term),
    }
}

fn reference(op: &str, term: &TermJson) -> Parsed<Operand> {
    match term {
        TermJson::Attr(attr) if attr.key.is_empty() => Err("an attribute has no key".into()),
        TermJson::Attr(attr) => {
            let level = (!attr.level.is_empty()).then(|| fields::level(&attr.level)).transpose()?;
            Ok(Operand::Attribute(level, attr.key.clone()))
        }
        TermJson::Field(field) => fields::field(&field.level, &field.name).map(Operand::Field),
        _ => Err(format!("an argument of '{op}' is no attribute and no field")),
    }
}

fn constant(text: &str, kind: &str) -> Parsed<Constant> {
    let wrong = || format!("constant '{text}' is not the {kind} that it declares");
    Ok(match kind {
        "" => Constant::Any(text.to_owned()),
        "string" => Constant::Text(text.to_owned()),
        "int" => Constant::Int(text.parse().map_err(|_| wrong())?),
        "double" => Constant::Double(text.parse().map_err(|_| wrong())?),
        "bool" => Constant::Bool(super::super::tags::boolean(text).ok_or_else(wrong)?),
        other => return Err(format!("constant '{text}' declares the unknown type '{other}'")),
    })
}

#[cfg(test)]
mod tests;
