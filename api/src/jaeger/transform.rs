//! `POST /api/transform`: a file of OTLP/JSON as the traces in it, for the UI's "open a file".

use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event as ProtoEvent, Link as ProtoLink};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span as ProtoSpan, TracesData};
use throughline_model::origin::{Event, Link, Resource, SERVICE_NAME, SERVICE_UNKNOWN, Scope};
use throughline_model::span::Span;
use throughline_model::value::VALUE_DEPTH_MAX;
use throughline_model::{SpanId, TraceId, Value};

use crate::error::{ApiError, ErrorKind, Result};

/// The largest file.
pub const FILE_BYTES_MAX: usize = 32 << 20;

/// The traces of a file, in the order of their first span.
pub fn read(body: &[u8]) -> Result<Vec<Vec<Span>>> {
    let data: TracesData = serde_json::from_slice(body).map_err(|err| {
        let detail = format!("the body is no OTLP/JSON of traces: {err}");
        ApiError::new(ErrorKind::Invalid, detail).with_field("body")
    })?;
    let mut traces: Vec<Vec<Span>> = Vec::new();
    let mut places: HashMap<TraceId, usize> = HashMap::new();
    for spans in &data.resource_spans {
        for span in resource_spans(spans)? {
            let place = *places.entry(span.trace_id).or_insert_with(|| {
                traces.push(Vec::new());
                traces.len() - 1
            });
            traces[place].push(span);
        }
    }
    Ok(traces)
}

fn resource_spans(group: &ResourceSpans) -> Result<Vec<Span>> {
    let resource = group.resource.as_ref();
    let attributes = attributes(resource.map(|r| r.attributes.as_slice()).unwrap_or_default())?;
    let service = attributes.iter().find_map(|(key, value)| match value {
        Value::String(name) if key == SERVICE_NAME && !name.is_empty() => Some(name.clone()),
        _ => None,
    });
    let service_name = service.unwrap_or_else(|| SERVICE_UNKNOWN.to_owned());
    let resource = Arc::new(Resource {
        attributes,
        schema_url: group.schema_url.clone(),
        ..Resource::default()
    });
    let mut spans = Vec::new();
    for of_scope in &group.scope_spans {
        let scope = of_scope.scope.as_ref();
        let scope = Arc::new(Scope {
            name: scope.map(|scope| scope.name.clone()).unwrap_or_default(),
            version: scope.map(|scope| scope.version.clone()).unwrap_or_default(),
            attributes: self::attributes(
                scope.map(|scope| scope.attributes.as_slice()).unwrap_or_default(),
            )?,
            ..Scope::default()
        });
        for proto in &of_scope.spans {
            let own = span(proto)?;
            spans.push(Span {
                resource: resource.clone(),
                scope: scope.clone(),
                service_name: service_name.clone(),
                ..own
            });
        }
    }
    Ok(spans)
}

fn span(span: &ProtoSpan) -> Result<Span> {
    let id = |field: &'static str, err: throughline_model::Error| {
        let detail = format!("{field} of span '{}': {err}", span.name);
        ApiError::new(ErrorKind::Invalid, detail).with_field(field)
    };
    let parent = match span.parent_span_id.as_slice() {
        [] => None,
        bytes => Some(SpanId::from_slice(bytes).map_err(|err| id("parentSpanId", err))?),
    };
    let status = span.status.as_ref();
    let (start, end) = (span.start_time_unix_nano as i64, span.end_time_unix_nano as i64);
    Ok(Span {
        trace_id: TraceId::from_slice(&span.trace_id).map_err(|err| id("traceId", err))?,
        span_id: SpanId::from_slice(&span.span_id).map_err(|err| id("spanId", err))?,
        parent_span_id: parent.filter(|parent| !parent.is_zero()),
        trace_state: span.trace_state.clone(),
        flags: span.flags,
        name: span.name.clone(),
        kind: span.kind,
        start_time_ns: start,
        duration_ns: end.wrapping_sub(start),
        status_code: status.map(|status| status.code).unwrap_or_default(),
        status_message: status.map(|status| status.message.clone()).unwrap_or_default(),
        attributes: attributes(&span.attributes)?,
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events.iter().map(event).collect::<Result<_>>()?,
        dropped_events_count: span.dropped_events_count,
        links: span.links.iter().map(link).collect::<Result<_>>()?,
        dropped_links_count: span.dropped_links_count,
        ..Span::default()
    })
}

fn event(event: &ProtoEvent) -> Result<Event> {
    Ok(Event {
        time_ns: event.time_unix_nano as i64,
        name: event.name.clone(),
        attributes: attributes(&event.attributes)?,
        dropped_attributes_count: event.dropped_attributes_count,
    })
}

fn link(link: &ProtoLink) -> Result<Link> {
    Ok(Link {
        trace_id: TraceId::from_slice(&link.trace_id).unwrap_or_default(),
        span_id: SpanId::from_slice(&link.span_id).unwrap_or_default(),
        trace_state: link.trace_state.clone(),
        flags: link.flags,
        attributes: attributes(&link.attributes)?,
        dropped_attributes_count: link.dropped_attributes_count,
    })
}

fn attributes(entries: &[KeyValue]) -> Result<Vec<(String, Value)>> {
    key_values(entries, 0)
}

fn key_values(entries: &[KeyValue], depth: usize) -> Result<Vec<(String, Value)>> {
    entries
        .iter()
        .map(|entry| Ok((entry.key.clone(), value(entry.value.as_ref(), depth)?)))
        .collect()
}

fn value(any: Option<&AnyValue>, depth: usize) -> Result<Value> {
    if depth > VALUE_DEPTH_MAX {
        let detail = format!("an attribute nests deeper than {VALUE_DEPTH_MAX}");
        return Err(ApiError::new(ErrorKind::Invalid, detail).with_limit(VALUE_DEPTH_MAX));
    }
    Ok(match any.and_then(|any| any.value.as_ref()) {
        None => Value::Empty,
        Some(ProtoValue::StringValue(text)) => Value::String(text.clone()),
        Some(ProtoValue::BoolValue(flag)) => Value::Bool(*flag),
        Some(ProtoValue::IntValue(number)) => Value::Int(*number),
        Some(ProtoValue::DoubleValue(number)) => Value::Double(*number),
        Some(ProtoValue::BytesValue(bytes)) => Value::Bytes(bytes.clone()),
        Some(ProtoValue::ArrayValue(array)) => Value::Array(
            array.values.iter().map(|item| value(Some(item), depth + 1)).collect::<Result<_>>()?,
        ),
        Some(ProtoValue::KvlistValue(list)) => Value::Kvlist(key_values(&list.values, depth + 1)?),
        // A reference into a table that only profiles have.
        Some(ProtoValue::StringValueStrindex(_)) => Value::Empty,
    })
}
