//! Values of templates, and what they are as text, number and truth value.

use std::borrow::Cow;

use super::time;

/// A value while a template is filled in.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Nil,
    /// Text.
    Text(Cow<'a, str>),
    /// An integer.
    Int(i64),
    /// A double.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A moment: nanoseconds since the epoch, and seconds that its zone is east of Greenwich.
    Time(i64, i32),
    /// What `fromJson` read.
    Json(serde_json::Value),
    /// All labels: the dot.
    Labels,
}

impl Value<'_> {
    /// Text that was made.
    pub fn text(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    /// As it is printed.
    pub fn show(&self) -> Cow<'_, str> {
        match self {
            Self::Nil => Cow::Borrowed("<no value>"),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(float(*number)),
            Self::Bool(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
            Self::Time(ns, offset) => Cow::Owned(time::show(*ns, *offset)),
            Self::Json(json) => Cow::Owned(show_json(json)),
            Self::Labels => Cow::Borrowed("map[]"),
        }
    }

    /// Whether it is nothing, zero, false or empty.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::Text(text) => text.is_empty(),
            Self::Int(number) => *number == 0,
            Self::Float(number) => *number == 0.0,
            Self::Bool(truth) => !truth,
            Self::Time(..) | Self::Labels => false,
            Self::Json(json) => match json {
                serde_json::Value::Null => true,
                serde_json::Value::Bool(truth) => !truth,
                serde_json::Value::Number(number) => number.as_f64() == Some(0.0),
                serde_json::Value::String(text) => text.is_empty(),
                serde_json::Value::Array(list) => list.is_empty(),
                serde_json::Value::Object(map) => map.is_empty(),
            },
        }
    }

    /// As an integer; what is no number is zero.
    pub fn int(&self) -> i64 {
        match self {
            Self::Int(number) => *number,
            Self::Text(text) => {
                let text = text.trim();
                text.parse().unwrap_or_else(|_| text.parse::<f64>().map_or(0, |f| f as i64))
            }
            _ => self.float() as i64,
        }
    }

    /// As a double; what is no number is zero.
    pub fn float(&self) -> f64 {
        match self {
            Self::Int(number) => *number as f64,
            Self::Float(number) => *number,
            Self::Bool(truth) => f64::from(u8::from(*truth)),
            Self::Text(text) => text.trim().parse().unwrap_or(0.0),
            Self::Json(serde_json::Value::Number(number)) => number.as_f64().unwrap_or(0.0),
            Self::Json(serde_json::Value::String(text)) => text.trim().parse().unwrap_or(0.0),
            _ => 0.0,
        }
    }

    /// A value of JSON as the simplest value that it is.
    pub fn of_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(truth) => Self::Bool(*truth),
            serde_json::Value::String(text) => Self::text(text.clone()),
            serde_json::Value::Number(number) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            other => Self::Json(other.clone()),
        }
    }
}

/// A double as `%v` writes it.
pub fn float(number: f64) -> String {
    let size = number.abs();
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if size != 0.0 && !(1e-4..1e21).contains(&size) {
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    number.to_string()
}

fn show_json(json: &serde_json::Value) -> String {
    match json {
        serde_json::Value::Null => "<nil>".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => float(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::Bool(truth) => truth.to_string(),
        serde_json::Value::Array(list) => {
            format!("[{}]", list.iter().map(show_json).collect::<Vec<_>>().join(" "))
        }
        serde_json::Value::Object(map) => {
            let mut pairs: Vec<_> = map.iter().collect();
            pairs.sort_by(|a, b| a.0.cmp(b.0));
            let pairs: Vec<_> =
                pairs.iter().map(|(key, value)| format!("{key}:{}", show_json(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}
