//! How fields of messages are written in JSON, where the types alone do not say it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::PartialStatus;
use crate::render::value::double;

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

pub(super) fn text<T: ToString, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

pub(super) fn status<S: Serializer>(status: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    let partial = *status == PartialStatus::Partial as i32;
    serializer.serialize_str(if partial { "PARTIAL" } else { "COMPLETE" })
}

pub(super) fn key_values<S: Serializer>(
    list: &[KeyValue],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(Some(list.len()))?;
    for entry in list {
        seq.serialize_element(&KeyValueJson(entry))?;
    }
    seq.end()
}

struct KeyValueJson<'a>(&'a KeyValue);

impl Serialize for KeyValueJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("key", &self.0.key)?;
        map.serialize_entry("value", &AnyValueJson(self.0.value.as_ref()))?;
        map.end()
    }
}

struct AnyValueJson<'a>(Option<&'a AnyValue>);

impl Serialize for AnyValueJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0.and_then(|value| value.value.as_ref()) {
            Some(Value::StringValue(text)) => map.serialize_entry("stringValue", text)?,
            Some(Value::BoolValue(flag)) => map.serialize_entry("boolValue", flag)?,
            Some(Value::IntValue(number)) => {
                map.serialize_entry("intValue", &number.to_string())?;
            }
            Some(Value::DoubleValue(number)) => {
                map.serialize_entry("doubleValue", &Double(*number))?
            }
            Some(Value::BytesValue(bytes)) => {
                map.serialize_entry("bytesValue", &STANDARD.encode(bytes))?;
            }
            Some(Value::ArrayValue(array)) => {
                let values = array.values.iter().map(|value| AnyValueJson(Some(value))).collect();
                map.serialize_entry("arrayValue", &Values { values })?;
            }
            Some(Value::KvlistValue(list)) => {
                let values = list.values.iter().map(KeyValueJson).collect();
                map.serialize_entry("kvlistValue", &Values { values })?;
            }
            // References into a table belong to profiles.
            _ => {}
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Values<T> {
    values: Vec<T>,
}

struct Double(f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        double(&self.0, serializer)
    }
}
