//! Spans in the JSON mapping of OTLP: hex ids, camelCase, 64-bit integers as strings, enums as
//! numbers, bytes in base64, defaults left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use throughline_model::Value;
use throughline_model::origin::{Event, Link, Resource, Scope};
use throughline_model::span::Span;

use super::{ResourceGroup, ScopeGroup};

/// The JSON text of grouped spans: `{"resourceSpans":[…]}`.
pub fn write(groups: &[ResourceGroup<'_>]) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&TracesData { resource_spans: groups.iter().map(resource_spans).collect() })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TracesData<'a> {
    resource_spans: Vec<ResourceSpansJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpansJson<'a> {
    resource: ResourceJson<'a>,
    scope_spans: Vec<ScopeSpansJson<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceJson<'a> {
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "EntityRefs::is_empty")]
    entity_refs: EntityRefs<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeSpansJson<'a> {
    scope: ScopeJson<'a>,
    spans: Vec<SpanJson<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    schema_url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeJson<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson<'a> {
    trace_id: Hex<'a>,
    span_id: Hex<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
    name: &'a str,
    kind: i32,
    start_time_unix_nano: Nanos,
    end_time_unix_nano: Nanos,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<EventJson<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_events_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<LinkJson<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_links_count: u32,
    status: StatusJson<'a>,
}

#[derive(Serialize)]
struct StatusJson<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "is_unset")]
    code: i32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventJson<'a> {
    time_unix_nano: Nanos,
    name: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkJson<'a> {
    trace_id: Hex<'a>,
    span_id: Hex<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
}

fn resource_spans<'a>(group: &'a ResourceGroup<'_>) -> ResourceSpansJson<'a> {
    let Resource { attributes, dropped_attributes_count, schema_url, entity_refs } = group.resource;
    ResourceSpansJson {
        resource: ResourceJson {
            attributes: Attributes(attributes),
            dropped_attributes_count: *dropped_attributes_count,
            entity_refs: EntityRefs(entity_refs),
        },
        scope_spans: group.scopes.iter().map(scope_spans).collect(),
        schema_url,
    }
}

fn scope_spans<'a>(group: &'a ScopeGroup<'_>) -> ScopeSpansJson<'a> {
    let Scope { name, version, attributes, dropped_attributes_count, schema_url } = group.scope;
    ScopeSpansJson {
        scope: ScopeJson {
            name,
            version,
            attributes: Attributes(attributes),
            dropped_attributes_count: *dropped_attributes_count,
        },
        spans: group.spans.iter().map(|span| span_json(span)).collect(),
        schema_url,
    }
}

fn span_json(span: &Span) -> SpanJson<'_> {
    SpanJson {
        trace_id: Hex(&span.trace_id.0),
        span_id: Hex(&span.span_id.0),
        trace_state: &span.trace_state,
        parent_span_id: span.parent_span_id.as_ref().map(|id| Hex(&id.0)),
        flags: span.flags,
        name: &span.name,
        kind: span.kind,
        start_time_unix_nano: Nanos(span.start_time_ns),
        end_time_unix_nano: Nanos(span.start_time_ns.wrapping_add(span.duration_ns)),
        attributes: Attributes(&span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events.iter().map(event_json).collect(),
        dropped_events_count: span.dropped_events_count,
        links: span.links.iter().map(link_json).collect(),
        dropped_links_count: span.dropped_links_count,
        status: StatusJson { message: &span.status_message, code: span.status_code },
    }
}

fn event_json(event: &Event) -> EventJson<'_> {
    EventJson {
        time_unix_nano: Nanos(event.time_ns),
        name: &event.name,
        attributes: Attributes(&event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
    }
}

fn link_json(link: &Link) -> LinkJson<'_> {
    LinkJson {
        trace_id: Hex(&link.trace_id.0),
        span_id: Hex(&link.span_id.0),
        trace_state: &link.trace_state,
        attributes: Attributes(&link.attributes),
        dropped_attributes_count: link.dropped_attributes_count,
        flags: link.flags,
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_unset(code: &i32) -> bool {
    *code == 0
}

struct Hex<'a>(&'a [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::render::hex(self.0))
    }
}

// OTLP's times are unsigned; ours have the same 64 bits.
struct Nanos(i64);

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&(self.0 as u64))
    }
}

struct Attributes<'a>(&'a [(String, Value)]);

impl Attributes<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for (key, value) in self.0 {
            list.serialize_element(&KeyValue { key, value: AnyValue(value) })?;
        }
        list.end()
    }
}

#[derive(Serialize)]
struct KeyValue<'a> {
    key: &'a str,
    value: AnyValue<'a>,
}

struct AnyValue<'a>(&'a Value);

impl Serialize for AnyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self.0 {
            Value::Empty => {}
            Value::String(text) => map.serialize_entry("stringValue", text)?,
            Value::Bool(flag) => map.serialize_entry("boolValue", flag)?,
            Value::Int(number) => map.serialize_entry("intValue", &number.to_string())?,
            Value::Double(number) => map.serialize_entry("doubleValue", &Double(*number))?,
            Value::Bytes(bytes) => map.serialize_entry("bytesValue", &STANDARD.encode(bytes))?,
            Value::Array(items) => map.serialize_entry("arrayValue", &Array(items))?,
            Value::Kvlist(entries) => map.serialize_entry("kvlistValue", &Kvlist(entries))?,
        }
        map.end()
    }
}

struct Double(f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            number if number.is_finite() => serializer.serialize_f64(number),
            number => serializer.serialize_str(crate::render::non_finite(number)),
        }
    }
}

struct Array<'a>(&'a [Value]);

impl Serialize for Array<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("values", &self.0.iter().map(AnyValue).collect::<Vec<_>>())?;
        map.end()
    }
}

struct Kvlist<'a>(&'a [(String, Value)]);

impl Serialize for Kvlist<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("values", &Attributes(self.0))?;
        map.end()
    }
}

// An array of kvlists with the names of the protobuf fields; see `origin::Resource`.
struct EntityRefs<'a>(&'a Value);

impl EntityRefs<'_> {
    fn is_empty(&self) -> bool {
        !matches!(self.0, Value::Array(refs) if !refs.is_empty())
    }
}

impl Serialize for EntityRefs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let refs = super::proto::entity_refs(self.0);
        let mut list = serializer.serialize_seq(Some(refs.len()))?;
        for one in &refs {
            list.serialize_element(one)?;
        }
        list.end()
    }
}
