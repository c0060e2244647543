//! Spans as protobuf: `TracesData`, which has the bytes of an `ExportTraceServiceRequest`.

use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::tonic::trace::v1::span::{Event as ProtoEvent, Link as ProtoLink};
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span as ProtoSpan, Status, TracesData,
};
use prost::Message;
use throughline_model::Value;
use throughline_model::origin::{Event, Link, Resource, Scope};
use throughline_model::span::Span;

use super::ResourceGroup;

/// The protobuf bytes of grouped spans.
pub fn write(groups: &[ResourceGroup<'_>]) -> Vec<u8> {
    traces_data(groups).encode_to_vec()
}

/// Grouped spans as the generated message.
pub fn traces_data(groups: &[ResourceGroup<'_>]) -> TracesData {
    TracesData { resource_spans: groups.iter().map(resource_spans).collect() }
}

fn resource_spans(group: &ResourceGroup<'_>) -> ResourceSpans {
    let Resource { attributes, dropped_attributes_count, schema_url, entity_refs: refs } =
        group.resource;
    ResourceSpans {
        resource: Some(ProtoResource {
            attributes: key_values(attributes),
            dropped_attributes_count: *dropped_attributes_count,
            entity_refs: entity_refs(refs),
        }),
        scope_spans: group
            .scopes
            .iter()
            .map(|scope| ScopeSpans {
                scope: Some(instrumentation_scope(scope.scope)),
                spans: scope.spans.iter().map(|span| proto_span(span)).collect(),
                schema_url: scope.scope.schema_url.clone(),
            })
            .collect(),
        schema_url: schema_url.clone(),
    }
}

fn instrumentation_scope(scope: &Scope) -> InstrumentationScope {
    InstrumentationScope {
        name: scope.name.clone(),
        version: scope.version.clone(),
        attributes: key_values(&scope.attributes),
        dropped_attributes_count: scope.dropped_attributes_count,
    }
}

fn proto_span(span: &Span) -> ProtoSpan {
    ProtoSpan {
        trace_id: span.trace_id.0.to_vec(),
        span_id: span.span_id.0.to_vec(),
        trace_state: span.trace_state.clone(),
        parent_span_id: span.parent_span_id.map_or_else(Vec::new, |id| id.0.to_vec()),
        flags: span.flags,
        name: span.name.clone(),
        kind: span.kind,
        start_time_unix_nano: span.start_time_ns as u64,
        end_time_unix_nano: span.start_time_ns.wrapping_add(span.duration_ns) as u64,
        attributes: key_values(&span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events.iter().map(proto_event).collect(),
        dropped_events_count: span.dropped_events_count,
        links: span.links.iter().map(proto_link).collect(),
        dropped_links_count: span.dropped_links_count,
        status: Some(Status { message: span.status_message.clone(), code: span.status_code }),
    }
}

fn proto_event(event: &Event) -> ProtoEvent {
    ProtoEvent {
        time_unix_nano: event.time_ns as u64,
        name: event.name.clone(),
        attributes: key_values(&event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
    }
}

fn proto_link(link: &Link) -> ProtoLink {
    ProtoLink {
        trace_id: link.trace_id.0.to_vec(),
        span_id: link.span_id.0.to_vec(),
        trace_state: link.trace_state.clone(),
        attributes: key_values(&link.attributes),
        dropped_attributes_count: link.dropped_attributes_count,
        flags: link.flags,
    }
}

fn key_values(attributes: &[(String, Value)]) -> Vec<KeyValue> {
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
