//! `json_field` and `json_fields`: fields out of a text that is a JSON object.
//!
//! A name is looked for as a key first and then as a path: `user.id` is the key "user.id", or the key
//! "id" of the object "user", or of an array the element of that number. Text comes without quotes,
//! numbers and booleans as they are written, objects and arrays as JSON, null as nothing.

use serde_json::{Map, Value};

/// How deep a path goes, and how deep objects are taken apart.
const DEPTH_MAX: usize = 16;
/// Fields that one text gives at most.
const FIELDS_MAX: usize = 1000;

/// A field of a JSON object; none where the text is none or has no such field.
pub fn json_field(text: &str, name: &str) -> Option<String> {
    let value = serde_json::from_str::<Value>(object(text)?).ok()?;
    as_text(find(&value, name, 0)?)
}

/// All fields of a JSON object, those inside of others under their paths, as one flat JSON object of
/// texts; none where the text is no object.
pub fn json_fields(text: &str) -> Option<String> {
    let value = serde_json::from_str::<Value>(object(text)?).ok()?;
    let mut flat = Map::new();
    flatten(value.as_object()?, "", 0, &mut flat);
    Some(Value::Object(flat).to_string())
}

// What can be an object: nothing else is parsed.
fn object(text: &str) -> Option<&str> {
    let text = text.trim();
    (text.starts_with('{') && text.ends_with('}')).then_some(text)
}

fn find<'v>(value: &'v Value, name: &str, depth: usize) -> Option<&'v Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    if let Value::Array(items) = value {
        let (first, rest) = name.split_once('.').map_or((name, None), |(f, r)| (f, Some(r)));
        let item = items.get(first.parse::<usize>().ok()?)?;
        return rest.map_or(Some(item), |rest| find(item, rest, depth + 1));
    }
    let object = value.as_object()?;
    if let Some(value) = object.get(name) {
        return Some(value);
    }
    // The longest key that begins the path is not better than the shortest: one that leads on wins.
    name.match_indices('.').find_map(|(dot, _)| {
        let inner = object.get(&name[..dot])?;
        find(inner, &name[dot + 1..], depth + 1)
    })
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn flatten(object: &Map<String, Value>, prefix: &str, depth: usize, flat: &mut Map<String, Value>) {
    for (key, value) in object {
        if flat.len() >= FIELDS_MAX {
            return;
        }
        let name = format!("{prefix}{key}");
        match value {
            Value::Object(inner) if depth < DEPTH_MAX && !inner.is_empty() => {
                flatten(inner, &format!("{name}."), depth + 1, flat);
            }
            value => {
                if let Some(text) = as_text(value) {
                    flat.insert(name, Value::String(text));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let text = r#" {"a":"x","n":1.50,"b":true,"z":null,"o":{"p":{"q":7}},"o.p":{"r":8},"l":[{"k":9}],
            "a.b":"dotted"} "#;
        for (name, expected) in [
            ("a", Some("x")),
            ("b", Some("true")),
            ("z", None),
            ("o.p.q", Some("7")),
            ("o.p.r", Some("8")),
            ("o.p", Some(r#"{"r":8}"#)),
            ("l.0.k", Some("9")),
            ("l.1", None),
            ("a.b", Some("dotted")),
            ("missing", None),
        ] {
            assert_eq!(json_field(text, name).as_deref(), expected, "{name}");
        }
        for text in ["", "x", "[1]", "{", r#"{"a":}"#] {
            assert_eq!(json_field(text, "a"), None, "{text}");
            assert_eq!(json_fields(text), None, "{text}");
        }
        let flat = json_fields(r#"{"a":{"b":1,"c":[2]},"d":null,"e":"f"}"#).expect("an object");
        assert_eq!(flat, r#"{"a.b":"1","a.c":"[2]","e":"f"}"#);
    }
}
