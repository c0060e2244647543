//! Values of fields while a query runs, and what operators make of them.

use std::cmp::Ordering;
use std::sync::Arc;

use throughline_model::Value;
use throughline_model::value::ValueRef;

use crate::Result;
use crate::traceql::ast::{BinaryOp, KINDS, STATUSES, Static};

/// A static of `docs/traceql.md`. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Val {
    Nil,
    /// Bytes, maps and what arrays nest.
    Opaque(Arc<Value>),
    Str(Arc<str>),
    Int(i64),
    Float(f64),
    Bool(bool),
    Duration(i64),
    Status(i32),
    Kind(i32),
    /// Not empty.
    List(Arc<[Val]>),
}

impl Val {
    /// The value of a literal.
    pub fn of(literal: &Static) -> Val {
        match literal {
            Static::Nil => Val::Nil,
            Static::String(text) => Val::Str(text.as_str().into()),
            Static::Int(number) => Val::Int(*number),
            Static::Float(number) => Val::Float(*number),
            Static::Bool(flag) => Val::Bool(*flag),
            Static::Duration(ns) => Val::Duration(*ns),
            Static::Status(number) => Val::Status(*number),
            Static::Kind(number) => Val::Kind(*number),
        }
    }

    /// An attribute's encoded value.
    pub fn read(bytes: &[u8]) -> Result<Val> {
        let value = ValueRef::read(bytes)?;
        if !value.is_array() {
            return Val::scalar(value);
        }
        let elements = value.elements().map(|element| Val::scalar(element?));
        Ok(Val::list(elements.collect::<Result<Vec<_>>>()?))
    }

    /// An attribute's encoded value where lists do not nest: as an element of one.
    pub fn element(bytes: &[u8]) -> Result<Val> {
        Val::scalar(ValueRef::read(bytes)?)
    }

    fn scalar(value: ValueRef<'_>) -> Result<Val> {
        Ok(match value {
            ValueRef::Empty => Val::Nil,
            ValueRef::String(text) => Val::Str(text.into()),
            ValueRef::Bool(flag) => Val::Bool(flag),
            ValueRef::Int(number) => Val::Int(number),
            ValueRef::Double(number) => Val::Float(number),
            ValueRef::Bytes(bytes) => Val::Opaque(Arc::new(Value::Bytes(bytes.to_vec()))),
            ValueRef::Nested(bytes) => Val::Opaque(Arc::new(Value::decode(bytes)?)),
        })
    }

    /// A list; nil if it is empty.
    pub fn list(elements: Vec<Val>) -> Val {
        if elements.is_empty() { Val::Nil } else { Val::List(elements.into()) }
    }

    /// The value, of a list its first element.
    pub fn first(&self) -> &Val {
        match self {
            Val::List(elements) => &elements[0],
            value => value,
        }
    }

    pub fn is_nil(&self) -> bool {
        matches!(self, Val::Nil)
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Val::Int(number) | Val::Duration(number) => Some(*number as f64),
            Val::Float(number) => Some(*number).filter(|number| !number.is_nan()),
            _ => None,
        }
    }

    /// What an answer shows.
    pub fn shown(&self) -> Value {
        let name = |names: &[&str], number: i32| {
            let name = names.get(usize::try_from(number).unwrap_or(usize::MAX));
            Value::String(name.map_or_else(|| number.to_string(), |name| (*name).to_owned()))
        };
        match self {
            Val::Nil => Value::Empty,
            Val::Opaque(value) => value.as_ref().clone(),
            Val::Str(text) => Value::String(text.to_string()),
            Val::Int(number) | Val::Duration(number) => Value::Int(*number),
            Val::Float(number) => Value::Double(*number),
            Val::Bool(flag) => Value::Bool(*flag),
            Val::Status(number) => name(&STATUSES, *number),
            Val::Kind(number) => name(&KINDS, *number),
            Val::List(elements) => Value::Array(elements.iter().map(Val::shown).collect()),
        }
    }
}

/// How two scalars compare, if they can.
fn order(a: &Val, b: &Val) -> Option<Ordering> {
    match (a, b) {
        (Val::Str(a), Val::Str(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(b)),
        (Val::Status(a), Val::Status(b)) | (Val::Kind(a), Val::Kind(b)) => Some(a.cmp(b)),
        (Val::Int(a) | Val::Duration(a), Val::Int(b) | Val::Duration(b)) => Some(a.cmp(b)),
        (Val::Int(a) | Val::Duration(a), Val::Float(b)) => int_order(*a, *b),
        (Val::Float(a), Val::Int(b) | Val::Duration(b)) => int_order(*b, *a).map(Ordering::reverse),
        (Val::Float(a), Val::Float(b)) => a.partial_cmp(b),
        _ => None,
    }
}

// Exact, also where a double cannot hold the integer.
fn int_order(number: i64, other: f64) -> Option<Ordering> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if other.is_nan() {
        return None;
    }
    if other >= TWO_TO_63 {
        return Some(Ordering::Less);
    }
    if other < -TWO_TO_63 {
        return Some(Ordering::Greater);
    }
    let whole = other.trunc();
    let fraction = 0.0f64.partial_cmp(&(other - whole)).unwrap_or(Ordering::Equal);
    Some(number.cmp(&(whole as i64)).then(fraction))
}

