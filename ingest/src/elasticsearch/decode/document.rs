//! A document as the flat list of what it says: names joined by dots, and values.

use serde_json::{Map, Value as Json};
use throughline_model::Value;

/// Bytes of a name beyond which the objects below it are kept whole, so that no name is repeated without end.
const NAME_BYTES_MAX: usize = 256;
/// How deep objects and lists inside a list are kept as such; below that they are JSON text.
const DEPTH_MAX: usize = 32;

/// A name with its value; never null.
pub type Entry = (String, Json);

/// Reads a document; the reason if it is no JSON object.
pub fn read(text: &[u8]) -> Result<Vec<Entry>, String> {
    let object: Map<String, Json> = serde_json::from_slice(text)
        .map_err(|err| format!("the document is no JSON object: {err}"))?;
    let mut entries = Vec::with_capacity(object.len());
    flatten("", object, &mut entries);
    Ok(entries)
}

/// The reason if a document cannot be read.
pub fn check(text: &[u8]) -> Result<(), String> {
    read(text).map(|_| ())
}

fn flatten(above: &str, object: Map<String, Json>, entries: &mut Vec<Entry>) {
    for (key, value) in object {
        let name = if above.is_empty() { key } else { format!("{above}.{key}") };
        match value {
            Json::Null => {}
            Json::Object(inner) if name.len() <= NAME_BYTES_MAX => flatten(&name, inner, entries),
            value => entries.push((name, value)),
        }
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
