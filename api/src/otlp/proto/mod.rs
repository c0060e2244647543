//! Items as protobuf: `TracesData`, `LogsData` and `MetricsData`, which have the bytes of the Export
//! requests of their signals.

mod logs;
mod metrics;
mod traces;

use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use throughline_model::Value;
use throughline_model::origin::{Resource, Scope};

pub use logs::logs_data;
pub use metrics::metrics_data;
pub use traces::traces_data;

// OTLP's times are unsigned; ours have the same 64 bits.
fn nanos(time_ns: i64) -> u64 {
    time_ns as u64
}

fn resource(resource: &Resource) -> Option<ProtoResource> {
    Some(ProtoResource {
        attributes: key_values(&resource.attributes),
        dropped_attributes_count: resource.dropped_attributes_count,
        entity_refs: entity_refs(&resource.entity_refs),
    })
}

fn instrumentation_scope(scope: &Scope) -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: scope.name.clone(),
        version: scope.version.clone(),
        attributes: key_values(&scope.attributes),
        dropped_attributes_count: scope.dropped_attributes_count,
    })
}

/// Attributes as the generated messages.
pub fn key_values(attributes: &[(String, Value)]) -> Vec<KeyValue> {
    attributes
        .iter()
        .map(|(key, value)| KeyValue {
            key: key.clone(),
            value: Some(any_value(value)),
            ..KeyValue::default()
        })
        .collect()
}

fn any_value(value: &Value) -> AnyValue {
    let value = match value {
        Value::Empty => return AnyValue { value: None },
        Value::String(text) => ProtoValue::StringValue(text.clone()),
        Value::Bool(flag) => ProtoValue::BoolValue(*flag),
        Value::Int(number) => ProtoValue::IntValue(*number),
        Value::Double(number) => ProtoValue::DoubleValue(*number),
        Value::Bytes(bytes) => ProtoValue::BytesValue(bytes.clone()),
        Value::Array(items) => {
            ProtoValue::ArrayValue(ArrayValue { values: items.iter().map(any_value).collect() })
        }
        Value::Kvlist(entries) => {
            ProtoValue::KvlistValue(KeyValueList { values: key_values(entries) })
        }
    };
    AnyValue { value: Some(value) }
}

/// The entity references of a resource; see `origin::Resource` for how they are kept.
pub fn entity_refs(value: &Value) -> Vec<EntityRef> {
    let Value::Array(refs) = value else { return Vec::new() };
    refs.iter()
        .filter_map(|one| match one {
            Value::Kvlist(fields) => Some(entity_ref(fields)),
            _ => None,
        })
        .collect()
}

fn entity_ref(fields: &[(String, Value)]) -> EntityRef {
    let mut entity = EntityRef::default();
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("schema_url", Value::String(text)) => entity.schema_url.clone_from(text),
            ("type", Value::String(text)) => entity.r#type.clone_from(text),
            ("id_keys", Value::Array(keys)) => entity.id_keys = strings(keys),
            ("description_keys", Value::Array(keys)) => entity.description_keys = strings(keys),
            _ => {}
        }
    }
    entity
}

fn strings(values: &[Value]) -> Vec<String> {
    values
        .iter()
        .filter_map(|value| match value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        })
        .collect()
}
