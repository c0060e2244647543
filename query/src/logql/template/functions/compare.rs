//! Comparisons, and functions on lists and maps.

use std::cmp::Ordering;

use super::super::value::Value;
use super::{Arguments, Entry, MANY, Outcome, entry};

pub const TABLE: &[Entry] = &[
    entry("eq", (2, MANY), |a| {
        for other in &a.values[1..] {
            if order(a.at(0), other)? == Some(Ordering::Equal) {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    entry("ne", (2, 2), |a| compared(a, |order| order != Some(Ordering::Equal))),
    entry("lt", (2, 2), |a| compared(a, |order| order == Some(Ordering::Less))),
    entry("le", (2, 2), |a| compared(a, |order| order.is_some_and(Ordering::is_le))),
    entry("gt", (2, 2), |a| compared(a, |order| order == Some(Ordering::Greater))),
    entry("ge", (2, 2), |a| compared(a, |order| order.is_some_and(Ordering::is_ge))),
    entry("not", (1, 1), |a| Ok(Value::Bool(a.at(0).is_empty()))),
    entry("len", (1, 1), len),
    entry("index", (1, MANY), index),
];

fn compared<'v>(a: &Arguments<'_, 'v>, holds: fn(Option<Ordering>) -> bool) -> Outcome<'v> {
    order(a.at(0), a.at(1)).map(|order| Value::Bool(holds(order)))
}

fn order(left: &Value<'_>, right: &Value<'_>) -> Result<Option<Ordering>, String> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Ok(Some(left.cmp(right))),
        (Value::Int(left), Value::Int(right)) => Ok(Some(left.cmp(right))),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            Ok(left.float().partial_cmp(&right.float()))
        }
        (Value::Bool(left), Value::Bool(right)) => Ok(Some(left.cmp(right))),
        (Value::Time(left, _), Value::Time(right, _)) => Ok(Some(left.cmp(right))),
        (Value::Nil, Value::Nil) => Ok(Some(Ordering::Equal)),
        (Value::Nil, _) | (_, Value::Nil) => Ok(None),
        _ => Err(format!("'{}' and '{}' are of different kinds", left.show(), right.show())),
    }
}

fn len<'v>(a: &Arguments<'_, 'v>) -> Outcome<'v> {
    let len = match a.at(0) {
        Value::Text(text) => text.len(),
        Value::Json(serde_json::Value::Array(list)) => list.len(),
        Value::Json(serde_json::Value::Object(map)) => map.len(),
        Value::Labels => a.context.row.all_labels().count(),
        other => return Err(format!("'{}' has no length", other.show())),
    };
    Ok(Value::Int(len as i64))
}

fn index<'v>(a: &Arguments<'_, 'v>) -> Outcome<'v> {
    let mut value = a.at(0).clone();
    for key in &a.values[1..] {
        value = match &value {
            Value::Json(serde_json::Value::Array(list)) => {
                let nth = usize::try_from(key.int()).ok();
                let item = nth.and_then(|nth| list.get(nth));
                Value::of_json(item.ok_or_else(|| format!("there is no '{}'", key.show()))?)
            }
            Value::Json(serde_json::Value::Object(map)) => {
                map.get(&*key.show()).map_or(Value::Nil, Value::of_json)
            }
            Value::Labels => {
                Value::text(a.context.row.get(&key.show()).unwrap_or_default().to_owned())
            }
            Value::Text(text) => {
                let nth = usize::try_from(key.int()).ok();
                let byte = nth.and_then(|nth| text.as_bytes().get(nth));
                let byte = byte.ok_or_else(|| format!("there is no '{}'", key.show()))?;
                Value::Int(i64::from(*byte))
            }
            other => return Err(format!("'{}' has no parts", other.show())),
        };
    }
    Ok(value)
}
