//! Spans: `{"resourceSpans":[…]}`, and the same in the mapping that protobuf itself has, which some
//! clients expect: ids in base64, names in place of the numbers of enums.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use throughline_model::origin::{Event, Link};
use throughline_model::span::Span;

use super::{Attributes, Names, Nanos, document, is_zero};
use crate::otlp::ResourceGroup;

const NAMES: Names = Names { resources: "resourceSpans", scopes: "scopeSpans", items: "spans" };
const BATCHES: Names = Names { resources: "batches", scopes: "scopeSpans", items: "spans" };

const KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];
const STATUSES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

/// The JSON text of grouped spans.
pub fn write_spans(groups: &[ResourceGroup<'_, Span>]) -> serde_json::Result<Vec<u8>> {
    write(&NAMES, groups, Mapping::Otlp)
}

/// The same in the mapping of protobuf.
pub fn write_resource_spans(groups: &[ResourceGroup<'_, Span>]) -> serde_json::Result<Vec<u8>> {
    write(&NAMES, groups, Mapping::Protobuf)
}

/// The same with `batches` in place of `resourceSpans`.
pub fn write_batches(groups: &[ResourceGroup<'_, Span>]) -> serde_json::Result<Vec<u8>> {
    write(&BATCHES, groups, Mapping::Protobuf)
}

fn write(
    names: &Names,
    groups: &[ResourceGroup<'_, Span>],
    mapping: Mapping,
) -> serde_json::Result<Vec<u8>> {
    document(names, groups, |spans| spans.iter().map(|span| span_json(span, mapping)).collect())
}

/// How ids and enums are written.
#[derive(Clone, Copy)]
enum Mapping {
    /// Hex digits and numbers.
    Otlp,
    /// Base64 and names.
    Protobuf,
}

struct Id<'a>(&'a [u8], Mapping);

impl Serialize for Id<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1 {
            Mapping::Otlp => serializer.serialize_str(&crate::render::hex(self.0)),
            Mapping::Protobuf => serializer.serialize_str(&STANDARD.encode(self.0)),
        }
    }
}

struct Enum {
    number: i32,
    names: &'static [&'static str],
    mapping: Mapping,
}

impl Enum {
    fn is_zero(&self) -> bool {
        self.number == 0
    }
}

impl Serialize for Enum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = usize::try_from(self.number).ok().and_then(|number| self.names.get(number));
        match (self.mapping, known) {
            (Mapping::Protobuf, Some(name)) => serializer.serialize_str(name),
            _ => serializer.serialize_i32(self.number),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson<'a> {
    trace_id: Id<'a>,
    span_id: Id<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<Id<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
    name: &'a str,
    kind: Enum,
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
    #[serde(skip_serializing_if = "Enum::is_zero")]
    code: Enum,
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
    trace_id: Id<'a>,
    span_id: Id<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
}

fn span_json(span: &Span, mapping: Mapping) -> SpanJson<'_> {
    let number = |number, names: &'static [&'static str]| Enum { number, names, mapping };
    SpanJson {
        trace_id: Id(&span.trace_id.0, mapping),
        span_id: Id(&span.span_id.0, mapping),
        trace_state: &span.trace_state,
        parent_span_id: span.parent_span_id.as_ref().map(|id| Id(&id.0, mapping)),
        flags: span.flags,
        name: &span.name,
        kind: number(span.kind, &KINDS),
        start_time_unix_nano: Nanos(span.start_time_ns),
        end_time_unix_nano: Nanos(span.start_time_ns.wrapping_add(span.duration_ns)),
        attributes: Attributes(&span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events.iter().map(event_json).collect(),
        dropped_events_count: span.dropped_events_count,
        links: span.links.iter().map(|link| link_json(link, mapping)).collect(),
        dropped_links_count: span.dropped_links_count,
        status: StatusJson {
            message: &span.status_message,
            code: number(span.status_code, &STATUSES),
        },
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

fn link_json(link: &Link, mapping: Mapping) -> LinkJson<'_> {
    LinkJson {
        trace_id: Id(&link.trace_id.0, mapping),
        span_id: Id(&link.span_id.0, mapping),
        trace_state: &link.trace_state,
        attributes: Attributes(&link.attributes),
        dropped_attributes_count: link.dropped_attributes_count,
        flags: link.flags,
    }
}
