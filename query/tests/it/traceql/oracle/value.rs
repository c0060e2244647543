//! What a field of a span can be, and how two of them compare and add up.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;

use regex::Regex;
use throughline_model::Value;
use throughline_query::traceql::ast::{BinaryOp, KINDS, STATUSES, Static};

/// The value of a field or an expression for one span.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    Nil,
    String(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Duration(i64),
    Status(i32),
    Kind(i32),
    Opaque(Value),
    List(Vec<Val>),
}

impl From<&Static> for Val {
    fn from(literal: &Static) -> Self {
        match literal {
            Static::Nil => Val::Nil,
            Static::String(text) => Val::String(text.clone()),
            Static::Int(number) => Val::Int(*number),
            Static::Float(number) => Val::Float(*number),
            Static::Bool(flag) => Val::Bool(*flag),
            Static::Duration(ns) => Val::Duration(*ns),
            Static::Status(code) => Val::Status(*code),
            Static::Kind(kind) => Val::Kind(*kind),
        }
    }
}

/// An attribute's value.
pub fn attribute(value: &Value) -> Val {
    match value {
        Value::Array(items) => Val::List(items.iter().map(element).collect()),
        other => element(other),
    }
}

/// The same inside a list, where nothing nests.
pub fn element(value: &Value) -> Val {
    match value {
        Value::Empty => Val::Nil,
        Value::String(text) => Val::String(text.clone()),
        Value::Bool(flag) => Val::Bool(*flag),
        Value::Int(number) => Val::Int(*number),
        Value::Double(number) => Val::Float(*number),
        Value::Bytes(_) | Value::Array(_) | Value::Kvlist(_) => Val::Opaque(value.clone()),
    }
}

impl Val {
    pub fn is_nil(&self) -> bool {
        match self {
            Val::Nil => true,
            Val::List(items) => items.is_empty(),
            _ => false,
        }
    }

    /// As answers show it.
    pub fn shown(&self) -> Value {
        match self {
            Val::Nil => Value::Empty,
            Val::String(text) => Value::String(text.clone()),
            Val::Int(number) | Val::Duration(number) => Value::Int(*number),
            Val::Float(number) => Value::Double(*number),
            Val::Bool(flag) => Value::Bool(*flag),
            Val::Status(code) => named(&STATUSES, *code),
            Val::Kind(kind) => named(&KINDS, *kind),
            Val::Opaque(value) => value.clone(),
            Val::List(items) => Value::Array(items.iter().map(Val::shown).collect()),
        }
    }

    /// Of a list the first element, of anything else itself.
    pub fn first(&self) -> Val {
        match self {
            Val::List(items) => items.first().cloned().unwrap_or(Val::Nil),
            other => other.clone(),
        }
    }

    /// A number that counts in an aggregate.
    pub fn number(&self) -> Option<f64> {
        match self {
            Val::Int(number) | Val::Duration(number) => Some(*number as f64),
            Val::Float(number) if !number.is_nan() => Some(*number),
            _ => None,
        }
    }

    /// As a query writes it: nothing for what it cannot write, each element of a list.
    pub fn literals(&self) -> Vec<Static> {
        match self {
            Val::Nil | Val::Opaque(_) => Vec::new(),
            Val::String(text) => vec![Static::String(text.clone())],
            Val::Int(number) if *number >= 0 => vec![Static::Int(*number)],
            Val::Float(number) if *number >= 0.0 && number.is_finite() => {
                vec![Static::Float(*number)]
            }
            Val::Duration(ns) if *ns >= 0 => vec![Static::Duration(*ns)],
            Val::Int(_) | Val::Float(_) | Val::Duration(_) => Vec::new(),
            Val::Bool(flag) => vec![Static::Bool(*flag)],
            Val::Status(code) => vec![Static::Status(*code)],
            Val::Kind(kind) => vec![Static::Kind(*kind)],
            Val::List(items) => items.iter().flat_map(Val::literals).collect(),
        }
    }

    fn integer(&self) -> Option<i64> {
        match self {
            Val::Int(number) | Val::Duration(number) => Some(*number),
            _ => None,
        }
    }

    fn elements(&self) -> &[Val] {
        match self {
            Val::List(items) => items,
            other => std::slice::from_ref(other),
        }
    }
}

fn named(names: &[&str], number: i32) -> Value {
    match usize::try_from(number).ok().and_then(|at| names.get(at)) {
        Some(name) => Value::String((*name).to_owned()),
        None => Value::Int(i64::from(number)),
    }
}

// Exactly: an integer is never rounded to be compared with a float.
fn int_to_float(int: i64, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        None
    } else if float >= 9_223_372_036_854_775_808.0 {
        Some(Ordering::Less)
    } else if float < -9_223_372_036_854_775_808.0 {
        Some(Ordering::Greater)
    } else {
        let whole = float.trunc();
        Some(int.cmp(&(whole as i64)).then(whole.total_cmp(&float)))
    }
}

