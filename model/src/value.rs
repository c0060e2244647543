//! Attribute and body values: OTLP's `AnyValue`, and how we keep one in bytes.
//!
//! ```text
//! value   := tag u8, payload to the end of the value
//! 0 empty | 1 string: UTF-8 | 2 bool: u8 | 3 int: i64 LE | 4 double: f64 LE | 5 bytes
//! 6 array: (varint len, value)*        7 kvlist: (varint key len, key, varint len, value)*
//! ```
//! The length of a value stands outside it (an Arrow offset, or the prefix inside an array).

use std::borrow::Cow;

use base64::Engine;

use crate::codec::{Reader, put_bytes, put_nested};
use crate::{Error, Result};

/// How deep arrays and kvlists may nest in what we read back; receivers refuse deeper ones.
pub const VALUE_DEPTH_MAX: usize = 64;

/// The first byte of an encoded value.
pub mod tag {
    #![allow(missing_docs)]
    pub const EMPTY: u8 = 0;
    pub const STRING: u8 = 1;
    pub const BOOL: u8 = 2;
    pub const INT: u8 = 3;
    pub const DOUBLE: u8 = 4;
    pub const BYTES: u8 = 5;
    pub const ARRAY: u8 = 6;
    pub const KVLIST: u8 = 7;
}

/// A value, owned.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    /// No value was set.
    #[default]
    Empty,
    /// Text.
    String(String),
    /// True or false.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// A list of values of any types.
    Array(Vec<Value>),
    /// Keys with values, in the order received.
    Kvlist(Vec<(String, Value)>),
}

impl Value {
    /// Appends the encoded value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Empty => out.push(tag::EMPTY),
            Value::String(text) => put_string(out, text),
            Value::Bool(flag) => put_bool(out, *flag),
            Value::Int(number) => put_int(out, *number),
            Value::Double(number) => put_double(out, *number),
            Value::Bytes(bytes) => {
                out.push(tag::BYTES);
                out.extend_from_slice(bytes);
            }
            Value::Array(items) => {
                out.push(tag::ARRAY);
                items.iter().for_each(|item| put_nested(out, |out| item.encode(out)));
            }
            Value::Kvlist(entries) => {
                out.push(tag::KVLIST);
                for (key, value) in entries {
                    put_bytes(out, key.as_bytes());
                    put_nested(out, |out| value.encode(out));
                }
            }
        }
    }

    /// The encoded value in a buffer of its own.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    /// Reads an encoded value.
    pub fn decode(bytes: &[u8]) -> Result<Value> {
        decode(bytes, 0)
    }

    /// The value as JSON: bytes in base64, non-finite doubles as the strings of the protobuf
    /// JSON mapping (`"NaN"`, `"Infinity"`, `"-Infinity"`).
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::Empty => Json::Null,
            Value::String(text) => Json::String(text.clone()),
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Int(number) => Json::from(*number),
            Value::Double(number) => double_to_json(*number),
            Value::Bytes(bytes) => Json::String(base64_text(bytes)),
            Value::Array(items) => Json::Array(items.iter().map(Value::to_json).collect()),
            Value::Kvlist(entries) => {
                Json::Object(entries.iter().map(|(k, v)| (k.clone(), v.to_json())).collect())
            }
        }
    }
}

/// Appends an encoded string.
pub fn put_string(out: &mut Vec<u8>, text: &str) {
    out.push(tag::STRING);
    out.extend_from_slice(text.as_bytes());
}

/// The same for a text's bytes, which are known to be UTF-8.
pub fn put_string_bytes(out: &mut Vec<u8>, text: &[u8]) {
    out.push(tag::STRING);
    out.extend_from_slice(text);
}

/// Appends an encoded bool.
pub fn put_bool(out: &mut Vec<u8>, flag: bool) {
    out.extend_from_slice(&[tag::BOOL, u8::from(flag)]);
}

