//! A checked filter against a span.
//!
//! A comparison holds if one of the values that its references name meets it; "not equal" and "not in"
//! hold if there is a value and none is equal. A reference without a value meets nothing but `not`.

use std::cmp::Ordering;

use throughline_model::Value;
use throughline_model::origin::{Event, Link};
use throughline_model::span::Span;
use throughline_model::value::ValueRef;

use super::fields::{Field, Level, kind_word, status_word};
use super::{Comparison, Constant, Node, Operand};

#[derive(Clone, Copy)]
struct Bound<'a> {
    span: &'a Span,
    event: Option<&'a Event>,
    link: Option<&'a Link>,
}

/// Whether a span meets a filter.
pub fn meets(node: &Node, span: &Span) -> bool {
    holds(node, Bound { span, event: None, link: None })
}

fn holds(node: &Node, bound: Bound<'_>) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().all(|node| holds(node, bound)),
        Node::Or(nodes) => nodes.iter().any(|node| holds(node, bound)),
        Node::Not(node) => !holds(node, bound),
        Node::Some(Level::Event, node) => {
            let mut events = bound.span.events.iter();
            events.any(|event| holds(node, Bound { event: Some(event), ..bound }))
        }
        Node::Some(_, node) => {
            let mut links = bound.span.links.iter();
            links.any(|link| holds(node, Bound { link: Some(link), ..bound }))
        }
        Node::Exists(operand) => !values(operand, bound).is_empty(),
        Node::Matches(operand, regex) => {
            values(operand, bound).iter().any(|value| regex.is_match(&text(value)))
        }
        Node::In(operand, list, negated) => {
            let found = values(operand, bound);
            let is_in = |value: &Constant| {
                list.iter().any(|item| compare(value, item, strict(item)) == Some(Ordering::Equal))
            };
            !found.is_empty() && found.iter().any(is_in) != *negated
        }
        Node::Compare(comparison, left, right) => {
            let is_strict = [left, right].iter().any(|operand| match operand {
                Operand::Constant(constant) => strict(constant),
                _ => false,
            });
            let (left, right) = (values(left, bound), values(right, bound));
            let pairs = left.iter().flat_map(|a| right.iter().map(move |b| (a, b)));
            let mut orders = pairs.map(|(a, b)| compare(a, b, is_strict));
            match comparison {
                Comparison::Ne => {
                    !left.is_empty()
                        && !right.is_empty()
                        && !orders.any(|order| order == Some(Ordering::Equal))
                }
                other => orders.flatten().any(|order| accepts(*other, order)),
            }
        }
    }
}

fn accepts(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Eq => order.is_eq(),
        Comparison::Ne => order.is_ne(),
        Comparison::Gt => order.is_gt(),
        Comparison::Lt => order.is_lt(),
        Comparison::Gte => order.is_ge(),
        Comparison::Lte => order.is_le(),
    }
}

// A declared type matches only values of that type.
fn strict(constant: &Constant) -> bool {
    matches!(constant, Constant::Int(_) | Constant::Double(_) | Constant::Text(_))
}

fn compare(a: &Constant, b: &Constant, strict: bool) -> Option<Ordering> {
    match (a, b) {
        (Constant::Any(text), other) => compare_text(text, other),
        (other, Constant::Any(text)) => compare_text(text, other).map(Ordering::reverse),
        (Constant::Text(a), Constant::Text(b)) => Some(a.cmp(b)),
        (Constant::Int(a), Constant::Int(b)) | (Constant::Nanos(a), Constant::Nanos(b)) => {
            Some(a.cmp(b))
        }
        (Constant::Double(a), Constant::Double(b)) => a.partial_cmp(b),
        (Constant::Bool(a), Constant::Bool(b)) => Some(a.cmp(b)),
        (Constant::Int(a), Constant::Double(b)) if !strict => (*a as f64).partial_cmp(b),
        (Constant::Double(a), Constant::Int(b)) if !strict => a.partial_cmp(&(*b as f64)),
        _ => None,
    }
}

// A constant of no type is read as the value beside it is stored.
fn compare_text(any: &str, other: &Constant) -> Option<Ordering> {
    match other {
        Constant::Any(text) | Constant::Text(text) => Some(any.cmp(text)),
        Constant::Int(number) => match any.parse::<i64>() {
            Ok(any) => Some(any.cmp(number)),
            Err(_) => any.parse::<f64>().ok()?.partial_cmp(&(*number as f64)),
        },
        Constant::Double(number) => any.parse::<f64>().ok()?.partial_cmp(number),
        Constant::Bool(flag) => Some(crate::jaeger::tags::boolean(any)?.cmp(flag)),
        Constant::Nanos(_) => None,
    }
}