/// Order of two numbers; `None` if one of them is none.
pub fn number_order(a: &Val, b: &Val) -> Option<Ordering> {
    match (a, b) {
        (Val::Float(a), Val::Float(b)) => a.partial_cmp(b),
        (Val::Float(a), b) => Some(int_to_float(b.integer()?, *a)?.reverse()),
        (a, Val::Float(b)) => int_to_float(a.integer()?, *b),
        (a, b) => Some(a.integer()?.cmp(&b.integer()?)),
    }
}

// Whether two single values are equal; `None` if they do not compare.
fn equality(a: &Val, b: &Val) -> Option<bool> {
    match (a, b) {
        (Val::String(a), Val::String(b)) => Some(a == b),
        (Val::Bool(a), Val::Bool(b)) => Some(a == b),
        (Val::Status(a), Val::Status(b)) | (Val::Kind(a), Val::Kind(b)) => Some(a == b),
        _ => number_order(a, b).map(|order| order == Ordering::Equal),
    }
}

fn order(a: &Val, b: &Val) -> Option<Ordering> {
    match (a, b) {
        (Val::String(a), Val::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        _ => number_order(a, b),
    }
}

thread_local! {
    // Compiling is slow in a debug build.
    static COMPILED: RefCell<HashMap<String, Option<Regex>>> = RefCell::default();
}

// Whether a string matches a pattern; `None` if one of the two is no string.
fn matching(text: &Val, pattern: &Val) -> Option<bool> {
    let (Val::String(text), Val::String(pattern)) = (text, pattern) else { return None };
    COMPILED.with_borrow_mut(|compiled| {
        compiled
            .entry(pattern.clone())
            .or_insert_with(|| Regex::new(&format!("^(?:{pattern})$")).ok())
            .as_ref()
            .map(|regex| regex.is_match(text))
    })
}

/// `a op b` for a comparison, lists and all.
pub fn compare(op: BinaryOp, a: &Val, b: &Val) -> bool {
    let pairs = || a.elements().iter().flat_map(|a| b.elements().iter().map(move |b| (a, b)));
    let any = |holds: &dyn Fn(&Val, &Val) -> bool| pairs().any(|(a, b)| holds(a, b));
    match op {
        BinaryOp::Eq => any(&|a, b| equality(a, b) == Some(true)),
        BinaryOp::Ne => {
            any(&|a, b| equality(a, b).is_some()) && !any(&|a, b| equality(a, b) == Some(true))
        }
        BinaryOp::Lt => any(&|a, b| order(a, b) == Some(Ordering::Less)),
        BinaryOp::Gt => any(&|a, b| order(a, b) == Some(Ordering::Greater)),
        BinaryOp::Le => any(&|a, b| order(a, b).is_some_and(Ordering::is_le)),
        BinaryOp::Ge => any(&|a, b| order(a, b).is_some_and(Ordering::is_ge)),
        BinaryOp::Matches => any(&|a, b| matching(a, b) == Some(true)),
        BinaryOp::NotMatches => {
            any(&|a, b| matching(a, b).is_some()) && !any(&|a, b| matching(a, b) == Some(true))
        }
        other => panic!("{other:?} compares nothing"),
    }
}

/// `a op b` for a calculation.
pub fn calculate(op: BinaryOp, a: &Val, b: &Val) -> Val {
    let as_float = |val: &Val| match val {
        Val::Float(number) => Some(*number),
        other => other.number(),
    };
    let (Some(x), Some(y)) = (as_float(a), as_float(b)) else { return Val::Nil };
    let is_duration = matches!(a, Val::Duration(_)) || matches!(b, Val::Duration(_));
    let whole = |result: Option<i64>, float: f64| match result {
        Some(result) if is_duration => Val::Duration(result),
        Some(result) => Val::Int(result),
        None => Val::Float(float),
    };
    let both = a.integer().zip(b.integer());
    match (op, both) {
        (BinaryOp::Add, Some((a, b))) => whole(a.checked_add(b), x + y),
        (BinaryOp::Sub, Some((a, b))) => whole(a.checked_sub(b), x - y),
        (BinaryOp::Mul, Some((a, b))) => whole(a.checked_mul(b), x * y),
        (BinaryOp::Mod, _) if y == 0.0 => Val::Nil,
        (BinaryOp::Mod, Some((a, b))) => whole(Some(a.wrapping_rem(b)), x % y),
        (BinaryOp::Add, None) => Val::Float(x + y),
        (BinaryOp::Sub, None) => Val::Float(x - y),
        (BinaryOp::Mul, None) => Val::Float(x * y),
        (BinaryOp::Mod, None) => Val::Float(x % y),
        (BinaryOp::Div, _) => Val::Float(x / y),
        (BinaryOp::Pow, _) => Val::Float(x.powf(y)),
        (other, _) => panic!("{other:?} calculates nothing"),
    }
}

/// `-x`.
pub fn negate(val: &Val) -> Val {
    match val {
        Val::Int(number) => number.checked_neg().map_or(Val::Float(-(*number as f64)), Val::Int),
        Val::Duration(number) => {
            number.checked_neg().map_or(Val::Float(-(*number as f64)), Val::Duration)
        }
        Val::Float(number) => Val::Float(-number),
        _ => Val::Nil,
    }
}
