//! Attribute and body values as JSON of their own types; integers past 2⁵³ and non-finite doubles
//! are strings, bytes are base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use throughline_model::Value;
use throughline_model::time::format_rfc3339;

use super::{EXACT_MAX, non_finite};

/// A value as JSON.
#[derive(Clone, Copy, Debug)]
pub struct ValueJson<'a>(pub &'a Value);

impl Serialize for ValueJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Empty => serializer.serialize_unit(),
            Value::String(text) => serializer.serialize_str(text),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(number) => exact_i64(number, serializer),
            Value::Double(number) => double(number, serializer),
            Value::Bytes(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            Value::Array(items) => serializer.collect_seq(items.iter().map(ValueJson)),
            Value::Kvlist(entries) => AttributesJson(entries).serialize(serializer),
        }
    }
}

/// Attributes as a JSON object; of equal keys the first counts.
#[derive(Clone, Copy, Debug)]
pub struct AttributesJson<'a>(pub &'a [(String, Value)]);

impl Serialize for AttributesJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (i, (key, value)) in self.0.iter().enumerate() {
            let repeats = self.0[..i].iter().any(|(earlier, _)| earlier == key);
            if !repeats {
                map.serialize_entry(key, &ValueJson(value))?;
            }
        }
        map.end()
    }
}

/// An integer: a number while every reader takes it exactly, else a string.
pub fn exact_i64<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.unsigned_abs() <= EXACT_MAX {
        serializer.serialize_i64(*number)
    } else {
        serializer.collect_str(number)
    }
}

/// An unsigned integer: a number while every reader takes it exactly, else a string.
pub fn exact_u64<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    if *number <= EXACT_MAX {
        serializer.serialize_u64(*number)
    } else {
        serializer.collect_str(number)
    }
}

/// A double, or the name of a non-finite one.
pub fn double<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() {
        serializer.serialize_f64(*number)
    } else {
        serializer.serialize_str(non_finite(*number))
    }
}

/// A time as RFC 3339 with nanoseconds.
pub fn time<S: Serializer>(t_ns: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_rfc3339(*t_ns))
}

/// A time as RFC 3339 with nanoseconds; null where it was not set.
pub fn time_or_null<S: Serializer>(t_ns: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    match t_ns {
        0 => serializer.serialize_none(),
        t_ns => time(t_ns, serializer),
    }
}

/// Anything that has a text, as that text.
pub fn text<T: ToString, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_typed_objects() {
        let entries = [
            ("s", Value::String("x\n".to_owned())),
            ("i", Value::Int(1)),
            ("big", Value::Int(i64::MIN)),
            ("d", Value::Double(f64::NEG_INFINITY)),
            ("b", Value::Bool(true)),
            ("y", Value::Bytes(vec![0, 255])),
            ("a", Value::Array(vec![Value::Int(1), Value::Empty])),
            ("k", Value::Kvlist(vec![("x".to_owned(), Value::Double(0.5))])),
            ("s", Value::String("later of equal keys".to_owned())),
        ]
        .map(|(key, value)| (key.to_owned(), value));
        let expected = concat!(
            r#"{"s":"x\n","i":1,"big":"-9223372036854775808","d":"-Infinity","b":true,"#,
            r#""y":"AP8=","a":[1,null],"k":{"x":0.5}}"#
        );
        let text = serde_json::to_string(&AttributesJson(&entries)).expect("serialises");
        assert_eq!(text, expected);
    }
}