fn accepts(op: BinaryOp, order: Ordering) -> bool {
    match op {
        BinaryOp::Eq => order.is_eq(),
        BinaryOp::Ne => order.is_ne(),
        BinaryOp::Lt => order.is_lt(),
        BinaryOp::Le => order.is_le(),
        BinaryOp::Gt => order.is_gt(),
        BinaryOp::Ge => order.is_ge(),
        _ => false,
    }
}

/// Whether `a op b` holds; `op` is a comparison, but no regular one.
pub(crate) fn compare(op: BinaryOp, a: &Val, b: &Val) -> bool {
    let (left, right) = (elements(a), elements(b));
    let orders = || left.iter().flat_map(|a| right.iter().map(move |b| order(a, b))).flatten();
    if op == BinaryOp::Ne {
        let mut any = false;
        return orders().all(|order| {
            any = true;
            order.is_ne()
        }) && any;
    }
    orders().any(|order| accepts(op, order))
}

/// Whether a value meets a regular expression (`negated` for `!~`).
pub(crate) fn matches(value: &Val, pattern: &regex::Regex, negated: bool) -> bool {
    let mut texts = elements(value).iter().filter_map(|element| match element {
        Val::Str(text) => Some(text),
        _ => None,
    });
    if !negated {
        return texts.any(|text| pattern.is_match(text));
    }
    let mut any = false;
    texts.all(|text| {
        any = true;
        !pattern.is_match(text)
    }) && any
}

fn elements(value: &Val) -> &[Val] {
    match value {
        Val::List(elements) => elements,
        value => std::slice::from_ref(value),
    }
}

/// `-value`.
pub(crate) fn negate(value: &Val) -> Val {
    match value {
        Val::Int(number) => {
            number.checked_neg().map_or_else(|| Val::Float(-(*number as f64)), Val::Int)
        }
        Val::Duration(number) => {
            number.checked_neg().map_or_else(|| Val::Float(-(*number as f64)), Val::Duration)
        }
        Val::Float(number) => Val::Float(-number),
        _ => Val::Nil,
    }
}

/// `a op b`, where `op` calculates.
pub(crate) fn calculate(op: BinaryOp, a: &Val, b: &Val) -> Val {
    let whole = |value: &Val| match value {
        Val::Int(number) | Val::Duration(number) => Some(*number),
        _ => None,
    };
    let raw = |value: &Val| match value {
        Val::Float(number) => Some(*number),
        value => whole(value).map(|number| number as f64),
    };
    let (Some(x), Some(y)) = (raw(a), raw(b)) else { return Val::Nil };
    let is_duration = matches!(a, Val::Duration(_)) || matches!(b, Val::Duration(_));
    if let (Some(m), Some(n)) = (whole(a), whole(b)) {
        let exact = match op {
            BinaryOp::Add => m.checked_add(n),
            BinaryOp::Sub => m.checked_sub(n),
            BinaryOp::Mul => m.checked_mul(n),
            BinaryOp::Mod if n == 0 => return Val::Nil,
            BinaryOp::Mod => Some(m.wrapping_rem(n)),
            _ => None,
        };
        if let Some(exact) = exact {
            return if is_duration { Val::Duration(exact) } else { Val::Int(exact) };
        }
    }
    Val::Float(match op {
        BinaryOp::Add => x + y,
        BinaryOp::Sub => x - y,
        BinaryOp::Mul => x * y,
        BinaryOp::Div => x / y,
        BinaryOp::Mod if y == 0.0 => return Val::Nil,
        BinaryOp::Mod => x % y,
        BinaryOp::Pow => x.powf(y),
        _ => return Val::Nil,
    })
}

/// The order in which labels and ranked values sort: by kind, then by content.
pub(crate) fn label_order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Empty => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Int(_) | Value::Double(_) => 3,
        _ => 4,
    };
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Double(a), Value::Double(b)) => a.total_cmp(b),
        (Value::Int(a), Value::Double(b)) => int_order(*a, *b).unwrap_or(Ordering::Less),
        (Value::Double(a), Value::Int(b)) => {
            int_order(*b, *a).map_or(Ordering::Greater, Ordering::reverse)
        }
        (a, b) if rank(a) == rank(b) => a.to_bytes().cmp(&b.to_bytes()),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}
