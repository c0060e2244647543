//! An attribute set in bytes: where a set is kept whole (resources, scopes, events, links, series,
//! and the rare attributes of a segment), rather than as one entry a column or a map.
//!
//! ```text
//! set := (varint key len, key, varint value len, value)*        see `value` for the value
//! ```

use crate::codec::{Reader, put_bytes, put_nested};
use crate::value::{Value, ValueRef};
use crate::{Error, Result};

/// Appends one attribute to an encoded set.
pub fn put_attr(out: &mut Vec<u8>, key: &str, value: &Value) {
    put_bytes(out, key.as_bytes());
    put_nested(out, |out| value.encode(out));
}

/// Appends one attribute whose value is already encoded.
pub fn put_encoded(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    put_bytes(out, key.as_bytes());
    put_bytes(out, value);
}

/// The attributes of an encoded set, in order: key and encoded value.
pub fn iter(set: &[u8]) -> impl Iterator<Item = Result<(&str, &[u8])>> {
    let mut reader = Reader::new(set);
    std::iter::from_fn(move || {
        if reader.is_empty() {
            return None;
        }
        let entry = reader.str().and_then(|key| Ok((key, reader.bytes()?)));
        if entry.is_err() {
            reader = Reader::new(&[]);
        }
        Some(entry)
    })
}

/// The encoded value of the first attribute named `key`.
pub fn get<'a>(set: &'a [u8], key: &str) -> Option<&'a [u8]> {
    iter(set).map_while(Result::ok).find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// The text of the first attribute named `key`, if it is a string.
pub fn get_str<'a>(set: &'a [u8], key: &str) -> Option<&'a str> {
    match ValueRef::read(get(set, key)?) {
        Ok(ValueRef::String(text)) => Some(text),
        _ => None,
    }
}

/// Encodes a whole set.
pub fn encode<'a>(entries: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Vec<u8> {
    let mut out = Vec::new();
    entries.into_iter().for_each(|(key, value)| put_attr(&mut out, key, value));
    out
}

/// Decodes a whole set.
pub fn decode(set: &[u8]) -> Result<Vec<(String, Value)>> {
    iter(set)
        .map(|entry| entry.and_then(|(key, value)| Ok((key.to_owned(), Value::decode(value)?))))
        .collect()
}

/// The same set sorted by key (stable), for identities and comparisons.
pub fn canonical(set: &[u8]) -> Result<Vec<u8>> {
    let mut entries = iter(set).collect::<Result<Vec<_>>>()?;
    if entries.is_sorted_by(|a, b| a.0 <= b.0) {
        return Ok(set.to_vec());
    }
    entries.sort_by(|a, b| a.0.cmp(b.0));
    let mut out = Vec::with_capacity(set.len());
    entries.iter().for_each(|(key, value)| put_encoded(&mut out, key, value));
    Ok(out)
}

/// The set as a JSON object.
pub fn to_json(set: &[u8]) -> Result<serde_json::Value> {
    let mut object = serde_json::Map::new();
    for (key, value) in decode(set)? {
        if object.contains_key(&key) {
            continue; // the first of equal keys counts, as in `get`
        }
        object.insert(key, value.to_json());
    }
    Ok(serde_json::Value::Object(object))
}

/// Checks that a set reads back, for bytes that come from outside.
pub fn check(set: &[u8]) -> Result<()> {
    iter(set).try_for_each(|entry| {
        let (_, value) = entry?;
        ValueRef::read(value).map(|_| ()).map_err(|err| Error::corrupt(err.to_string()))
    })
}
