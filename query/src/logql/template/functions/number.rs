//! Functions on numbers; text is read as a number where one is needed.

use super::super::super::lex::units;
use super::super::value::Value;
use super::{Arguments, Entry, MANY, Outcome, entry};

pub const TABLE: &[Entry] = &[
    entry("int", (1, 1), |a| Ok(Value::Int(a.int(0)))),
    entry("float64", (1, 1), |a| Ok(Value::Float(a.float(0)))),
    entry("add", (1, MANY), |a| ints(a, i64::wrapping_add)),
    entry("sub", (2, 2), |a| ints(a, i64::wrapping_sub)),
    entry("mul", (1, MANY), |a| ints(a, i64::wrapping_mul)),
    entry("div", (2, 2), |a| divide(a, i64::wrapping_div)),
    entry("mod", (2, 2), |a| divide(a, i64::wrapping_rem)),
    entry("max", (1, MANY), |a| ints(a, i64::max)),
    entry("min", (1, MANY), |a| ints(a, i64::min)),
    entry("addf", (1, MANY), |a| floats(a, |x, y| x + y)),
    entry("subf", (1, MANY), |a| floats(a, |x, y| x - y)),
    entry("mulf", (1, MANY), |a| floats(a, |x, y| x * y)),
    entry("divf", (1, MANY), |a| floats(a, |x, y| x / y)),
    entry("maxf", (1, MANY), |a| floats(a, f64::max)),
    entry("minf", (1, MANY), |a| floats(a, f64::min)),
    entry("ceil", (1, 1), |a| Ok(Value::Float(a.float(0).ceil()))),
    entry("floor", (1, 1), |a| Ok(Value::Float(a.float(0).floor()))),
    entry("round", (2, 3), round),
    entry("bytes", (1, 1), |a| {
        let text = a.text(0);
        match units::bytes(text.trim()) {
            Some(bytes) => Ok(Value::Float(bytes as f64)),
            None => Err(format!("'{text}' is no amount of bytes")),
        }
    }),
    entry("duration", (1, 1), seconds),
    entry("duration_seconds", (1, 1), seconds),
];

fn ints<'v>(a: &Arguments<'_, 'v>, fold: fn(i64, i64) -> i64) -> Outcome<'v> {
    let numbers = a.values.iter().map(Value::int);
    Ok(Value::Int(numbers.reduce(fold).unwrap_or(0)))
}

fn floats<'v>(a: &Arguments<'_, 'v>, fold: fn(f64, f64) -> f64) -> Outcome<'v> {
    let numbers = a.values.iter().map(Value::float);
    Ok(Value::Float(numbers.reduce(fold).unwrap_or(0.0)))
}

fn divide<'v>(a: &Arguments<'_, 'v>, run: fn(i64, i64) -> i64) -> Outcome<'v> {
    match (a.int(0), a.int(1)) {
        (_, 0) => Err("division by zero".to_owned()),
        (left, right) => Ok(Value::Int(run(left, right))),
    }
}

// To a number of digits; a part of at least the third value, one half unless said, goes up.
fn round<'v>(a: &Arguments<'_, 'v>) -> Outcome<'v> {
    let up_from = if a.values.len() > 2 { a.float(2) } else { 0.5 };
    let scale = 10f64.powi(a.int(1).clamp(-300, 300) as i32);
    let scaled = a.float(0) * scale;
    let part = scaled.abs().fract();
    let whole = if part >= up_from { scaled.abs().ceil() } else { scaled.abs().floor() };
    Ok(Value::Float(whole.copysign(scaled) / scale))
}

fn seconds<'v>(a: &Arguments<'_, 'v>) -> Outcome<'v> {
    let text = a.text(0);
    match units::duration(text.trim()) {
        Some(ns) => Ok(Value::Float(ns as f64 / 1e9)),
        None => Err(format!("'{text}' is no duration")),
    }
}
