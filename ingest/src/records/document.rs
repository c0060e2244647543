//! A document as the flat list of what it says: names joined by dots, and values.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value as Json};
use throughline_model::Value;

/// Bytes of a document beyond which it is not taken apart: its tree takes many times as much memory.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Bytes of a name beyond which the objects below it are kept whole, so that no name is repeated without end.
const NAME_BYTES_MAX: usize = 256;
/// How many times its size the names of a document may come to, before objects are kept whole.
const NAMES_RATIO_MAX: usize = 4;
/// How deep objects and lists inside a list are kept as such; below that they are JSON text.
const DEPTH_MAX: usize = 32;

/// A name with its value; never null.
pub type Entry = (String, Json);

/// Reads a document; the reason if it is no JSON object. One that is too large has no entries.
pub fn read(text: &[u8]) -> Result<Vec<Entry>, String> {
    let no_object = |err: serde_json::Error| format!("the document is no JSON object: {err}");
    if text.len() > DOCUMENT_BYTES_MAX {
        return match serde_json::from_slice(text).map_err(no_object)? {
            Object => Ok(Vec::new()),
        };
    }
    let object: Map<String, Json> = serde_json::from_slice(text).map_err(no_object)?;
    Ok(flat(object, text.len()))
}

/// The entries of an object that came in so many bytes.
pub fn flat(object: Map<String, Json>, bytes: usize) -> Vec<Entry> {
    let mut flat = Flat {
        entries: Vec::with_capacity(object.len()),
        names_left: NAME_BYTES_MAX + NAMES_RATIO_MAX * bytes,
    };
    flat.add("", object);
    flat.entries
}

/// The reason if a document cannot be read.
pub fn check(text: &[u8]) -> Result<(), String> {
    read(text).map(|_| ())
}

/// The entries so far, and how many bytes of names may follow.
struct Flat {
    entries: Vec<Entry>,
    names_left: usize,
}

impl Flat {
    fn add(&mut self, above: &str, object: Map<String, Json>) {
        for (key, value) in object {
            let name = if above.is_empty() { key } else { format!("{above}.{key}") };
            match value {
                Json::Null => {}
                Json::Object(inner) if self.may_open(&name, &inner) => self.add(&name, inner),
                value => {
                    self.names_left = self.names_left.saturating_sub(name.len());
                    self.entries.push((name, value));
                }
            }
        }
    }

    fn may_open(&self, name: &str, inner: &Map<String, Json>) -> bool {
        let repeated = name.len().saturating_mul(inner.len());
        name.len() <= NAME_BYTES_MAX && repeated <= self.names_left
    }
}

/// Any JSON object, none of which is kept.
struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Object)
    }
}

/// A value as OpenTelemetry has it. Whole numbers that do not fit are kept as their digits.
pub fn value(json: Json) -> Value {
    nested(json, 0)
}

fn nested(json: Json, depth: usize) -> Value {
    match json {
        Json::Null => Value::Empty,
        Json::Bool(flag) => Value::Bool(flag),
        Json::String(text) => Value::String(text),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(double)) if !number.is_u64() => Value::Double(double),
            _ => Value::String(number.to_string()),
        },
        deep if depth == DEPTH_MAX => Value::String(deep.to_string()),
        Json::Array(items) => {
            Value::Array(items.into_iter().map(|item| nested(item, depth + 1)).collect())
        }
        Json::Object(entries) => Value::Kvlist(
            entries.into_iter().map(|(key, value)| (key, nested(value, depth + 1))).collect(),
        ),
    }
}