/// Appends an encoded integer.
pub fn put_int(out: &mut Vec<u8>, number: i64) {
    out.push(tag::INT);
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends an encoded double; the bits of a NaN are kept.
pub fn put_double(out: &mut Vec<u8>, number: f64) {
    out.push(tag::DOUBLE);
    out.extend_from_slice(&number.to_bits().to_le_bytes());
}

/// A scalar inside encoded bytes, without copying it; arrays and kvlists stay encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// No value was set.
    Empty,
    /// Text.
    String(&'a str),
    /// True or false.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// The whole encoded value of an array or kvlist.
    Nested(&'a [u8]),
}

impl<'a> ValueRef<'a> {
    /// Looks at an encoded value.
    pub fn read(bytes: &'a [u8]) -> Result<ValueRef<'a>> {
        let (tag, payload) =
            bytes.split_first().ok_or_else(|| Error::corrupt("a value has no bytes"))?;
        let fixed = |payload: &[u8]| -> Result<[u8; 8]> {
            payload.try_into().map_err(|_| {
                Error::corrupt(format!("a number of {} bytes, expected 8", payload.len()))
            })
        };
        Ok(match *tag {
            tag::EMPTY => ValueRef::Empty,
            tag::STRING => ValueRef::String(
                std::str::from_utf8(payload)
                    .map_err(|_| Error::corrupt("a string is not UTF-8"))?,
            ),
            tag::BOOL => ValueRef::Bool(payload.first().is_some_and(|byte| *byte != 0)),
            tag::INT => ValueRef::Int(i64::from_le_bytes(fixed(payload)?)),
            tag::DOUBLE => ValueRef::Double(f64::from_le_bytes(fixed(payload)?)),
            tag::BYTES => ValueRef::Bytes(payload),
            tag::ARRAY | tag::KVLIST => ValueRef::Nested(bytes),
            other => return Err(Error::corrupt(format!("value tag {other} is unknown"))),
        })
    }

    /// The elements of an array; nothing for other values.
    pub fn elements(&self) -> impl Iterator<Item = Result<ValueRef<'a>>> {
        let items = match self {
            ValueRef::Nested(bytes) if bytes.first() == Some(&tag::ARRAY) => &bytes[1..],
            _ => &[],
        };
        let mut reader = Reader::new(items);
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            let element = reader.bytes().and_then(ValueRef::read);
            if element.is_err() {
                reader = Reader::new(&[]);
            }
            Some(element)
        })
    }

    /// Whether this is an array.
    pub fn is_array(&self) -> bool {
        matches!(self, ValueRef::Nested(bytes) if bytes.first() == Some(&tag::ARRAY))
    }

    /// The text that SQL and search show: numbers in decimal, bytes in base64, arrays and kvlists
    /// as JSON; `None` for the empty value.
    pub fn text(&self) -> Result<Option<Cow<'a, str>>> {
        Ok(match self {
            ValueRef::Empty => None,
            ValueRef::String(text) => Some(Cow::Borrowed(text)),
            ValueRef::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
            ValueRef::Int(number) => Some(Cow::Owned(number.to_string())),
            ValueRef::Double(number) => Some(Cow::Owned(number.to_string())),
            ValueRef::Bytes(bytes) => Some(Cow::Owned(base64_text(bytes))),
            ValueRef::Nested(bytes) => {
                Some(Cow::Owned(Value::decode(bytes)?.to_json().to_string()))
            }
        })
    }
}

fn decode(bytes: &[u8], depth: usize) -> Result<Value> {
    if depth > VALUE_DEPTH_MAX {
        return Err(Error::corrupt(format!("a value nests deeper than {VALUE_DEPTH_MAX}")));
    }
    Ok(match ValueRef::read(bytes)? {
        ValueRef::Empty => Value::Empty,
        ValueRef::String(text) => Value::String(text.to_owned()),
        ValueRef::Bool(flag) => Value::Bool(flag),
        ValueRef::Int(number) => Value::Int(number),
        ValueRef::Double(number) => Value::Double(number),
        ValueRef::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Nested(bytes) => {
            let mut reader = Reader::new(&bytes[1..]);
            if bytes[0] == tag::ARRAY {
                let mut items = Vec::new();
                while !reader.is_empty() {
                    items.push(decode(reader.bytes()?, depth + 1)?);
                }
                Value::Array(items)
            } else {
                let mut entries = Vec::new();
                while !reader.is_empty() {
                    let key = reader.str()?.to_owned();
                    entries.push((key, decode(reader.bytes()?, depth + 1)?));
                }
                Value::Kvlist(entries)
            }
        }
    })
}

fn double_to_json(number: f64) -> serde_json::Value {
    match serde_json::Number::from_f64(number) {
        Some(finite) => serde_json::Value::Number(finite),
        None if number.is_nan() => "NaN".into(),
        None if number > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

fn base64_text(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Empty),
            ".*".prop_map(Value::String),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            proptest::num::f64::NORMAL.prop_map(Value::Double),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                proptest::collection::vec((".*", inner), 0..5).prop_map(Value::Kvlist),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_round_trip(value in any_value()) {
            prop_assert_eq!(Value::decode(&value.to_bytes()).expect("decodes"), value);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Value::decode(&bytes);
        }
    }
}