fn text(value: &Constant) -> String {
    match value {
        Constant::Any(text) | Constant::Text(text) => text.clone(),
        Constant::Int(number) | Constant::Nanos(number) => number.to_string(),
        Constant::Double(number) => number.to_string(),
        Constant::Bool(flag) => flag.to_string(),
    }
}

fn values(operand: &Operand, bound: Bound<'_>) -> Vec<Constant> {
    match operand {
        Operand::Constant(constant) => vec![constant.clone()],
        Operand::Field(field) => field_values(field, bound),
        Operand::Attribute(level, key) => {
            let span = bound.span;
            let sets: Vec<&[(String, Value)]> = match level {
                None => vec![&span.attributes, &span.resource.attributes],
                Some(Level::Span) => vec![&span.attributes],
                Some(Level::Resource) => vec![&span.resource.attributes],
                Some(Level::Scope) => vec![&span.scope.attributes],
                Some(Level::Event) => {
                    events(bound).into_iter().map(|event| event.attributes.as_slice()).collect()
                }
                Some(Level::Link) => {
                    links(bound).into_iter().map(|link| link.attributes.as_slice()).collect()
                }
            };
            sets.into_iter().filter_map(|set| attribute(set, key)).collect()
        }
    }
}

fn events(bound: Bound<'_>) -> Vec<&Event> {
    bound.event.map_or_else(|| bound.span.events.iter().collect(), |event| vec![event])
}

fn links(bound: Bound<'_>) -> Vec<&Link> {
    bound.link.map_or_else(|| bound.span.links.iter().collect(), |link| vec![link])
}

fn attribute(set: &[(String, Value)], key: &str) -> Option<Constant> {
    let (_, value) = set.iter().find(|(name, _)| name == key)?;
    Some(match value {
        Value::Empty => return None,
        Value::String(text) => Constant::Text(text.clone()),
        Value::Bool(flag) => Constant::Bool(*flag),
        Value::Int(number) => Constant::Int(*number),
        Value::Double(number) => Constant::Double(*number),
        other => {
            let bytes = other.to_bytes();
            Constant::Text(ValueRef::read(&bytes).ok()?.text().ok()??.into_owned())
        }
    })
}

fn field_values(field: &Field, bound: Bound<'_>) -> Vec<Constant> {
    let span = bound.span;
    let said = |text: &str| match text {
        "" => Vec::new(),
        text => vec![Constant::Text(text.to_owned())],
    };
    let end_ns = span.start_time_ns.saturating_add(span.duration_ns);
    match (field.level, field.name) {
        (Level::Span, "traceID") => said(&span.trace_id.to_string()),
        (Level::Span, "spanID") => said(&span.span_id.to_string()),
        (Level::Span, "parentSpanID") => {
            said(&span.parent_span_id.map(|id| id.to_string()).unwrap_or_default())
        }
        (Level::Span, "traceState") => said(&span.trace_state),
        (Level::Span, "name") => said(&span.name),
        (Level::Span, "kind") => said(kind_word(span.kind)),
        (Level::Span, "startTime") => vec![Constant::Nanos(span.start_time_ns)],
        (Level::Span, "endTime") => vec![Constant::Nanos(end_ns)],
        (Level::Span, "status") => said(status_word(span.status_code)),
        (Level::Span, "statusMessage") => said(&span.status_message),
        (Level::Span, _) => vec![Constant::Nanos(span.duration_ns)],
        (Level::Resource, "service") => said(&span.service_name),
        (Level::Resource, _) => said(&span.resource.schema_url),
        (Level::Scope, "name") => said(&span.scope.name),
        (Level::Scope, "version") => said(&span.scope.version),
        (Level::Scope, _) => said(&span.scope.schema_url),
        (Level::Event, name) => {
            let value = |event: &Event| match name {
                "name" => said(&event.name),
                "time" => vec![Constant::Nanos(event.time_ns)],
                _ => vec![Constant::Nanos(event.time_ns.saturating_sub(span.start_time_ns))],
            };
            events(bound).into_iter().flat_map(value).collect()
        }
        (Level::Link, name) => {
            let value = |link: &Link| match name {
                "traceID" => said(&link.trace_id.to_string()),
                "spanID" => said(&link.span_id.to_string()),
                _ => said(&link.trace_state),
            };
            links(bound).into_iter().flat_map(value).collect()
        }
    }
}
